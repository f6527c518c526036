/* Small fleets worked out by hand: one worker whose every step takes 1 ms, whatever is in it, and
 * requests put into it one by one. */
#ifndef DYNO_TESTS_SYSTEM_HAND_H
#define DYNO_TESTS_SYSTEM_HAND_H

#include "tests/check_main.h"
#include "tests/system/world.h"

static struct world world; /* large; each test draws its own */

static struct dyno_request_record records[WORLD_REQUESTS_MAX];

static inline dyno_status keep(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    (void)sink;
    records[record->id] = *record;
    return DYNO_OK;
}

static const struct dyno_sink_ops keep_ops = {.name = "keep", .request = keep};

/* vLLM, one worker, blocks of 4 tokens, 8 tokens a pass, 4 sequences. */
static inline void set_up(uint32_t blocks)
{
    memset(&world, 0, sizeof world);
    world.worker = dyno_engine_find("vllm")->config;
    world.worker.async_scheduling = world.worker.reserve_prompt = false;
    world.worker.block_tokens = 4;
    world.worker.blocks = blocks;
    world.worker.batch_tokens_max = 8;
    world.worker.seqs_max = 4;
    world.cost_base = DYNO_MS * DYNO_TICKS_PER_NS;
    world.slope_context = UINT64_MAX;
    world.dispatch = (struct dyno_dispatch_config){.policy = dyno_route_find("round_robin"),
                                                   .route = {.args = ""},
                                                   .worker_count = 1,
                                                   .block_tokens = 4};
}

static inline void ask(dyno_ns at, uint32_t prompt_tokens, uint32_t output_tokens)
{
    uint32_t index = world.request_count++;

    world.requests[index] = (struct dyno_request){.id = index,
                                                  .prompt_tokens = prompt_tokens,
                                                  .max_tokens = output_tokens,
                                                  .scheduled_ns = at,
                                                  .arrival_ns = at,
                                                  .spans = world.spans[index]};
    world.answers[index] = output_tokens;
}

static inline void share(uint32_t index, uint64_t span, uint32_t blocks)
{
    struct dyno_request *request = &world.requests[index];

    world.spans[index][request->span_count++] = (struct dyno_span){.id = span, .blocks = blocks};
}

static inline struct world_digest run(uint32_t steps_max)
{
    struct world_digest digest;

    memset(records, 0, sizeof records);
    world.extra_sink = &keep_ops;
    digest = world_run(&world, steps_max);
    return digest;
}

/* A leap and its steps, and what can be computed by hand, are the same. */
static inline struct world_digest run_both(void)
{
    struct world_digest step = run(1), leap = run(1u << 20);

    ck_assert_uint_eq(step.hash, leap.hash);
    return leap;
}

static inline void check_stamps(uint32_t id, uint32_t admitted_ms, uint32_t first_ms,
                                uint32_t last_ms)
{
    ck_assert_msg(records[id].admitted_ns == admitted_ms * DYNO_MS &&
                      records[id].first_token_ns == first_ms * DYNO_MS &&
                      records[id].last_token_ns == last_ms * DYNO_MS,
                  "request %u: admitted %.3f, first %.3f, last %.3f ms", id,
                  (double)records[id].admitted_ns * 1e-6, (double)records[id].first_token_ns * 1e-6,
                  (double)records[id].last_token_ns * 1e-6);
}

#endif
