/* Worlds in which requests are served in halves. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_DRAW_HALVES_H
#define DYNO_TESTS_SYSTEM_WORLD_DRAW_HALVES_H

#include "tests/system/world.h"

/* In a third of them, with hops and host time that take no time, too. */
static inline void world_draw_pulling(struct world *world, struct dyno_rng *rng)
{
    world->halves.style = (enum dyno_handoff_style)dyno_rng_below(rng, 3);
    if (world->halves.style == DYNO_HANDOFF_PUSH) {
        world->halves.layers = (uint32_t)dyno_rng_below(rng, 3) * 4;
    }
    if (world->halves.style == DYNO_HANDOFF_BOTH && world->halves.deadline_ns == 0) {
        world->halves.deadline_ns = (1 + dyno_rng_below(rng, 200)) * DYNO_MS;
    }
    if (world->halves.style == DYNO_HANDOFF_PULL) {
        world->halves.hop_ns = dyno_rng_below(rng, 2) * (1 + dyno_rng_below(rng, 5)) * DYNO_MS;
        world->halves.worker.ingest_ns = world->worker.ingest_ns;
        world->worker.fetch_block_ticks =
            dyno_rng_below(rng, 2) * (1 + dyno_rng_below(rng, 3)) * DYNO_MS * DYNO_TICKS_PER_NS / 2;
    }
}

/* Prefill workers that batch in the same order, but may have other sizes; links fast or slow, some
 * whose transfers take whole milliseconds, some that take no time. */
static inline void world_draw_halves(struct world *world)
{
    static const uint32_t sizes[] = {0, 1, 40, 150};
    struct world_halves *halves = &world->halves;
    struct dyno_rng rng;
    uint32_t policies = 0, all;

    while (dyno_route_table[policies]) {
        policies++;
    }
    dyno_rng_init(&rng, world->seed, "halves");
    world->plan = (struct world_plan){0}; /* which workers serve does not change */
    halves->workers = 1 + (uint32_t)dyno_rng_below(&rng, 4);
    all = halves->workers + world->dispatch.worker_count;
    halves->worker = world->worker;
    halves->worker.blocks =
        (200 + (uint32_t)dyno_rng_below(&rng, 1500)) / world->worker.block_tokens + 2;
    halves->worker.ingest_ns = halves->worker.ingest_token_ticks = 0;
    halves->worker.queue_max = dyno_rng_below(&rng, 8) ? 0 : 3;
    halves->dispatch = world->dispatch;
    halves->dispatch.worker_count = halves->workers;
    halves->dispatch.busy = (struct dyno_dispatch_busy){0}; /* who was let in does not wait again */
    halves->dispatch.policy = dyno_route_table[dyno_rng_below(&rng, policies)];
    halves->policy = &dyno_handoff_table[dyno_rng_below(&rng, 6)];
    halves->policy_tokens = sizes[dyno_rng_below(&rng, 4)];
    halves->deadline_ns = dyno_rng_below(&rng, 2) ? 0 : (1 + dyno_rng_below(&rng, 50)) * DYNO_MS;
    halves->block_bytes = dyno_rng_below(&rng, 4) ? 1000 * world->worker.block_tokens : 0;
    halves->overhead_ns = dyno_rng_below(&rng, 3) * DYNO_MS;
    for (uint32_t i = 0; i < 2 * all; i++) {
        halves->links[i] = (struct dyno_fabric_link){
            .bytes_per_s = dyno_rng_below(&rng, 2) ? 1000000ULL << dyno_rng_below(&rng, 6)
                                                   : 1000003 + dyno_rng_below(&rng, 50000000),
            .latency_ns = dyno_rng_below(&rng, 2) * 12345};
    }
    world_draw_pulling(world, &rng);
}

/* What devices that compute cannot do is left out. */
static inline void world_draw_halves_live(struct world *world)
{
    world_draw_halves(world);
    world->halves.worker.async_scheduling = false;
}

#endif
