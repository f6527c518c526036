/* What the tests of traces share: open a text as a trace, take everything, compare errors. */
#ifndef DYNO_TESTS_TRACES_SUPPORT_H
#define DYNO_TESTS_TRACES_SUPPORT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/traces.h"

enum { TAKEN_MAX = 4096, SPANS_MAX = 64 };

/* A request as it was taken, with what belongs to it. */
struct taken {
    struct dyno_request request;
    uint32_t output_tokens;
    struct dyno_span spans[SPANS_MAX];
};

/* Everything a source gave. */
struct haul {
    struct dyno_answers answers;
    uint32_t last_output;
    struct taken *items; /* [count] */
    size_t count;
    struct dyno_trace_counts counts;
    dyno_status status; /* of the take that failed, or 0 */
    struct dyno_error error;
};

static inline dyno_status haul_expect(struct dyno_answers *answers, uint64_t id, uint32_t tokens)
{
    (void)id;
    ((struct haul *)answers)->last_output = tokens;
    return DYNO_OK;
}

static const struct dyno_answers_ops haul_answers_ops = {.expect = haul_expect};

static inline void haul_init(struct haul *haul)
{
    *haul = (struct haul){.answers = {.ops = &haul_answers_ops}};
    haul->items = calloc(TAKEN_MAX, sizeof *haul->items);
    ck_assert_ptr_nonnull(haul->items);
}

static inline void haul_release(struct haul *haul)
{
    free(haul->items);
}

/* Take one request at the time it is announced for. */
static inline bool haul_take(struct haul *haul, struct dyno_source *source)
{
    dyno_ns now = source->ops->next(source);
    struct taken *taken = &haul->items[haul->count];

    ck_assert_uint_lt(haul->count, TAKEN_MAX);
    if (now == DYNO_NEVER) {
        return false;
    }
    haul->status = source->ops->take(source, now, &taken->request, &haul->error);
    if (haul->status != DYNO_OK) {
        return false;
    }
    ck_assert_uint_eq(taken->request.id, haul->count);
    ck_assert_uint_le(taken->request.scheduled_ns, taken->request.arrival_ns);
    ck_assert_uint_eq(taken->request.arrival_ns, now);
    taken->output_tokens = haul->last_output;
    for (uint32_t i = 0; i < taken->request.span_count && i < SPANS_MAX; i++) {
        taken->spans[i] = taken->request.spans[i];
    }
    haul->count++;
    return true;
}

/* Take everything; each request ends `service` after it was sent. */
static inline void haul_all(struct haul *haul, struct dyno_source *source, dyno_ns service)
{
    while (haul_take(haul, source)) {
        const struct dyno_request *request = &haul->items[haul->count - 1].request;

        source->ops->ended(source, request->id, request->arrival_ns + service);
    }
    haul->counts = dyno_source_counts(source);
}

/* A text as a trace with every default. */
static inline struct dyno_trace_config config_of(const char *text)
{
    return (struct dyno_trace_config){.path = "t", .data = text, .data_size = strlen(text)};
}

static inline struct dyno_pacing_config pacing_of(uint32_t block_tokens)
{
    return (struct dyno_pacing_config){.speedup = 1, .block_tokens = block_tokens};
}

/* Read a whole trace; what fails, at opening or later, is in haul->status and haul->error. */
static inline void haul_trace(struct haul *haul, const struct dyno_trace_config *config,
                              const struct dyno_pacing_config *pacing)
{
    struct dyno_source *source;

    haul_init(haul);
    haul->status = dyno_trace_open(&source, config, pacing, &haul->answers, &haul->error);
    if (haul->status == DYNO_OK) {
        haul_all(haul, source, 0);
        ck_assert(haul->status != DYNO_OK || source->ops->finished(source));
        source->ops->close(source);
    }
}

static inline void haul_text(struct haul *haul, const char *text)
{
    struct dyno_trace_config config = config_of(text);
    struct dyno_pacing_config pacing = pacing_of(16);

    haul_trace(haul, &config, &pacing);
}

static inline void ck_taken(const struct haul *haul, size_t index, dyno_ns at, uint32_t input,
                            uint32_t output)
{
    ck_assert_msg(haul->status == DYNO_OK, "%s", haul->error.text);
    ck_assert_uint_lt(index, haul->count);
    ck_assert_uint_eq(haul->items[index].request.scheduled_ns, at);
    ck_assert_uint_eq(haul->items[index].request.prompt_tokens, input);
    ck_assert_uint_eq(haul->items[index].output_tokens, output);
}

/* The text must be refused, with a sentence that begins so and says so. */
static inline void ck_refused(const char *text, const char *begins, const char *says)
{
    struct haul haul;

    haul_text(&haul, text);
    ck_assert_msg(haul.status == DYNO_BAD_INPUT, "not refused: %s", text);
    ck_assert_msg(strncmp(haul.error.text, begins, strlen(begins)) == 0,
                  "begins with \"%s\", not \"%s\"", haul.error.text, begins);
    ck_assert_msg(strstr(haul.error.text, says) != NULL, "\"%s\" lacks \"%s\"", haul.error.text,
                  says);
    haul_release(&haul);
}

#endif
