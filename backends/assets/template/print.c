/* Values as text: Python's str, repr and json.dumps. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"
#include "core/base/utf8.h"

dyno_status dyno_jinja_write(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const char *bytes, size_t size)
{
    if (builder->capacity - builder->size < size) {
        size_t capacity = 2 * (builder->size + size) + 64;
        char *wide;

        if (builder->size + size > DYNO_TEMPLATE_OUTPUT_MAX) {
            return dyno_fail(run->error, DYNO_FULL,
                             "chat template, line %" PRIu32 ": a text is longer than %d MiB",
                             run->line, DYNO_TEMPLATE_OUTPUT_MAX >> 20);
        }
        DYNO_TRY(dyno_jinja_take(run, capacity, &wide));
        if (builder->size > 0) {
            memcpy(wide, builder->bytes, builder->size);
        }
        builder->bytes = wide;
        builder->capacity = capacity;
    }
    if (size > 0) {
        memcpy(builder->bytes + builder->size, bytes, size);
    }
    builder->size += size;
    return DYNO_OK;
}

dyno_status dyno_jinja_write_text(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                                  const char *text)
{
    return dyno_jinja_write(run, builder, text, strlen(text));
}

struct dyno_jinja_value dyno_jinja_built(const struct dyno_jinja_builder *builder)
{
    return dyno_jinja_string(builder->size > 0 ? builder->bytes : "", builder->size);
}

/* The fewest digits that are read back as the same number, as d.ddde+xx. */
static void shortest(double decimal, char *out, size_t size)
{
    for (int digits = 0; digits < 17; digits++) {
        (void)snprintf(out, size, "%.*e", digits, decimal);
        if (strtod(out, NULL) == decimal) {
            return;
        }
    }
}

/* Python writes exponents below -4 and from 16 on. */
void dyno_jinja_print_decimal(double decimal, char *out)
{
    char digits[32], *exponent;
    int power, count;

    if (!isfinite(decimal)) {
        (void)snprintf(out, 32, "%s", isnan(decimal) ? "nan" : decimal < 0 ? "-inf" : "inf");
        return;
    }
    shortest(decimal, digits, sizeof digits);
    exponent = strchr(digits, 'e');
    power = (int)strtol(exponent + 1, NULL, 10);
    count = (int)(exponent - digits) - (digits[0] == '-') - (strchr(digits, '.') != NULL);
    if (power < -4 || power >= 16) {
        (void)snprintf(out, 32, "%s", digits);
        return;
    }
    (void)snprintf(out, 32, "%.*f", count - 1 - power > 1 ? count - 1 - power : 1, decimal);
}

/* What Python does not print as it is: controls, what is not assigned, and blanks but ' '. */
static bool is_printed(uint32_t point)
{
    switch (utf8proc_category((utf8proc_int32_t)point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return point == ' ';
    default:
        return true;
    }
}

static dyno_status write_escaped(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                                 uint32_t point)
{
    char escape[12];

    (void)snprintf(escape, sizeof escape,
                   point < 0x100     ? "\\x%02" PRIx32
                   : point < 0x10000 ? "\\u%04" PRIx32
                                     : "\\U%08" PRIx32,
                   point);
    return dyno_jinja_write_text(run, builder,
                                 point == '\n'   ? "\\n"
                                 : point == '\t' ? "\\t"
                                 : point == '\r' ? "\\r"
                                                 : escape);
}

static dyno_status write_quoted(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                                struct dyno_jinja_text text)
{
    bool single = memchr(text.bytes, '\'', text.size) && !memchr(text.bytes, '"', text.size);
    char quote = single ? '"' : '\'';

    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    DYNO_TRY(dyno_jinja_write(run, builder, &quote, 1));
    for (size_t i = 0, size; i < text.size; i += size) {
        uint32_t point = dyno_utf8_point(text.bytes + i, &size);

        if (!is_printed(point)) {
            DYNO_TRY(write_escaped(run, builder, point));
            continue;
        }
        if (point == '\\' || point == (unsigned char)quote) {
            DYNO_TRY(dyno_jinja_write(run, builder, "\\", 1));
        }
        DYNO_TRY(dyno_jinja_write(run, builder, text.bytes + i, size));
    }
    return dyno_jinja_write(run, builder, &quote, 1);
}

static dyno_status repr_list(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_list *list)
{
    DYNO_TRY(dyno_jinja_write_text(run, builder, list->is_tuple ? "(" : "["));
    for (size_t i = 0; i < list->count; i++) {
        DYNO_TRY(dyno_jinja_write_text(run, builder, i > 0 ? ", " : ""));
        DYNO_TRY(dyno_jinja_repr(run, builder, &list->items[i]));
    }
    if (list->is_tuple && list->count == 1) {
        DYNO_TRY(dyno_jinja_write_text(run, builder, ","));
    }
    return dyno_jinja_write_text(run, builder, list->is_tuple ? ")" : "]");
}

static dyno_status repr_dict(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_dict *dict)
{
    DYNO_TRY(dyno_jinja_write_text(run, builder, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        DYNO_TRY(dyno_jinja_write_text(run, builder, i > 0 ? ", " : ""));
        DYNO_TRY(dyno_jinja_repr(run, builder, &dict->pairs[i].key));
        DYNO_TRY(dyno_jinja_write_text(run, builder, ": "));
        DYNO_TRY(dyno_jinja_repr(run, builder, &dict->pairs[i].value));
    }
    return dyno_jinja_write_text(run, builder, "}");
}

static dyno_status print_plain(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                               const struct dyno_jinja_value *value)
{
    char text[32];

    switch (value->type) {
    case DYNO_JINJA_NONE:
        return dyno_jinja_write_text(run, builder, "None");
    case DYNO_JINJA_BOOLEAN:
        return dyno_jinja_write_text(run, builder, value->as.truth ? "True" : "False");
    case DYNO_JINJA_INTEGER:
        (void)snprintf(text, sizeof text, "%" PRId64, value->as.integer);
        return dyno_jinja_write_text(run, builder, text);
    case DYNO_JINJA_DECIMAL:
        dyno_jinja_print_decimal(value->as.decimal, text);
        return dyno_jinja_write_text(run, builder, text);
    case DYNO_JINJA_MACRO:
        DYNO_TRY(dyno_jinja_write_text(run, builder, "<Macro '"));
        DYNO_TRY(dyno_jinja_write(run, builder, value->as.closure->macro->name.bytes,
                                  value->as.closure->macro->name.size));
        return dyno_jinja_write_text(run, builder, "'>");
    default:
        return dyno_jinja_fail(run, "%s cannot be written", dyno_jinja_type_name(value));
    }
}

dyno_status dyno_jinja_repr(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                            const struct dyno_jinja_value *value)
{
    dyno_status status;

    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (value->type == DYNO_JINJA_UNDEFINED) {
        return dyno_jinja_write_text(run, builder, "Undefined");
    }
    if (value->type == DYNO_JINJA_STRING) {
        return write_quoted(run, builder, value->as.text);
    }
    if (value->type != DYNO_JINJA_LIST && value->type != DYNO_JINJA_DICT) {
        return print_plain(run, builder, value);
    }
    if (run->depth >= DYNO_TEMPLATE_STACK_MAX) {
        return dyno_jinja_fail(run, "a value to be written nests too deeply");
    }
    run->depth++;
    status = value->type == DYNO_JINJA_LIST ? repr_list(run, builder, value->as.list)
                                            : repr_dict(run, builder, value->as.dict);
    run->depth--;
    return status;
}

dyno_status dyno_jinja_print(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_value *value)
{
    if (value->type == DYNO_JINJA_UNDEFINED) {
        return DYNO_OK;
    }
    if (value->type == DYNO_JINJA_STRING) {
        DYNO_TRY(dyno_jinja_spend(run, value->as.text.size / 64));
        return dyno_jinja_write(run, builder, value->as.text.bytes, value->as.text.size);
    }
    return dyno_jinja_repr(run, builder, value);
}

dyno_status dyno_jinja_to_string(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                                 struct dyno_jinja_text *out)
{
    struct dyno_jinja_builder builder = {0};

    if (value->type != DYNO_JINJA_STRING) {
        DYNO_TRY(dyno_jinja_print(run, &builder, value));
        *out = dyno_jinja_built(&builder).as.text;
        return DYNO_OK;
    }
    *out = value->as.text;
    return DYNO_OK;
}

/* JSON. */

static dyno_status json_escape(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                               uint32_t point)
{
    static const char letters[] = "\"\\\n\r\t\b\f", names[] = "\"\\nrtbf";
    const char *known = point > 0 && point < 0x80 ? strchr(letters, (int)point) : NULL;
    char text[16];

    if (known) {
        (void)snprintf(text, sizeof text, "\\%c", names[known - letters]);
    } else if (point < 0x10000) {
        (void)snprintf(text, sizeof text, "\\u%04x", point);
    } else {
        (void)snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + ((point - 0x10000) >> 10),
                       0xDC00 + ((point - 0x10000) & 0x3FF));
    }
    return dyno_jinja_write_text(run, builder, text);
}

static dyno_status json_string_(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                                struct dyno_jinja_text text, bool ascii)
{
    size_t length;

    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    DYNO_TRY(dyno_jinja_write(run, builder, "\"", 1));
    for (size_t at = 0; at < text.size; at += length) {
        uint32_t point = dyno_utf8_point(text.bytes + at, &length);

        if (point < 0x20 || point == '"' || point == '\\' || (ascii && point >= 0x7F)) {
            DYNO_TRY(json_escape(run, builder, point));
        } else {
            DYNO_TRY(dyno_jinja_write(run, builder, text.bytes + at, length));
        }
    }
    return dyno_jinja_write(run, builder, "\"", 1);
}

static dyno_status json_scalar(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                               const struct dyno_jinja_value *value)
{
    if (value->type == DYNO_JINJA_NONE) {
        return dyno_jinja_write_text(run, builder, "null");
    }
    if (value->type == DYNO_JINJA_BOOLEAN) {
        return dyno_jinja_write_text(run, builder, value->as.truth ? "true" : "false");
    }
    if (value->type == DYNO_JINJA_DECIMAL && !isfinite(value->as.decimal)) {
        return dyno_jinja_write_text(run, builder,
                                     isnan(value->as.decimal) ? "NaN"
                                     : value->as.decimal < 0  ? "-Infinity"
                                                              : "Infinity");
    }
    if (!dyno_jinja_is_number(value)) {
        return dyno_jinja_fail(run, "%s has no form in JSON", dyno_jinja_type_name(value));
    }
    return print_plain(run, builder, value);
}

static dyno_status json_break(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                              const struct dyno_jinja_json_style *style, int64_t level)
{
    if (style->indent < 0) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_spend(run, (size_t)(level * style->indent) / 16));
    DYNO_TRY(dyno_jinja_write(run, builder, "\n", 1));
    for (int64_t i = 0; i < level * style->indent; i++) {
        DYNO_TRY(dyno_jinja_write(run, builder, " ", 1));
    }
    return DYNO_OK;
}

static dyno_status json_value(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                              const struct dyno_jinja_value *value,
                              const struct dyno_jinja_json_style *style, int64_t level);

static dyno_status json_list(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_list *list,
                             const struct dyno_jinja_json_style *style, int64_t level)
{
    if (list->count == 0) {
        return dyno_jinja_write_text(run, builder, "[]");
    }
    DYNO_TRY(dyno_jinja_write_text(run, builder, "["));
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            DYNO_TRY(dyno_jinja_write(run, builder, style->item_separator.bytes,
                                      style->item_separator.size));
        }
        DYNO_TRY(json_break(run, builder, style, level + 1));
        DYNO_TRY(json_value(run, builder, &list->items[i], style, level + 1));
    }
    DYNO_TRY(json_break(run, builder, style, level));
    return dyno_jinja_write_text(run, builder, "]");
}

static dyno_status json_key(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                            const struct dyno_jinja_value *key, bool ascii)
{
    if (key->type == DYNO_JINJA_STRING) {
        return json_string_(run, builder, key->as.text, ascii);
    }
    DYNO_TRY(dyno_jinja_write(run, builder, "\"", 1));
    DYNO_TRY(json_scalar(run, builder, key));
    return dyno_jinja_write(run, builder, "\"", 1);
}

static dyno_status sort_pairs(struct dyno_jinja_run *run, const struct dyno_jinja_dict *dict,
                              struct dyno_jinja_dict *out)
{
    *out = (struct dyno_jinja_dict){.count = dict->count, .capacity = dict->count};
    DYNO_TRY(dyno_jinja_take(run, dict->count * sizeof *out->pairs, &out->pairs));
    memcpy(out->pairs, dict->pairs, dict->count * sizeof *out->pairs);
    for (size_t i = 1; i < out->count; i++) {
        struct dyno_jinja_pair pair = out->pairs[i];
        size_t at = i;

        for (; at > 0; at--) {
            int order;

            DYNO_TRY(dyno_jinja_compare(run, &out->pairs[at - 1].key, &pair.key, &order));
            if (order <= 0) {
                break;
            }
            out->pairs[at] = out->pairs[at - 1];
        }
        out->pairs[at] = pair;
    }
    return DYNO_OK;
}

static dyno_status json_dict(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_dict *dict,
                             const struct dyno_jinja_json_style *style, int64_t level)
{
    struct dyno_jinja_dict sorted;

    if (dict->count == 0) {
        return dyno_jinja_write_text(run, builder, "{}");
    }
    if (style->sorted) {
        DYNO_TRY(sort_pairs(run, dict, &sorted));
        dict = &sorted;
    }
    DYNO_TRY(dyno_jinja_write_text(run, builder, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        if (i > 0) {
            DYNO_TRY(dyno_jinja_write(run, builder, style->item_separator.bytes,
                                      style->item_separator.size));
        }
        DYNO_TRY(json_break(run, builder, style, level + 1));
        DYNO_TRY(json_key(run, builder, &dict->pairs[i].key, style->ascii));
        DYNO_TRY(
            dyno_jinja_write(run, builder, style->key_separator.bytes, style->key_separator.size));
        DYNO_TRY(json_value(run, builder, &dict->pairs[i].value, style, level + 1));
    }
    DYNO_TRY(json_break(run, builder, style, level));
    return dyno_jinja_write_text(run, builder, "}");
}

static dyno_status json_value(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                              const struct dyno_jinja_value *value,
                              const struct dyno_jinja_json_style *style, int64_t level)
{
    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (level > DYNO_TEMPLATE_STACK_MAX / 2) {
        return dyno_jinja_fail(run, "a value for JSON nests too deeply");
    }
    switch (value->type) {
    case DYNO_JINJA_STRING:
        return json_string_(run, builder, value->as.text, style->ascii);
    case DYNO_JINJA_LIST:
        return json_list(run, builder, value->as.list, style, level);
    case DYNO_JINJA_DICT:
        return json_dict(run, builder, value->as.dict, style, level);
    default:
        return json_scalar(run, builder, value);
    }
}

dyno_status dyno_jinja_to_json(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                               const struct dyno_jinja_value *value,
                               const struct dyno_jinja_json_style *style)
{
    return json_value(run, builder, value, style, 0);
}
