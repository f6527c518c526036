/* What holds of every world that runs on devices that compute (live_rig.h). */
#ifndef DYNO_TESTS_SYSTEM_LIVE_PROMISES_H
#define DYNO_TESTS_SYSTEM_LIVE_PROMISES_H

#include "tests/system/live_rig.h"

typedef void draw_live(struct world *world, uint64_t seed);

/* Every request ended once, with the tokens that it must have. */
static inline void expect_all(const struct live *live, const struct dyno_loop_result *result)
{
    ck_assert_uint_eq(result->requests, live->world->request_count);
    for (uint32_t i = 0; i < live->world->request_count; i++) {
        ck_assert_msg(live->ends[i] == 1, "world %llu: request %u ended %u times",
                      (unsigned long long)live->world->seed, i, live->ends[i]);
        check_record(live, i);
    }
}

/* Run the world of that seed to its end; `world` is the stage's. */
static inline void run_through(struct live *live, struct world *world, draw_live *draw,
                               uint64_t seed)
{
    struct dyno_loop_result result;

    draw(world, seed);
    run_live(live, &result);
    expect_all(live, &result);
}

/* The same, cut long before its end: no request ends twice, and all that have begun end. */
static inline void run_cut(struct live *live, struct world *world, draw_live *draw, uint64_t seed)
{
    struct dyno_loop_result result;
    uint32_t ended = 0;

    draw(world, seed);
    world->duration_max_ns = 300 * DYNO_MS;
    run_live(live, &result);
    for (uint32_t i = 0; i < world->request_count; i++) {
        ck_assert_uint_le(live->ends[i], 1);
        ended += live->ends[i];
    }
    ck_assert_uint_eq(ended, result.requests);
}

#endif
