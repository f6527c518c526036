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

static dyno_status take(struct dyno_scribe *scribe, uint32_t tenant,
                        const struct dyno_door_prompt *prompt, struct measure *out)
{
    if (prompt->count == 0) {
        return DYNO_BAD_INPUT;
    }
    out->tokens = prompt->count;
    return dyno_scribe_spans(scribe, prompt, tenant, &out->span_count);
}

static dyno_status measure_messages(struct dyno_scribe *scribe, uint32_t tenant,
                                    const json_t *messages, const struct dyno_openai_tools *tools,
                                    const json_t *arguments, struct measure *out,
                                    struct dyno_openai_error *error)
{
    struct dyno_door_messages chat = {.messages = messages,
                                      .tools = tools->choice != DYNO_OPENAI_TOOL_NONE ? tools->list
                                                                                      : NULL,
                                      .arguments = arguments,
                                      .begin_answer = true};
    struct dyno_door_prompt prompt;

    DYNO_TRY(dyno_scribe_chat(scribe, &chat, &prompt, error));
    return take(scribe, tenant, &prompt, out);
}

static dyno_status measure_chat(struct dyno_scribe *scribe, uint32_t tenant, const char *body,
                                size_t size, struct measure *out, struct dyno_openai_error *error)
{
    struct dyno_openai_chat chat;
    dyno_status status;

    DYNO_TRY(dyno_openai_chat_read(&chat, body, size, &scribe->door->rules, error));
    status = measure_messages(scribe, tenant, chat.messages, &chat.tools, chat.template_arguments,
                              out, error);
    dyno_openai_chat_release(&chat);
    return status;
}

static dyno_status measure_response(struct dyno_scribe *scribe, uint32_t tenant, const char *body,
                                    size_t size, struct measure *out,
                                    struct dyno_openai_error *error)
{
    struct dyno_openai_responses asked;
    dyno_status status;

    DYNO_TRY(dyno_openai_responses_read(&asked, body, size, &scribe->door->rules, error));
    status = measure_messages(scribe, tenant, asked.messages, &asked.tools,
                              asked.template_arguments, out, error);
    dyno_openai_responses_release(&asked);
    return status;
}

/* Of several prompts the first stands for all. */
static dyno_status measure_completion(struct dyno_scribe *scribe, uint32_t tenant, const char *body,
                                      size_t size, struct measure *out,
                                      struct dyno_openai_error *error)
{
    const struct dyno_openai_prompt *first;
    struct dyno_openai_completion asked;
    struct dyno_door_prompt prompt;
    dyno_status status;

    DYNO_TRY(dyno_openai_completion_read(&asked, body, size, &scribe->door->rules, error));
    first = &asked.prompts.list[0];
    status = first->text
                 ? dyno_scribe_text(scribe, first->text, first->text_size, true, &prompt, error)
                 : dyno_scribe_tokens(scribe, first->tokens, first->token_count, &prompt, error);
    if (status == DYNO_OK) {
        status = take(scribe, tenant, &prompt, out);
    }
    dyno_openai_completion_release(&asked);
    return status;
}

/* By the model's tokenizer, where the request is one that we could answer too. */
static bool measure_tokens(struct dyno_scribe *scribe, const struct dyno_order *order,
                           enum dyno_call_kind kind, struct measure *out)
{
    uint32_t tenant = order->asker.tenant;
    struct dyno_openai_error error;

    switch (kind) {
    case DYNO_CALL_CHAT:
        return measure_chat(scribe, tenant, order->body, order->size, out, &error) == DYNO_OK;
    case DYNO_CALL_RESPONSE:
        return measure_response(scribe, tenant, order->body, order->size, out, &error) == DYNO_OK;
    case DYNO_CALL_COMPLETION:
        return measure_completion(scribe, tenant, order->body, order->size, out, &error) == DYNO_OK;
    case DYNO_CALL_EMBEDDING:
        break; /* of many inputs none stands for all */
    }
    return false;
}

static dyno_status guess_tokens(struct dyno_scribe *scribe, uint32_t tenant,
                                const struct dyno_openai_relay *relay, struct measure *out,
                                struct dyno_openai_error *error)
{
    struct dyno_bytes *text = &scribe->out;
    dyno_status status;

    dyno_bytes_clear(text);
    dyno_openai_relay_put_prompt(text, relay);
    status = text->status == DYNO_OK ? dyno_scribe_spans_of_text(scribe, text->data, text->size,
                                                                 tenant, &out->span_count)
                                     : text->status;
    out->tokens = (uint32_t)(text->size / DYNO_DOOR_BYTES_A_TOKEN) + 1;
    dyno_bytes_clear(text);
    return status == DYNO_OK ? DYNO_OK : dyno_openai_fail_memory(error);
}

static dyno_status measure(struct dyno_scribe *scribe, const struct dyno_order *order,
                           enum dyno_call_kind kind, const struct dyno_openai_relay *relay,
                           struct measure *out, struct dyno_openai_error *error)
{
    if (scribe->door->config.measures && measure_tokens(scribe, order, kind, out)) {
        return DYNO_OK;
    }
    return guess_tokens(scribe, order->asker.tenant, relay, out, error);
}

/* ---- passing on ------------------------------------------------------------------------------ */

static void write_fields(struct dyno_scribe *scribe, const struct dyno_order *order,
                         char out[FIELDS_MAX])
{
    const char *state = order->trace_state ? order->trace_state : "";
    uint64_t random = dyno_scribe_draw(scribe);
    uint8_t identity[sizeof random];
    struct dyno_trace_context child;
    char parent[DYNO_TRACE_PARENT_BYTES + 1];

    memcpy(identity, &random, sizeof identity);
    child = dyno_trace_context_child(&order->asker.trace, identity);
    dyno_trace_context_text(&child, parent);
    (void)snprintf(out, FIELDS_MAX, "X-Request-Id: %s\r\ntraceparent: %s\r\n%s%s%s",
                   order->asker.request_id, parent, *state ? "tracestate: " : "", state,
                   *state ? "\r\n" : "");
}

static uint32_t tokens_max_of(const struct dyno_served_model *served,
                              const struct dyno_openai_relay *relay, uint32_t prompt_tokens)
{
    uint32_t context = served->model->context;

    if (relay->max_tokens > 0) {
        return relay->max_tokens;
    }
    return context > prompt_tokens ? context - prompt_tokens : TOKENS_MAX_UNKNOWN;
}

/* Conversations keep together by the words of the request, as for our own workers. */
static dyno_status add_errand(struct dyno_call *call, struct dyno_scribe *scribe,
                              const struct dyno_openai_relay *relay, const struct measure *measured,
                              const struct dyno_errand *errand, struct dyno_openai_error *error)
{
    struct dyno_door *door = call->door;
    struct dyno_answer_config config = {.tenant = call->asker.tenant,
                                        .prompt_tokens = measured->tokens,
                                        .tokens_max =
                                            tokens_max_of(call->served, relay, measured->tokens),
                                        .pretended = 1,
                                        .spans = scribe->spans,
                                        .span_count = measured->span_count,
                                        .session = dyno_call_session(door, relay->head.session),
                                        .priority = relay->head.priority,
                                        .errand = errand};

    return dyno_call_add_choice(call, scribe, &config, error);
}

static dyno_status pass_on(struct dyno_call *call, struct dyno_scribe *scribe,
                           const struct dyno_order *order, const struct dyno_openai_relay *relay,
                           const struct measure *measured, struct dyno_openai_error *error)
{
    static const char *const paths[] = {[DYNO_CALL_CHAT] = "/v1/chat/completions",
                                        [DYNO_CALL_COMPLETION] = "/v1/completions",
                                        [DYNO_CALL_RESPONSE] = "/v1/responses",
                                        [DYNO_CALL_EMBEDDING] = "/v1/embeddings"};
    char fields[FIELDS_MAX];
    struct dyno_errand errand = {.path = paths[call->kind],
                                 .fields = fields,
                                 .request_id = call->asker.request_id,
                                 .is_whole = call->kind == DYNO_CALL_EMBEDDING};
    struct dyno_bytes body;
    dyno_status status;

    write_fields(scribe, order, fields);
    dyno_bytes_init(&body, ERRAND_BYTES_MAX);
    dyno_json_put_value(&body, relay->head.body);
    errand.body = body.data;
    errand.body_size = body.size;
    status = body.status == DYNO_OK ? add_errand(call, scribe, relay, measured, &errand, error)
                                    : dyno_openai_fail_memory(error);
    dyno_bytes_release(&body);
    return status;
}

static dyno_status make(struct dyno_scribe *scribe, const struct dyno_order *order,
                        enum dyno_call_kind kind, const struct dyno_openai_relay *relay,
                        struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_sampling sampling = dyno_openai_sampling_default();
    struct dyno_call_config config = {.kind = kind,
                                      .head = &relay->head,
                                      .sampling = &sampling,
                                      .prompts = 1,
                                      .is_relayed = true};
    struct measure measured;
    dyno_status status;

    DYNO_TRY(dyno_scribe_choose(scribe, relay->head.model, error));
    DYNO_TRY(measure(scribe, order, kind, relay, &measured, error));
    DYNO_TRY(dyno_call_open(out, scribe, &order->asker, &config, error));
    (*out)->relay->include_usage = relay->head.include_usage;
    status = pass_on(*out, scribe, order, relay, &measured, error);
    if (status != DYNO_OK) {
        dyno_call_drop(*out);
    }
    return status;
}

dyno_status dyno_door_relay(struct dyno_scribe *scribe, const struct dyno_order *order,
                            enum dyno_call_kind kind, struct dyno_call **out,
                            struct dyno_openai_error *error)
{
    static const enum dyno_openai_relay_kind kinds[] = {
        [DYNO_CALL_CHAT] = DYNO_OPENAI_RELAY_CHAT,
        [DYNO_CALL_COMPLETION] = DYNO_OPENAI_RELAY_COMPLETION,
        [DYNO_CALL_RESPONSE] = DYNO_OPENAI_RELAY_RESPONSE,
        [DYNO_CALL_EMBEDDING] = DYNO_OPENAI_RELAY_EMBEDDING};
    struct dyno_openai_relay relay;
    dyno_status status;

    DYNO_TRY(dyno_openai_relay_read(&relay, kinds[kind], order->body, order->size,
                                    &scribe->door->rules, error));
    status = make(scribe, order, kind, &relay, out, error);
    dyno_openai_relay_release(&relay);
    return status;
}

void dyno_relay_close(struct dyno_relay *relay)
{
    if (relay) {
        json_decref(relay->whole);
        free(relay);
    }
}
