/* What other tools read of a benchmark: the file of `vllm bench serve --save-detailed`.
 *
 * Its figures are that tool's, by its definitions: TTFT, ITL and latency count from when a request
 * was sent, failed ones count for nothing, percentiles are interpolated, and the duration is from
 * the start of the run to its last event.  The texts of answers are not kept: each is "".
 */
#ifndef DYNO_CLI_BENCH_SAVE_H
#define DYNO_CLI_BENCH_SAVE_H

#include "backends/load/load.h"
#include "cli/scenario/scenario.h"

struct dyno_bench_saved;

/* On success *out is closed with dyno_bench_saved_close.  DYNO_NO_MEMORY. */
dyno_status dyno_bench_saved_open(struct dyno_bench_saved **out);
void dyno_bench_saved_close(struct dyno_bench_saved *saved); /* NULL: no effect */

/* Keep an answer; `context` is a struct dyno_bench_saved.  That memory was out is said when it is
 * written. */
void dyno_bench_saved_add(void *context, const struct dyno_load_answer *given);

/* Of the run. */
struct dyno_bench_saved_about {
    const char *model;
    const char *endpoint; /* "completions", "chat" */
    const char *date;     /* "20260102-030405" */
    const struct dyno_scenario *scenario;
    uint64_t within_slo; /* requests; counts if the scenario has objectives */
    /* Where the answers have no chunks: what is known of the gaps all the same, [4] mean, median,
     * standard deviation and p99, in ms.  NULL: they have them. */
    const double *itl_ms;
};

/* Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_bench_saved_write(struct dyno_bench_saved *saved, const char *path,
                                   const struct dyno_bench_saved_about *about,
                                   struct dyno_error *error);

#endif
