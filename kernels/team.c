/* The team: a gate that says which operation is open and how many workers are inside, and a counter
 * that hands out its chunks.
 *
 * The caller opens the gate for an operation, claims chunks itself until there are none, closes the
 * gate and waits until nobody is inside.  A worker comes in only through the open gate, so one that
 * sleeps, or whose core is taken away while it spins, holds up nobody: it finds the gate closed and
 * waits for the next operation.  What an operation is made of is read only inside.
 *
 * A worker that spun in vain counts itself in `sleepers` and looks at the gate once more under the
 * lock before it sleeps; the caller opens the gate before it reads `sleepers`.  Both are
 * sequentially consistent, so one of the two sees the other.
 *
 * A worker that wakes up is kept off the caller's core: a kernel that put both there would let it
 * wait for the end of the caller's slice, which is often that of the whole pass, while another core
 * idles.
 */
#include "kernels/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    SPINS_MAX = 20000,   /* of a worker: tens of microseconds at least, longer than what a pass does
                            alone between two operations */
    SPINS_A_YIELD = 500, /* of it, until it offers its core: the loop's thread may wait for it */
    SPINS_CALLER = 200,  /* until it offers its core to the worker that it waits for */
    LINE = 64,
};

/* The gate: epoch << 32 | GATE_OPEN or 0 | workers inside. */
#define GATE_OPEN   0x10000ULL
#define GATE_INSIDE 0xffffULL

struct dyno_team {
    uint32_t workers;
    uint32_t threads; /* started: workers - 1, fewer while opening */
    pthread_mutex_t lock;
    pthread_cond_t opened;
    pthread_t thread[DYNO_TEAM_MAX];
    cpu_set_t cores;  /* that the team may run on */
    int callers_core; /* which its threads are kept off; -1: none */

    /* The operation; written while the gate is closed and nobody is inside. */
    dyno_team_work work;
    void *argument;
    uint32_t items, grain;

    _Alignas(LINE) atomic_ullong gate;
    atomic_uint sleepers;
    atomic_bool ending;
    _Alignas(LINE) atomic_uint next; /* chunk */
};

struct start {
    struct dyno_team *team;
    uint32_t worker;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void claim_chunks(struct dyno_team *team, uint32_t worker)
{
    uint32_t chunks = (team->items - 1) / team->grain + 1;

    for (;;) {
        uint32_t chunk = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        uint32_t first = chunk * team->grain;

        if (chunk >= chunks) {
            return;
        }
        team->work(team->argument, first,
                   team->items - first < team->grain ? team->items : first + team->grain, worker);
    }
}

static uint32_t epoch_of(unsigned long long gate)
{
    return (uint32_t)(gate >> 32);
}

/* The gate once its epoch is no longer `seen`. */
static unsigned long long await_epoch(struct dyno_team *team, uint32_t seen)
{
    unsigned long long gate;

    for (uint32_t spins = 0; spins < SPINS_MAX; spins++) {
        gate = atomic_load_explicit(&team->gate, memory_order_relaxed);
        if (epoch_of(gate) != seen) {
            return gate;
        }
        if (spins % SPINS_A_YIELD == SPINS_A_YIELD - 1) {
            sched_yield();
        } else {
            pause_briefly();
        }
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->sleepers, 1);
    while (epoch_of(gate = atomic_load(&team->gate)) == seen) {
        pthread_cond_wait(&team->opened, &team->lock);
    }
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->lock);
    return gate;
}

/* Come in if the gate, last seen as `gate`, is open still.  Returns the epoch that was seen. */
static uint32_t help(struct dyno_team *team, unsigned long long gate, uint32_t worker)
{
    while (gate & GATE_OPEN) {
        if (atomic_compare_exchange_weak_explicit(&team->gate, &gate, gate + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            claim_chunks(team, worker);
            atomic_fetch_sub_explicit(&team->gate, 1, memory_order_release);
            break;
        }
    }
    return epoch_of(gate);
}

/* Let the threads run on every core but the one that the caller is on, if there are others. */
static void keep_off_the_callers_core(struct dyno_team *team)
{
    int core = sched_getcpu();
    cpu_set_t others = team->cores;

    if (core < 0 || core >= CPU_SETSIZE || core == team->callers_core) {
        return;
    }
    CPU_CLR((size_t)core, &others);
    if (CPU_COUNT(&others) == 0) {
        return;
    }
    for (uint32_t i = 0; i < team->threads; i++) {
        pthread_setaffinity_np(team->thread[i], sizeof(others), &others);
    }
    team->callers_core = core;
}

static void raise_epoch(struct dyno_team *team, unsigned long long open)
{
    uint32_t epoch = epoch_of(atomic_load_explicit(&team->gate, memory_order_relaxed)) + 1;

    atomic_store(&team->gate, (unsigned long long)epoch << 32 | open);
    if (atomic_load(&team->sleepers) > 0) {
        keep_off_the_callers_core(team);
        pthread_mutex_lock(&team->lock);
        pthread_cond_broadcast(&team->opened);
        pthread_mutex_unlock(&team->lock);
    }
}

static void close_gate(struct dyno_team *team)
{
    uint32_t spins = 0;

    atomic_fetch_and_explicit(&team->gate, ~GATE_OPEN, memory_order_relaxed);
    while (atomic_load_explicit(&team->gate, memory_order_acquire) & GATE_INSIDE) {
        if (++spins > SPINS_CALLER) {
            sched_yield();
        } else {
            pause_briefly();
        }
    }
}

static void *work_until_ending(void *argument)
{
    struct start *start = argument;
    struct dyno_team *team = start->team;
    uint32_t worker = start->worker, seen = 0;

    free(start);
    while (!atomic_load(&team->ending)) {
        seen = help(team, await_epoch(team, seen), worker);
    }
    return NULL;
}

static bool start_thread(struct dyno_team *team)
{
    struct start *start = malloc(sizeof(*start));

    if (!start) {
        return false;
    }
    *start = (struct start){team, team->threads + 1};
    if (pthread_create(&team->thread[team->threads], NULL, work_until_ending, start) != 0) {
        free(start);
        return false;
    }
    team->threads++;
    return true;
}

struct dyno_team *dyno_team_open(uint32_t workers)
{
    struct dyno_team *team;

    if (workers == 0 || workers > DYNO_TEAM_MAX) {
        return NULL;
    }
    team = aligned_alloc(LINE, sizeof(*team));
    if (!team) {
        return NULL;
    }
    *team = (struct dyno_team){.workers = workers, .callers_core = -1};
    if (sched_getaffinity(0, sizeof(team->cores), &team->cores) != 0) {
        CPU_ZERO(&team->cores); /* more cores than the set holds: the kernel knows best */
    }
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->opened, NULL);
    while (team->threads + 1 < workers) {
        if (!start_thread(team)) {
            dyno_team_close(team);
            return NULL;
        }
    }
    return team;
}

void dyno_team_close(struct dyno_team *team)
{
    if (!team) {
        return;
    }
    atomic_store(&team->ending, true);
    raise_epoch(team, 0);
    for (uint32_t i = 0; i < team->threads; i++) {
        pthread_join(team->thread[i], NULL);
    }
    pthread_cond_destroy(&team->opened);
    pthread_mutex_destroy(&team->lock);
    free(team);
}

uint32_t dyno_team_workers(const struct dyno_team *team)
{
    return team->workers;
}

void dyno_team_run(struct dyno_team *team, uint32_t items, uint32_t grain, dyno_team_work work,
                   void *argument)
{
    if (items <= grain || team->workers == 1) {
        if (items > 0) {
            work(argument, 0, items, 0);
        }
        return;
    }
    team->work = work;
    team->argument = argument;
    team->items = items;
    team->grain = grain;
    if (team->callers_core < 0) {
        keep_off_the_callers_core(team);
    }
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    raise_epoch(team, GATE_OPEN);
    claim_chunks(team, 0);
    close_gate(team);
}
