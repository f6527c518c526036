/* A baseline: what the runs of a suite came to, in a text file small enough to be kept beside the
 * code: every number of each run's summary, and digests in place of its requests.
 *
 *     {"dyno_gate_baseline": 1, "scenarios": [
 *       {"name": "chat.yaml", "requests": 8000, "asked": "16 hex digits", "served": "...",
 * "metrics": { "e2e_ms.mean": 7484.5,
 *         ...
 *
 * A metric a line, so that a change of the file shows what changed. */
#ifndef DYNO_REPORTS_BASELINE_H
#define DYNO_REPORTS_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "reports/stored_run.h"

/* What a run was asked (sessions and lengths of requests) and how it served them (where and when).
 */
struct dyno_run_digest {
    uint64_t requests, asked, served;
};

struct dyno_run_digest dyno_run_digest_of(const struct dyno_stored_run *run);

/* Write `runs` [count] of scenarios `names`.  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_baseline_write(const char *path, const char *const *names,
                                const struct dyno_stored_run *const *runs, uint32_t count,
                                struct dyno_error *error);

/* The metrics and the digest of a scenario; on success `out` has no requests, and is released by
 * dyno_stored_run_release.  Errors: DYNO_NOT_FOUND (no such file or scenario), DYNO_BAD_INPUT (a
 * file that is none, or of another version), DYNO_NO_MEMORY. */
dyno_status dyno_baseline_read(struct dyno_stored_run *out, struct dyno_run_digest *digest,
                               const char *path, const char *scenario, struct dyno_error *error);

#endif
