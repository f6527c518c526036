/* A policy that goes where it is told and shows what it saw, and shorthands to drive dispatch. */
#ifndef DYNO_TESTS_CORE_RUN_SPY_H
#define DYNO_TESTS_CORE_RUN_SPY_H

#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "core/run/dispatch.h"

enum { WORKERS_MAX = 100, BLOCK_TOKENS = 16 };

static struct spy {
    uint32_t next;    /* worker to name */
    uint32_t workers; /* as opened */
    struct dyno_route_request request;
    struct dyno_route_view view;
    uint8_t eligible[WORKERS_MAX];
    uint32_t inflight[WORKERS_MAX];
    uint64_t prefill_tokens[WORKERS_MAX];
    uint64_t active_blocks[WORKERS_MAX];
    uint32_t overlap[WORKERS_MAX];
    uint32_t active_overlap[WORKERS_MAX];
    uint32_t routed, first_tokens, ended, gone, closed;
} spy;

static inline int spy_open(void **state, const struct dyno_route_config *config, uint32_t workers)
{
    memset(&spy, 0, sizeof spy);
    spy.workers = workers;
    *state = &spy;
    return strcmp(config->args, "refuse") == 0 ? -1 : 0;
}

static inline void spy_close(void *state)
{
    ((struct spy *)state)->closed++;
}

static inline uint32_t spy_pick(void *state, const struct dyno_route_config *config,
                                const struct dyno_route_request *request,
                                const struct dyno_route_view *view,
                                const struct dyno_route_services *services,
                                struct dyno_route_dice *dice, double *costs, int *scored)
{
    size_t n = view->worker_count;

    (void)state, (void)config, (void)services, (void)dice;
    spy.request = *request;
    spy.view = *view;
    memcpy(spy.eligible, view->eligible, n);
    memcpy(spy.inflight, view->inflight, n * sizeof *view->inflight);
    memcpy(spy.prefill_tokens, view->prefill_tokens, n * sizeof *view->prefill_tokens);
    memcpy(spy.active_blocks, view->active_blocks, n * sizeof *view->active_blocks);
    memcpy(spy.overlap, view->overlap_blocks, n * sizeof *view->overlap_blocks);
    memcpy(spy.active_overlap, view->active_overlap_blocks, n * sizeof *spy.active_overlap);
    for (size_t i = 0; i < n; i++) {
        costs[i] = 100.0 + (double)i;
    }
    *scored = config->overlap_credit > 0;
    return spy.next;
}

static inline void spy_routed(void *state, const struct dyno_route_request *request,
                              uint32_t worker)
{
    ck_assert_ptr_eq(state, &spy);
    ck_assert_uint_eq(request->id, spy.request.id);
    ck_assert_uint_eq(worker, spy.next);
    spy.routed++;
}

static inline void spy_first_token(void *state, uint64_t id, uint32_t worker)
{
    (void)state, (void)id, (void)worker;
    spy.first_tokens++;
}

static inline void spy_ended(void *state, uint64_t id, uint32_t worker)
{
    (void)state, (void)id, (void)worker;
    spy.ended++;
}

static inline void spy_gone(void *state, uint32_t worker)
{
    (void)state, (void)worker;
    spy.gone++;
}

static const struct dyno_route_policy spy_policy = {
    .abi = DYNO_ROUTE_ABI,
    .needs = DYNO_ROUTE_NEEDS_OVERLAP | DYNO_ROUTE_NEEDS_ACTIVE,
    .name = "spy",
    .help = "goes where it is told",
    .open = spy_open,
    .close = spy_close,
    .pick = spy_pick,
    .routed = spy_routed,
    .first_token = spy_first_token,
    .ended = spy_ended,
    .worker_gone = spy_gone,
};

static inline struct dyno_dispatch_config config_of(const struct dyno_route_policy *policy,
                                                    uint32_t workers)
{
    return (struct dyno_dispatch_config){
        .policy = policy,
        .route = {.overlap_credit = 1,
                  .prefill_load_scale = 1,
                  .track_prefill_tokens = 1,
                  .track_active_blocks = 1,
                  .session_replicas = 16,
                  .args = ""},
        .seed = 1,
        .worker_count = workers,
        .block_tokens = BLOCK_TOKENS,
        .guess_ttl_ns = 100,
        .guess_blocks_max = 1000,
    };
}

static inline struct dyno_dispatch *open_dispatch(const struct dyno_dispatch_config *config)
{
    struct dyno_dispatch *dispatch = NULL;

    ck_assert_int_eq(dyno_dispatch_open(&dispatch, config, NULL), DYNO_OK);
    return dispatch;
}

static inline struct dyno_decision_record pick(struct dyno_dispatch *dispatch, dyno_ns now,
                                               uint64_t id, uint32_t prompt_tokens,
                                               const struct dyno_span *spans, uint32_t span_count)
{
    struct dyno_request request = {.id = id,
                                   .prompt_tokens = prompt_tokens,
                                   .max_tokens = 1,
                                   .span_count = span_count,
                                   .spans = spans};
    struct dyno_decision_record record;

    ck_assert_int_eq(dyno_dispatch_pick(dispatch, now, &request, 0, &record), DYNO_OK);
    return record;
}

static inline void tell(struct dyno_dispatch *dispatch, dyno_ns at, uint32_t worker, uint64_t span,
                        uint32_t blocks)
{
    struct dyno_kv_event event = {.at = at, .worker = worker, .span = span, .blocks = blocks};

    ck_assert_int_eq(dyno_dispatch_kv_event(dispatch, &event), DYNO_OK);
}

#endif
