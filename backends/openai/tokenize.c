/* The fields of /tokenize and /detokenize. */
#include "backends/openai/tokenize.h"

#include <stdlib.h>

#include "backends/openai/messages.h"

enum { MODEL_MAX = 1024 };

#define AT(member) offsetof(struct dyno_openai_tokenize, member)

static const struct dyno_openai_field tokenize_fields[] = {
    {"model", dyno_openai_read_text, AT(model), 1, MODEL_MAX, NULL},
    {"prompt", dyno_openai_read_text, AT(prompt), 0, DYNO_OPENAI_TEXT_MAX, NULL},
    {.name = "messages", .read = dyno_openai_read_messages, .offset = AT(messages)},
    {.name = "add_special_tokens", .read = dyno_openai_read_bool, .offset = AT(add_special_tokens)},
    {.name = "add_generation_prompt",
     .read = dyno_openai_read_bool,
     .offset = AT(add_generation_prompt)},
    {.name = "chat_template_kwargs",
     .read = dyno_openai_read_template_arguments,
     .offset = AT(template_arguments)},
};

/* Only with messages: a prompt has no template that would use them. */
static dyno_status check_alone(const struct dyno_openai_value *body)
{
    static const char *const names[] = {"add_generation_prompt", "chat_template_kwargs", "tools",
                                        "tool_choice", "parallel_tool_calls"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dyno_openai_value value = dyno_openai_member(body, names[i]);

        if (value.json) {
            return dyno_openai_refuse(&value, DYNO_OPENAI_CODE_VALUE,
                                      "is only for 'messages', and there is a 'prompt'");
        }
    }
    return DYNO_OK;
}

static dyno_status read_tokenize_fields(const struct dyno_openai_value *body,
                                        struct dyno_openai_tokenize *tokenize)
{
    const struct dyno_openai_table tables[] = {
        DYNO_OPENAI_TABLE(tokenize_fields, 0),
        dyno_openai_tools_table(AT(tools), false),
    };
    struct dyno_openai_value prompt = dyno_openai_member(body, "prompt");
    struct dyno_openai_value messages = dyno_openai_member(body, "messages");

    if (prompt.json && messages.json) {
        return dyno_openai_refuse(&messages, DYNO_OPENAI_CODE_VALUE,
                                  "and 'prompt' cannot both be there");
    }
    tokenize->add_special_tokens = prompt.json != NULL;
    DYNO_TRY(dyno_openai_read_object(body, tables, sizeof tables / sizeof *tables, tokenize));
    if (!tokenize->prompt && !tokenize->messages) {
        return dyno_openai_refuse_missing(body, "prompt", "a string, or there must be 'messages'");
    }
    tokenize->prompt_size = json_string_length(prompt.json);
    return tokenize->prompt ? check_alone(body) : dyno_openai_tools_check(body, &tokenize->tools);
}

dyno_status dyno_openai_tokenize_read(struct dyno_openai_tokenize *out, const char *body,
                                      size_t size, const struct dyno_openai_rules *rules,
                                      struct dyno_openai_error *error)
{
    struct dyno_openai_tokenize tokenize = {.add_generation_prompt = true,
                                            .tools = {.parallel = true}};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&tokenize.body, body, size, rules, error));
    value.json = tokenize.body;
    status = read_tokenize_fields(&value, &tokenize);
    if (status != DYNO_OK) {
        dyno_openai_tokenize_release(&tokenize);
        return status;
    }
    *out = tokenize;
    return DYNO_OK;
}

void dyno_openai_tokenize_release(struct dyno_openai_tokenize *tokenize)
{
    json_decref(tokenize->messages);
    json_decref(tokenize->tools.list);
    json_decref(tokenize->body);
}

static dyno_status read_list(const struct dyno_openai_value *value,
                             const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_detokenize *detokenize = out;
    size_t count = json_array_size(value->json);

    (void)field;
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "an array of tokens");
    }
    detokenize->tokens = count > 0 ? calloc(count, sizeof *detokenize->tokens) : NULL;
    detokenize->count = count;
    if (count > 0 && !detokenize->tokens) {
        return dyno_openai_fail_memory(value->error);
    }
    for (size_t i = 0; i < count; i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        DYNO_TRY(dyno_openai_read_token(&item, &detokenize->tokens[i]));
    }
    return DYNO_OK;
}

static const struct dyno_openai_field detokenize_fields[] = {
    {"model", dyno_openai_read_text, offsetof(struct dyno_openai_detokenize, model), 1, MODEL_MAX,
     NULL},
    {.name = "tokens", .read = read_list},
};

static dyno_status read_detokenize_fields(const struct dyno_openai_value *body,
                                          struct dyno_openai_detokenize *detokenize)
{
    static const struct dyno_openai_table table = DYNO_OPENAI_TABLE(detokenize_fields, 0);

    DYNO_TRY(dyno_openai_read_object(body, &table, 1, detokenize));
    return dyno_openai_member(body, "tokens").json
               ? DYNO_OK
               : dyno_openai_refuse_missing(body, "tokens", "an array of tokens");
}

dyno_status dyno_openai_detokenize_read(struct dyno_openai_detokenize *out, const char *body,
                                        size_t size, const struct dyno_openai_rules *rules,
                                        struct dyno_openai_error *error)
{
    struct dyno_openai_detokenize detokenize = {.model = NULL};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&detokenize.body, body, size, rules, error));
    value.json = detokenize.body;
    status = read_detokenize_fields(&value, &detokenize);
    if (status != DYNO_OK) {
        dyno_openai_detokenize_release(&detokenize);
        return status;
    }
    *out = detokenize;
    return DYNO_OK;
}

void dyno_openai_detokenize_release(struct dyno_openai_detokenize *detokenize)
{
    free(detokenize->tokens);
    json_decref(detokenize->body);
}
