/* The built-in policies by their variables; only core/route/route.c lists them. */
#ifndef DYNO_CORE_ROUTE_TABLE_H
#define DYNO_CORE_ROUTE_TABLE_H

#include "core/route/policy.h"

extern const struct dyno_route_policy dyno_route_round_robin;
extern const struct dyno_route_policy dyno_route_random;
extern const struct dyno_route_policy dyno_route_least_loaded;
extern const struct dyno_route_policy dyno_route_power_of_two;
extern const struct dyno_route_policy dyno_route_session;
extern const struct dyno_route_policy dyno_route_kv;
extern const struct dyno_route_policy dyno_route_kv_approx;
extern const struct dyno_route_policy dyno_route_lmetric;

#endif
