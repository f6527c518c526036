/* The clock and the source that a journal stands in front of, or stands for. */
#include <stddef.h>
#include <stdlib.h>

#include "backends/journal/journal_parts.h"

#define JOURNAL_OF(pointer, member)                                                                \
    ((struct dyno_journal *)((uintptr_t)(pointer)-offsetof(struct dyno_journal, member)))

/* ---- clock ----------------------------------------------------------------------------------- */

static dyno_ns wait_until(struct dyno_clock *clock, dyno_ns deadline)
{
    struct dyno_journal *journal = JOURNAL_OF(clock, clock);
    uint64_t stop = 0;
    dyno_ns now = 0;

    if (!dyno_journal_event(journal, EVENT_WAIT)) {
        return journal->now;
    }
    dyno_journal_told(journal, EVENT_WAIT, deadline - journal->now);
    if (journal->real_clock) {
        now = journal->real_clock->ops->wait_until(journal->real_clock, deadline);
        stop = journal->real_interrupted && *journal->real_interrupted;
    }
    dyno_journal_time(journal, &now);
    dyno_journal_number(journal, &stop);
    if (now < journal->now) { /* a damaged file, or it ended */
        dyno_journal_differs(journal, EVENT_WAIT, "time runs back");
        return journal->now;
    }
    journal->now = now;
    if (stop) {
        journal->interrupted = 1;
    }
    return now;
}

static const struct dyno_clock_ops clock_ops = {
    .name = "journal", .help = "the times of a recorded run", .wait_until = wait_until};

struct dyno_clock *dyno_journal_clock(struct dyno_journal *journal, struct dyno_clock *real,
                                      const volatile sig_atomic_t *interrupted)
{
    journal->clock.ops = &clock_ops;
    journal->real_clock = real;
    journal->real_interrupted = interrupted;
    return &journal->clock;
}

const volatile sig_atomic_t *dyno_journal_interrupted(const struct dyno_journal *journal)
{
    return &journal->interrupted;
}

/* ---- source ---------------------------------------------------------------------------------- */

static dyno_ns source_next(struct dyno_source *source)
{
    struct dyno_journal *journal = JOURNAL_OF(source, source);
    struct dyno_source *real = journal->real_source;
    dyno_ns next = DYNO_NEVER;

    if (!dyno_journal_event(journal, EVENT_SOURCE_NEXT)) {
        return DYNO_NEVER;
    }
    if (real) {
        next = real->ops->next(real);
    }
    dyno_journal_time(journal, &next);
    return next;
}

static void span_numbers(struct dyno_journal *journal, struct dyno_span *span)
{
    uint64_t blocks = span->blocks;

    dyno_journal_number(journal, &span->id);
    dyno_journal_number(journal, &blocks);
    span->blocks = (uint32_t)blocks;
}

static void small_number(struct dyno_journal *journal, uint32_t *value)
{
    uint64_t wide = *value;

    dyno_journal_number(journal, &wide);
    *value = (uint32_t)wide;
}

/* Make room for the spans of a request that is fed. */
static dyno_status room_for_spans(struct dyno_journal *journal, uint32_t count)
{
    enum { SPANS_MAX = 1 << 24 };
    struct dyno_span *spans;

    if (count <= journal->span_capacity) {
        return DYNO_OK;
    }
    if (count > SPANS_MAX) {
        dyno_journal_differs(journal, EVENT_SOURCE_TAKE, "it has more spans than a request may");
        return DYNO_BAD_INPUT;
    }
    spans = realloc(journal->spans, count * sizeof *spans);
    if (!spans) {
        return DYNO_NO_MEMORY;
    }
    journal->spans = spans;
    journal->span_capacity = count;
    return DYNO_OK;
}

static bool is_request(const struct dyno_request *request)
{
    for (uint32_t i = 0; i < request->span_count; i++) {
        const struct dyno_span *span = &request->spans[i];

        if (span->id == 0 || span->id == UINT64_MAX || span->blocks == 0 ||
            span->blocks > request->prompt_tokens) {
            return false;
        }
    }
    return request->prompt_tokens > 0 && request->max_tokens > 0 &&
           request->scheduled_ns <= request->arrival_ns;
}

static dyno_status request_numbers(struct dyno_journal *journal, struct dyno_request *request)
{
    uint32_t priority = (uint32_t)request->priority;

    dyno_journal_number(journal, &request->id);
    dyno_journal_number(journal, &request->session);
    small_number(journal, &request->tenant);
    if (!journal->has_no_priorities) {
        small_number(journal, &priority);
        request->priority = (int32_t)priority;
    }
    small_number(journal, &request->prompt_tokens);
    small_number(journal, &request->max_tokens);
    small_number(journal, &request->span_count);
    dyno_journal_time(journal, &request->scheduled_ns);
    dyno_journal_time(journal, &request->arrival_ns);
    if (journal->writes) {
        for (uint32_t i = 0; i < request->span_count; i++) {
            struct dyno_span span = request->spans[i];

            span_numbers(journal, &span);
        }
        return DYNO_OK;
    }
    DYNO_TRY(room_for_spans(journal, request->span_count));
    for (uint32_t i = 0; i < request->span_count; i++) {
        journal->spans[i] = (struct dyno_span){.id = 0};
        span_numbers(journal, &journal->spans[i]);
    }
    request->spans = journal->spans;
    if (journal->failure.status == DYNO_OK && !is_request(request)) {
        dyno_journal_differs(journal, EVENT_SOURCE_TAKE, "that is no request");
    }
    return journal->failure.status;
}

static dyno_status source_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                               struct dyno_error *error)
{
    struct dyno_journal *journal = JOURNAL_OF(source, source);
    struct dyno_source *real = journal->real_source;
    dyno_status status;

    if (real) {
        DYNO_TRY(real->ops->take(real, now, out, error));
    }
    status = dyno_journal_event(journal, EVENT_SOURCE_TAKE) ? request_numbers(journal, out)
                                                            : journal->failure.status;
    journal->counts.requests++;
    if (status != DYNO_OK) {
        *error = journal->failure;
    }
    return status;
}

static dyno_ns source_cancelled(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    struct dyno_journal *journal = JOURNAL_OF(source, source);
    struct dyno_source *real = journal->real_source;
    dyno_ns at = DYNO_NEVER;

    *id = 0;
    if (!dyno_journal_event(journal, EVENT_SOURCE_CANCELLED)) {
        return DYNO_NEVER;
    }
    if (real) {
        at = real->ops->cancelled(real, now, id);
    }
    dyno_journal_time(journal, &at);
    dyno_journal_number(journal, id);
    return at;
}

static void source_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct dyno_journal *journal = JOURNAL_OF(source, source);
    struct dyno_source *real = journal->real_source;

    if (dyno_journal_event(journal, EVENT_SOURCE_ENDED)) {
        dyno_journal_told(journal, EVENT_SOURCE_ENDED, id);
        dyno_journal_told(journal, EVENT_SOURCE_ENDED, at);
    }
    if (real && real->ops->ended) {
        real->ops->ended(real, id, at);
    }
}

static bool source_finished(const struct dyno_source *source)
{
    struct dyno_journal *journal = JOURNAL_OF(source, source);
    const struct dyno_source *real = journal->real_source;
    uint64_t finished = 1;

    if (!dyno_journal_event(journal, EVENT_SOURCE_FINISHED)) {
        return true;
    }
    if (real) {
        finished = real->ops->finished(real);
    }
    dyno_journal_number(journal, &finished);
    return finished != 0;
}

static void source_close(struct dyno_source *source)
{
    struct dyno_source *real = JOURNAL_OF(source, source)->real_source;

    if (real) {
        real->ops->close(real);
    }
}

static const struct dyno_source_ops source_ops = {.name = "journal",
                                                  .next = source_next,
                                                  .take = source_take,
                                                  .ended = source_ended,
                                                  .finished = source_finished,
                                                  .close = source_close};

struct dyno_source *dyno_journal_source(struct dyno_journal *journal, struct dyno_source *real,
                                        bool cancels)
{
    journal->source_ops = source_ops;
    journal->source_ops.is_open = !real || real->ops->is_open;
    journal->source_ops.cancelled = cancels ? source_cancelled : NULL;
    journal->source.ops = &journal->source_ops;
    journal->real_source = real;
    return &journal->source;
}
