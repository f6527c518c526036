/* Rows of `e2e_dense.csv`: one benchmark each.  `batch_size` requests are always in flight, every
 * prompt and answer has the stated length, nothing is shared between prompts.  Its means are over
 * all requests, the ones of the start included, as load generators report them. */
#ifndef DYNO_CLI_ACCURACY_ROWS_H
#define DYNO_CLI_ACCURACY_ROWS_H

#include "cli/fit/measured.h"

/* What a client waits beside the engine, from the end of a pass to where its next request can be
 * scheduled: itself, HTTP, a front end in Python, processes in between.  One number for all, set
 * from every other row, with 2 ms between the values tried (mean absolute error of TTFT, without
 * any 17.9
 * %; 8 ms 16.1, 10 ms 15.3, 12 ms 14.8, 14 ms 15.4); the rest of the rows and the servers of
 * cache.c are held out. */
#define DYNO_SERVED_TRIP_US "12000"

struct dyno_served_row {
    char engine[16], model[64], gpu[32];
    const char *weights, *kv;
    double isl, osl, concurrency, tp;
    double version;          /* "0.12.0" -> 0.12 */
    bool spread;             /* lengths are spread, not fixed */
    double wait_passes;      /* for which a prompt waits for others to share its pass */
    double ttft_ms, tpot_ms; /* measured */
};

/* As dyno_measured_open, for the columns of such a table. */
dyno_status dyno_served_open(struct dyno_measured *measured, const char *path,
                             struct dyno_error *error);

/* The next row; *got is false at the end.  DYNO_BAD_INPUT: a field that is no number. */
dyno_status dyno_served_next(struct dyno_measured *measured, struct dyno_served_row *row, bool *got,
                             struct dyno_error *error);

/* What follows `dyno replay` to simulate the row. */
void dyno_served_line(const struct dyno_served_row *row, char *line, size_t size);

/* Add to a mean TTFT what prompts wait on purpose: so many passes of mean length. */
void dyno_served_wait(const struct dyno_served_row *row, double *ttft_ms, double tpot_ms);

#endif
