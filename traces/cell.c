/* Cells into fields: units, scales and limits, and the sentences that refuse a line. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/map.h"
#include "core/model/record.h"
#include "traces/format.h"
#include "traces/number.h"

enum { SHOWN_BYTES_MAX = 40 }; /* of a cell, in an error */

static const uint64_t at_ns_max = INT64_MAX; /* 292 years */

dyno_status dyno_line_refuse(const struct dyno_line *line, size_t column, const char *format, ...)
{
    char text[DYNO_ERROR_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dyno_fail(line->error, DYNO_BAD_INPUT, "%s:%" PRIu64 ":%zu: %.800s", line->file,
                     line->number, column, text);
}

/* What a cell says, fit to print: short, and without bytes that would disturb a terminal. */
static void show(const struct dyno_cell *cell, char *out, size_t size)
{
    size_t count = cell->length < SHOWN_BYTES_MAX ? cell->length : SHOWN_BYTES_MAX;
    const char *quote = cell->kind == DYNO_CELL_STRING ? "\"" : "";
    char text[SHOWN_BYTES_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)cell->text[i];

        text[i] = (char)(c >= ' ' && c < 0x7f ? c : '?');
    }
    text[count] = '\0';
    (void)snprintf(out, size, "%s%s%s%s", quote, text, count < cell->length ? "..." : "", quote);
}

dyno_status dyno_cell_refuse(const struct dyno_line *line, const struct dyno_column *column,
                             const struct dyno_cell *cell, const char *expected)
{
    char shown[SHOWN_BYTES_MAX + 8];

    show(cell, shown, sizeof shown);
    return dyno_line_refuse(line, cell->column, "%s is %s; expected %s", column->name,
                            cell->length == 0 ? "empty" : shown, expected);
}

/* The format's columns, each name once: "timestamp, input_length, ...". */
static void list_columns(const struct dyno_format *format, char *out, size_t size)
{
    out[0] = '\0';
    for (const struct dyno_column *column = format->columns; column->name; column++) {
        size_t used = strlen(out);

        (void)snprintf(out + used, size - used, "%s%s", used ? ", " : "", column->name);
    }
}

dyno_status dyno_line_find(const struct dyno_line *line, const char *name, size_t length, size_t at,
                           const struct dyno_column **out)
{
    struct dyno_cell shown = {.kind = DYNO_CELL_BARE, .text = name, .length = length, .column = at};
    char text[SHOWN_BYTES_MAX + 8], names[512];

    for (const struct dyno_column *column = line->format->columns; column->name; column++) {
        if (strncmp(column->name, name, length) == 0 && column->name[length] == '\0') {
            *out = column;
            return DYNO_OK;
        }
    }
    *out = NULL;
    if (line->ignore_unknown) {
        return DYNO_OK;
    }
    show(&shown, text, sizeof text);
    list_columns(line->format, names, sizeof names);
    return dyno_line_refuse(line, at, "unknown column \"%s\"; expected one of %s's: %s", text,
                            line->format->name, names);
}

dyno_status dyno_line_note(struct dyno_line *line, const struct dyno_column *column, size_t at)
{
    if (dyno_line_ignores(line, column)) {
        return DYNO_OK;
    }
    if (line->column_of[column->field] != 0) {
        return dyno_line_refuse(line, at, "%s is given twice (or under two names); expected once",
                                column->name);
    }
    line->column_of[column->field] = at;
    return DYNO_OK;
}

uint64_t dyno_key_of_text(const char *text, size_t length)
{
    uint64_t key = 0xcbf29ce484222325ULL; /* FNV-1a, then mixed */

    for (size_t i = 0; i < length; i++) {
        key = (key ^ (unsigned char)text[i]) * 0x100000001b3ULL;
    }
    return (dyno_mix(key) | (uint64_t)1 << 63) &
           ~(uint64_t)1; /* apart from numbers and from NONE */
}

uint64_t dyno_key_of_number(uint64_t number, bool is_negative)
{
    if (number > 0 && number < (uint64_t)1 << 62 && !is_negative) {
        return number;
    }
    return (dyno_mix(is_negative ? ~number : number) | (uint64_t)1 << 62) & ~(uint64_t)1;
}

/* The cell's number, all of it. */
static bool cell_number(const struct dyno_cell *cell, struct dyno_decimal *decimal)
{
    return (cell->kind == DYNO_CELL_NUMBER || cell->kind == DYNO_CELL_BARE) && cell->length > 0 &&
           dyno_decimal_parse(cell->text, cell->length, decimal) == cell->length;
}

static bool cell_time(const struct dyno_cell *cell, int power, uint64_t *ns)
{
    struct dyno_decimal decimal;

    return cell_number(cell, &decimal) && !decimal.negative &&
           dyno_decimal_scale(&decimal, power, ns, NULL) && *ns <= at_ns_max;
}

static dyno_status apply_time(struct dyno_line *line, const struct dyno_column *column,
                              const struct dyno_cell *cell, uint64_t *ns)
{
    switch (column->unit) {
    case DYNO_UNIT_MS:
        return cell_time(cell, 6, ns)
                   ? DYNO_OK
                   : dyno_cell_refuse(line, column, cell, "milliseconds from 0 to 9.2e12");
    case DYNO_UNIT_S:
        return cell_time(cell, 9, ns)
                   ? DYNO_OK
                   : dyno_cell_refuse(line, column, cell, "seconds from 0 to 9.2e9");
    default:
        return cell->kind != DYNO_CELL_NUMBER && dyno_date_parse(cell->text, cell->length, ns)
                   ? DYNO_OK
                   : dyno_cell_refuse(line, column, cell,
                                      "a date and time such as 2023-11-16 18:15:46.6805900");
    }
}

static bool cell_whole(const struct dyno_cell *cell, uint64_t max, uint64_t *value)
{
    struct dyno_decimal decimal;
    bool is_whole;

    return cell_number(cell, &decimal) && !decimal.negative &&
           dyno_decimal_scale(&decimal, 0, value, &is_whole) && is_whole && *value <= max;
}

static const char *tokens_expected(const struct dyno_line *line, const struct dyno_column *column)
{
    return column->field == DYNO_FIELD_OUTPUT && line->format->no_answer_is_failure
               ? "a whole number of tokens from 0 to 16777216"
               : "a whole number of tokens from 1 to 16777216";
}

/* No output at all is judged at the line's end (check_output): it depends on another column. */
static dyno_status apply_tokens(struct dyno_line *line, const struct dyno_column *column,
                                const struct dyno_cell *cell, uint32_t *tokens)
{
    uint64_t value = 0;

    if (!cell_whole(cell, DYNO_ROW_TOKENS_MAX, &value) ||
        (value == 0 && column->field != DYNO_FIELD_OUTPUT)) {
        return dyno_cell_refuse(line, column, cell, tokens_expected(line, column));
    }
    *tokens = (uint32_t)value;
    if (column->field == DYNO_FIELD_OUTPUT) {
        line->row->is_failed = value == 0;
        line->zero_output = value == 0 ? column->name : NULL;
    }
    return DYNO_OK;
}

static dyno_status apply_block_tokens(struct dyno_line *line, const struct dyno_column *column,
                                      const struct dyno_cell *cell)
{
    uint64_t value = 0;

    if (!cell_whole(cell, DYNO_TRACE_BLOCK_TOKENS_MAX, &value) || value == 0) {
        return dyno_cell_refuse(line, column, cell, "a whole number of tokens from 1 to 1048576");
    }
    if (!line->is_block_tokens_fixed) {
        line->block_tokens = (uint32_t)value;
    }
    return DYNO_OK;
}

static dyno_status apply_count(struct dyno_line *line, const struct dyno_column *column,
                               const struct dyno_cell *cell, uint64_t *count)
{
    return cell_whole(cell, DYNO_TRACE_COUNT_MAX, count)
               ? DYNO_OK
               : dyno_cell_refuse(line, column, cell, "a whole number from 0 to 1099511627776");
}

static dyno_status apply_tenant(struct dyno_line *line, const struct dyno_column *column,
                                const struct dyno_cell *cell)
{
    uint64_t value = 0;

    if (!cell_whole(cell, UINT32_MAX, &value)) {
        return dyno_cell_refuse(line, column, cell, "a whole number from 0 (none) to 4294967295");
    }
    line->row->tenant = (uint32_t)value;
    return DYNO_OK;
}

static dyno_status apply_priority(struct dyno_line *line, const struct dyno_column *column,
                                  const struct dyno_cell *cell)
{
    struct dyno_decimal decimal;
    uint64_t value = 0;
    bool is_whole = false;

    if (!cell_number(cell, &decimal) || !dyno_decimal_scale(&decimal, 0, &value, &is_whole) ||
        !is_whole || value > INT32_MAX) {
        return dyno_cell_refuse(line, column, cell,
                                "a whole number from -2147483647 to 2147483647");
    }
    line->row->priority = decimal.negative ? -(int32_t)value : (int32_t)value;
    return DYNO_OK;
}

static dyno_status apply_outcome(struct dyno_line *line, const struct dyno_column *column,
                                 const struct dyno_cell *cell)
{
    for (uint8_t i = 0; cell->kind == DYNO_CELL_STRING && i < DYNO_OUTCOMES; i++) {
        const char *name = dyno_outcome_name((enum dyno_outcome)i);

        if (strlen(name) == cell->length && memcmp(name, cell->text, cell->length) == 0) {
            line->row->outcome = i;
            return DYNO_OK;
        }
    }
    return dyno_cell_refuse(line, column, cell,
                            "\"completed\", \"cancelled_by_client\" or another of the outcomes of "
                            "a request");
}

/* One of those that are served; where nobody asks, any. */
static dyno_status apply_model(const struct dyno_line *line, const struct dyno_column *column,
                               const struct dyno_cell *cell)
{
    const struct dyno_model_choice *models = line->models;
    char expected[256] = "one of the models of the fleet: ";
    size_t used = strlen(expected);
    uint32_t found;

    if (cell->length == 0 && cell->kind == DYNO_CELL_BARE) { /* CSV writes "none" so */
        return DYNO_OK;
    }
    found = cell->kind == DYNO_CELL_NUMBER || cell->kind == DYNO_CELL_OTHER
                ? models->count
                : dyno_model_choice_find(models, cell->text, cell->length);
    if (found == models->count) {
        dyno_model_choice_list(models, expected + used, sizeof expected - used);
        return dyno_cell_refuse(line, column, cell, expected);
    }
    line->row->model = found + 1;
    return DYNO_OK;
}

static dyno_status apply_key(struct dyno_line *line, const struct dyno_column *column,
                             const struct dyno_cell *cell, uint64_t *key)
{
    struct dyno_decimal decimal;
    uint64_t number;
    bool is_whole;

    if (cell_number(cell, &decimal) && dyno_decimal_scale(&decimal, 0, &number, &is_whole) &&
        is_whole) {
        *key = dyno_key_of_number(number, decimal.negative);
        return DYNO_OK;
    }
    if (cell->length == 0 || cell->kind == DYNO_CELL_NUMBER || cell->kind == DYNO_CELL_OTHER) {
        return dyno_cell_refuse(line, column, cell, "a string, or a whole number of 64 bits");
    }
    *key = dyno_key_of_text(cell->text, cell->length);
    return DYNO_OK;
}

/* A parent of -1 (or empty) is none. */
static dyno_status apply_parent(struct dyno_line *line, const struct dyno_column *column,
                                const struct dyno_cell *cell)
{
    if (cell->length == 0 || (cell->length == 2 && memcmp(cell->text, "-1", 2) == 0)) {
        return DYNO_OK;
    }
    return apply_key(line, column, cell, &line->row->parent);
}

dyno_status dyno_cell_apply(struct dyno_line *line, const struct dyno_column *column,
                            const struct dyno_cell *cell)
{
    struct dyno_row *row = line->row;
    bool is_list = column->field == DYNO_FIELD_BLOCKS || column->field == DYNO_FIELD_WAITS;
    uint64_t key = 0;

    switch (column->field) {
    case DYNO_FIELD_AT:
        row->has_at = true;
        return apply_time(line, column, cell, &row->at);
    case DYNO_FIELD_DELAY:
        return apply_time(line, column, cell, &row->delay);
    case DYNO_FIELD_INPUT:
        return apply_tokens(line, column, cell, &row->input_tokens);
    case DYNO_FIELD_OUTPUT:
        return apply_tokens(line, column, cell, &row->output_tokens);
    case DYNO_FIELD_SESSION:
        return cell->length == 0 && cell->kind == DYNO_CELL_BARE
                   ? DYNO_OK /* CSV writes "none" so */
                   : apply_key(line, column, cell, &row->session);
    case DYNO_FIELD_TENANT:
        return apply_tenant(line, column, cell);
    case DYNO_FIELD_MODEL:
        return apply_model(line, column, cell);
    case DYNO_FIELD_PRIORITY:
        return apply_priority(line, column, cell);
    case DYNO_FIELD_NAME:
        return apply_key(line, column, cell, &row->name);
    case DYNO_FIELD_PARENT:
        return apply_parent(line, column, cell);
    case DYNO_FIELD_OUTCOME:
        return apply_outcome(line, column, cell);
    case DYNO_FIELD_RECORDING:
        return apply_key(line, column, cell, &row->recording);
    case DYNO_FIELD_BLOCK_TOKENS:
        return apply_block_tokens(line, column, cell);
    case DYNO_FIELD_LOST:
        return apply_count(line, column, cell, &row->lost);
    case DYNO_FIELD_NUMBER:
        return apply_count(line, column, cell, &row->number);
    default:
        break;
    }
    if (!is_list) {
        return DYNO_OK;
    }
    DYNO_TRY(apply_key(line, column, cell, &key));
    if (column->field == DYNO_FIELD_BLOCKS ? !dyno_row_add_segment(row, key, 0)
                                           : !dyno_row_add_wait(row, key)) {
        return dyno_fail(line->error, DYNO_NO_MEMORY, "%s:%" PRIu64 ": no memory for the line",
                         line->file, line->number);
    }
    return DYNO_OK;
}

/* The names under which a missing field may be given: "input_length or input_tokens". */
static dyno_status refuse_missing(const struct dyno_line *line, enum dyno_field field,
                                  size_t end_column)
{
    char names[128] = "";

    for (const struct dyno_column *column = line->format->columns; column->name; column++) {
        if (column->field == field) {
            size_t used = strlen(names);

            (void)snprintf(names + used, sizeof names - used, "%s%s", used ? " or " : "",
                           column->name);
        }
    }
    return dyno_line_refuse(line, end_column, "the line ends without %s, which %s needs", names,
                            line->format->name);
}

/* One identity a block: all of the prompt's blocks, or all whole ones. */
static dyno_status check_block_count(const struct dyno_line *line)
{
    const struct dyno_row *row = line->row;
    uint32_t whole = row->input_tokens / line->block_tokens;
    uint32_t all = whole + (row->input_tokens % line->block_tokens != 0);

    if (row->segment_count == 0 || row->segment_count == all || row->segment_count == whole) {
        return DYNO_OK;
    }
    return dyno_line_refuse(line, line->column_of[DYNO_FIELD_BLOCKS],
                            "hash_ids has %" PRIu32 " identities; expected %" PRIu32
                            " for a prompt of %" PRIu32 " tokens in blocks of %" PRIu32,
                            row->segment_count, all, row->input_tokens, line->block_tokens);
}

/* A request without an answer may stand in a trace that says what became of it. */
static dyno_status check_output(const struct dyno_line *line)
{
    if (!line->zero_output || line->format->no_answer_is_failure ||
        line->column_of[DYNO_FIELD_OUTCOME] != 0) {
        return DYNO_OK;
    }
    return dyno_line_refuse(line, line->column_of[DYNO_FIELD_OUTPUT],
                            "%s is 0; expected a whole number of tokens from 1 to 16777216",
                            line->zero_output);
}

dyno_status dyno_line_finish(struct dyno_line *line, size_t end_column)
{
    struct dyno_row *row = line->row;

    for (const struct dyno_column *column = line->format->columns; column->name; column++) {
        if (column->is_required && line->column_of[column->field] == 0) {
            return refuse_missing(line, column->field, end_column);
        }
    }
    DYNO_TRY(check_output(line));
    row->line = line->number;
    row->at_column = (uint32_t)line->column_of[DYNO_FIELD_AT];
    row->waits_column = (uint32_t)line->column_of[DYNO_FIELD_WAITS];
    row->is_ordered = line->format->sessions_are_ordered;
    if (row->segment_count > 0) {
        DYNO_TRY(check_block_count(line));
        dyno_row_chain(row, line->block_tokens);
        row->block_refs = row->segment_count;
    }
    return DYNO_OK;
}
