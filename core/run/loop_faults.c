/* What goes wrong in a run, and how requests go on.
 *
 *   serves -> silent [strike]   a worker died; what it computed is lost, and nobody knows
 *   silent -> lost   [notice]   its router forgets it, and its requests are given back:
 *   a request        [migrate]  goes on elsewhere with the tokens it has, waits until it can, or
 *                               has failed: it did so too often before
 *
 * Whoever goes on is told nothing twice: its answer so far is part of what is recomputed.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/usual.h"
#include "core/run/loop_parts.h"

dyno_status dyno_loop_faults_init(struct dyno_loop *loop)
{
    uint32_t workers = loop->config.worker_count;

    assert(loop->config.roster);
    dyno_flight_init(&loop->flight);
    loop->mended_at = calloc(workers, sizeof *loop->mended_at);
    return loop->mended_at ? dyno_heap_reserve(&loop->silent, workers) : DYNO_NO_MEMORY;
}

void dyno_loop_faults_release(struct dyno_loop *loop)
{
    dyno_flight_release(&loop->flight);
    dyno_heap_release(&loop->silent);
    free(loop->mended_at);
    free(loop->lost);
}

/* Whose worker it is, and what that calls it. */
static struct dyno_roster *roster_of(const struct dyno_loop *loop, uint32_t worker, uint32_t *place)
{
    struct dyno_roster *roster = loop->config.roster;
    uint32_t places = dyno_roster_places(roster);

    for (uint32_t i = 1; i < loop->lane_count && worker >= places; i++) {
        worker -= places; /* of a model before it */
        roster = loop->lanes[i].roster;
        places = dyno_roster_places(roster);
    }
    if (loop->config.roster_behind && worker >= places) {
        worker -= places;
        roster = loop->config.roster_behind;
    }
    *place = worker;
    return roster;
}

/* Whom a fault hits: with one roster of two roles, the worker that is there. */
static uint32_t victim(const struct dyno_loop *loop, uint32_t target)
{
    return loop->config.roster_behind || loop->lane_count > 1
               ? target
               : dyno_roster_who(loop->config.roster, target);
}

/* ---- requests -------------------------------------------------------------------------------- */

static dyno_status note_lost(struct dyno_loop *loop, uint64_t id)
{
    if (!dyno_array_reserve(&loop->lost, &loop->lost_capacity, loop->lost_count + 1U,
                            sizeof *loop->lost)) {
        return DYNO_NO_MEMORY;
    }
    loop->lost[loop->lost_count++] = id;
    return DYNO_OK;
}

dyno_status dyno_loop_on_lost(void *context, const struct dyno_resume *how_far)
{
    const struct dyno_lane *lane = context;
    struct dyno_loop *loop = lane->loop;
    struct dyno_flown *flown = dyno_flight_at(&loop->flight, how_far->record.id);

    if (DYNO_RARELY(loop->ticks)) {
        dyno_dispatch_tick(lane->dispatch, loop->now);
    }
    flown->how_far = *how_far;
    flown->how_far.router = dyno_dispatch_router_of(lane->dispatch, how_far->record.id);
    dyno_dispatch_ended(lane->dispatch, how_far->record.id);
    flown->request.before = &flown->how_far;
    return note_lost(loop, how_far->record.id);
}

static dyno_status migrate(struct dyno_loop *loop, uint64_t id, struct dyno_error *error)
{
    struct dyno_flown *flown = dyno_flight_at(&loop->flight, id);
    struct dyno_request_record *record = &flown->how_far.record;
    struct dyno_lane *lane = &loop->lanes[flown->request.model];
    struct dyno_request request = flown->request;

    if (record->migrations >= loop->config.migrations_max) {
        return dyno_loop_end_unrouted(loop, &request, DYNO_FAILED);
    }
    record->migrations++;
    loop->fault_totals.migrations++;
    return dyno_loop_can_route(loop, lane) ? dyno_loop_route(loop, &request, error)
                                           : dyno_loop_enter_lobby(loop, lane, &request);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Its router forgets it, and it gives back its requests. */
static dyno_status notice(struct dyno_loop *loop, uint32_t worker)
{
    uint32_t place;
    struct dyno_roster *roster = roster_of(loop, worker, &place);

    dyno_heap_remove(&loop->silent, worker);
    (void)dyno_roster_lose(roster, loop->now, place, loop->mended_at[worker]);
    return loop->workers->ops->lose(loop->workers, loop->now, worker);
}

/* Nobody goes on at a worker that is found to be dead at the same instant. */
static dyno_status notice_all(struct dyno_loop *loop, struct dyno_error *error)
{
    loop->lost_count = 0;
    while (dyno_heap_key(&loop->silent) <= loop->now) {
        DYNO_TRY(notice(loop, dyno_heap_top(&loop->silent).id));
    }
    for (uint32_t i = 0; i < loop->lost_count; i++) {
        DYNO_TRY(migrate(loop, loop->lost[i], error));
    }
    return DYNO_OK;
}

static bool serves(const struct dyno_roster *roster, uint32_t place)
{
    enum dyno_worker_state state = dyno_roster_state(roster, place);

    return state == DYNO_WORKER_READY || state == DYNO_WORKER_DRAINING;
}

/* A place breaks, with whoever is there. */
static dyno_status strike(struct dyno_loop *loop, const struct dyno_fault_record *fault)
{
    uint32_t worker = victim(loop, fault->target), place;
    struct dyno_roster *roster = roster_of(loop, worker, &place);

    if (!serves(roster, place)) {
        (void)dyno_roster_lose(roster, loop->now, place, fault->until);
        return DYNO_OK;
    }
    if (dyno_heap_has(&loop->silent, worker)) { /* once more */
        loop->mended_at[worker] =
            fault->until > loop->mended_at[worker] ? fault->until : loop->mended_at[worker];
        return DYNO_OK;
    }
    loop->fault_totals.deaths++;
    loop->mended_at[worker] = fault->until;
    dyno_heap_set(&loop->silent, worker, loop->now + loop->config.notice_ns);
    return loop->workers->ops->halt(loop->workers, loop->now, worker);
}

static dyno_status tell(const struct dyno_loop *loop, const struct dyno_fault_record *fault)
{
    for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
        if (sink->ops->fault) {
            DYNO_TRY(sink->ops->fault(sink, fault));
        }
    }
    return DYNO_OK;
}

static dyno_status suffer(struct dyno_loop *loop, struct dyno_fault_record *fault)
{
    uint32_t place;

    loop->fault_totals.faults[fault->kind]++;
    if (fault->kind == DYNO_FAULT_DEATH) {
        const struct dyno_roster *roster = roster_of(loop, victim(loop, fault->target), &place);

        fault->requests = dyno_roster_inflight(roster, place);
    }
    DYNO_TRY(tell(loop, fault));
    return fault->kind == DYNO_FAULT_DEATH ? strike(loop, fault) : DYNO_OK;
}

/* ---- what the loop calls --------------------------------------------------------------------- */

dyno_status dyno_loop_faults_settle(struct dyno_loop *loop, bool *any, struct dyno_error *error)
{
    struct dyno_faults *faults = loop->config.faults;
    struct dyno_fault_record fault;

    *any = false;
    while (faults->ops->next(faults) <= loop->now) {
        fault = (struct dyno_fault_record){.what = ""};
        if (faults->ops->take(faults, loop->now, &fault)) {
            DYNO_TRY(suffer(loop, &fault));
        }
        *any = true;
    }
    if (dyno_heap_key(&loop->silent) <= loop->now) {
        *any = true;
        return notice_all(loop, error);
    }
    return DYNO_OK;
}

dyno_ns dyno_loop_faults_next(const struct dyno_loop *loop, dyno_ns next)
{
    dyno_ns fault = loop->config.faults->ops->next(loop->config.faults);
    dyno_ns noticed = dyno_heap_key(&loop->silent);

    next = noticed < next ? noticed : next;
    return next != DYNO_NEVER && fault < next ? fault : next; /* else nobody waits for anything */
}

const struct dyno_fault_totals *dyno_loop_fault_totals(const struct dyno_loop *loop)
{
    return &loop->fault_totals;
}
