/* What workers tell the loop, and who hears of it. */
#include <assert.h>

#include "core/base/usual.h"
#include "core/run/loop_parts.h"

static void on_first_token(void *context, uint64_t request)
{
    const struct dyno_lane *lane = context;

    if (DYNO_RARELY(lane->loop->ticks)) {
        dyno_dispatch_tick(lane->dispatch, lane->loop->now);
    }
    dyno_dispatch_first_token(lane->dispatch, request);
}

static dyno_status tell_request(const struct dyno_loop *loop,
                                const struct dyno_request_record *record)
{
    for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
        if (sink->ops->request) {
            DYNO_TRY(sink->ops->request(sink, record));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_loop_ended(struct dyno_lane *lane, const struct dyno_request_record *record)
{
    struct dyno_loop *loop = lane->loop;
    struct dyno_source *source = loop->config.source;
    dyno_ns at = loop->now;

    assert(loop->in_flight > 0);
    loop->in_flight--;
    loop->ended++;
    if (record->last_token_ns != DYNO_NEVER && record->last_token_ns > at) {
        at = record->last_token_ns;
    }
    if (at > loop->result.end_ns) {
        loop->result.end_ns = at;
    }
    if (DYNO_RARELY(loop->ticks)) {
        dyno_dispatch_tick(lane->dispatch, loop->now);
    }
    dyno_dispatch_ended(lane->dispatch, record->id);
    if (DYNO_RARELY(lane->lobby.count > 0)) {
        dyno_lobby_charge(&lane->lobby, record);
    }
    if (DYNO_RARELY(lane->planner != NULL)) {
        dyno_planner_ended(lane->planner, record);
    }
    if (lane->trie) {
        dyno_kv_trie_leave(lane->trie, record->id);
    }
    if (DYNO_RARELY(loop->config.faults)) {
        loop->fault_totals.migrated += record->migrations > 0;
        loop->fault_totals.lost += record->outcome == DYNO_FAILED;
        dyno_flight_drop(&loop->flight, record->id);
    }
    if (loop->config.answers && loop->config.answers->ops->forget) {
        loop->config.answers->ops->forget(loop->config.answers, record->id);
    }
    if (source->ops->ended) {
        source->ops->ended(source, record->id, at);
    }
    return tell_request(loop, record);
}

static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    return dyno_loop_ended(context, record);
}

static void on_kv_changed(void *context, uint32_t worker, dyno_ns at, uint64_t span,
                          uint32_t blocks)
{
    const struct dyno_lane *lane = context;

    (void)dyno_dispatch_kv_event(/* out of memory: the next pick says so */
                                 lane->dispatch,
                                 &(struct dyno_kv_event){
                                     .at = at, .span = span, .worker = worker, .blocks = blocks});
}

static void on_kv_resident(void *context, dyno_ns at, uint64_t span, bool held)
{
    const struct dyno_lane *lane = context;

    if (held) {
        dyno_kv_trie_held(lane->trie, span);
    } else if (dyno_kv_trie_gone(lane->trie, span, at) != DYNO_OK) {
        lane->loop->out_of_memory = true;
    }
}

static void on_presence(void *context, uint32_t worker, bool is_there)
{
    const struct dyno_lane *lane = context;
    struct dyno_dispatch *dispatch = lane->dispatch;

    if (is_there) {
        if (!lane->roster || dyno_roster_state(lane->roster, worker) == DYNO_WORKER_READY) {
            dyno_dispatch_worker_back(dispatch, worker);
        }
    } else {
        dyno_dispatch_worker_gone(dispatch, worker);
    }
}

dyno_status dyno_loop_tell_decision(const struct dyno_loop *loop,
                                    const struct dyno_decision_record *record)
{
    for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
        if (sink->ops->decision) {
            DYNO_TRY(sink->ops->decision(sink, record));
        }
    }
    return DYNO_OK;
}

static uint32_t on_reroute(void *context, const struct dyno_request *request, dyno_status *status)
{
    const struct dyno_lane *lane = context;
    const struct dyno_loop *loop = lane->loop;
    struct dyno_decision_record decision = {0};

    *status = dyno_dispatch_repick(lane->dispatch, loop->now, request, loop->config.candidates,
                                   &decision);
    if (*status == DYNO_OK && loop->config.decisions) {
        *status = dyno_loop_tell_decision(loop, &decision);
    }
    if (*status != DYNO_OK) {
        *status = *status == DYNO_REJECTED ? DYNO_OK : *status;
        return DYNO_NO_WORKER;
    }
    return decision.worker;
}

struct dyno_worker_listener dyno_loop_listener_of(struct dyno_loop *loop, uint32_t model)
{
    struct dyno_lane *lane = &loop->lanes[model];

    return (struct dyno_worker_listener){
        .context = lane,
        .first_token = on_first_token,
        .ended = on_ended,
        .kv_changed = loop->wants_events ? on_kv_changed : NULL,
        .kv_times = dyno_dispatch_wants_times(lane->dispatch) != 0,
        .kv_resident = lane->trie ? on_kv_resident : NULL,
        .presence = on_presence,
        .reroute = on_reroute,
        .lost = dyno_loop_on_lost,
    };
}

struct dyno_worker_listener dyno_loop_listener(struct dyno_loop *loop)
{
    return dyno_loop_listener_of(loop, 0);
}
