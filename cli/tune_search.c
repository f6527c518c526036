/* Searches: which points are tried. */
#include <stdlib.h>

#include "cli/tune.h"
#include "core/base/rng.h"

enum { BATCH = 64, RANDOM_TRIALS = 100, GRID_MAX = 10000, TRIES = 100 };

/* ---- grid ------------------------------------------------------------------------------------ */

static dyno_status search_grid(struct dyno_tune *tune, struct dyno_error *error)
{
    uint64_t size = dyno_tune_space_grid_size(&tune->space);
    uint64_t most = tune->options.trials > 0 ? tune->options.trials : GRID_MAX;

    if (size > most) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the grid has %llu points, and %llu may be tried (--trials); take fewer "
                         "values, or --search random",
                         (unsigned long long)size, (unsigned long long)most);
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

static bool is_known(const struct dyno_tune *tune, const struct dyno_tune_point *point)
{
    for (uint32_t i = 1; i < tune->trial_count; i++) {
        if (dyno_tune_point_same(&tune->space, &tune->trials[i]->point, point)) {
            return true;
        }
    }
    return false;
}

/* A point evenly drawn that was not tried; *is_new is false when none was found. */
static dyno_status draw(const struct dyno_tune *tune, struct dyno_rng *rng,
                        struct dyno_tune_point *out, bool *is_new)
{
    *is_new = false;
    for (uint32_t i = 0; i < TRIES && !*is_new; i++) {
        double at[DYNO_TUNE_DIMENSIONS_MAX];

        for (uint32_t j = 0; j < tune->space.count; j++) {
            const struct dyno_tune_dimension *dimension = &tune->space.items[j];

            at[j] = dimension->is_range ? dyno_rng_unit(rng)
                                        : (double)dyno_rng_below(rng, dimension->value_count);
        }
        DYNO_TRY(dyno_tune_space_at(&tune->space, at, out));
        *is_new = !is_known(tune, out);
        if (!*is_new) {
            dyno_tune_point_release(out);
        }
    }
    return DYNO_OK;
}

/* Add `count` trials of points drawn; fewer where there are no others. */
static dyno_status add_drawn(struct dyno_tune *tune, struct dyno_rng *rng, uint32_t count,
                             double share, struct dyno_error *error)
{
    bool is_new = true;

    for (uint32_t i = 0; i < count && is_new; i++) {
        struct dyno_tune_point point;

        if (draw(tune, rng, &point, &is_new) != DYNO_OK ||
            (is_new && !dyno_tune_add(tune, tune->points + 1, &point, share))) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the points");
        }
    }
    return DYNO_OK;
}

static dyno_status search_random(struct dyno_tune *tune, struct dyno_error *error)
{
    uint32_t trials = tune->options.trials > 0 ? tune->options.trials : RANDOM_TRIALS;
    uint32_t before = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, tune->given.scenario.run.seed, "tune random");
    while (before != tune->trial_count && tune->trial_count <= trials) {
        uint32_t left = trials + 1 - tune->trial_count;

        before = tune->trial_count;
        DYNO_TRY(add_drawn(tune, &rng, left < BATCH ? left : BATCH, 1.0, error));
        DYNO_TRY(dyno_tune_run(tune, before, error));
    }
    return DYNO_OK;
}

const struct dyno_tune_search dyno_tune_searches[] = {
    {"grid", "every combination of the values", search_grid},
    {"random", "points evenly drawn", search_random},
    {NULL, NULL, NULL},
};
