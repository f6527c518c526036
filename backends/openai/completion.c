/* The fields of a completion. */
#include "backends/openai/completion.h"

#include <inttypes.h>
#include <stdlib.h>

#include "backends/openai/fields.h"
#include "backends/openai/messages.h"

enum { MAX_TOKENS_DEFAULT = 16 };

#define AT(member) offsetof(struct dyno_openai_completion, member)

/* A number of alternatives, where chat has true and a number. */
static dyno_status read_logprobs(const struct dyno_openai_value *value,
                                 const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_sampling *sampling = out;

    DYNO_TRY(dyno_openai_read_u32(value, field, out));
    sampling->logprobs = true;
    return DYNO_OK;
}

/* Choosing the best of several is not done here, so there may be no more than are answered. */
static dyno_status read_best_of(const struct dyno_openai_value *value,
                                const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_value n = dyno_openai_member(value->within, "n");
    json_int_t due = n.json ? json_integer_value(n.json) : 1;

    (void)field;
    (void)out;
    if (!json_is_integer(value->json)) {
        return dyno_openai_refuse_type(value, "a whole number");
    }
    return json_integer_value(value->json) == due
               ? DYNO_OK
               : dyno_openai_refuse(value, DYNO_OPENAI_CODE_UNSUPPORTED,
                                    "must be as 'n' is here: all that is made is answered");
}

static const struct dyno_openai_field completion_fields[] = {
    {.name = "prompt", .read = dyno_openai_read_prompts, .offset = AT(prompts)},
    {.name = "echo", .read = dyno_openai_read_bool, .offset = AT(echo)},
    {.name = "response_format", .read = dyno_openai_read_format, .offset = AT(format)},
    {.name = "best_of", .read = read_best_of},
    {.name = "suffix",
     .read = dyno_openai_read_refused,
     .text = "write the model's own tokens for filling in into 'prompt'"},
};

static const struct dyno_openai_field completion_sampling_fields[] = {
    {.name = "max_tokens", .read = dyno_openai_read_max_tokens, .max = DYNO_OPENAI_TOKENS_MAX},
    {.name = "logprobs",
     .read = read_logprobs,
     .offset = offsetof(struct dyno_openai_sampling, top_logprobs),
     .max = DYNO_OPENAI_LOGPROBS_MAX},
};

static dyno_status check_prompts(const struct dyno_openai_value *body,
                                 const struct dyno_openai_completion *completion)
{
    struct dyno_openai_value n = dyno_openai_member(body, "n");
    struct dyno_openai_value limit = dyno_openai_member(body, "max_tokens");
    uint64_t choices = (uint64_t)completion->prompts.count * completion->sampling.choices;

    if (!completion->prompts.list) {
        return dyno_openai_refuse_missing(body, "prompt",
                                          "a string, or an array of strings or tokens");
    }
    if (choices > DYNO_OPENAI_COMPLETIONS_MAX) {
        return dyno_openai_refuse(&n, DYNO_OPENAI_CODE_VALUE,
                                  "and the number of prompts make %" PRIu64
                                  " choices, more than the %d that are allowed",
                                  choices, DYNO_OPENAI_COMPLETIONS_MAX);
    }
    if (completion->sampling.max_tokens == 0 && !completion->echo) {
        return dyno_openai_refuse(&limit, DYNO_OPENAI_CODE_VALUE,
                                  "is 0, which needs 'echo' to be true");
    }
    return DYNO_OK;
}

static dyno_status read_fields(const struct dyno_openai_value *body,
                               struct dyno_openai_completion *completion)
{
    const struct dyno_openai_table tables[] = {
        DYNO_OPENAI_TABLE(completion_fields, 0),
        DYNO_OPENAI_TABLE(completion_sampling_fields, AT(sampling)),
        dyno_openai_sampling_table(AT(sampling)),
        dyno_openai_head_table(AT(head)),
    };

    DYNO_TRY(dyno_openai_read_object(body, tables, sizeof tables / sizeof *tables, completion));
    if (!completion->sampling.has_max_tokens) {
        completion->sampling.max_tokens = MAX_TOKENS_DEFAULT;
        completion->sampling.has_max_tokens = true;
    }
    DYNO_TRY(check_prompts(body, completion));
    DYNO_TRY(dyno_openai_head_check(body, &completion->head));
    return dyno_openai_sampling_check(body, &completion->sampling);
}

dyno_status dyno_openai_completion_read(struct dyno_openai_completion *out, const char *body,
                                        size_t size, const struct dyno_openai_rules *rules,
                                        struct dyno_openai_error *error)
{
    struct dyno_openai_completion completion = {.sampling = dyno_openai_sampling_start(rules)};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&completion.head.body, body, size, rules, error));
    value.json = completion.head.body;
    status = read_fields(&value, &completion);
    if (status != DYNO_OK) {
        dyno_openai_completion_release(&completion);
        return status;
    }
    *out = completion;
    return DYNO_OK;
}

void dyno_openai_completion_release(struct dyno_openai_completion *completion)
{
    dyno_openai_prompts_release(&completion->prompts);
    free(completion->sampling.biases);
    json_decref(completion->head.body);
}
