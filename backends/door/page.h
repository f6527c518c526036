/* The live page: one HTML file with its style and script in it, which asks nothing of any server
 * but the one it came from.
 *
 * It is made of backends/door/page/ when the build is configured, and lies in the binary.  It
 * expects to be served as /dashboard (no slash behind), and asks /dashboard/data?since=SECONDS
 * (dashboard_json.h) and /v1/chat/completions, both with a bearer key once its reader gave one.
 */
#ifndef DYNO_BACKENDS_DOOR_PAGE_H
#define DYNO_BACKENDS_DOOR_PAGE_H

#include <stddef.h>

#define DYNO_DASHBOARD_TYPE "text/html; charset=utf-8"

/* Static; ends with a NUL and has *size bytes before it. */
const char *dyno_dashboard_html(size_t *size);

/* The value of Content-Security-Policy that belongs to it: only its own style and script, named by
 * their hashes, may run; it may talk to its own server only, be framed by nobody, and never parse
 * text as HTML. */
const char *dyno_dashboard_policy(void);

#endif
