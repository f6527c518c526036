/* AIPerf's folder: profile_export.jsonl, a request a line with metadata and a value and unit for
 * each metric, as AIPerf 13992dbd and its manual 0.13 have them, and the summary of the whole
 * (cli/bench/aiperf_summary.h).  `dyno bench` fills it as answers come, `dyno export` from a
 * database.
 *
 * By that tool's definitions: times count from when a request was sent; inter_token_latency is our
 * tpot, the list inter_chunk_latency our gaps.  Stamps are CLOCK_REALTIME. */
#ifndef DYNO_CLI_BENCH_AIPERF_H
#define DYNO_CLI_BENCH_AIPERF_H

#include "backends/load/load.h"
#include "cli/bench/aiperf_about.h"

struct dyno_aiperf;

/* The folder is made if it is not there; the files appear in it when it is closed.  `origin_ns` is
 * the world's time at the start of the run.  On success *out is closed with finish or abandon.
 * Errors: DYNO_IO, DYNO_BAD_INPUT (a name that is too long), DYNO_NO_MEMORY. */
dyno_status dyno_aiperf_open(struct dyno_aiperf **out, const char *folder, uint64_t origin_ns,
                             struct dyno_error *error);

/* Write an answer; `context` is a struct dyno_aiperf.  What cannot be written is said at the
 * end. */
void dyno_aiperf_add(void *context, const struct dyno_load_answer *answer);

/* Errors: DYNO_IO, also of what could not be added; `aiperf` is gone in any case. */
dyno_status dyno_aiperf_finish(struct dyno_aiperf *aiperf, const struct dyno_aiperf_about *about,
                               struct dyno_error *error);
void dyno_aiperf_abandon(struct dyno_aiperf *aiperf); /* NULL: no effect */

#endif
