#include "cli/replay/replica.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "core/base/math.h"
#include "core/base/rng.h"
#include "reports/summary.h"
#include "sim/uncertainty.h"

/* What is kept of a request: its latencies, when it ended, how many tokens it was given, and how
 * many of its prompt's were found in cache. */
enum { ENDED = DYNO_REPLICA_LATENCIES, TOKENS, PROMPT, CACHED, KEPT };

/* ---- one run's latencies, request by request ------------------------------------------------- */

struct collector {
    struct dyno_sink base;
    double *values[KEPT]; /* [capacity] ms, by request; negative: none */
    uint64_t count, capacity;
    dyno_ns first_ns; /* the first arrival ... */
    uint64_t begun;   /* ... and how many came then */
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

static void count_begun(struct collector *collector, dyno_ns arrival_ns)
{
    if (collector->begun == 0 || arrival_ns < collector->first_ns) {
        collector->first_ns = arrival_ns;
        collector->begun = 0;
    }
    collector->begun += arrival_ns == collector->first_ns;
}

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct collector *collector = (struct collector *)sink;

    DYNO_TRY(reserve(collector, record->id + 1));
    count_begun(collector, record->arrival_ns);
    collector->count = record->id + 1 > collector->count ? record->id + 1 : collector->count;
    if (record->admitted_ns != DYNO_NEVER) {
        collector->values[PROMPT][record->id] = record->prompt_tokens;
        collector->values[CACHED][record->id] = record->cached_tokens;
    }
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

/* A quantile of `values`, sorted, that is as often above the law's own as below, whatever the law
 * is (Hyndman and Fan, 1996, definition 8).  The value of rank p n, by which a run is told, is
 * below that of the law more often: four of 400 lie beyond it where three and a third should. */
static double quantile_of(const double *values, uint64_t count, double p)
{
    double rank = ((double)count + 1.0 / 3.0) * p + 1.0 / 3.0;
    uint64_t below = (uint64_t)rank;

    if (below < 1 || below >= count) {
        return values[below < 1 ? 0 : count - 1];
    }
    return values[below - 1] + (rank - (double)below) * (values[below] - values[below - 1]);
}

/* Mean, median and 99th percentile of what is not negative; zeros of nothing.  Sorts. */
static void figures_of(double *values, uint64_t count, double out[DYNO_REPLICA_STATISTICS])
{
    uint64_t first = 0, left;
    double sum = 0.0;

    qsort(values, count, sizeof *values, by_value);
    while (first < count && values[first] < 0.0) {
        first++;
    }
    left = count - first;
    memset(out, 0, DYNO_REPLICA_STATISTICS * sizeof *out);
    if (left == 0) {
        return;
    }
    for (uint64_t i = first; i < count; i++) {
        sum += values[i];
    }
    out[0] = sum / (double)left;
    out[1] = values[first + (left - 1) / 2];
    out[2] = quantile_of(values + first, left, 0.99);
}

/* Blocks of consecutive requests, drawn with replacement, until there are as many again. */
static void resample(const double *values, uint64_t count, struct dyno_rng rng, double *out)
{
    uint64_t length = (uint64_t)dyno_sqrt((double)count), done = 0;

    length = length > 0 ? length : 1;
    while (done < count) {
        uint64_t start = dyno_rng_below(&rng, count - length + 1);
        uint64_t left = count - done;
        uint64_t take = length < left ? length : left;

        memcpy(out + done, values + start, take * sizeof *out);
        done += take;
    }
}

/* Whether a request met every objective, had its first token taken so many times as long. */
static bool is_good(const struct collector *of, uint64_t i, const struct dyno_slo *slo,
                    double times)
{
    double ttft = of->values[0][i] * times, tpot = of->values[1][i];
    double e2e = of->values[2][i] + ttft - of->values[0][i];

    return of->values[0][i] >= 0.0 && (slo->ttft_ns == 0 || ttft <= (double)slo->ttft_ns * 1e-6) &&
           (slo->tpot_ns == 0 || tpot <= (double)slo->tpot_ns * 1e-6) &&
           (slo->itl_ns == 0 || tpot <= (double)slo->itl_ns * 1e-6) &&
           (slo->e2e_ns == 0 || e2e <= (double)slo->e2e_ns * 1e-6);
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

static dyno_status run_replica(const struct dyno_traffic *traffic, uint32_t index,
                               struct collector *collector, struct dyno_replica *replica,
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
            replica->figures[DYNO_REPLICA_RATE] =
                (double)assembly->metrics.output_tokens / ((double)assembly->result.end_ns * 1e-9);
        }
        replica->wait_spread = wait_spread_of(assembly);
        replica->completed = assembly->metrics.completed;
        replica->slo = assembly->metrics.slo;
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

/* Of all requests that ended.  A replica's first tokens are late or early together, besides, by
 * what is not known of them beside the timing.  Room for the requests in `sample`, and as many
 * again. */
static double good_share(const struct collector *of, const struct dyno_replica *replica,
                         uint32_t index, struct dyno_rng rng, double *sample)
{
    double times = 1.0, good = 0.0, *met = sample + of->count;

    if (!dyno_slo_is_set(&replica->slo)) {
        return NAN;
    }
    if (index > 0) {
        struct dyno_rng waiting = rng;

        times = dyno_exp(replica->wait_spread * dyno_rng_normal(&waiting));
    }
    for (uint64_t i = 0; i < of->count; i++) {
        met[i] = is_good(of, i, &replica->slo, times);
    }
    if (index > 0) {
        resample(met, of->count, rng, sample);
        met = sample;
    }
    for (uint64_t i = 0; i < of->count; i++) {
        good += met[i];
    }
    return good / (double)of->count;
}

/* The sum over requests that were admitted, of the run or of a draw of it. */
static double sum_of(const struct collector *of, int kept, uint32_t index, struct dyno_rng rng,
                     double *sample)
{
    const double *values = of->values[kept];
    double sum = 0.0;

    if (index > 0) {
        resample(values, of->count, rng, sample);
        values = sample;
    }
    for (uint64_t i = 0; i < of->count; i++) {
        sum += values[i] > 0.0 ? values[i] : 0.0;
    }
    return sum;
}

/* All figures, of what was heard or of what is drawn from it; `sample` has room for the requests
 * twice. */
static void find_figures(struct dyno_replica *out, const struct collector *heard,
                         const struct dyno_traffic *traffic, uint32_t index, double *sample)
{
    struct dyno_rng rng;
    double prompt;

    dyno_rng_init(&rng, traffic->scenario.run.seed + index, "intervals.blocks");
    for (int i = 0; i < DYNO_REPLICA_LATENCIES; i++) {
        if (index == 0) {
            memcpy(sample, heard->values[i], heard->count * sizeof *sample);
        } else {
            resample(heard->values[i], heard->count, rng, sample); /* the same blocks for all */
        }
        figures_of(sample, heard->count, out->figures + i * DYNO_REPLICA_STATISTICS);
    }
    prompt = sum_of(heard, PROMPT, index, rng, sample);
    out->figures[DYNO_REPLICA_HITS] =
        prompt > 0.0 ? sum_of(heard, CACHED, index, rng, sample) / prompt : 0.0;
    out->figures[DYNO_REPLICA_GOOD] = good_share(heard, out, index, rng, sample);
    if (index > 0) {
        out->figures[DYNO_REPLICA_RATE] *=
            resampled_rate(heard, is_closed_loop(&traffic->scenario), rng, sample);
    }
}

dyno_status dyno_replica_run(struct dyno_replica *out, const struct dyno_traffic *traffic,
                             uint32_t index, struct dyno_error *error)
{
    struct collector collector = {.base.ops = &collector_ops};
    dyno_status status;

    *out = (struct dyno_replica){.figures[DYNO_REPLICA_GOOD] = NAN};
    status = run_replica(traffic, index, &collector, out, error);
    out->begun = collector.begun;
    if (status == DYNO_OK && collector.count > 0) {
        double *sample = malloc(2 * collector.count * sizeof *sample);

        if (sample) {
            find_figures(out, &collector, traffic, index, sample);
        } else {
            status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the intervals");
        }
        free(sample);
    }
    release(&collector);
    return status;
}
