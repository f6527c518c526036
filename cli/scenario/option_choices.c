#include "cli/scenario/option_choices.h"

#include <stddef.h>

#include "cli/scenario/scenario.h"
#include "core/plan/forecast.h"
#include "core/plan/plan.h"
#include "core/route/admit.h"
#include "core/route/route.h"
#include "core/worker/config.h"
#include "core/worker/tiers.h"
#include "sim/timing.h"

const char *dyno_choice_engine(uint32_t index)
{
    return dyno_engine_table[index].name;
}

/* "engine", then the rows of hosts. */
const char *dyno_choice_host(uint32_t index)
{
    return index == 0 ? "engine" : dyno_engine_hosts[index - 1].name;
}

/* The built-in policies, then the word that stands for router.plugin. */
const char *dyno_choice_policy(uint32_t index)
{
    uint32_t count = 0;

    while (dyno_route_table[count]) {
        count++;
    }
    if (index < count) {
        return dyno_route_table[index]->name;
    }
    return index == count ? DYNO_POLICY_PLUGIN : NULL;
}

const char *dyno_choice_admission(uint32_t index)
{
    return dyno_admit_table[index].name;
}

/* "none", then the policies that plan. */
const char *dyno_choice_planner(uint32_t index)
{
    return index == 0                   ? "none"
           : dyno_plan_table[index - 1] ? dyno_plan_table[index - 1]->name
                                        : NULL;
}

const char *dyno_choice_predictor(uint32_t index)
{
    return dyno_predictor_table[index] ? dyno_predictor_table[index]->name : NULL;
}

const char *dyno_choice_built_in(uint32_t index)
{
    const char *name = dyno_choice_policy(index);

    return name && dyno_route_find(name) ? name : NULL;
}

const char *dyno_choice_store(uint32_t index)
{
    return dyno_store_policies[index].name;
}

const char *dyno_choice_evict(uint32_t index)
{
    return dyno_kv_evict_table[index].name;
}
