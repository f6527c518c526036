/* How a metric of a run is made of what its cells of time add up to, so that it can be told of
 * cells that were drawn again. */
#ifndef DYNO_CLI_SURE_RECIPE_H
#define DYNO_CLI_SURE_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/paired_cells.h"

/* What a cell adds up, of all requests or of those for one model. */
enum dyno_tune_sum {
    DYNO_TUNE_NOTHING,
    DYNO_TUNE_ONE,     /* the cell itself: a total is a mean over cells, times their number */
    DYNO_TUNE_SECONDS, /* of the run */
    DYNO_TUNE_GPU_SECONDS,
    DYNO_TUNE_KWH,  /* cli/sure/energy.h */
    DYNO_TUNE_COST, /* of GPU-hours, and of energy where that has a price */
    DYNO_TUNE_REQUESTS,
    DYNO_TUNE_COMPLETED,
    DYNO_TUNE_REJECTED,
    DYNO_TUNE_GOOD,
    DYNO_TUNE_PROMPT_TOKENS, /* of requests that completed */
    DYNO_TUNE_OUTPUT_TOKENS,
    DYNO_TUNE_LOOKED_UP_TOKENS, /* of prompts that were admitted ... */
    DYNO_TUNE_CACHED_TOKENS,    /* ... and of these, in a cache */
    DYNO_TUNE_PREEMPTIONS,
    DYNO_TUNE_LATENCIES, /* and behind it, for each kind: sum, count */
    DYNO_TUNE_SUMS = DYNO_TUNE_LATENCIES + 2 * (DYNO_PAIRED_QUEUE + 1),
};

#define DYNO_TUNE_ALL_MODELS UINT32_MAX

/* A figure: a quantile of a latency, or one sum over another. */
struct dyno_tune_recipe {
    double quantile; /* negative: a ratio */
    enum dyno_paired_kind latency;
    unsigned above, below; /* DYNO_TUNE_NOTHING: it cannot be made of cells */
    double times;          /* that much of a ratio: the cost of a million */
};

/* Of a metric by its name, "ttft_ms.p99" or "models.chat.ttft_ms.p99". */
struct dyno_tune_recipe dyno_tune_recipe_of(const char *name);

#endif
