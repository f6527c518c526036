/* What the readers of served runs share.  Internal to backends/assets. */
#ifndef DYNO_BACKENDS_ASSETS_SERVED_PARTS_H
#define DYNO_BACKENDS_ASSETS_SERVED_PARTS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "backends/assets/served_run.h"

enum { DYNO_SERVED_TOKENS_MAX = 1 << 24, DYNO_SERVED_REQUESTS_MAX = 1 << 22 };

/* A run that grows while it is read. */
struct dyno_served_reader {
    struct dyno_served_run run;
    size_t capacity;
    int64_t first_ns; /* the stamp that AIPerf's starts are counted from */
    const char *path;
    struct dyno_error *error;
};

/* DYNO_NO_MEMORY; DYNO_BAD_INPUT where there are too many. */
dyno_status dyno_served_add(struct dyno_served_reader *reader,
                            const struct dyno_served_request *request);

/* "FILE: where: what"; `where` may be empty. */
dyno_status dyno_served_refuse(const struct dyno_served_reader *reader, const char *where,
                               const char *what);

/* `document` is what the file holds. */
dyno_status dyno_served_take_vllm(struct dyno_served_reader *reader, const json_t *document);

/* `file` is at its beginning. */
dyno_status dyno_served_read_aiperf(struct dyno_served_reader *reader, FILE *file);

#endif
