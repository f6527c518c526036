/* The services that a policy is given: its dice, and choosing by cost. */
#ifndef DYNO_CORE_ROUTE_DICE_H
#define DYNO_CORE_ROUTE_DICE_H

#include "core/base/rng.h"
#include "core/route/policy.h"

struct dyno_route_dice {
    struct dyno_rng rng;
};

extern const struct dyno_route_services dyno_route_services;

#endif
