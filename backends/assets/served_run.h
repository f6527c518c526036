/* A benchmark of a served model, whichever tool recorded it: what was sent when, and how long it
 * took.
 *
 * The format is recognised by what the file holds:
 *   a recorded run       a folder with requests.jsonl and meta.json, or either (recorded_run.h)
 *   vllm bench serve     --save-result, with --save-detailed (a request each) or without (means and
 *                        percentiles); fields as of vLLM 009e6d4a, start_times since January 2026
 *   AIPerf               profile_export.jsonl; fields as of AIPerf 13992dbd and its manual 0.13
 */
#ifndef DYNO_BACKENDS_ASSETS_SERVED_RUN_H
#define DYNO_BACKENDS_ASSETS_SERVED_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_served_request {
    uint32_t input_tokens, output_tokens;
    double start_s; /* sent, counted from the first one */
    double ttft_s;  /* negative: not recorded */
    double e2e_s;   /* negative: not recorded */
};

enum dyno_served_metric {
    DYNO_SERVED_TTFT,
    DYNO_SERVED_TPOT,
    DYNO_SERVED_E2E,
    DYNO_SERVED_METRICS
};

/* A figure of the tool's own summary. */
struct dyno_served_figure {
    enum dyno_served_metric metric;
    double fraction; /* of a percentile, from 0 to 1; negative: the mean */
    double ms;
};

enum { DYNO_SERVED_FIGURES_MAX = 48 };

struct dyno_served_run {
    char tool[64]; /* in words */
    char date[32]; /* as the file gives it; may be empty */
    char model[96];
    bool is_timed;         /* start_s was recorded */
    bool is_of_engine;     /* stamps are the engine's: what the front end costs is not in them */
    double rate_per_s;     /* asked for; 0: as fast as the concurrency allows, or not said */
    double burstiness;     /* shape of the gamma law of the times between; 1 or 0: Poisson's */
    uint32_t concurrency;  /* at most so many in flight; 0: no limit, or not said */
    uint64_t left_out;     /* requests that failed, were cancelled or belonged to a warm-up */
    uint64_t input_tokens; /* of all that were completed */
    uint64_t output_tokens;
    uint64_t completed;
    struct dyno_served_request *requests; /* [request_count] in the order of their start; without
                                             any there are figures */
    size_t request_count;
    struct dyno_served_figure figures[DYNO_SERVED_FIGURES_MAX];
    uint32_t figure_count;
    /* The engine's settings; 0: not said. */
    uint32_t tp, seqs_max, batch_tokens_max, context_max, blocks, block_tokens;
};

/* On success released by dyno_served_run_release; on failure there is nothing to release.  Errors:
 * DYNO_NOT_FOUND, DYNO_IO, DYNO_NO_MEMORY, DYNO_BAD_INPUT with file, line or entry, and field. */
dyno_status dyno_served_run_read(struct dyno_served_run *out, const char *path,
                                 struct dyno_error *error);
void dyno_served_run_release(struct dyno_served_run *run);

/* Milliseconds of `metric` of one request; negative: it has none. */
double dyno_served_ms(const struct dyno_served_request *request, enum dyno_served_metric metric);

#endif
