/* One JSON object a line.
 *
 * Lists of identities are almost all of a trace's bytes, so that the object's frame, plain strings
 * and numbers are read here, without allocating; jansson reads every other value (escapes, nested
 * lists and objects) and says how far it got. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "traces/format.h"

struct cursor {
    struct dyno_line *line;
    const char *text; /* [length], followed by a NUL */
    size_t at;
    size_t length;
};

enum { FAST_DIGITS_MAX = 18 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char skip_blanks(struct cursor *cursor)
{
    while (cursor->text[cursor->at] == ' ' || cursor->text[cursor->at] == '\t') {
        cursor->at++;
    }
    return cursor->text[cursor->at];
}

static dyno_status refuse_here(const struct cursor *cursor, const char *expected)
{
    unsigned char c = (unsigned char)cursor->text[cursor->at];

    if (cursor->at >= cursor->length) {
        return dyno_line_refuse(cursor->line, cursor->at + 1, "the line ends; expected %s",
                                expected);
    }
    if (c > ' ' && c < 0x7f) {
        return dyno_line_refuse(cursor->line, cursor->at + 1, "found '%c'; expected %s", c,
                                expected);
    }
    return dyno_line_refuse(cursor->line, cursor->at + 1, "found byte 0x%02x; expected %s", c,
                            expected);
}

static dyno_status expect(struct cursor *cursor, char wanted, const char *expected)
{
    if (skip_blanks(cursor) != wanted) {
        return refuse_here(cursor, expected);
    }
    cursor->at++;
    return DYNO_OK;
}

/* Let jansson read the value at the cursor; *out is to be released by json_decref. */
static dyno_status read_any(struct cursor *cursor, json_t **out)
{
    json_error_t problem;
    json_t *value = json_loadb(cursor->text + cursor->at, cursor->length - cursor->at,
                               JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &problem);
    size_t moved = problem.position > 0 ? (size_t)problem.position : 0;

    if (!value) { /* within a list, an object or a string jansson knows better where */
        bool is_nested = strchr("[{\"", cursor->text[cursor->at]) != NULL;

        cursor->at += is_nested && moved > 0 ? moved - 1 : 0;
        return refuse_here(cursor, "a JSON value");
    }
    cursor->at += moved;
    *out = value;
    return DYNO_OK;
}

/* The bytes of a string without escapes that begins at the cursor; false: it is not that simple. */
static bool read_plain_string(struct cursor *cursor, struct dyno_cell *cell)
{
    size_t end = cursor->at + 1;

    while (end < cursor->length && cursor->text[end] != '"') {
        if (cursor->text[end] == '\\' || cursor->text[end] < ' ' || cursor->text[end] > '~') {
            return false;
        }
        end++;
    }
    if (end >= cursor->length) {
        return false;
    }
    cell->kind = DYNO_CELL_STRING;
    cell->text = cursor->text + cursor->at + 1;
    cell->length = end - cursor->at - 1;
    cursor->at = end + 1;
    return true;
}

static bool is_number_byte(char c)
{
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Read the scalar at the cursor.  `*holder` keeps a decoded string alive; release it after use. */
static dyno_status read_cell(struct cursor *cursor, struct dyno_cell *cell, json_t **holder)
{
    size_t begin = cursor->at;
    char first = cursor->text[begin];

    *holder = NULL;
    cell->column = begin + 1;
    if (first == '"' && read_plain_string(cursor, cell)) {
        return DYNO_OK;
    }
    if (is_digit(first) || first == '-') {
        while (is_number_byte(cursor->text[cursor->at])) {
            cursor->at++;
        }
        cell->kind = DYNO_CELL_NUMBER;
        cell->text = cursor->text + begin;
        cell->length = cursor->at - begin;
        return DYNO_OK;
    }
    DYNO_TRY(read_any(cursor, holder));
    if (json_is_string(*holder)) {
        cell->kind = DYNO_CELL_STRING;
        cell->text = json_string_value(*holder);
        cell->length = json_string_length(*holder);
    } else {
        cell->kind = DYNO_CELL_OTHER;
        cell->text = cursor->text + begin;
        cell->length = cursor->at - begin;
    }
    return DYNO_OK;
}

static dyno_status read_scalar(struct cursor *cursor, const struct dyno_column *column)
{
    struct dyno_cell cell;
    json_t *holder;
    dyno_status status;

    DYNO_TRY(read_cell(cursor, &cell, &holder));
    status = dyno_cell_apply(cursor->line, column, &cell);
    json_decref(holder);
    return status;
}

/* A whole number of at most 18 digits, the usual identity; false: it is something else. */
static bool read_fast_key(struct cursor *cursor, uint64_t *key)
{
    size_t at = cursor->at;
    uint64_t value = 0;

    while (is_digit(cursor->text[at])) {
        value = value * 10 + (uint64_t)(cursor->text[at++] - '0');
    }
    if (at == cursor->at || at - cursor->at > FAST_DIGITS_MAX || is_number_byte(cursor->text[at])) {
        return false;
    }
    *key = dyno_key_of_number(value, false);
    cursor->at = at;
    return true;
}

static dyno_status read_element(struct cursor *cursor, const struct dyno_column *column)
{
    uint64_t key;

    if (column->field != DYNO_FIELD_BLOCKS || !read_fast_key(cursor, &key)) {
        return read_scalar(cursor, column);
    }
    if (!dyno_row_add_segment(cursor->line->row, key, 0)) {
        return dyno_fail(cursor->line->error, DYNO_NO_MEMORY, "%s:%" PRIu64 ": no memory for it",
                         cursor->line->file, cursor->line->number);
    }
    return DYNO_OK;
}

static dyno_status read_list(struct cursor *cursor, const struct dyno_column *column)
{
    cursor->at++; /* the '[' */
    if (skip_blanks(cursor) == ']') {
        cursor->at++;
        return DYNO_OK;
    }
    for (;;) {
        (void)skip_blanks(cursor);
        DYNO_TRY(read_element(cursor, column));
        if (skip_blanks(cursor) == ']') {
            cursor->at++;
            return DYNO_OK;
        }
        DYNO_TRY(expect(cursor, ',', "',' or ']' after an element of the list"));
    }
}

static dyno_status pass_over(struct cursor *cursor)
{
    json_t *value;

    DYNO_TRY(read_any(cursor, &value));
    json_decref(value);
    return DYNO_OK;
}

static bool is_null(const struct cursor *cursor)
{
    return strncmp(cursor->text + cursor->at, "null", 4) == 0;
}

static dyno_status read_value(struct cursor *cursor, const struct dyno_column *column)
{
    bool is_list;

    if (!column || dyno_line_ignores(cursor->line, column) ||
        (!column->is_required && is_null(cursor))) {
        return pass_over(cursor);
    }
    DYNO_TRY(dyno_line_note(cursor->line, column, cursor->at + 1));
    is_list = column->field == DYNO_FIELD_BLOCKS || column->field == DYNO_FIELD_WAITS;
    if (is_list && cursor->text[cursor->at] == '[') {
        return read_list(cursor, column);
    }
    if (column->field == DYNO_FIELD_BLOCKS) {
        return refuse_here(cursor, "a list of identities after hash_ids");
    }
    return read_scalar(cursor, column);
}

static dyno_status read_member(struct cursor *cursor)
{
    const struct dyno_column *column;
    struct dyno_cell name;
    json_t *holder = NULL;
    dyno_status status;

    if (skip_blanks(cursor) != '"') {
        return refuse_here(cursor, "a column's name in double quotes");
    }
    DYNO_TRY(read_cell(cursor, &name, &holder));
    status = dyno_line_find(cursor->line, name.text, name.length, name.column, &column);
    json_decref(holder);
    DYNO_TRY(status);
    DYNO_TRY(expect(cursor, ':', "':' after a column's name"));
    (void)skip_blanks(cursor);
    return read_value(cursor, column);
}

dyno_status dyno_jsonl_read(struct dyno_line *line, const char *text, size_t length)
{
    struct cursor cursor = {.line = line, .text = text, .length = length};

    DYNO_TRY(expect(&cursor, '{', "'{': one JSON object a line"));
    if (skip_blanks(&cursor) != '}') {
        for (;;) {
            DYNO_TRY(read_member(&cursor));
            if (skip_blanks(&cursor) == '}') {
                break;
            }
            DYNO_TRY(expect(&cursor, ',', "',' or '}' after a value"));
        }
    }
    cursor.at++;
    (void)skip_blanks(&cursor);
    if (cursor.at != length) {
        return refuse_here(&cursor, "the end of the line after '}'");
    }
    return dyno_line_finish(line, length);
}
