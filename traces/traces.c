/* The room's front: opens sources and answers questions about them. */
#include "traces/traces.h"

#include "traces/rows.h"
#include "traces/source.h"

dyno_status dyno_trace_open(struct dyno_source **out, const struct dyno_trace_config *config,
                            const struct dyno_pacing_config *pacing, struct dyno_answers *answers,
                            struct dyno_error *error)
{
    struct dyno_error unread = {.status = DYNO_OK};
    struct dyno_rows *rows;

    error = error ? error : &unread;
    DYNO_TRY(dyno_reader_open(&rows, config, error));
    return dyno_paced_open(out, rows, pacing, config->max_tokens, answers, error);
}

dyno_status dyno_generator_open(struct dyno_source **out,
                                const struct dyno_generator_config *config,
                                const struct dyno_pacing_config *pacing,
                                struct dyno_answers *answers, struct dyno_error *error)
{
    struct dyno_pacing_config paced = *pacing;
    struct dyno_error unread = {.status = DYNO_OK};
    struct dyno_rows *rows;
    uint32_t concurrency;

    error = error ? error : &unread;
    DYNO_TRY(dyno_generator_rows_open(&rows, config, pacing->block_tokens, &concurrency, error));
    if (concurrency > 0) {
        paced.pacing = DYNO_CLOSED_LOOP;
        paced.concurrency = concurrency;
    }
    return dyno_paced_open(out, rows, &paced, 0, answers, error);
}

const char *dyno_source_format(const struct dyno_source *source)
{
    const struct dyno_rows *rows = dyno_paced_rows(source);

    return rows ? rows->format : NULL;
}

struct dyno_trace_counts dyno_source_counts(const struct dyno_source *source)
{
    const struct dyno_rows *rows = dyno_paced_rows(source);

    return rows ? rows->counts : (struct dyno_trace_counts){0};
}

const char *const *dyno_source_skipped(const struct dyno_source *source, size_t *count)
{
    const struct dyno_rows *rows = dyno_paced_rows(source);

    *count = rows ? rows->skipped_count : 0;
    return rows ? (const char *const *)rows->skipped : NULL;
}

dyno_status dyno_source_preload(struct dyno_source **out, struct dyno_source *from,
                                struct dyno_answers *answers, struct dyno_error *error)
{
    struct dyno_rows *rows = dyno_paced_rows(from), *store;
    struct dyno_error unread = {.status = DYNO_OK};

    error = error ? error : &unread;
    if (!rows) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "this source cannot be read ahead; expected a trace or a generator");
    }
    DYNO_TRY(dyno_store_open(&store, rows, error));
    dyno_paced_refit(from, store, answers);
    *out = from;
    return DYNO_OK;
}
