/* The built-in routing policies: one table, found by name. */
#ifndef DYNO_CORE_ROUTE_ROUTE_H
#define DYNO_CORE_ROUTE_ROUTE_H

#include "core/route/policy.h"

extern const struct dyno_route_policy *const dyno_route_table[]; /* NULL-terminated */

/* The policy called `name`, or NULL. */
const struct dyno_route_policy *dyno_route_find(const char *name);

#endif
