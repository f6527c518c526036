/* Making another trace of one or several (inside this room; traces.h has what callers see). */
#ifndef DYNO_TRACES_SHAPE_H
#define DYNO_TRACES_SHAPE_H

#include "traces/pile.h"
#include "traces/traces.h"

/* What is left of `pile`, and what is added to it, into *out, in order of time; *conversations says
 * how many there were in it.  Both piles are the caller's.  Errors: DYNO_BAD_INPUT (nothing is
 * left), DYNO_NO_MEMORY. */
dyno_status dyno_shape(struct dyno_pile *out, const struct dyno_pile *pile,
                       const struct dyno_shape_config *config, uint64_t *conversations,
                       struct dyno_error *error);

#endif
