#include "cli/export_aiperf.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/random/output_file.h"
#include "cli/bench_aiperf.h"
#include "core/base/math.h"

enum { PATH_MAX_BYTES = 4096 };

enum metric { TTFT, LATENCY, GAP, INPUT, OUTPUT, METRICS };

static const struct {
    const char *tag, *unit;
} metrics[METRICS] = {
    [TTFT] = {"time_to_first_token", "ms"},          [LATENCY] = {"request_latency", "ms"},
    [GAP] = {"inter_token_latency", "ms"},           [INPUT] = {"input_sequence_length", "tokens"},
    [OUTPUT] = {"output_sequence_length", "tokens"},
};

struct sample {
    double *values; /* [count] of [room] */
    size_t count, room;
};

struct dyno_export_aiperf {
    struct dyno_bench_aiperf *lines;
    char summary[PATH_MAX_BYTES]; /* its path */
    struct sample samples[METRICS];
    uint64_t failed;
    dyno_ns first_ns, last_ns; /* sent, and its last token */
};

dyno_status dyno_export_aiperf_open(struct dyno_export_aiperf **out, const char *folder,
                                    uint64_t origin_ns, struct dyno_error *error)
{
    struct dyno_export_aiperf *exported = calloc(1, sizeof *exported);
    dyno_status status;

    if (!exported) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    exported->first_ns = DYNO_NEVER;
    status = dyno_bench_aiperf_open(&exported->lines, folder, origin_ns, error);
    if (status == DYNO_OK &&
        snprintf(exported->summary, sizeof exported->summary, "%s/profile_export_aiperf.json",
                 folder) >= (int)sizeof exported->summary) {
        status = dyno_fail(error, DYNO_BAD_INPUT, "the folder's name is too long");
    }
    if (status != DYNO_OK) {
        dyno_export_aiperf_abandon(exported);
        return status;
    }
    *out = exported;
    return DYNO_OK;
}

static bool keep(struct sample *sample, double value)
{
    if (sample->count == sample->room) {
        size_t room = 2 * sample->room + 1024;
        double *grown = realloc(sample->values, room * sizeof *grown);

        if (!grown) {
            return false;
        }
        sample->values = grown;
        sample->room = room;
    }
    sample->values[sample->count++] = value;
    return true;
}

static double ms(dyno_ns from, dyno_ns to)
{
    return (double)(to - from) / 1e6;
}

dyno_status dyno_export_aiperf_add(struct dyno_export_aiperf *exported,
                                   const struct dyno_load_answer *answer, struct dyno_error *error)
{
    const struct dyno_request_record *record = answer->record;
    struct sample *samples = exported->samples;
    bool kept;

    dyno_bench_aiperf_add(exported->lines, answer);
    exported->first_ns =
        answer->sent_ns < exported->first_ns ? answer->sent_ns : exported->first_ns;
    if (record->outcome != DYNO_COMPLETED) {
        exported->failed++;
        return DYNO_OK;
    }
    exported->last_ns =
        record->last_token_ns > exported->last_ns ? record->last_token_ns : exported->last_ns;
    kept = keep(&samples[TTFT], ms(answer->sent_ns, record->first_token_ns)) &&
           keep(&samples[LATENCY], ms(answer->sent_ns, record->last_token_ns)) &&
           keep(&samples[INPUT], record->prompt_tokens) &&
           keep(&samples[OUTPUT], record->output_tokens) &&
           (record->output_tokens < 2 ||
            keep(&samples[GAP], ms(record->first_token_ns, record->last_token_ns) /
                                    (double)(record->output_tokens - 1)));
    return kept ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "no memory for the requests");
}

/* ---- the summary ----------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double percentile(const struct sample *sample, int percent)
{
    double place = (double)(sample->count - 1) * percent / 100;
    size_t below = (size_t)place;
    size_t above = below + 1 < sample->count ? below + 1 : below;

    return sample->values[below] +
           (place - (double)below) * (sample->values[above] - sample->values[below]);
}

static double sum_of(const struct sample *sample)
{
    double sum = 0;

    for (size_t i = 0; i < sample->count; i++) {
        sum += sample->values[i];
    }
    return sum;
}

static double deviation_of(const struct sample *sample, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < sample->count; i++) {
        sum += (sample->values[i] - mean) * (sample->values[i] - mean);
    }
    return sample->count > 1 ? dyno_sqrt(sum / (double)(sample->count - 1)) : 0;
}

static dyno_status put_block(struct dyno_output_file *file, enum metric metric,
                             struct sample *sample)
{
    static const int percents[] = {1, 5, 10, 25, 50, 75, 90, 95, 99};
    double mean;

    if (sample->count == 0) {
        return DYNO_OK; /* what was not measured is not there */
    }
    qsort(sample->values, sample->count, sizeof *sample->values, by_value);
    mean = sum_of(sample) / (double)sample->count;
    DYNO_TRY(dyno_output_print(file,
                               ",\n  \"%s\": {\"unit\": \"%s\", \"avg\": %.12g, \"min\": %.12g, "
                               "\"max\": %.12g",
                               metrics[metric].tag, metrics[metric].unit, mean, sample->values[0],
                               sample->values[sample->count - 1]));
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        DYNO_TRY(dyno_output_print(file, ", \"p%d\": %.12g", percents[i],
                                   percentile(sample, percents[i])));
    }
    return dyno_output_print(file, ", \"std\": %.12g, \"count\": %zu}", deviation_of(sample, mean),
                             sample->count);
}

static dyno_status put_scalar(struct dyno_output_file *file, const char *tag, const char *unit,
                              double value)
{
    return isfinite(value)
               ? dyno_output_print(file, ",\n  \"%s\": {\"unit\": \"%s\", \"avg\": %.12g}", tag,
                                   unit, value)
               : DYNO_OK;
}

static dyno_status put_scalars(struct dyno_output_file *file,
                               const struct dyno_export_aiperf *exported,
                               const struct dyno_past_about *about)
{
    const struct sample *latency = &exported->samples[LATENCY];
    double seconds = exported->last_ns > exported->first_ns
                         ? (double)(exported->last_ns - exported->first_ns) / 1e9
                         : (double)NAN;

    DYNO_TRY(put_scalar(file, "request_count", "requests", (double)latency->count));
    DYNO_TRY(put_scalar(file, "error_request_count", "requests", (double)exported->failed));
    DYNO_TRY(put_scalar(file, "benchmark_duration", "sec", seconds));
    DYNO_TRY(
        put_scalar(file, "request_throughput", "requests/sec", (double)latency->count / seconds));
    DYNO_TRY(put_scalar(file, "output_token_throughput", "tokens/sec",
                        sum_of(&exported->samples[OUTPUT]) / seconds));
    return put_scalar(file, "goodput", "requests/sec",
                      about->goodput_per_s * about->duration_s / seconds);
}

static dyno_status put_summary(struct dyno_output_file *file, struct dyno_export_aiperf *exported,
                               const struct dyno_past_about *about)
{
    DYNO_TRY(dyno_output_print(file, "{\n  \"was_cancelled\": %s",
                               strcmp(about->status, "finished") == 0 ? "false" : "true"));
    for (int i = 0; i < METRICS; i++) {
        DYNO_TRY(put_block(file, (enum metric)i, &exported->samples[i]));
    }
    DYNO_TRY(put_scalars(file, exported, about));
    if (about->started_at[0]) {
        DYNO_TRY(dyno_output_print(file, ",\n  \"start_time\": \"%s\"", about->started_at));
    }
    return dyno_output_print(file, "\n}\n");
}

static void release(struct dyno_export_aiperf *exported)
{
    for (int i = 0; i < METRICS; i++) {
        free(exported->samples[i].values);
    }
    free(exported);
}

dyno_status dyno_export_aiperf_finish(struct dyno_export_aiperf *exported,
                                      const struct dyno_past_about *about, struct dyno_error *error)
{
    struct dyno_output_file file;
    dyno_status status = dyno_bench_aiperf_finish(exported->lines, error);

    if (status == DYNO_OK) {
        status = dyno_output_open(&file, exported->summary, error);
    }
    if (status == DYNO_OK) {
        status = put_summary(&file, exported, about);
        if (status == DYNO_OK) {
            status = dyno_output_finish(&file);
        } else {
            dyno_output_abandon(&file);
        }
    }
    release(exported);
    return status;
}

void dyno_export_aiperf_abandon(struct dyno_export_aiperf *exported)
{
    if (exported) {
        dyno_bench_aiperf_abandon(exported->lines);
        release(exported);
    }
}
