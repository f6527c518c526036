#include "backends/engine/rank_threads.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct rank {
    struct dyno_rank_threads *all;
    pthread_t thread; /* of rank 1 and on */
};

struct dyno_rank_threads {
    struct dyno_rank_threads_config config;
    uint32_t started; /* threads, ranks - 1 once it is open */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    uint64_t works;   /* begun */
    uint32_t working; /* of the threads, in this one */
    bool ending;
    const void *work;
    struct rank rank[]; /* [ranks] */
};

/* The work after the first `works`, once it has begun; false: there will be none. */
static bool await_work(struct dyno_rank_threads *threads, uint64_t works)
{
    bool begun;

    pthread_mutex_lock(&threads->lock);
    while (threads->works == works && !threads->ending) {
        pthread_cond_wait(&threads->changed, &threads->lock);
    }
    begun = threads->works > works;
    pthread_mutex_unlock(&threads->lock);
    return begun;
}

static void end_part(struct dyno_rank_threads *threads)
{
    pthread_mutex_lock(&threads->lock);
    if (--threads->working == 0) {
        pthread_cond_broadcast(&threads->changed);
    }
    pthread_mutex_unlock(&threads->lock);
}

static void *run_thread(void *argument)
{
    const struct rank *rank = argument;
    struct dyno_rank_threads *threads = rank->all;
    const struct dyno_rank_threads_config *config = &threads->config;

    for (uint64_t works = 0; await_work(threads, works); works++) {
        config->part(config->context, (uint32_t)(rank - threads->rank), threads->work);
        end_part(threads);
    }
    return NULL;
}

static void begin(struct dyno_rank_threads *threads, const void *work)
{
    pthread_mutex_lock(&threads->lock);
    threads->work = work;
    threads->working = threads->config.ranks - 1;
    threads->works++;
    pthread_cond_broadcast(&threads->changed);
    pthread_mutex_unlock(&threads->lock);
}

static void await_others(struct dyno_rank_threads *threads)
{
    pthread_mutex_lock(&threads->lock);
    while (threads->working > 0) {
        pthread_cond_wait(&threads->changed, &threads->lock);
    }
    pthread_mutex_unlock(&threads->lock);
}

void dyno_rank_threads_run(struct dyno_rank_threads *threads, const void *work)
{
    const struct dyno_rank_threads_config *config = &threads->config;
    bool shared = config->ranks > 1;

    if (shared) {
        begin(threads, work);
    }
    config->part(config->context, 0, work);
    if (shared) {
        await_others(threads);
    }
}

void dyno_rank_threads_close(struct dyno_rank_threads *threads)
{
    if (!threads) {
        return;
    }
    pthread_mutex_lock(&threads->lock);
    threads->ending = true;
    pthread_cond_broadcast(&threads->changed);
    pthread_mutex_unlock(&threads->lock);
    for (uint32_t i = 1; i <= threads->started; i++) {
        pthread_join(threads->rank[i].thread, NULL);
    }
    pthread_cond_destroy(&threads->changed);
    pthread_mutex_destroy(&threads->lock);
    free(threads);
}

static dyno_status start(struct dyno_rank_threads *threads, struct dyno_error *error)
{
    uint32_t ranks = threads->config.ranks;

    while (threads->started + 1 < ranks) {
        struct rank *rank = &threads->rank[threads->started + 1];

        if (pthread_create(&rank->thread, NULL, run_thread, rank) != 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "the threads of %u ranks cannot be started",
                             ranks);
        }
        threads->started++;
    }
    return DYNO_OK;
}

dyno_status dyno_rank_threads_open(struct dyno_rank_threads **out,
                                   const struct dyno_rank_threads_config *config,
                                   struct dyno_error *error)
{
    struct dyno_rank_threads *threads =
        calloc(1, sizeof *threads + config->ranks * sizeof threads->rank[0]);
    dyno_status status;

    if (!threads) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", config->ranks);
    }
    threads->config = *config;
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->changed, NULL);
    for (uint32_t i = 0; i < config->ranks; i++) {
        threads->rank[i].all = threads;
    }
    status = start(threads, error);
    if (status != DYNO_OK) {
        dyno_rank_threads_close(threads);
        return status;
    }
    *out = threads;
    return DYNO_OK;
}
