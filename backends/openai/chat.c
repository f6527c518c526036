/* The fields of a chat completion. */
#include "backends/openai/chat.h"

#include <stdlib.h>

#include "backends/openai/messages.h"

#define AT(member) offsetof(struct dyno_openai_chat, member)

static const struct dyno_openai_field chat_fields[] = {
    {.name = "messages", .read = dyno_openai_read_messages, .offset = AT(messages)},
    {.name = "response_format", .read = dyno_openai_read_format, .offset = AT(format)},
    {.name = "chat_template_kwargs",
     .read = dyno_openai_read_template_arguments,
     .offset = AT(template_arguments)},
    {.name = "functions", .read = dyno_openai_read_refused, .text = "use 'tools'"},
    {.name = "function_call", .read = dyno_openai_read_refused, .text = "use 'tool_choice'"},
    {.name = "audio", .read = dyno_openai_read_refused, .text = "only text is"},
    {.name = "prediction", .read = dyno_openai_read_refused, .text = "leave it out"},
    {.name = "web_search_options", .read = dyno_openai_read_refused, .text = "leave it out"},
    {.name = "modalities", .read = dyno_openai_read_modalities},
};

static const struct dyno_openai_field chat_sampling_fields[] = {
    {.name = "max_completion_tokens",
     .read = dyno_openai_read_max_tokens,
     .min = 1,
     .max = DYNO_OPENAI_TOKENS_MAX},
    {.name = "max_tokens",
     .read = dyno_openai_read_max_tokens,
     .min = 1,
     .max = DYNO_OPENAI_TOKENS_MAX},
    {.name = "logprobs",
     .read = dyno_openai_read_bool,
     .offset = offsetof(struct dyno_openai_sampling, logprobs)},
    {.name = "top_logprobs",
     .read = dyno_openai_read_u32,
     .offset = offsetof(struct dyno_openai_sampling, top_logprobs),
     .max = DYNO_OPENAI_LOGPROBS_MAX},
};

static dyno_status read_fields(const struct dyno_openai_value *body, struct dyno_openai_chat *chat)
{
    const struct dyno_openai_table tables[] = {
        DYNO_OPENAI_TABLE(chat_fields, 0),
        DYNO_OPENAI_TABLE(chat_sampling_fields, AT(sampling)),
        dyno_openai_sampling_table(AT(sampling)),
        dyno_openai_head_table(AT(head)),
        dyno_openai_tools_table(AT(tools), false),
    };

    DYNO_TRY(dyno_openai_read_object(body, tables, sizeof tables / sizeof *tables, chat));
    if (!chat->messages) {
        return dyno_openai_refuse_missing(body, "messages", "an array of messages");
    }
    DYNO_TRY(dyno_openai_head_check(body, &chat->head));
    DYNO_TRY(dyno_openai_sampling_check(body, &chat->sampling));
    return dyno_openai_tools_check(body, &chat->tools);
}

dyno_status dyno_openai_chat_read(struct dyno_openai_chat *out, const char *body, size_t size,
                                  const struct dyno_openai_rules *rules,
                                  struct dyno_openai_error *error)
{
    struct dyno_openai_chat chat = {.sampling = dyno_openai_sampling_start(rules),
                                    .tools = {.parallel = true}};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&chat.head.body, body, size, rules, error));
    value.json = chat.head.body;
    status = read_fields(&value, &chat);
    if (status != DYNO_OK) {
        dyno_openai_chat_release(&chat);
        return status;
    }
    *out = chat;
    return DYNO_OK;
}

void dyno_openai_chat_release(struct dyno_openai_chat *chat)
{
    json_decref(chat->messages);
    json_decref(chat->tools.list);
    free(chat->sampling.biases);
    json_decref(chat->head.body);
}
