/* What a trace holds: its rows, sent through the paced source to a fleet that answers at once, so
 * that everything a replay would refuse is refused here too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "traces/rows.h"
#include "traces/traces.h"

/* How often each token count occurs: exact, and as long as the largest count seen. */
struct tally {
    uint64_t *times; /* [size] */
    size_t size;
    uint64_t count;
    unsigned __int128 sum;
};

/* Hears how long each answer is. */
struct listener {
    struct dyno_answers answers; /* first */
    uint32_t output_tokens;      /* of the request taken last */
};

static dyno_status hear(struct dyno_answers *answers, uint64_t id, uint32_t output_tokens)
{
    (void)id;
    ((struct listener *)answers)->output_tokens = output_tokens;
    return DYNO_OK;
}

static bool tally_add(struct tally *tally, uint32_t value)
{
    if (value >= tally->size) {
        size_t size = tally->size ? tally->size : 4096;
        uint64_t *times;

        while (size <= value) {
            size *= 2;
        }
        times = realloc(tally->times, size * sizeof *times);
        if (!times) {
            return false;
        }
        memset(times + tally->size, 0, (size - tally->size) * sizeof *times);
        tally->times = times;
        tally->size = size;
    }
    tally->times[value]++;
    tally->count++;
    tally->sum += value;
    return true;
}

/* Requests a session so far, and how often each number of them occurs. */
struct turns {
    struct dyno_map sessions;
    struct tally tally;
};

static bool turns_add(struct turns *turns, uint64_t session)
{
    uint32_t *count = session ? dyno_map_put(&turns->sessions, session, 0, NULL) : NULL;

    if (session == 0) {
        return true;
    }
    if (!count) {
        return false;
    }
    if (*count > 0) {
        turns->tally.times[*count]--;
        turns->tally.count--;
        turns->tally.sum -= *count;
    }
    return tally_add(&turns->tally, ++*count);
}

/* Requests a second so far, from the first one on, and how often each number of them occurs. */
struct crowds {
    uint64_t second;
    uint32_t count; /* in it */
    struct tally tally;
};

static bool crowds_end_second(struct crowds *crowds)
{
    bool fits = tally_add(&crowds->tally, crowds->count);

    crowds->count = 0;
    crowds->second++;
    return fits;
}

/* In order of time; nobody comes in the seconds between. */
static bool crowds_add(struct crowds *crowds, dyno_ns at)
{
    uint64_t second = at / DYNO_S, empty;

    if (second > crowds->second) {
        if (!crowds_end_second(crowds)) {
            return false;
        }
        empty = second - crowds->second;
        crowds->tally.times[0] += empty;
        crowds->tally.count += empty;
        crowds->second = second;
    }
    crowds->count++;
    return true;
}

/* The rank-th smallest value, from 1. */
static uint32_t value_at(const struct tally *tally, uint64_t rank)
{
    uint64_t before = 0;
    size_t value = 0;

    while (value + 1 < tally->size && before + tally->times[value] < rank) {
        before += tally->times[value++];
    }
    return (uint32_t)value;
}

static struct dyno_token_summary describe(const struct tally *tally)
{
    uint64_t n = tally->count;
    struct dyno_token_summary summary = {.mean = n ? (double)tally->sum / (double)n : 0,
                                         .min = value_at(tally, 1),
                                         .p50 = value_at(tally, (n + 1) / 2),
                                         .p90 = value_at(tally, n - n / 10),
                                         .p99 = value_at(tally, n - n / 100),
                                         .max = value_at(tally, n)};

    for (size_t tokens = 1; tokens < tally->size; tokens++) {
        summary.octaves[31 - __builtin_clz((uint32_t)tokens)] += tally->times[tokens];
    }
    return summary;
}

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory to summarise a trace");
}

/* Identities in blocks of one token are the trace's own, each as long as the trace's block. */
static dyno_status note_blocks(const struct dyno_request *request, struct dyno_trace_summary *out,
                               struct dyno_error *error)
{
    if (request->span_count > 0 && request->spans[0].blocks > out->block_tokens) {
        out->block_tokens = request->spans[0].blocks;
    }
    return dyno_reuse_note(out->reuse, request->spans, request->span_count, DYNO_BOUND_IDS_MAX,
                           error);
}

/* Send everything and end it at once. */
static dyno_status drain(struct dyno_source *source, const struct listener *listener,
                         struct dyno_trace_summary *out, struct tally tallies[2],
                         struct turns *turns, struct crowds *crowds, struct dyno_error *error)
{
    dyno_ns first = DYNO_NEVER, now;

    while ((now = source->ops->next(source)) != DYNO_NEVER) {
        struct dyno_request request;

        DYNO_TRY(source->ops->take(source, now, &request, error));
        if (!tally_add(&tallies[0], request.prompt_tokens) ||
            !tally_add(&tallies[1], listener->output_tokens) ||
            !turns_add(turns, request.session)) {
            return no_memory(error);
        }
        DYNO_TRY(note_blocks(&request, out, error));
        first = first == DYNO_NEVER ? request.scheduled_ns : first;
        out->span_ns = request.scheduled_ns - first;
        if (!crowds_add(crowds, out->span_ns)) {
            return no_memory(error);
        }
        dyno_timeline_add(&out->arrivals, out->span_ns);
        out->session_requests += request.session != 0;
        source->ops->ended(source, request.id, now);
    }
    return crowds->count == 0 || crowds_end_second(crowds) ? DYNO_OK : no_memory(error);
}

static dyno_status keep_skipped(const struct dyno_source *source, struct dyno_trace_summary *out,
                                struct dyno_error *error)
{
    size_t count;
    const char *const *texts = dyno_source_skipped(source, &count);

    out->skipped = calloc(count + 1, sizeof *out->skipped);
    if (!out->skipped) {
        return no_memory(error);
    }
    for (; out->skipped_count < count; out->skipped_count++) {
        char *text = strdup(texts[out->skipped_count]);

        if (!text) {
            return no_memory(error);
        }
        out->skipped[out->skipped_count] = text;
    }
    return DYNO_OK;
}

void dyno_trace_summary_release(struct dyno_trace_summary *summary)
{
    for (size_t i = 0; i < summary->skipped_count; i++) {
        free(summary->skipped[i]);
    }
    free(summary->skipped);
    dyno_reuse_close(summary->reuse);
    *summary = (struct dyno_trace_summary){0};
}

dyno_status dyno_trace_summarise(struct dyno_trace_summary *out,
                                 const struct dyno_trace_config *config, struct dyno_error *error)
{
    static const struct dyno_answers_ops ops = {.expect = hear};
    const struct dyno_pacing_config pacing = {.speedup = 1, .block_tokens = 1, .untimed_ok = true};
    struct listener listener = {.answers = {.ops = &ops}};
    struct dyno_trace_summary summary = {0};
    struct tally tallies[2] = {{0}, {0}};
    struct turns turns = {.tally = {0}};
    struct crowds crowds = {.tally = {0}};
    struct dyno_source *source;
    dyno_status status;

    DYNO_TRY(dyno_trace_open(&source, config, &pacing, &listener.answers, error));
    status = dyno_reuse_open(&summary.reuse, error);
    if (status == DYNO_OK) {
        status = drain(source, &listener, &summary, tallies, &turns, &crowds, error);
    }
    if (status == DYNO_OK) {
        status = keep_skipped(source, &summary, error);
    }
    if (status == DYNO_OK) {
        (void)snprintf(summary.format, sizeof summary.format, "%s", dyno_source_format(source));
        summary.counts = dyno_source_counts(source);
        summary.input = describe(&tallies[0]);
        summary.output = describe(&tallies[1]);
        summary.turns = describe(&turns.tally);
        summary.crowds = describe(&crowds.tally);
        *out = summary;
    } else {
        dyno_trace_summary_release(&summary);
    }
    source->ops->close(source);
    free(tallies[0].times);
    free(tallies[1].times);
    free(turns.tally.times);
    free(crowds.tally.times);
    dyno_map_release(&turns.sessions);
    return status;
}
