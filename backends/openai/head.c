/* What all requests have: whose model, who asks, and whether the answer is streamed; and fields of
 * the API that are about its own services. */
#include <string.h>

#include "backends/openai/fields.h"
#include "core/base/words.h"

enum { TEXT_MAX = 1024 };

static const struct dyno_openai_field options_fields[] = {
    {.name = "include_usage",
     .read = dyno_openai_read_bool,
     .offset = offsetof(struct dyno_openai_head, include_usage)},
    {.name = "include_obfuscation",
     .read = dyno_openai_read_false,
     .text = "chunks are not padded"},
};

static dyno_status read_options(const struct dyno_openai_value *value,
                                const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_table table = DYNO_OPENAI_TABLE(options_fields, 0);

    (void)field;
    return dyno_openai_read_object(value, &table, 1, out);
}

/* Who asks is also who comes back: what has the same key is best served where its cache is. */
static dyno_status read_session(const struct dyno_openai_value *value,
                                const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_head *head = out;
    struct dyno_openai_value better = dyno_openai_member(value->within, "prompt_cache_key");
    struct dyno_openai_field place = *field;
    const char *text;

    place.offset = 0;
    DYNO_TRY(dyno_openai_read_text(value, &place, &text));
    if (!better.json || strcmp(value->key, better.key) == 0) {
        head->session = text;
    }
    return DYNO_OK;
}

/* As in vLLM: the lower, the earlier. */
static dyno_status read_priority(const struct dyno_openai_value *value,
                                 const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_head *head = out;
    json_int_t priority = json_integer_value(value->json);

    (void)field;
    if (!json_is_integer(value->json)) {
        return dyno_openai_refuse_type(value, "a whole number");
    }
    if (priority < INT32_MIN || priority > INT32_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "must be from -2147483648 to 2147483647");
    }
    head->priority = (int32_t)priority;
    return DYNO_OK;
}

/* For the operator's records, of which there are none that hold it. */
static dyno_status read_identifier(const struct dyno_openai_value *value,
                                   const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_field place = *field;
    const char *text;

    (void)out;
    place.offset = 0;
    return dyno_openai_read_text(value, &place, &text);
}

dyno_status dyno_openai_read_metadata(const struct dyno_openai_value *value,
                                      const struct dyno_openai_field *field, void *out)
{
    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object");
    }
    return field->offset == DYNO_OPENAI_NOWHERE ? DYNO_OK : dyno_openai_read_any(value, field, out);
}

/* The tier is the operator's; a client may leave the choice to it. */
static dyno_status read_tier(const struct dyno_openai_value *value,
                             const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_field automatic = {.text = "auto"};
    const char *text = json_string_value(value->json);

    (void)field;
    return text && strcmp(text, "default") == 0 ? DYNO_OK
                                                : dyno_openai_read_fixed(value, &automatic, out);
}

dyno_status dyno_openai_read_modalities(const struct dyno_openai_value *value,
                                        const struct dyno_openai_field *field, void *out)
{
    static const struct dyno_openai_field only = {.text = "text"};

    (void)field;
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "an array");
    }
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        DYNO_TRY(dyno_openai_read_fixed(&item, &only, out));
    }
    return DYNO_OK;
}

#define AT(member) offsetof(struct dyno_openai_head, member)
#define REFUSED(field_name, why)                                                                   \
    {                                                                                              \
        .name = (field_name), .read = dyno_openai_read_refused, .text = (why)                      \
    }

static const struct dyno_openai_field head_fields[] = {
    {"model", dyno_openai_read_text, AT(model), 1, TEXT_MAX, NULL},
    {.name = "stream", .read = dyno_openai_read_bool, .offset = AT(stream)},
    {.name = "stream_options", .read = read_options},
    {.name = "user", .read = read_session, .max = TEXT_MAX},
    {.name = "prompt_cache_key", .read = read_session, .max = TEXT_MAX},
    {.name = "priority", .read = read_priority},
    {.name = "safety_identifier", .read = read_identifier, .max = TEXT_MAX},
    {.name = "metadata", .read = dyno_openai_read_metadata, .offset = DYNO_OPENAI_NOWHERE},
    {.name = "service_tier", .read = read_tier},
    {.name = "store", .read = dyno_openai_read_false, .text = "no answer is kept"},
    REFUSED("prompt_cache_retention", "the cache keeps what it has room for"),
    REFUSED("prompt_cache_options", "the cache keeps what it has room for"),
    REFUSED("moderation", "leave it out"),
    REFUSED("reasoning_effort", "say it to the chat template, in 'chat_template_kwargs'"),
    REFUSED("verbosity", "say it in a message"),
};

struct dyno_openai_table dyno_openai_head_table(size_t offset)
{
    return (struct dyno_openai_table)DYNO_OPENAI_TABLE(head_fields, offset);
}

dyno_status dyno_openai_head_check(const struct dyno_openai_value *body,
                                   const struct dyno_openai_head *head)
{
    struct dyno_openai_value options = dyno_openai_member(body, "stream_options");

    if (!head->model) {
        return dyno_openai_refuse_missing(body, "model", "the id of one that /v1/models lists");
    }
    if (options.json && !head->stream) {
        return dyno_openai_refuse(&options, DYNO_OPENAI_CODE_VALUE,
                                  "is only for a stream, and 'stream' is not true");
    }
    return DYNO_OK;
}
