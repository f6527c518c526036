/* The built-in policies; private to core/plan. */
#ifndef DYNO_CORE_PLAN_POLICIES_H
#define DYNO_CORE_PLAN_POLICIES_H

#include "core/plan/plan.h"

extern const struct dyno_plan_policy dyno_plan_static, dyno_plan_load, dyno_plan_throughput,
    dyno_plan_sla, dyno_plan_hybrid, dyno_plan_clairvoyant;

#endif
