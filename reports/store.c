/* One run's rows in a database.
 *
 * Every statement is prepared once; a row costs its bindings and one step.  The run's number is
 * bound once too: bindings outlive a reset. */
#include "reports/store.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "reports/store_gpus.h"
#include "reports/store_models.h"
#include "reports/summary.h"

/* Waiting is better than losing a run of hours to somebody's long query; but not for ever. */
enum { BUSY_WHILE_RECORDING_MS = 30000, HOST_NAME_MAX_BYTES = 256, TIME_MAX_BYTES = 32 };

/* In the order of enum dyno_item_kind. */
static const char *const item_sql[] = {
    "INSERT INTO request (run, id, outcome, worker, session, tenant, prompt_tokens, output_tokens,"
    " cached_tokens, preemptions, scheduled_ns, arrival_ns, ready_ns, admitted_ns, first_token_ns,"
    " last_token_ns, prefill_worker, transfer_ns, priority, held_ns, onboarded_tokens, onboard_ns,"
    " migrations, pulled_tokens, model)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,"
    "?24,?25)",
    /* A worker looked at twice at one instant: the later look, which saw all that happened then. */
    "INSERT OR REPLACE INTO sample (run, at_ns, worker, running, waiting, blocks_used, blocks_idle,"
    " blocks_total, tokens_out, busy_ns) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    "INSERT INTO decision (run, number, request, at_ns, worker, overlap_blocks, view_age_ns,"
    " router) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    "INSERT OR REPLACE INTO plan (run, at_ns, before, asked, desired, reason, ready, starting,"
    " draining, heard, running, waiting, lobby, rate, forecast_rate, role, coming, model)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    "INSERT INTO fault (run, number, at_ns, until_ns, kind, what, target, slowness, requests)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    "INSERT OR REPLACE INTO link_sample (run, at_ns, link, since_ns, bytes, busy_ns)"
    " VALUES (?1,?2,?3,?4,?5,?6)",
    DYNO_STORE_GPU_SQL,
    "INSERT INTO decision_candidate (run, number, worker, score) VALUES (?1,?2,?3,?4)",
    /* Behind those of items: of a sample's tiers. */
    "INSERT OR REPLACE INTO tier_sample (run, at_ns, worker, level, blocks_moving, blocks_kept,"
    " blocks_total) VALUES (?1,?2,?3,?4,?5,?6,?7)",
};

enum { ITEM_KINDS = sizeof item_sql / sizeof *item_sql, TIER_SAMPLE = ITEM_KINDS - 1 };

struct dyno_store {
    sqlite3 *database;
    int64_t run;
    sqlite3_stmt *insert[ITEM_KINDS];
    int64_t decisions, faults;               /* recorded so far ... */
    int64_t decisions_before, faults_before; /* ... and when the transaction began */
};

/* The 64 bits as they are: identities above 2^63 look negative. */
static void bind_u64(sqlite3_stmt *statement, int place, uint64_t value)
{
    sqlite3_bind_int64(statement, place, (sqlite3_int64)value);
}

/* NULL where the value is the one that means "none". */
static void bind_unless(sqlite3_stmt *statement, int place, uint64_t value, uint64_t none)
{
    if (value == none) {
        sqlite3_bind_null(statement, place);
    } else {
        bind_u64(statement, place, value);
    }
}

/* Run a statement without results; its bindings stay. */
static dyno_status step(struct dyno_store *store, sqlite3_stmt *statement, struct dyno_error *error)
{
    int result = sqlite3_step(statement);
    dyno_status status = DYNO_OK;

    if (result != SQLITE_DONE) {
        status = dyno_database_failed(store->database, error);
    }
    sqlite3_reset(statement);
    return status;
}

static dyno_status put_request(struct dyno_store *store, const struct dyno_request_record *record,
                               struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_REQUEST];

    bind_u64(insert, 2, record->id);
    bind_u64(insert, 3, (uint64_t)record->outcome);
    bind_unless(insert, 4, record->worker, DYNO_NO_WORKER);
    bind_unless(insert, 5, record->session, 0);
    bind_unless(insert, 6, record->tenant, 0);
    bind_u64(insert, 7, record->prompt_tokens);
    bind_u64(insert, 8, record->output_tokens);
    bind_u64(insert, 9, record->cached_tokens);
    bind_u64(insert, 10, record->preemptions);
    bind_unless(insert, 11, record->scheduled_ns, DYNO_NEVER);
    bind_unless(insert, 12, record->arrival_ns, DYNO_NEVER);
    bind_unless(insert, 13, record->ready_ns, DYNO_NEVER);
    bind_unless(insert, 14, record->admitted_ns, DYNO_NEVER);
    bind_unless(insert, 15, record->first_token_ns, DYNO_NEVER);
    bind_unless(insert, 16, record->last_token_ns, DYNO_NEVER);
    bind_unless(insert, 17, record->prefill_worker, 0);
    bind_u64(insert, 18, record->transfer_ns);
    sqlite3_bind_int(insert, 19, record->priority);
    bind_u64(insert, 20, record->held_ns);
    bind_u64(insert, 21, record->onboarded_tokens);
    bind_u64(insert, 22, record->onboard_ns);
    bind_u64(insert, 23, record->migrations);
    bind_u64(insert, 24, record->pulled_tokens);
    bind_u64(insert, 25, record->model);
    return step(store, insert, error);
}

static dyno_status put_tier_sample(struct dyno_store *store,
                                   const struct dyno_sample_record *record,
                                   const struct dyno_tier_sample *tier, struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[TIER_SAMPLE];

    bind_u64(insert, 2, record->at);
    bind_u64(insert, 3, record->worker);
    bind_u64(insert, 4, tier->level);
    bind_u64(insert, 5, tier->blocks_moving);
    bind_u64(insert, 6, tier->blocks_kept);
    bind_u64(insert, 7, tier->blocks_total);
    return step(store, insert, error);
}

static dyno_status put_sample(struct dyno_store *store, const struct dyno_sample_record *record,
                              struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_SAMPLE];

    bind_u64(insert, 2, record->at);
    bind_u64(insert, 3, record->worker);
    bind_u64(insert, 4, record->running);
    bind_u64(insert, 5, record->waiting);
    bind_u64(insert, 6, record->blocks_used);
    bind_u64(insert, 7, record->blocks_idle);
    bind_u64(insert, 8, record->blocks_total);
    bind_u64(insert, 9, record->tokens_out);
    bind_u64(insert, 10, record->busy_ns);
    for (uint32_t i = 0; i < record->tier_count; i++) {
        DYNO_TRY(put_tier_sample(store, record, &record->tiers[i], error));
    }
    return step(store, insert, error);
}

static dyno_status put_plan(struct dyno_store *store, const struct dyno_plan_record *record,
                            struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_PLAN];

    bind_u64(insert, 2, record->at);
    bind_u64(insert, 3, record->before);
    bind_u64(insert, 4, record->asked);
    bind_u64(insert, 5, record->desired);
    sqlite3_bind_text(insert, 6, record->reason, -1, SQLITE_STATIC);
    bind_u64(insert, 7, record->ready);
    bind_u64(insert, 8, record->starting);
    bind_u64(insert, 9, record->draining);
    bind_u64(insert, 10, record->heard);
    bind_u64(insert, 11, record->running);
    bind_u64(insert, 12, record->waiting);
    bind_u64(insert, 13, record->lobby);
    sqlite3_bind_double(insert, 14, record->rate);
    sqlite3_bind_double(insert, 15, record->forecast_rate);
    sqlite3_bind_text(insert, 16, record->role, -1, SQLITE_STATIC);
    bind_u64(insert, 17, record->coming);
    bind_u64(insert, 18, record->model);
    return step(store, insert, error);
}

static dyno_status put_fault(struct dyno_store *store, const struct dyno_fault_record *record,
                             struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_FAULT];

    sqlite3_bind_int64(insert, 2, store->faults++);
    bind_u64(insert, 3, record->at);
    bind_unless(insert, 4, record->until, DYNO_NEVER);
    sqlite3_bind_text(insert, 5, dyno_fault_name(record->kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 6, record->what, -1, SQLITE_STATIC);
    bind_u64(insert, 7, record->target);
    bind_u64(insert, 8, record->slowness);
    bind_u64(insert, 9, record->requests);
    return step(store, insert, error);
}

static dyno_status put_link(struct dyno_store *store, const struct dyno_link_record *record,
                            struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_LINK];

    bind_u64(insert, 2, record->at);
    bind_u64(insert, 3, record->link);
    bind_u64(insert, 4, record->since);
    bind_u64(insert, 5, record->bytes);
    bind_u64(insert, 6, record->busy_ns);
    return step(store, insert, error);
}

static dyno_status put_decision(struct dyno_store *store, const struct dyno_decision_record *record,
                                struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_DECISION];

    sqlite3_bind_int64(insert, 2, store->decisions++);
    bind_u64(insert, 3, record->request);
    bind_u64(insert, 4, record->at);
    bind_unless(insert, 5, record->worker, DYNO_NO_WORKER);
    bind_u64(insert, 6, record->overlap_blocks);
    bind_u64(insert, 7, record->view_age);
    bind_u64(insert, 8, record->router);
    return step(store, insert, error);
}

static dyno_status put_candidates(struct dyno_store *store, const struct dyno_item *item,
                                  struct dyno_error *error)
{
    sqlite3_stmt *insert = store->insert[DYNO_ITEM_CANDIDATES];

    sqlite3_bind_int64(insert, 2, store->decisions - 1);
    for (uint32_t i = 0; i < item->candidates.count; i++) {
        bind_u64(insert, 3, item->candidates.workers[i]);
        if (item->candidates.scored) {
            sqlite3_bind_double(insert, 4, item->candidates.scores[i]); /* NaN becomes NULL */
        } else {
            sqlite3_bind_null(insert, 4);
        }
        DYNO_TRY(step(store, insert, error));
    }
    return DYNO_OK;
}

void dyno_item_candidates(struct dyno_item *item, const struct dyno_decision_record *record,
                          uint32_t first)
{
    uint32_t count = 0;

    for (uint32_t i = first; i < record->candidate_count && count < DYNO_ITEM_CANDIDATES_MAX; i++) {
        item->candidates.workers[count] = record->candidates[i];
        item->candidates.scores[count++] = record->scores ? record->scores[i] : 0;
    }
    item->kind = DYNO_ITEM_CANDIDATES;
    item->candidates.count = count;
    item->candidates.scored = record->scores != NULL;
}

dyno_status dyno_store_put(struct dyno_store *store, const struct dyno_item *item,
                           struct dyno_error *error)
{
    switch (item->kind) {
    case DYNO_ITEM_REQUEST:
        return put_request(store, &item->request, error);
    case DYNO_ITEM_SAMPLE:
        return put_sample(store, &item->sample, error);
    case DYNO_ITEM_DECISION:
        return put_decision(store, &item->decision, error);
    case DYNO_ITEM_PLAN:
        return put_plan(store, &item->plan, error);
    case DYNO_ITEM_FAULT:
        return put_fault(store, &item->fault, error);
    case DYNO_ITEM_LINK:
        return put_link(store, &item->link, error);
    case DYNO_ITEM_GPU:
        return step(store, dyno_store_bind_gpu(store->insert[DYNO_ITEM_GPU], &item->gpu), error);
    case DYNO_ITEM_CANDIDATES:
        break;
    }
    return put_candidates(store, item, error);
}

dyno_status dyno_store_begin(struct dyno_store *store, struct dyno_error *error)
{
    store->decisions_before = store->decisions;
    store->faults_before = store->faults;
    return dyno_database_run(store->database, "BEGIN IMMEDIATE", error);
}

dyno_status dyno_store_commit(struct dyno_store *store, struct dyno_error *error)
{
    return dyno_database_run(store->database, "COMMIT", error);
}

void dyno_store_undo(struct dyno_store *store)
{
    store->decisions = store->decisions_before;
    store->faults = store->faults_before;
    /* Fails only where SQLite has undone the transaction by itself. */
    sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
}

static void utc_now(char out[TIME_MAX_BYTES])
{
    time_t now = time(NULL);
    struct tm parts;

    gmtime_r(&now, &parts);
    strftime(out, TIME_MAX_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static dyno_status add_run(struct dyno_store *store, const char *command, const char *title,
                           struct dyno_error *error)
{
    sqlite3_stmt *insert;
    dyno_status status;

    DYNO_TRY(dyno_database_prepare(store->database, &insert,
                                   "INSERT INTO run (title, command) VALUES (?1, ?2)", error));
    sqlite3_bind_text(insert, 1, title ? title : "", -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, command ? command : "", -1, SQLITE_STATIC);
    status = step(store, insert, error);
    sqlite3_finalize(insert);
    store->run = sqlite3_last_insert_rowid(store->database);
    return status;
}

static dyno_status add_options(struct dyno_store *store, const struct dyno_run_option_row *options,
                               uint32_t option_count, struct dyno_error *error)
{
    sqlite3_stmt *insert;
    dyno_status status = DYNO_OK;

    DYNO_TRY(dyno_database_prepare(
        store->database, &insert,
        "INSERT INTO run_option (run, name, value, origin) VALUES (?1, ?2, ?3, ?4)", error));
    sqlite3_bind_int64(insert, 1, store->run);
    for (uint32_t i = 0; status == DYNO_OK && i < option_count; i++) {
        sqlite3_bind_text(insert, 2, options[i].name, -1, SQLITE_STATIC); /* NULL stays NULL */
        sqlite3_bind_text(insert, 3, options[i].value, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, options[i].origin, -1, SQLITE_STATIC);
        status = step(store, insert, error);
    }
    sqlite3_finalize(insert);
    return status;
}

static dyno_status add_host(struct dyno_store *store, struct dyno_error *error)
{
    char machine[HOST_NAME_MAX_BYTES] = "";
    char now[TIME_MAX_BYTES];
    sqlite3_stmt *insert;
    dyno_status status;

    DYNO_TRY(dyno_database_prepare(
        store->database, &insert,
        "INSERT INTO host (run, started_at, machine, process) VALUES (?1, ?2, ?3, ?4)", error));
    gethostname(machine, sizeof machine - 1);
    utc_now(now);
    sqlite3_bind_int64(insert, 1, store->run);
    sqlite3_bind_text(insert, 2, now, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, machine, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, getpid());
    status = step(store, insert, error);
    sqlite3_finalize(insert);
    return status;
}

static dyno_status prepare_inserts(struct dyno_store *store, struct dyno_error *error)
{
    for (int i = 0; i < ITEM_KINDS; i++) {
        DYNO_TRY(dyno_database_prepare(store->database, &store->insert[i], item_sql[i], error));
        sqlite3_bind_int64(store->insert[i], 1, store->run);
    }
    return DYNO_OK;
}

static dyno_status add_all(struct dyno_store *store, const char *command, const char *title,
                           const struct dyno_run_option_row *options, uint32_t option_count,
                           struct dyno_error *error)
{
    DYNO_TRY(dyno_store_begin(store, error));
    DYNO_TRY(add_run(store, command, title, error));
    DYNO_TRY(add_options(store, options, option_count, error));
    DYNO_TRY(add_host(store, error));
    DYNO_TRY(dyno_store_commit(store, error));
    return prepare_inserts(store, error);
}

dyno_status dyno_run_store_open(struct dyno_store **out, const char *path, const char *command,
                                const char *title, const struct dyno_run_option_row *options,
                                uint32_t option_count, struct dyno_error *error)
{
    struct dyno_store *store = calloc(1, sizeof *store);
    dyno_status status;

    if (!store) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recorder");
    }
    status = dyno_database_open(&store->database, path, error);
    if (status == DYNO_OK) {
        status = add_all(store, command, title, options, option_count, error);
    }
    if (status != DYNO_OK) {
        dyno_store_close(store);
        return status;
    }
    sqlite3_busy_timeout(store->database, BUSY_WHILE_RECORDING_MS);
    *out = store;
    return DYNO_OK;
}

/* Closing the connection undoes a transaction that is still open. */
void dyno_store_close(struct dyno_store *store)
{
    for (int i = 0; i < ITEM_KINDS; i++) {
        sqlite3_finalize(store->insert[i]);
    }
    sqlite3_close(store->database);
    free(store);
}

int64_t dyno_store_run_id(const struct dyno_store *store)
{
    return store->run;
}

sqlite3 *dyno_store_database(const struct dyno_store *store)
{
    return store->database;
}

static dyno_status add_summary(struct dyno_store *store, const struct dyno_report *report,
                               struct dyno_error *error)
{
    struct dyno_summary summary;
    dyno_status status = DYNO_OK;
    sqlite3_stmt *insert;

    dyno_summary_fill(&summary, report);
    DYNO_TRY(dyno_database_prepare(
        store->database, &insert, "INSERT INTO run_metric (run, metric, value) VALUES (?1, ?2, ?3)",
        error));
    sqlite3_bind_int64(insert, 1, store->run);
    for (uint32_t i = 0; status == DYNO_OK && i < summary.row_count; i++) {
        sqlite3_bind_text(insert, 2, summary.rows[i].name, -1, SQLITE_STATIC);
        if (summary.rows[i].kind == DYNO_SUMMARY_UNKNOWN) {
            sqlite3_bind_null(insert, 3);
        } else {
            sqlite3_bind_double(insert, 3, summary.rows[i].real);
        }
        status = step(store, insert, error);
    }
    sqlite3_finalize(insert);
    return status;
}

static void bind_tier(sqlite3_stmt *insert, const struct dyno_fleet_totals *totals,
                      const struct dyno_tier_totals *tier)
{
    const uint64_t values[] = {tier->level,
                               tier->pools,
                               tier->blocks_total,
                               tier->blocks_idle,
                               tier->hit_blocks,
                               tier->stores,
                               tier->stored_blocks,
                               (uint64_t)tier->store_wait_ns,
                               tier->loads,
                               tier->loaded_blocks,
                               (uint64_t)tier->load_wait_ns,
                               tier->evicted_blocks,
                               tier->skipped_blocks,
                               tier->declined_blocks,
                               tier->slow_blocks,
                               tier->lost_blocks};

    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) {
        bind_u64(insert, 2 + i, values[i]);
    }
    bind_u64(insert, 18, dyno_tier_block_bytes(totals, tier));
}

static dyno_status add_tiers(struct dyno_store *store, const struct dyno_fleet_totals *totals,
                             struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *insert;

    DYNO_TRY(dyno_database_prepare(
        store->database, &insert,
        "INSERT INTO tier (run, level, pools, blocks_total, blocks_kept, hit_blocks, stores,"
        " stored_blocks, store_wait_ns, loads, loaded_blocks, load_wait_ns, evicted_blocks,"
        " skipped_blocks, declined_blocks, slow_blocks, lost_blocks, block_bytes)"
        " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
        error));
    sqlite3_bind_int64(insert, 1, store->run);
    if (totals->peers.level > 0) {
        bind_tier(insert, totals, &totals->peers);
        status = step(store, insert, error);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < totals->tier_count; i++) {
        bind_tier(insert, totals, &totals->tiers[i]);
        status = step(store, insert, error);
    }
    sqlite3_finalize(insert);
    return status;
}

static void bind_link(sqlite3_stmt *insert, const struct dyno_link_report *link)
{
    bind_u64(insert, 2, link->number);
    sqlite3_bind_text(insert, 3, link->name, -1, SQLITE_STATIC);
    bind_u64(insert, 4, link->bytes_per_s);
    bind_u64(insert, 5, link->bytes);
    bind_u64(insert, 6, link->busy_ns);
    bind_u64(insert, 7, link->peak_bytes_per_s);
}

static dyno_status add_links(struct dyno_store *store, const struct dyno_links_report *links,
                             struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *insert;

    DYNO_TRY(dyno_database_prepare(store->database, &insert,
                                   "INSERT INTO link (run, number, name, bytes_per_s, bytes,"
                                   " busy_ns, peak_bytes_per_s) VALUES (?1,?2,?3,?4,?5,?6,?7)",
                                   error));
    sqlite3_bind_int64(insert, 1, store->run);
    for (uint32_t i = 0; status == DYNO_OK && i < links->count; i++) {
        bind_link(insert, &links->links[i]);
        status = step(store, insert, error);
    }
    sqlite3_finalize(insert);
    return status;
}

static dyno_status end_host(struct dyno_store *store, const struct dyno_host_facts *facts,
                            struct dyno_error *error)
{
    char now[TIME_MAX_BYTES];
    sqlite3_stmt *update;
    dyno_status status;

    DYNO_TRY(dyno_database_prepare(store->database, &update,
                                   "UPDATE host SET ended_at = ?2, wall_s = ?3,"
                                   " requests_per_wall_s = ?4, peak_rss_bytes = ?5 WHERE run = ?1",
                                   error));
    utc_now(now);
    sqlite3_bind_int64(update, 1, store->run);
    sqlite3_bind_text(update, 2, now, -1, SQLITE_STATIC);
    if (facts) {
        sqlite3_bind_double(update, 3, facts->wall_s);
        sqlite3_bind_double(update, 4, facts->requests_per_wall_s);
        bind_u64(update, 5, facts->peak_rss_bytes);
    }
    status = step(store, update, error);
    sqlite3_finalize(update);
    return status;
}

static dyno_status end_run(struct dyno_store *store, const char *end, struct dyno_error *error)
{
    sqlite3_stmt *update;
    dyno_status status;

    DYNO_TRY(dyno_database_prepare(store->database, &update,
                                   "UPDATE run SET status = ?2 WHERE id = ?1", error));
    sqlite3_bind_int64(update, 1, store->run);
    sqlite3_bind_text(update, 2, end, -1, SQLITE_STATIC);
    status = step(store, update, error);
    sqlite3_finalize(update);
    return status;
}

static dyno_status end_all(struct dyno_store *store, const char *end,
                           const struct dyno_report *report, const struct dyno_host_facts *facts,
                           struct dyno_error *error)
{
    DYNO_TRY(dyno_store_begin(store, error));
    if (report) {
        DYNO_TRY(add_summary(store, report, error));
        DYNO_TRY(add_tiers(store, report->totals, error));
    }
    if (report) {
        DYNO_TRY(dyno_store_models(store->database, store->run, report, error));
    }
    if (report && report->links) {
        DYNO_TRY(add_links(store, report->links, error));
    }
    DYNO_TRY(end_host(store, facts, error));
    DYNO_TRY(end_run(store, end, error));
    return dyno_store_commit(store, error);
}

dyno_status dyno_store_finish(struct dyno_store *store, const char *end,
                              const struct dyno_report *report, const struct dyno_host_facts *facts,
                              struct dyno_error *error)
{
    dyno_status status = end_all(store, end, report, facts, error);

    if (status != DYNO_OK) {
        dyno_store_undo(store);
    }
    return status;
}
