/* Confidence intervals for figures of runs whose requests are not independent.
 *
 * A run is cut into cells of time.  The circular moving-block bootstrap (Politis and Romano, 1992)
 * draws blocks of consecutive cells with replacement until a run is filled again; every figure of
 * the refilled run is computed from how often each cell was drawn, so that what lies in one block
 * (a queue and all who waited in it) is drawn together, and two arms are drawn together too.  The
 * spread of a figure over many draws is its standard error.
 *
 * How long a block must be is asked of the data (dyno_memory_of), and it is longer where there
 * would be more than DYNO_BLOCKS_MAX of them: a dependence that the data do not show well is then
 * inside blocks too, for a few degrees of freedom (Schmeiser, 1982).  An interval is the figure +-
 * Student's t times the standard error.  That is the draws', multiplied by sqrt(k / (k - 1)) for k
 * blocks, as drawing around a run's own mean loses that; and by the root of what two lengths of
 * blocks show to be missing in it, or too much (reports/stats/long_run.h), of the figure's own
 * cells; and, of means and tails, by 1 + 2 / m for a run that holds the memory of its traffic m
 * times: it shows less of a dependence than there is.  Both ends are moved by what skewness asks
 * for (Hall, 1992), a queue's mean being more often far above its truth than far below: of means
 * and tails one and a half times the draws' own, as few blocks that remember each other show two
 * thirds of it, and of latencies what a queue's mean has by theory (dyno_bootstrap_waiting).  2
 * and 1.5 are not derived: they were chosen by coverage in queues, and docs/ab.md has what they
 * come to.
 *
 * Range: at least DYNO_BLOCKS_MIN blocks; a run with fewer has no interval.  A dependence longer
 * than the run cannot be seen in it.  tests/reports/test_paired.c measures the coverage. */
#ifndef DYNO_REPORTS_STATS_BOOTSTRAP_H
#define DYNO_REPORTS_STATS_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "reports/stats/long_run.h"

struct dyno_bootstrap {
    uint32_t streams;     /* runs, drawn on their own ... */
    bool shared;          /* ... or all alike: the same traffic, seen several times */
    uint32_t cells;       /* of each */
    uint32_t block_cells; /* consecutive ones drawn at once; 1 ... cells */
    uint32_t least_cells; /* as in struct dyno_long_run_input */
    uint32_t draws;
    uint64_t seed;
};

/* `weights` [streams][cells]: how often each cell was drawn.  Fills `figures` [figure_count]. */
typedef void dyno_figures_of_weights(void *context, const uint32_t *weights, double *figures);

/* Fill `out` [draws][figure_count].  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_bootstrap_draw(double *out, uint32_t figure_count,
                                const struct dyno_bootstrap *bootstrap,
                                dyno_figures_of_weights *compute, void *context);

/* Blocks in all; what shared streams add is not counted, for they do not add traffic. */
double dyno_bootstrap_blocks(const struct dyno_bootstrap *bootstrap);

/* A figure and what is known of it. */
struct dyno_estimate {
    double value;
    double error;     /* standard error; NAN: not known */
    double freedom;   /* degrees of it */
    double low, high; /* 95 % interval; NAN: not known */
    double p;         /* of |value| or more if the truth were 0; NAN: not known */
};

/* A figure, drawn again. */
struct dyno_drawn {
    const double *draws; /* [draws] */
    /* [streams][cells] what each cell adds to the figure, as far as that is a mean of cells: off
     * its truth it is by about their mean, which is 0 for the run itself. */
    const double *influence;
};

/* From the figure itself and its spread.  `is_bounded`: no request moves it far (a share, a
 * median); then a run shows all of its spread and skewness. */
struct dyno_estimate dyno_bootstrap_estimate(const struct dyno_bootstrap *bootstrap, double value,
                                             const struct dyno_drawn *drawn, bool is_bounded);

/* Of a mean or a tail of latencies, or the difference of two.  `level` is the latency, of a
 * difference the mean of both; `levels` [draws] are its draws.
 *
 * A run that did not see a queue at its longest shows too short a latency, too little of its spread
 * and too little of its skewness, all at once, so that nothing in it says so; theory does.  In
 * heavy traffic a queue's mean is as 1 / (1 - load), and the standard deviation of a run's mean as
 * the square of that (Whitt, 1989, Planning queueing simulations): the `power` of a latency is 2.
 * So is that of a difference of two that have nothing to do with each other; that of one that a
 * small change makes to the same work is the derivative's, 3.  The standard error of a mean of
 * skewed parts grows by half of that mean's skewness where the mean grows by one (the covariance of
 * a mean and its variance is the third moment), so twice the growth is the skewness to remove:
 * 2 power error / level, times by how much the level rises where the figure does by one, over the
 * draws (nothing where the two have nothing to do with each other; latencies that hardly wait have
 * a small error for their level).  It moves the end on its side, if that moves it farther than
 * dyno_bootstrap_estimate did; the other end stays, so that arms that do not differ are told apart
 * as seldom.  The transform is Hall's exponential one (1992), as the cubic one turns around at such
 * skewnesses. */
struct dyno_estimate dyno_bootstrap_waiting(const struct dyno_bootstrap *bootstrap, double value,
                                            const struct dyno_drawn *drawn, double level,
                                            double power, const double *levels);

/* As which power of a latency its spread grows, and that of a difference, which is between 2 and
 * 3. */
double dyno_waiting_power(bool is_difference);

/* From independent replicates of a figure [count], 2 or more: Student's t. */
struct dyno_estimate dyno_estimate_of_replicates(const double *values, uint32_t count);

/* Of a figure over replicates, from what each adds to it [count], such as the jackknife's
 * pseudo-values, whose own mean is not used: of a percentile it is far off.  Moved by the skewness
 * of `draws` within the replicates, which so few of them cannot show: as far as the spread of the
 * draws explains theirs. */
struct dyno_estimate dyno_bootstrap_replicates(const struct dyno_bootstrap *bootstrap, double value,
                                               const double *added, uint32_t count,
                                               const double *draws, uint32_t stride);

/* Of a figure's cells [streams][cells]. */
struct dyno_long_run dyno_bootstrap_long_run(const struct dyno_bootstrap *bootstrap,
                                             const double *influence);

/* What a standard error is short of, in a run that holds the memory of its traffic so many times.
 */
double dyno_bootstrap_unseen(double memories);

/* An estimate from its standard error: fills interval and p. */
struct dyno_estimate dyno_estimate_make(double value, double error, double freedom);

#endif
