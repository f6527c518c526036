/* Filters of single values.  Those of lists are in list_filters.c. */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/run.h"

#define FILTER(name)                                                                               \
    static dyno_status name(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,    \
                            const struct dyno_jinja_bindings *arguments,                           \
                            struct dyno_jinja_value *out)

static dyno_status whole_argument(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_bindings *arguments, size_t place,
                                  int64_t fallback, int64_t *out)
{
    const struct dyno_jinja_value *argument = arguments->of[place];

    if (argument && argument->type != DYNO_JINJA_NONE && !dyno_jinja_is_whole(argument)) {
        return dyno_jinja_fail(run, "a filter was given %s where an integer is expected",
                               dyno_jinja_type_name(argument));
    }
    *out = argument && argument->type != DYNO_JINJA_NONE ? dyno_jinja_whole(argument) : fallback;
    return DYNO_OK;
}

static bool flag_argument(const struct dyno_jinja_bindings *arguments, size_t place)
{
    return arguments->of[place] && dyno_jinja_truth(arguments->of[place]);
}

static dyno_status change(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                          enum dyno_jinja_case how, struct dyno_jinja_value *out)
{
    struct dyno_jinja_text text;

    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    return dyno_jinja_change_case(run, text, how, out);
}

FILTER(upper)
{
    (void)arguments;
    return change(run, subject, DYNO_JINJA_UPPER, out);
}

FILTER(lower)
{
    (void)arguments;
    return change(run, subject, DYNO_JINJA_LOWER, out);
}

FILTER(capitalize)
{
    (void)arguments;
    return change(run, subject, DYNO_JINJA_CAPITAL, out);
}

/* Jinja's title: a word begins after a blank, '-' or an opening bracket only, unlike Python's. */
FILTER(title)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_text text, part;
    struct dyno_jinja_value changed;
    size_t end;

    (void)arguments;
    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    for (size_t at = 0; at < text.size; at = end) {
        for (end = at + 1; end < text.size; end++) {
            char last = text.bytes[end - 1], next = text.bytes[end];

            if (strchr("-([{< \t\n\r\f\v", last) || (next && strchr("-([{<", next))) {
                break;
            }
        }
        part = (struct dyno_jinja_text){text.bytes + at, end - at};
        DYNO_TRY(dyno_jinja_change_case(run, part, DYNO_JINJA_CAPITAL, &changed));
        DYNO_TRY(dyno_jinja_print(run, &builder, &changed));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

FILTER(trim)
{
    const struct dyno_jinja_value *set = arguments->of[0];
    struct dyno_jinja_text text;

    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    if (set && set->type == DYNO_JINJA_NONE) {
        set = NULL;
    }
    if (set && set->type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "trim was given %s", dyno_jinja_type_name(set));
    }
    DYNO_TRY(dyno_jinja_spend(run, text.size / 64 + (set ? set->as.text.size : 0)));
    text = dyno_jinja_strip(text, set ? &set->as.text : NULL, true, true);
    *out = dyno_jinja_string(text.bytes, text.size);
    return DYNO_OK;
}

FILTER(length)
{
    (void)arguments;
    switch (subject->type) {
    case DYNO_JINJA_STRING:
        *out = dyno_jinja_integer((int64_t)dyno_jinja_characters(subject->as.text));
        return dyno_jinja_spend(run, subject->as.text.size / 16);
    case DYNO_JINJA_LIST:
        *out = dyno_jinja_integer((int64_t)subject->as.list->count);
        return DYNO_OK;
    case DYNO_JINJA_DICT:
        *out = dyno_jinja_integer((int64_t)subject->as.dict->count);
        return DYNO_OK;
    case DYNO_JINJA_UNDEFINED:
        *out = dyno_jinja_integer(0);
        return DYNO_OK;
    default:
        return dyno_jinja_fail(run, "%s has no length", dyno_jinja_type_name(subject));
    }
}

FILTER(default_)
{
    bool missing = subject->type == DYNO_JINJA_UNDEFINED ||
                   (flag_argument(arguments, 1) && !dyno_jinja_truth(subject));

    (void)run;
    *out = !missing ? *subject : arguments->of[0] ? *arguments->of[0] : dyno_jinja_string("", 0);
    return DYNO_OK;
}

FILTER(string)
{
    struct dyno_jinja_text text;

    (void)arguments;
    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    *out = dyno_jinja_string(text.bytes, text.size);
    return DYNO_OK;
}

static dyno_status text_of(struct dyno_jinja_run *run, const struct dyno_jinja_value *argument,
                           struct dyno_jinja_text *out)
{
    if (!argument) {
        return dyno_jinja_fail(run, "a filter needs an argument");
    }
    return dyno_jinja_to_string(run, argument, out);
}

FILTER(replace)
{
    struct dyno_jinja_text text, from, to;
    int64_t count;

    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    DYNO_TRY(text_of(run, arguments->of[0], &from));
    DYNO_TRY(text_of(run, arguments->of[1], &to));
    DYNO_TRY(whole_argument(run, arguments, 2, -1, &count));
    return dyno_jinja_replace(run, text, from, to, count, out);
}

/* The width of an indentation in blanks, or its text. */
static dyno_status indentation(struct dyno_jinja_run *run, const struct dyno_jinja_value *width,
                               struct dyno_jinja_text *out)
{
    struct dyno_jinja_value blank = dyno_jinja_string(" ", 1), times = dyno_jinja_integer(4), text;

    if (width && width->type == DYNO_JINJA_STRING) {
        *out = width->as.text;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_operate(run, DYNO_JINJA_MULTIPLY, &blank, width ? width : &times, &text));
    *out = text.as.text;
    return DYNO_OK;
}

/* Lines but the first (unless `first`) and empty ones (unless `blank`) are moved.  Whatever ended
 * them, '\n' does then; a '\r' that is the last does so with a '\n' that Jinja adds, and is gone.
 */
FILTER(indent)
{
    bool first = flag_argument(arguments, 1), blank = flag_argument(arguments, 2);
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_text text, by;

    if (subject->type == DYNO_JINJA_UNDEFINED) {
        return dyno_jinja_fail(run, "indent of what is undefined");
    }
    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    DYNO_TRY(indentation(run, arguments->of[0], &by));
    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    text.size -= text.size > 0 && text.bytes[text.size - 1] == '\r';
    for (bool is_first = true, more = true; more; is_first = false) {
        size_t size = 0, end = 0;

        while (size < text.size && end == 0) {
            end =
                dyno_jinja_line_end((struct dyno_jinja_text){text.bytes + size, text.size - size});
            size += end == 0;
        }
        more = end > 0;
        DYNO_TRY(dyno_jinja_spend(run, 1 + by.size / 16));
        if (is_first ? first : blank || size > 0) {
            DYNO_TRY(dyno_jinja_write(run, &builder, by.bytes, by.size));
        }
        DYNO_TRY(dyno_jinja_write(run, &builder, text.bytes, size));
        DYNO_TRY(dyno_jinja_write(run, &builder, "\n", more));
        text = (struct dyno_jinja_text){text.bytes + size + end, text.size - size - end};
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

enum { NUMBER_MAX = 64 };

/* A short text without blanks around it and without '_', terminated. */
static bool copy_number(struct dyno_jinja_text text, char *out)
{
    size_t size = 0;

    text = dyno_jinja_strip(text, NULL, true, true);
    if (text.size == 0 || text.size >= NUMBER_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!text.bytes[i] || strchr("xXpP", text.bytes[i])) {
            return false;
        }
        if (text.bytes[i] != '_') {
            out[size++] = text.bytes[i];
        }
    }
    out[size] = '\0';
    return size > 0;
}

static bool read_decimal(struct dyno_jinja_text text, double *out)
{
    char number[NUMBER_MAX], *end;

    if (!copy_number(text, number)) {
        return false;
    }
    *out = strtod(number, &end);
    return *end == '\0';
}

static bool read_whole(struct dyno_jinja_text text, int64_t base, int64_t *out)
{
    char number[NUMBER_MAX], *end;

    if (base < 2 || base > 36 || !copy_number(text, number)) {
        return false;
    }
    errno = 0;
    *out = strtoll(number, &end, (int)base);
    return *end == '\0' && errno == 0;
}

static bool whole_of(double decimal, int64_t *out)
{
    if (!(decimal > -9.2e18 && decimal < 9.2e18)) {
        return false;
    }
    *out = (int64_t)decimal;
    return true;
}

FILTER(int_)
{
    int64_t base = 10, whole = 0;
    double decimal = 0;
    bool read = false;

    if (subject->type == DYNO_JINJA_UNDEFINED) {
        return dyno_jinja_fail(run, "int of what is undefined");
    }
    DYNO_TRY(whole_argument(run, arguments, 1, 10, &base));
    if (subject->type == DYNO_JINJA_STRING) {
        read = read_whole(subject->as.text, base, &whole) ||
               (read_decimal(subject->as.text, &decimal) && whole_of(decimal, &whole));
    } else if (dyno_jinja_is_whole(subject)) {
        whole = dyno_jinja_whole(subject);
        read = true;
    } else if (subject->type == DYNO_JINJA_DECIMAL) {
        read = whole_of(subject->as.decimal, &whole);
    }
    *out = read               ? dyno_jinja_integer(whole)
           : arguments->of[0] ? *arguments->of[0]
                              : dyno_jinja_integer(0);
    return DYNO_OK;
}

FILTER(float_)
{
    double decimal = 0;
    bool read = dyno_jinja_is_number(subject);

    if (subject->type == DYNO_JINJA_UNDEFINED) {
        return dyno_jinja_fail(run, "float of what is undefined");
    }
    if (read) {
        decimal = dyno_jinja_number(subject);
    } else if (subject->type == DYNO_JINJA_STRING) {
        read = read_decimal(subject->as.text, &decimal);
    }
    *out = read               ? dyno_jinja_decimal(decimal)
           : arguments->of[0] ? *arguments->of[0]
                              : dyno_jinja_decimal(0);
    return DYNO_OK;
}

FILTER(abs_)
{
    struct dyno_jinja_value zero = dyno_jinja_integer(0);

    (void)arguments;
    if (!dyno_jinja_is_number(subject)) {
        return dyno_jinja_fail(run, "abs of %s", dyno_jinja_type_name(subject));
    }
    if (!dyno_jinja_is_whole(subject)) {
        *out = dyno_jinja_decimal(fabs(dyno_jinja_number(subject)));
        return DYNO_OK;
    }
    if (dyno_jinja_number(subject) < 0) {
        return dyno_jinja_operate(run, DYNO_JINJA_SUBTRACT, &zero, subject, out);
    }
    *out = *subject;
    return DYNO_OK;
}

/* To the nearest of so many decimal places, of two the even one, as the number is and not as it
 * looks: 1.115 is a little less than that. */
static double round_decimal(double number, int64_t digits)
{
    char text[DBL_MAX_10_EXP + 48];

    if (digits < 0) {
        double scale = pow(10, (double)-digits);

        return nearbyint(number / scale) * scale;
    }
    (void)snprintf(text, sizeof text, "%.*f", (int)digits, number);
    return strtod(text, NULL);
}

/* An integer stays one; of two that are as near the even one.  False: it has no 64 bits. */
static bool round_whole(int64_t number, int64_t digits, int64_t *out)
{
    __int128 unit = 1, down, above, rounded;

    for (; digits < 0; digits++) {
        unit *= 10;
    }
    above = (number % unit + unit) % unit;
    down = number - above;
    rounded = 2 * above > unit || (2 * above == unit && down / unit % 2 != 0) ? down + unit : down;
    *out = (int64_t)rounded;
    return rounded == *out;
}

static bool is_method(const struct dyno_jinja_value *method, const char *name)
{
    return method && method->type == DYNO_JINJA_STRING && dyno_jinja_is_text(method->as.text, name);
}

FILTER(round_)
{
    const struct dyno_jinja_value *method = arguments->of[1];
    double number = dyno_jinja_is_number(subject) ? dyno_jinja_number(subject) : NAN;
    int64_t digits = 0, whole;

    DYNO_TRY(whole_argument(run, arguments, 0, 0, &digits));
    if (isnan(number) || digits < -30 || digits > 30) {
        return dyno_jinja_fail(run, "round of %s", dyno_jinja_type_name(subject));
    }
    if (is_method(method, "ceil")) {
        *out = dyno_jinja_decimal((ceil(number * pow(10, (double)digits)) + 0.0) /
                                  pow(10, (double)digits));
    } else if (is_method(method, "floor")) {
        *out = dyno_jinja_decimal((floor(number * pow(10, (double)digits)) + 0.0) /
                                  pow(10, (double)digits));
    } else if (method && !is_method(method, "common")) {
        return dyno_jinja_fail(run, "round by a method other than common, ceil and floor");
    } else if (dyno_jinja_is_whole(subject)) {
        if (!round_whole(dyno_jinja_whole(subject), digits, &whole)) {
            return dyno_jinja_fail(run, "an integer does not fit 64 bits");
        }
        *out = dyno_jinja_integer(whole);
    } else {
        *out = dyno_jinja_decimal(round_decimal(number, digits));
    }
    return DYNO_OK;
}

FILTER(safe)
{
    (void)arguments;
    return string(run, subject, arguments, out);
}

FILTER(escape)
{
    static const char letters[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_text text;

    (void)arguments;
    DYNO_TRY(dyno_jinja_to_string(run, subject, &text));
    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    for (size_t i = 0; i < text.size; i++) {
        const char *known = text.bytes[i] ? strchr(letters, text.bytes[i]) : NULL;

        DYNO_TRY(known ? dyno_jinja_write_text(run, &builder, names[known - letters])
                       : dyno_jinja_write(run, &builder, text.bytes + i, 1));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

static dyno_status separator(struct dyno_jinja_run *run, const struct dyno_jinja_value *pair,
                             size_t place, struct dyno_jinja_text *out)
{
    if (!pair || pair->type == DYNO_JINJA_NONE) {
        return DYNO_OK;
    }
    if (pair->type != DYNO_JINJA_LIST || pair->as.list->count != 2 ||
        pair->as.list->items[place].type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "the separators of tojson must be two strings");
    }
    *out = pair->as.list->items[place].as.text;
    return DYNO_OK;
}

FILTER(tojson)
{
    struct dyno_jinja_json_style style = {.ascii = flag_argument(arguments, 1),
                                          .item_separator = DYNO_JINJA_TEXT(", "),
                                          .key_separator = DYNO_JINJA_TEXT(": "),
                                          .sorted = flag_argument(arguments, 3)};
    struct dyno_jinja_builder builder = {0};

    DYNO_TRY(whole_argument(run, arguments, 0, -1, &style.indent));
    if (style.indent > 1000) {
        return dyno_jinja_fail(run, "the indent of tojson is larger than 1000");
    }
    if (style.indent >= 0) {
        style.item_separator = DYNO_JINJA_TEXT(",");
    }
    DYNO_TRY(separator(run, arguments->of[2], 0, &style.item_separator));
    DYNO_TRY(separator(run, arguments->of[2], 1, &style.key_separator));
    DYNO_TRY(dyno_jinja_to_json(run, &builder, subject, &style));
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

const struct dyno_jinja_function *dyno_jinja_filter(struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function table[] = {
        {"upper", "", upper},
        {"lower", "", lower},
        {"capitalize", "", capitalize},
        {"title", "", title},
        {"trim", "chars", trim},
        {"length", "", length},
        {"count", "", length},
        {"default", "default_value boolean", default_},
        {"d", "default_value boolean", default_},
        {"string", "", string},
        {"replace", "old new count", replace},
        {"indent", "width first blank", indent},
        {"int", "default base", int_},
        {"float", "default", float_},
        {"abs", "", abs_},
        {"round", "precision method", round_},
        {"safe", "", safe},
        {"escape", "", escape},
        {"e", "", escape},
        {"tojson", "indent ensure_ascii separators sort_keys", tojson},
        {0}};
    const struct dyno_jinja_function *found = dyno_jinja_lookup(table, name);

    return found ? found : dyno_jinja_list_filter(name);
}
