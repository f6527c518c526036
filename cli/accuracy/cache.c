/* Prefix hits over time, and tokens over time, of recorded servers with a cache.
 *
 * The recordings of hits are of Llama-3.1-8B on one or two GPUs of 48 GB that dyno has no figures
 * for; the L40S stands in for them: what hits depends on the order of requests, hardly on speed.
 *
 * Their stamps are whole seconds, and do not say when in its second a rate was read.  Its end is
 * taken; in a second in which a long prompt begins that decides, and so it is said beside it what
 * would have come out for other moments. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy/accuracy.h"
#include "cli/accuracy/rows.h"
#include "cli/fit/request_listener.h"
#include "cli/fit/token_trace.h"

enum { BLOCK_TOKENS = 16 };

static const double bound_points = 3.0; /* what is asked of the hit rate */

/* What is looked at. */
enum kind {
    HITS,       /* prompt tokens found so far, in percent ... */
    LOCAL_HITS, /* ... on one worker's GPU, of those of its requests ... */
    TIER_HITS,  /* ... in a lower tier */
    TOKENS,     /* tokens a second */
};

/* One recording: a column that is looked at second by second. */
struct recording {
    const char *title, *reference, *column, *prompts, *line;
    const char *means; /* a table of means of the same run; NULL: there is none */
    enum kind kind;
    uint32_t worker; /* of LOCAL_HITS */
};

/* Two instances in turn, and host memory that both share, in LMCache's chunks. */
#define SHARED_TIER                                                                                \
    "--model llama-3.1-8b --gpu l40s --workers 2 --tier g2=128GiB:node --set "                     \
    "tiers.chunk_tokens=256"
#define PULSES "disaggregated/dataset/sharegpt_pulse_req50_n6_delay15_pc.jsonl.gz"

#define H100_70B                                                                                   \
    "--model llama-3.1-70b --gpu h100 --tp 4 --set timing.host=vllm-sync --set "                   \
    "timing.response_us=" DYNO_SERVED_TRIP_US " "

static const struct recording recordings[] = {
    {"prefix-hit rate, % of prompt tokens so far",
     "disaggregated/prefix_cache_and_shared_tier/reference/SD+PC.tsv", "prefix_hit_pct", PULSES,
     "--model llama-3.1-8b --gpu l40s", NULL, HITS, 0},
    {"... of the first of two instances",
     "disaggregated/prefix_cache_and_shared_tier/reference/MD+PC+PS_inst0.tsv", "prefix_hit_pct",
     PULSES, SHARED_TIER, NULL, LOCAL_HITS, 0},
    {"... of the second", "disaggregated/prefix_cache_and_shared_tier/reference/MD+PC+PS_inst1.tsv",
     "prefix_hit_pct", PULSES, SHARED_TIER, NULL, LOCAL_HITS, 1},
    {"... in the host memory that they share",
     "disaggregated/prefix_cache_and_shared_tier/reference/MD+PC+PS_shared_cpu.tsv",
     "shared_cpu_prefix_hit_pct", PULSES, SHARED_TIER, NULL, TIER_HITS, 0},
    {"tokens/s of one instance", "disaggregated/throughput_H100/reference/SD+PC_throughput.tsv",
     "throughput", "disaggregated/dataset/sharegpt_req300_rate10_llama.jsonl.gz", H100_70B,
     "disaggregated/latency_H100/SD_latency.tsv", TOKENS, 0},
    {"tokens/s of two instances", "disaggregated/throughput_H100/reference/MD_throughput.tsv",
     "throughput", "disaggregated/dataset/sharegpt_req300_rate10_llama.jsonl.gz",
     H100_70B "--workers 2 --set kv.prefix_cache=false",
     "disaggregated/latency_H100/MD_latency.tsv", TOKENS, 0},
};

/* Of the requests admitted before `at`: prompt tokens found in cache, in percent. */
static double hits_at(const struct dyno_listener *listener, const struct recording *recording,
                      dyno_ns at)
{
    double prompt = 0, cached = 0;

    for (size_t i = 0; i < listener->record_count; i++) {
        const struct dyno_request_record *record = &listener->records[i];

        if (record->admitted_ns >= at ||
            (recording->kind == LOCAL_HITS && record->worker != recording->worker)) {
            continue;
        }
        prompt += record->prompt_tokens;
        cached += recording->kind == HITS         ? record->cached_tokens
                  : recording->kind == LOCAL_HITS ? record->cached_tokens - record->onboarded_tokens
                                                  : record->onboarded_tokens;
    }
    return prompt > 0 ? 100 * cached / prompt : 0;
}

/* How long after its stamp a rate was read, perhaps. */
static const double moments_s[] = {0, 0.25, 0.5, 0.75, 1, 1.25};

enum { MOMENTS = sizeof moments_s / sizeof moments_s[0] };

/* What hit rates were off by if they were read then. */
struct moment {
    uint32_t within; /* bound_points */
    double sum, worst;
};

/* A run of servers whose rates were recorded together, on one clock. */
enum run { ONE_INSTANCE, TWO_INSTANCES, RUNS };

/* What hit rates were off by, and the second at whose end most. */
struct hit_errors {
    uint32_t seconds[RUNS];
    struct moment moments[RUNS][MOMENTS];
    uint32_t within; /* bound_points, at its end */
    double worst, worst_time_s;
    double measured, from, to; /* then; predicted at its beginning and end */
    uint32_t begun;            /* requests in that second */
    double worst_of_second;    /* from all that was predicted between a second's ends */
};

static uint32_t begun_between(const struct dyno_listener *listener, dyno_ns from, dyno_ns to)
{
    uint32_t begun = 0;

    for (size_t i = 0; i < listener->record_count; i++) {
        begun += listener->records[i].admitted_ns >= from && listener->records[i].admitted_ns < to;
    }
    return begun;
}

/* How far `value` lies from all predictions between `from` and `to`. */
static double outside(const struct dyno_listener *listener, const struct recording *recording,
                      double value, dyno_ns from, dyno_ns to)
{
    double low = hits_at(listener, recording, to), high = low;

    for (size_t i = 0; i < listener->record_count; i++) {
        dyno_ns at = listener->records[i].admitted_ns;

        if (at >= from && at < to) {
            double hits = hits_at(listener, recording, at);

            low = hits < low ? hits : low;
            high = hits > high ? hits : high;
        }
    }
    return value < low ? low - value : value > high ? value - high : 0;
}

static void judge_moments(struct hit_errors *errors, const struct dyno_listener *listener,
                          const struct recording *recording, double time_s, double measured)
{
    enum run run = recording->kind == HITS ? ONE_INSTANCE : TWO_INSTANCES;

    for (uint32_t i = 0; i < MOMENTS; i++) {
        struct moment *moment = &errors->moments[run][i];
        dyno_ns at = (dyno_ns)((time_s + moments_s[i]) * 1e9);
        double difference = fabs(hits_at(listener, recording, at) - measured);

        moment->within += difference <= bound_points;
        moment->sum += difference;
        moment->worst = difference > moment->worst ? difference : moment->worst;
    }
    errors->seconds[run]++;
}

static void judge_hits(struct hit_errors *errors, const struct dyno_listener *listener,
                       const struct recording *recording, double time_s, double measured)
{
    dyno_ns from = (dyno_ns)(time_s * 1e9), to = (dyno_ns)((time_s + 1) * 1e9);
    double predicted = hits_at(listener, recording, to), difference = fabs(predicted - measured);
    double beyond = outside(listener, recording, measured, from, to);

    judge_moments(errors, listener, recording, time_s, measured);
    errors->within += difference <= bound_points;
    errors->worst_of_second = beyond > errors->worst_of_second ? beyond : errors->worst_of_second;
    if (difference > errors->worst) {
        errors->worst = difference;
        errors->worst_time_s = time_s;
        errors->measured = measured;
        errors->from = hits_at(listener, recording, from);
        errors->to = predicted;
        errors->begun = begun_between(listener, from, to);
    }
}

static void print_moments(const struct dyno_accuracy *accuracy, const struct hit_errors *errors)
{
    (void)fprintf(
        accuracy->out,
        "\nStamps are whole seconds, and when in a second a rate was read is another moment "
        "for each recording. The same, if it was\nread so long after its stamp:\n\n"
        "| s | one instance: within %.0f points | mean | largest | two instances: within "
        "%.0f points | mean | largest |\n|---:|---:|---:|---:|---:|---:|---:|\n",
        bound_points, bound_points);
    for (uint32_t i = 0; i < MOMENTS; i++) {
        (void)fprintf(accuracy->out, "| %g |", moments_s[i]);
        for (uint32_t run = 0; run < RUNS; run++) {
            const struct moment *moment = &errors->moments[run][i];

            (void)fprintf(
                accuracy->out, " %u of %u | %.2f | %.1f |", moment->within, errors->seconds[run],
                errors->seconds[run] ? moment->sum / errors->seconds[run] : 0, moment->worst);
        }
        (void)fputs("\n", accuracy->out);
    }
}

static void print_hits(const struct dyno_accuracy *accuracy, const struct hit_errors *errors)
{
    (void)fprintf(accuracy->out,
                  "\nHit rates: %u of %u seconds are within %.0f points. The largest difference is "
                  "in second %.0f, in which %u requests\nbegin and the predicted rate goes from "
                  "%.1f to %.1f %% (measured: %.1f, at some moment of it). No measured rate is "
                  "further than\n%.1f points from what was predicted between the beginning and the "
                  "end of its second.\n",
                  errors->within, errors->seconds[ONE_INSTANCE] + errors->seconds[TWO_INSTANCES],
                  bound_points, errors->worst_time_s, errors->begun, errors->from, errors->to,
                  errors->measured, errors->worst_of_second);
    print_moments(accuracy, errors);
}

/* Prompt and output tokens of the second before `at`: prompts count where they end, an answer is
 * taken to be even. */
static double tokens_at(const struct dyno_listener *listener, dyno_ns at)
{
    double sum = 0, to = (double)at * 1e-9, from = to - 1;

    for (size_t i = 0; i < listener->record_count; i++) {
        const struct dyno_request_record *record = &listener->records[i];
        double first = (double)record->first_token_ns * 1e-9;
        double last = (double)record->last_token_ns * 1e-9;
        double begin = first > from ? first : from, end = last < to ? last : to;

        if (last > first && end > begin) {
            sum += record->output_tokens * (end - begin) / (last - first);
        }
    }
    return sum;
}

static dyno_status compare(const struct dyno_accuracy *accuracy, const struct recording *recording,
                           const struct dyno_listener *listener, const char *path,
                           struct hit_errors *hits, struct dyno_error *error)
{
    const char *columns[] = {"time_s", recording->column, NULL};
    double sum = 0, worst = 0, mean = 0, predicted_mean = 0, time_s = 0, value = 0;
    struct dyno_measured measured;
    dyno_status status;
    uint32_t count = 0;
    bool got = true;

    DYNO_TRY(dyno_measured_open(&measured, path, columns, error));
    while ((status = dyno_measured_next(&measured, &got, error)) == DYNO_OK && got) {
        dyno_ns at;
        double predicted, difference;

        if (dyno_measured_number(&measured, 0, &time_s, NULL) != DYNO_OK ||
            dyno_measured_number(&measured, 1, &value, NULL) != DYNO_OK || time_s < 0) {
            continue;
        }
        at = (dyno_ns)((time_s + 1) * 1e9);
        predicted =
            recording->kind == TOKENS ? tokens_at(listener, at) : hits_at(listener, recording, at);
        difference = fabs(predicted - value);
        sum += difference;
        worst = difference > worst ? difference : worst;
        if (recording->kind != TOKENS) {
            judge_hits(hits, listener, recording, time_s, value);
        }
        mean += value;
        predicted_mean += predicted;
        count++;
    }
    dyno_measured_close(&measured);
    DYNO_TRY(status);
    if (count > 0) {
        (void)fprintf(accuracy->out, "| %s | %u | %.1f | %.1f | %.1f | %.1f |\n", recording->title,
                      count, mean / count, predicted_mean / count, sum / count, worst);
    }
    return DYNO_OK;
}

/* What the run's own table says of vLLM, beside what was predicted. */
static dyno_status print_means(const struct dyno_accuracy *accuracy,
                               const struct recording *recording,
                               const struct dyno_metrics *metrics, struct dyno_error *error)
{
    static const char *const columns[] = {"framework", "mean_ttft_ms", "mean_tpot_ms", NULL};
    double predicted[2] = {dyno_histogram_mean(&metrics->ttft) * 1e-6,
                           dyno_histogram_mean(&metrics->tpot) * 1e-6};
    static const char *const names[2] = {"mean TTFT, ms", "mean TPOT, ms"};
    struct dyno_measured measured;
    dyno_status status;
    char path[1024];
    bool got = true;

    if (!recording->means || !dyno_accuracy_find(accuracy, recording->means, path, sizeof path)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_measured_open(&measured, path, columns, error));
    while ((status = dyno_measured_next(&measured, &got, error)) == DYNO_OK && got) {
        for (uint32_t i = 0; i < 2 && strcmp(measured.fields[0], "vLLM") == 0; i++) {
            double value = 0;

            (void)dyno_measured_number(&measured, i + 1, &value, NULL);
            (void)fprintf(accuracy->out, "| ... its %s | | %.2f | %.2f | %.2f | |\n", names[i],
                          value, predicted[i], fabs(predicted[i] - value));
        }
    }
    dyno_measured_close(&measured);
    return status;
}

static dyno_status simulate(const struct dyno_accuracy *accuracy, const struct recording *recording,
                            const char *reference, const char *prompts, struct hit_errors *hits,
                            struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    struct dyno_listener listener;
    dyno_status status;
    char line[512];
    char *text;
    size_t size;

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_listener_init(&listener);
    (void)snprintf(line, sizeof line,
                   "--trace prompts --format mooncake --set trace.block_tokens=%d --engine vllm %s",
                   BLOCK_TOKENS, recording->line);
    status = dyno_token_trace_read(&text, &size, prompts, BLOCK_TOKENS, 0, error);
    if (status == DYNO_OK) {
        experiment->assembly.trace_data = text;
        experiment->assembly.trace_size = size;
        status = dyno_experiment_run(experiment, line, &listener.sink, error);
        if (status == DYNO_OK) {
            status = compare(accuracy, recording, &listener, reference, hits, error);
            if (status == DYNO_OK) {
                status = print_means(accuracy, recording, &experiment->assembly.metrics, error);
            }
            dyno_experiment_close(experiment);
        }
        free(text);
    }
    dyno_listener_release(&listener);
    free(experiment);
    return status;
}

dyno_status dyno_accuracy_cache(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    char reference[1024], prompts[1024];
    struct hit_errors hits = {0};

    (void)fputs("| second by second | seconds | mean, measured | predicted | mean absolute error | "
                "largest |\n|---|---:|---:|---:|---:|---:|\n",
                accuracy->out);
    for (size_t i = 0; i < sizeof recordings / sizeof recordings[0]; i++) {
        if (dyno_accuracy_find(accuracy, recordings[i].reference, reference, sizeof reference) &&
            dyno_accuracy_find(accuracy, recordings[i].prompts, prompts, sizeof prompts)) {
            DYNO_TRY(simulate(accuracy, &recordings[i], reference, prompts, &hits, error));
        }
    }
    if (hits.seconds[ONE_INSTANCE] + hits.seconds[TWO_INSTANCES] > 0) {
        print_hits(accuracy, &hits);
    }
    return DYNO_OK;
}
