/* Dispatch: what a router may know, kept up to date in place, and one pick.
 *
 * A pick writes only the entries of the overlap arrays that are not zero, and clears these again,
 * so that its cost is that of the spans walked and the workers found, plus the policy's own.
 */
#include "core/run/dispatch.h"

#include <assert.h>

#include "core/base/usual.h"
#include "core/run/dispatch_parts.h"
#include "core/run/dispatch_routers.h"

/* Whether the router never hears of this event: a function of the seed, the worker and how many
 * events it told before, so that the order in which workers tell does not matter. */
static bool is_lost(struct dyno_dispatch *d, uint32_t worker)
{
    uint64_t draw = dyno_chain(dyno_chain(d->loss_seed, worker), d->events_told[worker]++);

    return (double)(draw >> 11) * 0x1p-53 < d->config.event_loss;
}

/* Bring what the router believes of the caches to `now`. */
static dyno_status refresh(struct dyno_dispatch *d, dyno_ns now)
{
    d->view.now_ns = now;
    d->view.overlap_age_ns = 0;
    if (DYNO_RARELY(d->config.event_delay_ns) && d->wants_events) {
        DYNO_TRY(dyno_mail_deliver(&d->mail, d->index, now));
        d->view.overlap_age_ns = dyno_mail_age(&d->mail, now);
    }
    return DYNO_RARELY(d->guesses) ? dyno_guess_expire(&d->guess, d->index, now) : DYNO_OK;
}

static void fill_overlaps(struct dyno_dispatch *d, const struct dyno_request *request)
{
    d->touched_count = 0;
    d->active_touched_count = 0;
    if (d->index && request->span_count > 0) {
        d->touched_count = dyno_kv_index_match(d->index, request->spans, request->span_count,
                                               d->overlap, d->touched);
    }
    if (DYNO_RARELY(d->tiers.fill)) {
        d->tiers.fill(d->tiers.context, request, d->eligible, d->overlap, d->tier_credit);
    }
    if (d->wants_active && request->span_count > 0) {
        d->active_touched_count = dyno_active_match(&d->active, request->spans, request->span_count,
                                                    d->active_overlap, d->active_touched);
    }
}

static void clear_overlaps(struct dyno_dispatch *d)
{
    for (uint32_t i = 0; i < d->touched_count; i++) {
        d->overlap[d->touched[i]] = 0;
    }
    for (uint32_t i = 0; i < d->active_touched_count; i++) {
        d->active_overlap[d->active_touched[i]] = 0;
    }
}

static struct dyno_route_request route_request(const struct dyno_dispatch *d,
                                               const struct dyno_request *request)
{
    return (struct dyno_route_request){
        .id = request->id,
        .session = request->session,
        .prefix = request->span_count ? request->spans[0].id : 0,
        .prompt_tokens = request->prompt_tokens,
        .prompt_blocks = dyno_dispatch_prompt_blocks(d, request),
        .max_tokens = request->max_tokens,
    };
}

static uint32_t uncached_tokens(const struct dyno_dispatch *d, const struct dyno_request *request,
                                uint32_t worker)
{
    uint64_t cached = (uint64_t)d->overlap[worker] * d->config.block_tokens;

    if (DYNO_RARELY(d->tiers.fill)) {
        cached += (uint64_t)(d->tier_credit[worker] * d->config.block_tokens);
    }
    return cached < request->prompt_tokens ? request->prompt_tokens - (uint32_t)cached : 0;
}

static void list_candidates(struct dyno_dispatch *d, bool scored,
                            struct dyno_decision_record *record)
{
    uint32_t count = 0;

    for (uint32_t worker = 0; worker < d->config.worker_count; worker++) {
        if (d->view.eligible[worker]) {
            d->scores[count] = d->costs[worker];
            d->candidates[count++] = worker;
        }
    }
    record->candidate_count = count;
    record->candidates = d->candidates;
    record->scores = scored ? d->scores : NULL;
}

/* Ask the policy, book, tell the policy.  The overlap arrays are filled. */
static dyno_status decide(struct dyno_dispatch *d, dyno_ns now, const struct dyno_request *request,
                          bool want_candidates, struct dyno_decision_record *record)
{
    struct dyno_route_request asked = route_request(d, request);
    int scored = 0;
    uint32_t worker = d->policy->pick(d->policy_state, &d->config.route, &asked, &d->view,
                                      &dyno_route_services, &d->dice, d->costs, &scored);

    if (DYNO_RARELY(worker == DYNO_ROUTE_NONE)) {
        return DYNO_REJECTED;
    }
    if (worker >= d->config.worker_count || !d->view.eligible[worker]) {
        return DYNO_BAD_INPUT;
    }
    DYNO_TRY(dyno_dispatch_book(d, request, worker, uncached_tokens(d, request, worker), true));
    *record = (struct dyno_decision_record){
        .request = request->id,
        .at = now,
        .worker = worker,
        .overlap_blocks = d->overlap[worker],
        .view_age = d->view.overlap_age_ns,
    };
    if (DYNO_RARELY(want_candidates)) {
        list_candidates(d, scored != 0, record);
    }
    if (d->policy->routed) {
        d->policy->routed(d->policy_state, &asked, worker);
    }
    return DYNO_OK;
}

static bool has_others(const struct dyno_dispatch *d, uint32_t worker)
{
    for (uint32_t i = 0; i < d->config.worker_count; i++) {
        if (i != worker && d->eligible[i]) {
            return true;
        }
    }
    return false;
}

int dyno_dispatch_wants_events(const struct dyno_dispatch *dispatch)
{
    return dispatch->wants_events;
}

int dyno_dispatch_wants_times(const struct dyno_dispatch *dispatch)
{
    return dispatch->config.event_delay_ns > 0 || dispatch->config.event_loss > 0.0;
}

static dyno_status tell_routers(const struct dyno_routers *routers,
                                const struct dyno_kv_event *event)
{
    for (uint32_t i = 0; i < routers->count; i++) {
        DYNO_TRY(dyno_dispatch_kv_event(routers->list[i], event));
    }
    return DYNO_OK;
}

dyno_status dyno_dispatch_kv_event(struct dyno_dispatch *dispatch,
                                   const struct dyno_kv_event *event)
{
    dyno_status status;

    assert(event->worker < dispatch->config.worker_count);
    if (DYNO_RARELY(dispatch->routers)) {
        return tell_routers(dispatch->routers, event);
    }
    if (!dispatch->wants_events || !dispatch->eligible[event->worker]) {
        return DYNO_OK;
    }
    if (DYNO_RARELY(dispatch->config.event_loss > 0.0) && is_lost(dispatch, event->worker)) {
        return DYNO_OK;
    }
    status = dispatch->config.event_delay_ns
                 ? dyno_mail_post(&dispatch->mail, event)
                 : dyno_kv_index_set(dispatch->index, event->span, event->worker, event->blocks);
    if (status != DYNO_OK) {
        dispatch->trouble = status;
    }
    return status;
}

/* One of the routers decides; the exact books are kept here. */
static dyno_status let_decide(struct dyno_dispatch *d, dyno_ns now,
                              const struct dyno_request *request, int want_candidates,
                              struct dyno_decision_record *record)
{
    uint32_t prefill_tokens;

    DYNO_TRY(dyno_routers_pick(d->routers, now, d->view.eligible, request, want_candidates, record,
                               &prefill_tokens));
    return dyno_dispatch_book(d, request, record->worker, prefill_tokens, true);
}

dyno_status dyno_dispatch_pick(struct dyno_dispatch *dispatch, dyno_ns now,
                               const struct dyno_request *request, int want_candidates,
                               struct dyno_decision_record *record)
{
    dyno_status status;

    if (DYNO_RARELY(dispatch->routers)) {
        return let_decide(dispatch, now, request, want_candidates, record);
    }
    DYNO_TRY(dispatch->trouble);
    DYNO_TRY(refresh(dispatch, now));
    fill_overlaps(dispatch, request);
    status = decide(dispatch, now, request, want_candidates != 0, record);
    clear_overlaps(dispatch);
    return status;
}

/* A candidate that is ruled out for one pick keeps what is known of its cache. */
dyno_status dyno_dispatch_repick(struct dyno_dispatch *dispatch, dyno_ns now,
                                 const struct dyno_request *request, int want_candidates,
                                 struct dyno_decision_record *record)
{
    uint32_t failed = dyno_dispatch_worker_of(dispatch, request->id);
    uint8_t was_eligible;
    dyno_status status;

    assert(failed != DYNO_NO_WORKER);
    if (!has_others(dispatch, failed)) {
        return DYNO_REJECTED;
    }
    was_eligible = dispatch->eligible[failed];
    dyno_dispatch_ended(dispatch, request->id);
    dispatch->eligible[failed] = 0;
    dispatch->view.eligible = dispatch->eligible;
    status = dyno_dispatch_pick(dispatch, now, request, want_candidates, record);
    dispatch->view.eligible = dispatch->open;
    dispatch->eligible[failed] = was_eligible;
    return status;
}

bool dyno_dispatch_is_anybody(const struct dyno_dispatch *dispatch)
{
    return dispatch->eligible_count > 0;
}

bool dyno_dispatch_wants_ticks(const struct dyno_dispatch *dispatch)
{
    return dispatch->routers != NULL;
}

void dyno_dispatch_tick(struct dyno_dispatch *dispatch, dyno_ns now)
{
    if (dispatch->routers) {
        dispatch->routers->now = now;
    }
}

uint32_t dyno_dispatch_router_of(const struct dyno_dispatch *dispatch, uint64_t request_id)
{
    const uint32_t *home =
        dispatch->routers ? dyno_map_find(&dispatch->routers->home_of, request_id) : NULL;

    return home ? *home : 0;
}

void dyno_dispatch_follow(struct dyno_dispatch *dispatch, const struct dyno_dispatch *leader)
{
    if (dispatch->routers && leader->routers) {
        assert(dispatch->routers->count == leader->routers->count);
        dispatch->routers->leader = leader;
    }
}

uint32_t dyno_dispatch_open_count(const struct dyno_dispatch *dispatch)
{
    return dispatch->eligible_count;
}

uint32_t dyno_dispatch_inflight(const struct dyno_dispatch *dispatch, uint32_t worker)
{
    return dispatch->inflight[worker];
}

void dyno_dispatch_worker_gone(struct dyno_dispatch *dispatch, uint32_t worker)
{
    assert(worker < dispatch->config.worker_count);
    if (!dispatch->eligible[worker]) {
        return;
    }
    dispatch->eligible[worker] = 0;
    dispatch->eligible_count--;
    dyno_dispatch_judge(dispatch, worker);
    dyno_mail_drop_worker(&dispatch->mail, worker);
    dyno_guess_drop_worker(&dispatch->guess, worker);
    if (dispatch->index) {
        dyno_kv_index_drop_worker(dispatch->index, worker);
    }
    if (dispatch->policy->worker_gone) {
        dispatch->policy->worker_gone(dispatch->policy_state, worker);
    }
    for (uint32_t i = 0; dispatch->routers && i < dispatch->routers->count; i++) {
        dyno_dispatch_worker_gone(dispatch->routers->list[i], worker);
    }
}

void dyno_dispatch_worker_back(struct dyno_dispatch *dispatch, uint32_t worker)
{
    assert(worker < dispatch->config.worker_count);
    dispatch->eligible_count += !dispatch->eligible[worker];
    dispatch->eligible[worker] = 1;
    dyno_dispatch_judge(dispatch, worker);
    for (uint32_t i = 0; dispatch->routers && i < dispatch->routers->count; i++) {
        dyno_dispatch_worker_back(dispatch->routers->list[i], worker);
    }
}
