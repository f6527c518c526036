/* Calibrations as files: YAML with the provenance beside every number. */
#ifndef DYNO_CLI_SCENARIO_CALIBRATION_FILE_H
#define DYNO_CLI_SCENARIO_CALIBRATION_FILE_H

#include "core/base/status.h"
#include "sim/calibration.h"

/*     gpu: h200
 *     engine: vllm                # if host costs are among the parameters
 *     source: kernel tables ...
 *     date: 2026-11-23
 *     data: 5d41402abc4b2a76      # of what was measured
 *     measured:
 *       tokens: [1, 32768]        # and columns, depth, context, sequences, gpus
 *     parameters:
 *       gemm_launch_us: {value: 4.0, standard_error: 0.007, samples: 4000}
 *       host_us: 900              # or a number alone
 *     correlations:               # of their errors, where a fit could tell two but together
 *       gemm_memory_efficiency: {host_us: 0.8}
 *
 * On failure *out is untouched.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT with file, line
 * and column: not YAML, an unknown key, a parameter out of its row's range. */
dyno_status dyno_calibration_read(struct dyno_calibration *out, const char *path,
                                  struct dyno_error *error);

/* Errors: DYNO_IO.  The file appears only when all of it is written. */
dyno_status dyno_calibration_write(const struct dyno_calibration *calibration, const char *path,
                                   struct dyno_error *error);

#endif
