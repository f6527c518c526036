/* The endpoints: each reads its request, and answers it or calls the fleet. */
#include <stdlib.h>
#include <string.h>

#include "backends/door/door_parts.h"
#include "backends/openai/tokenize.h"

/* ---- chat completions ------------------------------------------------------------------------ */

/* What a template makes of messages, as the only prompt of the call. */
static dyno_status make_of_messages(struct dyno_scribe *scribe, const struct dyno_order *order,
                                    const struct dyno_call_config *config, const json_t *messages,
                                    const json_t *arguments, const char *param,
                                    struct dyno_call **out, struct dyno_openai_error *error)
{
    const struct dyno_openai_tools *tools = config->tools;
    struct dyno_door_messages chat = {.messages = messages,
                                      .tools = tools->choice != DYNO_OPENAI_TOOL_NONE ? tools->list
                                                                                      : NULL,
                                      .arguments = arguments,
                                      .begin_answer = true};
    struct dyno_door_prompt prompt;
    dyno_status status;

    DYNO_TRY(dyno_scribe_choose(scribe, config->head->model, error));
    DYNO_TRY(dyno_scribe_chat(scribe, &chat, &prompt, error));
    DYNO_TRY(dyno_call_open(out, scribe, &order->asker, config, error));
    status = dyno_call_add(*out, scribe, &prompt, config->sampling, config->head, param, error);
    if (status != DYNO_OK) {
        dyno_call_drop(*out);
    }
    return status;
}

static dyno_status make_chat(struct dyno_scribe *scribe, const struct dyno_order *order,
                             struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_chat chat;
    struct dyno_call_config config;
    dyno_status status;

    DYNO_TRY(dyno_openai_chat_read(&chat, order->body, order->size, &scribe->door->rules, error));
    config = (struct dyno_call_config){.kind = DYNO_CALL_CHAT,
                                       .head = &chat.head,
                                       .sampling = &chat.sampling,
                                       .prompts = 1,
                                       .tools = &chat.tools,
                                       .format = &chat.format};
    status = make_of_messages(scribe, order, &config, chat.messages, chat.template_arguments,
                              "messages", out, error);
    dyno_openai_chat_release(&chat);
    return status;
}

dyno_status dyno_door_chat(struct dyno_scribe *scribe, const struct dyno_order *order,
                           struct dyno_call **out, struct dyno_openai_error *error)
{
    return scribe->door->config.relays ? dyno_door_relay(scribe, order, DYNO_CALL_CHAT, out, error)
                                       : make_chat(scribe, order, out, error);
}

/* ---- responses ------------------------------------------------------------------------------- */

static dyno_status make_response(struct dyno_scribe *scribe, const struct dyno_order *order,
                                 struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_responses asked;
    struct dyno_call_config config;
    dyno_status status;

    DYNO_TRY(
        dyno_openai_responses_read(&asked, order->body, order->size, &scribe->door->rules, error));
    config = (struct dyno_call_config){.kind = DYNO_CALL_RESPONSE,
                                       .head = &asked.head,
                                       .sampling = &asked.sampling,
                                       .prompts = 1,
                                       .tools = &asked.tools,
                                       .format = &asked.format,
                                       .response = &asked};
    status = make_of_messages(scribe, order, &config, asked.messages, asked.template_arguments,
                              "input", out, error);
    dyno_openai_responses_release(&asked);
    return status;
}

dyno_status dyno_door_responses(struct dyno_scribe *scribe, const struct dyno_order *order,
                                struct dyno_call **out, struct dyno_openai_error *error)
{
    return scribe->door->config.relays
               ? dyno_door_relay(scribe, order, DYNO_CALL_RESPONSE, out, error)
               : make_response(scribe, order, out, error);
}

/* ---- completions ----------------------------------------------------------------------------- */

static dyno_status add_prompts(struct dyno_call *call, struct dyno_scribe *scribe,
                               const struct dyno_openai_completion *asked,
                               struct dyno_openai_error *error)
{
    for (size_t i = 0; i < asked->prompts.count; i++) {
        const struct dyno_openai_prompt *prompt = &asked->prompts.list[i];
        struct dyno_door_prompt encoded;
        uint32_t first = call->count;

        DYNO_TRY(dyno_scribe_given(scribe, prompt, "prompt", &encoded, error));
        DYNO_TRY(dyno_call_count_scores(call, &asked->sampling, &encoded, error));
        DYNO_TRY(
            dyno_call_add(call, scribe, &encoded, &asked->sampling, &asked->head, "prompt", error));
        if (asked->echo) {
            DYNO_TRY(dyno_call_echo(call, first, prompt, &encoded, error));
        }
    }
    return DYNO_OK;
}

static dyno_status make_of_prompts(struct dyno_scribe *scribe, const struct dyno_order *order,
                                   const struct dyno_openai_completion *asked,
                                   struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_call_config config = {.kind = DYNO_CALL_COMPLETION,
                                      .head = &asked->head,
                                      .sampling = &asked->sampling,
                                      .prompts = (uint32_t)asked->prompts.count,
                                      .echo = asked->echo,
                                      .format = &asked->format};
    dyno_status status;

    DYNO_TRY(dyno_scribe_choose(scribe, asked->head.model, error));
    DYNO_TRY(dyno_call_check_echo(scribe->served, asked, error));
    DYNO_TRY(dyno_call_open(out, scribe, &order->asker, &config, error));
    status = add_prompts(*out, scribe, asked, error);
    if (status != DYNO_OK) {
        dyno_call_drop(*out);
    }
    return status;
}

dyno_status dyno_door_completions(struct dyno_scribe *scribe, const struct dyno_order *order,
                                  struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_completion asked;
    dyno_status status;

    if (scribe->door->config.relays) {
        return dyno_door_relay(scribe, order, DYNO_CALL_COMPLETION, out, error);
    }
    DYNO_TRY(
        dyno_openai_completion_read(&asked, order->body, order->size, &scribe->door->rules, error));
    status = make_of_prompts(scribe, order, &asked, out, error);
    dyno_openai_completion_release(&asked);
    return status;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Of models that other servers have, the tokenizer is known only if it was named. */
static dyno_status choose_tokenizer(struct dyno_scribe *scribe, const char *model,
                                    struct dyno_openai_error *error)
{
    const struct dyno_door *door = scribe->door;

    if (door->config.relays && !door->config.measures) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, NULL,
                                "this server passes texts on, and was told of no tokenizer for "
                                "them");
    }
    if (!model && door->config.model_count > 1) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_MISSING, "model",
                                "several models are served here: name the one whose tokens are "
                                "meant");
    }
    return dyno_scribe_choose(scribe, model ? model : door->config.models[0].name, error);
}

static dyno_status tokenize(struct dyno_scribe *scribe, const struct dyno_openai_tokenize *asked,
                            struct dyno_openai_error *error)
{
    struct dyno_door_prompt prompt;

    DYNO_TRY(choose_tokenizer(scribe, asked->model, error));
    if (asked->prompt) {
        DYNO_TRY(dyno_scribe_text(scribe, asked->prompt, asked->prompt_size,
                                  asked->add_special_tokens, &prompt, error));
    } else {
        struct dyno_door_messages messages = {
            .messages = asked->messages,
            .tools = asked->tools.choice != DYNO_OPENAI_TOOL_NONE ? asked->tools.list : NULL,
            .arguments = asked->template_arguments,
            .begin_answer = asked->add_generation_prompt,
            .around = asked->add_special_tokens};

        DYNO_TRY(dyno_scribe_chat(scribe, &messages, &prompt, error));
    }
    dyno_bytes_clear(&scribe->out);
    dyno_openai_put_tokens(&scribe->out, prompt.tokens, prompt.count,
                           scribe->served->model->context);
    return DYNO_OK;
}

dyno_status dyno_door_tokenize(struct dyno_scribe *scribe, const struct dyno_order *order,
                               struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_tokenize asked;
    dyno_status status;

    DYNO_TRY(
        dyno_openai_tokenize_read(&asked, order->body, order->size, &scribe->door->rules, error));
    status = tokenize(scribe, &asked, error);
    dyno_openai_tokenize_release(&asked);
    *out = NULL;
    return status;
}

static dyno_status detokenize(struct dyno_scribe *scribe,
                              const struct dyno_openai_detokenize *asked,
                              struct dyno_openai_error *error)
{
    struct dyno_error cause = {.status = DYNO_OK};
    char *text;
    size_t size;

    DYNO_TRY(choose_tokenizer(scribe, asked->model, error));
    for (size_t i = 0; i < asked->count; i++) {
        DYNO_TRY(dyno_served_model_check_token(scribe->served, asked->tokens[i], "tokens", error));
    }
    if (dyno_decode(scribe->served->tokenizer, asked->tokens, asked->count, true, &text, &size,
                    &cause) != DYNO_OK) {
        return dyno_openai_fail_memory(error);
    }
    dyno_bytes_clear(&scribe->out);
    dyno_openai_put_detokenized(&scribe->out, text, size);
    free(text);
    return DYNO_OK;
}

dyno_status dyno_door_detokenize(struct dyno_scribe *scribe, const struct dyno_order *order,
                                 struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_detokenize asked;
    dyno_status status;

    DYNO_TRY(
        dyno_openai_detokenize_read(&asked, order->body, order->size, &scribe->door->rules, error));
    status = detokenize(scribe, &asked, error);
    dyno_openai_detokenize_release(&asked);
    *out = NULL;
    return status;
}

/* ---- what is served, and whether ------------------------------------------------------------- */

static struct dyno_openai_model served_model(const struct dyno_door *door,
                                             const struct dyno_door_model *model)
{
    return (struct dyno_openai_model){.id = model->name,
                                      .root = model->name,
                                      .created_s = door->created_s,
                                      .context_tokens = model->context};
}

void dyno_door_models(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_openai_model models[DYNO_MODELS_MAX];

    for (uint32_t i = 0; i < door->config.model_count; i++) {
        models[i] = served_model(door, &door->config.models[i]);
    }
    dyno_bytes_clear(&door->out);
    dyno_openai_put_models(&door->out, models, door->config.model_count);
    dyno_door_reply_json(door, exchange, &door->asker, &door->out);
}

void dyno_door_model(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    const char *name = dyno_http_exchange_path(exchange) + sizeof DYNO_DOOR_MODELS_PATH - 1;
    const struct dyno_served_model *served;
    struct dyno_openai_model model;
    struct dyno_openai_error error;

    if (dyno_door_find_model(door, name, &served, &error) != DYNO_OK) {
        dyno_door_refuse(door, exchange, &door->asker, &error, 0);
        return;
    }
    model = served_model(door, served->model);
    dyno_bytes_clear(&door->out);
    dyno_openai_put_model(&door->out, &model);
    dyno_door_reply_json(door, exchange, &door->asker, &door->out);
}

void dyno_door_health(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, NULL);

    dyno_door_reply(door, exchange, &door->asker, 200, &headers, NULL, 0);
}
