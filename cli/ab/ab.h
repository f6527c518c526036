/* Everything that `dyno ab` finds out, for its table and its JSON. */
#ifndef DYNO_CLI_AB_AB_H
#define DYNO_CLI_AB_AB_H

#include <stdio.h>

#include "cli/ab/parting.h"
#include "cli/arms/arm_runs.h"
#include "reports/pairing.h"
#include "reports/verdict.h"

enum { DYNO_AB_SEEDS_MAX = 1000 };

struct dyno_ab_options {
    uint32_t seeds;   /* --seeds */
    uint32_t jobs;    /* --jobs: 0: as many as processors */
    uint32_t windows; /* --windows */
    uint32_t draws;   /* --draws */
    dyno_ns from_ns;  /* --from: requests that arrive earlier are not compared */
    dyno_ns until_ns; /* --until: nor those that arrive then or later; 0: no limit */
    const char *json; /* --json; NULL: none */
    const char *goal; /* --goal; NULL: goodput where there are objectives, else mean E2E */
};

/* The effect on some of the requests. */
struct dyno_ab_class {
    const char *kind; /* "prompt", ... */
    char label[48];
    struct dyno_paired_figures figures; /* means only */
};

/* A figure that a run has one of: its mean over seeds. */
struct dyno_ab_run_figure {
    const char *name, *label; /* as in docs/metrics.md; for the table */
    int decimals;
    struct dyno_estimate arm[DYNO_ARMS_MAX];
    struct dyno_estimate difference[DYNO_ARMS_MAX][DYNO_ARMS_MAX]; /* [a][b]: b less a */
};

enum { DYNO_AB_RUN_FIGURES = 8 };

struct dyno_ab {
    struct dyno_ab_options options;
    struct dyno_arms arms;
    struct dyno_arm_runs runs;
    struct dyno_pairing *pairings;  /* [runs.seeds] */
    struct dyno_paired_input input; /* of `figures`; its arrays are records and counts */
    const struct dyno_request_record **records;
    uint32_t *counts;
    uint32_t requests, unpaired, arrivals_moved; /* summed over seeds; requests: compared */
    struct dyno_paired_figures figures;
    struct dyno_ab_class *classes; /* [class_count] */
    uint32_t class_count;
    struct dyno_ab_run_figure run_figures[DYNO_AB_RUN_FIGURES];
    uint32_t parting_arms[2], parting_seed;
    bool parts; /* and `parting` says where */
    struct dyno_parting parting;
    uint32_t goal;     /* index of its metric */
    char invalid[512]; /* why the comparison says nothing; empty: it does */
    struct dyno_verdict verdict;
};

/* Fill `classes` from pairings and input.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_ab_classify(struct dyno_ab *ab);

/* Fill run_figures from the runs' summaries, and from what each part of their time adds to them.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_ab_figure_runs(struct dyno_ab *ab, struct dyno_error *error);

void dyno_ab_print(const struct dyno_ab *ab, FILE *out);

/* Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_ab_json(const struct dyno_ab *ab, const char *path, struct dyno_error *error);

#endif
