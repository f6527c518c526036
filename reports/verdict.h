/* What a comparison comes to, in words, without saying more than the intervals do. */
#ifndef DYNO_REPORTS_VERDICT_H
#define DYNO_REPORTS_VERDICT_H

#include "reports/paired.h"

enum { DYNO_VERDICT_VALUE_MAX = 96 }; /* bytes of a value with its unit, its end included */

enum dyno_verdict_kind {
    DYNO_VERDICT_RANKED,     /* one arm is better than every other */
    DYNO_VERDICT_NOT_RANKED, /* the best are not to be told apart */
    DYNO_VERDICT_SAME,       /* every request was served the same in every arm */
    DYNO_VERDICT_INVALID,    /* the comparison says nothing */
};

struct dyno_verdict_input {
    const struct dyno_paired_figures *figures;
    uint32_t arms, seeds;
    const char *letters; /* [arms] */
    uint32_t goal;       /* the metric that ranks */
    bool same_traffic;   /* in every seed */
    bool is_same;        /* nothing differed */
    const char *invalid; /* why; NULL: it is not */
};

struct dyno_verdict {
    enum dyno_verdict_kind kind;
    int best; /* arm; -1: none */
    /* Of arms a < b by the goal: 1: b is better, -1: a is, 0: they cannot be ranked. */
    int rank[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX];
    double p[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX]; /* adjusted for all pairs (Holm) */
    /* By each metric, likewise, adjusted for all metrics and pairs. */
    int told[DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_ARMS_MAX][DYNO_PAIRED_METRICS];
    /* For the pair that is nearest to the best and not ranked: how many more seeds would show a
     * difference like the one seen in four of five tries; UINT32_MAX: more than a million.  Of a
     * trace: how many times as long it would have to be.  0: nothing is needed. */
    uint32_t more_seeds;
    double times_as_long;
    char words[4096];
};

void dyno_verdict_make(struct dyno_verdict *out, const struct dyno_verdict_input *input);

const char *dyno_verdict_name(enum dyno_verdict_kind kind); /* "RANKED", ... */

/* A metric's value with its unit: "196.8 ms", "80.1 %"; a difference has a sign, and that of shares
 * is in points. */
char *dyno_verdict_value(char out[DYNO_VERDICT_VALUE_MAX], uint32_t metric, double value,
                         bool is_difference);

#endif
