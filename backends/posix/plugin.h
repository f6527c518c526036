/* A routing policy from a shared object: see core/route/policy.h for what it must export. */
#ifndef DYNO_BACKENDS_POSIX_PLUGIN_H
#define DYNO_BACKENDS_POSIX_PLUGIN_H

#include "core/base/status.h"
#include "core/route/policy.h"

/* Load the policy at `path`.  A path without a slash is a file of the working directory; the
 * system's library path is not searched.  On success `*handle` is the caller's, to be closed after
 * the policy's last use; on failure both outputs are untouched and `error` says what is wrong and
 * what would be right: DYNO_NOT_FOUND (no such file), DYNO_BAD_INPUT (not a shared object, no
 * symbol dyno_route_plugin, a policy that is not whole), DYNO_UNSUPPORTED (another ABI). */
dyno_status dyno_plugin_open(const struct dyno_route_policy **out, void **handle, const char *path,
                             struct dyno_error *error);
void dyno_plugin_close(void *handle); /* NULL: no effect */

#endif
