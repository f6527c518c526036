/* A recorded request, and the line it becomes (inside this room). */
#ifndef DYNO_TRACES_RECORDING_LINE_H
#define DYNO_TRACES_RECORDING_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/model/record.h"
#include "core/model/request.h"
#include "traces/salt.h"

/* A request from when it came until its line is written; one piece of memory. */
struct dyno_recorded {
    struct dyno_recorded *next; /* in a queue */
    uint64_t id, session;
    uint32_t tenant, model;
    int32_t priority;
    uint64_t at_ns; /* Unix time */
    uint32_t prompt_tokens, output_tokens;
    enum dyno_outcome outcome;
    uint32_t span_count;
    struct dyno_span spans[]; /* [span_count] */
};

/* A copy, freed with free; NULL when memory is out. */
struct dyno_recorded *dyno_recorded_new(const struct dyno_request *request, uint64_t started_at_ns);
size_t dyno_recorded_bytes(const struct dyno_recorded *recorded);

enum { DYNO_RECORDED_MODEL_MAX = 300 };

struct dyno_recording_line {
    char (*models)[DYNO_RECORDED_MODEL_MAX]; /* by model, as JSON; NULL: there is one */
    struct dyno_salt salt;
    char label[DYNO_SALT_LABEL_BYTES + 1];
    uint32_t engine_block_tokens;
    uint32_t block_tokens; /* a multiple of the engine's */
};

/* Text that grows. */
struct dyno_recording_text {
    char *bytes; /* [capacity] */
    size_t size, capacity;
};

/* A model's name as JSON, with its quotes.  False: it is too long. */
bool dyno_recording_line_name(char out[DYNO_RECORDED_MODEL_MAX], const char *name);

/* Append the request's line, with "lost" if that is not 0.  False, and the text as it was, when
 * memory is out or the line would be longer than a trace's may be. */
bool dyno_recording_line_put(const struct dyno_recording_line *form,
                             struct dyno_recording_text *text, const struct dyno_recorded *recorded,
                             uint64_t lost);

#endif
