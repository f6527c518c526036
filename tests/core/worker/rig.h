/* Local workers driven by hand: a clock that the test moves, a paced device whose steps cost what
 * the test says, and a record of every pass, every first token and every end. */
#ifndef DYNO_TESTS_CORE_WORKER_RIG_H
#define DYNO_TESTS_CORE_WORKER_RIG_H

#include <check.h>
#include <string.h>

#include "core/worker/local.h"
#include "core/worker/paced.h"

enum { RIG_REQUESTS = 256, RIG_PASSES = 1024, RIG_SLICES = 8 };

/* A pass as the device got it. */
struct rig_pass {
    uint32_t worker, steps_max, slice_count, decode_count;
    uint64_t decode_context;
    bool decode;
    struct dyno_slice slices[RIG_SLICES]; /* the first of them */
};

struct rig {
    struct dyno_local_config config;
    struct dyno_device *device;
    struct dyno_workers *workers;
    struct dyno_histogram itl;
    dyno_ns now;
    uint64_t step_ticks;  /* a step costs this ... */
    uint64_t token_ticks; /* ... and this for each prompt token in it */
    uint32_t answers[RIG_REQUESTS];
    struct rig_pass passes[RIG_PASSES];
    uint32_t pass_count;
    struct dyno_request_record records[RIG_REQUESTS];
    uint32_t ends[RIG_REQUESTS], first_tokens[RIG_REQUESTS]; /* how often it was told */
    uint32_t ended_count;
};

static inline void rig_note_pass(struct rig *rig, const struct dyno_pass *pass)
{
    struct rig_pass *note = &rig->passes[rig->pass_count++];

    ck_assert_uint_le(rig->pass_count, RIG_PASSES);
    *note = (struct rig_pass){.worker = pass->worker,
                              .steps_max = pass->steps_max,
                              .slice_count = pass->slice_count,
                              .decode = pass->decode,
                              .decode_count = pass->decode_count,
                              .decode_context = pass->decode_context};
    for (uint32_t i = 0; i < pass->slice_count && i < RIG_SLICES; i++) {
        note->slices[i] = pass->slices[i];
    }
}

static inline void rig_cost(const void *context, const struct dyno_pass *pass,
                            struct dyno_pass_cost *out)
{
    struct rig *rig = (struct rig *)context; /* it is ours, and notes what it is asked */

    rig_note_pass(rig, pass);
    *out = (struct dyno_pass_cost){.first = rig->step_ticks, .steps_max = UINT32_MAX};
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        out->first += pass->slices[i].tokens * rig->token_ticks;
    }
}

static inline uint32_t rig_answer(void *context, uint64_t id)
{
    return ((const struct rig *)context)->answers[id];
}

static inline void rig_first_token(void *context, uint64_t id)
{
    ((struct rig *)context)->first_tokens[id]++;
}

static inline dyno_status rig_ended(void *context, const struct dyno_request_record *record)
{
    struct rig *rig = context;

    rig->records[record->id] = *record;
    rig->ends[record->id]++;
    rig->ended_count++;
    return DYNO_OK;
}

/* vLLM, one worker, blocks of 4 tokens, 8 tokens a pass, 4 sequences, steps of 1 ms, and no host
 * time.  Change what a test is about, then rig_open. */
static inline void rig_init(struct rig *rig, uint32_t blocks)
{
    memset(rig, 0, sizeof *rig);
    rig->config.worker = dyno_engine_find("vllm")->config;
    rig->config.worker.reserve_prompt = false;   /* tests/system/test_by_hand.c has this ... */
    rig->config.worker.async_scheduling = false; /* ... and that */
    rig->config.worker.block_tokens = 4;
    rig->config.worker.blocks = blocks;
    rig->config.worker.batch_tokens_max = 8;
    rig->config.worker.seqs_max = 4;
    rig->config.worker.steps_max = 1u << 20;
    rig->config.worker_count = 1;
    rig->config.gpus_per_worker = 1;
    rig->step_ticks = DYNO_MS * DYNO_TICKS_PER_NS;
}

static inline void rig_open(struct rig *rig)
{
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_histogram_init(&rig->itl), DYNO_OK);
    ck_assert_int_eq(
        dyno_paced_device_open(&rig->device,
                               &(struct dyno_paced_config){.name = "rig",
                                                           .worker_count = rig->config.worker_count,
                                                           .cost = rig_cost,
                                                           .cost_context = rig,
                                                           .answer = rig_answer,
                                                           .answer_context = rig}),
        DYNO_OK);
    rig->config.device = rig->device;
    rig->config.itl = &rig->itl;
    rig->config.listener.context = rig;
    rig->config.listener.first_token = rig_first_token;
    rig->config.listener.ended = rig_ended;
    ck_assert_msg(dyno_local_open(&rig->workers, &rig->config, &error) == DYNO_OK, "%s",
                  error.text);
}

static inline void rig_close(struct rig *rig)
{
    dyno_local_check(rig->workers);
    rig->workers->ops->close(rig->workers);
    rig->device->ops->close(rig->device);
    dyno_histogram_release(&rig->itl);
}

/* The end of a turn: passes that an arrival cut just now, then new passes. */
static inline void rig_finish_turn(struct rig *rig)
{
    ck_assert_int_eq(rig->workers->ops->settle(rig->workers, rig->now), DYNO_OK);
    ck_assert_int_eq(rig->workers->ops->form(rig->workers, rig->now), DYNO_OK);
}

/* Move to `at`: everything up to it is settled, and passes that start there are not formed yet. */
static inline void rig_to(struct rig *rig, dyno_ns at)
{
    ck_assert_uint_ge(at, rig->now);
    if (at == rig->now) {
        return;
    }
    rig_finish_turn(rig);
    while (rig->workers->ops->next(rig->workers) < at) {
        rig->now = rig->workers->ops->next(rig->workers);
        rig_finish_turn(rig);
    }
    rig->now = at;
    ck_assert_int_eq(rig->workers->ops->settle(rig->workers, at), DYNO_OK);
}

/* Run until nothing happens any more. */
static inline void rig_run(struct rig *rig)
{
    rig_finish_turn(rig);
    while (rig->workers->ops->next(rig->workers) != DYNO_NEVER) {
        rig->now = rig->workers->ops->next(rig->workers);
        rig_finish_turn(rig);
    }
}

/* Move to `at` and hand request `id` to `worker`: a prompt whose answer has `output_tokens` tokens,
 * of which the client takes `max_tokens`; its first blocks are `spans`. */
static inline void rig_submit(struct rig *rig, dyno_ns at, uint32_t worker,
                              struct dyno_request request, uint32_t output_tokens)
{
    rig_to(rig, at);
    ck_assert_uint_lt(request.id, RIG_REQUESTS);
    rig->answers[request.id] = output_tokens;
    request.scheduled_ns = request.arrival_ns = at;
    ck_assert_int_eq(rig->workers->ops->submit(rig->workers, at, worker, &request), DYNO_OK);
}

static inline void rig_ask(struct rig *rig, dyno_ns at, uint64_t id, uint32_t prompt_tokens,
                           uint32_t output_tokens)
{
    rig_submit(rig, at, 0,
               (struct dyno_request){
                   .id = id, .prompt_tokens = prompt_tokens, .max_tokens = output_tokens},
               output_tokens);
}

/* The same, its prompt starting with `blocks` blocks under the identity `span`. */
static inline void rig_ask_shared(struct rig *rig, dyno_ns at, uint64_t id, uint32_t prompt_tokens,
                                  uint32_t output_tokens, uint64_t span, uint32_t blocks)
{
    const struct dyno_span first = {.id = span, .blocks = blocks};

    rig_submit(rig, at, 0,
               (struct dyno_request){.id = id,
                                     .prompt_tokens = prompt_tokens,
                                     .max_tokens = output_tokens,
                                     .span_count = 1,
                                     .spans = &first},
               output_tokens);
}

/* Slice `index` of pass `pass` computes `tokens` tokens from `first` on. */
static inline void rig_check_slice(const struct rig *rig, uint32_t pass, uint32_t index,
                                   uint32_t first, uint32_t tokens, bool yields)
{
    const struct dyno_slice *slice = &rig->passes[pass].slices[index];

    ck_assert_uint_lt(pass, rig->pass_count);
    ck_assert_msg(index < rig->passes[pass].slice_count && slice->first == first &&
                      slice->tokens == tokens && slice->yields == yields,
                  "pass %u, slice %u of %u: %u tokens from %u%s", pass, index,
                  rig->passes[pass].slice_count, slice->tokens, slice->first,
                  slice->yields ? ", yields" : "");
}

/* Pass `pass` has so many slices and decodes so many sequences, whose contexts sum to `context`. */
static inline void rig_check_pass(const struct rig *rig, uint32_t pass, uint32_t slices,
                                  uint32_t decodes, uint64_t context)
{
    const struct rig_pass *is = &rig->passes[pass];

    ck_assert_uint_lt(pass, rig->pass_count);
    ck_assert_msg(is->slice_count == slices && is->decode_count == decodes &&
                      is->decode_context == context && is->decode == (decodes > 0),
                  "pass %u: %u slices, %u decodes, context %llu", pass, is->slice_count,
                  is->decode_count, (unsigned long long)is->decode_context);
}

static inline void rig_check_stamps(const struct rig *rig, uint64_t id, dyno_ns admitted,
                                    dyno_ns first_token, dyno_ns last_token)
{
    const struct dyno_request_record *record = &rig->records[id];

    ck_assert_msg(rig->ends[id] == 1 && record->admitted_ns == admitted &&
                      record->first_token_ns == first_token && record->last_token_ns == last_token,
                  "request %llu ended %u times: admitted %llu, first %llu, last %llu",
                  (unsigned long long)id, rig->ends[id], (unsigned long long)record->admitted_ns,
                  (unsigned long long)record->first_token_ns,
                  (unsigned long long)record->last_token_ns);
}

#endif
