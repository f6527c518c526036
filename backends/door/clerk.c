#include "backends/door/clerk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*   waiting -> made [run: the clerk's thread] -> gone [dyno_clerk_collect]
 *   waiting -> gone [client_gone] */
struct job {
    struct dyno_guest guest; /* its first member */
    struct dyno_clerk *clerk;
    struct dyno_http_exchange *exchange; /* the door's; NULL: its client has gone */
    struct dyno_order order;             /* its texts are the job's */
    dyno_door_maker *make;
    bool generates;
    atomic_bool is_dropped;
    struct job *next;
    /* What came of it. */
    dyno_status status;
    struct dyno_openai_error error;
    struct dyno_call *call;
    struct dyno_bytes out;
    char bytes[]; /* body and trace state, each terminated */
};

struct line {
    struct job *first, **last;
};

struct dyno_clerk {
    struct dyno_door *door;
    struct dyno_scribe scribe; /* the thread's */
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t given; /* or quit */
    struct line waiting, made;
    uint32_t count; /* waiting, or being made ... */
    size_t size;    /* ... and their bytes */
    uint32_t made_count;
    bool quit;
};

static void line_up(struct line *line, struct job *job)
{
    job->next = NULL;
    *line->last = job;
    line->last = &job->next;
}

static struct job *next_of(struct line *line)
{
    struct job *first = line->first;

    if (first) {
        line->first = first->next;
        line->last = line->first ? line->last : &line->first;
    }
    return first;
}

/* Whether it was there. */
static bool take_out(struct line *line, struct job *job)
{
    for (struct job **at = &line->first; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            line->last = line->last == &job->next ? at : line->last;
            return true;
        }
    }
    return false;
}

static void free_job(struct job *job)
{
    if (job->call) {
        dyno_call_drop(job->call);
    }
    dyno_bytes_release(&job->out);
    free(job);
}

/* ---- the clerk's thread ---------------------------------------------------------------------- */

/* The next one, waited for; NULL: there will be none. */
static struct job *wait_for_job(struct dyno_clerk *clerk)
{
    struct job *job;

    (void)pthread_mutex_lock(&clerk->lock);
    while (!clerk->quit && !clerk->waiting.first) {
        (void)pthread_cond_wait(&clerk->given, &clerk->lock);
    }
    job = clerk->quit ? NULL : next_of(&clerk->waiting);
    (void)pthread_mutex_unlock(&clerk->lock);
    return job;
}

/* A reply that is there at once goes with the job. */
static void make_one(struct dyno_scribe *scribe, struct job *job)
{
    struct dyno_bytes empty = job->out;

    scribe->is_dropped = &job->is_dropped;
    job->status = job->make(scribe, &job->order, &job->call, &job->error);
    scribe->is_dropped = NULL;
    if (job->status != DYNO_OK) {
        job->call = NULL;
    } else if (!job->call) {
        job->out = scribe->out;
        scribe->out = empty;
    }
}

static void *run(void *context)
{
    struct dyno_clerk *clerk = context;
    struct job *job;

    while ((job = wait_for_job(clerk)) != NULL) {
        make_one(&clerk->scribe, job);
        (void)pthread_mutex_lock(&clerk->lock);
        clerk->count--;
        clerk->size -= job->order.size;
        clerk->made_count++;
        line_up(&clerk->made, job);
        (void)pthread_mutex_unlock(&clerk->lock);
        dyno_http_server_wake(clerk->door->server);
    }
    return NULL;
}

/* ---- the door's side ------------------------------------------------------------------------- */

static void client_gone(struct dyno_guest *guest)
{
    struct job *job = (struct job *)(void *)guest; /* its first member */
    struct dyno_clerk *clerk = job->clerk;
    bool was_waiting;

    job->exchange = NULL;
    atomic_store_explicit(&job->is_dropped, true, memory_order_relaxed);
    (void)pthread_mutex_lock(&clerk->lock);
    was_waiting = take_out(&clerk->waiting, job);
    if (was_waiting) {
        clerk->count--;
        clerk->size -= job->order.size;
    }
    (void)pthread_mutex_unlock(&clerk->lock);
    if (was_waiting) {
        free_job(job);
    }
}

static struct job *open_job(struct dyno_clerk *clerk, struct dyno_http_exchange *exchange,
                            const struct dyno_order *order)
{
    size_t state = order->trace_state ? strlen(order->trace_state) + 1 : 0;
    struct job *job = calloc(1, sizeof *job + order->size + 1 + state);

    if (!job) {
        return NULL;
    }
    job->guest.gone = client_gone;
    job->clerk = clerk;
    job->exchange = exchange;
    job->order = *order;
    job->order.body = memcpy(job->bytes, order->body, order->size);
    if (order->trace_state) {
        job->order.trace_state = memcpy(job->bytes + order->size + 1, order->trace_state, state);
    }
    dyno_bytes_init(&job->out, clerk->scribe.out.size_max);
    return job;
}

static bool has_room(const struct dyno_clerk *clerk, size_t size)
{
    return clerk->count == 0 || (clerk->count < DYNO_CLERK_ORDERS_MAX &&
                                 clerk->size + size <= (size_t)DYNO_CLERK_BYTES_MAX);
}

dyno_status dyno_clerk_give(struct dyno_clerk *clerk, struct dyno_http_exchange *exchange,
                            const struct dyno_order *order, dyno_door_maker *make, bool generates)
{
    struct job *job = open_job(clerk, exchange, order);
    bool is_taken;

    if (!job) {
        return DYNO_NO_MEMORY;
    }
    job->make = make;
    job->generates = generates;
    (void)pthread_mutex_lock(&clerk->lock);
    is_taken = has_room(clerk, order->size);
    if (is_taken) {
        clerk->count++;
        clerk->size += order->size;
        line_up(&clerk->waiting, job);
        (void)pthread_cond_signal(&clerk->given);
    }
    (void)pthread_mutex_unlock(&clerk->lock);
    if (!is_taken) {
        free_job(job);
        return DYNO_FULL;
    }
    dyno_http_exchange_set_data(exchange, job);
    return DYNO_OK;
}

static struct job *next_made(struct dyno_clerk *clerk)
{
    struct job *job;

    (void)pthread_mutex_lock(&clerk->lock);
    job = next_of(&clerk->made);
    clerk->made_count -= job != NULL;
    (void)pthread_mutex_unlock(&clerk->lock);
    return job;
}

uint32_t dyno_clerk_count(struct dyno_clerk *clerk)
{
    uint32_t count;

    (void)pthread_mutex_lock(&clerk->lock);
    count = clerk->count + clerk->made_count;
    (void)pthread_mutex_unlock(&clerk->lock);
    return count;
}

void dyno_clerk_collect(struct dyno_clerk *clerk)
{
    struct job *job;

    while ((job = next_made(clerk)) != NULL) {
        if (job->exchange) {
            struct dyno_call *call = job->call;

            job->call = NULL;
            clerk->door->asker = job->order.asker;
            dyno_http_exchange_set_data(job->exchange, NULL);
            dyno_door_fill_order(clerk->door, job->exchange, job->status, call, &job->out,
                                 &job->error, job->generates);
        }
        free_job(job);
    }
}

/* ---- open and close -------------------------------------------------------------------------- */

dyno_status dyno_clerk_open(struct dyno_clerk **out, struct dyno_door *door, uint64_t chance,
                            struct dyno_error *error)
{
    struct dyno_clerk *clerk = calloc(1, sizeof *clerk);
    dyno_status status;

    if (!clerk) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    clerk->door = door;
    clerk->waiting.last = &clerk->waiting.first;
    clerk->made.last = &clerk->made.first;
    (void)pthread_mutex_init(&clerk->lock, NULL); /* neither can fail on Linux */
    (void)pthread_cond_init(&clerk->given, NULL);
    status = dyno_scribe_init(&clerk->scribe, door, chance, error);
    if (status == DYNO_OK) {
        clerk->is_started = pthread_create(&clerk->thread, NULL, run, clerk) == 0;
        status = clerk->is_started
                     ? DYNO_OK
                     : dyno_fail(error, DYNO_IO, "a thread of the server cannot be started");
    }
    if (status != DYNO_OK) {
        dyno_clerk_close(clerk);
        return status;
    }
    *out = clerk;
    return DYNO_OK;
}

void dyno_clerk_halt(struct dyno_clerk *clerk)
{
    if (!clerk || !clerk->is_started) {
        return;
    }
    (void)pthread_mutex_lock(&clerk->lock);
    clerk->quit = true;
    (void)pthread_cond_signal(&clerk->given);
    (void)pthread_mutex_unlock(&clerk->lock);
    (void)pthread_join(clerk->thread, NULL);
    clerk->is_started = false;
}

void dyno_clerk_close(struct dyno_clerk *clerk)
{
    struct line *const lines[] = {clerk ? &clerk->waiting : NULL, clerk ? &clerk->made : NULL};

    if (!clerk) {
        return;
    }
    dyno_clerk_halt(clerk);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (struct job *job = next_of(lines[i]); job; job = next_of(lines[i])) {
            free_job(job);
        }
    }
    dyno_scribe_release(&clerk->scribe);
    (void)pthread_cond_destroy(&clerk->given);
    (void)pthread_mutex_destroy(&clerk->lock);
    free(clerk);
}
