/* What went wrong, and how far it reaches.
 *
 * A status is 0 or negative; the negative ones are grouped by the largest thing they take down.
 * Functions at an edge (files, options, databases) also fill a struct dyno_error with one sentence
 * that says what was wrong, where, and what would be right; the caller prints it once.
 */
#ifndef DYNO_CORE_BASE_STATUS_H
#define DYNO_CORE_BASE_STATUS_H

#include <stdarg.h>

typedef enum dyno_status {
    DYNO_OK = 0,

    /* One request. */
    DYNO_REJECTED = -1,  /* it can never be served: too long, refused by admission */
    DYNO_CANCELLED = -2, /* its client went away */

    /* One worker. */
    DYNO_WORKER_GONE = -10,

    /* The run. */
    DYNO_BAD_INPUT = -20, /* an option, a file or a line is wrong */
    DYNO_NO_MEMORY = -21,
    DYNO_IO = -22,          /* the operating system refused */
    DYNO_NOT_FOUND = -23,   /* a name or a file that does not exist */
    DYNO_UNSUPPORTED = -24, /* understood, but not something this build does */
    DYNO_FULL = -25,        /* a stated maximum was reached */
    DYNO_INTERRUPTED = -26, /* the user asked to stop */
} dyno_status;

enum { DYNO_ERROR_TEXT_MAX = 1024 };

/* One failure, in words.  `text` is one sentence without a line end. */
struct dyno_error {
    dyno_status status;
    char text[DYNO_ERROR_TEXT_MAX];
};

/* Fill `error` (may be NULL) and return `status`.  Text longer than the buffer is cut. */
dyno_status dyno_fail(struct dyno_error *error, dyno_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Return early with whatever `call` returned, if it failed. */
#define DYNO_TRY(call)                                                                             \
    do {                                                                                           \
        dyno_status dyno_try_status = (call);                                                      \
        if (dyno_try_status != DYNO_OK) {                                                          \
            return dyno_try_status;                                                                \
        }                                                                                          \
    } while (0)

#endif
