/* A JSON object of the user's, as members for another one. */
#ifndef DYNO_CLI_JSON_MEMBERS_H
#define DYNO_CLI_JSON_MEMBERS_H

#include "core/base/status.h"

/* `text` is an object; *out is ",\"a\":1,\"b\":[]", its members with a comma before each, to be
 * freed; NULL text leaves *out as it is.  `refused` (NULL-terminated) may not be among them.
 * Errors: DYNO_BAD_INPUT, which names `option`; DYNO_NO_MEMORY. */
dyno_status dyno_json_members(char **out, const char *text, const char *option,
                              const char *const *refused, struct dyno_error *error);

#endif
