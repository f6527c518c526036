/* A source that shows every request it hands on to the bound with perfect foresight. */
#ifndef DYNO_CLI_OBSERVED_H
#define DYNO_CLI_OBSERVED_H

#include "core/kv/belady.h"
#include "core/run/source.h"

/* On success *out owns `inner` and closes it; `belady` is not owned. */
dyno_status dyno_observed_open(struct dyno_source **out, struct dyno_source *inner,
                               struct dyno_belady *belady);

#endif
