/* What goes wrong in a world. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_FAULTS_H
#define DYNO_TESTS_SYSTEM_WORLD_FAULTS_H

#include <check.h>

#include "core/run/loop.h"
#include "sim/chaos.h"

enum { WORLD_FAULTS_MAX = 8 };

struct world_faults {
    struct dyno_chaos_fault list[WORLD_FAULTS_MAX];
    uint32_t count; /* 0: nothing does */
    dyno_ns restart_ns, notice_ns;
    uint32_t migrations_max;
};

static inline dyno_ns world_faults_restart(const void *context, struct dyno_rng *rng)
{
    (void)rng;
    return ((const struct world_faults *)context)->restart_ns;
}

/* Into the configuration of the loop; with a roster, where nobody has one.  The device feels it. */
static inline void world_faults_open(const struct world_faults *world, uint32_t workers,
                                     struct dyno_dispatch *dispatch, struct dyno_device *device,
                                     struct dyno_roster **roster, struct dyno_loop_config *loop)
{
    struct dyno_error error = {0};

    if (world->count == 0) {
        return;
    }
    ck_assert_msg(dyno_chaos_open(&loop->faults,
                                  &(struct dyno_chaos_config){.worker_count = workers,
                                                              .faults = world->list,
                                                              .fault_count = world->count},
                                  &error) == DYNO_OK,
                  "%s", error.text);
    dyno_paced_device_expect(device, dyno_chaos_weather, loop->faults);
    if (!*roster) {
        ck_assert_int_eq(
            dyno_roster_open(roster, &(struct dyno_roster_config){.worker_count = workers,
                                                                  .ready_first = workers,
                                                                  .startup = world_faults_restart,
                                                                  .startup_context = world,
                                                                  .dispatch = dispatch}),
            DYNO_OK);
        loop->roster = *roster;
    }
    loop->notice_ns = world->notice_ns;
    loop->migrations_max = world->migrations_max;
}

static inline void world_faults_close(struct dyno_faults *faults)
{
    if (faults) {
        faults->ops->close(faults);
    }
}

#endif
