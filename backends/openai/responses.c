/* The fields of a response. */
#include "backends/openai/responses.h"

#include <stdlib.h>
#include <string.h>

#include "backends/openai/messages.h"

#define AT(member) offsetof(struct dyno_openai_responses, member)
#define REFUSED(field_name, why)                                                                   \
    {                                                                                              \
        .name = (field_name), .read = dyno_openai_read_refused, .text = (why)                      \
    }

static const struct dyno_openai_field text_fields[] = {
    {.name = "format", .read = dyno_openai_read_flat_format, .offset = AT(format)},
    REFUSED("verbosity", "say it in the instructions"),
};

static dyno_status read_text(const struct dyno_openai_value *value,
                             const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_table table = DYNO_OPENAI_TABLE(text_fields, 0);

    (void)field;
    return dyno_openai_read_object(value, &table, 1, out);
}

/* What else is to be in the answer: probabilities; or encrypted reasoning, of which there is none,
 * as nothing here reasons apart from its answer. */
static dyno_status read_include(const struct dyno_openai_value *value,
                                const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_field probabilities = {.text = "message.output_text.logprobs"};
    struct dyno_openai_responses *responses = out;

    (void)field;
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "an array of strings");
    }
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);
        const char *text = json_string_value(item.json);

        if (!text || strcmp(text, "reasoning.encrypted_content") != 0) {
            DYNO_TRY(dyno_openai_read_fixed(&item, &probabilities, out));
            responses->sampling.logprobs = true;
        }
    }
    return DYNO_OK;
}

static const struct dyno_openai_field reasoning_fields[] = {
    REFUSED("effort", "say it to the chat template, in 'chat_template_kwargs'"),
    REFUSED("summary", "there is no reasoning apart from the answer"),
    REFUSED("generate_summary", "there is no reasoning apart from the answer"),
};

/* An object whose members are null asks for nothing. */
static dyno_status read_reasoning(const struct dyno_openai_value *value,
                                  const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_table table = DYNO_OPENAI_TABLE(reasoning_fields, 0);

    (void)field;
    return dyno_openai_read_object(value, &table, 1, out);
}

static const struct dyno_openai_field responses_fields[] = {
    {.name = "input", .read = dyno_openai_read_ignored}, /* once the instructions are known */
    {"instructions", dyno_openai_read_text, AT(instructions), 0, DYNO_OPENAI_TEXT_MAX, NULL},
    {.name = "metadata", .read = dyno_openai_read_metadata, .offset = AT(metadata)},
    {.name = "text", .read = read_text},
    {.name = "include", .read = read_include},
    {.name = "chat_template_kwargs",
     .read = dyno_openai_read_template_arguments,
     .offset = AT(template_arguments)},
    {.name = "reasoning", .read = read_reasoning},
    {.name = "truncation", .read = dyno_openai_read_fixed, .text = "disabled"},
    {.name = "background", .read = dyno_openai_read_false, .text = "no answer is kept"},
    REFUSED("n", "a response has one answer"),
    REFUSED("previous_response_id", "no answer is kept; send the conversation in 'input'"),
    REFUSED("conversation", "no answer is kept; send the conversation in 'input'"),
    REFUSED("prompt", "no prompts are kept; send it in 'input'"),
    REFUSED("max_tool_calls", "there are no tools that are called here"),
    REFUSED("context_management", "leave it out"),
};

static const struct dyno_openai_field responses_sampling_fields[] = {
    {.name = "max_output_tokens",
     .read = dyno_openai_read_max_tokens,
     .min = 1,
     .max = DYNO_OPENAI_TOKENS_MAX},
    {.name = "top_logprobs",
     .read = dyno_openai_read_u32,
     .offset = offsetof(struct dyno_openai_sampling, top_logprobs),
     .max = DYNO_OPENAI_LOGPROBS_MAX},
};

/* Instructions come before whatever the input begins with. */
static dyno_status write_messages(const struct dyno_openai_value *body,
                                  struct dyno_openai_responses *responses)
{
    struct dyno_openai_value input = dyno_openai_member(body, "input");

    if (!input.json) {
        return dyno_openai_refuse_missing(body, "input", "a string or an array of items");
    }
    responses->messages = json_array();
    if (responses->instructions &&
        json_array_append_new(responses->messages, json_pack("{s:s,s:s}", "role", "system",
                                                             "content", responses->instructions)) !=
            0) {
        return dyno_openai_fail_memory(body->error);
    }
    return responses->messages ? dyno_openai_read_items(&input, responses->messages)
                               : dyno_openai_fail_memory(body->error);
}

static dyno_status check_probabilities(const struct dyno_openai_value *body,
                                       const struct dyno_openai_responses *responses)
{
    struct dyno_openai_value top = dyno_openai_member(body, "top_logprobs");

    return responses->sampling.top_logprobs > 0 && !responses->sampling.logprobs
               ? dyno_openai_refuse(&top, DYNO_OPENAI_CODE_VALUE,
                                    "needs 'message.output_text.logprobs' in 'include'")
               : DYNO_OK;
}

static dyno_status read_fields(const struct dyno_openai_value *body,
                               struct dyno_openai_responses *responses)
{
    const struct dyno_openai_table tables[] = {
        DYNO_OPENAI_TABLE(responses_fields, 0),
        DYNO_OPENAI_TABLE(responses_sampling_fields, AT(sampling)),
        dyno_openai_sampling_table(AT(sampling)),
        dyno_openai_head_table(AT(head)),
        dyno_openai_tools_table(AT(tools), true),
    };

    DYNO_TRY(dyno_openai_read_object(body, tables, sizeof tables / sizeof *tables, responses));
    DYNO_TRY(write_messages(body, responses));
    DYNO_TRY(dyno_openai_head_check(body, &responses->head));
    DYNO_TRY(check_probabilities(body, responses));
    DYNO_TRY(dyno_openai_sampling_check(body, &responses->sampling));
    return dyno_openai_tools_check(body, &responses->tools);
}

dyno_status dyno_openai_responses_read(struct dyno_openai_responses *out, const char *body,
                                       size_t size, const struct dyno_openai_rules *rules,
                                       struct dyno_openai_error *error)
{
    struct dyno_openai_responses responses = {.sampling = dyno_openai_sampling_start(rules),
                                              .tools = {.parallel = true}};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&responses.head.body, body, size, rules, error));
    value.json = responses.head.body;
    status = read_fields(&value, &responses);
    if (status != DYNO_OK) {
        dyno_openai_responses_release(&responses);
        return status;
    }
    *out = responses;
    return DYNO_OK;
}

void dyno_openai_responses_release(struct dyno_openai_responses *responses)
{
    json_decref(responses->messages);
    json_decref(responses->tools.list);
    free(responses->sampling.biases);
    json_decref(responses->head.body);
}
