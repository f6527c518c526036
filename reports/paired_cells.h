/* The cells of a comparison: what the requests of every arm come to, cell by cell of time.  The
 * inside of reports/paired.c. */
#ifndef DYNO_REPORTS_PAIRED_CELLS_H
#define DYNO_REPORTS_PAIRED_CELLS_H

#include "reports/paired.h"

/* What is summed, and (latencies) sorted. */
enum dyno_paired_kind {
    DYNO_PAIRED_TTFT,
    DYNO_PAIRED_TPOT,
    DYNO_PAIRED_E2E,
    DYNO_PAIRED_QUEUE,
    DYNO_PAIRED_HIT_RATE,
    DYNO_PAIRED_GOODPUT,
    DYNO_PAIRED_COMPLETED,
};

#define DYNO_PAIRED_KINDS     (DYNO_PAIRED_COMPLETED + 1)
#define DYNO_PAIRED_LATENCIES (DYNO_PAIRED_QUEUE + 1) /* the first of them */

/* A latency of a completed request in ms, kind TTFT to QUEUE; negative: it has none. */
double dyno_paired_latency(const struct dyno_request_record *record, enum dyno_paired_kind kind);

/* Whether it completed within the objectives. */
bool dyno_paired_met(const struct dyno_request_record *record, const struct dyno_slo *slo);

/* A latency and where it lies, to be sorted. */
struct dyno_paired_placed {
    double value;
    uint32_t place;
};

/* One arm, as the bootstrap wants it: `places` are the cells of all streams, one after another. */
struct dyno_paired_side {
    double *sums[DYNO_PAIRED_KINDS];                          /* [places] numerators ... */
    double *counts[DYNO_PAIRED_KINDS];                        /* [places] ... and denominators */
    struct dyno_paired_placed *sorted[DYNO_PAIRED_LATENCIES]; /* [sorted_count]; NULL: means only */
    uint32_t sorted_count[DYNO_PAIRED_LATENCIES];
    /* Stretches of cells in which the slowest hundredth came. */
    uint32_t tails[DYNO_PAIRED_LATENCIES];
};

struct dyno_paired_cells {
    const struct dyno_paired_input *input;
    struct dyno_paired_figures *out;
    struct dyno_paired_side *sides; /* [arms] */
    uint32_t cells, places;         /* places = streams * cells */
    uint32_t width;                 /* figures: arms * METRICS */
    bool without_medians;           /* nobody asks draws for them */
};

/* Fill sides and the counts of `out`, from `input` and `cells`; released also after a failure.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_paired_cells_fill(struct dyno_paired_cells *work);
void dyno_paired_cells_release(struct dyno_paired_cells *work);

/* How many cells the requests of an input allow. */
uint32_t dyno_paired_cells_for(const struct dyno_paired_input *input);

#endif
