/* The fields of a request for embeddings. */
#include "backends/openai/embedding.h"

#include <string.h>

#include "backends/openai/fields.h"
#include "core/base/words.h"

enum { DIMENSIONS_MAX = 1 << 20 };

static dyno_status read_encoding(const struct dyno_openai_value *value,
                                 const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_embedding *embedding = out;
    const char *text = json_string_value(value->json);
    char quoted[DYNO_QUOTE_MAX];

    (void)field;
    if (!text) {
        return dyno_openai_refuse_type(value, "a string");
    }
    if (strcmp(text, "float") != 0 && strcmp(text, "base64") != 0) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "is %s, which is neither float nor base64",
                                  dyno_quote(quoted, text));
    }
    embedding->base64 = strcmp(text, "base64") == 0;
    return DYNO_OK;
}

static const struct dyno_openai_field embedding_fields[] = {
    {.name = "input",
     .read = dyno_openai_read_prompts,
     .offset = offsetof(struct dyno_openai_embedding, inputs)},
    {.name = "encoding_format", .read = read_encoding},
    {"dimensions", dyno_openai_read_u32, offsetof(struct dyno_openai_embedding, dimensions), 1,
     DIMENSIONS_MAX, NULL},
};

static dyno_status read_fields(const struct dyno_openai_value *body,
                               struct dyno_openai_embedding *embedding)
{
    struct dyno_openai_value stream = dyno_openai_member(body, "stream");
    const struct dyno_openai_table tables[] = {
        DYNO_OPENAI_TABLE(embedding_fields, 0),
        dyno_openai_head_table(offsetof(struct dyno_openai_embedding, head)),
    };

    DYNO_TRY(dyno_openai_read_object(body, tables, sizeof tables / sizeof *tables, embedding));
    if (embedding->head.stream) {
        return dyno_openai_refuse(&stream, DYNO_OPENAI_CODE_VALUE,
                                  "must be false: vectors come whole");
    }
    if (!embedding->inputs.list) {
        return dyno_openai_refuse_missing(body, "input",
                                          "a string, or an array of strings or tokens");
    }
    for (size_t i = 0; i < embedding->inputs.count; i++) {
        if (embedding->inputs.list[i].text && embedding->inputs.list[i].text_size == 0) {
            struct dyno_openai_value input = dyno_openai_member(body, "input");
            struct dyno_openai_value item = dyno_openai_item(&input, i);

            return dyno_openai_refuse(json_is_string(input.json) ? &input : &item,
                                      DYNO_OPENAI_CODE_VALUE, "is empty");
        }
    }
    return dyno_openai_head_check(body, &embedding->head);
}

dyno_status dyno_openai_embedding_read(struct dyno_openai_embedding *out, const char *body,
                                       size_t size, const struct dyno_openai_rules *rules,
                                       struct dyno_openai_error *error)
{
    struct dyno_openai_embedding embedding = {.base64 = false};
    struct dyno_openai_value value = {.rules = rules, .error = error};
    dyno_status status;

    DYNO_TRY(dyno_openai_read_body(&embedding.head.body, body, size, rules, error));
    value.json = embedding.head.body;
    status = read_fields(&value, &embedding);
    if (status != DYNO_OK) {
        dyno_openai_embedding_release(&embedding);
        return status;
    }
    *out = embedding;
    return DYNO_OK;
}

void dyno_openai_embedding_release(struct dyno_openai_embedding *embedding)
{
    dyno_openai_prompts_release(&embedding->inputs);
    json_decref(embedding->head.body);
}
