/* Plug-ins with one thing wrong each, by VARIANT. */
#include <stddef.h>

#include "core/route/policy.h"

enum { NO_SYMBOL = 1, OTHER_ABI, NO_NAME, NO_PICK, OTHER_NEEDS, NO_POLICY };

#if VARIANT == 1
const struct dyno_route_policy *some_other_function(void);
#define dyno_route_plugin some_other_function
#endif

static uint32_t pick(void *state, const struct dyno_route_config *config,
                     const struct dyno_route_request *request, const struct dyno_route_view *view,
                     const struct dyno_route_services *services, struct dyno_route_dice *dice,
                     double *costs, int *scored)
{
    (void)state, (void)config, (void)request, (void)view;
    (void)services, (void)dice, (void)costs, (void)scored;
    return 0;
}

static const struct dyno_route_policy policy = {
    .abi = VARIANT == OTHER_ABI ? DYNO_ROUTE_ABI + 1 : DYNO_ROUTE_ABI,
    .needs = VARIANT == OTHER_NEEDS ? 1u << 30 : 0,
    .name = VARIANT == NO_NAME ? NULL : "variant",
    .help = "wrong in one way",
    .pick = VARIANT == NO_PICK ? NULL : pick,
};

const struct dyno_route_policy *dyno_route_plugin(void)
{
    return VARIANT == NO_POLICY ? NULL : &policy;
}
