/* The same requests under several arms: every figure of every arm, and of every difference, with
 * an interval.
 *
 * Pairs.  Request i of a stream is the same request in every arm.  Latencies are compared over
 * those that completed in every arm; how many did not is told beside.
 *
 * Streams are seeds.  Where each seed brings other traffic (a generator) and there are
 * DYNO_PAIRED_REPLICATES or more, an interval is Student's t over the seeds' own differences, moved
 * by the skewness that draws within runs show.  Else it is the moving-block bootstrap of
 * reports/stats/bootstrap.h.  With a trace the streams are the same traffic: blocks are drawn
 * alike in all of them, and more seeds tell more of the router's dice only.
 *
 * What an interval is about: the difference over a long run of traffic by the same law.  For the
 * very requests that were replayed, a simulated difference is exact. */
#ifndef DYNO_REPORTS_PAIRED_H
#define DYNO_REPORTS_PAIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/model/record.h"
#include "core/run/metrics.h"
#include "reports/stats/bootstrap.h"

enum {
    DYNO_PAIRED_ARMS_MAX = 8,
    DYNO_PAIRED_METRICS = 14,
    DYNO_PAIRED_REPLICATES = 5,
    DYNO_PAIRED_CELLS_MAX = DYNO_CELLS_MAX,
    DYNO_PAIRED_REQUESTS_MIN = 30, /* a class of fewer has no intervals */
    /* A p99 is made by few bad moments.  It has an interval where so many times as much was seen as
     * the traffic remembers (the length of a block that the data ask for), or so many seeds. */
    DYNO_PAIRED_TAIL_MEMORIES = 100,
    DYNO_PAIRED_TAIL_SEEDS = 20,
    DYNO_PAIRED_TAIL_REQUESTS = 80, /* ... and where so many lie beyond it */
};

/* What a figure is: its name as in docs/metrics.md, and which way is better. */
struct dyno_paired_metric {
    const char *name;
    bool higher_is_better;
    bool is_latency; /* in milliseconds; else a share, 0 ... 1 */
};

extern const struct dyno_paired_metric dyno_paired_metrics[DYNO_PAIRED_METRICS];

/* The index of a metric by its name; DYNO_PAIRED_METRICS: none. */
uint32_t dyno_paired_metric_find(const char *name);

struct dyno_paired_input {
    uint32_t arms, streams;
    bool same_traffic; /* in every stream */
    bool by_order;     /* cells are of as many requests each, not of as much time */
    bool means_only;   /* no percentiles */
    struct dyno_slo slo;
    const struct dyno_request_record *const *records; /* [arms * streams], arm by arm; each: */
    const uint32_t *counts; /* [streams] requests, the same in every arm */
    /* Which to look at: those of class `only` in classes[stream][request]; NULL: all. */
    const uint32_t *const *classes;
    uint32_t only;
    /* 0: to be found.  Else as another call found them. */
    uint32_t cells, block_cells;
    double memories; /* as another call found it, with them */
    uint32_t draws;
    uint64_t seed;
};

/* The blocks of one metric one by one (of means only): in how many the second arm's sum is less and
 * more, and how likely that is by chance: by the signs alone, and by turning them. */
struct dyno_paired_blocks {
    uint32_t count, less, more;
    double sign_p, flip_p;
};

struct dyno_paired_figures {
    uint32_t requests;   /* looked at, all streams ... */
    uint32_t incomplete; /* ... of which some arm did not complete so many */
    uint32_t cells, block_cells;
    double memories;    /* how often all cells hold the block that the data ask for */
    bool by_replicates; /* intervals are over seeds */
    struct dyno_estimate arm[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_METRICS];
    /* [a][b], a < b: b less a. */
    struct dyno_estimate difference[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX]
                                   [DYNO_PAIRED_METRICS];
    /* Blocks of time, or seeds where intervals are over seeds. */
    struct dyno_paired_blocks blocks[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX]
                                    [DYNO_PAIRED_METRICS];
    /* Requests whose e2e is less in b than in a, and those whose is more. */
    uint32_t wins[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX];
    uint32_t losses[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX];
};

/* Errors: DYNO_NO_MEMORY. */
dyno_status dyno_paired_compute(struct dyno_paired_figures *out,
                                const struct dyno_paired_input *input);

#endif
