#include "cli/intervals.h"

#include <stdlib.h>
#include <string.h>

#include "cli/assembly.h"
#include "core/base/math.h"
#include "core/base/rng.h"
#include "sim/uncertainty.h"

enum { LATENCIES = 3, STATISTICS = 3, FIGURES = LATENCIES * STATISTICS + 1 };

static const char *const names[FIGURES] = {
    "ttft_ms.mean", "ttft_ms.p50", "ttft_ms.p99", "tpot_ms.mean", "tpot_ms.p50",
    "tpot_ms.p99",  "e2e_ms.mean", "e2e_ms.p50",  "e2e_ms.p99",   "throughput.output_tokens_per_s",
};

/* ---- one run's latencies, request by request ------------------------------------------------- */

struct collector {
    struct dyno_sink base;
    double *values[LATENCIES]; /* [capacity] ms, by request; negative: none */
    uint64_t count, capacity;
};

static dyno_status reserve(struct collector *collector, uint64_t count)
{
    uint64_t capacity = collector->capacity ? collector->capacity : 1024;

    while (capacity < count) {
        capacity *= 2;
    }
    for (int i = 0; i < LATENCIES && capacity > collector->capacity; i++) {
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
    return DYNO_OK;
}

static const struct dyno_sink_ops collector_ops = {.name = "intervals", .request = on_request};

static void release(struct collector *collector)
{
    for (int i = 0; i < LATENCIES; i++) {
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

/* ---- one replica ----------------------------------------------------------------------------- */

/* What one run says: its figures, and how much TTFT is off beside the timing. */
struct replica {
    double figures[FIGURES];
    double wait_spread;
};

/* A machine that was measured is known as it is. */
static double wait_spread_of(const struct dyno_assembly *assembly)
{
    return assembly->scenario->timing.machine ? 0.0
                                              : dyno_timing_wait_spread(&assembly->calibration);
}

/* Replica 0 is the run itself: nothing drawn, nothing resampled. */
static dyno_status run_replica(const struct dyno_scenario *scenario, uint32_t index,
                               struct collector *collector, struct replica *replica,
                               struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the intervals");
    }
    assembly->replica = index;
    status = dyno_assembly_open(assembly, scenario, &collector->base, NULL, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(assembly, error);
        if (assembly->result.end_ns > 0) {
            replica->figures[FIGURES - 1] =
                (double)assembly->metrics.output_tokens / ((double)assembly->result.end_ns * 1e-9);
        }
        replica->wait_spread = wait_spread_of(assembly);
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

static dyno_status measure_replica(const struct dyno_scenario *scenario, uint32_t index,
                                   struct replica *replica, struct dyno_error *error)
{
    struct collector collector = {.base.ops = &collector_ops};
    dyno_status status = run_replica(scenario, index, &collector, replica, error);
    double *sample = NULL;
    struct dyno_rng rng;

    if (status == DYNO_OK && collector.count > 0) {
        sample = malloc(collector.count * sizeof *sample);
        status = sample ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_rng_init(&rng, scenario->run.seed + index, "intervals.blocks");
    for (int i = 0; i < LATENCIES && status == DYNO_OK && sample; i++) {
        if (index == 0) {
            memcpy(sample, collector.values[i], collector.count * sizeof *sample);
        } else {
            resample(&collector, i, rng, sample); /* the same blocks for every latency */
        }
        figures_of(sample, collector.count, replica->figures + i * STATISTICS);
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

/* Of one figure around that of runs[0], with the spread that runs[1] to runs[replicas] have, in
 * logarithms. */
static struct dyno_interval interval_of(const struct replica *runs, uint32_t replicas,
                                        uint32_t figure)
{
    double beside = spread_beside(&runs[0], figure), point = runs[0].figures[figure];
    double mean = 0.0, squares = 0.0, half;
    const char *name = names[figure];

    for (uint32_t i = 1; i <= replicas; i++) {
        double value = runs[i].figures[figure];

        if (!(value > 0.0) || !(point > 0.0)) {
            return (struct dyno_interval){.metric = name, .low = point, .high = point};
        }
        mean += dyno_log(value) / replicas;
    }
    for (uint32_t i = 1; i <= replicas; i++) {
        double off = dyno_log(runs[i].figures[figure]) - mean;

        squares += off * off;
    }
    half = t_quantile(replicas - 1) * dyno_sqrt(squares / (replicas - 1));
    half = dyno_sqrt(half * half + normal_quantile * normal_quantile * beside * beside);
    return (struct dyno_interval){
        .metric = name, .low = point * dyno_exp(-half), .high = point * dyno_exp(half)};
}

dyno_status dyno_intervals_compute(struct dyno_intervals *out, const struct dyno_scenario *asked,
                                   uint32_t replicas, struct dyno_error *error)
{
    struct dyno_scenario scenario = *asked;
    struct replica *runs;

    if (scenario.trace.path && strcmp(scenario.trace.path, "-") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--intervals reads the trace once for every replica: standard input will "
                         "not do, name a file");
    }
    scenario.kv.bound_belady = false;
    scenario.output.decisions = false;
    runs = calloc((size_t)replicas + 1, sizeof *runs);
    if (!runs) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the intervals");
    }
    for (uint32_t i = 0; i <= replicas; i++) {
        dyno_status status = measure_replica(&scenario, i, &runs[i], error);

        if (status != DYNO_OK) {
            free(runs);
            return status;
        }
    }
    out->replicas = replicas;
    out->count = FIGURES;
    for (uint32_t i = 0; i < FIGURES; i++) {
        out->items[i] = interval_of(runs, replicas, i);
    }
    free(runs);
    return DYNO_OK;
}
