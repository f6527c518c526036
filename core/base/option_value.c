/* One option's value between text and memory.  Parsing and printing never touch the struct that the
 * rows describe; loading and storing never see text. */
#include "core/base/option_value.h"

#include <stdio.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

static struct dyno_option_value special_value(const struct dyno_option *row)
{
    return (struct dyno_option_value){.real = row->type == DYNO_OPTION_DOUBLE ? -1.0 : 0.0};
}

static bool is_special_value(const struct dyno_option *row, const struct dyno_option_value *value)
{
    if (!row->special) {
        return false;
    }
    switch (row->type) {
    case DYNO_OPTION_DOUBLE:
        return value->real < 0;
    case DYNO_OPTION_TEXT:
    case DYNO_OPTION_CHOICE:
        return !value->text;
    default:
        return value->whole == 0;
    }
}

static bool parse_bool(const char *text, uint64_t *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i & 1;
            return true;
        }
    }
    return false;
}

static bool parse_whole(const struct dyno_option *row, const char *text, uint64_t *out)
{
    enum dyno_units_verdict verdict;

    switch (row->type) {
    case DYNO_OPTION_DURATION:
        verdict = dyno_parse_duration(text, out);
        if (verdict == DYNO_UNITS_OK && *out == 0 && row->special) {
            return true; /* no time at all is how "never" is often written */
        }
        break;
    case DYNO_OPTION_BYTES:
        verdict = dyno_parse_bytes(text, out);
        break;
    default:
        verdict = dyno_parse_u64(text, out);
        break;
    }
    return verdict == DYNO_UNITS_OK && *out >= row->min && *out <= row->max;
}

static bool parse_choice(const struct dyno_option *row, const char *text, const char **out)
{
    for (uint32_t i = 0; dyno_option_choice(row, i); i++) {
        if (strcmp(dyno_option_choice(row, i), text) == 0) {
            *out = dyno_option_choice(row, i);
            return true;
        }
    }
    return false;
}

static bool parse_text(const struct dyno_option *row, const char *text, const char **out)
{
    *out = text;
    return strlen(text) < DYNO_OPTION_TEXT_MAX && dyno_text_is_clean(text) &&
           (*text != '\0' || row->min == 0);
}

static void describe_range(const struct dyno_option *row, char *out, size_t size)
{
    char low[DYNO_UNITS_TEXT_MAX], high[DYNO_UNITS_TEXT_MAX];

    switch (row->type) {
    case DYNO_OPTION_DOUBLE:
        dyno_print_double(low, row->low);
        dyno_print_double(high, row->high);
        snprintf(out, size, "a number from %s to %s", low, high);
        break;
    case DYNO_OPTION_DURATION:
        dyno_print_duration(low, row->min);
        dyno_print_duration(high, row->max);
        snprintf(out, size, "a duration from %s to %s (units: " DYNO_UNITS_DURATION ")", low, high);
        break;
    case DYNO_OPTION_BYTES:
        dyno_print_bytes(low, row->min);
        dyno_print_bytes(high, row->max);
        snprintf(out, size, "a size from %s to %s (units: " DYNO_UNITS_BYTES ")", low, high);
        break;
    default:
        dyno_print_u64(low, row->min);
        dyno_print_u64(high, row->max);
        snprintf(out, size, "a whole number from %s to %s", low, high);
        break;
    }
}

static void describe_choices(const struct dyno_option *row, char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "one of");

    for (uint32_t i = 0; dyno_option_choice(row, i) && length < size; i++) {
        length += (size_t)snprintf(out + length, size - length, "%s %s", i ? "," : "",
                                   dyno_option_choice(row, i));
    }
}

const char *dyno_option_choice(const struct dyno_option *row, uint32_t index)
{
    return row->choices ? row->choices[index] : row->choice(index);
}

bool dyno_option_is_special(const struct dyno_option *row, const char *text)
{
    return row->special && strcmp(row->special, text) == 0;
}

bool dyno_option_value_parse(struct dyno_option_value *value, const struct dyno_option *row,
                             const char *text)
{
    *value = special_value(row);
    if (dyno_option_is_special(row, text)) {
        return true;
    }
    switch (row->type) {
    case DYNO_OPTION_BOOL:
        return parse_bool(text, &value->whole);
    case DYNO_OPTION_DOUBLE:
        return dyno_parse_double(text, &value->real) == DYNO_UNITS_OK && value->real >= row->low &&
               value->real <= row->high;
    case DYNO_OPTION_TEXT:
        return parse_text(row, text, &value->text);
    case DYNO_OPTION_CHOICE:
        return parse_choice(row, text, &value->text);
    default:
        return parse_whole(row, text, &value->whole);
    }
}

void dyno_option_value_print(const struct dyno_option_value *value, const struct dyno_option *row,
                             char out[DYNO_OPTION_TEXT_MAX])
{
    if (is_special_value(row, value)) {
        snprintf(out, DYNO_OPTION_TEXT_MAX, "%s", row->special);
        return;
    }
    switch (row->type) {
    case DYNO_OPTION_BOOL:
        snprintf(out, DYNO_OPTION_TEXT_MAX, "%s", value->whole ? "true" : "false");
        break;
    case DYNO_OPTION_DOUBLE:
        dyno_print_double(out, value->real);
        break;
    case DYNO_OPTION_DURATION:
        dyno_print_duration(out, value->whole);
        break;
    case DYNO_OPTION_BYTES:
        dyno_print_bytes(out, value->whole);
        break;
    case DYNO_OPTION_TEXT:
    case DYNO_OPTION_CHOICE:
        snprintf(out, DYNO_OPTION_TEXT_MAX, "%s", value->text);
        break;
    default:
        dyno_print_u64(out, value->whole);
        break;
    }
}

void dyno_option_value_load(struct dyno_option_value *value, const struct dyno_option *row,
                            const void *target)
{
    const void *field = (const char *)target + row->offset;

    *value = (struct dyno_option_value){0};
    switch (row->type) {
    case DYNO_OPTION_BOOL:
        value->whole = *(const bool *)field;
        break;
    case DYNO_OPTION_U32:
        value->whole = *(const uint32_t *)field;
        break;
    case DYNO_OPTION_DOUBLE:
        value->real = *(const double *)field;
        break;
    case DYNO_OPTION_TEXT:
    case DYNO_OPTION_CHOICE:
        value->text = *(const char *const *)field;
        break;
    default:
        value->whole = *(const uint64_t *)field;
        break;
    }
}

void dyno_option_value_store(const struct dyno_option_value *value, const struct dyno_option *row,
                             void *target)
{
    void *field = (char *)target + row->offset;

    switch (row->type) {
    case DYNO_OPTION_BOOL:
        *(bool *)field = value->whole != 0;
        break;
    case DYNO_OPTION_U32:
        *(uint32_t *)field = (uint32_t)value->whole;
        break;
    case DYNO_OPTION_DOUBLE:
        *(double *)field = value->real;
        break;
    case DYNO_OPTION_TEXT:
    case DYNO_OPTION_CHOICE:
        *(const char **)field = value->text;
        break;
    default:
        *(uint64_t *)field = value->whole;
        break;
    }
}

bool dyno_option_value_equals(const struct dyno_option_value *a, const struct dyno_option_value *b,
                              const struct dyno_option *row)
{
    switch (row->type) {
    case DYNO_OPTION_DOUBLE:
        return a->real == b->real;
    case DYNO_OPTION_TEXT:
    case DYNO_OPTION_CHOICE:
        return a->text && b->text ? strcmp(a->text, b->text) == 0 : a->text == b->text;
    default:
        return a->whole == b->whole;
    }
}

void dyno_option_describe(const struct dyno_option *row, char *out, size_t size)
{
    size_t length;

    switch (row->type) {
    case DYNO_OPTION_BOOL:
        snprintf(out, size, "true or false");
        break;
    case DYNO_OPTION_TEXT:
        snprintf(out, size, "a text of %s%d bytes%s, UTF-8 without control characters",
                 row->min ? "1 to " : "", DYNO_OPTION_TEXT_MAX - 1, row->min ? "" : " at most");
        break;
    case DYNO_OPTION_CHOICE:
        describe_choices(row, out, size);
        break;
    default:
        describe_range(row, out, size);
        break;
    }
    length = strlen(out);
    if (row->special) {
        snprintf(out + length, size - length, ", or '%s'", row->special);
    }
}
