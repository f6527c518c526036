/* `vllm bench serve --save-result`: one object with lists as long as there were requests (with
 * --save-detailed), or with figures alone.  Times are seconds, figures milliseconds. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/json_keys.h"
#include "backends/assets/served_parts.h"

#define SECONDS_MAX 1e7 /* a start may count from when the machine was booted */

/* The lists, in the order of `names`. */
enum list { INPUT, OUTPUT, TTFT, GAPS, LATENCY, START, QUEUE, FAULT, LISTS };

static const char *const names[LISTS] = {"input_lens", "output_lens", "ttfts",       "itls",
                                         "latencies",  "start_times", "queue_times", "errors"};

/* Those without which there is no request. */
enum { REQUIRED = TTFT + 1 };

static dyno_status find_lists(struct dyno_served_reader *reader, const json_t *document,
                              const json_t *lists[LISTS])
{
    struct dyno_json_keys keys = {.object = document, .path = reader->path, .error = reader->error};
    size_t count;

    for (int i = 0; i < LISTS; i++) {
        DYNO_TRY(dyno_json_array(&keys, names[i], &lists[i]));
        if (i < REQUIRED && !lists[i]) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: there is a list \"ttfts\" but none \"%s\"; --save-detailed "
                             "writes both",
                             reader->path, names[i]);
        }
    }
    count = json_array_size(lists[TTFT]);
    for (int i = 0; i < LISTS; i++) {
        if (lists[i] && json_array_size(lists[i]) != count) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: \"%s\" has %zu entries where \"ttfts\" has %zu", reader->path,
                             names[i], json_array_size(lists[i]), count);
        }
    }
    return DYNO_OK;
}

static dyno_status refuse_entry(const struct dyno_served_reader *reader, enum list list,
                                size_t index, const char *expected)
{
    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s: \"%s\"[%zu] is not %s", reader->path,
                     names[list], index, expected);
}

static dyno_status take_seconds(const struct dyno_served_reader *reader,
                                const json_t *const lists[LISTS], enum list list, size_t index,
                                double *out)
{
    const json_t *value = json_array_get(lists[list], index);

    *out = json_number_value(value);
    if (!json_is_number(value) || !(*out >= 0 && *out <= SECONDS_MAX)) {
        return refuse_entry(reader, list, index, "a number of seconds from 0 to 1e7");
    }
    return DYNO_OK;
}

static dyno_status take_tokens(const struct dyno_served_reader *reader,
                               const json_t *const lists[LISTS], enum list list, size_t index,
                               uint32_t *out)
{
    const json_t *value = json_array_get(lists[list], index);
    json_int_t tokens = json_integer_value(value);

    if (!json_is_integer(value) || tokens < 0 || tokens > DYNO_SERVED_TOKENS_MAX) {
        return refuse_entry(reader, list, index, "a whole number of tokens");
    }
    *out = (uint32_t)tokens;
    return DYNO_OK;
}

/* To the last token: as it was written down, or the sum of the gaps. */
static dyno_status take_latency(const struct dyno_served_reader *reader,
                                const json_t *const lists[LISTS], size_t index,
                                struct dyno_served_request *request)
{
    const json_t *gaps = json_array_get(lists[GAPS], index);

    if (lists[LATENCY]) {
        return take_seconds(reader, lists, LATENCY, index, &request->e2e_s);
    }
    request->e2e_s = lists[GAPS] ? request->ttft_s : -1;
    if (lists[GAPS] && !json_is_array(gaps)) {
        return refuse_entry(reader, GAPS, index, "a list of seconds");
    }
    for (size_t i = 0; i < json_array_size(gaps); i++) {
        double gap = json_number_value(json_array_get(gaps, i));

        if (!json_is_number(json_array_get(gaps, i)) || !(gap >= 0 && gap <= SECONDS_MAX)) {
            return refuse_entry(reader, GAPS, index, "a list of seconds from 0 to 1e7");
        }
        request->e2e_s += gap;
    }
    return DYNO_OK;
}

static dyno_status take_request(struct dyno_served_reader *reader, const json_t *const lists[LISTS],
                                size_t index)
{
    const char *fault = json_string_value(json_array_get(lists[FAULT], index));
    struct dyno_served_request request = {.input_tokens = 0};
    double waited = 0;

    DYNO_TRY(take_tokens(reader, lists, INPUT, index, &request.input_tokens));
    DYNO_TRY(take_tokens(reader, lists, OUTPUT, index, &request.output_tokens));
    DYNO_TRY(take_seconds(reader, lists, TTFT, index, &request.ttft_s));
    if ((fault && fault[0] != '\0') || request.output_tokens == 0 || request.input_tokens == 0 ||
        request.ttft_s <= 0) {
        reader->run.left_out++; /* vLLM gives a failed one no tokens and a TTFT of 0 */
        return DYNO_OK;
    }
    DYNO_TRY(take_latency(reader, lists, index, &request));
    if (lists[START]) {
        DYNO_TRY(take_seconds(reader, lists, START, index, &request.start_s));
    }
    if (lists[QUEUE]) { /* the client's own wait: it wanted to send so much earlier */
        DYNO_TRY(take_seconds(reader, lists, QUEUE, index, &waited));
    }
    request.start_s -= reader->run.rate_per_s > 0 ? waited : 0;
    return dyno_served_add(reader, &request);
}

/* ---- figures --------------------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    enum dyno_served_metric metric;
} suffixes[] = {
    {"_ttft_ms", DYNO_SERVED_TTFT}, {"_tpot_ms", DYNO_SERVED_TPOT}, {"_e2el_ms", DYNO_SERVED_E2E}};

/* "mean", "median", "p99", "p99.9"; false: something else. */
static bool take_place(const char *text, size_t length, double *fraction)
{
    char copy[16], *end = NULL;

    if (length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strcmp(copy, "mean") == 0 || strcmp(copy, "median") == 0) {
        *fraction = copy[2] == 'a' ? -1 : 0.5;
        return true;
    }
    if (copy[0] != 'p') {
        *fraction = -1;
        return false;
    }
    *fraction = strtod(copy + 1, &end) / 100;
    return end != copy + 1 && *end == '\0' && *fraction > 0 && *fraction < 1;
}

static dyno_status take_figure(struct dyno_served_reader *reader, const char *key,
                               const json_t *value)
{
    struct dyno_served_run *run = &reader->run;
    size_t length = strlen(key);

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t tail = strlen(suffixes[i].suffix);
        struct dyno_served_figure figure = {.metric = suffixes[i].metric,
                                            .ms = json_number_value(value)};

        if (length <= tail || strcmp(key + length - tail, suffixes[i].suffix) != 0 ||
            !take_place(key, length - tail, &figure.fraction)) {
            continue;
        }
        if (!json_is_number(value) || !(figure.ms >= 0 && figure.ms <= 1e3 * SECONDS_MAX)) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: \"%s\" is not a number of milliseconds", reader->path, key);
        }
        if (figure.ms > 0 && run->figure_count < DYNO_SERVED_FIGURES_MAX) {
            run->figures[run->figure_count++] = figure;
        }
    }
    return DYNO_OK;
}

static dyno_status take_count(struct dyno_served_reader *reader, const json_t *document,
                              const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(document, key);

    if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
        json_integer_value(value) > (json_int_t)1 << 50) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is not a whole number above 0; without --save-detailed it "
                         "is needed to know what was sent",
                         reader->path, key);
    }
    *out = (uint64_t)json_integer_value(value);
    return DYNO_OK;
}

static dyno_status take_summary(struct dyno_served_reader *reader, const json_t *document)
{
    const char *key;
    const json_t *value;

    DYNO_TRY(take_count(reader, document, "completed", &reader->run.completed));
    DYNO_TRY(take_count(reader, document, "total_input_tokens", &reader->run.input_tokens));
    DYNO_TRY(take_count(reader, document, "total_output_tokens", &reader->run.output_tokens));
    for (void *at = json_object_iter((json_t *)document); at;
         at = json_object_iter_next((json_t *)document, at)) {
        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        DYNO_TRY(take_figure(reader, key, value));
    }
    if (reader->run.figure_count == 0) {
        return dyno_served_refuse(reader, "",
                                  "neither lists of requests (--save-detailed) nor figures such "
                                  "as \"mean_ttft_ms\"");
    }
    return DYNO_OK;
}

/* ---- the load -------------------------------------------------------------------------------- */

static dyno_status take_load(struct dyno_served_reader *reader, const json_t *document)
{
    struct dyno_json_keys keys = {.object = document, .path = reader->path, .error = reader->error};
    const json_t *rate = json_object_get(document, "request_rate");
    const char *text;

    DYNO_TRY(dyno_json_u32(&keys, "max_concurrency", 1, 10000000, 0, &reader->run.concurrency));
    if (json_is_number(rate) && isfinite(json_number_value(rate)) && json_number_value(rate) > 0) {
        reader->run.rate_per_s = json_number_value(rate);
    } else if (rate && !json_is_null(rate) &&
               !(json_is_string(rate) && strcmp(json_string_value(rate), "inf") == 0)) {
        return dyno_served_refuse(reader, "",
                                  "\"request_rate\" is neither a number above 0 nor \"inf\"");
    }
    DYNO_TRY(dyno_json_double(&keys, "burstiness", 1, &reader->run.burstiness));
    if (!(reader->run.burstiness > 0)) {
        return dyno_served_refuse(reader, "", "\"burstiness\" is not above 0");
    }
    DYNO_TRY(dyno_json_string(&keys, "date", &text));
    (void)snprintf(reader->run.date, sizeof reader->run.date, "%s", text ? text : "");
    DYNO_TRY(dyno_json_string(&keys, "model_id", &text));
    (void)snprintf(reader->run.model, sizeof reader->run.model, "%s", text ? text : "");
    return DYNO_OK;
}

dyno_status dyno_served_take_vllm(struct dyno_served_reader *reader, const json_t *document)
{
    const json_t *lists[LISTS];

    DYNO_TRY(take_load(reader, document));
    if (!json_object_get(document, "ttfts")) {
        (void)snprintf(reader->run.tool, sizeof reader->run.tool, "vllm bench serve, figures only");
        return take_summary(reader, document);
    }
    (void)snprintf(reader->run.tool, sizeof reader->run.tool, "vllm bench serve");
    DYNO_TRY(find_lists(reader, document, lists));
    reader->run.is_timed = lists[START] != NULL;
    for (size_t i = 0; i < json_array_size(lists[TTFT]); i++) {
        DYNO_TRY(take_request(reader, lists, i));
    }
    return DYNO_OK;
}
