/* Requests in halves worked out by hand: a pass takes 1 ms, whatever is in it; a block of 16 tokens
 * is 1,000,000 bytes, links move a byte a nanosecond, so a block takes 1 ms. */
#ifndef DYNO_TESTS_SYSTEM_HAND_HALVES_H
#define DYNO_TESTS_SYSTEM_HAND_HALVES_H

#include "tests/check_main.h"
#include "tests/system/world.h"

enum { MS = 1000000 };

static struct dyno_request_record records[8];

static inline dyno_status keep(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    (void)sink;
    records[record->id] = *record;
    return DYNO_OK;
}

static const struct dyno_sink_ops keeper = {.name = "keeper", .request = keep};

/* One worker that decodes and one that computes prompts, of `blocks` blocks each. */
static inline void set_up(struct world *world, uint32_t blocks)
{
    memset(world, 0, sizeof *world);
    memset(records, 0, sizeof records);
    world->worker = dyno_engine_find("vllm")->config;
    world->worker.block_tokens = 16;
    world->worker.blocks = blocks;
    world->worker.watermark = 0.0;
    world->worker.async_scheduling = false;
    world->worker.ingest_ns = world->worker.response_ns = 0;
    world->worker.ingest_token_ticks = 0;
    world->cost_base = MS * DYNO_TICKS_PER_NS;
    world->slope_context = UINT64_MAX;
    world->dispatch = (struct dyno_dispatch_config){.policy = dyno_route_find("round_robin"),
                                                    .route = {.session_replicas = 1, .args = ""},
                                                    .worker_count = 1,
                                                    .block_tokens = 16,
                                                    .guess_ttl_ns = MS,
                                                    .guess_blocks_max = 64};
    world->extra_sink = &keeper;
    world->halves = (struct world_halves){.workers = 1,
                                          .worker = world->worker,
                                          .dispatch = world->dispatch,
                                          .policy = &dyno_handoff_table[0],
                                          .block_bytes = MS};
    for (uint32_t i = 0; i < 4; i++) {
        world->halves.links[i].bytes_per_s = 1000000000;
    }
}

static inline void add(struct world *world, dyno_ns arrival, uint32_t prompt, uint32_t answer)
{
    uint32_t index = world->request_count++;

    world->requests[index] = (struct dyno_request){.id = index,
                                                   .prompt_tokens = prompt,
                                                   .max_tokens = answer,
                                                   .spans = world->spans[index],
                                                   .scheduled_ns = arrival,
                                                   .arrival_ns = arrival};
    world->answers[index] = answer;
}

static inline void expect(uint32_t id, dyno_ns first_token, dyno_ns transfer, dyno_ns last_token)
{
    ck_assert_int_eq(records[id].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(records[id].first_token_ns, first_token);
    ck_assert_uint_eq(records[id].transfer_ns, transfer);
    ck_assert_uint_eq(records[id].last_token_ns, last_token);
}

#endif
