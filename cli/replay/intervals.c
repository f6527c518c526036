#include "cli/replay/intervals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/ahead.h"
#include "cli/replay/replica.h"
#include "core/base/math.h"
#include "reports/format.h"
#include "reports/summary.h"

static const char *const names[DYNO_REPLICA_FIGURES] = {
    "ttft_ms.mean",      "ttft_ms.p50",
    "ttft_ms.p99",       "tpot_ms.mean",
    "tpot_ms.p50",       "tpot_ms.p99",
    "e2e_ms.mean",       "e2e_ms.p50",
    "e2e_ms.p99",        "throughput.output_tokens_per_s",
    "kv.token_hit_rate", "goodput.fraction",
};

/* ---- intervals ------------------------------------------------------------------------------- */

static const double normal_quantile = 1.959964; /* 97.5 % */

/* Student's t, 97.5 %, by its expansion around the normal (error below 0.5 % from 4 on). */
static double t_quantile(uint32_t freedom)
{
    double n = freedom;

    return normal_quantile + 2.372271 / n + 2.8225 / (n * n) + 2.5558 / (n * n * n);
}

/* How much a figure is off beside the timing: TTFT's all, and its share in E2E. */
static double spread_beside(const struct dyno_replica *run, uint32_t figure)
{
    uint32_t latency = figure / DYNO_REPLICA_STATISTICS, ttft = figure % DYNO_REPLICA_STATISTICS;

    if (latency == 0) {
        return run->wait_spread;
    }
    return latency == 2 && run->figures[figure] > 0
               ? run->wait_spread * run->figures[ttft] / run->figures[figure]
               : 0.0;
}

/* A 99th percentile with fewer than three requests above it says too little: of 100 requests such
 * intervals cover 80 to 92 times in a hundred. */
static const uint64_t p99_requests_min = 300;

/* Nor does one that the beginning makes, when many come at one instant (the clients of a closed
 * loop): a longer run has it no more often.  So many times as many as came then must lie beyond. */
static const uint64_t beginnings_beyond = 4;

/* A figure's scale: the logarithm; of a share that of its odds, half a request away from none and
 * all of them. */
static double to_scale(uint32_t figure, double value, uint64_t requests)
{
    double least = 0.5 / (double)requests;

    if (figure < DYNO_REPLICA_HITS) {
        return dyno_log(value);
    }
    value = value < least ? least : value > 1.0 - least ? 1.0 - least : value;
    return dyno_log(value / (1.0 - value));
}

static double from_scale(uint32_t figure, double value)
{
    return figure >= DYNO_REPLICA_HITS ? 1.0 - 1.0 / (1.0 + dyno_exp(value)) : dyno_exp(value);
}

static bool is_tail(uint32_t figure)
{
    return figure % DYNO_REPLICA_STATISTICS == 2 && figure < DYNO_REPLICA_RATE;
}

/* Whether enough requests lie beyond a 99th percentile, and few of them at the beginning. */
static bool shows_tail(const struct dyno_replica *run)
{
    return run->completed >= p99_requests_min &&
           (run->begun <= 1 || beginnings_beyond * run->begun <= run->completed / 100);
}

/* Whether there is enough of it in every run. */
static bool is_known(const struct dyno_replica *runs, uint32_t replicas, uint32_t figure)
{
    bool known = !is_tail(figure) || shows_tail(&runs[0]);

    for (uint32_t i = 0; i <= replicas; i++) {
        known = known && (figure == DYNO_REPLICA_GOOD ? !isnan(runs[i].figures[figure])
                                                      : runs[i].figures[figure] > 0.0);
    }
    return known;
}

/* Degrees of freedom of a figure's spread: what the replicas leave, and of a 99th percentile no
 * more than there are requests beyond it, which alone show how far it may lie. */
static uint32_t freedom_of(const struct dyno_replica *run, uint32_t replicas, uint32_t figure)
{
    uint64_t beyond = run->completed / 100, left = replicas - 1;

    return (uint32_t)(is_tail(figure) && beyond < left ? beyond : left);
}

/* Of one figure around that of runs[0], with the spread that runs[1] to runs[replicas] have, on its
 * scale.  Blocks that are drawn from b of them vary by 1 - 1/b of what blocks do. */
static struct dyno_interval interval_of(const struct dyno_replica *runs, uint32_t replicas,
                                        uint32_t figure)
{
    double few = runs[0].completed > 1 ? 1.0 / (dyno_sqrt((double)runs[0].completed) - 1.0) : 0.0;
    double beside = spread_beside(&runs[0], figure), mean = 0.0, squares = 0.0, half, point;
    struct dyno_interval out = {.metric = names[figure], .low = NAN, .high = NAN};

    if (!is_known(runs, replicas, figure)) {
        return out;
    }
    for (uint32_t i = 1; i <= replicas; i++) {
        mean += to_scale(figure, runs[i].figures[figure], runs[0].completed) / replicas;
    }
    for (uint32_t i = 1; i <= replicas; i++) {
        double off = to_scale(figure, runs[i].figures[figure], runs[0].completed) - mean;

        squares += off * off;
    }
    half = t_quantile(freedom_of(&runs[0], replicas, figure)) *
           dyno_sqrt(squares * (1.0 + few) / (replicas - 1));
    half = dyno_sqrt(half * half + normal_quantile * normal_quantile * beside * beside);
    point = to_scale(figure, runs[0].figures[figure], runs[0].completed);
    out.low = from_scale(figure, point - half);
    out.high = from_scale(figure, point + half);
    return out;
}

/* Why percentiles have none though there are enough requests. */
static void explain_tails(struct dyno_intervals *out, const struct dyno_replica *run)
{
    char begun[DYNO_FORMAT_MAX], enough[DYNO_FORMAT_MAX];

    if (run->completed >= p99_requests_min && !shows_tail(run)) {
        (void)snprintf(out->why, sizeof out->why,
                       "made by the %s requests that began at once; %s requests would have it",
                       dyno_format_count(begun, run->begun),
                       dyno_format_count(enough, 100 * beginnings_beyond * run->begun));
    }
}

static dyno_status compute(struct dyno_intervals *out, struct dyno_traffic *traffic,
                           uint32_t replicas, struct dyno_error *error)
{
    struct dyno_replica *runs = calloc((size_t)replicas + 1, sizeof *runs);
    dyno_status status = DYNO_OK;

    if (!runs) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    traffic->scenario.kv.bound_belady = false;
    traffic->scenario.output.decisions = false;
    for (uint32_t i = 0; i <= replicas && status == DYNO_OK; i++) {
        status = dyno_replica_run(&runs[i], traffic, i, error);
    }
    if (status == DYNO_OK) {
        *out = (struct dyno_intervals){.replicas = replicas, .count = DYNO_REPLICA_GOOD};
        if (dyno_slo_is_set(&runs[0].slo)) {
            out->count++;
        }
        for (uint32_t i = 0; i < out->count; i++) {
            out->items[i] = interval_of(runs, replicas, i);
        }
        explain_tails(out, &runs[0]);
    }
    free(runs);
    return status;
}

dyno_status dyno_intervals_compute(struct dyno_intervals *out, const struct dyno_scenario *asked,
                                   uint32_t replicas, struct dyno_error *error)
{
    struct dyno_traffic traffic = {.scenario = *asked};

    if (dyno_ahead_is_once(asked)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "intervals read the trace once for every replica: %s will not do, name a "
                         "file",
                         strcmp(asked->trace.path, "-") == 0 ? "standard input" : "a pipe");
    }
    return compute(out, &traffic, replicas, error);
}

/* ---- unasked --------------------------------------------------------------------------------- */

/* A request takes about four turns of the loop, a turn half a microsecond, and so does holding a
 * request against 32 workers: eight replicas of the longest run that has them unasked take about
 * half a second.  Turns themselves will not do: there are more of them where steps are single. */
static const uint64_t work_max = 150000, turns_a_request = 4, workers_a_turn = 32;

/* A trace that comes through a pipe is kept up to here, as it came. */
static const size_t copy_max = (size_t)16 << 20;

/* Blocks are of their root: of fewer than 5 nobody can say how they vary. */
static const uint64_t requests_min = 25;

static uint64_t work_of(const struct dyno_assembly *run)
{
    return run->result.requests * (turns_a_request + run->totals.workers / workers_a_turn);
}

static void do_without(struct dyno_intervals *out, const char *word, const char *why)
{
    out->lacking = word;
    (void)snprintf(out->why, sizeof out->why, "%s", why);
}

/* Why "auto" does without, if it does. */
static void excuse(struct dyno_intervals *out, const struct dyno_assembly *run)
{
    char why[sizeof out->why], requests[DYNO_FORMAT_MAX];

    if (run->metrics.completed < requests_min) {
        (void)snprintf(why, sizeof why, "fewer than %llu requests were completed",
                       (unsigned long long)requests_min);
        do_without(out, "too_few", why);
    } else if (run->scenario->timing.machine) {
        do_without(out, "machine",
                   "the file of a machine does not say how sure it is (--intervals 8: what is "
                   "chance in the traffic, alone)");
    } else if (work_of(run) > work_max) {
        (void)snprintf(why, sizeof why,
                       "%s requests would be run 9 times more (--intervals 8 does)",
                       dyno_format_count(requests, run->result.requests));
        do_without(out, "too_long", why);
    }
}

/* Simulated GPUs, or a machine that was measured, in simulated time. */
static bool is_prediction(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->run.device, "sim") == 0 && strcmp(scenario->run.clock, "virtual") == 0;
}

static bool is_unasked(const struct dyno_scenario *scenario)
{
    return scenario->output.intervals && strcmp(scenario->output.intervals, "auto") == 0;
}

void dyno_intervals_prepare(struct dyno_input_copy *copy, struct dyno_assembly *assembly,
                            const struct dyno_scenario *scenario)
{
    *copy = (struct dyno_input_copy){.size_max = is_unasked(scenario) ? copy_max : SIZE_MAX};
    if (scenario->output.intervals && is_prediction(scenario) && dyno_ahead_is_once(scenario)) {
        assembly->trace_copy = copy;
    }
}

dyno_status dyno_intervals_of_run(struct dyno_intervals *out, const struct dyno_assembly *finished,
                                  struct dyno_error *error)
{
    const struct dyno_scenario *scenario = finished->asked;
    struct dyno_traffic traffic = {
        .scenario = *scenario, .data = finished->trace_data, .size = finished->trace_size};

    *out = (struct dyno_intervals){0};
    if (!scenario->output.intervals || (is_unasked(scenario) && !is_prediction(scenario))) {
        return DYNO_OK;
    }
    if (finished->trace_copy) {
        traffic.data = finished->trace_copy->data;
        traffic.size = finished->trace_copy->size;
    }
    if (finished->result.cut) {
        do_without(out, "cut", "the run was cut short");
    } else if (is_unasked(scenario)) {
        excuse(out, finished);
    }
    if (!out->lacking && !traffic.data && dyno_ahead_is_once(scenario)) {
        do_without(out, "read_once", "the trace is too long to be kept; name a file");
    }
    return out->lacking
               ? DYNO_OK
               : compute(out, &traffic, dyno_intervals_asked(scenario->output.intervals), error);
}

void dyno_intervals_report(const struct dyno_intervals *intervals, struct dyno_report *report)
{
    report->intervals = intervals->items;
    report->interval_count = intervals->count;
    report->interval_replicas = intervals->replicas;
    report->intervals_lacking = intervals->lacking;
    report->intervals_why = intervals->why;
}
