/* Reads recorded runs: JSON of the formats that vLLM-side recorders write. */
#include "backends/assets/recorded_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/file.h"
#include "backends/assets/json_keys.h"

enum { TOKENS_MAX = 1 << 24, REQUESTS_MAX = 1 << 24 };

/* ---- meta.json ------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text ? text : "");
}

static dyno_status read_kwargs(struct dyno_recorded_run *run, const json_t *kwargs,
                               const char *path, struct dyno_error *error)
{
    struct dyno_json_keys keys = {.object = kwargs, .path = path, .error = error};
    const char *model;

    if (!json_is_object(kwargs)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: \"engine_kwargs\" is not an object", path);
    }
    DYNO_TRY(dyno_json_string(&keys, "model", &model));
    copy_text(run->model, sizeof run->model, model);
    DYNO_TRY(dyno_json_u32(&keys, "tensor_parallel_size", 1, 1024, 1, &run->tp));
    DYNO_TRY(dyno_json_u32(&keys, "max_num_seqs", 1, 1 << 20, 256, &run->seqs_max));
    DYNO_TRY(
        dyno_json_u32(&keys, "max_num_batched_tokens", 1, 1 << 24, 2048, &run->batch_tokens_max));
    return dyno_json_u32(&keys, "max_model_len", 1, 1 << 30, 0, &run->context_max);
}

static dyno_status read_cache(struct dyno_recorded_run *run, const json_t *cache, const char *path,
                              struct dyno_error *error)
{
    struct dyno_json_keys keys = {.object = cache, .path = path, .error = error};

    run->block_tokens = 16;
    if (!json_is_object(cache)) {
        return DYNO_OK; /* older recorders do not say */
    }
    DYNO_TRY(dyno_json_u32(&keys, "num_gpu_blocks", 1, UINT32_MAX, 0, &run->blocks));
    return dyno_json_u32(&keys, "block_size", 1, 1 << 20, 16, &run->block_tokens);
}

static dyno_status read_meta(struct dyno_recorded_run *run, const char *folder,
                             struct dyno_error *error)
{
    struct dyno_json_keys keys;
    const char *version, *started_at;
    json_error_t why;
    dyno_status status;
    json_t *meta;
    FILE *file;

    DYNO_TRY(dyno_asset_open(&file, folder, "meta.json", error));
    meta = json_loadf(file, JSON_REJECT_DUPLICATES, &why);
    (void)fclose(file);
    if (!json_is_object(meta)) {
        json_decref(meta);
        return dyno_fail(error, DYNO_BAD_INPUT, "%s/meta.json:%d:%d: %s", folder, why.line,
                         why.column, meta ? "not an object" : why.text);
    }
    keys = (struct dyno_json_keys){.object = meta, .path = "meta.json", .error = error};
    status = dyno_json_string(&keys, "vllm_version", &version);
    if (status == DYNO_OK) {
        copy_text(run->version, sizeof run->version, version);
        status = dyno_json_string(&keys, "started_at", &started_at);
    }
    if (status == DYNO_OK) {
        copy_text(run->started_at, sizeof run->started_at, started_at);
        status = read_kwargs(run, json_object_get(meta, "engine_kwargs"), "meta.json", error);
    }
    if (status == DYNO_OK) {
        status = read_cache(run, json_object_get(meta, "kv_cache"), "meta.json", error);
    }
    json_decref(meta);
    return status;
}

/* ---- requests.jsonl -------------------------------------------------------------------------- */

static bool take_number(const json_t *object, const char *key, double *out)
{
    const json_t *value = json_object_get(object, key);

    *out = json_number_value(value);
    return json_is_number(value);
}

static bool take_count(const json_t *object, const char *key, uint32_t *out)
{
    double value;
    bool ok = take_number(object, key, &value) && value >= 0 && value <= TOKENS_MAX;

    *out = ok ? (uint32_t)value : 0;
    return ok;
}

static bool take_request(const json_t *object, struct dyno_recorded_request *request)
{
    return take_count(object, "input_toks", &request->input_tokens) &&
           take_count(object, "output_toks", &request->output_tokens) &&
           take_number(object, "arrival_time", &request->arrival_s) &&
           take_number(object, "queued_ts", &request->queued_s) &&
           take_number(object, "scheduled_ts", &request->scheduled_s) &&
           take_number(object, "first_token_ts", &request->first_token_s) &&
           take_number(object, "last_token_ts", &request->last_token_s);
}

static dyno_status add_request(struct dyno_recorded_run *run, size_t *capacity, const char *line,
                               struct dyno_error *error)
{
    json_t *object;
    bool ok;

    if (run->request_count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 512;
        struct dyno_recorded_request *requests =
            more > REQUESTS_MAX ? NULL : realloc(run->requests, more * sizeof *requests);

        if (!requests) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recorded requests");
        }
        run->requests = requests;
        *capacity = more;
    }
    object = json_loads(line, 0, NULL);
    ok = object && take_request(object, &run->requests[run->request_count]);
    json_decref(object);
    run->request_count += ok;
    return ok ? DYNO_OK
              : dyno_fail(error, DYNO_BAD_INPUT,
                          "requests.jsonl:%zu: not a request with input_toks, output_toks and its "
                          "stamps",
                          run->request_count + 1);
}

static dyno_status read_requests(struct dyno_recorded_run *run, const char *folder,
                                 struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    size_t capacity = 0, size = 0;
    char *line = NULL;
    FILE *file;

    DYNO_TRY(dyno_asset_open(&file, folder, "requests.jsonl", error));
    while (status == DYNO_OK && getline(&line, &size, file) > 0) {
        status = add_request(run, &capacity, line, error);
    }
    free(line);
    (void)fclose(file);
    if (status == DYNO_OK && run->request_count == 0) {
        status = dyno_fail(error, DYNO_BAD_INPUT, "%s/requests.jsonl holds no request", folder);
    }
    return status;
}

dyno_status dyno_recorded_run_read(struct dyno_recorded_run *out, const char *folder,
                                   struct dyno_error *error)
{
    struct dyno_recorded_run run = {.requests = NULL};
    dyno_status status = read_meta(&run, folder, error);

    if (status == DYNO_OK) {
        status = read_requests(&run, folder, error);
    }
    if (status != DYNO_OK) {
        dyno_recorded_run_release(&run);
        return status;
    }
    *out = run;
    return DYNO_OK;
}

void dyno_recorded_run_release(struct dyno_recorded_run *run)
{
    free(run->requests);
    run->requests = NULL;
    run->request_count = 0;
}

/* ---- prompts in tokens ----------------------------------------------------------------------- */

static dyno_status take_tokens(struct dyno_token_prompt *prompt, const json_t *ids,
                               struct dyno_error *error)
{
    size_t count = json_array_size(ids);

    if (count == 0 || count > TOKENS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"input_tok_ids\" is not a list of tokens");
    }
    prompt->tokens = malloc(count * sizeof *prompt->tokens);
    if (!prompt->tokens) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a prompt");
    }
    for (size_t i = 0; i < count; i++) {
        prompt->tokens[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
    }
    prompt->token_count = count;
    return DYNO_OK;
}

static dyno_status take_prompt(struct dyno_token_prompt *prompt, const json_t *object,
                               struct dyno_error *error)
{
    double seconds = 0, ns = 0;

    if (!take_count(object, "output_toks", &prompt->output_tokens)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "no \"output_toks\"");
    }
    if (!take_number(object, "arrival_time_ns", &ns) &&
        !take_number(object, "arrival_time", &seconds)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "no \"arrival_time_ns\"");
    }
    ns += seconds * 1e9;
    if (!(ns >= 0 && ns < 9e18)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "its arrival is out of range");
    }
    prompt->arrival_ns = (uint64_t)ns;
    return take_tokens(prompt, json_object_get(object, "input_tok_ids"), error);
}

dyno_status dyno_token_prompt_read(struct dyno_token_prompt *out, const char *text, size_t length,
                                   struct dyno_error *error)
{
    struct dyno_token_prompt prompt = {.tokens = NULL};
    json_t *object = json_loadb(text, length, 0, NULL);
    dyno_status status;

    if (!object) {
        return dyno_fail(error, DYNO_BAD_INPUT, "not JSON");
    }
    status = take_prompt(&prompt, object, error);
    json_decref(object);
    if (status == DYNO_OK) {
        *out = prompt;
    } else {
        free(prompt.tokens);
    }
    return status;
}
