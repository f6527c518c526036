/* Choosing by cost, the same for every policy that scores.
 *
 * Temperature 0 takes the least cost; among equals one is drawn uniformly, with one draw and only
 * if there are several.  Above 0 a worker is drawn with probability proportional to
 *
 *     exp(-(cost - least) / ((greatest - least) * temperature))     relative: to the spread
 *     exp(-(cost - least) / temperature)                            absolute: in units of the cost
 *
 * over the eligible workers.  A cost that is not a finite number is never chosen unless no eligible
 * worker has a finite one; then they are all equal.
 */
#include <stdbool.h>

#include "core/base/math.h"
#include "core/route/dice.h"

struct spread {
    uint32_t eligible;
    uint32_t finite; /* eligible with a finite cost */
    double least;
    double greatest;
};

static bool is_finite(double cost)
{
    return cost - cost == 0.0;
}

static struct spread survey(const struct dyno_route_view *view, const double *costs)
{
    struct spread spread = {.least = 0, .greatest = 0};

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        if (!view->eligible[worker]) {
            continue;
        }
        spread.eligible++;
        if (!is_finite(costs[worker])) {
            continue;
        }
        if (!spread.finite || costs[worker] < spread.least) {
            spread.least = costs[worker];
        }
        if (!spread.finite || costs[worker] > spread.greatest) {
            spread.greatest = costs[worker];
        }
        spread.finite++;
    }
    return spread;
}

/* The `nth` eligible worker, from 0, in worker order; of those that cost `least` if `by_cost`. */
static uint32_t nth(const struct dyno_route_view *view, const double *costs, bool by_cost,
                    double least, uint64_t n)
{
    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        if (view->eligible[worker] && (!by_cost || costs[worker] == least) && n-- == 0) {
            return worker;
        }
    }
    return DYNO_ROUTE_NONE;
}

/* As survey and nth, in one look, for who takes the least: *ties have it, and the first of them is
 * returned; DYNO_ROUTE_NONE: nobody eligible has a finite cost. */
static uint32_t cheapest(const struct dyno_route_view *view, const double *costs, uint32_t *ties)
{
    double least = __builtin_inf();
    uint32_t first = DYNO_ROUTE_NONE;

    *ties = 0;
    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        double cost = costs[worker];

        if (cost > least || !view->eligible[worker]) { /* the former is what most are */
            continue;
        }
        if (cost < least && cost > -__builtin_inf()) {
            least = cost;
            first = worker;
            *ties = 1;
        } else if (cost == least) {
            ++*ties;
        }
    }
    return first;
}

static uint64_t below(struct dyno_route_dice *dice, uint64_t bound)
{
    return dyno_rng_below(&dice->rng, bound);
}

static double unit(struct dyno_route_dice *dice)
{
    return dyno_rng_unit(&dice->rng);
}

/* The weight of a cost, or 0.  Two divisions, so that a tiny temperature makes no 0/0 of the least
 * cost; halves, so that the spread cannot overflow. */
static double weight(const struct spread *spread, double cost, double temperature, bool absolute)
{
    double above;

    if (!is_finite(cost)) {
        return 0.0;
    }
    if (cost == spread->least) {
        return 1.0;
    }
    above = absolute ? cost - spread->least
                     : (cost / 2 - spread->least / 2) / (spread->greatest / 2 - spread->least / 2);
    return dyno_exp(-(above / temperature));
}

/* One draw against the running sum of the weights, in worker order. */
static uint32_t draw_weighted(struct dyno_route_dice *dice, const struct dyno_route_view *view,
                              const double *costs, const struct spread *spread, double temperature,
                              bool absolute)
{
    double total = 0.0, reached = 0.0, target;
    uint32_t last = DYNO_ROUTE_NONE;

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        if (view->eligible[worker]) {
            total += weight(spread, costs[worker], temperature, absolute);
        }
    }
    target = unit(dice) * total;
    for (uint32_t worker = 0; worker < view->worker_count && reached <= target; worker++) {
        double share;

        if (!view->eligible[worker]) {
            continue;
        }
        share = weight(spread, costs[worker], temperature, absolute);
        if (share > 0.0) {
            reached += share;
            last = worker;
        }
    }
    return last;
}

static uint32_t choose(struct dyno_route_dice *dice, const struct dyno_route_view *view,
                       const double *costs, double temperature, int absolute)
{
    struct spread spread;

    if (!(temperature > 0.0)) {
        uint32_t ties, first = cheapest(view, costs, &ties);

        if (first != DYNO_ROUTE_NONE) {
            return ties == 1 ? first : nth(view, costs, true, costs[first], below(dice, ties));
        }
    }
    spread = survey(view, costs);
    if (!spread.eligible) {
        return DYNO_ROUTE_NONE;
    }
    if (!spread.finite) {
        return nth(view, costs, false, 0, spread.eligible > 1 ? below(dice, spread.eligible) : 0);
    }
    return draw_weighted(dice, view, costs, &spread, temperature, absolute != 0);
}

const struct dyno_route_services dyno_route_services = {
    .below = below,
    .unit = unit,
    .choose = choose,
};
