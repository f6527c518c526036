/* The log: one line an event, as text or as JSON, written by a thread of its own.
 *
 * A line holds the time (UTC, microseconds), a level, the name of the event, the identity of the
 * request it is about and named values.  It never holds what a client sent to be read or what was
 * generated for it: lengths and names only.  That is the caller's promise; what is kept here is
 * that whatever bytes a value has, one event is one line and no terminal is told what to do: line
 * ends, control characters, escapes, marks that turn the direction of writing and bytes that are
 * not UTF-8 come out as \uXXXX.
 *
 * The caller never waits for the reader of the log: lines cross in a ring, and a line that finds it
 * full is lost, counted, and the count is written as soon as there is room ("log_lines_lost").  On
 * a pipe lines of several programs do not mix: a write is whole lines of at most PIPE_BUF bytes. */
#ifndef DYNO_BACKENDS_POSIX_LOG_H
#define DYNO_BACKENDS_POSIX_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/status.h"

enum {
    DYNO_LOG_LINE_BYTES_MAX = 4096, /* with its end; what does not fit is left out, and said */
    DYNO_LOG_VALUE_BYTES_MAX = 512, /* of a text; the rest is cut off and shown as "..." */
    DYNO_LOG_RING_BYTES = 1 << 20,  /* lines that wait for a slow reader */
    DYNO_LOG_CLOSE_WAIT_MS = 1000,  /* how long close waits for a reader that takes nothing */
};

enum dyno_log_format { DYNO_LOG_AS_TEXT, DYNO_LOG_AS_JSON };

enum dyno_log_level { DYNO_LOG_DEBUG, DYNO_LOG_INFO, DYNO_LOG_WARNING, DYNO_LOG_ERROR };

enum dyno_log_kind {
    DYNO_LOG_KIND_TEXT,
    DYNO_LOG_KIND_COUNT,
    DYNO_LOG_KIND_REAL,
    DYNO_LOG_KIND_FLAG,
};

/* A named value; made by the functions below.  The key is the program's own: a plain word. */
struct dyno_log_field {
    const char *key; /* NULL ends a list */
    enum dyno_log_kind kind;
    union {
        struct {
            const char *bytes; /* [length]; NULL: null */
            size_t length;
        } text;
        uint64_t count;
        double real; /* not finite: null */
        bool flag;
    };
};

static inline struct dyno_log_field dyno_log_bytes(const char *key, const char *bytes,
                                                   size_t length)
{
    struct dyno_log_field field = {.key = key, .kind = DYNO_LOG_KIND_TEXT};

    field.text.bytes = bytes;
    field.text.length = length;
    return field;
}

static inline struct dyno_log_field dyno_log_text(const char *key, const char *text)
{
    return dyno_log_bytes(key, text, text ? strlen(text) : 0);
}

static inline struct dyno_log_field dyno_log_count(const char *key, uint64_t count)
{
    return (struct dyno_log_field){.key = key, .kind = DYNO_LOG_KIND_COUNT, .count = count};
}

static inline struct dyno_log_field dyno_log_real(const char *key, double real)
{
    return (struct dyno_log_field){.key = key, .kind = DYNO_LOG_KIND_REAL, .real = real};
}

static inline struct dyno_log_field dyno_log_flag(const char *key, bool flag)
{
    return (struct dyno_log_field){.key = key, .kind = DYNO_LOG_KIND_FLAG, .flag = flag};
}

struct dyno_log;

/* Write events of `level` and above to the descriptor `fd`, which stays the caller's and is not
 * changed (no O_NONBLOCK: others may share it).  On success *out is closed with dyno_log_close.
 * Errors: DYNO_NO_MEMORY (or no thread). */
dyno_status dyno_log_open(struct dyno_log **out, int fd, enum dyno_log_format format,
                          enum dyno_log_level level, struct dyno_error *error);

/* Write what is left and close.  A reader that takes nothing is waited for, but not for long.
 * Returns how many lines were lost in all.  NULL: no effect. */
uint64_t dyno_log_close(struct dyno_log *log);

/* Is this level written?  NULL: no. */
bool dyno_log_wants(const struct dyno_log *log, enum dyno_log_level level);

/* Say that `event` happened, from any thread.  `request_id` may be NULL: about no request. `fields`
 * end with one whose key is NULL; all is copied. */
void dyno_log_write(struct dyno_log *log, enum dyno_log_level level, const char *request_id,
                    const char *event, const struct dyno_log_field *fields);

/* dyno_log(log, DYNO_LOG_INFO, id, "request_ended", dyno_log_count("tokens", 16), ...): the fields
 * are not even computed where the level is not written. */
#define dyno_log(log, level, request_id, event, ...)                                               \
    (dyno_log_wants(log, level)                                                                    \
         ? dyno_log_write(                                                                         \
               log, level, request_id, event,                                                      \
               &(const struct dyno_log_field[]){{.key = NULL}, ##__VA_ARGS__, {.key = NULL}}[1])   \
         : (void)0)

/* The level or format called `name` ("debug", "info", "warning", "error"; "text", "json") into
 * *out; false if there is none. */
bool dyno_log_level_find(const char *name, enum dyno_log_level *out);
bool dyno_log_format_find(const char *name, enum dyno_log_format *out);

#endif
