/* What the tests of the recorder share: requests by number, and questions to a database. */
#ifndef DYNO_TESTS_REPORTS_RECORDS_H
#define DYNO_TESTS_REPORTS_RECORDS_H

#include <sqlite3.h>

#include "core/base/map.h"
#include "tests/reports/fixture.h"

/* Request `id` of a made-up run: arithmetic on its number.  Every 16th is rejected. */
static inline struct dyno_request_record record_make(uint64_t id)
{
    uint64_t mixed = dyno_mix(id + 1);
    struct dyno_request_record record = {
        .id = id,
        .session = id % 3 ? mixed : 0,
        .tenant = (uint32_t)(id % 5),
        .worker = (uint32_t)(mixed % 8),
        .outcome = id % 16 == 7 ? DYNO_REJECTED_PROMPT_TOO_LONG : DYNO_COMPLETED,
        .prompt_tokens = 1 + (uint32_t)(mixed % 5000),
        .output_tokens = 1 + (uint32_t)(mixed % 300),
        .scheduled_ns = id * DYNO_MS,
        .arrival_ns = id * DYNO_MS + mixed % 3 * DYNO_US,
        .ready_ns = DYNO_NEVER,
        .admitted_ns = DYNO_NEVER,
        .first_token_ns = DYNO_NEVER,
        .last_token_ns = DYNO_NEVER,
    };

    if (record.outcome != DYNO_COMPLETED) {
        record.output_tokens = 0;
        record.worker = DYNO_NO_WORKER;
        return record;
    }
    record.cached_tokens = (uint32_t)(mixed % record.prompt_tokens);
    record.preemptions = (uint32_t)(mixed % 97 == 0);
    record.ready_ns = record.arrival_ns + 300 * DYNO_US;
    record.admitted_ns = record.ready_ns + mixed % DYNO_S;
    record.first_token_ns = record.admitted_ns + 100 + record.prompt_tokens * DYNO_US;
    record.last_token_ns = record.first_token_ns + (record.output_tokens - 1) * 7 * DYNO_MS;
    return record;
}

static inline sqlite3 *database_open(const char *path)
{
    sqlite3 *database;

    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    return database;
}

/* The first column of the first row, as text; freed by the caller. */
static inline char *ask_text(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement;
    char *text;

    ck_assert_msg(sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s",
                  sql, sqlite3_errmsg(database));
    ck_assert_msg(sqlite3_step(statement) == SQLITE_ROW, "no row: %s", sql);
    text = sqlite3_column_type(statement, 0) == SQLITE_NULL
               ? strdup("NULL")
               : strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

static inline void answer_is(sqlite3 *database, const char *sql, const char *expected)
{
    char *text = ask_text(database, sql);

    ck_assert_msg(strcmp(text, expected) == 0, "%s: %s, not %s", sql, text, expected);
    free(text);
}

static inline struct dyno_recorder *recorder_open(const char *path)
{
    struct dyno_error error = {0};
    struct dyno_recorder *recorder;
    dyno_status status =
        dyno_recorder_open(&recorder, path, "dyno replay", "a test", NULL, 0, &error);

    ck_assert_msg(status == DYNO_OK, "%s", error.text);
    return recorder;
}

/* Tell the recorder of requests [first, end); the status of the first that fails. */
static inline dyno_status recorder_tell(struct dyno_recorder *recorder, uint64_t first,
                                        uint64_t end)
{
    struct dyno_sink *sink = dyno_recorder_sink(recorder);

    for (uint64_t id = first; id < end; id++) {
        struct dyno_request_record record = record_make(id);

        DYNO_TRY(sink->ops->request(sink, &record));
    }
    return DYNO_OK;
}

#endif
