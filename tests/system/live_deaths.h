/* Workers of devices that compute, some of which die in the middle: after so many steps what
 * computes for a worker is gone, and with it the step that it was asked for. */
#ifndef DYNO_TESTS_SYSTEM_LIVE_DEATHS_H
#define DYNO_TESTS_SYSTEM_LIVE_DEATHS_H

#include <stdatomic.h>

#include "backends/posix/wall_clock.h"
#include "core/run/faults.h"
#include "tests/system/world.h"

struct live_mortal {
    uint32_t steps_left; /* its thread's; 0: it does not die */
    atomic_bool is_gone;
    dyno_ns since;
    bool told;
};

struct live_deaths {
    struct dyno_faults base;
    struct dyno_clock *clock;
    struct live_mortal workers[2 * WORLD_WORKERS_MAX]; /* as the loop numbers them */
};

static inline bool live_is_gone(const struct live_deaths *deaths, uint32_t worker)
{
    return atomic_load(&deaths->workers[worker].is_gone);
}

/* From the worker's thread, after a step. */
static inline bool live_survives(struct live_deaths *deaths, uint32_t worker)
{
    struct live_mortal *mortal = &deaths->workers[worker];

    if (mortal->steps_left == 0 || --mortal->steps_left > 0) {
        return !atomic_load(&mortal->is_gone);
    }
    mortal->since = dyno_wall_clock_now(deaths->clock);
    atomic_store(&mortal->is_gone, true);
    dyno_wall_clock_wake(deaths->clock);
    return false;
}

static inline struct live_mortal *live_untold(struct live_deaths *deaths, uint32_t *worker)
{
    for (uint32_t i = 0; i < 2 * WORLD_WORKERS_MAX; i++) {
        if (!deaths->workers[i].told && live_is_gone(deaths, i)) {
            *worker = i;
            return &deaths->workers[i];
        }
    }
    return NULL;
}

static inline dyno_ns live_deaths_next(const struct dyno_faults *faults)
{
    uint32_t worker;
    const struct live_mortal *mortal =
        live_untold((struct live_deaths *)(uintptr_t)faults, &worker);

    return mortal ? mortal->since : DYNO_NEVER;
}

static inline bool live_deaths_take(struct dyno_faults *faults, dyno_ns now,
                                    struct dyno_fault_record *out)
{
    uint32_t worker = 0;

    live_untold((struct live_deaths *)faults, &worker)->told = true;
    *out = (struct dyno_fault_record){.kind = DYNO_FAULT_DEATH,
                                      .what = "worker",
                                      .target = worker,
                                      .at = now,
                                      .until = DYNO_NEVER};
    return true;
}

static const struct dyno_faults_ops live_deaths_ops = {
    .name = "deaths", .next = live_deaths_next, .take = live_deaths_take};

/* All but worker 0 may die, half of them do, each after up to so many steps. */
static inline void live_deaths_draw(struct live_deaths *deaths, uint64_t seed, uint32_t steps_most)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "live.deaths");
    *deaths = (struct live_deaths){.base.ops = &live_deaths_ops};
    for (uint32_t i = 1; i < 2 * WORLD_WORKERS_MAX; i++) {
        deaths->workers[i].steps_left =
            dyno_rng_below(&rng, 2) ? 1 + (uint32_t)dyno_rng_below(&rng, steps_most) : 0;
    }
}

#endif
