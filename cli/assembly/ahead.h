/* The requests of a scenario, read before its run and beside it. */
#ifndef DYNO_CLI_ASSEMBLY_AHEAD_H
#define DYNO_CLI_ASSEMBLY_AHEAD_H

#include <stdbool.h>

#include "cli/assembly/run_frame.h"
#include "core/model/request.h"

/* Whether they are gone when they have been read: standard input, a pipe. */
bool dyno_ahead_is_once(const struct dyno_scenario *scenario);

/* Who looks at them: one that comes `at`, and how many tokens its answer will have.  *enough is
 * false before; true after it: the others need not be read. */
typedef dyno_status dyno_ahead_see(void *context, dyno_ns at, const struct dyno_request *request,
                                   uint32_t output_tokens, bool *enough);

/* As a fleet would see them that answers at once.  Errors: those of `see`, and as
 * dyno_frame_open_source. */
dyno_status dyno_ahead_read(const struct dyno_scenario *scenario,
                            const struct dyno_frame_source *from, dyno_ahead_see *see,
                            void *context, struct dyno_error *error);

#endif
