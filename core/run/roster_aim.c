/* Towards what is desired: who starts, who drains, and whose place changes its role. */
#include "core/run/roster_parts.h"

/* Nobody is there, and it is not broken.  Of the workers of a place one at most is not stopped. */
static bool has_empty(const struct dyno_roster *roster)
{
    return roster->total - dyno_roster_in_state(roster, DYNO_WORKER_STOPPED) <
           roster->config.worker_count;
}

static uint32_t first_empty(const struct dyno_roster *roster)
{
    uint32_t place = 0;

    while (!dyno_roster_is_empty(roster, place)) {
        place++;
    }
    return place;
}

/* The start in the role that has longest to go; ties by the higher index. */
static uint32_t last_start(const struct dyno_roster *roster, enum dyno_worker_role role)
{
    struct dyno_heap_item last = {.key = 0, .id = DYNO_NO_WORKER};

    for (uint32_t i = 0; i < roster->starts.count; i++) {
        struct dyno_heap_item item = roster->starts.items[i];

        if (dyno_roster_role_of(roster, item.id) == role &&
            (last.id == DYNO_NO_WORKER || item.key > last.key ||
             (item.key == last.key && item.id > last.id))) {
            last = item;
        }
    }
    return last.id;
}

static uint32_t least_loaded(const struct dyno_roster *roster, enum dyno_worker_role role)
{
    uint32_t best = DYNO_NO_WORKER, fewest = UINT32_MAX, first = dyno_roster_first_of(roster, role);

    for (uint32_t i = first + roster->config.worker_count; i-- > first;) {
        uint32_t inflight = dyno_roster_inflight(roster, i);

        if (roster->places[i].state == DYNO_WORKER_READY && inflight < fewest) {
            fewest = inflight;
            best = i;
        }
    }
    return best;
}

/* A worker of the role that drains, and goes over or does not; the one that has least to do.
 * DYNO_NO_WORKER: there is none. */
static uint32_t draining(const struct dyno_roster *roster, enum dyno_worker_role role,
                         bool goes_over)
{
    uint32_t best = DYNO_NO_WORKER, fewest = UINT32_MAX, first = dyno_roster_first_of(roster, role);

    for (uint32_t i = first; i < first + roster->config.worker_count; i++) {
        const struct dyno_place *place = &roster->places[i];

        if (place->state == DYNO_WORKER_DRAINING && place->goes_over == goes_over) {
            uint32_t inflight = dyno_roster_inflight(roster, i);

            if (inflight < fewest) {
                fewest = inflight;
                best = i;
            }
        }
    }
    return best;
}

static uint32_t wanted(const struct dyno_roster *roster, enum dyno_worker_role role)
{
    return roster->counts[role][DYNO_WORKER_STARTING] + roster->counts[role][DYNO_WORKER_READY] +
           roster->coming[role];
}

static void shrink(struct dyno_roster *roster, enum dyno_worker_role role, dyno_ns now)
{
    enum dyno_worker_role other = dyno_roster_other_role(role);

    while (wanted(roster, role) > roster->desired[role] && roster->coming[role] > 0) {
        dyno_roster_keep_back(roster, draining(roster, other, true));
    }
    while (wanted(roster, role) > roster->desired[role] &&
           roster->counts[role][DYNO_WORKER_STARTING] > 0) {
        dyno_roster_call_off(roster, last_start(roster, role), now);
    }
    while (wanted(roster, role) > roster->desired[role]) {
        uint32_t worker = least_loaded(roster, role);

        dyno_roster_drain(roster, worker, now);
        if (wanted(roster, other) < roster->desired[other]) {
            dyno_roster_send_over(roster, worker, now);
        }
    }
}

/* Who drains in the other role anyhow comes over where no GPUs are left. */
static bool take_over_one(struct dyno_roster *roster, enum dyno_worker_role role, dyno_ns now)
{
    uint32_t worker = roster->config.prefill ? draining(roster, dyno_roster_other_role(role), false)
                                             : DYNO_NO_WORKER;

    if (worker != DYNO_NO_WORKER) {
        dyno_roster_send_over(roster, worker, now);
    }
    return worker != DYNO_NO_WORKER;
}

static void grow(struct dyno_roster *roster, enum dyno_worker_role role, dyno_ns now)
{
    while (wanted(roster, role) < roster->desired[role]) {
        if (!dyno_roster_is_full(roster) && has_empty(roster)) {
            dyno_roster_start(roster, dyno_roster_first_of(roster, role) + first_empty(roster),
                              now);
        } else if (!take_over_one(roster, role, now)) {
            break;
        }
    }
}

/* So many places are broken that nobody is left who decodes, or will: one that computes prompts
 * goes over.  Who decodes can do without the others, and they cannot do without it. */
static void keep_serving(struct dyno_roster *roster, dyno_ns now)
{
    const uint32_t *prompts = roster->counts[DYNO_ROLE_PREFILL];

    if (dyno_roster_in_state(roster, DYNO_WORKER_LOST) == 0 || !roster->config.prefill ||
        roster->desired[DYNO_ROLE_SERVE] == 0 || wanted(roster, DYNO_ROLE_SERVE) > 0) {
        return;
    }
    if (prompts[DYNO_WORKER_STARTING] > 0) {
        dyno_roster_call_off(roster, last_start(roster, DYNO_ROLE_PREFILL), now);
        dyno_roster_start(roster, first_empty(roster), now);
    } else if (prompts[DYNO_WORKER_READY] > 0) {
        uint32_t worker = least_loaded(roster, DYNO_ROLE_PREFILL);

        dyno_roster_drain(roster, worker, now);
        dyno_roster_send_over(roster, worker, now);
    }
}

void dyno_roster_reconcile(struct dyno_roster *roster, dyno_ns now)
{
    shrink(roster, DYNO_ROLE_SERVE, now);
    shrink(roster, DYNO_ROLE_PREFILL, now);
    grow(roster, DYNO_ROLE_SERVE, now);
    keep_serving(roster, now);
    grow(roster, DYNO_ROLE_PREFILL, now);
}
