/* What the live page shows, as JSON: the fleet and its workers now, and the last fifteen minutes in
 * points of five seconds.
 *
 * {"now_s": whole seconds since the start, "model": "...", "models": ["..."], "version": "...",
 *  "point_s": 5, "window_s": 895,
 *  "fleet": {"in_flight": n, "running": n, "waiting": n, "connections": n, "hit_rate": as below,
 *            "kv": [{"tier": "g1", "used": blocks, "idle": blocks, "total": blocks}]},
 *  "workers": [{"name": "...", "model": "..." or null (there is one),
 *               "role": "decode", "prefill" or null (it serves whole requests),
 *               "state": "ready", "starting", "draining", "stopped", "lost" or null (all serve),
 *               "running": n, "waiting": n, "kv": [as above], "busy": 0..1 or null,
 *               "tokens_per_s": x or null, "hit_rate": 0..1 or null,
 *               "seen_s": seconds since the last look, or null}],
 *  "columns": ["at_s", ...], "points": [[...], ...],
 *  "errors": [{"reason": "...", "recent": n, "total": n}],
 *  "planner_now": [{"model": as above, "role": "serve", "decode" or "prefill", "desired": n,
 *                   "ready": n, "starting": n, "draining": n, "reason": "..."}] or null,
 *  "planner": [{"at_s": n, "model": as above, "text": "..."}] or null}
 *
 * A worker's rates are of the last five to ten seconds, hit rates of prompts of requests that ended
 * in this minute and the fourteen before it.  What a worker was not seen to have is 0.  Blocks of
 * the fleet are those of workers that are ready or draining.
 *
 * A point is a row with a number or null (nothing to tell) for each column:
 *
 *   at_s                      where it begins; a multiple of point_s
 *   requests_per_s            received
 *   errors_per_s              ended neither completed nor cancelled by their clients
 *   prompt_tokens_per_s       of requests that ended
 *   output_tokens_per_s       generated
 *   running, waiting          requests in the fleet, at its last look
 *   kv_used, kv_idle          shares of all blocks, at its last look
 *   hit_rate                  of prompt tokens of requests that ended
 *   ttft_p50_ms, ttft_p95_ms  of first tokens made in it
 *   tpot_p50_ms, tpot_p95_ms  of requests that completed in it
 *
 * Only whole seconds count, so the last point grows until its five seconds are over; all others
 * stay as they are.  "recent" counts the last fifteen minutes, "total" since the start; reasons
 * that never occurred are left out.  "planner" is null for a fleet that has none, and else has the
 * last twenty times that it wanted another number of workers of a role, the oldest first;
 * "planner_now" is null until it has looked for the first time.
 */
#ifndef DYNO_BACKENDS_DOOR_DASHBOARD_JSON_H
#define DYNO_BACKENDS_DOOR_DASHBOARD_JSON_H

#include <stddef.h>

#include "backends/door/telemetry.h"

/* Points that begin before `since_s` are left out (0: none is), so that a page that has them asks
 * for what is new: it passes the at_s of its last point.  On success *text is the caller's to free;
 * it ends with a NUL and has *size bytes before it.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_telemetry_json(const struct dyno_telemetry *telemetry, dyno_ns now,
                                uint64_t since_s, char **text, size_t *size);

#endif
