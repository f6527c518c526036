#include "backends/nvml/watch.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct dyno_nvml_watch {
    struct dyno_nvml *nvml; /* the thread's alone, but for what does not change */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t stop;
    bool stops;
    struct dyno_nvml_state latest[DYNO_NVML_GPUS_MAX];
};

static void look(struct dyno_nvml_watch *watch)
{
    for (uint32_t i = 0; i < dyno_nvml_gpu_count(watch->nvml); i++) {
        struct dyno_nvml_state state;

        dyno_nvml_look(watch->nvml, i, &state);
        pthread_mutex_lock(&watch->lock);
        watch->latest[i] = state;
        pthread_mutex_unlock(&watch->lock);
    }
}

/* A second's rest, or less if the watch is to end; false: it is. */
static bool rest(struct dyno_nvml_watch *watch)
{
    struct timespec until;
    bool goes_on;
    int status = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stops && status == 0) {
        status = pthread_cond_timedwait(&watch->stop, &watch->lock, &until);
    }
    goes_on = !watch->stops;
    pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *run(void *argument)
{
    struct dyno_nvml_watch *watch = argument;

    while (rest(watch)) {
        look(watch);
    }
    return NULL;
}

static void init_lock(struct dyno_nvml_watch *watch)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watch->lock, NULL);
}

static void release(struct dyno_nvml_watch *watch)
{
    dyno_nvml_close(watch->nvml);
    pthread_cond_destroy(&watch->stop);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

dyno_status dyno_nvml_watch_open(struct dyno_nvml_watch **out, struct dyno_error *error)
{
    struct dyno_nvml_watch *watch = calloc(1, sizeof(*watch));
    dyno_status status;

    if (!watch) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    init_lock(watch);
    status = dyno_nvml_open(&watch->nvml, error);
    if (status == DYNO_OK) {
        look(watch);
        if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
            status = dyno_fail(error, DYNO_NO_MEMORY, "no thread to watch GPUs");
        }
    }
    if (status != DYNO_OK) {
        release(watch);
        return status;
    }
    *out = watch;
    return DYNO_OK;
}

void dyno_nvml_watch_close(struct dyno_nvml_watch *watch)
{
    if (!watch) {
        return;
    }
    pthread_mutex_lock(&watch->lock);
    watch->stops = true;
    pthread_cond_signal(&watch->stop);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    release(watch);
}

uint32_t dyno_nvml_watch_count(const struct dyno_nvml_watch *watch)
{
    return dyno_nvml_gpu_count(watch->nvml);
}

const struct dyno_nvml_gpu *dyno_nvml_watch_gpu(const struct dyno_nvml_watch *watch, uint32_t index)
{
    return dyno_nvml_gpu(watch->nvml, index);
}

void dyno_nvml_watch_latest(struct dyno_nvml_watch *watch, uint32_t index,
                            struct dyno_nvml_state *out)
{
    assert(index < dyno_nvml_gpu_count(watch->nvml));
    pthread_mutex_lock(&watch->lock);
    *out = watch->latest[index];
    pthread_mutex_unlock(&watch->lock);
}
