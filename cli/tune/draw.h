/* Points that are drawn, for searches. */
#ifndef DYNO_CLI_TUNE_DRAW_H
#define DYNO_CLI_TUNE_DRAW_H

#include "cli/tune/tune.h"
#include "core/base/rng.h"

/* Whether some trial is of this point. */
bool dyno_tune_is_known(const struct dyno_tune *tune, const struct dyno_tune_point *point);

/* A point evenly drawn that is not known; *is_new is false when none was found in a hundred tries.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_tune_draw(const struct dyno_tune *tune, struct dyno_rng *rng,
                           struct dyno_tune_point *out, bool *is_new, struct dyno_error *error);

/* Add `count` trials of points drawn; fewer where there are no others. */
dyno_status dyno_tune_add_drawn(struct dyno_tune *tune, struct dyno_rng *rng, uint32_t count,
                                double share, struct dyno_error *error);

/* The searches that are files of their own. */
dyno_status dyno_tune_search_model(struct dyno_tune *tune, struct dyno_error *error);

#endif
