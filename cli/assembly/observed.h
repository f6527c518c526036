/* A source that shows every request it hands on: to the bound with perfect foresight, or to whoever
 * wants to know which requests share a prefix. */
#ifndef DYNO_CLI_ASSEMBLY_OBSERVED_H
#define DYNO_CLI_ASSEMBLY_OBSERVED_H

#include "core/run/source.h"

/* A failure is one of the source's take. */
typedef dyno_status dyno_see_request(void *context, const struct dyno_request *request);

/* On success *out owns `inner` and closes it; `context` is not owned. */
dyno_status dyno_observed_open(struct dyno_source **out, struct dyno_source *inner,
                               dyno_see_request *see, void *context);

#endif
