/* The tick of every policy: learning, limits, and what keeps a fleet from swinging. */
#include "core/plan/plan.h"

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
    static const char *const names[] = {"held", "up", "down", "cooling", "waiting", "blind"};

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

struct dyno_plan_verdict dyno_plan_tick(struct dyno_plan *plan,
                                        const struct dyno_plan_observation *seen)
{
    struct dyno_plan_verdict verdict;
    uint32_t asked;

    learn(plan, seen);
    asked = within_limits(&plan->config, plan->policy->ask(plan, seen), seen->lobby);
    verdict = settle(plan, seen, asked);
    verdict.desired = within_limits(&plan->config, verdict.desired, seen->lobby);
    if (verdict.desired != plan->desired) {
        plan->desired = verdict.desired;
        plan->changed_at = seen->now_ns;
        plan->fewer_since = DYNO_NEVER;
    }
    return verdict;
}
