/* Measured machines as files: JSON.
 *
 *     {"dyno_machine": 1, "device": "cpu", "model": "austen-2m", "threads": 2,
 *      "rows_ns": [[1, 900000], [2, 950000], ...], "yields_ns": [[1, 40000], ...],
 *      "idle_ns": [[1, 300000], ...], "pair_ns": 0.4, "context_ns": 0.4, "pass_ns": 30000}
 *
 * Files of before pauses were measured have no idle_ns: nothing, then.  CPUs have context_near and
 * context_far_ns (sim/machine.h), where files of before have context_ns for all tokens.  Beside the
 * threads those of GPUs have kv_tokens, and those of workers of several ranks tp.
 */
#ifndef DYNO_CLI_SCENARIO_MACHINE_FILE_H
#define DYNO_CLI_SCENARIO_MACHINE_FILE_H

#include "sim/machine.h"

/* On failure *out is untouched.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT with the file, the
 * key and what would be right. */
dyno_status dyno_machine_read(struct dyno_machine *out, const char *path, struct dyno_error *error);

/* Errors: DYNO_IO. */
dyno_status dyno_machine_write(const struct dyno_machine *machine, const char *path,
                               struct dyno_error *error);

#endif
