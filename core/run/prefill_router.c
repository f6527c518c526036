#include "core/run/prefill_router.h"

#include <stddef.h>

static dyno_status pick(void *dispatch, dyno_ns now, const struct dyno_request *request,
                        uint32_t *worker)
{
    struct dyno_decision_record decision = {0};

    DYNO_TRY(dyno_dispatch_pick(dispatch, now, request, 0, &decision));
    *worker = decision.worker;
    return DYNO_OK;
}

static bool is_anybody(void *dispatch)
{
    return dyno_dispatch_is_anybody(dispatch);
}

static uint32_t open_count(void *dispatch)
{
    return dyno_dispatch_open_count(dispatch);
}

static void first_token(void *dispatch, dyno_ns now, uint64_t request)
{
    dyno_dispatch_tick(dispatch, now);
    dyno_dispatch_first_token(dispatch, request);
}

static void ended(void *dispatch, dyno_ns now, uint64_t request)
{
    dyno_dispatch_tick(dispatch, now);
    dyno_dispatch_ended(dispatch, request);
}

static void kv_changed(void *dispatch, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks)
{
    (void)dyno_dispatch_kv_event(/* out of memory: the next pick says so */
                                 dispatch,
                                 &(struct dyno_kv_event){
                                     .at = at, .span = span, .worker = worker, .blocks = blocks});
}

struct dyno_handoff_router dyno_prefill_router(struct dyno_dispatch *dispatch)
{
    return (struct dyno_handoff_router){
        .context = dispatch,
        .open_count = open_count,
        .pick = pick,
        .is_anybody = is_anybody,
        .first_token = first_token,
        .ended = ended,
        .kv_changed = dyno_dispatch_wants_events(dispatch) ? kv_changed : NULL,
        .kv_times = dyno_dispatch_wants_times(dispatch) != 0,
    };
}
