/* The roster: see the header for the states. */
#include "core/run/roster.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "core/base/usual.h"
#include "core/run/roster_parts.h"

/* ---- roles ----------------------------------------------------------------------------------- */

/* The worker on the same GPUs in the other role. */
static uint32_t twin_of(const struct dyno_roster *roster, uint32_t worker)
{
    uint32_t count = roster->config.worker_count;

    return worker < count ? worker + count : worker - count;
}

static struct dyno_dispatch *dispatch_of(const struct dyno_roster *roster, uint32_t worker)
{
    return dyno_roster_role_of(roster, worker) == DYNO_ROLE_SERVE ? roster->config.dispatch
                                                                  : roster->config.prefill;
}

static uint32_t index_of(const struct dyno_roster *roster, uint32_t worker)
{
    return worker - dyno_roster_first_of(roster, dyno_roster_role_of(roster, worker));
}

/* What both workers of a place have in common is kept here. */
static struct dyno_place *ground_of(const struct dyno_roster *roster, uint32_t worker)
{
    return &roster->places[index_of(roster, worker)];
}

/* As its dispatch numbers it. */
static uint32_t routed_as(const struct dyno_roster *roster, uint32_t worker)
{
    return roster->config.first_worker + index_of(roster, worker);
}

/* ---- states ---------------------------------------------------------------------------------- */

static uint32_t up(const struct dyno_roster *roster)
{
    return roster->total - dyno_roster_in_state(roster, DYNO_WORKER_STOPPED) -
           dyno_roster_in_state(roster, DYNO_WORKER_LOST);
}

/* What has passed since it was last counted. */
static void add_time(const struct dyno_roster *roster, dyno_ns now,
                     struct dyno_roster_totals *totals)
{
    uint32_t serving = dyno_roster_in_state(roster, DYNO_WORKER_READY) +
                       dyno_roster_in_state(roster, DYNO_WORKER_DRAINING);
    unsigned __int128 time = now - roster->counted_at;

    totals->worker_ns += up(roster) * time;
    totals->ready_ns += serving * time;
}

static void count_time(struct dyno_roster *roster, dyno_ns now)
{
    add_time(roster, now, &roster->totals);
    roster->counted_at = now;
}

/* A GPU in that state is paid for. */
static int32_t costs(enum dyno_worker_state state)
{
    return state != DYNO_WORKER_STOPPED && state != DYNO_WORKER_LOST;
}

/* So many workers more are up, or fewer, by what the budget is shared with. */
static void charge(const struct dyno_roster *roster, int32_t workers)
{
    struct dyno_roster_budget *budget = roster->config.budget;

    budget->gpus_up += (uint32_t)workers * roster->config.worker_gpus;
    budget->gpus_most = budget->gpus_up > budget->gpus_most ? budget->gpus_up : budget->gpus_most;
    assert(budget->gpus_up <= budget->gpus_max);
}

static void enter(struct dyno_roster *roster, uint32_t worker, enum dyno_worker_state state,
                  dyno_ns now)
{
    struct dyno_place *place = &roster->places[worker];
    uint32_t *counts = roster->counts[dyno_roster_role_of(roster, worker)];

    count_time(roster, now);
    if (roster->config.budget) {
        charge(roster, costs(state) - costs(place->state));
    }
    counts[place->state]--;
    counts[state]++;
    place->state = state;
    place->since = now;
    if (up(roster) > roster->totals.up_max) {
        roster->totals.up_max = up(roster);
    }
}

bool dyno_roster_is_empty(const struct dyno_roster *roster, uint32_t place)
{
    return roster->places[place].state == DYNO_WORKER_STOPPED &&
           (!roster->config.prefill ||
            roster->places[twin_of(roster, place)].state == DYNO_WORKER_STOPPED);
}

static void begin(struct dyno_roster *roster, uint32_t worker, dyno_ns now, dyno_ns takes,
                  struct dyno_rng *rng)
{
    assert(dyno_roster_is_empty(roster, index_of(roster, worker)));
    enter(roster, worker, DYNO_WORKER_STARTING, now);
    if (roster->config.starter) {
        roster->places[worker].order = DYNO_ORDER_START;
        dyno_heap_set(&roster->starts, worker, DYNO_NEVER);
        return;
    }
    roster->places[worker].fails = dyno_rng_unit(rng) < roster->config.start_failure;
    dyno_heap_set(&roster->starts, worker, now + (takes > 0 ? takes : 1));
}

/* Nobody is there any more. */
static void clear_away(struct dyno_roster *roster, uint32_t worker)
{
    if (roster->config.starter) {
        roster->places[worker].order = DYNO_ORDER_STOP;
    }
}

void dyno_roster_start(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    const struct dyno_roster_config *config = &roster->config;
    struct dyno_rng rng;
    dyno_ns takes;

    dyno_rng_init(&rng, dyno_chain(config->seed, roster->totals.starts++), "planner.startup");
    takes =
        config->startup && !config->starter ? config->startup(config->startup_context, &rng) : 0;
    roster->places[worker].came_over = false;
    begin(roster, worker, now, takes, &rng);
}

/* The worker has stopped, and its twin begins. */
static void change(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    const struct dyno_roster_config *config = &roster->config;
    uint32_t twin = twin_of(roster, worker);
    struct dyno_rng rng;
    dyno_ns takes;

    dyno_rng_init(&rng, dyno_chain(config->seed, roster->totals.changes++), "planner.change");
    takes = config->change && !config->starter ? config->change(config->change_context, &rng) : 0;
    roster->coming[dyno_roster_role_of(roster, twin)]--;
    roster->places[worker].goes_over = false;
    roster->places[twin].came_over = true;
    roster->places[twin].decided = roster->places[worker].decided;
    begin(roster, twin, now, takes, &rng);
}

void dyno_roster_call_off(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->starts, worker);
    enter(roster, worker, DYNO_WORKER_STOPPED, now);
    clear_away(roster, worker);
}

void dyno_roster_drain(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_dispatch_worker_gone(dispatch_of(roster, worker), routed_as(roster, worker));
    enter(roster, worker, DYNO_WORKER_DRAINING, now);
    roster->totals.drains++;
}

/* A worker that drains will have the other role. */
void dyno_roster_send_over(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    roster->places[worker].goes_over = true;
    roster->places[worker].decided = now;
    roster->coming[dyno_roster_role_of(roster, twin_of(roster, worker))]++;
}

void dyno_roster_keep_back(struct dyno_roster *roster, uint32_t worker)
{
    roster->places[worker].goes_over = false;
    roster->coming[dyno_roster_role_of(roster, twin_of(roster, worker))]--;
}

/* ---- public ---------------------------------------------------------------------------------- */

void dyno_roster_set(struct dyno_roster *roster, dyno_ns now, uint32_t desired)
{
    const uint32_t both[] = {desired, roster->desired[DYNO_ROLE_PREFILL]};

    dyno_roster_set_roles(roster, now, both);
}

void dyno_roster_set_roles(struct dyno_roster *roster, dyno_ns now,
                           const uint32_t desired[DYNO_WORKER_ROLES])
{
    for (uint32_t role = 0; role < DYNO_WORKER_ROLES; role++) {
        assert(desired[role] <= roster->config.worker_count);
        roster->desired[role] = desired[role];
    }
    dyno_roster_reconcile(roster, now);
}

void dyno_roster_go_on(struct dyno_roster *roster, dyno_ns now)
{
    dyno_roster_reconcile(roster, now);
}

static void mend(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->mends, worker);
    enter(roster, worker, DYNO_WORKER_STOPPED, now);
    dyno_roster_reconcile(roster, now);
}

static void became_ready(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    struct dyno_place *place = &roster->places[worker];

    if (place->came_over) {
        roster->change_ns += now - place->decided;
        roster->changed++;
    } else {
        roster->startup_ns += now - place->since;
        roster->started++;
    }
    roster->totals.restarts += ground_of(roster, worker)->was_lost;
    ground_of(roster, worker)->was_lost = false;
    enter(roster, worker, DYNO_WORKER_READY, now);
    dyno_dispatch_worker_back(dispatch_of(roster, worker), routed_as(roster, worker));
}

/* True if a worker became ready. */
static bool end_start(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->starts, worker);
    if (roster->places[worker].fails) {
        roster->totals.start_failures++;
        enter(roster, worker, DYNO_WORKER_STOPPED, now);
        dyno_roster_reconcile(roster, now);
        return false;
    }
    became_ready(roster, worker, now);
    return true;
}

/* It failed for real: nobody is started there before a while has passed. */
static void put_off(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    roster->totals.start_failures++;
    dyno_heap_remove(&roster->starts, worker);
    enter(roster, worker, DYNO_WORKER_LOST, now);
    clear_away(roster, worker);
    dyno_heap_set(&roster->mends, worker, now + DYNO_START_PAUSE);
    dyno_roster_reconcile(roster, now);
}

/* Starts that are under way for real; true if a worker became ready. */
static bool look_at_starts(struct dyno_roster *roster, dyno_ns now)
{
    const struct dyno_starter *starter = roster->config.starter;
    bool any = false;

    for (uint32_t i = 0; i < roster->total; i++) {
        enum dyno_start start;

        if (roster->places[i].state != DYNO_WORKER_STARTING ||
            roster->places[i].order == DYNO_ORDER_START) {
            continue;
        }
        start = starter->look(starter->context, i);
        if (start == DYNO_START_FAILED) {
            put_off(roster, i, now);
        } else if (start == DYNO_START_DONE) {
            any = end_start(roster, i, now) || any;
        }
    }
    return any;
}

bool dyno_roster_settle(struct dyno_roster *roster, dyno_ns now)
{
    bool any = false;

    while (DYNO_RARELY(dyno_heap_key(&roster->mends) <= now)) {
        mend(roster, dyno_heap_top(&roster->mends).id, now);
    }
    while (dyno_heap_key(&roster->starts) <= now) {
        any = end_start(roster, dyno_heap_top(&roster->starts).id, now) || any;
    }
    return DYNO_RARELY(roster->config.starter && roster->starts.count > 0)
               ? look_at_starts(roster, now)
               : any;
}

void dyno_roster_launch(struct dyno_roster *roster)
{
    const struct dyno_starter *starter = roster->config.starter;

    for (uint32_t i = 0; starter && i < roster->total; i++) {
        enum dyno_order order = roster->places[i].order;

        roster->places[i].order = DYNO_ORDER_NONE;
        if (order == DYNO_ORDER_START) {
            starter->start(starter->context, i);
        } else if (order == DYNO_ORDER_STOP) {
            starter->stop(starter->context, i);
        }
    }
}

/* Whatever was there is not any more. */
static void leave_place(struct dyno_roster *roster, uint32_t worker)
{
    if (roster->places[worker].state == DYNO_WORKER_STARTING) {
        dyno_heap_remove(&roster->starts, worker);
    }
    if (roster->places[worker].goes_over) {
        dyno_roster_keep_back(roster, worker);
    }
    dyno_dispatch_worker_gone(dispatch_of(roster, worker),
                              routed_as(roster, worker)); /* who drains is already */
}

uint32_t dyno_roster_who(const struct dyno_roster *roster, uint32_t place)
{
    return !roster->config.prefill || roster->places[place].state != DYNO_WORKER_STOPPED ||
                   roster->places[twin_of(roster, place)].state == DYNO_WORKER_STOPPED
               ? place
               : twin_of(roster, place);
}

bool dyno_roster_lose(struct dyno_roster *roster, dyno_ns now, uint32_t worker, dyno_ns mended_at)
{
    enum dyno_worker_state was = roster->places[worker].state;
    bool served = was == DYNO_WORKER_READY || was == DYNO_WORKER_DRAINING;

    if (was == DYNO_WORKER_LOST) {
        if (!dyno_heap_has(&roster->mends, worker)) {
            return false; /* it is broken for good */
        }
        if (mended_at < dyno_heap_key_of(&roster->mends, worker)) {
            return false;
        }
    } else {
        leave_place(roster, worker);
        enter(roster, worker, DYNO_WORKER_LOST, now);
        clear_away(roster, worker);
        roster->totals.losses += served;
        ground_of(roster, worker)->was_lost |= served;
    }
    if (mended_at == DYNO_NEVER) {
        dyno_heap_remove(&roster->mends, worker);
        dyno_roster_reconcile(roster, now); /* elsewhere */
    } else if (mended_at > now) {
        dyno_heap_set(&roster->mends, worker, mended_at);
        dyno_roster_reconcile(roster, now);
    } else {
        mend(roster, worker, now);
    }
    return served;
}

bool dyno_roster_is_gone(const struct dyno_roster *roster)
{
    return dyno_roster_in_state(roster, DYNO_WORKER_LOST) == roster->config.worker_count &&
           roster->mends.count == 0;
}

void dyno_roster_rest(struct dyno_roster *roster, struct dyno_workers *workers, dyno_ns now)
{
    if (dyno_roster_in_state(roster, DYNO_WORKER_DRAINING) == 0) {
        return;
    }
    for (uint32_t i = 0; i < roster->total; i++) {
        if (roster->places[i].state == DYNO_WORKER_DRAINING &&
            dyno_roster_inflight(roster, i) == 0 &&
            (!workers->ops->stop ||
             workers->ops->stop(workers, now, roster->config.first_worker + i))) {
            enter(roster, i, DYNO_WORKER_STOPPED, now);
            clear_away(roster, i);
            if (roster->places[i].goes_over) {
                change(roster, i, now);
            }
        }
    }
    dyno_roster_reconcile(roster, now);
}

dyno_ns dyno_roster_next(const struct dyno_roster *roster)
{
    dyno_ns start = dyno_heap_key(&roster->starts), mended = dyno_heap_key(&roster->mends);

    return start < mended ? start : mended;
}

const char *dyno_worker_state_name(enum dyno_worker_state state)
{
    static const char *const names[DYNO_WORKER_STATES] = {"stopped", "starting", "ready",
                                                          "draining", "lost"};

    return names[state];
}

enum dyno_worker_state dyno_roster_state(const struct dyno_roster *roster, uint32_t worker)
{
    return roster->places[worker].state;
}

dyno_ns dyno_roster_since(const struct dyno_roster *roster, uint32_t worker)
{
    return roster->places[worker].since;
}

uint32_t dyno_roster_count(const struct dyno_roster *roster, enum dyno_worker_role role,
                           enum dyno_worker_state state)
{
    return roster->counts[role][state];
}

uint32_t dyno_roster_coming(const struct dyno_roster *roster, enum dyno_worker_role role)
{
    return roster->coming[role];
}

bool dyno_roster_is_full(const struct dyno_roster *roster)
{
    const struct dyno_roster_budget *budget = roster->config.budget;

    return up(roster) >= roster->config.up_max ||
           (budget && budget->gpus_up + roster->config.worker_gpus > budget->gpus_max);
}

dyno_ns dyno_roster_startup_mean(const struct dyno_roster *roster)
{
    return roster->started > 0 ? roster->startup_ns / roster->started : 0;
}

dyno_ns dyno_roster_change_mean(const struct dyno_roster *roster)
{
    return roster->changed > 0 ? roster->change_ns / roster->changed : 0;
}

uint32_t dyno_roster_places(const struct dyno_roster *roster)
{
    return roster->config.worker_count;
}

uint32_t dyno_roster_inflight(const struct dyno_roster *roster, uint32_t worker)
{
    return dyno_dispatch_inflight(dispatch_of(roster, worker), routed_as(roster, worker));
}

uint32_t dyno_roster_desired(const struct dyno_roster *roster, enum dyno_worker_role role)
{
    return roster->desired[role];
}

struct dyno_roster_totals dyno_roster_totals(const struct dyno_roster *roster, dyno_ns now)
{
    struct dyno_roster_totals totals = roster->totals;

    if (now > roster->counted_at) {
        add_time(roster, now, &totals);
    }
    return totals;
}

/* Workers [from, from + ready) of a role are ready, the others stopped. */
static void open_role(struct dyno_roster *roster, enum dyno_worker_role role, uint32_t from,
                      uint32_t ready)
{
    uint32_t first = dyno_roster_first_of(roster, role);

    roster->desired[role] = ready;
    roster->counts[role][DYNO_WORKER_READY] = ready;
    roster->counts[role][DYNO_WORKER_STOPPED] = roster->config.worker_count - ready;
    for (uint32_t i = 0; i < roster->config.worker_count; i++) {
        if (i >= from && i - from < ready) {
            roster->places[first + i].state = DYNO_WORKER_READY;
        } else {
            dyno_dispatch_worker_gone(dispatch_of(roster, first + i), routed_as(roster, first + i));
        }
    }
}

dyno_status dyno_roster_open(struct dyno_roster **out, const struct dyno_roster_config *config)
{
    struct dyno_roster *roster = calloc(1, sizeof *roster);

    assert(config->ready_first + config->prefill_first <= config->worker_count);
    assert(config->prefill || config->prefill_first == 0);
    if (!roster) {
        return DYNO_NO_MEMORY;
    }
    roster->config = *config;
    if (config->up_max == 0) {
        roster->config.up_max = config->worker_count;
    }
    roster->total = config->worker_count * (config->prefill ? DYNO_WORKER_ROLES : 1);
    roster->places = calloc(roster->total, sizeof *roster->places);
    if (!roster->places || dyno_heap_reserve(&roster->starts, roster->total) != DYNO_OK ||
        dyno_heap_reserve(&roster->mends, roster->total) != DYNO_OK) {
        dyno_roster_close(roster);
        return DYNO_NO_MEMORY;
    }
    roster->totals.up_max = config->ready_first + config->prefill_first;
    if (config->budget) {
        charge(roster, (int32_t)roster->totals.up_max);
    }
    open_role(roster, DYNO_ROLE_SERVE, 0, config->ready_first);
    if (config->prefill) {
        open_role(roster, DYNO_ROLE_PREFILL, config->ready_first, config->prefill_first);
    }
    *out = roster;
    return DYNO_OK;
}

void dyno_roster_close(struct dyno_roster *roster)
{
    if (roster) {
        dyno_heap_release(&roster->starts);
        dyno_heap_release(&roster->mends);
        free(roster->places);
        free(roster);
    }
}
