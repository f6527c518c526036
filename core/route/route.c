#include "core/route/route.h"

#include <stddef.h>
#include <string.h>

#include "core/route/table.h"

const struct dyno_route_policy *const dyno_route_table[] = {
    &dyno_route_round_robin,  &dyno_route_random,  &dyno_route_least_loaded,
    &dyno_route_power_of_two, &dyno_route_session, &dyno_route_kv,
    &dyno_route_kv_approx,    &dyno_route_lmetric, NULL,
};

const struct dyno_route_policy *dyno_route_find(const char *name)
{
    for (size_t i = 0; dyno_route_table[i]; i++) {
        if (strcmp(dyno_route_table[i]->name, name) == 0) {
            return dyno_route_table[i];
        }
    }
    return NULL;
}
