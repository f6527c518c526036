/* Requests that other servers answer: measured for the router, and passed on as they came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/door_parts.h"
#include "backends/openai/json_text.h"
#include "backends/openai/relay.h"
#include "backends/openai/responses.h"

enum {
    ERRAND_BYTES_MAX = 1 << 30,
    FIELDS_MAX =
        DYNO_TRACE_PARENT_BYTES + DYNO_TRACE_STATE_BYTES_MAX + DYNO_DOOR_REQUEST_ID_MAX + 64,
    TOKENS_MAX_UNKNOWN = 1 << 20, /* what an answer has at most when nobody says */
};

/* What the router is told of a prompt. */
struct measure {
    uint32_t tokens, span_count; /* the spans are the door's */
};

/* ---- measuring ------------------------------------------------------------------------------- */

static dyno_status take(struct dyno_door *door, const struct dyno_door_prompt *prompt,
                        struct measure *out)
{
    if (prompt->count == 0) {
        return DYNO_BAD_INPUT;
    }
    out->tokens = prompt->count;
    return dyno_door_spans(door, prompt, door->asker.tenant, &out->span_count);
}

static dyno_status measure_messages(struct dyno_door *door, const json_t *messages,
                                    const struct dyno_openai_tools *tools, const json_t *arguments,
                                    struct measure *out, struct dyno_openai_error *error)
{
    struct dyno_door_messages chat = {.messages = messages,
                                      .tools = tools->choice != DYNO_OPENAI_TOOL_NONE ? tools->list
                                                                                      : NULL,
                                      .arguments = arguments,
                                      .begin_answer = true};
    struct dyno_door_prompt prompt;

    DYNO_TRY(dyno_door_prompt_chat(door, &chat, &prompt, error));
    return take(door, &prompt, out);
}

static dyno_status measure_chat(struct dyno_door *door, const char *body, size_t size,
                                struct measure *out, struct dyno_openai_error *error)
{
    struct dyno_openai_chat chat;
    dyno_status status;

    DYNO_TRY(dyno_openai_chat_read(&chat, body, size, &door->rules, error));
    status =
        measure_messages(door, chat.messages, &chat.tools, chat.template_arguments, out, error);
    dyno_openai_chat_release(&chat);
    return status;
}

static dyno_status measure_response(struct dyno_door *door, const char *body, size_t size,
                                    struct measure *out, struct dyno_openai_error *error)
{
    struct dyno_openai_responses asked;
    dyno_status status;

    DYNO_TRY(dyno_openai_responses_read(&asked, body, size, &door->rules, error));
    status =
        measure_messages(door, asked.messages, &asked.tools, asked.template_arguments, out, error);
    dyno_openai_responses_release(&asked);
    return status;
}

/* Of several prompts the first stands for all. */
static dyno_status measure_completion(struct dyno_door *door, const char *body, size_t size,
                                      struct measure *out, struct dyno_openai_error *error)
{
    const struct dyno_openai_prompt *first;
    struct dyno_openai_completion asked;
    struct dyno_door_prompt prompt;
    dyno_status status;

    DYNO_TRY(dyno_openai_completion_read(&asked, body, size, &door->rules, error));
    first = &asked.prompts.list[0];
    status = first->text
                 ? dyno_door_prompt_text(door, first->text, first->text_size, true, &prompt, error)
                 : dyno_door_prompt_tokens(door, first->tokens, first->token_count, &prompt, error);
    if (status == DYNO_OK) {
        status = take(door, &prompt, out);
    }
    dyno_openai_completion_release(&asked);
    return status;
}

/* By the model's tokenizer, where the request is one that we could answer too. */
static bool measure_tokens(struct dyno_door *door, const struct dyno_http_exchange *exchange,
                           enum dyno_call_kind kind, struct measure *out)
{
    struct dyno_openai_error error;
    size_t size;
    const char *body = dyno_http_exchange_body(exchange, &size);

    switch (kind) {
    case DYNO_CALL_CHAT:
        return measure_chat(door, body, size, out, &error) == DYNO_OK;
    case DYNO_CALL_RESPONSE:
        return measure_response(door, body, size, out, &error) == DYNO_OK;
    case DYNO_CALL_COMPLETION:
        return measure_completion(door, body, size, out, &error) == DYNO_OK;
    case DYNO_CALL_EMBEDDING:
        break; /* not passed on */
    }
    return false;
}

static dyno_status guess_tokens(struct dyno_door *door, const struct dyno_openai_relay *relay,
                                struct measure *out, struct dyno_openai_error *error)
{
    struct dyno_bytes *text = &door->out;
    dyno_status status;

    dyno_bytes_clear(text);
    dyno_openai_relay_put_prompt(text, relay);
    status = text->status == DYNO_OK ? dyno_door_spans_of_text(door, text->data, text->size,
                                                               door->asker.tenant, &out->span_count)
                                     : text->status;
    out->tokens = (uint32_t)(text->size / DYNO_DOOR_BYTES_A_TOKEN) + 1;
    dyno_bytes_clear(text);
    return status == DYNO_OK ? DYNO_OK : dyno_openai_fail_memory(error);
}

static dyno_status measure(struct dyno_door *door, const struct dyno_http_exchange *exchange,
                           enum dyno_call_kind kind, const struct dyno_openai_relay *relay,
                           struct measure *out, struct dyno_openai_error *error)
{
    if (door->config.measures && measure_tokens(door, exchange, kind, out)) {
        return DYNO_OK;
    }
    return guess_tokens(door, relay, out, error);
}

/* ---- passing on ------------------------------------------------------------------------------ */

static void write_fields(struct dyno_door *door, const struct dyno_http_exchange *exchange,
                         char out[FIELDS_MAX])
{
    const char *state = dyno_http_exchange_header(exchange, "tracestate");
    bool has_parent = dyno_http_exchange_header(exchange, "traceparent") != NULL;
    uint64_t random = dyno_door_draw(door);
    uint8_t identity[sizeof random];
    struct dyno_trace_context child;
    char parent[DYNO_TRACE_PARENT_BYTES + 1];

    memcpy(identity, &random, sizeof identity);
    child = dyno_trace_context_child(&door->asker.trace, identity);
    dyno_trace_context_text(&child, parent);
    if (!state || !has_parent || !dyno_trace_state_is_valid(state, strlen(state))) {
        state = "";
    }
    (void)snprintf(out, FIELDS_MAX, "X-Request-Id: %s\r\ntraceparent: %s\r\n%s%s%s",
                   door->asker.request_id, parent, *state ? "tracestate: " : "", state,
                   *state ? "\r\n" : "");
}

static uint32_t tokens_max_of(const struct dyno_door *door, const struct dyno_openai_relay *relay,
                              uint32_t prompt_tokens)
{
    uint32_t context = door->config.model.context;

    if (relay->max_tokens > 0) {
        return relay->max_tokens;
    }
    return context > prompt_tokens ? context - prompt_tokens : TOKENS_MAX_UNKNOWN;
}

/* Conversations keep together by the words of the request, as for our own workers. */
static dyno_status add_errand(struct dyno_call *call, const struct dyno_openai_relay *relay,
                              const struct measure *measured, const struct dyno_errand *errand,
                              struct dyno_openai_error *error)
{
    struct dyno_door *door = call->door;
    struct dyno_answer_config config = {.tenant = call->asker.tenant,
                                        .prompt_tokens = measured->tokens,
                                        .tokens_max = tokens_max_of(door, relay, measured->tokens),
                                        .pretended = 1,
                                        .spans = door->spans,
                                        .span_count = measured->span_count,
                                        .session = dyno_call_session(door, relay->head.session),
                                        .errand = errand};

    return dyno_call_add_choice(call, &config, error);
}

static dyno_status pass_on(struct dyno_call *call, const struct dyno_openai_relay *relay,
                           const struct measure *measured,
                           const struct dyno_http_exchange *exchange,
                           struct dyno_openai_error *error)
{
    static const char *const paths[] = {[DYNO_CALL_CHAT] = "/v1/chat/completions",
                                        [DYNO_CALL_COMPLETION] = "/v1/completions",
                                        [DYNO_CALL_RESPONSE] = "/v1/responses"};
    char fields[FIELDS_MAX];
    struct dyno_errand errand = {
        .path = paths[call->kind], .fields = fields, .request_id = call->asker.request_id};
    struct dyno_bytes body;
    dyno_status status;

    write_fields(call->door, exchange, fields);
    dyno_bytes_init(&body, ERRAND_BYTES_MAX);
    dyno_json_put_value(&body, relay->head.body);
    errand.body = body.data;
    errand.body_size = body.size;
    status = body.status == DYNO_OK ? add_errand(call, relay, measured, &errand, error)
                                    : dyno_openai_fail_memory(error);
    dyno_bytes_release(&body);
    return status == DYNO_OK ? dyno_call_start(call, error) : status;
}

static dyno_status start(struct dyno_door *door, struct dyno_http_exchange *exchange,
                         enum dyno_call_kind kind, const struct dyno_openai_relay *relay,
                         struct dyno_openai_error *error)
{
    struct dyno_openai_sampling sampling = dyno_openai_sampling_default();
    struct dyno_call_config config = {.kind = kind,
                                      .head = &relay->head,
                                      .sampling = &sampling,
                                      .prompts = 1,
                                      .is_relayed = true};
    struct measure measured;
    struct dyno_call *call;
    dyno_status status;

    DYNO_TRY(dyno_door_check_model(door, relay->head.model, error));
    DYNO_TRY(measure(door, exchange, kind, relay, &measured, error));
    DYNO_TRY(dyno_call_open(&call, door, exchange, &config, error));
    call->relay->include_usage = relay->head.include_usage;
    status = pass_on(call, relay, &measured, exchange, error);
    if (status != DYNO_OK) {
        dyno_call_drop(call);
    }
    return status;
}

void dyno_door_relay(struct dyno_door *door, struct dyno_http_exchange *exchange,
                     enum dyno_call_kind kind)
{
    static const enum dyno_openai_relay_kind kinds[] = {
        [DYNO_CALL_CHAT] = DYNO_OPENAI_RELAY_CHAT,
        [DYNO_CALL_COMPLETION] = DYNO_OPENAI_RELAY_COMPLETION,
        [DYNO_CALL_RESPONSE] = DYNO_OPENAI_RELAY_RESPONSE};
    struct dyno_openai_error error;
    struct dyno_openai_relay relay;
    size_t size;
    const char *body = dyno_http_exchange_body(exchange, &size);
    dyno_status status =
        dyno_openai_relay_read(&relay, kinds[kind], body, size, &door->rules, &error);

    if (status == DYNO_OK) {
        status = start(door, exchange, kind, &relay, &error);
        dyno_openai_relay_release(&relay);
    }
    if (status != DYNO_OK) {
        dyno_door_refuse_generation(door, exchange, &error);
    }
}

void dyno_relay_close(struct dyno_relay *relay)
{
    if (relay) {
        json_decref(relay->whole);
        free(relay);
    }
}
