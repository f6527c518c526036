/* A string, an array of strings, an array of tokens, or an array of arrays of tokens. */
#include "backends/openai/prompts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "backends/openai/fields.h"

void dyno_openai_prompts_release(struct dyno_openai_prompts *prompts)
{
    free(prompts->list);
    free(prompts->tokens);
    *prompts = (struct dyno_openai_prompts){.list = NULL};
}

dyno_status dyno_openai_read_token(const struct dyno_openai_value *value, uint32_t *out)
{
    json_int_t number = json_integer_value(value->json);
    uint32_t last = value->rules->vocab ? value->rules->vocab - 1 : UINT32_MAX;

    if (!json_is_integer(value->json)) {
        return dyno_openai_refuse_type(value, "a token, a whole number");
    }
    if (number < 0 || number > (json_int_t)last) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "is %" JSON_INTEGER_FORMAT ", which is no token; they are 0 to "
                                  "%" PRIu32,
                                  number, last);
    }
    *out = (uint32_t)number;
    return DYNO_OK;
}

/* Append the tokens in `value` to prompts->tokens[*used], which has room. */
static dyno_status read_tokens(const struct dyno_openai_value *value,
                               struct dyno_openai_prompts *prompts, size_t *used,
                               struct dyno_openai_prompt *prompt)
{
    size_t count = json_array_size(value->json);

    if (count == 0) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE, "is empty");
    }
    *prompt = (struct dyno_openai_prompt){.tokens = prompts->tokens + *used, .token_count = count};
    for (size_t i = 0; i < count; i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        DYNO_TRY(dyno_openai_read_token(&item, &prompts->tokens[*used + i]));
    }
    *used += count;
    return DYNO_OK;
}

/* How many tokens there are in arrays of `value` at most. */
static size_t count_tokens(const json_t *value)
{
    size_t count = json_array_size(value);

    for (size_t i = 0; i < json_array_size(value); i++) {
        count += json_array_size(json_array_get(value, i));
    }
    return count;
}

static dyno_status make_room(const struct dyno_openai_value *value, size_t count,
                             struct dyno_openai_prompts *prompts)
{
    size_t tokens = count_tokens(value->json);

    if (count > value->rules->prompts_max) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu prompts, more than the %" PRIu32 " that are allowed",
                                  count, value->rules->prompts_max);
    }
    prompts->list = calloc(count, sizeof *prompts->list);
    prompts->tokens = calloc(tokens + 1, sizeof *prompts->tokens);
    return prompts->list && prompts->tokens ? DYNO_OK : dyno_openai_fail_memory(value->error);
}

static struct dyno_openai_prompt text_prompt(const json_t *json)
{
    return (struct dyno_openai_prompt){.text = json_string_value(json),
                                       .text_size = json_string_length(json)};
}

/* One of several: all are texts, or all are arrays of tokens. */
static dyno_status read_items(const struct dyno_openai_value *value, bool texts,
                              struct dyno_openai_prompts *prompts)
{
    size_t used = 0;

    for (size_t i = 0; i < prompts->count; i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        if (texts ? !json_is_string(item.json) : !json_is_array(item.json)) {
            return dyno_openai_refuse_type(&item, texts ? "a string like the first"
                                                        : "an array of tokens like the first");
        }
        if (texts) {
            prompts->list[i] = text_prompt(item.json);
        } else {
            DYNO_TRY(read_tokens(&item, prompts, &used, &prompts->list[i]));
        }
    }
    return DYNO_OK;
}

static dyno_status read_one(const struct dyno_openai_value *value,
                            struct dyno_openai_prompts *prompts)
{
    size_t used = 0;

    prompts->count = 1;
    DYNO_TRY(make_room(value, 1, prompts));
    if (json_is_string(value->json)) {
        prompts->list[0] = text_prompt(value->json);
        return DYNO_OK;
    }
    return read_tokens(value, prompts, &used, &prompts->list[0]);
}

dyno_status dyno_openai_read_prompts(const struct dyno_openai_value *value,
                                     const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_prompts *prompts = (void *)((char *)out + field->offset);
    const json_t *first = json_array_get(value->json, 0);

    if (!json_is_string(value->json) && !json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "a string, or an array of strings or tokens");
    }
    if (json_is_string(value->json) || json_is_integer(first)) {
        return read_one(value, prompts);
    }
    if (!json_is_string(first) && !json_is_array(first)) {
        struct dyno_openai_value item = dyno_openai_item(value, 0);

        return first ? dyno_openai_refuse_type(&item, "a string, a token or an array of tokens")
                     : dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE, "is empty");
    }
    prompts->count = json_array_size(value->json);
    DYNO_TRY(make_room(value, prompts->count, prompts));
    return read_items(value, json_is_string(first), prompts);
}
