/* The buffer between the loop and the database, and the thread behind it.
 *
 * Two arrays of items change places: one is filled by the loop, the other is being written.
 *
 *   (heard) -> FILLING [put]       or lost, where that array is full
 *   FILLING -> WRITING [await_lot] after COMMIT_MS or when half full, and once the last is written
 *   WRITING -> (written) [write_lot]   in transactions, which are tried again until they succeed
 */
#include "reports/live_recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reports/store.h"
#include "reports/trim.h"

enum {
    COMMIT_MS = 500,
    BUSY_MS = 250,           /* how long one try waits for somebody's lock */
    CHECKPOINT_PAGES = 1000, /* of the write-ahead log, from which on it is emptied */
    IDLE_TURNS = 20,
    PART_ITEMS = 4096,        /* in one transaction: a lot may be larger than the file is to be */
    TRIM_STEPS_MAX = 8,       /* thousand rows of each table, between two parts */
    ROOM_PARTS = 16,          /* a sixteenth of the file is kept free for what comes next ... */
    ROOM_PARTS_WHEN_FULL = 4, /* ... and where that was too little, a quarter is made free */
};

/* A journal that readers do not wait for, nor it for them. */
static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA journal_size_limit = 4194304;";

struct lot {
    struct dyno_item *items; /* [records_max] */
    uint32_t count, done;    /* items; those before `done` are written */
};

struct dyno_live_recorder {
    struct dyno_sink sink;
    struct dyno_live_recorder_config config;
    struct dyno_store *store; /* the thread's while it runs; so is the trim */
    struct dyno_trim trim;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    /* Under the mutex: */
    struct lot filling;
    struct dyno_live_counts counts;
    bool is_writing; /* the other array is not empty */
    bool closing;
    /* The thread's own: */
    struct lot writing;
    int log_pages; /* in the write-ahead log */
    bool is_failing;
    uint64_t lost_before; /* when it began to fail */
};

static struct dyno_live_recorder *of(struct dyno_sink *sink)
{
    return (struct dyno_live_recorder *)sink;
}

/* Candidates are part of the decision before them. */
static void count_item(const struct dyno_item *item, bool is_written,
                       struct dyno_live_counts *counts)
{
    if (item->kind != DYNO_ITEM_CANDIDATES) {
        *(is_written ? &counts->written : &counts->lost) += 1;
    }
}

static void count_lost(const struct lot *lot, struct dyno_live_counts *counts)
{
    for (uint32_t i = lot->done; i < lot->count; i++) {
        count_item(&lot->items[i], false, counts);
    }
}

/* The thread ------------------------------------------------------------------------------ */

static void begin_to_fail(struct dyno_live_recorder *recorder, const char *why)
{
    if (recorder->is_failing) {
        return;
    }
    recorder->is_failing = true;
    recorder->lost_before = dyno_live_recorder_counts(recorder).lost;
    if (recorder->config.say) {
        recorder->config.say(recorder->config.context, why);
    }
}

static void end_to_fail(struct dyno_live_recorder *recorder)
{
    char text[128];

    if (!recorder->is_failing) {
        return;
    }
    recorder->is_failing = false;
    (void)snprintf(text, sizeof text,
                   "the database is written again; %" PRIu64 " records are not in it",
                   dyno_live_recorder_counts(recorder).lost - recorder->lost_before);
    if (recorder->config.say) {
        recorder->config.say(recorder->config.context, text);
    }
}

static struct timespec from_now(long ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += ms * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

/* Half of the room is taken, and the other array is free.  Under the mutex. */
static bool is_urgent(const struct dyno_live_recorder *recorder)
{
    return !recorder->is_writing && recorder->filling.count >= recorder->config.records_max / 2;
}

/* Sleep between two lots, and take the next if the last is written.  False: closing. */
static bool await_lot(struct dyno_live_recorder *recorder)
{
    struct timespec until = from_now(COMMIT_MS);
    bool go_on;
    int result = 0;

    pthread_mutex_lock(&recorder->mutex);
    while (!recorder->closing && result != ETIMEDOUT && !is_urgent(recorder)) {
        result = pthread_cond_timedwait(&recorder->woken, &recorder->mutex, &until);
    }
    if (!recorder->is_writing) {
        struct lot lot = recorder->writing;

        recorder->writing = recorder->filling;
        recorder->filling = lot;
        recorder->is_writing = recorder->writing.count > 0;
    }
    go_on = !recorder->closing;
    pthread_mutex_unlock(&recorder->mutex);
    return go_on;
}

/* An item that the schema refuses (a request told of twice) is lost; the others are not. */
static dyno_status put_items(struct dyno_live_recorder *recorder, uint32_t end,
                             struct dyno_live_counts *counts, struct dyno_error *error)
{
    const struct lot *lot = &recorder->writing;
    sqlite3 *database = dyno_store_database(recorder->store);

    for (uint32_t i = lot->done; i < end; i++) {
        dyno_status status = dyno_store_put(recorder->store, &lot->items[i], error);

        if (status != DYNO_OK && (sqlite3_errcode(database) & 0xff) != SQLITE_CONSTRAINT) {
            return status;
        }
        count_item(&lot->items[i], status == DYNO_OK, counts);
    }
    return DYNO_OK;
}

/* One transaction.  *is_full says that it failed for want of room. */
static dyno_status write_items(struct dyno_live_recorder *recorder, uint32_t end, bool *is_full,
                               struct dyno_error *error)
{
    struct dyno_live_counts counts = {0};
    dyno_status status;

    *is_full = false;
    DYNO_TRY(dyno_store_begin(recorder->store, error));
    status = put_items(recorder, end, &counts, error);
    if (status == DYNO_OK) {
        status = dyno_store_commit(recorder->store, error);
    }
    if (status != DYNO_OK) {
        *is_full = (sqlite3_errcode(dyno_store_database(recorder->store)) & 0xff) == SQLITE_FULL;
        dyno_store_undo(recorder->store);
        return status;
    }
    recorder->writing.done = end;
    pthread_mutex_lock(&recorder->mutex);
    recorder->counts.written += counts.written;
    recorder->counts.lost += counts.lost;
    pthread_mutex_unlock(&recorder->mutex);
    return DYNO_OK;
}

/* Empty the write-ahead log as far as readers allow. */
static void checkpoint(struct dyno_live_recorder *recorder)
{
    int mode = recorder->log_pages >= recorder->config.journal_pages_max
                   ? SQLITE_CHECKPOINT_TRUNCATE
                   : SQLITE_CHECKPOINT_PASSIVE;
    int pages = 0;

    if (recorder->log_pages < CHECKPOINT_PAGES) {
        return;
    }
    if (sqlite3_wal_checkpoint_v2(dyno_store_database(recorder->store), NULL, mode, &pages, NULL) ==
            SQLITE_OK &&
        mode == SQLITE_CHECKPOINT_TRUNCATE) {
        recorder->log_pages = pages; /* else the next commit says how many there are */
    }
}

static bool is_log_full(struct dyno_live_recorder *recorder)
{
    checkpoint(recorder);
    if (recorder->log_pages < recorder->config.journal_pages_max) {
        return false;
    }
    begin_to_fail(recorder, "the database is not written: somebody has been reading it for so long "
                            "that its journal would outgrow its bound");
    return true;
}

static void trim_rows(struct dyno_live_recorder *recorder, uint64_t room_bytes)
{
    struct dyno_error error;
    bool is_done;

    if (dyno_trim_run(&recorder->trim, (int64_t)time(NULL), room_bytes, TRIM_STEPS_MAX, &is_done,
                      &error) != DYNO_OK) {
        begin_to_fail(recorder, error.text);
    }
}

/* The next part of the lot; tried once more if there was no room for it and rows could go. */
static dyno_status write_part(struct dyno_live_recorder *recorder, struct dyno_error *error)
{
    const struct lot *lot = &recorder->writing;
    uint32_t left = lot->count - lot->done;
    uint32_t end = lot->done + (left < PART_ITEMS ? left : PART_ITEMS);
    uint64_t bytes_max = recorder->config.bytes_max;
    bool is_full;
    dyno_status status = write_items(recorder, end, &is_full, error);

    if (is_full && bytes_max > 0) {
        trim_rows(recorder, bytes_max / ROOM_PARTS_WHEN_FULL);
        status = write_items(recorder, end, &is_full, error);
    }
    return status;
}

/* Try to write the lot; true: it is written, or there is none. */
static bool write_lot(struct dyno_live_recorder *recorder)
{
    struct lot *lot = &recorder->writing;
    struct dyno_error error;

    while (lot->done < lot->count) {
        if (is_log_full(recorder)) {
            return false;
        }
        if (write_part(recorder, &error) != DYNO_OK) {
            begin_to_fail(recorder, error.text);
            return false;
        }
        end_to_fail(recorder);
        trim_rows(recorder, recorder->config.bytes_max / ROOM_PARTS);
    }
    lot->count = lot->done = 0;
    pthread_mutex_lock(&recorder->mutex);
    recorder->is_writing = false;
    pthread_mutex_unlock(&recorder->mutex);
    return true;
}

static void *record_thread(void *argument)
{
    struct dyno_live_recorder *recorder = argument;

    for (uint32_t turn = 0; await_lot(recorder); turn++) {
        bool is_idle = recorder->writing.count == 0;

        (void)write_lot(recorder);
        if (is_idle && turn % IDLE_TURNS == 0) {
            trim_rows(recorder, recorder->config.bytes_max /
                                    ROOM_PARTS); /* rows grow old also while nobody asks */
        }
    }
    if (write_lot(recorder)) { /* and what came since */
        (void)await_lot(recorder);
        (void)write_lot(recorder);
    }
    return NULL;
}

static int hear_log_pages(void *context, sqlite3 *database, const char *name, int pages)
{
    (void)database;
    (void)name;
    ((struct dyno_live_recorder *)context)->log_pages = pages;
    return SQLITE_OK;
}

/* The loop -------------------------------------------------------------------------------- */

/* Room for `count` items that are one record; NULL: it is lost.  Leaves the mutex locked. */
static struct dyno_item *begin_put(struct dyno_live_recorder *recorder, uint32_t count)
{
    struct lot *lot = &recorder->filling;
    struct dyno_item *items;

    pthread_mutex_lock(&recorder->mutex);
    if (count > recorder->config.records_max - lot->count) {
        recorder->counts.lost++;
        return NULL;
    }
    items = &lot->items[lot->count];
    lot->count += count;
    if (is_urgent(recorder)) {
        pthread_cond_signal(&recorder->woken);
    }
    return items;
}

static dyno_status end_put(struct dyno_live_recorder *recorder)
{
    pthread_mutex_unlock(&recorder->mutex);
    return DYNO_OK;
}

static dyno_status hear_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_item *item = begin_put(of(sink), 1);

    if (item) {
        item->kind = DYNO_ITEM_REQUEST;
        item->request = *record;
    }
    return end_put(of(sink));
}

static dyno_status hear_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    struct dyno_item *item = begin_put(of(sink), 1);

    if (item) {
        item->kind = DYNO_ITEM_SAMPLE;
        item->sample = *record;
    }
    return end_put(of(sink));
}

static dyno_status hear_link(struct dyno_sink *sink, const struct dyno_link_record *record)
{
    struct dyno_item *item = begin_put(of(sink), 1);

    if (item) {
        item->kind = DYNO_ITEM_LINK;
        item->link = *record;
    }
    return end_put(of(sink));
}

dyno_status dyno_live_recorder_gpu(struct dyno_live_recorder *recorder,
                                   const struct dyno_gpu_record *record)
{
    struct dyno_item *item = begin_put(recorder, 1);

    if (item) {
        item->kind = DYNO_ITEM_GPU;
        item->gpu = *record;
    }
    return end_put(recorder);
}

static dyno_status hear_decision(struct dyno_sink *sink, const struct dyno_decision_record *record)
{
    uint32_t candidates = record->candidates ? record->candidate_count : 0;
    uint32_t count = 1 + (candidates + DYNO_ITEM_CANDIDATES_MAX - 1) / DYNO_ITEM_CANDIDATES_MAX;
    struct dyno_item *items = begin_put(of(sink), count);

    if (items) {
        items[0].kind = DYNO_ITEM_DECISION;
        items[0].decision = *record;
        for (uint32_t i = 1; i < count; i++) {
            dyno_item_candidates(&items[i], record, (i - 1) * DYNO_ITEM_CANDIDATES_MAX);
        }
    }
    return end_put(of(sink));
}

static const struct dyno_sink_ops sink_ops = {
    .name = "live recorder",
    .request = hear_request,
    .decision = hear_decision,
    .link = hear_link,
    .sample = hear_sample,
};

/* Life ------------------------------------------------------------------------------------ */

static void release(struct dyno_live_recorder *recorder)
{
    dyno_trim_release(&recorder->trim);
    if (recorder->store) {
        dyno_store_close(recorder->store);
    }
    pthread_cond_destroy(&recorder->woken);
    pthread_mutex_destroy(&recorder->mutex);
    free(recorder->filling.items);
    free(recorder->writing.items);
    free(recorder);
}

/* The thread takes no signals: Ctrl-C is the loop's. */
static bool start_thread(struct dyno_live_recorder *recorder)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&recorder->thread, NULL, record_thread, recorder) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* The run's options, and the one by which it is known to be a server's. */
static dyno_status open_store(struct dyno_live_recorder *recorder, struct dyno_error *error)
{
    const struct dyno_live_recorder_config *config = &recorder->config;
    struct dyno_run_option_row *options = calloc(config->option_count + 1, sizeof *options);
    dyno_status status;

    if (!options) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recorder");
    }
    if (config->option_count > 0) {
        memcpy(options, config->options, config->option_count * sizeof *options);
    }
    options[config->option_count] =
        (struct dyno_run_option_row){.name = DYNO_TRIM_OPTION, .value = "true"};
    status = dyno_run_store_open(&recorder->store, config->path, config->command, config->title,
                                 options, config->option_count + 1, error);
    free(options);
    return status;
}

/* A bound below the size that the file has already is taken for that size: rows go, pages stay. */
static dyno_status bound_pages(struct dyno_live_recorder *recorder, struct dyno_error *error)
{
    char sql[64];

    if (recorder->config.bytes_max == 0) {
        return DYNO_OK;
    }
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %" PRIu64,
                   recorder->config.bytes_max / (uint64_t)recorder->trim.page_bytes);
    return dyno_database_run(dyno_store_database(recorder->store), sql, error);
}

static dyno_status prepare(struct dyno_live_recorder *recorder, struct dyno_error *error)
{
    const struct dyno_live_recorder_config *config = &recorder->config;
    sqlite3 *database;

    if (config->bytes_max > 0 && config->bytes_max < DYNO_LIVE_BYTES_MIN) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a database of at most %" PRIu64 " bytes; expected at least 4 MiB",
                         config->bytes_max);
    }
    DYNO_TRY(open_store(recorder, error));
    database = dyno_store_database(recorder->store);
    DYNO_TRY(dyno_database_run(database, settings, error));
    DYNO_TRY(
        dyno_trim_init(&recorder->trim, database, config->bytes_max, config->age_max_s, error));
    DYNO_TRY(bound_pages(recorder, error));
    sqlite3_busy_timeout(database, BUSY_MS);
    (void)sqlite3_wal_hook(database, hear_log_pages, recorder);
    recorder->filling.items = calloc(config->records_max, sizeof *recorder->filling.items);
    recorder->writing.items = calloc(config->records_max, sizeof *recorder->writing.items);
    if (!recorder->filling.items || !recorder->writing.items || !start_thread(recorder)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or no thread for the recorder");
    }
    return DYNO_OK;
}

static void init_locks(struct dyno_live_recorder *recorder)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&recorder->mutex, NULL);
    pthread_cond_init(&recorder->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

dyno_status dyno_live_recorder_open(struct dyno_live_recorder **out,
                                    const struct dyno_live_recorder_config *config,
                                    struct dyno_error *error)
{
    struct dyno_live_recorder *recorder = calloc(1, sizeof *recorder);
    dyno_status status;

    if (!recorder) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recorder");
    }
    recorder->sink.ops = &sink_ops;
    recorder->config = *config;
    recorder->config.records_max =
        config->records_max ? config->records_max : DYNO_LIVE_RECORDS_MAX;
    recorder->config.journal_pages_max =
        config->journal_pages_max ? config->journal_pages_max : DYNO_LIVE_JOURNAL_PAGES_MAX;
    init_locks(recorder);
    status = prepare(recorder, error);
    if (status != DYNO_OK) {
        if (recorder->store) {
            (void)dyno_store_finish(recorder->store, "failed", NULL, NULL, NULL);
        }
        release(recorder);
        return status;
    }
    *out = recorder;
    return DYNO_OK;
}

struct dyno_sink *dyno_live_recorder_sink(struct dyno_live_recorder *recorder)
{
    return &recorder->sink;
}

int64_t dyno_live_recorder_run_id(const struct dyno_live_recorder *recorder)
{
    return dyno_store_run_id(recorder->store);
}

sqlite3 *dyno_live_recorder_database(const struct dyno_live_recorder *recorder)
{
    return dyno_store_database(recorder->store);
}

struct dyno_live_counts dyno_live_recorder_counts(struct dyno_live_recorder *recorder)
{
    struct dyno_live_counts counts;

    pthread_mutex_lock(&recorder->mutex);
    counts = recorder->counts;
    pthread_mutex_unlock(&recorder->mutex);
    return counts;
}

static void stop_thread(struct dyno_live_recorder *recorder)
{
    pthread_mutex_lock(&recorder->mutex);
    recorder->closing = true;
    pthread_cond_signal(&recorder->woken);
    pthread_mutex_unlock(&recorder->mutex);
    pthread_join(recorder->thread, NULL);
    count_lost(&recorder->writing, &recorder->counts);
    count_lost(&recorder->filling, &recorder->counts);
}

dyno_status dyno_live_recorder_close(struct dyno_live_recorder *recorder,
                                     const struct dyno_report *report,
                                     const struct dyno_host_facts *facts,
                                     struct dyno_live_counts *counts, struct dyno_error *error)
{
    const char *end = !report ? "failed" : report->interrupted ? "interrupted" : "finished";
    dyno_status status;

    stop_thread(recorder);
    if (counts) {
        *counts = recorder->counts;
    }
    status = dyno_store_finish(recorder->store, end, report, facts, error);
    release(recorder);
    return status;
}
