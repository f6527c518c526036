/* An example of a routing policy as a plug-in: two tiers.
 *
 * First tier: if some worker has at least `share` of the prompt in its cache and at most `slack`
 * more requests in flight than the least loaded, the one of these with the most cached.  Second
 * tier: otherwise the least loaded.  In words: follow the cache while that is worth it and not
 * crowded.
 *
 * router.args: "share=0.5,slack=4" (these are the defaults); either may be left out.
 *
 * Build:  cc -shared -fPIC -I<tree> two_tier.c -o two_tier.so
 * Use:    dyno replay --policy ./two_tier.so --policy-args share=0.3,slack=2 ...
 */
#include <stdlib.h>
#include <string.h>

#include "core/route/policy.h"

struct two_tier {
    double share;   /* of the prompt's blocks, 0 .. 1 */
    uint32_t slack; /* requests */
};

/* "share=0.5": the number after the name, or -1. */
static double number_after(const char *text, const char *name, const char **end)
{
    size_t length = strlen(name);
    char *stop;
    double number;

    if (strncmp(text, name, length) != 0 || text[length] != '=') {
        return -1.0;
    }
    number = strtod(text + length + 1, &stop);
    if (stop == text + length + 1 || (*stop != ',' && *stop != '\0')) {
        return -1.0;
    }
    *end = *stop == ',' ? stop + 1 : stop;
    return number;
}

static int parse(struct two_tier *tiers, const char *args)
{
    while (*args) {
        const char *rest = args;
        double share = number_after(args, "share", &rest);
        double slack = number_after(args, "slack", &rest);

        if (share >= 0.0 && share <= 1.0) {
            tiers->share = share;
        } else if (slack >= 0.0 && slack <= 1e6) {
            tiers->slack = (uint32_t)slack;
        } else {
            return -1; /* neither, or out of range: dyno says so and stops */
        }
        args = rest;
    }
    return 0;
}

static int two_tier_open(void **state, const struct dyno_route_config *config,
                         uint32_t worker_count)
{
    struct two_tier *tiers = malloc(sizeof *tiers);

    (void)worker_count;
    if (!tiers) {
        return -1;
    }
    *tiers = (struct two_tier){.share = 0.5, .slack = 4};
    if (parse(tiers, config->args) != 0) {
        free(tiers);
        return -1;
    }
    *state = tiers;
    return 0;
}

static uint32_t least_inflight(const struct dyno_route_view *view)
{
    uint32_t least = UINT32_MAX;

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        if (view->eligible[worker] && view->inflight[worker] < least) {
            least = view->inflight[worker];
        }
    }
    return least;
}

/* Costs below 0 are the first tier, so that `choose` settles both, and ties too. */
static uint32_t two_tier_pick(void *state, const struct dyno_route_config *config,
                              const struct dyno_route_request *request,
                              const struct dyno_route_view *view,
                              const struct dyno_route_services *services,
                              struct dyno_route_dice *dice, double *costs, int *scored)
{
    const struct two_tier *tiers = state;
    double wanted = tiers->share * request->prompt_blocks;
    uint32_t least = least_inflight(view);

    (void)config;
    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        double overlap = view->overlap_blocks[worker];

        costs[worker] = view->inflight[worker];
        if (overlap > 0.0 && overlap >= wanted && view->eligible[worker] &&
            view->inflight[worker] - least <= tiers->slack) {
            costs[worker] = -overlap;
        }
    }
    *scored = 1;
    return services->choose(dice, view, costs, 0.0, 0);
}

static const struct dyno_route_policy two_tier = {
    .abi = DYNO_ROUTE_ABI,
    .needs = DYNO_ROUTE_NEEDS_OVERLAP,
    .name = "two_tier",
    .help = "the largest cached prefix where it is worth it and not crowded, else the least loaded",
    .open = two_tier_open,
    .close = free,
    .pick = two_tier_pick,
};

const struct dyno_route_policy *dyno_route_plugin(void)
{
    return &two_tier;
}
