/* What the columns of a trace format mean: one table a format, one file a format family.
 *
 * A column has a name, the field of a row it fills, and the unit it is written in.  The two parsers
 * (csv.c, jsonl.c) turn a line into cells; dyno_cell_apply sets a field from a cell;
 * dyno_line_finish checks what only the whole line shows. */
#ifndef DYNO_TRACES_FORMAT_H
#define DYNO_TRACES_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "traces/model_choice.h"
#include "traces/row.h"

enum { DYNO_TRACE_BLOCK_TOKENS_MAX = 1048576 };  /* that one identity may stand for */
#define DYNO_TRACE_COUNT_MAX ((uint64_t)1 << 40) /* of lost requests, and the number of one */

enum dyno_field {
    DYNO_FIELD_IGNORED, /* known, and of no use to a replay */
    DYNO_FIELD_AT,
    DYNO_FIELD_INPUT,
    DYNO_FIELD_OUTPUT,
    DYNO_FIELD_BLOCKS, /* a list of identities, one a block */
    DYNO_FIELD_SESSION,
    DYNO_FIELD_TENANT,
    DYNO_FIELD_PRIORITY,
    DYNO_FIELD_DELAY,
    DYNO_FIELD_NAME,
    DYNO_FIELD_WAITS, /* a list of names, or one */
    DYNO_FIELD_PARENT,
    DYNO_FIELD_OUTCOME,
    DYNO_FIELD_RECORDING,
    DYNO_FIELD_BLOCK_TOKENS,
    DYNO_FIELD_NUMBER,
    DYNO_FIELD_LOST,
    DYNO_FIELD_MODEL, /* the name of the model that was asked */
    DYNO_FIELDS,
};

enum dyno_unit {
    DYNO_UNIT_NONE,
    DYNO_UNIT_TOKENS,
    DYNO_UNIT_COUNT,
    DYNO_UNIT_MS,
    DYNO_UNIT_S,
    DYNO_UNIT_DATE,
    DYNO_UNIT_KEY, /* an identifier: a string or a whole number */
};

struct dyno_column {
    const char *name; /* as the trace writes it; NULL ends a table */
    enum dyno_field field;
    enum dyno_unit unit;
    bool is_required;
};

enum dyno_family { DYNO_FAMILY_JSONL, DYNO_FAMILY_CSV };

struct dyno_format {
    const char *name; /* NULL ends the table of formats */
    const char *help;
    enum dyno_family family;
    /* Column names, one of which tells the format; the second may be NULL. */
    const char *signature[2];
    uint32_t block_tokens;     /* tokens an identity stands for; 0: no identities */
    bool sessions_are_ordered; /* a session's requests follow each other (else parents say) */
    bool no_answer_is_failure; /* 0 output tokens: the request failed */
    const struct dyno_column *columns;
};

extern const struct dyno_format dyno_format_mooncake;
extern const struct dyno_format dyno_format_bailian;
extern const struct dyno_format dyno_format_azure;
extern const struct dyno_format dyno_format_burstgpt;

/* All formats, in the order in which they are recognised; NULL-terminated. */
extern const struct dyno_format *const dyno_format_table[];

/* By name; NULL if there is none. */
const struct dyno_format *dyno_format_find(const char *name);
/* By the first line that is not blank; NULL if it is none of them. */
const struct dyno_format *dyno_format_recognise(const char *line, size_t length);

/* A line being read: where it is, and what it has said so far. */
struct dyno_line {
    const char *file;
    uint64_t number;
    const struct dyno_format *format;
    uint32_t block_tokens;      /* the format's, what the line says, or what the user said ... */
    bool is_block_tokens_fixed; /* ... and this is what the user said */
    const char *zero_output; /* the name under which no output is recorded; NULL: there is some */
    bool ignore_unknown;
    const struct dyno_model_choice *models; /* NULL: a model that is named is passed over */
    size_t column_of[DYNO_FIELDS];          /* from 1; 0: the field is not there */
    struct dyno_row *row;
    struct dyno_error *error;
};

enum dyno_cell_kind {
    DYNO_CELL_NUMBER, /* JSON: a number */
    DYNO_CELL_STRING, /* JSON: a string, its contents decoded */
    DYNO_CELL_BARE,   /* CSV: whatever it reads as */
    DYNO_CELL_OTHER,  /* JSON: null, true, false, an object, a list */
};

/* One value, still text. */
struct dyno_cell {
    enum dyno_cell_kind kind;
    const char *text; /* [length] */
    size_t length;
    size_t column; /* where it begins in the line, from 1 */
};

/* Refuse the line: "FILE:LINE:COLUMN: ...".  Returns DYNO_BAD_INPUT. */
dyno_status dyno_line_refuse(const struct dyno_line *line, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The column called `name` into *out.  An unknown one is refused, or NULL if unknown columns are to
 * be passed over. */
dyno_status dyno_line_find(const struct dyno_line *line, const char *name, size_t length, size_t at,
                           const struct dyno_column **out);

/* Refuse a cell: "FILE:LINE:COLUMN: NAME is CELL; expected EXPECTED". */
dyno_status dyno_cell_refuse(const struct dyno_line *line, const struct dyno_column *column,
                             const struct dyno_cell *cell, const char *expected);

/* Set the column's field of the line's row.  A list's column takes one element a call. */
dyno_status dyno_cell_apply(struct dyno_line *line, const struct dyno_column *column,
                            const struct dyno_cell *cell);

/* The line is read; it ended at `end_column`.  Refuses it if a required field is missing or fields
 * contradict each other, else completes the row. */
dyno_status dyno_line_finish(struct dyno_line *line, size_t end_column);

/* Nobody wants to know what stands there. */
static inline bool dyno_line_ignores(const struct dyno_line *line, const struct dyno_column *column)
{
    return column->field == DYNO_FIELD_IGNORED ||
           (column->field == DYNO_FIELD_MODEL && !line->models);
}

/* Note that a field is given at `at`; refuses the second time. */
dyno_status dyno_line_note(struct dyno_line *line, const struct dyno_column *column, size_t at);

/* Read one line of JSON, followed by a NUL and without one inside, into the line's row (jsonl.c).
 */
dyno_status dyno_jsonl_read(struct dyno_line *line, const char *text, size_t length);

/* A CSV reader (csv.c): the header says which column stands where. */
struct dyno_csv;
dyno_status dyno_csv_open(struct dyno_csv **out, struct dyno_error *error);
void dyno_csv_close(struct dyno_csv *csv);
dyno_status dyno_csv_read_header(struct dyno_csv *csv, struct dyno_line *line, const char *text,
                                 size_t length);
dyno_status dyno_csv_read(struct dyno_csv *csv, struct dyno_line *line, const char *text,
                          size_t length);

/* The key of an identifier: equal for equal texts, never 0; whole numbers from 1 keep their value.
 */
uint64_t dyno_key_of_text(const char *text, size_t length);
uint64_t dyno_key_of_number(uint64_t number, bool is_negative);

#endif
