/* The generator's parameters that come closest to a recorded trace (inside this room). */
#ifndef DYNO_TRACES_FIT_H
#define DYNO_TRACES_FIT_H

#include "traces/pile.h"
#include "traces/traces.h"

/* Of the pile's rows, in order of time.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_fit_rows(struct dyno_trace_fit *out, const struct dyno_pile *pile,
                          uint32_t common_min, struct dyno_error *error);

#endif
