#include "backends/posix/turns.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backends/posix/wall_clock.h"

/* A helper has work of its own: what is still due after so long is left to the loop's thread. */
static const dyno_ns helped_ns_max = 500 * DYNO_US;

struct dyno_turns {
    struct dyno_loop *loop;
    struct dyno_clock *clock;
    pthread_mutex_t lock;    /* held in every turn; over all below */
    bool runs;               /* between begin and end */
    dyno_ns asleep_until;    /* when the loop's thread wakes; 0: it is awake */
    struct dyno_error error; /* of a turn that failed */
};

/* Sleep until something is due, without the lock. */
static void rest(struct dyno_turns *turns)
{
    dyno_ns due = dyno_loop_due(turns->loop);

    if (due <= dyno_wall_clock_now(turns->clock)) {
        return;
    }
    turns->asleep_until = due;
    (void)pthread_mutex_unlock(&turns->lock);
    dyno_wall_clock_sleep(turns->clock, due);
    (void)pthread_mutex_lock(&turns->lock);
    turns->asleep_until = 0;
}

static bool goes_on(const struct dyno_turns *turns)
{
    return turns->error.status == DYNO_OK && !dyno_loop_is_over(turns->loop);
}

/* A status may come without words. */
static void take_turn(struct dyno_turns *turns)
{
    dyno_status status = dyno_loop_turn(turns->loop, &turns->error);

    turns->error.status = status;
}

dyno_status dyno_turns_run(struct dyno_turns *turns, struct dyno_workers *workers,
                           struct dyno_loop_result *result, struct dyno_error *error)
{
    dyno_status status;

    (void)pthread_mutex_lock(&turns->lock);
    turns->error.status = dyno_loop_begin(turns->loop, workers, &turns->error);
    turns->runs = true;
    while (goes_on(turns)) {
        rest(turns);
        if (goes_on(turns)) {
            take_turn(turns);
        }
    }
    turns->runs = false;
    status = turns->error.status;
    if (status == DYNO_OK) {
        dyno_loop_end(turns->loop, result);
    } else {
        *error = turns->error;
    }
    (void)pthread_mutex_unlock(&turns->lock);
    return status;
}

/* Whether the loop's thread would sleep through what is to be done next. */
static bool oversleeps(const struct dyno_turns *turns)
{
    return turns->asleep_until > 0 &&
           (!goes_on(turns) || dyno_loop_due(turns->loop) < turns->asleep_until);
}

/* What has come, and what is due at once because of it. */
static void take_turns(struct dyno_turns *turns)
{
    dyno_ns enough = dyno_wall_clock_now(turns->clock) + helped_ns_max, now;

    do {
        take_turn(turns);
        now = dyno_wall_clock_now(turns->clock);
    } while (goes_on(turns) && dyno_loop_due(turns->loop) <= now && now < enough);
}

void dyno_turns_help(struct dyno_turns *turns)
{
    bool wakes = true;

    if (pthread_mutex_trylock(&turns->lock) == 0) {
        if (turns->runs && goes_on(turns)) {
            take_turns(turns);
            wakes = oversleeps(turns);
        }
        (void)pthread_mutex_unlock(&turns->lock);
    }
    if (wakes) {
        dyno_wall_clock_wake(turns->clock);
    }
}

dyno_status dyno_turns_open(struct dyno_turns **out, struct dyno_loop *loop,
                            struct dyno_clock *clock)
{
    struct dyno_turns *turns = calloc(1, sizeof *turns);

    if (!turns || pthread_mutex_init(&turns->lock, NULL) != 0) {
        free(turns);
        return DYNO_NO_MEMORY;
    }
    turns->loop = loop;
    turns->clock = clock;
    dyno_wall_clock_attend(clock);
    *out = turns;
    return DYNO_OK;
}

void dyno_turns_close(struct dyno_turns *turns)
{
    if (turns) {
        (void)pthread_mutex_destroy(&turns->lock);
    }
    free(turns);
}
