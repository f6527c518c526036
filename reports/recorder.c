/* The recorder: a sink that writes a run to SQLite on a thread of its own.
 *
 * Records cross in a ring of chunks.  The loop fills one chunk without a lock and hands it over
 * when it is full: one lock for a thousand records.  Where the thread falls behind, the loop waits
 * for a free chunk: in a simulation nothing may be lost, and waiting costs no simulated time.
 *
 *   FREE -> FILLING [hand_over, of the one before]
 *   FILLING -> HANDED [hand_over, stop_thread]
 *   HANDED -> FREE [give_back]
 *   Always: handed - drained <= CHUNKS; chunk `handed` is the loop's, those in [drained, handed)
 * are the thread's.
 *
 * A transaction ends after ROWS_MAX rows or IDLE_NS, whichever is first: what a killed run loses,
 * and how long another program may find the database locked.  When the thread has nothing to do for
 * so long it asks for what there is (HUNGRY), so that a slow run can be watched while it goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reports/recorder.h"
#include "reports/store.h"

enum { CHUNKS = 16, CHUNK_ITEMS = 1024, ROWS_MAX = 65536 };

#define IDLE_NS (500 * DYNO_MS)

enum flag { FLAG_NONE, FLAG_HUNGRY, FLAG_FAILED }; /* from the thread to the loop */

struct chunk {
    uint32_t count;
    struct dyno_item items[CHUNK_ITEMS];
};

struct dyno_recorder {
    struct dyno_sink sink;
    struct dyno_store *store; /* NULL: keeps nothing; the thread's while it runs */
    struct chunk *chunks;     /* [CHUNKS] */
    pthread_t thread;
    atomic_int flag;

    pthread_mutex_t mutex;
    pthread_cond_t handed_over, given_back;
    /* Under the mutex: */
    uint64_t handed, drained;
    bool closing;
    struct dyno_error failure; /* status is DYNO_OK while there is none */

    /* The thread's own: */
    uint32_t rows; /* in the open transaction */
    bool in_transaction;
    struct timespec until; /* when the transaction, or the wait for work, has lasted IDLE_NS */
};

static struct dyno_recorder *of(struct dyno_sink *sink)
{
    return (struct dyno_recorder *)sink;
}

/* The thread ------------------------------------------------------------------------------ */

static struct timespec idle_from_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)IDLE_NS;
    if (at.tv_nsec >= (long)DYNO_S) {
        at.tv_nsec -= (long)DYNO_S;
        at.tv_sec++;
    }
    return at;
}

static bool is_past(const struct timespec *at)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > at->tv_sec || (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/* The oldest chunk handed over; NULL after `until`, or when none will come (*closing). */
static struct chunk *await_chunk(struct dyno_recorder *recorder, bool *closing)
{
    struct chunk *chunk = NULL;
    int result = 0;

    pthread_mutex_lock(&recorder->mutex);
    while (recorder->drained == recorder->handed && !recorder->closing && result != ETIMEDOUT) {
        result = pthread_cond_timedwait(&recorder->handed_over, &recorder->mutex, &recorder->until);
    }
    *closing = recorder->closing;
    if (recorder->drained != recorder->handed) {
        chunk = &recorder->chunks[recorder->drained % CHUNKS];
    }
    pthread_mutex_unlock(&recorder->mutex);
    return chunk;
}

static void give_back(struct dyno_recorder *recorder)
{
    pthread_mutex_lock(&recorder->mutex);
    recorder->drained++;
    pthread_cond_signal(&recorder->given_back);
    pthread_mutex_unlock(&recorder->mutex);
}

static dyno_status settle(struct dyno_recorder *recorder, struct dyno_error *error)
{
    bool open = recorder->in_transaction;

    recorder->in_transaction = false;
    recorder->rows = 0;
    recorder->until = idle_from_now();
    return open ? dyno_store_commit(recorder->store, error) : DYNO_OK;
}

static uint32_t rows_of(const struct dyno_item *item)
{
    return item->kind == DYNO_ITEM_CANDIDATES ? item->candidates.count : 1;
}

static dyno_status write_chunk(struct dyno_recorder *recorder, const struct chunk *chunk,
                               struct dyno_error *error)
{
    if (!recorder->in_transaction) {
        DYNO_TRY(dyno_store_begin(recorder->store, error));
        recorder->in_transaction = true;
        recorder->until = idle_from_now();
    }
    for (uint32_t i = 0; i < chunk->count; i++) {
        DYNO_TRY(dyno_store_put(recorder->store, &chunk->items[i], error));
        recorder->rows += rows_of(&chunk->items[i]);
    }
    return DYNO_OK;
}

/* Write until the loop has closed and everything is written. */
static dyno_status record(struct dyno_recorder *recorder, struct dyno_error *error)
{
    bool closing;

    recorder->until = idle_from_now();
    for (;;) {
        struct chunk *chunk = await_chunk(recorder, &closing);

        if (chunk) {
            DYNO_TRY(write_chunk(recorder, chunk, error));
            give_back(recorder);
            if (recorder->rows < ROWS_MAX && !is_past(&recorder->until)) {
                continue;
            }
        } else if (closing) {
            return settle(recorder, error);
        } else {
            atomic_store_explicit(&recorder->flag, FLAG_HUNGRY, memory_order_relaxed);
        }
        DYNO_TRY(settle(recorder, error));
    }
}

static void *record_thread(void *argument)
{
    struct dyno_recorder *recorder = argument;
    struct dyno_error error = {.status = DYNO_OK};

    if (record(recorder, &error) != DYNO_OK) {
        dyno_store_undo(recorder->store);
        pthread_mutex_lock(&recorder->mutex);
        recorder->failure = error;
        atomic_store_explicit(&recorder->flag, FLAG_FAILED, memory_order_relaxed);
        pthread_cond_signal(&recorder->given_back);
        pthread_mutex_unlock(&recorder->mutex);
    }
    return NULL;
}

/* The loop -------------------------------------------------------------------------------- */

/* Give the chunk being filled to the thread and take the next, waiting until it is free. */
static dyno_status hand_over(struct dyno_recorder *recorder)
{
    int hungry = FLAG_HUNGRY;
    dyno_status status;

    atomic_compare_exchange_strong(&recorder->flag, &hungry, FLAG_NONE);
    pthread_mutex_lock(&recorder->mutex);
    recorder->handed++;
    pthread_cond_signal(&recorder->handed_over);
    while (recorder->handed - recorder->drained >= CHUNKS && recorder->failure.status == DYNO_OK) {
        pthread_cond_wait(&recorder->given_back, &recorder->mutex);
    }
    status = recorder->failure.status;
    recorder->chunks[recorder->handed % CHUNKS].count = 0;
    pthread_mutex_unlock(&recorder->mutex);
    return status;
}

static dyno_status failure_of(struct dyno_recorder *recorder)
{
    dyno_status status;

    pthread_mutex_lock(&recorder->mutex);
    status = recorder->failure.status;
    pthread_mutex_unlock(&recorder->mutex);
    return status;
}

/* A place for the next record; NULL when the thread has failed.  Only the loop changes `handed`, so
 * it may read it without a lock. */
static struct dyno_item *next_item(struct dyno_recorder *recorder)
{
    int flag = atomic_load_explicit(&recorder->flag, memory_order_relaxed);
    struct chunk *chunk = &recorder->chunks[recorder->handed % CHUNKS];

    if (flag == FLAG_FAILED) {
        return NULL;
    }
    if (chunk->count == CHUNK_ITEMS || (flag == FLAG_HUNGRY && chunk->count > 0)) {
        if (hand_over(recorder) != DYNO_OK) {
            return NULL;
        }
        chunk = &recorder->chunks[recorder->handed % CHUNKS];
    }
    return &chunk->items[chunk->count++];
}

static dyno_status hear_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_REQUEST;
    item->request = *record;
    return DYNO_OK;
}

static dyno_status hear_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_SAMPLE;
    item->sample = *record;
    return DYNO_OK;
}

static dyno_status hear_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_PLAN;
    item->plan = *record;
    return DYNO_OK;
}

static dyno_status hear_fault(struct dyno_sink *sink, const struct dyno_fault_record *record)
{
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_FAULT;
    item->fault = *record;
    return DYNO_OK;
}

static dyno_status hear_link(struct dyno_sink *sink, const struct dyno_link_record *record)
{
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_LINK;
    item->link = *record;
    return DYNO_OK;
}

static dyno_status hear_decision(struct dyno_sink *sink, const struct dyno_decision_record *record)
{
    uint32_t count = record->candidates ? record->candidate_count : 0; /* NULL: not asked for */
    struct dyno_item *item = next_item(of(sink));

    if (!item) {
        return failure_of(of(sink));
    }
    item->kind = DYNO_ITEM_DECISION;
    item->decision = *record;
    for (uint32_t i = 0; i < count; i += DYNO_ITEM_CANDIDATES_MAX) {
        item = next_item(of(sink));
        if (!item) {
            return failure_of(of(sink));
        }
        dyno_item_candidates(item, record, i);
    }
    return DYNO_OK;
}

/* A slow run has nothing to hand over for a long time; the thread asks for what there is. */
static void hear_progress(struct dyno_sink *sink, dyno_ns now, uint64_t requests_ended)
{
    struct dyno_recorder *recorder = of(sink);

    (void)now;
    (void)requests_ended;
    if (atomic_load_explicit(&recorder->flag, memory_order_relaxed) == FLAG_HUNGRY &&
        recorder->chunks[recorder->handed % CHUNKS].count > 0) {
        hand_over(recorder); /* a failure shows at the next record */
    }
}

dyno_status dyno_recorder_gpu(struct dyno_recorder *recorder, const struct dyno_gpu_record *record)
{
    struct dyno_item *item;

    if (!recorder->store) {
        return DYNO_OK; /* nothing is kept */
    }
    item = next_item(recorder);
    if (!item) {
        return failure_of(recorder);
    }
    item->kind = DYNO_ITEM_GPU;
    item->gpu = *record;
    return DYNO_OK;
}

static const struct dyno_sink_ops record_ops = {
    .name = "recorder",
    .request = hear_request,
    .decision = hear_decision,
    .plan = hear_plan,
    .fault = hear_fault,
    .link = hear_link,
    .sample = hear_sample,
    .progress = hear_progress,
};

static const struct dyno_sink_ops keep_nothing_ops = {.name = "recorder"};

/* Life ------------------------------------------------------------------------------------ */

/* The thread takes no signals: Ctrl-C is the loop's. */
static bool start_thread(struct dyno_recorder *recorder)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&recorder->thread, NULL, record_thread, recorder) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void init_locks(struct dyno_recorder *recorder)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&recorder->mutex, NULL);
    pthread_cond_init(&recorder->handed_over, &monotonic);
    pthread_cond_init(&recorder->given_back, NULL);
    pthread_condattr_destroy(&monotonic);
}

static void release(struct dyno_recorder *recorder)
{
    if (recorder->store) {
        dyno_store_close(recorder->store);
    }
    pthread_cond_destroy(&recorder->handed_over);
    pthread_cond_destroy(&recorder->given_back);
    pthread_mutex_destroy(&recorder->mutex);
    free(recorder->chunks);
    free(recorder);
}

/* Begin to record into the store; on failure the caller releases. */
static dyno_status start(struct dyno_recorder *recorder, struct dyno_error *error)
{
    recorder->chunks = calloc(CHUNKS, sizeof *recorder->chunks);
    if (!recorder->chunks || !start_thread(recorder)) {
        dyno_store_finish(recorder->store, "failed", NULL, NULL, NULL);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or no thread for the recorder");
    }
    recorder->sink.ops = &record_ops;
    return DYNO_OK;
}

dyno_status dyno_recorder_open(struct dyno_recorder **out, const char *path, const char *command,
                               const char *title, const struct dyno_run_option_row *options,
                               uint32_t option_count, struct dyno_error *error)
{
    struct dyno_recorder *recorder = calloc(1, sizeof *recorder);
    dyno_status status = DYNO_OK;

    if (!recorder) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recorder");
    }
    init_locks(recorder);
    recorder->sink.ops = &keep_nothing_ops;
    if (strcmp(path, ":memory:") != 0) {
        status = dyno_run_store_open(&recorder->store, path, command, title, options, option_count,
                                     error);
        if (status == DYNO_OK) {
            status = start(recorder, error);
        }
    }
    if (status != DYNO_OK) {
        release(recorder);
        return status;
    }
    *out = recorder;
    return DYNO_OK;
}

struct dyno_sink *dyno_recorder_sink(struct dyno_recorder *recorder)
{
    return &recorder->sink;
}

int64_t dyno_recorder_run_id(const struct dyno_recorder *recorder)
{
    return recorder->store ? dyno_store_run_id(recorder->store) : 0;
}

sqlite3 *dyno_recorder_database(const struct dyno_recorder *recorder)
{
    return recorder->store ? dyno_store_database(recorder->store) : NULL;
}

/* Let the thread write what is left, and wait for its end. */
static void stop_thread(struct dyno_recorder *recorder)
{
    pthread_mutex_lock(&recorder->mutex);
    if (recorder->failure.status == DYNO_OK &&
        recorder->chunks[recorder->handed % CHUNKS].count > 0) {
        recorder->handed++;
    }
    recorder->closing = true;
    pthread_cond_signal(&recorder->handed_over);
    pthread_mutex_unlock(&recorder->mutex);
    pthread_join(recorder->thread, NULL);
}

static dyno_status finish(struct dyno_recorder *recorder, const struct dyno_report *report,
                          const struct dyno_host_facts *facts, struct dyno_error *error)
{
    stop_thread(recorder);
    if (recorder->failure.status != DYNO_OK) {
        if (error) {
            *error = recorder->failure;
        }
        /* If this fails too the run stays 'running' in the database, which reads as unfinished. */
        dyno_store_finish(recorder->store, "failed", NULL, facts, NULL);
        return recorder->failure.status;
    }
    if (!report) {
        return dyno_store_finish(recorder->store, "failed", NULL, facts, error);
    }
    return dyno_store_finish(recorder->store, report->interrupted ? "interrupted" : "finished",
                             report, facts, error);
}

dyno_status dyno_recorder_close(struct dyno_recorder *recorder, const struct dyno_report *report,
                                const struct dyno_host_facts *facts, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    if (recorder->store) {
        status = finish(recorder, report, facts, error);
    }
    release(recorder);
    return status;
}
