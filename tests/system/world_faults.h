/* What goes wrong in a world. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_FAULTS_H
#define DYNO_TESTS_SYSTEM_WORLD_FAULTS_H

#include <check.h>

#include "core/run/loop.h"
#include "sim/chaos.h"
#include "tests/system/world_halves.h"

enum { WORLD_FAULTS_MAX = 8 };

struct world_faults {
    struct dyno_chaos_fault list[WORLD_FAULTS_MAX];
    uint32_t count; /* 0: nothing does */
    dyno_ns restart_ns, notice_ns;
    uint32_t migrations_max;
    /* Who brings workers up for real: those who serve, and those who compute prompts.  NULL: it is
     * pretended. */
    const struct dyno_starter *starters[2];
};

static inline dyno_ns world_faults_restart(const void *context, struct dyno_rng *rng)
{
    (void)rng;
    return ((const struct world_faults *)context)->restart_ns;
}

static inline void world_faults_roster(const struct world_faults *world, uint32_t workers,
                                       const struct dyno_starter *starter,
                                       struct dyno_dispatch *dispatch, struct dyno_roster **roster)
{
    ck_assert_int_eq(
        dyno_roster_open(roster, &(struct dyno_roster_config){.worker_count = workers,
                                                              .ready_first = workers,
                                                              .startup = world_faults_restart,
                                                              .startup_context = world,
                                                              .starter = starter,
                                                              .dispatch = dispatch}),
        DYNO_OK);
}

/* Into the configuration of the loop, with a roster where nobody has one, and another one of those
 * who compute prompts.  The device, if it is simulated, feels it (else NULL). */
static inline void world_faults_open(const struct world_faults *world,
                                     const struct world_halves *halves, struct dyno_device *device,
                                     struct dyno_roster **roster, struct world_other *other,
                                     struct dyno_loop_config *loop)
{
    uint32_t decoders = loop->worker_count - halves->workers;
    struct dyno_error error = {0};

    if (world->count == 0) {
        return;
    }
    ck_assert_msg(
        dyno_chaos_open(&loop->faults,
                        &(struct dyno_chaos_config){
                            .worker_count = halves->same_gpus ? decoders : loop->worker_count,
                            .faults = world->list,
                            .fault_count = world->count},
                        &error) == DYNO_OK,
        "%s", error.text);
    if (device) {
        dyno_paced_device_expect(device, dyno_chaos_weather, loop->faults);
    }
    if (!*roster) {
        world_faults_roster(world, decoders, world->starters[0], loop->dispatch, roster);
        loop->roster = *roster;
    }
    if (halves->workers > 0 && !halves->same_gpus) {
        ck_assert_int_eq(dyno_dispatch_open(&other->dispatch, &halves->dispatch, &error), DYNO_OK);
        world_faults_roster(world, halves->workers, world->starters[1], other->dispatch,
                            &other->roster);
        loop->roster_behind = other->roster;
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
