/* The input of a response: items, written as the messages that a chat template wants. */
#include <string.h>

#include "backends/openai/messages.h"
#include "core/base/words.h"

enum { ITEMS_MAX = 65536, ID_MAX = 256 };

/* One item as it is read. */
struct item {
    const char *role, *call_id, *name;
    const json_t *content, *arguments, *output;
};

struct items {
    json_t *list;
    size_t argument_bytes;
};

#define AT(member) offsetof(struct item, member)

/* What an item that was an answer once has beside its content.  Answers are not kept, so an id
 * names nothing here. */
#define ANSWER_ROWS                                                                                \
    {.name = "type", .read = dyno_openai_read_ignored},                                            \
        {.name = "id", .read = dyno_openai_read_ignored},                                          \
    {                                                                                              \
        .name = "status", .read = dyno_openai_read_ignored                                         \
    }

static const struct dyno_openai_field message_fields[] = {
    ANSWER_ROWS,
    {"role", dyno_openai_read_text, AT(role), 0, ID_MAX, NULL},
    {.name = "content", .read = dyno_openai_read_any, .offset = AT(content)},
};

static const struct dyno_openai_field call_fields[] = {
    ANSWER_ROWS,
    {"call_id", dyno_openai_read_text, AT(call_id), 1, ID_MAX, NULL},
    {.name = "name", .read = dyno_openai_read_function_name, .offset = AT(name)},
    {.name = "arguments", .read = dyno_openai_read_any, .offset = AT(arguments)},
};

static const struct dyno_openai_field output_fields[] = {
    ANSWER_ROWS,
    {"call_id", dyno_openai_read_text, AT(call_id), 1, ID_MAX, NULL},
    {.name = "output", .read = dyno_openai_read_any, .offset = AT(output)},
};

static dyno_status append(const struct dyno_openai_value *value, struct items *items,
                          json_t *message)
{
    return json_array_append_new(items->list, message) == 0 ? DYNO_OK
                                                            : dyno_openai_fail_memory(value->error);
}

static const char *written_role(const char *role)
{
    static const char *const roles[][2] = {{"user", "user"},
                                           {"assistant", "assistant"},
                                           {"system", "system"},
                                           {"developer", "system"}};

    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i][0], role) == 0) {
            return roles[i][1];
        }
    }
    return NULL;
}

static dyno_status read_message(const struct dyno_openai_value *value, const struct item *item,
                                struct items *items)
{
    struct dyno_openai_value role = dyno_openai_member(value, "role");
    struct dyno_openai_value content = dyno_openai_member(value, "content");
    char quoted[DYNO_QUOTE_MAX];
    json_t *text;

    if (!item->role) {
        return dyno_openai_refuse_missing(value, "role", "a string");
    }
    if (!written_role(item->role)) {
        return dyno_openai_refuse(&role, DYNO_OPENAI_CODE_VALUE,
                                  "is %s, which is none of user, assistant, system and developer",
                                  dyno_quote(quoted, item->role));
    }
    if (!item->content) {
        return dyno_openai_refuse_missing(value, "content", "a string or an array of parts");
    }
    DYNO_TRY(dyno_openai_read_content(&content, &text));
    return append(value, items,
                  json_pack("{s:s,s:o}", "role", written_role(item->role), "content", text));
}

/* The calls of the assistant's message at the end of the list, which is made if there is none. */
static json_t *calls_at_end(struct items *items)
{
    json_t *last = json_array_get(items->list, json_array_size(items->list) - 1);
    const char *role = json_string_value(json_object_get(last, "role"));
    json_t *calls;

    if (!role || strcmp(role, "assistant") != 0) {
        last = json_pack("{s:s,s:n}", "role", "assistant", "content");
        if (json_array_append_new(items->list, last) != 0) {
            return NULL;
        }
    }
    calls = json_object_get(last, "tool_calls");
    if (!calls && json_object_set_new(last, "tool_calls", json_array()) != 0) {
        return NULL;
    }
    return json_object_get(last, "tool_calls");
}

static dyno_status read_call(const struct dyno_openai_value *value, const struct item *item,
                             struct items *items)
{
    struct dyno_openai_value text = dyno_openai_member(value, "arguments");
    json_t *arguments, *calls;

    if (!item->call_id) {
        return dyno_openai_refuse_missing(value, "call_id", "a string");
    }
    if (!item->name) {
        return dyno_openai_refuse_missing(value, "name", "a string");
    }
    if (!item->arguments) {
        return dyno_openai_refuse_missing(value, "arguments", "a string");
    }
    DYNO_TRY(dyno_openai_read_arguments(&text, &items->argument_bytes, &arguments));
    calls = calls_at_end(items);
    return json_array_append_new(calls, json_pack("{s:s,s:s,s:{s:s,s:o}}", "id", item->call_id,
                                                  "type", "function", "function", "name",
                                                  item->name, "arguments", arguments)) == 0
               ? DYNO_OK
               : dyno_openai_fail_memory(value->error);
}

static dyno_status read_output(const struct dyno_openai_value *value, const struct item *item,
                               struct items *items)
{
    struct dyno_openai_value output = dyno_openai_member(value, "output");
    json_t *text;

    if (!item->call_id) {
        return dyno_openai_refuse_missing(value, "call_id", "a string");
    }
    if (!item->output) {
        return dyno_openai_refuse_missing(value, "output", "a string or an array of parts");
    }
    DYNO_TRY(dyno_openai_read_content(&output, &text));
    return append(
        value, items,
        json_pack("{s:s,s:s,s:o}", "role", "tool", "tool_call_id", item->call_id, "content", text));
}

/* The kinds of items; one without a type is a message. */
static const struct kind {
    const char *type;
    struct dyno_openai_table table;
    dyno_status (*read)(const struct dyno_openai_value *value, const struct item *item,
                        struct items *items);
} kinds[] = {
    {"message", DYNO_OPENAI_TABLE(message_fields, 0), read_message},
    {"function_call", DYNO_OPENAI_TABLE(call_fields, 0), read_call},
    {"function_call_output", DYNO_OPENAI_TABLE(output_fields, 0), read_output},
};

static dyno_status find_kind(const struct dyno_openai_value *value, const struct kind **out)
{
    struct dyno_openai_value type = dyno_openai_member(value, "type");
    const char *name = type.json ? json_string_value(type.json) : "message";
    char quoted[DYNO_QUOTE_MAX];

    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an item");
    }
    if (!name) {
        return dyno_openai_refuse_type(&type, "a string");
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, name) == 0) {
            *out = &kinds[i];
            return DYNO_OK;
        }
    }
    return dyno_openai_refuse(&type, DYNO_OPENAI_CODE_UNSUPPORTED,
                              "is %s; only message, function_call and function_call_output are "
                              "supported here",
                              dyno_quote(quoted, name));
}

static dyno_status read_items(const struct dyno_openai_value *value, struct items *items)
{
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value element = dyno_openai_item(value, i);
        struct item item = {.role = NULL};
        const struct kind *kind = NULL;

        DYNO_TRY(find_kind(&element, &kind));
        DYNO_TRY(dyno_openai_read_object(&element, &kind->table, 1, &item));
        DYNO_TRY(kind->read(&element, &item, items));
    }
    return DYNO_OK;
}

dyno_status dyno_openai_read_items(const struct dyno_openai_value *value, json_t *messages)
{
    struct items items = {.list = messages};
    size_t count = json_array_size(value->json);

    if (json_is_string(value->json)) {
        return append(value, &items,
                      json_pack("{s:s,s:O}", "role", "user", "content", value->json));
    }
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "a string or an array of items");
    }
    if (count == 0 || count > ITEMS_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu items, which is not from 1 to %d", count, ITEMS_MAX);
    }
    return read_items(value, &items);
}
