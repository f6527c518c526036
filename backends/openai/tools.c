/* Functions that the model may call, and the form that its answer must have. */
#include <string.h>

#include "backends/openai/messages.h"
#include "core/base/words.h"

enum { FORMAT_NAME_MAX = 64 };

/* One function as it is read. */
struct function {
    const char *name, *description;
    const json_t *parameters;
    const json_t *whole; /* chat: what is under `function` */
    bool strict;
};

static bool is_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return size > 0 && size <= DYNO_OPENAI_NAME_MAX && text[size] == '\0';
}

dyno_status dyno_openai_read_function_name(const struct dyno_openai_value *value,
                                           const struct dyno_openai_field *field, void *out)
{
    const char *text = json_string_value(value->json);

    if (!text) {
        return dyno_openai_refuse_type(value, "a string");
    }
    if (!is_name(text)) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "must be 1 to %d letters, digits, '_' and '-'",
                                  DYNO_OPENAI_NAME_MAX);
    }
    *(const char **)(void *)((char *)out + field->offset) = text;
    return DYNO_OK;
}

static dyno_status read_object(const struct dyno_openai_value *value,
                               const struct dyno_openai_field *field, void *out)
{
    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object");
    }
    return dyno_openai_read_any(value, field, out);
}

#define AT(member) offsetof(struct function, member)

static const struct dyno_openai_field function_fields[] = {
    {.name = "name", .read = dyno_openai_read_function_name, .offset = AT(name)},
    {"description", dyno_openai_read_text, AT(description), 0, DYNO_OPENAI_TEXT_MAX, NULL},
    {.name = "parameters", .read = read_object, .offset = AT(parameters)},
    {.name = "strict", .read = dyno_openai_read_bool, .offset = AT(strict)},
};

/* Which tools there are is looked at first; this row only lets the field pass. */
static const struct dyno_openai_field type_fields[] = {
    {.name = "type", .read = dyno_openai_read_ignored},
};

static const struct dyno_openai_field nested_fields[] = {
    {.name = "function", .read = dyno_openai_read_any, .offset = AT(whole)},
};

static const struct dyno_openai_table type_table = DYNO_OPENAI_TABLE(type_fields, 0);
static const struct dyno_openai_table nested_table = DYNO_OPENAI_TABLE(nested_fields, 0);
static const struct dyno_openai_table function_table = DYNO_OPENAI_TABLE(function_fields, 0);
static const struct dyno_openai_table name_table = {function_fields, 1, 0}; /* the first row */

/* {type: "function", ...}; any other type is refused by its name. */
static dyno_status check_type(const struct dyno_openai_value *value)
{
    static const struct dyno_openai_field only = {.text = "function"};
    struct dyno_openai_value type = dyno_openai_member(value, "type");

    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object");
    }
    if (!type.json) {
        return dyno_openai_refuse_missing(value, "type", "'function'");
    }
    return dyno_openai_read_fixed(&type, &only, NULL);
}

/* {type, function: {name, ...}}, or (flat) {type, name, ...}; `fields` are those of the function.
 */
static dyno_status read_function(const struct dyno_openai_value *value, bool flat,
                                 const struct dyno_openai_table *fields, struct function *function)
{
    const struct dyno_openai_table tables[] = {type_table, flat ? *fields : nested_table};
    struct dyno_openai_value nested = dyno_openai_member(value, "function");

    DYNO_TRY(check_type(value));
    DYNO_TRY(dyno_openai_read_object(value, tables, 2, function));
    if (!flat && !function->whole) {
        return dyno_openai_refuse_missing(value, "function", "an object");
    }
    if (!flat) {
        DYNO_TRY(dyno_openai_read_object(&nested, fields, 1, function));
    }
    if (!function->name) {
        return dyno_openai_refuse_missing(flat ? value : &nested, "name", "a string");
    }
    return DYNO_OK;
}

/* The tool as templates want it: the one that was sent, or a flat one put into its place. */
static json_t *write_tool(const struct dyno_openai_value *value, bool flat)
{
    json_t *function;

    if (!flat) {
        return json_incref((json_t *)value->json);
    }
    function = json_copy((json_t *)value->json);
    (void)json_object_del(function, "type");
    return function ? json_pack("{s:s,s:o}", "type", "function", "function", function) : NULL;
}

static dyno_status read_list(const struct dyno_openai_value *value, bool flat,
                             struct dyno_openai_tools *tools)
{
    size_t count = json_array_size(value->json);

    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "an array of tools");
    }
    if (count > DYNO_OPENAI_TOOLS_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu tools, more than the %d that are allowed", count,
                                  DYNO_OPENAI_TOOLS_MAX);
    }
    tools->list = count > 0 ? json_array() : NULL;
    for (size_t i = 0; i < count; i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);
        struct function function = {.name = NULL};

        DYNO_TRY(read_function(&item, flat, &function_table, &function));
        if (json_array_append_new(tools->list, write_tool(&item, flat)) != 0) {
            return dyno_openai_fail_memory(value->error);
        }
    }
    return DYNO_OK;
}

static dyno_status read_tools(const struct dyno_openai_value *value,
                              const struct dyno_openai_field *field, void *out)
{
    (void)field;
    return read_list(value, false, out);
}

static dyno_status read_flat_tools(const struct dyno_openai_value *value,
                                   const struct dyno_openai_field *field, void *out)
{
    (void)field;
    return read_list(value, true, out);
}

static dyno_status read_choice_word(const struct dyno_openai_value *value,
                                    struct dyno_openai_tools *tools)
{
    static const char *const words[] = {"none", "auto", "required"};
    char quoted[DYNO_QUOTE_MAX];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], json_string_value(value->json)) == 0) {
            tools->choice = (enum dyno_openai_tool_choice)i;
            return DYNO_OK;
        }
    }
    return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                              "is %s, which is none of none, auto and required",
                              dyno_quote(quoted, json_string_value(value->json)));
}

static dyno_status read_any_choice(const struct dyno_openai_value *value, bool flat,
                                   struct dyno_openai_tools *tools)
{
    struct function function = {.name = NULL};

    if (json_is_string(value->json)) {
        return read_choice_word(value, tools);
    }
    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "a string or an object");
    }
    DYNO_TRY(read_function(value, flat, &name_table, &function));
    tools->choice = DYNO_OPENAI_TOOL_NAMED;
    tools->named = function.name;
    return DYNO_OK;
}

static dyno_status read_choice(const struct dyno_openai_value *value,
                               const struct dyno_openai_field *field, void *out)
{
    (void)field;
    return read_any_choice(value, false, out);
}

static dyno_status read_flat_choice(const struct dyno_openai_value *value,
                                    const struct dyno_openai_field *field, void *out)
{
    (void)field;
    return read_any_choice(value, true, out);
}

#define PARALLEL_ROW                                                                               \
    {                                                                                              \
        .name = "parallel_tool_calls", .read = dyno_openai_read_bool,                              \
        .offset = offsetof(struct dyno_openai_tools, parallel),                                    \
    }

static const struct dyno_openai_field tools_fields[] = {
    {.name = "tools", .read = read_tools},
    {.name = "tool_choice", .read = read_choice},
    PARALLEL_ROW,
};

static const struct dyno_openai_field flat_tools_fields[] = {
    {.name = "tools", .read = read_flat_tools},
    {.name = "tool_choice", .read = read_flat_choice},
    PARALLEL_ROW,
};

struct dyno_openai_table dyno_openai_tools_table(size_t offset, bool flat)
{
    struct dyno_openai_table table = DYNO_OPENAI_TABLE(tools_fields, offset);

    table.fields = flat ? flat_tools_fields : tools_fields;
    return table;
}

static bool is_listed(const struct dyno_openai_tools *tools)
{
    for (size_t i = 0; i < json_array_size(tools->list); i++) {
        const json_t *function = json_object_get(json_array_get(tools->list, i), "function");

        if (strcmp(json_string_value(json_object_get(function, "name")), tools->named) == 0) {
            return true;
        }
    }
    return false;
}

dyno_status dyno_openai_tools_check(const struct dyno_openai_value *body,
                                    struct dyno_openai_tools *tools)
{
    struct dyno_openai_value choice = dyno_openai_member(body, "tool_choice");
    char quoted[DYNO_QUOTE_MAX];

    if (!choice.json) {
        tools->choice = tools->list ? DYNO_OPENAI_TOOL_AUTO : DYNO_OPENAI_TOOL_NONE;
    } else if (tools->choice == DYNO_OPENAI_TOOL_NAMED && !is_listed(tools)) {
        return dyno_openai_refuse(&choice, DYNO_OPENAI_CODE_VALUE,
                                  "names %s, which is not among the tools",
                                  dyno_quote(quoted, tools->named));
    } else if (tools->choice == DYNO_OPENAI_TOOL_REQUIRED && !tools->list) {
        return dyno_openai_refuse(&choice, DYNO_OPENAI_CODE_VALUE,
                                  "is 'required', but there are no tools");
    } else if (!tools->list) {
        tools->choice = DYNO_OPENAI_TOOL_NONE;
    }
    return DYNO_OK;
}

/* A form as it is read. */
struct form {
    const json_t *nested;
    const char *name, *description;
    const json_t *schema;
    bool strict;
};

static const struct dyno_openai_field schema_fields[] = {
    {"name", dyno_openai_read_text, offsetof(struct form, name), 1, FORMAT_NAME_MAX, NULL},
    {"description", dyno_openai_read_text, offsetof(struct form, description), 0,
     DYNO_OPENAI_TEXT_MAX, NULL},
    {.name = "schema", .read = read_object, .offset = offsetof(struct form, schema)},
    {.name = "strict", .read = dyno_openai_read_bool, .offset = offsetof(struct form, strict)},
};

static const struct dyno_openai_field nested_schema_fields[] = {
    {.name = "json_schema", .read = dyno_openai_read_any, .offset = offsetof(struct form, nested)},
};

static const struct dyno_openai_table schema_table = DYNO_OPENAI_TABLE(schema_fields, 0);
static const struct dyno_openai_table nested_schema_table =
    DYNO_OPENAI_TABLE(nested_schema_fields, 0);

static dyno_status read_kind(const struct dyno_openai_value *value,
                             enum dyno_openai_format_kind *kind)
{
    static const char *const words[] = {"text", "json_object", "json_schema"};
    struct dyno_openai_value type = dyno_openai_member(value, "type");
    char quoted[DYNO_QUOTE_MAX];

    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object");
    }
    if (!type.json) {
        return dyno_openai_refuse_missing(value, "type", "text, json_object or json_schema");
    }
    if (!json_is_string(type.json)) {
        return dyno_openai_refuse_type(&type, "a string");
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], json_string_value(type.json)) == 0) {
            *kind = (enum dyno_openai_format_kind)i;
            return DYNO_OK;
        }
    }
    return dyno_openai_refuse(&type, DYNO_OPENAI_CODE_VALUE,
                              "is %s, which is none of text, json_object and json_schema",
                              dyno_quote(quoted, json_string_value(type.json)));
}

/* What describes a schema: the format itself, or (nested) what is in it under json_schema. */
static dyno_status read_schema(const struct dyno_openai_value *value, struct form *form)
{
    if (!form->name) {
        return dyno_openai_refuse_missing(value, "name", "a string");
    }
    if (!form->schema) {
        return dyno_openai_refuse_missing(value, "schema", "a JSON schema");
    }
    return DYNO_OK;
}

static dyno_status read_any_format(const struct dyno_openai_value *value, bool flat,
                                   struct dyno_openai_format *format)
{
    const struct dyno_openai_table tables[] = {type_table,
                                               flat ? schema_table : nested_schema_table};
    struct dyno_openai_value nested = dyno_openai_member(value, "json_schema");
    enum dyno_openai_format_kind kind = DYNO_OPENAI_FORMAT_TEXT;
    struct form form = {.name = NULL};

    DYNO_TRY(read_kind(value, &kind));
    DYNO_TRY(dyno_openai_read_object(value, tables, kind == DYNO_OPENAI_FORMAT_JSON_SCHEMA ? 2 : 1,
                                     &form));
    if (kind == DYNO_OPENAI_FORMAT_JSON_SCHEMA) {
        if (!flat && !form.nested) {
            return dyno_openai_refuse_missing(value, "json_schema", "an object");
        }
        if (!flat) {
            DYNO_TRY(dyno_openai_read_object(&nested, &schema_table, 1, &form));
        }
        DYNO_TRY(read_schema(flat ? value : &nested, &form));
    }
    *format = (struct dyno_openai_format){kind, form.name, form.schema, form.strict};
    return DYNO_OK;
}

dyno_status dyno_openai_read_format(const struct dyno_openai_value *value,
                                    const struct dyno_openai_field *field, void *out)
{
    return read_any_format(value, false,
                           (struct dyno_openai_format *)(void *)((char *)out + field->offset));
}

dyno_status dyno_openai_read_flat_format(const struct dyno_openai_value *value,
                                         const struct dyno_openai_field *field, void *out)
{
    return read_any_format(value, true,
                           (struct dyno_openai_format *)(void *)((char *)out + field->offset));
}
