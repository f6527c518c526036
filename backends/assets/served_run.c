/* Recognises the format, and puts requests in order. */
#include "backends/assets/served_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/file.h"
#include "backends/assets/recorded_run.h"
#include "backends/assets/served_parts.h"

enum { RECORDING_BYTES_MAX = 1 << 30 };

/* ---- what the readers share ------------------------------------------------------------------ */

dyno_status dyno_served_add(struct dyno_served_reader *reader,
                            const struct dyno_served_request *request)
{
    struct dyno_served_run *run = &reader->run;

    if (run->request_count == reader->capacity) {
        size_t capacity = reader->capacity ? 2 * reader->capacity : 512;
        struct dyno_served_request *requests;

        if (capacity > DYNO_SERVED_REQUESTS_MAX) {
            return dyno_served_refuse(reader, "", "more than four million requests");
        }
        requests = realloc(run->requests, capacity * sizeof *requests);
        if (!requests) {
            return dyno_fail(reader->error, DYNO_NO_MEMORY, "no memory for the requests of %s",
                             reader->path);
        }
        run->requests = requests;
        reader->capacity = capacity;
    }
    run->requests[run->request_count++] = *request;
    run->input_tokens += request->input_tokens;
    run->output_tokens += request->output_tokens;
    run->completed++;
    return DYNO_OK;
}

dyno_status dyno_served_refuse(const struct dyno_served_reader *reader, const char *where,
                               const char *what)
{
    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s: %s%s", reader->path, where, what);
}

/* ---- an engine's own recording --------------------------------------------------------------- */

/* Arrivals have a clock of their own; the two are taken to be apart by the smallest difference seen
 * between an arrival and the engine's noticing it. */
static double clock_offset(const struct dyno_recorded_run *run)
{
    double offset = run->requests[0].queued_s - run->requests[0].arrival_s;

    for (size_t i = 1; i < run->request_count; i++) {
        double difference = run->requests[i].queued_s - run->requests[i].arrival_s;

        offset = difference < offset ? difference : offset;
    }
    return offset;
}

static dyno_status take_recorded(struct dyno_served_reader *reader,
                                 const struct dyno_recorded_run *recorded)
{
    struct dyno_served_run *run = &reader->run;
    double offset = clock_offset(recorded);

    (void)snprintf(run->tool, sizeof run->tool, "a recorded run of vLLM %.30s", recorded->version);
    (void)snprintf(run->model, sizeof run->model, "%s", recorded->model);
    (void)snprintf(run->date, sizeof run->date, "%.31s", recorded->started_at);
    run->is_timed = true;
    run->is_of_engine = true;
    run->tp = recorded->tp;
    run->seqs_max = recorded->seqs_max;
    run->batch_tokens_max = recorded->batch_tokens_max;
    run->context_max = recorded->context_max;
    run->blocks = recorded->blocks;
    run->block_tokens = recorded->block_tokens;
    for (size_t i = 0; i < recorded->request_count; i++) {
        const struct dyno_recorded_request *from = &recorded->requests[i];
        double start_s = from->arrival_s + offset;
        struct dyno_served_request request = {
            .input_tokens = from->input_tokens,
            .output_tokens = from->output_tokens,
            .start_s = from->arrival_s,
            .ttft_s = from->first_token_s - start_s,
            .e2e_s = from->last_token_s - start_s,
        };

        if (!isfinite(start_s) || !(request.ttft_s > 0) || !(request.e2e_s >= request.ttft_s) ||
            from->input_tokens == 0 || from->output_tokens == 0) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: request %zu of requests.jsonl has no tokens, or its stamps are "
                             "not in order",
                             reader->path, i + 1);
        }
        DYNO_TRY(dyno_served_add(reader, &request));
    }
    return DYNO_OK;
}

/* `path` is the folder, or a file in it. */
static dyno_status read_recorded(struct dyno_served_reader *reader, bool is_folder)
{
    const char *slash = strrchr(reader->path, '/');
    size_t length = is_folder ? strlen(reader->path) : slash ? (size_t)(slash - reader->path) : 0;
    char *folder = length > 0 ? strndup(reader->path, length) : strdup(slash ? "/" : ".");
    struct dyno_recorded_run recorded;
    dyno_status status;

    if (!folder) {
        return dyno_fail(reader->error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_recorded_run_read(&recorded, folder, reader->error);
    free(folder);
    DYNO_TRY(status);
    status = take_recorded(reader, &recorded);
    dyno_recorded_run_release(&recorded);
    return status;
}

/* ---- which format ---------------------------------------------------------------------------- */

static bool is_vllm(const json_t *first)
{
    return json_object_get(first, "ttfts") || json_object_get(first, "mean_ttft_ms") ||
           json_object_get(first, "request_throughput");
}

static bool is_recorded(const json_t *first)
{
    return json_object_get(first, "queued_ts") || json_object_get(first, "engine_kwargs");
}

/* Whether anything but blanks follows. */
static bool has_more(FILE *file)
{
    int c;

    do {
        c = fgetc(file);
    } while (c == ' ' || c == '\n' || c == '\r' || c == '\t');
    return c != EOF;
}

static dyno_status read_document(struct dyno_served_reader *reader, FILE *file)
{
    json_error_t why;
    json_t *first = json_loadf(file, JSON_DISABLE_EOF_CHECK, &why);
    dyno_status status;

    if (!first) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s:%d:%d: %s", reader->path, why.line,
                         why.column, why.text);
    }
    if (is_recorded(first)) {
        status = read_recorded(reader, false);
    } else if (json_object_get(first, "metadata")) {
        rewind(file);
        status = dyno_served_read_aiperf(reader, file);
    } else if (!is_vllm(first)) {
        status = dyno_served_refuse(
            reader, "",
            "not a benchmark that dyno knows: the JSON of vllm bench serve --save-result, "
            "AIPerf's profile_export.jsonl, or requests.jsonl of a recorded run beside its "
            "meta.json");
    } else if (has_more(file)) {
        status = dyno_served_refuse(reader, "",
                                    "more than one result (--append-result); keep one of them");
    } else {
        status = dyno_served_take_vllm(reader, first);
    }
    json_decref(first);
    return status;
}

static dyno_status read_file(struct dyno_served_reader *reader)
{
    dyno_status status;
    FILE *file;

    DYNO_TRY(dyno_asset_open_within(&file, reader->path, NULL, RECORDING_BYTES_MAX, reader->error));
    status = read_document(reader, file);
    (void)fclose(file);
    return status;
}

/* ---- putting in order ------------------------------------------------------------------------ */

static int by_start(const void *a, const void *b)
{
    const struct dyno_served_request *left = a, *right = b;

    if (left->start_s != right->start_s) {
        return left->start_s > right->start_s ? 1 : -1;
    }
    return (left > right) - (left < right);
}

static dyno_status finish(struct dyno_served_reader *reader)
{
    struct dyno_served_run *run = &reader->run;

    if (run->request_count == 0 && run->figure_count == 0) {
        return dyno_served_refuse(reader, "", "no request in it was completed");
    }
    if (run->is_timed && run->request_count > 0) {
        double first;

        qsort(run->requests, run->request_count, sizeof *run->requests, by_start);
        first = run->requests[0].start_s;
        for (size_t i = 0; i < run->request_count; i++) {
            run->requests[i].start_s -= first;
        }
        if (run->requests[run->request_count - 1].start_s > 1e9) {
            return dyno_served_refuse(reader, "", "its requests are more than 30 years apart");
        }
    }
    return DYNO_OK;
}

dyno_status dyno_served_run_read(struct dyno_served_run *out, const char *path,
                                 struct dyno_error *error)
{
    struct dyno_served_reader reader = {.path = path, .error = error};
    struct stat about;
    dyno_status status = stat(path, &about) == 0 && S_ISDIR(about.st_mode)
                             ? read_recorded(&reader, true)
                             : read_file(&reader);

    if (status == DYNO_OK) {
        status = finish(&reader);
    }
    if (status != DYNO_OK) {
        dyno_served_run_release(&reader.run);
        return status;
    }
    *out = reader.run;
    return DYNO_OK;
}

void dyno_served_run_release(struct dyno_served_run *run)
{
    free(run->requests);
    run->requests = NULL;
    run->request_count = 0;
}

double dyno_served_ms(const struct dyno_served_request *request, enum dyno_served_metric metric)
{
    switch (metric) {
    case DYNO_SERVED_TTFT:
        return 1e3 * request->ttft_s;
    case DYNO_SERVED_TPOT:
        return request->output_tokens > 1 && request->ttft_s >= 0 && request->e2e_s >= 0
                   ? 1e3 * (request->e2e_s - request->ttft_s) / (request->output_tokens - 1)
                   : -1;
    case DYNO_SERVED_E2E:
        return 1e3 * request->e2e_s;
    case DYNO_SERVED_METRICS:
        break;
    }
    return -1;
}
