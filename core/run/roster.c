/* The roster: see the header for the states. */
#include "core/run/roster.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/heap.h"
#include "core/base/map.h"
#include "core/base/usual.h"

struct place {
    enum dyno_worker_state state;
    bool fails;    /* the start under way */
    bool was_lost; /* who served here last */
    dyno_ns since;
};

struct dyno_roster {
    struct dyno_roster_config config;
    struct place *places; /* [worker_count] */
    struct dyno_heap starts;
    struct dyno_heap mends; /* places that are broken, but not for good */
    uint32_t counts[DYNO_WORKER_STATES];
    uint32_t desired;
    struct dyno_roster_totals totals;
    dyno_ns startup_ns; /* of those that succeeded, summed ... */
    uint64_t started;   /* ... and their number */
    dyno_ns counted_at; /* worker_ns holds what was until then */
};

/* ---- states ---------------------------------------------------------------------------------- */

static uint32_t up(const struct dyno_roster *roster)
{
    return roster->config.worker_count - roster->counts[DYNO_WORKER_STOPPED] -
           roster->counts[DYNO_WORKER_LOST];
}

/* What has passed since it was last counted. */
static void add_time(const struct dyno_roster *roster, dyno_ns now,
                     struct dyno_roster_totals *totals)
{
    uint32_t serving = roster->counts[DYNO_WORKER_READY] + roster->counts[DYNO_WORKER_DRAINING];
    unsigned __int128 time = now - roster->counted_at;

    totals->worker_ns += up(roster) * time;
    totals->ready_ns += serving * time;
}

static void count_time(struct dyno_roster *roster, dyno_ns now)
{
    add_time(roster, now, &roster->totals);
    roster->counted_at = now;
}

static void enter(struct dyno_roster *roster, uint32_t worker, enum dyno_worker_state state,
                  dyno_ns now)
{
    struct place *place = &roster->places[worker];

    count_time(roster, now);
    roster->counts[place->state]--;
    roster->counts[state]++;
    place->state = state;
    place->since = now;
    if (up(roster) > roster->totals.up_max) {
        roster->totals.up_max = up(roster);
    }
}

static void start(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    const struct dyno_roster_config *config = &roster->config;
    struct dyno_rng rng;
    dyno_ns takes;

    dyno_rng_init(&rng, dyno_chain(config->seed, roster->totals.starts++), "planner.startup");
    takes = config->startup ? config->startup(config->startup_context, &rng) : 0;
    enter(roster, worker, DYNO_WORKER_STARTING, now);
    roster->places[worker].fails = dyno_rng_unit(&rng) < config->start_failure;
    dyno_heap_set(&roster->starts, worker, now + (takes > 0 ? takes : 1));
}

static void call_off(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->starts, worker);
    enter(roster, worker, DYNO_WORKER_STOPPED, now);
}

static void drain(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_dispatch_worker_gone(roster->config.dispatch, worker);
    enter(roster, worker, DYNO_WORKER_DRAINING, now);
    roster->totals.drains++;
}

/* ---- towards what is desired ----------------------------------------------------------------- */

static uint32_t first_stopped(const struct dyno_roster *roster)
{
    uint32_t worker = 0;

    while (roster->places[worker].state != DYNO_WORKER_STOPPED) {
        worker++;
    }
    return worker;
}

/* The start that has longest to go; ties by the higher index. */
static uint32_t last_start(const struct dyno_roster *roster)
{
    struct dyno_heap_item last = roster->starts.items[0];

    for (uint32_t i = 1; i < roster->starts.count; i++) {
        struct dyno_heap_item item = roster->starts.items[i];

        if (item.key > last.key || (item.key == last.key && item.id > last.id)) {
            last = item;
        }
    }
    return last.id;
}

static uint32_t least_loaded(const struct dyno_roster *roster)
{
    uint32_t best = DYNO_NO_WORKER, fewest = UINT32_MAX;

    for (uint32_t i = roster->config.worker_count; i-- > 0;) {
        uint32_t inflight = dyno_dispatch_inflight(roster->config.dispatch, i);

        if (roster->places[i].state == DYNO_WORKER_READY && inflight < fewest) {
            fewest = inflight;
            best = i;
        }
    }
    return best;
}

static uint32_t wanted(const struct dyno_roster *roster)
{
    return roster->counts[DYNO_WORKER_STARTING] + roster->counts[DYNO_WORKER_READY];
}

static void reconcile(struct dyno_roster *roster, dyno_ns now)
{
    while (wanted(roster) < roster->desired && up(roster) < roster->config.up_max &&
           roster->counts[DYNO_WORKER_STOPPED] > 0) {
        start(roster, first_stopped(roster), now);
    }
    while (wanted(roster) > roster->desired && roster->counts[DYNO_WORKER_STARTING] > 0) {
        call_off(roster, last_start(roster), now);
    }
    while (wanted(roster) > roster->desired) {
        drain(roster, least_loaded(roster), now);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

void dyno_roster_set(struct dyno_roster *roster, dyno_ns now, uint32_t desired)
{
    assert(desired <= roster->config.worker_count);
    roster->desired = desired;
    reconcile(roster, now);
}

/* True if a worker became ready. */
static bool end_start(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->starts, worker);
    if (roster->places[worker].fails) {
        roster->totals.start_failures++;
        enter(roster, worker, DYNO_WORKER_STOPPED, now);
        reconcile(roster, now);
        return false;
    }
    roster->startup_ns += now - roster->places[worker].since;
    roster->started++;
    roster->totals.restarts += roster->places[worker].was_lost;
    roster->places[worker].was_lost = false;
    enter(roster, worker, DYNO_WORKER_READY, now);
    dyno_dispatch_worker_back(roster->config.dispatch, worker);
    return true;
}

static void mend(struct dyno_roster *roster, uint32_t worker, dyno_ns now)
{
    dyno_heap_remove(&roster->mends, worker);
    enter(roster, worker, DYNO_WORKER_STOPPED, now);
    reconcile(roster, now);
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
    return any;
}

/* Whatever was there is not any more. */
static void leave_place(struct dyno_roster *roster, uint32_t worker)
{
    if (roster->places[worker].state == DYNO_WORKER_STARTING) {
        dyno_heap_remove(&roster->starts, worker);
    }
    dyno_dispatch_worker_gone(roster->config.dispatch, worker); /* who drains is already */
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
        roster->totals.losses += served;
        roster->places[worker].was_lost |= served;
    }
    if (mended_at == DYNO_NEVER) {
        dyno_heap_remove(&roster->mends, worker);
        reconcile(roster, now); /* elsewhere */
    } else if (mended_at > now) {
        dyno_heap_set(&roster->mends, worker, mended_at);
        reconcile(roster, now);
    } else {
        mend(roster, worker, now);
    }
    return served;
}

bool dyno_roster_is_gone(const struct dyno_roster *roster)
{
    return roster->counts[DYNO_WORKER_LOST] == roster->config.worker_count &&
           roster->mends.count == 0;
}

void dyno_roster_rest(struct dyno_roster *roster, struct dyno_workers *workers, dyno_ns now)
{
    if (roster->counts[DYNO_WORKER_DRAINING] == 0) {
        return;
    }
    for (uint32_t i = 0; i < roster->config.worker_count; i++) {
        if (roster->places[i].state == DYNO_WORKER_DRAINING &&
            dyno_dispatch_inflight(roster->config.dispatch, i) == 0 &&
            (!workers->ops->stop || workers->ops->stop(workers, now, i))) {
            enter(roster, i, DYNO_WORKER_STOPPED, now);
        }
    }
    reconcile(roster, now);
}

dyno_ns dyno_roster_next(const struct dyno_roster *roster)
{
    dyno_ns start = dyno_heap_key(&roster->starts), mended = dyno_heap_key(&roster->mends);

    return start < mended ? start : mended;
}

enum dyno_worker_state dyno_roster_state(const struct dyno_roster *roster, uint32_t worker)
{
    return roster->places[worker].state;
}

dyno_ns dyno_roster_since(const struct dyno_roster *roster, uint32_t worker)
{
    return roster->places[worker].since;
}

uint32_t dyno_roster_count(const struct dyno_roster *roster, enum dyno_worker_state state)
{
    return roster->counts[state];
}

dyno_ns dyno_roster_startup_mean(const struct dyno_roster *roster)
{
    return roster->started > 0 ? roster->startup_ns / roster->started : 0;
}

uint32_t dyno_roster_places(const struct dyno_roster *roster)
{
    return roster->config.worker_count;
}

uint32_t dyno_roster_inflight(const struct dyno_roster *roster, uint32_t worker)
{
    return dyno_dispatch_inflight(roster->config.dispatch, worker);
}

uint32_t dyno_roster_desired(const struct dyno_roster *roster)
{
    return roster->desired;
}

struct dyno_roster_totals dyno_roster_totals(const struct dyno_roster *roster, dyno_ns now)
{
    struct dyno_roster_totals totals = roster->totals;

    if (now > roster->counted_at) {
        add_time(roster, now, &totals);
    }
    return totals;
}

dyno_status dyno_roster_open(struct dyno_roster **out, const struct dyno_roster_config *config)
{
    struct dyno_roster *roster = calloc(1, sizeof *roster);

    assert(config->ready_first <= config->worker_count);
    if (!roster) {
        return DYNO_NO_MEMORY;
    }
    roster->config = *config;
    if (config->up_max == 0) {
        roster->config.up_max = config->worker_count;
    }
    roster->desired = config->ready_first;
    roster->places = calloc(config->worker_count, sizeof *roster->places);
    if (!roster->places || dyno_heap_reserve(&roster->starts, config->worker_count) != DYNO_OK ||
        dyno_heap_reserve(&roster->mends, config->worker_count) != DYNO_OK) {
        dyno_roster_close(roster);
        return DYNO_NO_MEMORY;
    }
    roster->counts[DYNO_WORKER_READY] = config->ready_first;
    roster->counts[DYNO_WORKER_STOPPED] = config->worker_count - config->ready_first;
    roster->totals.up_max = config->ready_first;
    for (uint32_t i = 0; i < config->worker_count; i++) {
        if (i < config->ready_first) {
            roster->places[i].state = DYNO_WORKER_READY;
        } else {
            dyno_dispatch_worker_gone(config->dispatch, i);
        }
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
