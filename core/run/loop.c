/* The order at one instant: finished passes and ready requests, then what goes wrong and whom it
 * hits, then workers that have started and those who waited for a worker, then clients that gave
 * up, arrivals and routing, then the passes that an arrival cut at this very instant, then a look
 * at the workers (telemetry) and the planner, then new passes, then workers that have come to rest.
 * A pass, and a start, takes at least a nanosecond, so every turn moves time on.
 *
 * Telemetry and planner look before new passes start, so that they see the fleet as of the last
 * step boundary whether a worker leaps or steps; and they never keep a run alive.
 */
#include "core/run/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/usual.h"
#include "core/run/loop_parts.h"

enum { TURNS_A_PROGRESS = 1024 };

/* ---- arrivals -------------------------------------------------------------------------------- */

/* It was on no worker yet. */
static struct dyno_request_record unrouted(const struct dyno_loop *loop,
                                           const struct dyno_request *request)
{
    return (struct dyno_request_record){.id = request->id,
                                        .session = request->session,
                                        .tenant = request->tenant,
                                        .model = request->model,
                                        .priority = request->priority,
                                        .worker = DYNO_NO_WORKER,
                                        .prompt_tokens = request->prompt_tokens,
                                        .scheduled_ns = request->scheduled_ns,
                                        .arrival_ns = request->arrival_ns,
                                        .held_ns = loop->now - request->arrival_ns,
                                        .ready_ns = DYNO_NEVER,
                                        .admitted_ns = DYNO_NEVER,
                                        .first_token_ns = DYNO_NEVER,
                                        .last_token_ns = DYNO_NEVER};
}

dyno_status dyno_loop_end_unrouted(struct dyno_loop *loop, const struct dyno_request *request,
                                   enum dyno_outcome outcome)
{
    struct dyno_request_record record =
        request->before ? request->before->record : unrouted(loop, request);

    record.outcome = outcome;
    return dyno_loop_ended(&loop->lanes[request->model], &record);
}

/* Its chain is rewritten once, and it is kept from then on if its worker may be lost. */
static dyno_status enter(struct dyno_loop *loop, struct dyno_request *request)
{
    struct dyno_kv_trie *trie = loop->lanes[request->model].trie;

    if (trie) {
        DYNO_TRY(dyno_kv_trie_enter(trie, loop->now, request));
    }
    return DYNO_RARELY(loop->config.faults) ? dyno_flight_keep(&loop->flight, request) : DYNO_OK;
}

/* As routers see a request whose worker was lost: what it generated before stands behind its
 * prompt. */
static struct dyno_request as_resumed(const struct dyno_request *request)
{
    struct dyno_request resumed = *request;

    resumed.prompt_tokens += request->before->record.output_tokens;
    resumed.max_tokens -= request->before->record.output_tokens;
    return resumed;
}

dyno_status dyno_loop_route(struct dyno_loop *loop, struct dyno_request *request,
                            struct dyno_error *error)
{
    struct dyno_lane *lane = &loop->lanes[request->model];
    const struct dyno_request *asked = request;
    struct dyno_decision_record decision;
    struct dyno_request resumed;
    dyno_status status;

    if (DYNO_RARELY(request->before != NULL)) {
        resumed = as_resumed(request);
        asked = &resumed;
    } else {
        DYNO_TRY(enter(loop, request));
    }
    if (loop->wants_events) {
        loop->workers->ops->sync(loop->workers, loop->now);
    }
    status =
        dyno_dispatch_pick(lane->dispatch, loop->now, asked, loop->config.candidates, &decision);
    if (status == DYNO_REJECTED) {
        return dyno_loop_end_unrouted(loop, request, DYNO_FAILED);
    }
    if (status == DYNO_BAD_INPUT) {
        return dyno_fail(
            error, status,
            "the routing policy chose a worker that does not exist or may not be picked "
            "for request %llu",
            (unsigned long long)request->id);
    }
    DYNO_TRY(status);
    if (DYNO_RARELY(loop->config.decisions)) {
        DYNO_TRY(dyno_loop_tell_decision(loop, &decision));
    }
    return loop->workers->ops->submit(loop->workers, loop->now, decision.worker, request);
}

static dyno_status admit_one(struct dyno_loop *loop, struct dyno_error *error)
{
    struct dyno_request request = {0};
    struct dyno_lane *lane;
    dyno_status status;

    DYNO_TRY(loop->config.source->ops->take(loop->config.source, loop->now, &request, error));
    assert(request.model < loop->lane_count);
    lane = &loop->lanes[request.model];
    loop->in_flight++;
    loop->result.requests++;
    if (DYNO_RARELY(lane->planner != NULL)) {
        dyno_planner_arrived(lane->planner, &request);
    }
    if (dyno_loop_can_route(loop, lane)) { /* then nobody waits */
        return dyno_loop_route(loop, &request, error);
    }
    status = dyno_loop_enter_lobby(loop, lane, &request);
    return status == DYNO_REJECTED
               ? dyno_loop_end_unrouted(loop, &request, DYNO_REJECTED_QUEUE_FULL)
               : status;
}

/* Where a request is booked; DYNO_NO_WORKER: nowhere. */
static uint32_t worker_of(const struct dyno_loop *loop, uint64_t id)
{
    uint32_t worker = DYNO_NO_WORKER;

    for (uint32_t i = 0; i < loop->lane_count && worker == DYNO_NO_WORKER; i++) {
        worker = dyno_dispatch_worker_of(loop->lanes[i].dispatch, id);
    }
    return worker;
}

/* A request that its client has given up by now; false in *any: there is none.  One at a time, for
 * a leap that it cuts at this very instant ends before anybody else goes or is routed. */
static dyno_status cancel_one(struct dyno_loop *loop, bool *any)
{
    struct dyno_source *source = loop->config.source;
    uint32_t worker;
    uint64_t id;

    *any = false;
    loop->next_cancel = source->ops->cancelled(source, loop->now, &id);
    if (loop->next_cancel > loop->now) {
        return DYNO_OK;
    }
    *any = true;
    worker = worker_of(loop, id);
    return worker == DYNO_NO_WORKER
               ? dyno_loop_cancel_in_lobby(loop, id)
               : loop->workers->ops->cancel(loop->workers, loop->now, worker, id);
}

/* What happened up to now, who gave up, and who arrives now; again until nothing new comes of it.
 */
static dyno_status settle_and_admit(struct dyno_loop *loop, struct dyno_error *error)
{
    struct dyno_source *source = loop->config.source;

    for (;;) {
        bool cancelled = false, hit = false;

        if (dyno_workers_may_be_due(loop->workers, loop->now)) {
            DYNO_TRY(loop->workers->ops->settle(loop->workers, loop->now));
        }
        if (DYNO_RARELY(loop->config.faults)) {
            DYNO_TRY(dyno_loop_faults_settle(loop, &hit, error));
            if (hit) {
                continue;
            }
        }
        for (uint32_t i = 0; DYNO_RARELY(loop->may_wait) && i < loop->lane_count; i++) {
            DYNO_TRY(dyno_loop_settle_fleet(loop, &loop->lanes[i], error));
        }
        if (DYNO_RARELY(source->ops->cancelled)) {
            DYNO_TRY(cancel_one(loop, &cancelled));
            if (cancelled) {
                continue;
            }
        }
        if (dyno_source_next(source) > loop->now) {
            return DYNO_OK;
        }
        do {
            DYNO_TRY(admit_one(loop, error));
        } while (dyno_source_next(source) <= loop->now);
    }
}

/* ---- telemetry ------------------------------------------------------------------------------- */

/* Those behind have a roster of their own where no planner moves workers between the roles. */
static void tell_state(const struct dyno_loop *loop, uint32_t worker,
                       struct dyno_sample_record *record)
{
    const struct dyno_roster *roster = loop->config.roster;
    const struct dyno_roster *behind = loop->config.roster_behind;
    uint32_t places = roster ? dyno_roster_places(roster) : 0;

    for (uint32_t i = 1; roster && i < loop->lane_count && worker >= places; i++) {
        worker -= places; /* of a model before it */
        roster = loop->lanes[i].roster;
        places = roster ? dyno_roster_places(roster) : 0;
    }
    if (behind && worker >= places) {
        record->state = dyno_worker_state_name(dyno_roster_state(behind, worker - places));
    } else if (roster) {
        record->state = dyno_worker_state_name(dyno_roster_state(roster, worker));
    }
}

static dyno_status take_samples(struct dyno_loop *loop)
{
    for (uint32_t i = 0; i < loop->config.worker_count; i++) {
        struct dyno_sample_record record;

        loop->workers->ops->sample(loop->workers, loop->now, i, &record);
        tell_state(loop, i, &record);
        for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
            if (sink->ops->sample) {
                DYNO_TRY(sink->ops->sample(sink, &record));
            }
        }
    }
    if (loop->watch) {
        DYNO_TRY(dyno_link_watch_look(loop->watch, loop->now, loop->config.sinks));
    }
    while (loop->next_sample <= loop->now) {
        loop->next_sample += loop->config.sample_every_ns;
    }
    return DYNO_OK;
}

static dyno_status plan(struct dyno_loop *loop)
{
    struct dyno_plan_record records[DYNO_WORKER_ROLES * DYNO_MODELS_MAX];
    struct dyno_planner *planners[DYNO_MODELS_MAX];
    uint32_t lobbies[DYNO_MODELS_MAX], count;

    if (loop->now < dyno_planner_next(loop->config.planner)) {
        return DYNO_OK;
    }
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        planners[i] = loop->lanes[i].planner;
        lobbies[i] = loop->lanes[i].lobby.count;
    }
    count =
        dyno_planner_tick(planners, loop->lane_count, loop->now, loop->workers, lobbies, records);
    for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
        for (uint32_t i = 0; i < count && sink->ops->plan; i++) {
            DYNO_TRY(sink->ops->plan(sink, &records[i]));
        }
    }
    return DYNO_OK;
}

static void tell_progress(const struct dyno_loop *loop)
{
    for (struct dyno_sink *sink = loop->config.sinks; sink; sink = sink->next) {
        if (sink->ops->progress) {
            sink->ops->progress(sink, loop->now, loop->ended);
        }
    }
}

/* The last look ends the integrals of the totals; no sink hears of it. */
static void look_last(const struct dyno_loop *loop)
{
    struct dyno_sample_record record;

    for (uint32_t i = 0; i < loop->config.worker_count; i++) {
        loop->workers->ops->sample(loop->workers, loop->now, i, &record);
    }
    if (loop->watch) {
        dyno_link_watch_end(loop->watch, loop->now);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* As `next`, or before it, when somebody has waited too long, a worker has started, or something
 * goes wrong. */
static dyno_ns next_of_waiting(const struct dyno_loop *loop, dyno_ns next)
{
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        const struct dyno_lane *lane = &loop->lanes[i];
        dyno_ns lobby = dyno_lobby_next(&lane->lobby);
        dyno_ns start = lane->roster ? dyno_roster_next(lane->roster) : DYNO_NEVER;

        next = lobby < next ? lobby : next;
        next = start < next ? start : next;
    }
    if (DYNO_RARELY(loop->config.roster_behind)) {
        dyno_ns behind = dyno_roster_next(loop->config.roster_behind);

        next = behind < next ? behind : next;
    }
    return DYNO_RARELY(loop->config.faults) ? dyno_loop_faults_next(loop, next) : next;
}

/* When something happens next; DYNO_NEVER: the run is over. */
static inline dyno_ns next_event(const struct dyno_loop *loop)
{
    dyno_ns arrival = dyno_source_next(loop->config.source);
    dyno_ns worker = dyno_workers_next(loop->workers);
    dyno_ns next = arrival < worker ? arrival : worker;

    next = loop->next_cancel < next ? loop->next_cancel : next;
    return DYNO_RARELY(loop->may_wait) ? next_of_waiting(loop, next) : next;
}

static bool over(const struct dyno_loop *loop)
{
    return loop->in_flight == 0 && loop->config.source->ops->finished(loop->config.source);
}

/* A signal's handler may set it, in whatever thread that runs. */
static bool is_interrupted(const struct dyno_loop *loop)
{
    return loop->config.interrupted &&
           __atomic_load_n(loop->config.interrupted, __ATOMIC_RELAXED) != 0;
}

/* Who looks at the fleet does so in time, but hides no lost wakeup and keeps no run alive.  Only
 * where requests wait for a worker is the planner whom they wait for; and on a wall clock, where
 * passes end unannounced and requests may come from outside, it goes on between them. */
static dyno_ns look_before(const struct dyno_loop *loop, dyno_ns deadline)
{
    dyno_ns tick = loop->config.planner ? dyno_planner_next(loop->config.planner) : DYNO_NEVER;
    bool plans = deadline != DYNO_NEVER || loop->waiting > 0 || loop->config.live;

    if (deadline != DYNO_NEVER && deadline > loop->next_sample) {
        deadline = loop->next_sample;
    }
    return plans && tick < deadline ? tick : deadline;
}

static dyno_status cut(struct dyno_loop *loop)
{
    loop->result.cut = true;
    loop->result.unfinished = loop->in_flight;
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        DYNO_TRY(dyno_loop_give_up_lobby(loop, &loop->lanes[i], DYNO_CANCELLED_AT_END));
    }
    return loop->workers->ops->abandon(loop->workers, loop->now, DYNO_CANCELLED_AT_END);
}

/* Workers that have come to rest; what they leave another model's may take. */
static void rest(struct dyno_loop *loop)
{
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        dyno_roster_rest(loop->lanes[i].roster, loop->workers, loop->now);
    }
    for (uint32_t i = 0; loop->lane_count > 1 && i < loop->lane_count; i++) {
        dyno_roster_go_on(loop->lanes[i].roster, loop->now);
    }
}

/* Nothing is touched any more of what dead workers had. */
static void launch(struct dyno_loop *loop)
{
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        dyno_roster_launch(loop->lanes[i].roster);
    }
    if (DYNO_RARELY(loop->config.roster_behind)) {
        dyno_roster_launch(loop->config.roster_behind);
    }
}

static dyno_status turn(struct dyno_loop *loop, struct dyno_error *error)
{
    loop->result.turns++;
    do { /* until no pass that was formed refused somebody, so that another one may be let in */
        DYNO_TRY(settle_and_admit(loop, error));
        if (DYNO_RARELY(loop->now >= loop->next_sample)) {
            DYNO_TRY(take_samples(loop));
        }
        if (DYNO_RARELY(loop->config.planner)) {
            DYNO_TRY(plan(loop));
        }
        if (dyno_workers_may_start(loop->workers)) {
            DYNO_TRY(loop->workers->ops->form(loop->workers, loop->now));
        }
    } while (DYNO_RARELY(loop->waiting > 0) && dyno_loop_could_let_in(loop));
    if (DYNO_RARELY(loop->config.roster)) {
        rest(loop);
        launch(loop);
    }
    if (DYNO_RARELY(loop->out_of_memory)) {
        return DYNO_NO_MEMORY;
    }
    if (loop->config.live || loop->result.turns % TURNS_A_PROGRESS == 0) {
        tell_progress(loop);
    }
    return DYNO_OK;
}

/* Move on to `deadline`, at most to the end of the run.  A wall clock may wake earlier, or later.
 */
static void wait(struct dyno_loop *loop, dyno_ns deadline)
{
    deadline = deadline < loop->end ? deadline : loop->end;
    loop->now = loop->config.clock->ops->wait_until(loop->config.clock, deadline);
}

/* Whether there is another turn, and when.  Part of every turn, not a call that it makes. */
static inline __attribute__((always_inline)) dyno_status look_ahead(struct dyno_loop *loop,
                                                                    struct dyno_error *error)
{
    dyno_ns deadline;

    loop->is_over = over(loop);
    if (loop->is_over) {
        return DYNO_OK;
    }
    deadline = next_event(loop);
    if (deadline == DYNO_NEVER && loop->in_flight == 0 && !loop->config.source->ops->is_open) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the source waits for requests that will never end: after %llu requests "
                         "nothing is in flight, but it is not finished",
                         (unsigned long long)loop->result.requests);
    }
    loop->due = look_before(loop, deadline);
    return DYNO_OK;
}

dyno_status dyno_loop_begin(struct dyno_loop *loop, struct dyno_workers *workers,
                            struct dyno_error *error)
{
    loop->workers = workers;
    return look_ahead(loop, error);
}

/* The next turns, at most so many.  One function for all of it: there are about four turns a
 * request, and calling one would take longer than some of what it does. */
static dyno_status take_turns(struct dyno_loop *loop, uint64_t turns_max, struct dyno_error *error)
{
    for (; turns_max > 0 && !loop->is_over; turns_max--) {
        if (!is_interrupted(loop)) {
            wait(loop, loop->due);
        }
        if (is_interrupted(loop) || (loop->due > loop->end && loop->now >= loop->end)) {
            loop->is_over = true;
            return cut(loop);
        }
        DYNO_TRY(turn(loop, error));
        DYNO_TRY(look_ahead(loop, error));
    }
    return DYNO_OK;
}

dyno_status dyno_loop_turn(struct dyno_loop *loop, struct dyno_error *error)
{
    return take_turns(loop, 1, error);
}

void dyno_loop_end(struct dyno_loop *loop, struct dyno_loop_result *result)
{
    if (loop->now > loop->result.end_ns) {
        loop->result.end_ns = loop->now;
    }
    look_last(loop);
    *result = loop->result;
}

bool dyno_loop_is_over(const struct dyno_loop *loop)
{
    return loop->is_over;
}

dyno_ns dyno_loop_due(const struct dyno_loop *loop)
{
    return loop->due;
}

dyno_status dyno_loop_run(struct dyno_loop *loop, struct dyno_workers *workers,
                          struct dyno_loop_result *result, struct dyno_error *error)
{
    DYNO_TRY(dyno_loop_begin(loop, workers, error));
    DYNO_TRY(take_turns(loop, UINT64_MAX, error));
    dyno_loop_end(loop, result);
    return DYNO_OK;
}

/* One a model; the first is served by what the configuration names itself. */
static dyno_status open_lanes(struct dyno_loop *loop)
{
    const struct dyno_loop_config *config = &loop->config;

    assert(config->more_count < DYNO_MODELS_MAX);
    loop->lanes = calloc(1 + config->more_count, sizeof *loop->lanes);
    if (!loop->lanes) {
        return DYNO_NO_MEMORY;
    }
    loop->lane_count = 1 + config->more_count;
    loop->lanes[0] = (struct dyno_lane){.dispatch = config->dispatch,
                                        .trie = config->trie,
                                        .roster = config->roster,
                                        .planner = config->planner};
    for (uint32_t i = 1; i < loop->lane_count; i++) {
        const struct dyno_loop_model *model = &config->more[i - 1];

        assert(!config->roster_behind && !model->roster == !config->roster &&
               !model->planner == !config->planner);
        loop->lanes[i] = (struct dyno_lane){.dispatch = model->dispatch,
                                            .trie = model->trie,
                                            .roster = model->roster,
                                            .planner = model->planner};
    }
    for (uint32_t i = 0; i < loop->lane_count; i++) {
        loop->lanes[i].loop = loop;
        DYNO_TRY(dyno_lobby_init(&loop->lanes[i].lobby, &config->lobby));
    }
    return DYNO_OK;
}

dyno_status dyno_loop_open(struct dyno_loop **out, const struct dyno_loop_config *config)
{
    struct dyno_loop *loop = calloc(1, sizeof *loop);

    if (!loop) {
        return DYNO_NO_MEMORY;
    }
    loop->config = *config;
    if (open_lanes(loop) != DYNO_OK) {
        dyno_loop_close(loop);
        return DYNO_NO_MEMORY;
    }
    if (config->faults && dyno_loop_faults_init(loop) != DYNO_OK) {
        dyno_loop_close(loop);
        return DYNO_NO_MEMORY;
    }
    loop->end = config->duration_max_ns > 0 ? config->duration_max_ns : DYNO_NEVER;
    loop->next_cancel = DYNO_NEVER;
    loop->next_sample = config->sample_every_ns > 0 ? config->sample_every_ns : DYNO_NEVER;
    loop->has_thresholds = dyno_dispatch_has_thresholds(config->dispatch);
    loop->may_wait = config->roster || loop->has_thresholds;
    loop->ticks = dyno_dispatch_wants_ticks(config->dispatch);
    loop->wants_events = dyno_dispatch_wants_events(config->dispatch) != 0;
    *out = loop;
    return DYNO_OK;
}

void dyno_loop_watch(struct dyno_loop *loop, struct dyno_link_watch *watch)
{
    loop->watch = watch;
}

const struct dyno_lobby_totals *dyno_loop_lobby(const struct dyno_loop *loop, uint32_t model)
{
    return &loop->lanes[model].lobby.totals;
}

void dyno_loop_close(struct dyno_loop *loop)
{
    if (loop) {
        for (uint32_t i = 0; i < loop->lane_count; i++) {
            dyno_lobby_release(&loop->lanes[i].lobby);
        }
        dyno_loop_faults_release(loop);
        free(loop->lanes);
    }
    free(loop);
}
