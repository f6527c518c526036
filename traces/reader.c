/* The rows of a trace file: lines, parsed by the format's table, put in order within a window.
 *
 * Memory: one line, and sort_window + 1 rows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/format.h"
#include "traces/lines.h"
#include "traces/order.h"
#include "traces/passed.h"
#include "traces/rows.h"

enum {
    SORT_WINDOW_MAX = 1048576,
    PLACE_BITS = 21,
    /* A recording is written as requests end: one that took long stands far behind its time.  How
     * far is bounded by what ended meanwhile, not by us: rows and, for memory, their identities. */
    RECORDED_WINDOW = 65536,
    RECORDED_IDS_MAX = 4194304,
};

struct reader {
    struct dyno_rows rows; /* first: a struct dyno_rows * is one of these */
    struct dyno_trace_config config;
    char *path;
    const struct dyno_format *format; /* NULL until the first line is seen */
    struct dyno_csv *csv;             /* NULL for JSONL */
    struct dyno_lines lines;
    bool lines_ended;
    uint64_t parsed_at;        /* of the row parsed last, as recorded */
    uint64_t first_at;         /* of the row told first, as recorded: time 0 */
    uint64_t told_at;          /* of the row told last, as recorded */
    uint64_t told;             /* rows told */
    struct dyno_passed passed; /* rows before them (config.requests_skip) */
    uint64_t recording;        /* of the first row; 0: not a recording */
    uint64_t first_line;       /* where that is */
    uint64_t taken, given;     /* rows that came into the window, and went out of it */
    uint64_t held_ids;         /* identities in the window */
    struct dyno_row *pool;     /* [sort_window + 1]: rows that wait for their turn */
    struct dyno_order order;
    uint32_t *free_slots; /* [free_count] of the pool */
    uint32_t free_count;
};

static dyno_status refuse_format(const struct reader *reader, struct dyno_error *error)
{
    char names[256] = "";

    for (size_t i = 0; dyno_format_table[i]; i++) {
        size_t used = strlen(names);

        (void)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                       dyno_format_table[i]->name);
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s:%" PRIu64 ":1: the line is that of no known format; expected one of: %s "
                     "(--format names one)",
                     reader->lines.name, reader->lines.number, names);
}

static struct dyno_line line_begun(const struct reader *reader, struct dyno_row *row,
                                   struct dyno_error *error)
{
    uint32_t own = reader->config.trace_block_tokens;

    return (struct dyno_line){.file = reader->lines.name,
                              .number = reader->lines.number,
                              .format = reader->format,
                              .block_tokens = own ? own : reader->format->block_tokens,
                              .is_block_tokens_fixed = own != 0,
                              .ignore_unknown = reader->config.ignore_unknown,
                              .models = reader->config.models,
                              .row = row,
                              .error = error};
}

/* What follows takes a line for text that ends at its first NUL. */
static dyno_status check_text(const struct reader *reader, const char *text, size_t length,
                              struct dyno_error *error)
{
    const char *nul = memchr(text, '\0', length);

    if (!nul) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s:%" PRIu64 ":%zu: a NUL byte; expected text",
                     reader->lines.name, reader->lines.number, (size_t)(nul - text) + 1);
}

/* The first line that is not blank: it tells the format, and is a CSV's header. */
static dyno_status begin(struct reader *reader, const char *text, size_t length, bool *is_row,
                         struct dyno_error *error)
{
    struct dyno_line line;

    DYNO_TRY(check_text(reader, text, length, error));
    if (!reader->format && !(reader->format = dyno_format_recognise(text, length))) {
        return refuse_format(reader, error);
    }
    reader->rows.format = reader->format->name;
    *is_row = reader->format->family == DYNO_FAMILY_JSONL;
    if (*is_row) {
        return DYNO_OK;
    }
    line = line_begun(reader, NULL, error);
    DYNO_TRY(dyno_csv_open(&reader->csv, error));
    return dyno_csv_read_header(reader->csv, &line, text, length);
}

static dyno_status parse(struct reader *reader, const char *text, size_t length,
                         struct dyno_row *row, struct dyno_error *error)
{
    struct dyno_line line;

    dyno_row_clear(row);
    DYNO_TRY(check_text(reader, text, length, error));
    line = line_begun(reader, row, error);
    return reader->csv ? dyno_csv_read(reader->csv, &line, text, length)
                       : dyno_jsonl_read(&line, text, length);
}

/* Identities of two salts look different where they are the same, and the other way round. */
static dyno_status check_recording(struct reader *reader, const struct dyno_row *row,
                                   struct dyno_error *error)
{
    if (reader->first_line == 0) {
        reader->first_line = row->line;
        reader->recording = row->recording;
    }
    if (row->recording == reader->recording) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s:%" PRIu64 ":1: the request is of another recording than that of line "
                     "%" PRIu64 ", and identities of different salts cannot be compared; expected "
                     "one recording a trace",
                     reader->rows.name, row->line, reader->first_line);
}

static bool is_blank(const char *text, size_t length)
{
    return strspn(text, " \t\r") == length;
}

/* A server that was killed leaves the beginning of a line at the end of what it recorded. */
static bool is_torn(const struct reader *reader)
{
    return reader->lines.is_cut && reader->recording != 0;
}

static void count_recorded(struct dyno_trace_counts *counts, const struct dyno_row *row)
{
    if (row->recording != 0) {
        counts->recorded++;
        counts->recorded_lost += row->lost;
        counts->recorded_outcomes[row->outcome]++;
    }
}

/* Take one more line in; *got says whether it gave a row. */
static dyno_status take_line(struct reader *reader, struct dyno_row *row, bool *got,
                             struct dyno_error *error)
{
    const char *text;
    size_t length;
    bool is_row = true;
    dyno_status status;

    *got = false;
    DYNO_TRY(dyno_lines_next(&reader->lines, &text, &length, &is_row, error));
    reader->lines_ended = !is_row;
    if (reader->lines_ended || is_blank(text, length)) {
        return DYNO_OK;
    }
    if (!reader->rows.format) {
        DYNO_TRY(begin(reader, text, length, &is_row, error));
        if (!is_row) {
            return DYNO_OK;
        }
    }
    status = parse(reader, text, length, row, error);
    if (status != DYNO_OK && is_torn(reader)) {
        return dyno_rows_skip_torn(&reader->rows, error);
    }
    if (status == DYNO_OK) {
        status = check_recording(reader, row, error);
    }
    if (status != DYNO_OK) {
        return dyno_rows_reject(&reader->rows, error);
    }
    count_recorded(&reader->rows.counts, row);
    reader->rows.counts.failed_dropped += row->is_failed;
    *got = !row->is_failed;
    return DYNO_OK;
}

/* The next row in the file's order; a row without a time has that of the row before it. */
static dyno_status next_in_file(struct reader *reader, struct dyno_row *row, bool *got,
                                struct dyno_error *error)
{
    *got = false;
    while (!*got && !reader->lines_ended) {
        DYNO_TRY(take_line(reader, row, got, error));
    }
    if (*got && !row->has_at) {
        row->at = reader->parsed_at;
    }
    if (*got) {
        reader->parsed_at = row->at;
    }
    return DYNO_OK;
}

static dyno_status no_memory_to_sort(const struct reader *reader, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to sort it", reader->rows.name);
}

/* Once the first row has said that this is a recording. */
static dyno_status widen_window(struct reader *reader, struct dyno_error *error)
{
    uint32_t before = reader->config.sort_window + 1, count = RECORDED_WINDOW + 1;
    uint32_t *slots = realloc(reader->free_slots, count * sizeof *slots);
    struct dyno_row *pool;

    if (!slots) {
        return no_memory_to_sort(reader, error);
    }
    reader->free_slots = slots;
    pool = calloc(count, sizeof *pool); /* pages that are not needed are not touched */
    if (!pool) {
        return no_memory_to_sort(reader, error);
    }
    memcpy(pool, reader->pool, before * sizeof *pool);
    free(reader->pool);
    reader->pool = pool;
    memmove(slots + count - before, slots, reader->free_count * sizeof *slots);
    for (uint32_t i = 0; i < count - before; i++) {
        slots[i] = count - 1 - i;
    }
    reader->free_count += count - before;
    reader->config.sort_window = RECORDED_WINDOW;
    return DYNO_OK;
}

static bool may_take_more(const struct reader *reader)
{
    return reader->free_count > 0 && !reader->lines_ended &&
           (reader->recording == 0 || reader->held_ids < RECORDED_IDS_MAX);
}

/* Requests that came at one instant: a recording says in which order, else the file does.  Places
 * within a window differ in their lowest bits. */
static uint64_t sequence_of(const struct dyno_row *row)
{
    _Static_assert(SORT_WINDOW_MAX < 1 << PLACE_BITS, "places of a window must differ");
    return row->recording ? row->number << PLACE_BITS | (row->place & ((1 << PLACE_BITS) - 1))
                          : row->place;
}

/* One more row into the window. */
static dyno_status take_into_window(struct reader *reader, bool *got, struct dyno_error *error)
{
    uint32_t slot = reader->free_slots[reader->free_count - 1];
    struct dyno_row *held = &reader->pool[slot];
    struct dyno_order_item item;

    DYNO_TRY(next_in_file(reader, held, got, error));
    if (!*got) {
        return DYNO_OK;
    }
    held->place = reader->taken++;
    item = (struct dyno_order_item){.at = held->at, .sequence = sequence_of(held), .slot = slot};
    if (!dyno_order_push(&reader->order, item)) {
        return no_memory_to_sort(reader, error);
    }
    reader->free_count--;
    reader->held_ids += held->segment_count;
    if (reader->recording != 0 && reader->config.sort_window < RECORDED_WINDOW) {
        return widen_window(reader, error);
    }
    return DYNO_OK;
}

/* The window's earliest row, swapping memory with the caller's. */
static void give_from_window(struct reader *reader, struct dyno_row *row)
{
    struct dyno_order_item item = dyno_order_pop(&reader->order);
    struct dyno_trace_counts *counts = &reader->rows.counts;
    struct dyno_row kept = *row;
    uint64_t places;

    *row = reader->pool[item.slot];
    places = row->place > reader->given ? row->place - reader->given : 0;
    reader->pool[item.slot] = kept;
    reader->free_slots[reader->free_count++] = item.slot;
    reader->held_ids -= row->segment_count;
    reader->given++;
    counts->places_off_max = places > counts->places_off_max ? places : counts->places_off_max;
}

/* Fill the window and give out its earliest row. */
static dyno_status next_in_window(struct reader *reader, struct dyno_row *row, bool *got,
                                  struct dyno_error *error)
{
    *got = true;
    while (*got && may_take_more(reader)) {
        DYNO_TRY(take_into_window(reader, got, error));
    }
    *got = reader->order.count > 0;
    if (*got) {
        give_from_window(reader, row);
    }
    return DYNO_OK;
}

static dyno_status refuse_unsorted(const struct reader *reader, const struct dyno_row *row,
                                   struct dyno_error *error)
{
    return dyno_fail(
        error, DYNO_BAD_INPUT,
        "%s:%" PRIu64 ":%" PRIu32 ": the request is %" PRIu64
        " us earlier than one before it; expected rows in order of time, at most %" PRIu32
        " places off (trace.sort_window)",
        reader->rows.name, row->line, row->at_column, (reader->told_at - row->at) / DYNO_US,
        reader->config.sort_window);
}

/* The next row that is not out of order. */
static dyno_status next_in_order(struct reader *reader, struct dyno_row *row, bool *got,
                                 struct dyno_error *error)
{
    for (;;) {
        DYNO_TRY(reader->config.sort_window ? next_in_window(reader, row, got, error)
                                            : next_in_file(reader, row, got, error));
        if (!*got || row->at >= reader->told_at) {
            break;
        }
        (void)refuse_unsorted(reader, row, error);
        DYNO_TRY(dyno_rows_reject(&reader->rows, error));
    }
    reader->told_at = *got ? row->at : reader->told_at;
    return DYNO_OK;
}

static dyno_status refuse_empty(const struct reader *reader, struct dyno_error *error)
{
    if (reader->passed.count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: holds no requests; expected at least one",
                         reader->rows.name);
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s: holds no request behind the first %" PRIu64 " (trace.skip is %" PRIu64
                     "); expected at least one",
                     reader->rows.name, reader->passed.count, reader->config.requests_skip);
}

static dyno_status reader_read(struct dyno_rows *rows, struct dyno_row *row, bool *got,
                               struct dyno_error *error)
{
    struct reader *reader = (struct reader *)rows;
    bool is_passed = true;

    *got = false;
    if (reader->config.requests_max && reader->told >= reader->config.requests_max) {
        return DYNO_OK;
    }
    while (is_passed) {
        DYNO_TRY(next_in_order(reader, row, got, error));
        if (!*got) {
            return reader->told > 0 ? DYNO_OK : refuse_empty(reader, error);
        }
        DYNO_TRY(
            dyno_passed_see(&reader->passed, reader->config.requests_skip, row, &is_passed, error));
    }
    if (reader->told++ == 0) {
        reader->first_at = row->at;
    }
    row->at -= reader->first_at;
    return DYNO_OK;
}

static void reader_close(struct dyno_rows *rows)
{
    struct reader *reader = (struct reader *)rows;

    for (uint32_t i = 0; reader->pool && i <= reader->config.sort_window; i++) {
        dyno_row_release(&reader->pool[i]);
    }
    free(reader->pool);
    free(reader->free_slots);
    free(reader->path);
    dyno_order_release(&reader->order);
    dyno_passed_release(&reader->passed);
    dyno_csv_close(reader->csv);
    dyno_lines_close(&reader->lines);
    free(reader);
}

static const struct dyno_rows_ops reader_ops = {
    .name = "file",
    .read = reader_read,
    .close = reader_close,
};

static dyno_status choose_format(struct reader *reader, struct dyno_error *error)
{
    const char *name = reader->config.format;

    if (!name || strcmp(name, "auto") == 0) {
        return DYNO_OK;
    }
    reader->format = dyno_format_find(name);
    if (!reader->format) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "unknown trace format \"%.40s\"; expected auto, mooncake, azure, burstgpt or "
            "bailian",
            name);
    }
    return DYNO_OK;
}

static dyno_status prepare_window(struct reader *reader, struct dyno_error *error)
{
    uint32_t count = reader->config.sort_window + 1;

    if (reader->config.sort_window > SORT_WINDOW_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "trace.sort_window is %" PRIu32 "; expected at most %d rows",
                         reader->config.sort_window, SORT_WINDOW_MAX);
    }
    reader->pool = calloc(count, sizeof *reader->pool);
    reader->free_slots = malloc(count * sizeof *reader->free_slots);
    if (!reader->pool || !reader->free_slots) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to sort %" PRIu32 " rows", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        reader->free_slots[i] = count - 1 - i;
    }
    reader->free_count = count;
    return DYNO_OK;
}

dyno_status dyno_reader_open(struct dyno_rows **out, const struct dyno_trace_config *config,
                             struct dyno_error *error)
{
    struct reader *reader = calloc(1, sizeof *reader);
    dyno_status status;

    if (!reader || !(reader->path = strdup(config->path))) {
        free(reader);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read a trace");
    }
    reader->rows = (struct dyno_rows){.ops = &reader_ops, .skip_max = config->skip_bad_max};
    reader->config = *config;
    status = choose_format(reader, error);
    if (status == DYNO_OK) {
        status =
            dyno_lines_open(&reader->lines, reader->path, config->data, config->data_size, error);
    }
    if (status == DYNO_OK) {
        reader->rows.name = reader->lines.name;
        if (config->copy) {
            dyno_input_keep(reader->lines.input, config->copy);
        }
        status = prepare_window(reader, error);
    }
    if (status != DYNO_OK) {
        dyno_rows_close(&reader->rows);
        return status;
    }
    *out = &reader->rows;
    return DYNO_OK;
}
