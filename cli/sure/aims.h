/* What a tuning is for: goals, each to be as high or as low as may be, and limits that a fleet must
 * keep to.
 *
 *     --goal goodput_per_gpu --subject 'ttft_p95<500ms, kv.token_hit_rate>=40%'
 *
 * A metric is named as in docs/metrics.md ("ttft_ms.p95"), or shorter, as long as it is clear:
 * "ttft_p95", "gpu_hours".  A limit has its metric's unit. */
#ifndef DYNO_CLI_SURE_AIMS_H
#define DYNO_CLI_SURE_AIMS_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "reports/gate_metric.h"
#include "reports/summary.h"

enum { DYNO_TUNE_GOALS_MAX = 3, DYNO_TUNE_LIMITS_MAX = 12 };
enum { DYNO_TUNE_METRICS_MAX = DYNO_TUNE_GOALS_MAX + DYNO_TUNE_LIMITS_MAX };

struct dyno_tune_goal {
    struct dyno_gate_metric metric;
    int sign; /* 1: more is better, -1: less */
};

struct dyno_tune_limit {
    struct dyno_gate_metric metric;
    bool is_upper, is_strict; /* <= bound, or >= bound; strict: without the bound itself */
    double bound;             /* in the metric's own unit */
    char text[96];            /* as typed, without blanks */
};

struct dyno_tune_aims {
    struct dyno_tune_goal goals[DYNO_TUNE_GOALS_MAX]; /* [goal_count] */
    uint32_t goal_count;
    struct dyno_tune_limit limits[DYNO_TUNE_LIMITS_MAX]; /* [limit_count] */
    uint32_t limit_count;
    bool is_by_requests; /* totals are of as many requests, however long; else of as much time */
};

/* What a run came to: its metrics, goals first, then limits; NAN: undefined. */
struct dyno_tune_result {
    double metrics[DYNO_TUNE_METRICS_MAX];
};

/* Take "METRIC", "max:METRIC" or "min:METRIC", several with commas between them.  Errors:
 * DYNO_BAD_INPUT (an unknown metric, one without a better side, one that is a goal already). */
dyno_status dyno_tune_aims_goals(struct dyno_tune_aims *aims, const char *text,
                                 struct dyno_error *error);

/* Take "METRIC<BOUND", with <, <=, > or >=, several with commas between them.  Errors:
 * DYNO_BAD_INPUT (an unknown metric, a bound without its unit). */
dyno_status dyno_tune_aims_limits(struct dyno_tune_aims *aims, const char *text,
                                  struct dyno_error *error);

uint32_t dyno_tune_aims_metric_count(const struct dyno_tune_aims *aims);
const struct dyno_gate_metric *dyno_tune_aims_metric(const struct dyno_tune_aims *aims,
                                                     uint32_t index);

/* The bound on a latency that a limit sets ("ttft", "tpot", "itl", "e2e"), in nanoseconds; 0: none.
 * Where a goal counts goodput and nobody gave objectives, these are the objectives. */
dyno_ns dyno_tune_aims_objective(const struct dyno_tune_aims *aims, const char *latency);

/* Whether a goal or a limit is on a metric whose name begins so: "goodput." needs objectives. */
bool dyno_tune_aims_name(const struct dyno_tune_aims *aims, const char *prefix);

/* A number of a run's summary; NAN: undefined, or not there. */
double dyno_tune_summary_value(const struct dyno_summary *summary, const char *name);

/* How far off its limits a result is: the sum, over those it misses, of the distance as a share of
 * the bound; 0: it keeps to all.  INFINITY: one of its metrics is undefined. */
double dyno_tune_excess(const struct dyno_tune_aims *aims, const struct dyno_tune_result *result);

/* Whether `a` is better than `b`: keeps to the limits where b does not, or is nearer to them; of
 * two that keep to them, by the first goal in which they differ. */
bool dyno_tune_better(const struct dyno_tune_aims *aims, const struct dyno_tune_result *a,
                      const struct dyno_tune_result *b);

/* Whether `a` is as good as `b` in every goal and better in one; both keep to the limits. */
bool dyno_tune_dominates(const struct dyno_tune_aims *aims, const struct dyno_tune_result *a,
                         const struct dyno_tune_result *b);

/* A value of a metric with its unit: "512.3 ms", "98.20 %", "0.4321 /s". */
void dyno_tune_value_print(const struct dyno_gate_metric *metric, double value, char *out,
                           size_t size);

#endif
