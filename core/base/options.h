/* Options: one row each, and everything else reads the rows.
 *
 * A row names an option, says what it accepts, and where in a struct its value lives.  A set of
 * options binds a table of rows to one such struct and remembers where every value came from.  The
 * command line, scenario files, help, the database and the tests are readers of the same rows.
 *
 * Values are set from text and printed back as text that parses to the same value.  Whatever a row
 * does not accept (zero, negative, overflow, NaN, trailing garbage, an unknown word) is refused
 * with one sentence that names the option and what it accepts.
 */
#ifndef DYNO_CORE_BASE_OPTIONS_H
#define DYNO_CORE_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* The type of the field in the struct stands beside. */
enum dyno_option_type {
    DYNO_OPTION_BOOL,     /* bool: true, false */
    DYNO_OPTION_U32,      /* uint32_t */
    DYNO_OPTION_U64,      /* uint64_t */
    DYNO_OPTION_DOUBLE,   /* double */
    DYNO_OPTION_DURATION, /* dyno_ns: "250ms", "1.5s", "5min"; a bare number is refused, but 0 */
    DYNO_OPTION_BYTES,    /* uint64_t: "8GiB", "512MB"; the same */
    DYNO_OPTION_TEXT,     /* const char *: UTF-8 without control characters */
    DYNO_OPTION_CHOICE,   /* const char *: one of the row's words */
};

enum {
    DYNO_OPTION_NAME_MAX = 64,   /* longest name, its end included */
    DYNO_OPTION_TEXT_MAX = 4096, /* longest value as text, its end included */
};

struct dyno_option {
    const char *name;    /* "section.key", as in a scenario file; unique */
    const char *flag;    /* "trace" for --trace; NULL: none.  A bool also has --no-FLAG */
    const char *value;   /* what stands for the value in help: "FILE", "N" */
    const char *help;    /* what it is, with units; lower case, no full stop */
    const char *initial; /* default, as text */
    const char *special; /* a word for "not set" beside the range ("none", "profile"), or NULL.  It
                            is stored as 0, or -1 for a double, or NULL for a text */
    enum dyno_option_type type;
    size_t offset;     /* of the field in the struct */
    uint64_t min, max; /* U32, U64, DURATION (ns), BYTES; TEXT: min 0 allows the empty text */
    double low, high;  /* DOUBLE */
    bool is_list; /* TEXT: several, with commas between them; a flag that is given again adds one,
                     and a scenario file may have a list */
    const char *const *choices;            /* CHOICE: NULL-terminated, or: */
    const char *(*choice)(uint32_t index); /* CHOICE from a table elsewhere; NULL past the last */
    const char *also; /* another "section.key", as users of other tools know it, or NULL */
};

/* Where a value comes from. */
enum dyno_option_source {
    DYNO_SOURCE_DEFAULT,
    DYNO_SOURCE_PROFILE, /* an engine profile: `where` is its name */
    DYNO_SOURCE_FILE,    /* a scenario file: `where`, line and column */
    DYNO_SOURCE_SET,     /* --set */
    DYNO_SOURCE_FLAG,    /* a flag: `where` is its name without dashes */
};

struct dyno_option_origin {
    enum dyno_option_source source;
    const char *where;
    uint32_t line, column; /* from 1 */
};

/* What the set keeps of one option. */
struct dyno_option_state {
    struct dyno_option_origin origin; /* `where` is owned */
    char *text;                       /* what a TEXT points to; owned; NULL for the other types */
};

struct dyno_options {
    const struct dyno_option *rows; /* [count] */
    uint32_t count;
    void *target;                     /* the struct that the rows describe */
    struct dyno_option_state *states; /* [count] */
};

/* Bind `rows` to `target` and set every default.  Both outlive the set; text values in `target`
 * stay valid until close (or until they are set again).  Errors: DYNO_NO_MEMORY; DYNO_BAD_INPUT if
 * a default is not what its own row accepts. */
dyno_status dyno_options_open(struct dyno_options *options, const struct dyno_option *rows,
                              uint32_t count, void *target, struct dyno_error *error);
void dyno_options_close(struct dyno_options *options); /* zeroed memory: no effect */

/* `name`, `length` bytes of it, is the row's name, or the other one that it has. */
bool dyno_option_has_name(const struct dyno_option *row, const char *name, size_t length);

/* The row of a name or of a flag (without dashes), or NULL. */
const struct dyno_option *dyno_options_find(const struct dyno_options *options, const char *name);
const struct dyno_option *dyno_options_find_flag(const struct dyno_options *options,
                                                 const char *flag);
/* The name of the row that `name` may have meant: one with the same last word or flag, else the
 * nearest by spelling; NULL if none is near. */
const char *dyno_options_suggest(const struct dyno_options *options, const char *name);

/* Set the value of `row` (one of the set's own) from text.  On failure the value stays, and `error`
 * is one sentence that starts with where the text came from. */
dyno_status dyno_options_set(struct dyno_options *options, const struct dyno_option *row,
                             const char *text, const struct dyno_option_origin *origin,
                             struct dyno_error *error);

/* As the flag of the row says it: a list that a flag has set before gets one more. */
dyno_status dyno_options_set_flag(struct dyno_options *options, const struct dyno_option *row,
                                  const char *text, const char *flag, struct dyno_error *error);

/* The value as text: what dyno_options_set takes.  Returns `out`. */
const char *dyno_options_print(const struct dyno_options *options, const struct dyno_option *row,
                               char out[DYNO_OPTION_TEXT_MAX]);
/* Where the value came from; valid until it is set again. */
const struct dyno_option_origin *dyno_options_origin(const struct dyno_options *options,
                                                     const struct dyno_option *row);
/* The value is the row's default, wherever it came from. */
bool dyno_options_is_initial(const struct dyno_options *options, const struct dyno_option *row);

/* What a row accepts, in words: "a whole number from 1 to 64, or 'profile'". */
void dyno_option_describe(const struct dyno_option *row, char *out, size_t size);

/* An origin in words: "default", "engine profile vllm", "fleet.yaml:3", "--set", "--workers". */
void dyno_option_origin_words(const struct dyno_option_origin *origin, char *out, size_t size);

/* How a value is named in a sentence: "fleet.yaml:3:12: fleet.workers", "--set fleet.workers",
 * "--workers". */
void dyno_option_place(const struct dyno_option *row, const struct dyno_option_origin *origin,
                       char *out, size_t size);

#endif
