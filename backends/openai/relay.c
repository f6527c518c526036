#include "backends/openai/relay.h"

#include <string.h>

#include "backends/openai/fields.h"
#include "backends/openai/json_text.h"

static dyno_status read_model(struct dyno_openai_relay *relay, const struct dyno_openai_value *body)
{
    struct dyno_openai_value model = dyno_openai_member(body, "model");

    if (!model.json) {
        return dyno_openai_refuse_missing(body, "model", "the id of one that /v1/models lists");
    }
    if (!json_is_string(model.json)) {
        return dyno_openai_refuse_type(&model, "a string");
    }
    relay->head.model = json_string_value(model.json);
    return DYNO_OK;
}

static dyno_status read_stream(struct dyno_openai_relay *relay,
                               const struct dyno_openai_value *body)
{
    struct dyno_openai_value stream = dyno_openai_member(body, "stream");
    struct dyno_openai_value options = dyno_openai_member(body, "stream_options");

    if (stream.json && !json_is_boolean(stream.json)) {
        return dyno_openai_refuse_type(&stream, "true or false");
    }
    if (options.json && !json_is_object(options.json)) {
        return dyno_openai_refuse_type(&options, "an object");
    }
    relay->head.stream = json_is_true(stream.json);
    if (options.json && !relay->head.stream) {
        return dyno_openai_refuse(&options, DYNO_OPENAI_CODE_VALUE,
                                  "is only for a stream, and 'stream' is not true");
    }
    relay->head.include_usage = json_is_true(json_object_get(options.json, "include_usage"));
    return DYNO_OK;
}

static const char *session_of(const json_t *body)
{
    const char *key = json_string_value(json_object_get(body, "prompt_cache_key"));

    return key ? key : json_string_value(json_object_get(body, "user"));
}

/* One that it cannot be is for the worker to refuse. */
static int32_t priority_of(const json_t *body)
{
    json_int_t priority = json_integer_value(json_object_get(body, "priority"));

    return priority < INT32_MIN || priority > INT32_MAX ? 0 : (int32_t)priority;
}

static uint32_t max_tokens_of(const json_t *body)
{
    static const char *const names[] = {"max_completion_tokens", "max_output_tokens", "max_tokens"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_int_t tokens = json_integer_value(json_object_get(body, names[i]));

        if (tokens > 0 && tokens <= DYNO_OPENAI_TOKENS_MAX) {
            return (uint32_t)tokens;
        }
    }
    return 0;
}

/* Responses tell their usage in any case. */
static bool ask_for_usage(json_t *body)
{
    json_t *options = json_object_get(body, "stream_options");

    if (json_is_object(options)) {
        return json_object_set_new(options, "include_usage", json_true()) == 0;
    }
    return json_object_set_new(body, "stream_options", json_pack("{s:b}", "include_usage", 1)) == 0;
}

static dyno_status read_all(struct dyno_openai_relay *relay, enum dyno_openai_relay_kind kind,
                            json_t *json, const struct dyno_openai_rules *rules,
                            struct dyno_openai_error *error)
{
    const struct dyno_openai_value body = {.json = json, .rules = rules, .error = error};

    DYNO_TRY(read_model(relay, &body));
    DYNO_TRY(read_stream(relay, &body));
    relay->head.body = json;
    relay->head.session = session_of(json);
    relay->head.priority = priority_of(json);
    relay->max_tokens = max_tokens_of(json);
    relay->model = json_incref(json_object_get(json, "model"));
    (void)json_object_del(json, "model");
    if (kind == DYNO_OPENAI_RELAY_EMBEDDING) {
        relay->head.stream = false;
        relay->max_tokens = 1; /* a vector takes the place of the first one */
        return DYNO_OK;
    }
    if (json_object_set_new(json, "stream", json_true()) != 0 ||
        (kind != DYNO_OPENAI_RELAY_RESPONSE && !ask_for_usage(json))) {
        json_decref(relay->model);
        return dyno_openai_fail_memory(error);
    }
    return DYNO_OK;
}

dyno_status dyno_openai_relay_read(struct dyno_openai_relay *out, enum dyno_openai_relay_kind kind,
                                   const char *body, size_t size,
                                   const struct dyno_openai_rules *rules,
                                   struct dyno_openai_error *error)
{
    struct dyno_openai_relay relay = {.max_tokens = 0};
    json_t *json;
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&json, body, size, rules, error));
    status = read_all(&relay, kind, json, rules, error);
    if (status != DYNO_OK) {
        json_decref(json);
        return status;
    }
    *out = relay;
    return DYNO_OK;
}

void dyno_openai_relay_release(struct dyno_openai_relay *relay)
{
    json_decref(relay->model);
    json_decref(relay->head.body);
}

void dyno_openai_relay_put_prompt(struct dyno_bytes *out, const struct dyno_openai_relay *relay)
{
    static const char *const names[] = {"tools", "instructions", "messages", "input", "prompt"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(relay->head.body, names[i]);

        if (json_is_string(value)) {
            dyno_bytes_put(out, json_string_value(value), json_string_length(value));
        } else if (value) {
            dyno_json_put_value(out, value);
            if (out->status == DYNO_OK) {
                out->size--; /* the last bracket, before which a longer one goes on */
            }
        }
    }
}
