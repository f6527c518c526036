/* The tick of every policy: learning, limits, and what keeps a fleet from swinging. */
#include "core/plan/plan.h"

#include <assert.h>
#include <string.h>

#include "core/plan/policies.h"

const struct dyno_plan_policy *const dyno_plan_table[] = {
    &dyno_plan_static,
    &dyno_plan_load,
    &dyno_plan_throughput,
    &dyno_plan_sla,
    &dyno_plan_hybrid,
    &dyno_plan_clairvoyant,
    NULL,
};

const struct dyno_plan_policy *dyno_plan_find(const char *name)
{
    uint32_t i = 0;

    while (dyno_plan_table[i] && strcmp(dyno_plan_table[i]->name, name) != 0) {
        i++;
    }
    return dyno_plan_table[i];
}

const char *dyno_plan_reason_name(enum dyno_plan_reason reason)
{
    static const char *const names[] = {"held",    "up",    "down",  "cooling",
                                        "waiting", "blind", "budget"};

    return names[reason];
}

void dyno_plan_init(struct dyno_plan *plan, const struct dyno_plan_policy *policy,
                    const struct dyno_plan_config *config, uint32_t desired)
{
    *plan = (struct dyno_plan){
        .policy = policy, .config = *config, .desired = desired, .fewer_since = DYNO_NEVER};
}

/* The first passes of a worker, over an empty cache, say nothing of what it will do. */
static void learn(struct dyno_plan *plan, const struct dyno_plan_observation *seen)
{
    for (uint32_t i = 0; i < seen->ready; i++) {
        if (seen->workers[i].known && seen->workers[i].warm) {
            dyno_capacity_learn(&plan->capacity, &seen->workers[i].work);
        }
    }
}

static uint32_t within_limits(const struct dyno_plan_config *config, uint32_t asked, uint32_t lobby)
{
    uint32_t least = config->workers_min;

    if (lobby > 0 && least == 0) {
        least = 1;
    }
    asked = asked < least ? least : asked;
    return asked > config->workers_max ? config->workers_max : asked;
}

static uint32_t unheard(const struct dyno_plan_observation *seen)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < seen->ready; i++) {
        count += !seen->workers[i].known;
    }
    return count;
}

/* Fewer are asked for: whether, and how far, to follow. */
static struct dyno_plan_verdict go_down(struct dyno_plan *plan,
                                        const struct dyno_plan_observation *seen, uint32_t asked)
{
    struct dyno_plan_verdict verdict = {
        .asked = asked, .desired = plan->desired, .reason = DYNO_PLAN_COOLING};
    bool foresees = (plan->policy->needs & DYNO_PLAN_NEEDS_FUTURE) != 0;

    if (plan->fewer_since == DYNO_NEVER) {
        plan->fewer_since = seen->now_ns;
        plan->fewer_most = asked;
    }
    plan->fewer_most = asked > plan->fewer_most ? asked : plan->fewer_most;
    if (seen->starting > 0) {
        verdict.reason = DYNO_PLAN_WAITING;
    } else if (foresees || seen->now_ns - plan->fewer_since >= plan->config.cooldown_ns) {
        verdict.desired = foresees ? asked : plan->fewer_most;
        verdict.reason = DYNO_PLAN_DOWN;
    }
    return verdict;
}

static struct dyno_plan_verdict settle(struct dyno_plan *plan,
                                       const struct dyno_plan_observation *seen, uint32_t asked)
{
    struct dyno_plan_verdict verdict = {
        .asked = asked, .desired = plan->desired, .reason = DYNO_PLAN_HELD};
    uint32_t missing = unheard(seen);

    if (asked < plan->desired && missing == 0) {
        return go_down(plan, seen, asked);
    }
    plan->fewer_since = DYNO_NEVER;
    if (missing > 0 && (missing == seen->ready || asked < plan->desired)) {
        verdict.reason = DYNO_PLAN_BLIND;
    } else if (asked > plan->desired) {
        bool waits = (plan->policy->needs & DYNO_PLAN_COUNTS_STEPS) && seen->starting > 0;

        verdict.reason = waits ? DYNO_PLAN_WAITING : DYNO_PLAN_UP;
        verdict.desired = waits ? plan->desired : asked;
    }
    return verdict;
}

/* ---- several pools --------------------------------------------------------------------------- */

enum { POOLS_MAX = 64 };

static uint64_t sum_of(const uint32_t *numbers, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += numbers[i];
    }
    return sum;
}

/* What all of them ask for is what they need, rather than a step from what they have. */
static bool know_needs(struct dyno_plan *const plans[], uint32_t count)
{
    struct dyno_capacity_costs costs;

    for (uint32_t i = 0; i < count; i++) {
        if ((plans[i]->policy->needs & DYNO_PLAN_COUNTS_STEPS) ||
            !dyno_capacity_costs(&plans[i]->capacity, &costs)) {
            return false;
        }
    }
    return true;
}

/* Who asks for more than it has gets what nobody has, one by one. */
static void share_what_is_left(struct dyno_plan *const plans[], uint32_t count, uint32_t budget,
                               uint32_t *asked)
{
    uint32_t wishes[POOLS_MAX], left = budget;
    bool any = true;

    for (uint32_t i = 0; i < count; i++) {
        wishes[i] = asked[i];
        asked[i] = asked[i] < plans[i]->desired ? asked[i] : plans[i]->desired;
        left -= asked[i];
    }
    while (left > 0 && any) {
        any = false;
        for (uint32_t i = 0; i < count && left > 0; i++) {
            if (asked[i] < wishes[i]) {
                asked[i]++;
                left--;
                any = true;
            }
        }
    }
}

/* The pool that lacks most of its part of the budget, of those that asked for more. */
static uint32_t most_short(const uint32_t *wishes, const uint32_t *given, uint32_t count,
                           uint64_t budget, uint64_t sum)
{
    uint32_t most = count;
    double lack = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        double lacks = (double)wishes[i] * (double)budget / (double)sum - given[i];

        if (given[i] < wishes[i] && (most == count || lacks > lack)) {
            most = i;
            lack = lacks;
        }
    }
    return most;
}

/* Each in proportion to what it asked for, but for its least. */
static void share_by_need(struct dyno_plan *const plans[], uint32_t count, uint32_t budget,
                          uint32_t *asked)
{
    uint64_t sum = sum_of(asked, count), given = 0;
    uint32_t wishes[POOLS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t least = plans[i]->config.workers_min;
        uint32_t share = (uint32_t)((uint64_t)asked[i] * budget / sum);

        wishes[i] = asked[i];
        asked[i] = share > least ? share : least;
        given += asked[i];
    }
    for (; given < budget; given++) {
        asked[most_short(wishes, asked, count, budget, sum)]++;
    }
    for (uint32_t largest = 0; given > budget; given--, largest = 0) {
        for (uint32_t i = 1; i < count; i++) { /* somebody's least was more than its share */
            uint32_t above = asked[i] - plans[i]->config.workers_min;

            largest = above > asked[largest] - plans[largest]->config.workers_min ? i : largest;
        }
        asked[largest]--;
    }
}

static void share_out(struct dyno_plan *const plans[], uint32_t count, uint32_t budget,
                      uint32_t *asked)
{
    if (sum_of(asked, count) <= budget) {
        return;
    }
    if (know_needs(plans, count)) {
        share_by_need(plans, count, budget, asked);
    } else {
        share_what_is_left(plans, count, budget, asked);
    }
}

/* While those who are to have fewer still have what they had, the others get less of what they are
 * to have more. */
static void hold_within(struct dyno_plan *const plans[], uint32_t count, uint32_t budget,
                        struct dyno_plan_verdict verdicts[])
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += verdicts[i].desired;
    }
    for (; sum > budget; sum--) {
        uint32_t largest = 0, more_of_it = 0;

        for (uint32_t i = 0; i < count; i++) {
            uint32_t had = plans[i]->desired, wants = verdicts[i].desired;

            if (wants > had && wants - had > more_of_it) {
                largest = i;
                more_of_it = wants - had;
            }
        }
        assert(more_of_it > 0);
        verdicts[largest].desired--;
    }
}

/* Why it has fewer than it asked for. */
static void say_short(const struct dyno_plan *plan, uint32_t asked,
                      struct dyno_plan_verdict *verdict)
{
    verdict->asked = asked;
    if (asked > verdict->desired && verdict->desired <= plan->desired &&
        (verdict->reason == DYNO_PLAN_HELD || verdict->reason == DYNO_PLAN_UP ||
         (verdict->reason == DYNO_PLAN_DOWN && asked >= plan->desired))) {
        verdict->reason = DYNO_PLAN_BUDGET;
    }
}

static void keep(struct dyno_plan *plan, const struct dyno_plan_observation *seen, uint32_t desired)
{
    if (desired != plan->desired) {
        plan->desired = desired;
        plan->changed_at = seen->now_ns;
        plan->fewer_since = DYNO_NEVER;
    }
}

void dyno_plan_tick_shared(struct dyno_plan *const plans[],
                           const struct dyno_plan_observation seen[], uint32_t count,
                           uint32_t budget, struct dyno_plan_verdict verdicts[])
{
    uint32_t wishes[POOLS_MAX], asked[POOLS_MAX];

    assert(count <= POOLS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        learn(plans[i], &seen[i]);
        wishes[i] = within_limits(&plans[i]->config, plans[i]->policy->ask(plans[i], &seen[i]),
                                  seen[i].lobby);
        asked[i] = wishes[i];
    }
    share_out(plans, count, budget, asked);
    for (uint32_t i = 0; i < count; i++) {
        verdicts[i] = settle(plans[i], &seen[i], asked[i]);
        verdicts[i].desired = within_limits(&plans[i]->config, verdicts[i].desired, seen[i].lobby);
    }
    hold_within(plans, count, budget, verdicts);
    for (uint32_t i = 0; i < count; i++) {
        say_short(plans[i], wishes[i], &verdicts[i]);
        keep(plans[i], &seen[i], verdicts[i].desired);
    }
}

struct dyno_plan_verdict dyno_plan_tick(struct dyno_plan *plan,
                                        const struct dyno_plan_observation *seen)
{
    struct dyno_plan_verdict verdict;

    dyno_plan_tick_shared(&plan, seen, 1, UINT32_MAX, &verdict);
    return verdict;
}
