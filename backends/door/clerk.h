/* The door's clerk: a thread that makes calls of requests which take long to understand, so that
 * nobody else's stream waits for a long prompt to be tokenized or a schema to be made a grammar.
 *
 * Requests are made in the order in which they came.  So many of them wait at most, of so many
 * bytes; one whose client goes is not begun, or not gone on with at the next step.
 */
#ifndef DYNO_BACKENDS_DOOR_CLERK_H
#define DYNO_BACKENDS_DOOR_CLERK_H

#include "backends/door/door_parts.h"

enum {
    DYNO_CLERK_BODY_BYTES = 8 << 10, /* a longer request is the clerk's: a millisecond of work */
    DYNO_CLERK_ORDERS_MAX = 1024,    /* that wait ... */
    DYNO_CLERK_BYTES_MAX = 64 << 20, /* ... or one, however large */
};

/* `chance`: what its random numbers are drawn from.  On success *out is halted before the HTTP
 * server is closed, and closed after it.  Errors: DYNO_NO_MEMORY, DYNO_IO (no thread). */
dyno_status dyno_clerk_open(struct dyno_clerk **out, struct dyno_door *door, uint64_t chance,
                            struct dyno_error *error);
void dyno_clerk_halt(struct dyno_clerk *clerk);  /* NULL: no effect */
void dyno_clerk_close(struct dyno_clerk *clerk); /* NULL: no effect */

/* The exchange's data is the clerk's from here on, until it was collected or its client has gone.
 * All of the order is copied.  Errors: DYNO_FULL, DYNO_NO_MEMORY; then nothing happened. */
dyno_status dyno_clerk_give(struct dyno_clerk *clerk, struct dyno_http_exchange *exchange,
                            const struct dyno_order *order, dyno_door_maker *make, bool generates);

/* Requests that it has and that were not collected. */
uint32_t dyno_clerk_count(struct dyno_clerk *clerk);

/* The door's, when it was woken: start the calls that are made (dyno_door_fill_order). */
void dyno_clerk_collect(struct dyno_clerk *clerk);

#endif
