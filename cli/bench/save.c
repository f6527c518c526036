#include "cli/bench/save.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/random/output_file.h"
#include "cli/bench/peaks.h"
#include "cli/values.h"
#include "core/base/array.h"
#include "core/base/math.h"

enum { ESCAPED_MAX = 6 * DYNO_LOAD_MODEL_MAX };

#define SECONDS(ns) ((double)(ns) / 1e9)

/* One answer: failed ones have a reason, and their stamps count for nothing. */
struct answer {
    uint64_t id;
    uint32_t input_tokens, output_tokens, chunk_count;
    dyno_ns sent_ns, first_ns, last_ns;
    dyno_ns *chunk_ns; /* [chunk_count]; owned */
    char *why;         /* owned; NULL: it did not fail */
};

struct dyno_bench_saved {
    struct answer *answers; /* [count] */
    size_t count;
    uint32_t capacity;
    bool is_short; /* memory was out */
};

/* ---- keeping --------------------------------------------------------------------------------- */

dyno_status dyno_bench_saved_open(struct dyno_bench_saved **out)
{
    struct dyno_bench_saved *saved = calloc(1, sizeof *saved);

    if (!saved) {
        return DYNO_NO_MEMORY;
    }
    *out = saved;
    return DYNO_OK;
}

void dyno_bench_saved_close(struct dyno_bench_saved *saved)
{
    for (size_t i = 0; saved && i < saved->count; i++) {
        free(saved->answers[i].chunk_ns);
        free(saved->answers[i].why);
    }
    if (saved) {
        free(saved->answers);
        free(saved);
    }
}

static bool has_room(struct dyno_bench_saved *saved)
{
    return dyno_array_reserve(&saved->answers, &saved->capacity, saved->count + 1,
                              sizeof *saved->answers);
}

/* What is `given`'s alone is copied; false: no memory. */
static bool keep_parts(struct answer *kept, const struct dyno_load_answer *given)
{
    if (given->why[0]) {
        kept->why = strdup(given->why);
        return kept->why != NULL;
    }
    kept->chunk_ns = calloc((size_t)given->chunk_count + 1, sizeof *kept->chunk_ns);
    if (!kept->chunk_ns) {
        return false;
    }
    if (given->chunk_count > 0) {
        memcpy(kept->chunk_ns, given->chunk_ns, given->chunk_count * sizeof *kept->chunk_ns);
    }
    kept->chunk_count = given->chunk_count;
    return true;
}

void dyno_bench_saved_add(void *context, const struct dyno_load_answer *given)
{
    struct dyno_bench_saved *saved = context;
    const struct dyno_request_record *record = given->record;
    struct answer kept = {.id = record->id,
                          .input_tokens = record->prompt_tokens,
                          .output_tokens = record->output_tokens,
                          .sent_ns = given->sent_ns,
                          .first_ns = record->first_token_ns,
                          .last_ns = record->last_token_ns};

    if (record->outcome != DYNO_COMPLETED && record->outcome != DYNO_FAILED) {
        return; /* given up at the end of the run: neither good nor bad */
    }
    if (!has_room(saved) || !keep_parts(&kept, given)) {
        saved->is_short = true;
        return;
    }
    saved->answers[saved->count++] = kept;
}

/* ---- figures --------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct answer *)a)->id, right = ((const struct answer *)b)->id;

    return (left > right) - (left < right);
}

/* Nothing measured is 0 there. */
static dyno_status put_values(struct dyno_output_file *file, const char *name,
                              struct dyno_values *values)
{
    bool any = values->count > 0;

    dyno_values_sort(values);
    return dyno_output_print(
        file,
        ",\n\"mean_%s_ms\": %.17g, \"median_%s_ms\": %.17g, \"std_%s_ms\": %.17g, "
        "\"p99_%s_ms\": %.17g",
        name, any ? dyno_values_mean(values) : 0.0, name,
        any ? dyno_values_percentile(values, 0.5) : 0.0, name,
        any ? dyno_values_deviation(values) : 0.0, name,
        any ? dyno_values_percentile(values, 0.99) : 0.0);
}

static dyno_status add_ttft(struct dyno_values *values, const struct answer *answer)
{
    return dyno_values_add(values, 1e3 * SECONDS(answer->first_ns - answer->sent_ns));
}

static dyno_status add_tpot(struct dyno_values *values, const struct answer *answer)
{
    if (answer->output_tokens <= 1) {
        return DYNO_OK;
    }
    return dyno_values_add(values, 1e3 * SECONDS(answer->last_ns - answer->first_ns) /
                                       (double)(answer->output_tokens - 1));
}

static dyno_status add_gaps(struct dyno_values *values, const struct answer *answer)
{
    for (uint32_t i = 1; i < answer->chunk_count; i++) {
        DYNO_TRY(
            dyno_values_add(values, 1e3 * SECONDS(answer->chunk_ns[i] - answer->chunk_ns[i - 1])));
    }
    return DYNO_OK;
}

static dyno_status add_latency(struct dyno_values *values, const struct answer *answer)
{
    return dyno_values_add(values, 1e3 * SECONDS(answer->last_ns - answer->sent_ns));
}

static const struct {
    const char *name;
    dyno_status (*add)(struct dyno_values *values, const struct answer *answer);
} measures[] = {{"ttft", add_ttft}, {"tpot", add_tpot}, {"itl", add_gaps}, {"e2el", add_latency}};

/* Gaps of answers whose chunks are not there. */
static dyno_status put_known_gaps(struct dyno_output_file *file, const double itl_ms[4])
{
    static const char *const names[] = {"mean", "median", "std", "p99"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (isfinite(itl_ms[i])) {
            DYNO_TRY(dyno_output_print(file, ",%s\"%s_itl_ms\": %.17g", i == 0 ? "\n" : " ",
                                       names[i], itl_ms[i]));
        } else {
            DYNO_TRY(
                dyno_output_print(file, ",%s\"%s_itl_ms\": null", i == 0 ? "\n" : " ", names[i]));
        }
    }
    return DYNO_OK;
}

static dyno_status collect(struct dyno_values *values, size_t measure,
                           const struct dyno_bench_saved *saved)
{
    values->count = 0;
    for (size_t i = 0; i < saved->count; i++) {
        if (!saved->answers[i].why) {
            DYNO_TRY(measures[measure].add(values, &saved->answers[i]));
        }
    }
    return DYNO_OK;
}

static dyno_status put_samples(struct dyno_output_file *file, const struct dyno_bench_saved *saved,
                               const double *itl_ms)
{
    struct dyno_values values = {.values = NULL};
    dyno_status status = DYNO_OK;

    for (size_t i = 0; status == DYNO_OK && i < sizeof measures / sizeof measures[0]; i++) {
        if (itl_ms && measures[i].add == add_gaps) {
            status = put_known_gaps(file, itl_ms);
            continue;
        }
        status = collect(&values, i, saved) == DYNO_OK
                     ? put_values(file, measures[i].name, &values)
                     : dyno_fail(file->error, DYNO_NO_MEMORY, "no memory for the figures to save");
    }
    dyno_values_release(&values);
    return status;
}

/* ---- totals ---------------------------------------------------------------------------------- */

struct totals {
    uint64_t completed, failed, input_tokens, output_tokens;
    double duration_s;
};

static struct totals sum_up(const struct dyno_bench_saved *saved)
{
    struct totals totals = {.completed = 0};
    dyno_ns first = DYNO_NEVER, last = 0;

    for (size_t i = 0; i < saved->count; i++) {
        const struct answer *answer = &saved->answers[i];

        if (answer->sent_ns < first) {
            first = answer->sent_ns;
        }
        if (answer->why) {
            totals.failed++;
            continue;
        }
        totals.completed++;
        totals.input_tokens += answer->input_tokens;
        totals.output_tokens += answer->output_tokens;
        last = answer->last_ns > last ? answer->last_ns : last;
    }
    totals.duration_s = last > first ? SECONDS(last - first) : 0;
    return totals;
}

static double rate(double count, double seconds)
{
    return seconds > 0 ? count / seconds : 0;
}

static dyno_status put_totals(struct dyno_output_file *file, const struct totals *totals,
                              const struct dyno_bench_saved_about *about)
{
    const struct dyno_scenario *scenario = about->scenario;
    bool has_slo = scenario->slo.ttft_ns || scenario->slo.tpot_ns || scenario->slo.itl_ns ||
                   scenario->slo.e2e_ns;
    double seconds = totals->duration_s;

    DYNO_TRY(dyno_output_print(file,
                               ",\n\"duration\": %.17g, \"completed\": %" PRIu64
                               ", \"failed\": %" PRIu64 ", \"total_input_tokens\": %" PRIu64
                               ", \"total_output_tokens\": %" PRIu64
                               ",\n\"request_throughput\": %.17g, ",
                               seconds, totals->completed, totals->failed, totals->input_tokens,
                               totals->output_tokens, rate((double)totals->completed, seconds)));
    if (has_slo) {
        DYNO_TRY(dyno_output_print(file, "\"request_goodput\": %.17g, ",
                                   rate((double)about->within_slo, seconds)));
    } else {
        DYNO_TRY(dyno_output_print(file, "\"request_goodput\": null, "));
    }
    return dyno_output_print(file,
                             "\"output_throughput\": %.17g, \"total_token_throughput\": %.17g",
                             rate((double)totals->output_tokens, seconds),
                             rate((double)(totals->input_tokens + totals->output_tokens), seconds));
}

/* ---- peaks ----------------------------------------------------------------------------------- */

/* Times of good answers: [answers] sent and ended, [chunks] read. */
struct times {
    dyno_ns *sent, *ended, *chunks;
    size_t answers, chunk_count;
};

static bool take_times(const struct dyno_bench_saved *saved, struct times *times)
{
    size_t most = 1;

    for (size_t i = 0; i < saved->count; i++) {
        most += saved->answers[i].chunk_count;
    }
    times->sent = calloc(saved->count + 1, sizeof(dyno_ns));
    times->ended = calloc(saved->count + 1, sizeof(dyno_ns));
    times->chunks = calloc(most, sizeof(dyno_ns));
    if (!times->sent || !times->ended || !times->chunks) {
        return false;
    }
    for (size_t i = 0; i < saved->count; i++) {
        const struct answer *answer = &saved->answers[i];

        if (answer->why) {
            continue;
        }
        times->sent[times->answers] = answer->sent_ns;
        times->ended[times->answers++] = answer->last_ns;
        for (uint32_t j = 0; j < answer->chunk_count; j++) {
            times->chunks[times->chunk_count++] = answer->chunk_ns[j];
        }
    }
    return true;
}

static dyno_status put_peaks(struct dyno_output_file *file, const struct dyno_bench_saved *saved)
{
    struct times times = {.answers = 0};
    dyno_status status;

    if (take_times(saved, &times) && times.answers > 0 && times.chunk_count == 0) {
        status = dyno_output_print(
            file, ",\n\"max_output_tokens_per_s\": null, \"max_concurrent_requests\": %zu",
            dyno_peak_overlap(times.sent, times.ended, times.answers));
    } else if (times.sent && times.ended && times.chunks) {
        status = dyno_output_print(
            file, ",\n\"max_output_tokens_per_s\": %zu.0, \"max_concurrent_requests\": %zu",
            dyno_peak_per_second(times.chunks, times.chunk_count),
            dyno_peak_overlap(times.sent, times.ended, times.answers));
    } else {
        status = dyno_fail(file->error, DYNO_NO_MEMORY, "no memory for the peaks to save");
    }
    free(times.sent);
    free(times.ended);
    free(times.chunks);
    return status;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static dyno_status put_input(struct dyno_output_file *file, const struct answer *answer)
{
    return dyno_output_print(file, "%u", answer->input_tokens);
}

static dyno_status put_output(struct dyno_output_file *file, const struct answer *answer)
{
    return dyno_output_print(file, "%u", answer->why ? 0 : answer->output_tokens);
}

static dyno_status put_first(struct dyno_output_file *file, const struct answer *answer)
{
    return dyno_output_print(file, "%.9f",
                             answer->why ? 0 : SECONDS(answer->first_ns - answer->sent_ns));
}

static dyno_status put_gaps(struct dyno_output_file *file, const struct answer *answer)
{
    DYNO_TRY(dyno_output_print(file, "["));
    for (uint32_t i = 1; i < answer->chunk_count; i++) {
        DYNO_TRY(dyno_output_print(file, "%s%.9f", i > 1 ? ", " : "",
                                   SECONDS(answer->chunk_ns[i] - answer->chunk_ns[i - 1])));
    }
    return dyno_output_print(file, "]");
}

static dyno_status put_latency(struct dyno_output_file *file, const struct answer *answer)
{
    return dyno_output_print(file, "%.9f",
                             answer->why ? 0 : SECONDS(answer->last_ns - answer->sent_ns));
}

static dyno_status put_start(struct dyno_output_file *file, const struct answer *answer)
{
    return dyno_output_print(file, "%.9f",
                             answer->sent_ns == DYNO_NEVER ? 0 : SECONDS(answer->sent_ns));
}

static dyno_status put_text(struct dyno_output_file *file, const struct answer *answer)
{
    (void)answer;
    return dyno_output_print(file, "\"\"");
}

/* Printable ASCII, in quotes. */
static dyno_status put_quoted(struct dyno_output_file *file, const char *text)
{
    char escaped[ESCAPED_MAX];
    size_t size = 0;

    for (; *text && size + 8 < sizeof escaped; text++) {
        unsigned char letter = (unsigned char)*text;

        if (letter < 0x20 || letter == '"' || letter == '\\') {
            size += (size_t)snprintf(escaped + size, sizeof escaped - size, "\\u%04x", letter);
        } else {
            escaped[size++] = *text;
        }
    }
    escaped[size] = '\0';
    return dyno_output_print(file, "\"%s\"", escaped);
}

static dyno_status put_why(struct dyno_output_file *file, const struct answer *answer)
{
    return put_quoted(file, answer->why ? answer->why : "");
}

static const struct {
    const char *name;
    dyno_status (*put)(struct dyno_output_file *file, const struct answer *answer);
} lists[] = {
    {"input_lens", put_input}, {"output_lens", put_output},   {"ttfts", put_first},
    {"itls", put_gaps},        {"latencies", put_latency},    {"start_times", put_start},
    {"errors", put_why},       {"generated_texts", put_text},
};

static dyno_status put_lists(struct dyno_output_file *file, const struct dyno_bench_saved *saved)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        DYNO_TRY(dyno_output_print(file, ",\n\"%s\": [", lists[i].name));
        for (size_t j = 0; j < saved->count; j++) {
            DYNO_TRY(dyno_output_print(file, "%s", j > 0 ? ", " : ""));
            DYNO_TRY(lists[i].put(file, &saved->answers[j]));
        }
        DYNO_TRY(dyno_output_print(file, "]"));
    }
    return DYNO_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* "poisson:4" is 4 a second; what has no one rate is "inf". */
static dyno_status put_rate(struct dyno_output_file *file, const char *arrival)
{
    const char *colon = arrival ? strchr(arrival, ':') : NULL;
    bool has_rate =
        colon && (strncmp(arrival, "poisson:", 8) == 0 || strncmp(arrival, "constant:", 9) == 0 ||
                  strncmp(arrival, "gamma:", 6) == 0);

    if (has_rate) {
        return dyno_output_print(file, ", \"request_rate\": %.17g", strtod(colon + 1, NULL));
    }
    return dyno_output_print(file, ", \"request_rate\": \"inf\"");
}

static uint32_t concurrency_of(const struct dyno_scenario *scenario)
{
    static const char closed[] = "concurrency:";
    const char *arrival = scenario->generate.arrival;

    if (scenario->trace.concurrency > 0) {
        return scenario->trace.concurrency;
    }
    if (arrival && strncmp(arrival, closed, sizeof closed - 1) == 0) {
        return (uint32_t)strtoul(arrival + sizeof closed - 1, NULL, 10);
    }
    return scenario->trace.inflight_max;
}

static dyno_status put_about(struct dyno_output_file *file,
                             const struct dyno_bench_saved_about *about, size_t count)
{
    uint32_t concurrency = concurrency_of(about->scenario);

    DYNO_TRY(dyno_output_print(
        file, "{\"date\": \"%s\", \"backend\": \"%s\", \"model_id\": ", about->date,
        strcmp(about->endpoint, "chat") == 0 ? "openai-chat" : "openai"));
    DYNO_TRY(put_quoted(file, about->model));
    DYNO_TRY(dyno_output_print(file, ", \"num_prompts\": %zu", count));
    DYNO_TRY(put_rate(file, about->scenario->generate.arrival));
    if (concurrency > 0) {
        return dyno_output_print(file, ", \"max_concurrency\": %u", concurrency);
    }
    return dyno_output_print(file, ", \"max_concurrency\": null");
}

static dyno_status put_all(struct dyno_output_file *file, const struct dyno_bench_saved *saved,
                           const struct dyno_bench_saved_about *about)
{
    struct totals totals = sum_up(saved);

    DYNO_TRY(put_about(file, about, saved->count));
    DYNO_TRY(put_totals(file, &totals, about));
    DYNO_TRY(put_peaks(file, saved));
    DYNO_TRY(put_samples(file, saved, about->itl_ms));
    DYNO_TRY(put_lists(file, saved));
    return dyno_output_print(file, "}\n");
}

dyno_status dyno_bench_saved_write(struct dyno_bench_saved *saved, const char *path,
                                   const struct dyno_bench_saved_about *about,
                                   struct dyno_error *error)
{
    struct dyno_output_file file;
    dyno_status status;

    if (saved->is_short) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: there was no memory to keep every answer",
                         path);
    }
    if (saved->count > 0) {
        qsort(saved->answers, saved->count, sizeof *saved->answers, by_id);
    }
    DYNO_TRY(dyno_output_open(&file, path, error));
    status = put_all(&file, saved, about);
    if (status != DYNO_OK) {
        dyno_output_abandon(&file);
        return status;
    }
    return dyno_output_finish(&file);
}
