/* Messages: checked field by field, and written anew as chat templates want them. */
#include "backends/openai/messages.h"

#include <string.h>

#include "core/base/words.h"

enum { MESSAGES_MAX = 65536, NAME_MAX_BYTES = 256 };

/* One message as it is read. */
struct message {
    const char *role;
    const json_t *content, *calls;
    const char *name, *call_id, *reasoning;
};

/* The list that is made of all. */
struct history {
    json_t *list;
    size_t argument_bytes;
};

struct part {
    const char *type, *text;
};

static const struct dyno_openai_field part_fields[] = {
    {"type", dyno_openai_read_text, offsetof(struct part, type), 1, NAME_MAX_BYTES, NULL},
    {"text", dyno_openai_read_text, offsetof(struct part, text), 0, DYNO_OPENAI_TEXT_MAX, NULL},
};

/* A part that was an answer once is sent back with what belonged to it; it has no say any more. */
static const struct dyno_openai_field answer_fields[] = {
    {.name = "annotations", .read = dyno_openai_read_ignored},
    {.name = "logprobs", .read = dyno_openai_read_ignored},
};

/* What is no text is refused by its type, before its own fields are. */
static dyno_status read_part(const struct dyno_openai_value *value, struct part *part)
{
    static const struct dyno_openai_table tables[] = {DYNO_OPENAI_TABLE(part_fields, 0),
                                                      DYNO_OPENAI_TABLE(answer_fields, 0)};
    struct dyno_openai_value type = dyno_openai_member(value, "type");
    const char *name = json_string_value(type.json);

    if (name && strcmp(name, "text") != 0 && strcmp(name, "input_text") != 0 &&
        strcmp(name, "output_text") != 0) {
        char quoted[DYNO_QUOTE_MAX];

        return dyno_openai_refuse(&type, DYNO_OPENAI_CODE_UNSUPPORTED,
                                  "is %s; only text is supported here", dyno_quote(quoted, name));
    }
    DYNO_TRY(dyno_openai_read_object(value, tables,
                                     name && strcmp(name, "output_text") == 0 ? 2 : 1, part));
    if (!part->type) {
        return dyno_openai_refuse_missing(value, "type", "'text'");
    }
    if (!part->text) {
        return dyno_openai_refuse_missing(value, "text", "a string");
    }
    return DYNO_OK;
}

static dyno_status join_parts(const struct dyno_openai_value *value, struct dyno_bytes *joined)
{
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);
        struct part part = {.type = NULL};

        DYNO_TRY(read_part(&item, &part));
        dyno_bytes_put(joined, "\n", i > 0);
        dyno_bytes_put_text(joined, part.text);
    }
    return DYNO_OK;
}

static dyno_status read_parts(const struct dyno_openai_value *value, json_t **out)
{
    struct dyno_bytes joined;
    dyno_status status;
    json_t *text = NULL;

    dyno_bytes_init(&joined, SIZE_MAX);
    status = join_parts(value, &joined);
    if (status == DYNO_OK) {
        text = joined.status == DYNO_OK
                   ? json_stringn_nocheck(joined.data ? joined.data : "", joined.size)
                   : NULL;
        status = text ? DYNO_OK : dyno_openai_fail_memory(value->error);
    }
    dyno_bytes_release(&joined);
    if (status == DYNO_OK) {
        *out = text;
    }
    return status;
}

dyno_status dyno_openai_read_content(const struct dyno_openai_value *value, json_t **out)
{
    if (json_is_string(value->json)) {
        *out = json_incref((json_t *)value->json);
        return DYNO_OK;
    }
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "a string or an array of parts");
    }
    if (json_array_size(value->json) == 0) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE, "has no parts");
    }
    return read_parts(value, out);
}

dyno_status dyno_openai_read_arguments(const struct dyno_openai_value *value, size_t *bytes,
                                       json_t **out)
{
    const char *text = json_string_value(value->json);
    size_t size = json_string_length(value->json);
    struct dyno_openai_error why;

    if (!text) {
        return dyno_openai_refuse_type(value, "a string that holds a JSON object");
    }
    if (size > DYNO_OPENAI_ARGUMENTS_MAX - *bytes) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "and those before it have more than %d bytes",
                                  DYNO_OPENAI_ARGUMENTS_MAX);
    }
    *bytes += size;
    if (size == 0) {
        *out = json_object();
        return *out ? DYNO_OK : dyno_openai_fail_memory(value->error);
    }
    if (dyno_openai_read_body(out, text, size, value->rules, &why) != DYNO_OK) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "is a string that holds no JSON object");
    }
    return DYNO_OK;
}

struct call {
    const char *id;
    const json_t *function;
    const char *name;
    const json_t *arguments;
};

static const struct dyno_openai_field function_fields[] = {
    {.name = "name", .read = dyno_openai_read_function_name, .offset = offsetof(struct call, name)},
    {.name = "arguments", .read = dyno_openai_read_any, .offset = offsetof(struct call, arguments)},
};

static const struct dyno_openai_table function_table = DYNO_OPENAI_TABLE(function_fields, 0);

static const struct dyno_openai_field call_fields[] = {
    {"id", dyno_openai_read_text, offsetof(struct call, id), 1, NAME_MAX_BYTES, NULL},
    {.name = "type", .read = dyno_openai_read_fixed, .text = "function"},
    {.name = "function", .read = dyno_openai_read_any, .offset = offsetof(struct call, function)},
};

static const struct dyno_openai_table call_table = DYNO_OPENAI_TABLE(call_fields, 0);

/* {id, type, function: {name, arguments}}, with the arguments as an object. */
static dyno_status write_call(const struct dyno_openai_value *value, struct history *history,
                              const struct call *call, json_t **out)
{
    struct dyno_openai_value function = dyno_openai_member(value, "function");
    struct dyno_openai_value text = dyno_openai_member(&function, "arguments");
    json_t *arguments;

    DYNO_TRY(dyno_openai_read_arguments(&text, &history->argument_bytes, &arguments));
    *out = json_pack("{s:s,s:s,s:{s:s,s:o}}", "id", call->id, "type", "function", "function",
                     "name", call->name, "arguments", arguments);
    return *out ? DYNO_OK : dyno_openai_fail_memory(value->error);
}

static dyno_status read_call(const struct dyno_openai_value *value, struct history *history,
                             json_t **out)
{
    struct dyno_openai_value function = dyno_openai_member(value, "function");
    struct call call = {.id = NULL};

    DYNO_TRY(dyno_openai_read_object(value, &call_table, 1, &call));
    if (!call.id) {
        return dyno_openai_refuse_missing(value, "id", "a string");
    }
    if (!call.function) {
        return dyno_openai_refuse_missing(value, "function", "an object");
    }
    DYNO_TRY(dyno_openai_read_object(&function, &function_table, 1, &call));
    if (!call.name) {
        return dyno_openai_refuse_missing(&function, "name", "a string");
    }
    if (!call.arguments) {
        return dyno_openai_refuse_missing(&function, "arguments", "a string");
    }
    return write_call(value, history, &call, out);
}

static dyno_status read_calls(const struct dyno_openai_value *value, struct history *history,
                              json_t *list)
{
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);
        json_t *call = NULL;

        DYNO_TRY(read_call(&item, history, &call));
        if (json_array_append_new(list, call) != 0) {
            return dyno_openai_fail_memory(value->error);
        }
    }
    return DYNO_OK;
}

/* Put the calls, rewritten, into `message`; an empty list is none. */
static dyno_status put_calls(const struct dyno_openai_value *value, struct history *history,
                             json_t *message)
{
    struct dyno_openai_value calls = dyno_openai_member(value, "tool_calls");
    json_t *list;

    if (!json_is_array(calls.json)) {
        return dyno_openai_refuse_type(&calls, "an array of calls");
    }
    if (json_array_size(calls.json) == 0) {
        (void)json_object_del(message, "tool_calls");
        return DYNO_OK;
    }
    list = json_array();
    if (!list || json_object_set_new(message, "tool_calls", list) != 0) {
        return dyno_openai_fail_memory(value->error);
    }
    return read_calls(&calls, history, list);
}

static dyno_status put_content(const struct dyno_openai_value *value, json_t *message)
{
    struct dyno_openai_value content = dyno_openai_member(value, "content");
    json_t *text;

    DYNO_TRY(dyno_openai_read_content(&content, &text));
    return json_object_set_new(message, "content", text) == 0
               ? DYNO_OK
               : dyno_openai_fail_memory(value->error);
}

static const struct dyno_openai_field plain_fields[] = {
    {"role", dyno_openai_read_text, offsetof(struct message, role), 0, NAME_MAX_BYTES, NULL},
    {.name = "content", .read = dyno_openai_read_any, .offset = offsetof(struct message, content)},
    {"name", dyno_openai_read_text, offsetof(struct message, name), 1, NAME_MAX_BYTES, NULL},
};

static const struct dyno_openai_field tool_fields[] = {
    {"tool_call_id", dyno_openai_read_text, offsetof(struct message, call_id), 1, NAME_MAX_BYTES,
     NULL},
};

static const struct dyno_openai_field assistant_fields[] = {
    {.name = "tool_calls", .read = dyno_openai_read_any, .offset = offsetof(struct message, calls)},
    {"reasoning_content", dyno_openai_read_text, offsetof(struct message, reasoning), 0,
     DYNO_OPENAI_TEXT_MAX, NULL},
    {.name = "refusal", .read = dyno_openai_read_refused, .text = "put it into 'content'"},
    {.name = "audio", .read = dyno_openai_read_refused, .text = "only text is"},
    {.name = "function_call", .read = dyno_openai_read_refused, .text = "use 'tool_calls'"},
};

/* Which roles there are, what a template calls them, and what they may have beside role and
 * content. */
static const struct role {
    const char *name, *written;
    struct dyno_openai_table more;
} roles[] = {
    {"system", "system", {NULL, 0, 0}},
    {"developer", "system", {NULL, 0, 0}},
    {"user", "user", {NULL, 0, 0}},
    {"assistant", "assistant", DYNO_OPENAI_TABLE(assistant_fields, 0)},
    {"tool", "tool", DYNO_OPENAI_TABLE(tool_fields, 0)},
};

static const struct role *role_of(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, name) == 0) {
            return &roles[i];
        }
    }
    return NULL;
}

static dyno_status find_role(const struct dyno_openai_value *value, const struct role **out)
{
    struct dyno_openai_value role = dyno_openai_member(value, "role");
    char quoted[DYNO_QUOTE_MAX];

    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "a message");
    }
    if (!role.json) {
        return dyno_openai_refuse_missing(value, "role", "a string");
    }
    if (!json_is_string(role.json)) {
        return dyno_openai_refuse_type(&role, "a string");
    }
    *out = role_of(json_string_value(role.json));
    return *out ? DYNO_OK
                : dyno_openai_refuse(&role, DYNO_OPENAI_CODE_VALUE,
                                     "is %s, which is none of system, developer, user, assistant "
                                     "and tool",
                                     dyno_quote(quoted, json_string_value(role.json)));
}

static dyno_status check_message(const struct dyno_openai_value *value, const struct role *role,
                                 const struct message *message)
{
    bool has_calls = json_array_size(message->calls) > 0;

    if (!message->content && !has_calls) {
        return dyno_openai_refuse_missing(value, "content", "a string or an array of parts");
    }
    if (strcmp(role->name, "tool") == 0 && !message->call_id) {
        return dyno_openai_refuse_missing(value, "tool_call_id", "a string");
    }
    return DYNO_OK;
}

/* A message as a template wants it; `message` is a copy of the one that was sent. */
static dyno_status rewrite(const struct dyno_openai_value *value, const struct role *role,
                           const struct message *read, struct history *history, json_t *message)
{
    if (json_object_set_new(message, "role", json_string(role->written)) != 0) {
        return dyno_openai_fail_memory(value->error);
    }
    if (read->content) {
        DYNO_TRY(put_content(value, message));
    }
    return read->calls ? put_calls(value, history, message) : DYNO_OK;
}

static dyno_status read_message(const struct dyno_openai_value *value, struct history *history)
{
    struct message read = {.role = NULL};
    const struct role *role;
    json_t *message;

    DYNO_TRY(find_role(value, &role));
    DYNO_TRY(dyno_openai_read_object(
        value, (const struct dyno_openai_table[]){DYNO_OPENAI_TABLE(plain_fields, 0), role->more},
        2, &read));
    DYNO_TRY(check_message(value, role, &read));
    message = json_copy((json_t *)value->json);
    if (!message || json_array_append_new(history->list, message) != 0) {
        return dyno_openai_fail_memory(value->error);
    }
    return rewrite(value, role, &read, history, message);
}

static dyno_status read_all(const struct dyno_openai_value *value, struct history *history)
{
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        DYNO_TRY(read_message(&item, history));
    }
    return DYNO_OK;
}

dyno_status dyno_openai_read_messages(const struct dyno_openai_value *value,
                                      const struct dyno_openai_field *field, void *out)
{
    struct history history = {.argument_bytes = 0};
    size_t count = json_array_size(value->json);

    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "an array of messages");
    }
    if (count == 0 || count > MESSAGES_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu messages, which is not from 1 to %d", count,
                                  MESSAGES_MAX);
    }
    history.list = json_array();
    if (!history.list) {
        return dyno_openai_fail_memory(value->error);
    }
    *(json_t **)(void *)((char *)out + field->offset) = history.list;
    return read_all(value, &history);
}

dyno_status dyno_openai_read_template_arguments(const struct dyno_openai_value *value,
                                                const struct dyno_openai_field *field, void *out)
{
    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object of names for the chat template");
    }
    return dyno_openai_read_any(value, field, out);
}
