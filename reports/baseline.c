#include "reports/baseline.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/words.h"
#include "reports/text_file.h"

enum { VERSION = 1 };

/* ---- digests --------------------------------------------------------------------------------- */

/* Requests of a conversation may have other numbers when answers come at other times: what was
 * asked is a sum, which has no order. */
static uint64_t asked_of(const struct dyno_request_record *record)
{
    uint64_t digest = 0;

    digest = dyno_chain(digest, record->session);
    digest = dyno_chain(digest, record->tenant);
    digest = dyno_chain(digest, record->prompt_tokens);
    if (record->outcome == DYNO_COMPLETED) {
        digest = dyno_chain(digest, record->output_tokens);
    }
    return digest;
}

static void mix_served(uint64_t *digest, const struct dyno_request_record *record)
{
    const uint64_t stamps[] = {record->scheduled_ns, record->arrival_ns,     record->ready_ns,
                               record->admitted_ns,  record->first_token_ns, record->last_token_ns};

    *digest = dyno_chain(*digest, record->id);
    *digest = dyno_chain(*digest, record->outcome);
    *digest = dyno_chain(*digest, record->worker);
    *digest = dyno_chain(*digest, record->cached_tokens);
    *digest = dyno_chain(*digest, record->preemptions);
    for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++) {
        *digest = dyno_chain(*digest, stamps[i]);
    }
}

struct dyno_run_digest dyno_run_digest_of(const struct dyno_stored_run *run)
{
    struct dyno_run_digest out = {.requests = run->record_count};

    for (uint32_t i = 0; i < run->record_count; i++) {
        out.asked += asked_of(&run->records[i]);
        mix_served(&out.served, &run->records[i]);
    }
    return out;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A name as JSON has it; false: no memory. */
static bool write_name(FILE *out, const char *name)
{
    json_t *string = json_string(name);
    char *text = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    if (text) {
        (void)fprintf(out, "  {\"name\": %s, ", text);
    }
    free(text);
    json_decref(string);
    return text != NULL;
}

static bool write_run(FILE *out, const char *name, const struct dyno_stored_run *run)
{
    struct dyno_run_digest digest = dyno_run_digest_of(run);

    if (!write_name(out, name)) {
        return false;
    }
    (void)fprintf(out,
                  "\"requests\": %" PRIu64 ", \"asked\": \"%016" PRIx64
                  "\", \"served\": \"%016" PRIx64 "\", \"metrics\": {\n",
                  digest.requests, digest.asked, digest.served);
    for (uint32_t i = 0; i < run->metric_count; i++) {
        const struct dyno_stored_metric *metric = &run->metrics[i];
        char value[32] = "null";

        if (isfinite(metric->value)) {
            (void)snprintf(value, sizeof value, "%.17g", metric->value);
        }
        (void)fprintf(out, "    \"%s\": %s%s\n", metric->name, value,
                      i + 1 < run->metric_count ? "," : "");
    }
    (void)fputs("  }}", out);
    return true;
}

dyno_status dyno_baseline_write(const char *path, const char *const *names,
                                const struct dyno_stored_run *const *runs, uint32_t count,
                                struct dyno_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool is_whole = true;
    dyno_status status;

    if (!out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)fprintf(out, "{\"dyno_gate_baseline\": %d, \"scenarios\": [\n", VERSION);
    for (uint32_t i = 0; i < count; i++) {
        is_whole = write_run(out, names[i], runs[i]) && is_whole;
        (void)fputs(i + 1 < count ? ",\n" : "\n", out);
    }
    (void)fputs("]}", out);
    status = fclose(out) == 0 && is_whole ? dyno_text_write(path, text, error)
                                          : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    free(text);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* 16 hexadecimal digits. */
static bool take_digest(uint64_t *out, const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;

    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        return false;
    }
    *out = strtoull(text, &end, 16);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct dyno_stored_metric *)a)->name,
                  ((const struct dyno_stored_metric *)b)->name);
}

/* False: they are not numbers, or memory ran out. */
static bool take_metrics(struct dyno_stored_run *run, json_t *metrics)
{
    const char *name;
    json_t *value;

    run->metrics = calloc(json_object_size(metrics) + 1, sizeof *run->metrics);
    if (!run->metrics) {
        return false;
    }
    json_object_foreach(metrics, name, value)
    {
        struct dyno_stored_metric *metric = &run->metrics[run->metric_count++];

        if (!json_is_number(value) && !json_is_null(value)) {
            return false;
        }
        (void)snprintf(metric->name, sizeof metric->name, "%s", name);
        metric->value = json_is_null(value) ? NAN : json_number_value(value);
    }
    qsort(run->metrics, run->metric_count, sizeof *run->metrics, by_name);
    return run->metric_count > 0;
}

/* The scenario of that name; NULL: there is none. */
static json_t *find_scenario(json_t *root, const char *scenario)
{
    json_t *list = json_object_get(root, "scenarios"), *one;
    size_t index;

    json_array_foreach(list, index, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));

        if (name && strcmp(name, scenario) == 0) {
            return one;
        }
    }
    return NULL;
}

static dyno_status take_scenario(struct dyno_stored_run *run, struct dyno_run_digest *digest,
                                 json_t *root, const char *path, const char *scenario,
                                 struct dyno_error *error)
{
    json_t *one = find_scenario(root, scenario), *requests;

    if (json_integer_value(json_object_get(root, "dyno_gate_baseline")) != VERSION) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "%.300s is no baseline of version %d: `dyno gate --save FILE.json` makes one", path,
            VERSION);
    }
    if (!one) {
        return dyno_fail(error, DYNO_NOT_FOUND, "%.300s holds no run of %s", path, scenario);
    }
    requests = json_object_get(one, "requests");
    digest->requests = (uint64_t)json_integer_value(requests);
    if (!json_is_integer(requests) || json_integer_value(requests) < 0 ||
        !take_digest(&digest->asked, json_object_get(one, "asked")) ||
        !take_digest(&digest->served, json_object_get(one, "served")) ||
        !take_metrics(run, json_object_get(one, "metrics"))) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%.300s: %s lacks requests, asked, served or metrics, or they are not "
                         "what `dyno gate --save FILE.json` writes",
                         path, scenario);
    }
    return DYNO_OK;
}

dyno_status dyno_baseline_read(struct dyno_stored_run *out, struct dyno_run_digest *digest,
                               const char *path, const char *scenario, struct dyno_error *error)
{
    struct dyno_stored_run run = {.id = 0};
    struct dyno_run_digest found = {.requests = 0};
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    dyno_status status;

    if (!root) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%.300s:%d:%d: %s", path, why.line, why.column,
                         why.text);
    }
    status = take_scenario(&run, &found, root, path, scenario, error);
    json_decref(root);
    if (status != DYNO_OK) {
        dyno_stored_run_release(&run);
        return status;
    }
    *out = run;
    *digest = found;
    return DYNO_OK;
}
