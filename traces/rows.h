/* Seam inside this room: who tells rows.  A trace file, the generator and a store in memory do; the
 * paced source (source.c) asks.  Rows come in the order they stand in, `at` never goes back. */
#ifndef DYNO_TRACES_ROWS_H
#define DYNO_TRACES_ROWS_H

#include <stdbool.h>

#include "core/base/map.h"
#include "core/base/status.h"
#include "traces/row.h"
#include "traces/traces.h"

enum { DYNO_SKIPPED_TEXTS_MAX = 20 };  /* texts of skipped lines kept */
enum { DYNO_BOUND_IDS_MAX = 3000000 }; /* identities remembered for the unbounded bound: 64 MiB */

struct dyno_rows;

struct dyno_rows_ops {
    const char *name;
    /* The next row; *got is false at the end.  The row's memory is reused. */
    dyno_status (*read)(struct dyno_rows *rows, struct dyno_row *row, bool *got,
                        struct dyno_error *error);
    void (*close)(struct dyno_rows *rows);
};

struct dyno_rows {
    const struct dyno_rows_ops *ops;
    const char *name;      /* of the file, for errors */
    const char *format;    /* "mooncake", ..., "generator" */
    uint32_t block_tokens; /* generated identities count in blocks of this size; 0: one a segment */
    struct dyno_trace_counts counts;
    struct dyno_map seen; /* identity -> blocks of it seen so far */
    uint64_t skip_max;    /* lines that may be bad */
    char *skipped[DYNO_SKIPPED_TEXTS_MAX];
    size_t skipped_count;
};

/* A bad row: DYNO_OK if it may be skipped (then it is counted and its text kept), else
 * DYNO_BAD_INPUT with `error` completed.  Other statuses pass through unchanged. */
dyno_status dyno_rows_reject(struct dyno_rows *rows, struct dyno_error *error);

/* The line that `error` speaks of is the torn end of a recording: it is counted and its text kept,
 * whether lines may be bad or not. */
dyno_status dyno_rows_skip_torn(struct dyno_rows *rows, struct dyno_error *error);

/* Count a row that is going to be used: tokens, and what an unbounded cache would have found.  No
 * effect if it was counted ahead. */
dyno_status dyno_rows_count(struct dyno_rows *rows, const struct dyno_row *row,
                            struct dyno_error *error);

/* Closes through ops and frees what is common. */
void dyno_rows_close(struct dyno_rows *rows);

/* The rows of a file (reader.c). */
dyno_status dyno_reader_open(struct dyno_rows **out, const struct dyno_trace_config *config,
                             struct dyno_error *error);

/* The rows of a generator (generator.c).  `block_tokens`: what its identities are counted in.
 * *concurrency is set for an arrival "concurrency:N", else 0. */
dyno_status dyno_generator_rows_open(struct dyno_rows **out,
                                     const struct dyno_generator_config *config,
                                     uint32_t block_tokens, uint32_t *concurrency,
                                     struct dyno_error *error);

/* All rows left in `from`, which is closed on success, told again from memory (store.c). */
dyno_status dyno_store_open(struct dyno_rows **out, struct dyno_rows *from,
                            struct dyno_error *error);

#endif
