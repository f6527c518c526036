/* What a response says again of its request.  Only for events.c. */
#ifndef DYNO_BACKENDS_OPENAI_EVENTS_ECHO_H
#define DYNO_BACKENDS_OPENAI_EVENTS_ECHO_H

#include "backends/openai/bytes.h"
#include "backends/openai/response.h"
#include "backends/openai/responses.h"

/* {"id":... and all members that do not change, without an end. */
void dyno_openai_put_echo(struct dyno_bytes *out, const struct dyno_openai_about *about,
                          const struct dyno_openai_responses *request);

#endif
