/* Policies that look at no cache: in turn, by chance, and by how many requests are in flight. */
#include <stdlib.h>

#include "core/route/table.h"

enum { TRIES = 8 };

/* The `nth` eligible worker, which must exist. */
static uint32_t nth_eligible(const struct dyno_route_view *view, uint64_t n)
{
    uint32_t worker = 0;

    while (!view->eligible[worker] || n-- > 0) {
        worker++;
    }
    return worker;
}

static uint32_t count_eligible(const struct dyno_route_view *view)
{
    uint32_t count = 0;

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        count += view->eligible[worker] != 0;
    }
    return count;
}

/* Uniform over the eligible workers: a few blind tries, as most workers mostly are. */
static uint32_t any_eligible(const struct dyno_route_view *view,
                             const struct dyno_route_services *services,
                             struct dyno_route_dice *dice)
{
    uint32_t count;

    for (int i = 0; i < TRIES; i++) {
        uint32_t worker = (uint32_t)services->below(dice, view->worker_count);

        if (view->eligible[worker]) {
            return worker;
        }
    }
    count = count_eligible(view);
    return count ? nth_eligible(view, services->below(dice, count)) : DYNO_ROUTE_NONE;
}

static int round_robin_open(void **state, const struct dyno_route_config *config,
                            uint32_t worker_count)
{
    uint32_t *next = calloc(1, sizeof *next);

    (void)config;
    (void)worker_count;
    *state = next;
    return next ? 0 : -1;
}

static uint32_t round_robin_pick(void *state, const struct dyno_route_config *config,
                                 const struct dyno_route_request *request,
                                 const struct dyno_route_view *view,
                                 const struct dyno_route_services *services,
                                 struct dyno_route_dice *dice, double *costs, int *scored)
{
    uint32_t *next = state;

    (void)config, (void)request, (void)services, (void)dice, (void)costs, (void)scored;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        uint32_t worker = *next;

        *next = worker + 1 < view->worker_count ? worker + 1 : 0;
        if (view->eligible[worker]) {
            return worker;
        }
    }
    return DYNO_ROUTE_NONE;
}

static uint32_t random_pick(void *state, const struct dyno_route_config *config,
                            const struct dyno_route_request *request,
                            const struct dyno_route_view *view,
                            const struct dyno_route_services *services,
                            struct dyno_route_dice *dice, double *costs, int *scored)
{
    (void)state, (void)config, (void)request, (void)costs, (void)scored;
    return any_eligible(view, services, dice);
}

static uint32_t least_loaded_pick(void *state, const struct dyno_route_config *config,
                                  const struct dyno_route_request *request,
                                  const struct dyno_route_view *view,
                                  const struct dyno_route_services *services,
                                  struct dyno_route_dice *dice, double *costs, int *scored)
{
    (void)state, (void)request;
    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        costs[worker] = (double)view->inflight[worker];
    }
    *scored = 1;
    return services->choose(dice, view, costs, config->temperature, config->temperature_absolute);
}

/* The eligible workers are numbered 0 .. n - 1; two different numbers are drawn, each pair equally
 * likely. */
static uint32_t power_of_two_pick(void *state, const struct dyno_route_config *config,
                                  const struct dyno_route_request *request,
                                  const struct dyno_route_view *view,
                                  const struct dyno_route_services *services,
                                  struct dyno_route_dice *dice, double *costs, int *scored)
{
    uint64_t n = count_eligible(view), first, second;
    uint32_t worker, rival;

    (void)state, (void)config, (void)request, (void)costs, (void)scored;
    if (n < 2) {
        return n ? nth_eligible(view, 0) : DYNO_ROUTE_NONE;
    }
    first = services->below(dice, n);
    second = (first + 1 + services->below(dice, n - 1)) % n;
    worker = n == view->worker_count ? (uint32_t)first : nth_eligible(view, first);
    rival = n == view->worker_count ? (uint32_t)second : nth_eligible(view, second);
    return view->inflight[worker] <= view->inflight[rival] ? worker : rival;
}

const struct dyno_route_policy dyno_route_round_robin = {
    .abi = DYNO_ROUTE_ABI,
    .name = "round_robin",
    .help = "each worker in turn",
    .open = round_robin_open,
    .close = free,
    .pick = round_robin_pick,
};

const struct dyno_route_policy dyno_route_random = {
    .abi = DYNO_ROUTE_ABI,
    .name = "random",
    .help = "any worker, all equally likely",
    .pick = random_pick,
};

const struct dyno_route_policy dyno_route_least_loaded = {
    .abi = DYNO_ROUTE_ABI,
    .name = "least_loaded",
    .help = "the worker with the fewest requests in flight",
    .pick = least_loaded_pick,
};

const struct dyno_route_policy dyno_route_power_of_two = {
    .abi = DYNO_ROUTE_ABI,
    .name = "power_of_two",
    .help = "two workers by chance, then the one with fewer requests in flight",
    .pick = power_of_two_pick,
};
