/* One reader for all objects, and the kinds of fields that most tables need. */
#include "backends/openai/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/words.h"

enum { PATH_DEPTH_MAX = 16, PATH_PIECE_MAX = 64, MESSAGE_MAX = 800 };

static const char *kind_of(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a whole number",
                                        "a decimal", "true",     "false",    "null"};

    return names[json_typeof(value)];
}

/* "messages[2].content", from the body inwards; what does not fit is left out at its end. */
static void path_of(const struct dyno_openai_value *value, char out[DYNO_OPENAI_PARAM_MAX])
{
    const struct dyno_openai_value *way[PATH_DEPTH_MAX];
    size_t depth = 0, size = 0;

    for (; value && value->within && depth < PATH_DEPTH_MAX; value = value->within) {
        way[depth++] = value;
    }
    out[0] = '\0';
    while (depth > 0 && size < DYNO_OPENAI_PARAM_MAX - 1) {
        const struct dyno_openai_value *step = way[--depth];
        size_t room = DYNO_OPENAI_PARAM_MAX - size;
        int added = step->key ? snprintf(out + size, room, "%s%.*s", size ? "." : "",
                                         PATH_PIECE_MAX, step->key)
                              : snprintf(out + size, room, "[%zu]", step->index);

        size += (size_t)added < room ? (size_t)added : room - 1;
    }
}

void dyno_openai_report(const struct dyno_openai_value *value, const char *code, const char *format,
                        ...)
{
    char path[DYNO_OPENAI_PARAM_MAX], message[MESSAGE_MAX], quoted[DYNO_QUOTE_MAX];
    va_list arguments;

    path_of(value, path);
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)dyno_openai_fail(value->error, 400, code, path, "%s %s",
                           path[0] ? dyno_quote(quoted, path) : "the body", message);
}

void dyno_openai_report_type(const struct dyno_openai_value *value, const char *expected)
{
    dyno_openai_report(value, DYNO_OPENAI_CODE_TYPE, "is %s where %s is expected",
                       kind_of(value->json), expected);
}

void dyno_openai_report_missing(const struct dyno_openai_value *object, const char *key,
                                const char *expected)
{
    struct dyno_openai_value missing = dyno_openai_member(object, key);

    dyno_openai_report(&missing, DYNO_OPENAI_CODE_MISSING, "is missing; it must be %s", expected);
}

/* Where a field of the struct `out` is. */
static void *place_of(const struct dyno_openai_field *field, void *out)
{
    return (char *)out + field->offset;
}

struct dyno_openai_value dyno_openai_item(const struct dyno_openai_value *array, size_t index)
{
    return (struct dyno_openai_value){.json = json_array_get(array->json, index),
                                      .within = array,
                                      .index = index,
                                      .rules = array->rules,
                                      .error = array->error};
}

struct dyno_openai_value dyno_openai_member(const struct dyno_openai_value *object, const char *key)
{
    const json_t *json = json_object_get(object->json, key);

    return (struct dyno_openai_value){.json = json_is_null(json) ? NULL : json,
                                      .within = object,
                                      .key = key,
                                      .rules = object->rules,
                                      .error = object->error};
}

static const struct dyno_openai_field *field_of(const struct dyno_openai_table *table,
                                                const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *known = table->fields[i].name;

        if (known[0] == name[0] && strcmp(known, name) == 0) {
            return &table->fields[i];
        }
    }
    return NULL;
}

static bool is_known(const char *name, const struct dyno_openai_table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (field_of(&tables[i], name)) {
            return true;
        }
    }
    return false;
}

/* What other endpoints and servers call it. */
static const char *called_here(const char *name, const struct dyno_openai_table *tables,
                               size_t count)
{
    static const struct {
        const char *elsewhere, *here;
    } names[] = {
        {"input", "prompt"},
        {"input", "messages"},
        {"messages", "input"},
        {"messages", "prompt"},
        {"prompt", "input"},
        {"prompt", "messages"},
        {"text", "prompt"},
        {"ids", "tokens"},
        {"max_tokens", "max_output_tokens"},
        {"max_completion_tokens", "max_output_tokens"},
        {"max_completion_tokens", "max_tokens"},
        {"max_new_tokens", "max_output_tokens"},
        {"max_new_tokens", "max_tokens"},
        {"max_output_tokens", "max_completion_tokens"},
        {"max_output_tokens", "max_tokens"},
        {"response_format", "text"},
        {"guided_json", "response_format"},
        {"structured_outputs", "response_format"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].elsewhere, name) == 0 && is_known(names[i].here, tables, count)) {
            return names[i].here;
        }
    }
    return NULL;
}

static dyno_status refuse_unknown(const struct dyno_openai_value *value,
                                  const struct dyno_openai_table *tables, size_t count)
{
    const char *meant = called_here(value->key, tables, count);
    struct dyno_nearest nearest;

    if (meant) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_UNKNOWN,
                                  "is not a field that is known here; use '%s'", meant);
    }
    dyno_nearest_start(&nearest, value->key);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            dyno_nearest_offer(&nearest, tables[i].fields[j].name);
        }
    }
    meant = dyno_nearest_word(&nearest);
    return dyno_openai_refuse(
        value, DYNO_OPENAI_CODE_UNKNOWN, "is not a field that is known here%s%s%s",
        meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static dyno_status read_member(const struct dyno_openai_value *value,
                               const struct dyno_openai_table *tables, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct dyno_openai_field *field = field_of(&tables[i], value->key);

        if (field) {
            return value->json ? field->read(value, field, (char *)out + tables[i].offset)
                               : DYNO_OK;
        }
    }
    return refuse_unknown(value, tables, count);
}

dyno_status dyno_openai_read_object(const struct dyno_openai_value *object,
                                    const struct dyno_openai_table *tables, size_t count, void *out)
{
    json_t *whole = (json_t *)object->json; /* Jansson's iterators only read */
    const char *key;
    json_t *json;

    if (!json_is_object(object->json)) {
        return dyno_openai_refuse_type(object, "an object");
    }
    json_object_foreach(whole, key, json)
    {
        struct dyno_openai_value value = dyno_openai_member(object, key);

        DYNO_TRY(read_member(&value, tables, count, out));
    }
    return DYNO_OK;
}

dyno_status dyno_openai_read_bool(const struct dyno_openai_value *value,
                                  const struct dyno_openai_field *field, void *out)
{
    if (!json_is_boolean(value->json)) {
        return dyno_openai_refuse_type(value, "true or false");
    }
    *(bool *)place_of(field, out) = json_is_true(value->json);
    return DYNO_OK;
}

dyno_status dyno_openai_read_number(const struct dyno_openai_value *value,
                                    const struct dyno_openai_field *field, void *out)
{
    double number = json_number_value(value->json);

    if (!json_is_number(value->json)) {
        return dyno_openai_refuse_type(value, "a number");
    }
    if (!(number >= field->min && number <= field->max)) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "is %g, which is not from %g to %g", number, field->min,
                                  field->max);
    }
    *(double *)place_of(field, out) = number;
    return DYNO_OK;
}

dyno_status dyno_openai_read_u32(const struct dyno_openai_value *value,
                                 const struct dyno_openai_field *field, void *out)
{
    json_int_t number = json_integer_value(value->json);

    if (!json_is_integer(value->json)) {
        return dyno_openai_refuse_type(value, "a whole number");
    }
    if (number < (json_int_t)field->min || number > (json_int_t)field->max) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "is %" JSON_INTEGER_FORMAT ", which is not from %.0f to %.0f",
                                  number, field->min, field->max);
    }
    *(uint32_t *)place_of(field, out) = (uint32_t)number;
    return DYNO_OK;
}

dyno_status dyno_openai_read_text(const struct dyno_openai_value *value,
                                  const struct dyno_openai_field *field, void *out)
{
    size_t size = json_string_length(value->json);

    if (!json_is_string(value->json)) {
        return dyno_openai_refuse_type(value, "a string");
    }
    if ((double)size < field->min || (double)size > field->max) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu bytes, which is not from %.0f to %.0f", size, field->min,
                                  field->max);
    }
    *(const char **)place_of(field, out) = json_string_value(value->json);
    return DYNO_OK;
}

dyno_status dyno_openai_read_any(const struct dyno_openai_value *value,
                                 const struct dyno_openai_field *field, void *out)
{
    *(const json_t **)place_of(field, out) = value->json;
    return DYNO_OK;
}

dyno_status dyno_openai_read_ignored(const struct dyno_openai_value *value,
                                     const struct dyno_openai_field *field, void *out)
{
    (void)value;
    (void)field;
    (void)out;
    return DYNO_OK;
}

dyno_status dyno_openai_read_refused(const struct dyno_openai_value *value,
                                     const struct dyno_openai_field *field, void *out)
{
    (void)out;
    return dyno_openai_refuse(value, DYNO_OPENAI_CODE_UNSUPPORTED, "is not supported here: %s",
                              field->text);
}

dyno_status dyno_openai_read_fixed(const struct dyno_openai_value *value,
                                   const struct dyno_openai_field *field, void *out)
{
    const char *text = json_string_value(value->json);

    (void)out;
    if (!text) {
        return dyno_openai_refuse_type(value, "a string");
    }
    if (strcmp(text, field->text) != 0) {
        char quoted[DYNO_QUOTE_MAX];

        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_UNSUPPORTED,
                                  "is %s; only '%s' is supported here", dyno_quote(quoted, text),
                                  field->text);
    }
    return DYNO_OK;
}

dyno_status dyno_openai_read_false(const struct dyno_openai_value *value,
                                   const struct dyno_openai_field *field, void *out)
{
    (void)out;
    if (!json_is_boolean(value->json)) {
        return dyno_openai_refuse_type(value, "false");
    }
    if (json_is_true(value->json)) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_UNSUPPORTED, "must be false here: %s",
                                  field->text);
    }
    return DYNO_OK;
}
