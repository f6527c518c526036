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

/* A request that waits for any worker is worth one. */
static uint32_t least_of(const struct dyno_plan_config *config, uint32_t lobby)
{
    return lobby > 0 && config->workers_min == 0 ? 1 : config->workers_min;
}

static uint32_t within_limits(const struct dyno_plan_config *config, uint32_t asked, uint32_t lobby)
{
    uint32_t least = least_of(config, lobby);

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

static uint32_t weight_of(const struct dyno_plan *plan)
{
    return plan->config.weight > 0 ? plan->config.weight : 1;
}

/* What each is to have, and where that begins: a worker for who is waited for. */
struct sharing {
    struct dyno_plan *const *plans;
    const uint32_t *wishes, *least; /* [count] */
    uint32_t *given;                /* [count] */
    uint32_t count;
    uint64_t budget;
};

static uint64_t weigh(struct dyno_plan *const plans[], const uint32_t *workers, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += (uint64_t)workers[i] * weight_of(plans[i]);
    }
    return sum;
}

/* What those who ask for more than their least ask for is what they need, rather than a step from
 * what they have. */
static bool know_needs(const struct sharing *sharing)
{
    struct dyno_capacity_costs costs;

    for (uint32_t i = 0; i < sharing->count; i++) {
        const struct dyno_plan *plan = sharing->plans[i];

        if (sharing->wishes[i] > sharing->least[i] &&
            ((plan->policy->needs & DYNO_PLAN_COUNTS_STEPS) ||
             !dyno_capacity_costs(&plan->capacity, &costs))) {
            return false;
        }
    }
    return true;
}

/* The leasts of some were more than there is for them. */
static void take_from_the_largest(const struct sharing *sharing)
{
    uint64_t given = weigh(sharing->plans, sharing->given, sharing->count);

    while (given > sharing->budget) {
        uint64_t most = 0;
        uint32_t largest = 0;

        for (uint32_t i = 0; i < sharing->count; i++) {
            uint64_t above =
                (uint64_t)(sharing->given[i] - sharing->least[i]) * weight_of(sharing->plans[i]);

            if (above > most) {
                largest = i;
                most = above;
            }
        }
        assert(most > 0); /* the leasts fit */
        sharing->given[largest]--;
        given -= weight_of(sharing->plans[largest]);
    }
}

/* Who asks for more than it has gets what nobody has, one by one. */
static void share_what_is_left(const struct sharing *sharing)
{
    uint64_t given;
    bool any = true;

    for (uint32_t i = 0; i < sharing->count; i++) {
        uint32_t has = sharing->plans[i]->desired;

        sharing->given[i] = sharing->wishes[i] < has ? sharing->wishes[i] : has;
        sharing->given[i] =
            sharing->given[i] > sharing->least[i] ? sharing->given[i] : sharing->least[i];
    }
    take_from_the_largest(sharing);
    given = weigh(sharing->plans, sharing->given, sharing->count);
    while (any) {
        any = false;
        for (uint32_t i = 0; i < sharing->count; i++) {
            uint32_t weight = weight_of(sharing->plans[i]);

            if (sharing->given[i] < sharing->wishes[i] && given + weight <= sharing->budget) {
                sharing->given[i]++;
                given += weight;
                any = true;
            }
        }
    }
}

/* The pool that lacks most of its part of the budget, of those that asked for more and that could
 * have it; count: there is none. */
static uint32_t most_short(const struct sharing *sharing, uint64_t left, uint64_t sum)
{
    uint32_t most = sharing->count;
    double lack = 0.0;

    for (uint32_t i = 0; i < sharing->count; i++) {
        uint32_t weight = weight_of(sharing->plans[i]);
        double share = (double)sharing->wishes[i] * (double)sharing->budget / (double)sum;
        double lacks = (share - sharing->given[i]) * weight;

        if (sharing->given[i] < sharing->wishes[i] && weight <= left &&
            (most == sharing->count || lacks > lack)) {
            most = i;
            lack = lacks;
        }
    }
    return most;
}

/* Each in proportion to what it asked for, but for its least. */
static void share_by_need(const struct sharing *sharing)
{
    uint64_t sum = weigh(sharing->plans, sharing->wishes, sharing->count), given;
    uint32_t next;

    for (uint32_t i = 0; i < sharing->count; i++) {
        uint32_t share = (uint32_t)(sharing->wishes[i] * sharing->budget / sum);

        sharing->given[i] = share > sharing->least[i] ? share : sharing->least[i];
    }
    take_from_the_largest(sharing);
    given = weigh(sharing->plans, sharing->given, sharing->count);
    while (given < sharing->budget &&
           (next = most_short(sharing, sharing->budget - given, sum)) < sharing->count) {
        sharing->given[next]++;
        given += weight_of(sharing->plans[next]);
    }
}

static void share_out(const struct sharing *sharing)
{
    if (weigh(sharing->plans, sharing->wishes, sharing->count) <= sharing->budget) {
        return; /* each has its wish already */
    }
    if (know_needs(sharing)) {
        share_by_need(sharing);
    } else {
        share_what_is_left(sharing);
    }
}

/* While those who are to have fewer still have what they had, the others get less of what they are
 * to have more. */
static void hold_within(struct dyno_plan *const plans[], uint32_t count, uint32_t budget,
                        struct dyno_plan_verdict verdicts[])
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += (uint64_t)verdicts[i].desired * weight_of(plans[i]);
    }
    while (sum > budget) {
        uint64_t most = 0;
        uint32_t largest = 0;

        for (uint32_t i = 0; i < count; i++) {
            uint32_t had = plans[i]->desired, wants = verdicts[i].desired;
            uint64_t more = wants > had ? (uint64_t)(wants - had) * weight_of(plans[i]) : 0;

            if (more > most) {
                largest = i;
                most = more;
            }
        }
        assert(most > 0);
        verdicts[largest].desired--;
        sum -= weight_of(plans[largest]);
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
    uint32_t wishes[POOLS_MAX] = {0}, asked[POOLS_MAX] = {0}, least[POOLS_MAX] = {0};

    assert(count <= POOLS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        learn(plans[i], &seen[i]);
        wishes[i] = within_limits(&plans[i]->config, plans[i]->policy->ask(plans[i], &seen[i]),
                                  seen[i].lobby);
        asked[i] = wishes[i];
        least[i] = least_of(&plans[i]->config, seen[i].lobby);
    }
    share_out(&(struct sharing){.plans = plans,
                                .wishes = wishes,
                                .least = least,
                                .given = asked,
                                .count = count,
                                .budget = budget});
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
