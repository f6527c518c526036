/* The books balance: what the summary says is the sum of the rows, and one run has one history. */
#include "tests/reports/records.h"

#include "reports/summary.h"
#include "tests/check_main.h"

enum { REQUESTS = 5000 };

static char path[PATH_MAX];
static const char *folder;

static void setup(void)
{
    folder = folder_make();
    path_in(path, folder, "runs.db");
}

static void teardown(void)
{
    folder_remove(folder);
}

/* Told to both: the metrics and the recorder. */
static void tell_both(struct dyno_metrics *metrics, struct dyno_recorder *recorder)
{
    struct dyno_sink *sinks[] = {&metrics->sink, dyno_recorder_sink(recorder)};

    for (uint64_t id = 0; id < REQUESTS; id++) {
        struct dyno_request_record record = record_make(id);
        struct dyno_sample_record sample = {.at = id * DYNO_S, .worker = 1, .blocks_total = 10};

        for (size_t i = 0; i < 2; i++) {
            ck_assert_int_eq(sinks[i]->ops->request(sinks[i], &record), DYNO_OK);
        }
        ck_assert_int_eq(sinks[1]->ops->sample(sinks[1], &sample), DYNO_OK);
    }
}

/* A run of REQUESTS requests recorded to `name`, with its summary. */
static void record_run(const char *name, double wall_s, struct dyno_summary *summary)
{
    static const struct dyno_run_option_row options[] = {{"run.seed", "1", "default"}};
    struct dyno_slo slo = {.ttft_ns = 500 * DYNO_MS};
    struct dyno_fleet_totals totals = {.workers = 8, .gpus = 8};
    struct dyno_host_facts facts = {.wall_s = wall_s};
    struct dyno_metrics metrics;
    struct dyno_report report = {.metrics = &metrics, .totals = &totals, .title = "ledger"};
    struct dyno_recorder *recorder;

    ck_assert_int_eq(dyno_metrics_init(&metrics, &slo), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_open(&recorder, name, "command", "ledger", options, 1, NULL),
                     DYNO_OK);
    tell_both(&metrics, recorder);
    dyno_summary_fill(summary, &report);
    ck_assert_int_eq(dyno_recorder_close(recorder, &report, &facts, NULL), DYNO_OK);
    dyno_metrics_release(&metrics);
}

/* Every line: a number of the summary, and the rows that it is the sum of.  Means and deviations
 * are of doubles here and exact there, hence the tolerance. */
static const struct {
    const char *metric, *sql;
} books[] = {
    {"requests.completed", "SELECT count(*) FROM request WHERE outcome = 0"},
    {"requests.rejected", "SELECT count(*) FROM request WHERE outcome IN (1, 2)"},
    {"requests.cancelled", "SELECT count(*) FROM request WHERE outcome IN (3, 4)"},
    {"requests.failed", "SELECT count(*) FROM request WHERE outcome = 5"},
    {"ttft_ms.count", "SELECT count(*) FROM request WHERE outcome = 0"},
    {"ttft_ms.mean", "SELECT avg(ttft_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"ttft_ms.min", "SELECT min(ttft_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"ttft_ms.max", "SELECT max(ttft_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"ttft_ms.std", "SELECT sqrt(avg(ttft_ns / 1e6 * ttft_ns / 1e6)"
                    " - avg(ttft_ns / 1e6) * avg(ttft_ns / 1e6)) FROM request WHERE outcome = 0"},
    {"tpot_ms.count", "SELECT count(*) FROM request WHERE outcome = 0 AND output_tokens > 1"},
    {"tpot_ms.mean", "SELECT avg(tpot_ms) FROM request_latency WHERE outcome = 'completed'"},
    {"e2e_ms.mean", "SELECT avg(e2e_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"phases_ms.client_wait.mean",
     "SELECT avg(client_wait_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"phases_ms.ingest.mean", "SELECT avg(ingest_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"phases_ms.queue.mean", "SELECT avg(queue_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"phases_ms.prefill.mean", "SELECT avg(prefill_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"phases_ms.decode.mean", "SELECT avg(decode_ns) / 1e6 FROM request WHERE outcome = 0"},
    {"duration_s", "SELECT (max(coalesce(last_token_ns, arrival_ns)) - min(arrival_ns)) / 1e9"
                   " FROM request"},
    {"throughput.requests_per_s",
     "SELECT (SELECT count(*) FROM request WHERE outcome = 0) /"
     " ((max(coalesce(last_token_ns, arrival_ns)) - min(arrival_ns)) / 1e9) FROM request"},
    {"throughput.output_tokens_per_s",
     "SELECT (SELECT sum(output_tokens) FROM request WHERE outcome = 0) /"
     " ((max(coalesce(last_token_ns, arrival_ns)) - min(arrival_ns)) / 1e9) FROM request"},
    {"goodput.fraction", "SELECT 1.0 * sum(outcome = 0 AND ttft_ns <= 500000000) / count(*)"
                         " FROM request"},
    {"kv.token_hit_rate", "SELECT 1.0 * sum(cached_tokens) / sum(prompt_tokens) FROM request"
                          " WHERE admitted_ns IS NOT NULL"},
};

static double summary_value(const struct dyno_summary *summary, const char *name)
{
    for (uint32_t i = 0; i < summary->row_count; i++) {
        if (strcmp(summary->rows[i].name, name) == 0) {
            return summary->rows[i].real;
        }
    }
    ck_abort_msg("no metric %s", name);
    return 0;
}

START_TEST(the_summary_is_the_sum_of_the_rows)
{
    struct dyno_summary summary;
    sqlite3 *database;

    record_run(path, 1, &summary);
    database = database_open(path);
    for (size_t i = 0; i < sizeof books / sizeof *books; i++) {
        char *text = ask_text(database, books[i].sql);
        double rows = strtod(text, NULL);
        double said = summary_value(&summary, books[i].metric);

        ck_assert_msg(rows - said <= 1e-6 * rows && said - rows <= 1e-6 * rows,
                      "%s: %.12g in the summary, %.12g in the rows", books[i].metric, said, rows);
        free(text);
    }
    sqlite3_close(database);
}
END_TEST

START_TEST(the_parts_of_every_request_sum_to_the_whole)
{
    struct dyno_summary summary;
    sqlite3 *database;

    record_run(path, 1, &summary);
    database = database_open(path);
    answer_is(database,
              "SELECT count(*) FROM request WHERE outcome = 0 AND"
              " e2e_ns IS NOT ingest_ns + queue_ns + prefill_ns + decode_ns",
              "0");
    sqlite3_close(database);
}
END_TEST

/* Percentiles are off by at most 1/256 from the value of that rank. */
START_TEST(percentiles_are_those_of_the_rows_within_the_stated_error)
{
    static const char *const metrics[] = {"ttft_ms.p50", "ttft_ms.p90", "ttft_ms.p99"};
    static const double fractions[] = {0.50, 0.90, 0.99};
    struct dyno_summary summary;
    sqlite3 *database;

    record_run(path, 1, &summary);
    database = database_open(path);
    for (size_t i = 0; i < 3; i++) {
        char sql[256];
        char *text;
        double exact, said = summary_value(&summary, metrics[i]);

        snprintf(sql, sizeof sql,
                 "SELECT ttft_ns / 1e6 FROM request WHERE outcome = 0 ORDER BY ttft_ns"
                 " LIMIT 1 OFFSET (SELECT ceil(%g * count(*)) - 1 FROM request WHERE outcome = 0)",
                 fractions[i]);
        text = ask_text(database, sql);
        exact = strtod(text, NULL);
        ck_assert_msg(said >= exact * 255 / 256 && said <= exact * 257 / 256, "%s: %g, not %g",
                      metrics[i], said, exact);
        free(text);
    }
    sqlite3_close(database);
}
END_TEST

static void dump_rows(sqlite3 *database, const char *table, FILE *out)
{
    sqlite3_stmt *rows;
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
    ck_assert_int_eq(sqlite3_prepare_v2(database, sql, -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const unsigned char *text = sqlite3_column_text(rows, i);

            fprintf(out, "%s|", text ? (const char *)text : "NULL");
        }
        fputc('\n', out);
    }
    sqlite3_finalize(rows);
}

/* The schema and every row of every table but `host`, as text; freed by the caller. */
static char *dump(const char *name)
{
    sqlite3 *database = database_open(name);
    sqlite3_stmt *tables;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    sqlite3_prepare_v2(database,
                       "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name <> 'host'"
                       " ORDER BY name",
                       -1, &tables, NULL);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        fprintf(out, "%s\n", (const char *)sqlite3_column_text(tables, 1));
        dump_rows(database, (const char *)sqlite3_column_text(tables, 0), out);
    }
    sqlite3_finalize(tables);
    sqlite3_close(database);
    fclose(out);
    return text;
}

START_TEST(two_databases_of_one_run_differ_in_the_table_host_only)
{
    struct dyno_summary summary;
    char again[PATH_MAX];
    char *first, *second;

    record_run(path, 1, &summary);
    record_run(path_in(again, folder, "again.db"), 2, &summary);
    first = dump(path);
    second = dump(again);
    ck_assert_uint_gt(strlen(first), 100 * REQUESTS);
    ck_assert(strcmp(first, second) == 0);
    free(first);
    free(second);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ledger");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_summary_is_the_sum_of_the_rows);
    tcase_add_test(tc, the_parts_of_every_request_sum_to_the_whole);
    tcase_add_test(tc, percentiles_are_those_of_the_rows_within_the_stated_error);
    tcase_add_test(tc, two_databases_of_one_run_differ_in_the_table_host_only);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/ledger", add_cases)
