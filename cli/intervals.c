#include "cli/intervals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "core/base/units.h"
#include "reports/format.h"
#include "sim/uncertainty.h"

enum { LATENCIES = 3, STATISTICS = 3, FIGURES = LATENCIES * STATISTICS + 1 };

/* What is kept of a request: its latencies, when it ended, and how many tokens it was given. */
enum { ENDED = LATENCIES, TOKENS, KEPT };

static const char *const names[FIGURES] = {
    "ttft_ms.mean", "ttft_ms.p50", "ttft_ms.p99", "tpot_ms.mean", "tpot_ms.p50",
    "tpot_ms.p99",  "e2e_ms.mean", "e2e_ms.p50",  "e2e_ms.p99",   "throughput.output_tokens_per_s",
};

/* ---- one run's latencies, request by request ------------------------------------------------- */

struct collector {
    struct dyno_sink base;
    double *values[KEPT]; /* [capacity] ms, by request; negative: none */
    uint64_t count, capacity;
};

static dyno_status reserve(struct collector *collector, uint64_t count)
{
    uint64_t capacity = collector->capacity ? collector->capacity : 1024;

    while (capacity < count) {
        capacity *= 2;
    }
    for (int i = 0; i < KEPT && capacity > collector->capacity; i++) {
        double *grown = realloc(collector->values[i], capacity * sizeof *grown);

        if (!grown) {
            return DYNO_NO_MEMORY;
        }
        for (uint64_t j = collector->capacity; j < capacity; j++) {
            grown[j] = -1.0;
        }
        collector->values[i] = grown;
    }
    collector->capacity = capacity;
    return DYNO_OK;
}

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct collector *collector = (struct collector *)sink;

    DYNO_TRY(reserve(collector, record->id + 1));
    collector->count = record->id + 1 > collector->count ? record->id + 1 : collector->count;
    if (record->outcome != DYNO_COMPLETED) {
        return DYNO_OK;
    }
    collector->values[0][record->id] = (double)(record->first_token_ns - record->arrival_ns) * 1e-6;
    if (record->output_tokens > 1) {
        collector->values[1][record->id] =
            (double)(record->last_token_ns - record->first_token_ns) * 1e-6 /
            (record->output_tokens - 1);
    }
    collector->values[2][record->id] = (double)(record->last_token_ns - record->arrival_ns) * 1e-6;
    collector->values[ENDED][record->id] = (double)record->last_token_ns * 1e-6;
    collector->values[TOKENS][record->id] = record->output_tokens;
    return DYNO_OK;
}

static const struct dyno_sink_ops collector_ops = {.name = "intervals", .request = on_request};

static void release(struct collector *collector)
{
    for (int i = 0; i < KEPT; i++) {
        free(collector->values[i]);
    }
}

/* ---- figures of a sample --------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Mean, median and 99th percentile of what is not negative; zeros of nothing.  Sorts. */
static void figures_of(double *values, uint64_t count, double out[STATISTICS])
{
    uint64_t first = 0, left;
    double sum = 0.0;

    qsort(values, count, sizeof *values, by_value);
    while (first < count && values[first] < 0.0) {
        first++;
    }
    left = count - first;
    memset(out, 0, STATISTICS * sizeof *out);
    if (left == 0) {
        return;
    }
    for (uint64_t i = first; i < count; i++) {
        sum += values[i];
    }
    out[0] = sum / (double)left;
    out[1] = values[first + (left - 1) / 2];
    out[2] = values[first + (uint64_t)((double)(left - 1) * 0.99)];
}

/* Blocks of consecutive requests, drawn with replacement, until there are as many again. */
static void resample(const struct collector *from, int which, struct dyno_rng rng, double *out)
{
    uint64_t length = (uint64_t)dyno_sqrt((double)from->count), done = 0;

    length = length > 0 ? length : 1;
    while (done < from->count) {
        uint64_t start = dyno_rng_below(&rng, from->count - length + 1);
        uint64_t left = from->count - done;
        uint64_t take = length < left ? length : left;

        memcpy(out + done, from->values[which] + start, take * sizeof *out);
        done += take;
    }
}

/* `tokens` from `first` to `last`, evenly, into the windows of `width` that they fall in. */
static void spread_tokens(double *windows, uint64_t count, double width, double first, double last,
                          double tokens)
{
    uint64_t from = (uint64_t)(first / width), to = (uint64_t)(last / width);

    to = to < count ? to : count - 1;
    from = from < to ? from : to;
    for (uint64_t i = from; i <= to; i++) {
        double begin = (double)i * width > first ? (double)i * width : first;
        double end = i == to ? last : (double)(i + 1) * width;

        windows[i] += last > first ? tokens * (end - begin) / (last - first) : tokens;
    }
}

/* By how much the tokens of a second differ from those of the run's when its windows are drawn with
 * replacement: as many windows as a block has requests.  `windows` has room for them.
 *
 * Tokens count where their request ended.  The clients of a closed loop may go in step, so that
 * whole waves end at once and windows have one or none: there tokens count when they came, which
 * elsewhere would smooth chance away. */
static double resampled_rate(const struct collector *from, bool in_waves, struct dyno_rng rng,
                             double *windows)
{
    uint64_t count = (uint64_t)dyno_sqrt((double)from->count);
    double *const *values = from->values;
    double end = 0.0, all = 0.0, drawn = 0.0;

    memset(windows, 0, count * sizeof *windows);
    for (uint64_t i = 0; i < from->count; i++) {
        end = values[ENDED][i] > end ? values[ENDED][i] : end;
    }
    for (uint64_t i = 0; i < from->count && end > 0.0; i++) {
        double last = values[ENDED][i];

        if (last >= 0.0) {
            double first = in_waves ? last - values[2][i] + values[0][i] : last;

            spread_tokens(windows, count, end / (double)count, first, last, values[TOKENS][i]);
            all += values[TOKENS][i];
        }
    }
    for (uint64_t i = 0; i < count && all > 0.0; i++) {
        drawn += windows[dyno_rng_below(&rng, count)];
    }
    return all > 0.0 ? drawn / all : 1.0;
}

/* ---- one replica ----------------------------------------------------------------------------- */

/* What every replica is given. */
struct traffic {
    struct dyno_scenario scenario;
    const void *data; /* [size] of the trace; NULL: it is a file */
    size_t size;
};

/* What one run says: its figures, and how much TTFT is off beside the timing. */
struct replica {
    double figures[FIGURES];
    double wait_spread;
    uint64_t completed;
};

static bool is_closed_loop(const struct dyno_scenario *scenario)
{
    return scenario->trace.concurrency > 0 ||
           (scenario->generate.arrival &&
            strncmp(scenario->generate.arrival, "concurrency:", strlen("concurrency:")) == 0);
}

/* A machine that was measured is known as it is. */
static double wait_spread_of(const struct dyno_assembly *assembly)
{
    return assembly->scenario->timing.machine ? 0.0
                                              : dyno_timing_wait_spread(&assembly->calibration);
}

/* Replica 0 is the run itself: nothing drawn, nothing resampled. */
static dyno_status run_replica(const struct traffic *traffic, uint32_t index,
                               struct collector *collector, struct replica *replica,
                               struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the intervals");
    }
    assembly->replica = index;
    assembly->trace_data = traffic->data;
    assembly->trace_size = traffic->size;
    status = dyno_assembly_open(assembly, &traffic->scenario, &collector->base, NULL, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(assembly, error);
        if (assembly->result.end_ns > 0) {
            replica->figures[FIGURES - 1] =
                (double)assembly->metrics.output_tokens / ((double)assembly->result.end_ns * 1e-9);
        }
        replica->wait_spread = wait_spread_of(assembly);
        replica->completed = assembly->metrics.completed;
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

static dyno_status measure_replica(const struct traffic *traffic, uint32_t index,
                                   struct replica *replica, struct dyno_error *error)
{
    struct collector collector = {.base.ops = &collector_ops};
    dyno_status status = run_replica(traffic, index, &collector, replica, error);
    double *sample = NULL;
    struct dyno_rng rng;

    if (status == DYNO_OK && collector.count > 0) {
        sample = malloc(collector.count * sizeof *sample);
        status = sample ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_rng_init(&rng, traffic->scenario.run.seed + index, "intervals.blocks");
    for (int i = 0; i < LATENCIES && status == DYNO_OK && sample; i++) {
        if (index == 0) {
            memcpy(sample, collector.values[i], collector.count * sizeof *sample);
        } else {
            resample(&collector, i, rng, sample); /* the same blocks for every latency */
        }
        figures_of(sample, collector.count, replica->figures + i * STATISTICS);
    }
    if (index > 0 && status == DYNO_OK && sample) {
        replica->figures[FIGURES - 1] *=
            resampled_rate(&collector, is_closed_loop(&traffic->scenario), rng, sample);
    }
    free(sample);
    release(&collector);
    return status;
}

/* ---- intervals ------------------------------------------------------------------------------- */

static const double normal_quantile = 1.959964; /* 97.5 % */

/* Student's t, 97.5 %, by its expansion around the normal (error below 0.5 % from 4 on). */
static double t_quantile(uint32_t freedom)
{
    double n = freedom;

    return normal_quantile + 2.372271 / n + 2.8225 / (n * n) + 2.5558 / (n * n * n);
}

/* How much a figure is off beside the timing: TTFT's all, and its share in E2E. */
static double spread_beside(const struct replica *run, uint32_t figure)
{
    uint32_t latency = figure / STATISTICS, ttft = figure % STATISTICS;

    if (latency == 0) {
        return run->wait_spread;
    }
    return latency == 2 && run->figures[figure] > 0
               ? run->wait_spread * run->figures[ttft] / run->figures[figure]
               : 0.0;
}

/* A 99th percentile with fewer than three requests above it says too little: of 100 requests such
 * intervals cover 80 to 92 times in a hundred, of 400 89 to 94. */
static const uint64_t p99_requests_min = 300;

/* Of one figure around that of runs[0], with the spread that runs[1] to runs[replicas] have, in
 * logarithms.  Blocks that are drawn from b of them vary by 1 - 1/b of what blocks do. */
static struct dyno_interval interval_of(const struct replica *runs, uint32_t replicas,
                                        uint32_t figure)
{
    double few = runs[0].completed > 1 ? 1.0 / (dyno_sqrt((double)runs[0].completed) - 1.0) : 0.0;

    double beside = spread_beside(&runs[0], figure), point = runs[0].figures[figure];
    double mean = 0.0, squares = 0.0, half;
    const char *name = names[figure];

    for (uint32_t i = 1; i <= replicas; i++) {
        double value = runs[i].figures[figure];

        if (!(value > 0.0) || !(point > 0.0) ||
            (figure % STATISTICS == 2 && runs[0].completed < p99_requests_min)) {
            return (struct dyno_interval){.metric = name, .low = NAN, .high = NAN};
        }
        mean += dyno_log(value) / replicas;
    }
    for (uint32_t i = 1; i <= replicas; i++) {
        double off = dyno_log(runs[i].figures[figure]) - mean;

        squares += off * off;
    }
    half = t_quantile(replicas - 1) * dyno_sqrt(squares * (1.0 + few) / (replicas - 1));
    half = dyno_sqrt(half * half + normal_quantile * normal_quantile * beside * beside);
    return (struct dyno_interval){
        .metric = name, .low = point * dyno_exp(-half), .high = point * dyno_exp(half)};
}

/* Whether a trace is gone when it has been read. */
static bool is_read_once(const struct dyno_scenario *scenario)
{
    struct stat facts;

    return scenario->trace.path && (stat(scenario->trace.path, &facts) != 0 /* "-" too */
                                    || !S_ISREG(facts.st_mode));
}

static dyno_status compute(struct dyno_intervals *out, struct traffic *traffic, uint32_t replicas,
                           struct dyno_error *error)
{
    struct replica *runs = calloc((size_t)replicas + 1, sizeof *runs);
    dyno_status status = runs ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");

    traffic->scenario.kv.bound_belady = false;
    traffic->scenario.output.decisions = false;
    for (uint32_t i = 0; i <= replicas && status == DYNO_OK; i++) {
        status = measure_replica(traffic, i, &runs[i], error);
    }
    if (status == DYNO_OK) {
        *out = (struct dyno_intervals){.replicas = replicas, .count = FIGURES};
        for (uint32_t i = 0; i < FIGURES; i++) {
            out->items[i] = interval_of(runs, replicas, i);
        }
    }
    free(runs);
    return status;
}

dyno_status dyno_intervals_compute(struct dyno_intervals *out, const struct dyno_scenario *asked,
                                   uint32_t replicas, struct dyno_error *error)
{
    struct traffic traffic = {.scenario = *asked};

    if (is_read_once(asked)) {
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

uint32_t dyno_intervals_asked(const char *text)
{
    uint64_t count = 0;

    if (!text || strcmp(text, "auto") == 0) {
        return text ? DYNO_INTERVALS_AUTO : 0;
    }
    return dyno_parse_u64(text, &count) == DYNO_UNITS_OK && count >= 4 && count <= 1000
               ? (uint32_t)count
               : UINT32_MAX;
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
    if (scenario->output.intervals && is_prediction(scenario) && is_read_once(scenario)) {
        assembly->trace_copy = copy;
    }
}

dyno_status dyno_intervals_of_run(struct dyno_intervals *out, const struct dyno_assembly *finished,
                                  struct dyno_error *error)
{
    const struct dyno_scenario *scenario = finished->scenario;
    struct traffic traffic = {
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
    if (!out->lacking && !traffic.data && is_read_once(scenario)) {
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
