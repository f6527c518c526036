/* Searches: which points are tried, and on how many of the requests. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tune/draw.h"
#include "cli/tune/tune.h"

enum { BATCH = 64, RANDOM_TRIALS = 100, GRID_MAX = 10000, TRIES = 100 };

/* ---- grid ------------------------------------------------------------------------------------ */

static dyno_status search_grid(struct dyno_tune *tune, struct dyno_error *error)
{
    uint64_t size = dyno_tune_space_grid_size(&tune->space);
    uint64_t most = tune->options.trials > 0 ? tune->options.trials : GRID_MAX;

    if (size > most) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the grid has %" PRIu64 " points, and %" PRIu64
                         " may be tried (--trials); take fewer values, or --search random",
                         size, most);
    }
    for (uint64_t i = 0; i < size;) {
        uint32_t first = tune->trial_count;

        for (uint32_t j = 0; j < BATCH && i < size; j++, i++) {
            struct dyno_tune_point point;

            if (dyno_tune_space_grid(&tune->space, i, &point) != DYNO_OK ||
                !dyno_tune_add(tune, (uint32_t)i + 1, &point, 1.0)) {
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the points");
            }
        }
        DYNO_TRY(dyno_tune_run(tune, first, error));
    }
    return DYNO_OK;
}

/* ---- random ---------------------------------------------------------------------------------- */

bool dyno_tune_is_known(const struct dyno_tune *tune, const struct dyno_tune_point *point)
{
    for (uint32_t i = 1; i < tune->trial_count; i++) {
        if (dyno_tune_point_same(&tune->space, &tune->trials[i]->point, point)) {
            return true;
        }
    }
    return false;
}

dyno_status dyno_tune_draw(const struct dyno_tune *tune, struct dyno_rng *rng,
                           struct dyno_tune_point *out, bool *is_new, struct dyno_error *error)
{
    *is_new = false;
    for (uint32_t i = 0; i < TRIES && !*is_new; i++) {
        double at[DYNO_TUNE_DIMENSIONS_MAX];

        for (uint32_t j = 0; j < tune->space.count; j++) {
            const struct dyno_tune_dimension *dimension = &tune->space.items[j];

            at[j] = dimension->is_range ? dyno_rng_unit(rng)
                                        : (double)dyno_rng_below(rng, dimension->value_count);
        }
        if (dyno_tune_space_at(&tune->space, at, out) != DYNO_OK) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a point");
        }
        *is_new = !dyno_tune_is_known(tune, out);
        if (!*is_new) {
            dyno_tune_point_release(out);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_tune_add_drawn(struct dyno_tune *tune, struct dyno_rng *rng, uint32_t count,
                                double share, struct dyno_error *error)
{
    bool is_new = true;

    for (uint32_t i = 0; i < count && is_new; i++) {
        struct dyno_tune_point point;

        DYNO_TRY(dyno_tune_draw(tune, rng, &point, &is_new, error));
        if (is_new && !dyno_tune_add(tune, tune->points + 1, &point, share)) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the points");
        }
    }
    return DYNO_OK;
}

static uint32_t trials_of(const struct dyno_tune *tune)
{
    return tune->options.trials > 0 ? tune->options.trials : RANDOM_TRIALS;
}

static dyno_status search_random(struct dyno_tune *tune, struct dyno_error *error)
{
    uint32_t trials = trials_of(tune), before = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, tune->given.scenario.run.seed, "tune random");
    while (before != tune->trial_count && tune->points < trials) {
        uint32_t left = trials - tune->points;

        before = tune->trial_count;
        DYNO_TRY(dyno_tune_add_drawn(tune, &rng, left < BATCH ? left : BATCH, 1.0, error));
        DYNO_TRY(dyno_tune_run(tune, before, error));
    }
    return DYNO_OK;
}

/* ---- halving --------------------------------------------------------------------------------- */

/* Successive halving (Jamieson and Talwalkar, 2016): all points on a ninth of the requests, the
 * best third of them on a third, and the best third of those on all. */
enum { KEPT = 3, RUNGS = 3 };

/* Trials [first, first + count) by rank; of several goals those that fewer others beat in all of
 * them come first. */
struct ranked {
    const struct dyno_tune *tune;
    const struct dyno_tune_trial *trial;
    uint32_t beaten; /* by so many */
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;

    if (one->beaten != other->beaten) {
        return one->beaten < other->beaten ? -1 : 1;
    }
    return one->trial == other->trial                                 ? 0
           : dyno_tune_is_before(one->tune, one->trial, other->trial) ? -1
                                                                      : 1;
}

static uint32_t count_beating(const struct dyno_tune *tune, uint32_t first, uint32_t count,
                              uint32_t which)
{
    const struct dyno_tune_trial *trial = tune->trials[which];
    uint32_t beaten = 0;

    if (tune->aims.goal_count == 1 || !isfinite(trial->excess)) {
        return isfinite(trial->excess) ? 0 : count;
    }
    for (uint32_t i = first; i < first + count; i++) {
        const struct dyno_tune_trial *other = tune->trials[i];

        beaten += isfinite(other->excess) &&
                  (trial->excess > 0.0
                       ? other->excess < trial->excess
                       : !(other->excess > 0.0) &&
                             dyno_tune_dominates(&tune->aims, &other->result, &trial->result));
    }
    return beaten;
}

static dyno_status copy_point(const struct dyno_tune *tune, const struct dyno_tune_trial *from,
                              struct dyno_tune_point *out, struct dyno_error *error)
{
    return dyno_tune_space_at(&tune->space, from->point.at, out) == DYNO_OK
               ? DYNO_OK
               : dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a point");
}

/* The best third of the last rung's trials, on three times as much. */
static dyno_status add_rung(struct dyno_tune *tune, uint32_t first, uint32_t count, double share,
                            struct dyno_error *error)
{
    struct ranked *order = calloc(count, sizeof *order);
    dyno_status status = DYNO_OK;

    if (!order) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (struct ranked){.tune = tune,
                                   .trial = tune->trials[first + i],
                                   .beaten = count_beating(tune, first, count, first + i)};
    }
    qsort(order, count, sizeof *order, by_rank);
    for (uint32_t i = 0; i < (count + KEPT - 1) / KEPT && status == DYNO_OK; i++) {
        struct dyno_tune_point point;

        status = copy_point(tune, order[i].trial, &point, error);
        if (status == DYNO_OK && !dyno_tune_add(tune, order[i].trial->number, &point, share)) {
            status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
    }
    free(order);
    return status;
}

static dyno_status search_halving(struct dyno_tune *tune, struct dyno_error *error)
{
    static const double shares[RUNGS] = {1.0 / 9.0, 1.0 / 3.0, 1.0};
    uint32_t first = tune->trial_count;
    struct dyno_rng rng;

    dyno_rng_init(&rng, tune->given.scenario.run.seed, "tune random");
    DYNO_TRY(dyno_tune_add_drawn(tune, &rng, trials_of(tune), shares[0], error));
    DYNO_TRY(dyno_tune_run(tune, first, error));
    for (uint32_t rung = 1; rung < RUNGS; rung++) {
        uint32_t count = tune->trial_count - first;

        DYNO_TRY(add_rung(tune, first, count, shares[rung], error));
        first += count;
        DYNO_TRY(dyno_tune_run(tune, first, error));
    }
    return DYNO_OK;
}

const struct dyno_tune_search dyno_tune_searches[] = {
    {"grid", "every combination of the values", search_grid},
    {"random", "points evenly drawn [100]", search_random},
    {"halving",
     "points evenly drawn, each on a ninth of the requests; the best third of them on a third; the "
     "best third of those on all [100]",
     search_halving},
    {"model",
     "after some that are drawn, points of which a model of what was found so far expects most "
     "[60]; needs NLopt",
     dyno_tune_search_model},
    {NULL, NULL, NULL},
};
