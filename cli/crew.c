#include "cli/crew.h"

#include <pthread.h>
#include <stdbool.h>

#include "backends/host/allowance.h"

enum { THREADS_MAX = 64 };

struct dyno_crew {
    dyno_crew_task *task;
    void *context;
    uint32_t count;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint32_t next, turn;
    struct dyno_error error; /* the first; status is DYNO_OK while there is none */
};

void dyno_crew_await_turn(struct dyno_crew *crew, uint32_t index)
{
    pthread_mutex_lock(&crew->mutex);
    while (crew->turn != index && crew->error.status == DYNO_OK) {
        pthread_cond_wait(&crew->moved, &crew->mutex);
    }
    pthread_mutex_unlock(&crew->mutex);
}

static void pass_turn(struct dyno_crew *crew, const struct dyno_error *error)
{
    pthread_mutex_lock(&crew->mutex);
    crew->turn++;
    if (error->status != DYNO_OK && crew->error.status == DYNO_OK) {
        crew->error = *error;
    }
    pthread_cond_broadcast(&crew->moved);
    pthread_mutex_unlock(&crew->mutex);
}

static bool take_next(struct dyno_crew *crew, uint32_t *index)
{
    bool is_one;

    pthread_mutex_lock(&crew->mutex);
    is_one = crew->next < crew->count && crew->error.status == DYNO_OK;
    *index = crew->next;
    crew->next += is_one;
    pthread_mutex_unlock(&crew->mutex);
    return is_one;
}

static void *work(void *argument)
{
    struct dyno_crew *crew = argument;
    uint32_t index;

    while (take_next(crew, &index)) {
        struct dyno_error error = {.status = DYNO_OK};
        dyno_status status = crew->task(crew->context, crew, index, &error);

        if (status != DYNO_OK && error.status == DYNO_OK) {
            (void)dyno_fail(&error, status, "a run failed");
        }
        dyno_crew_await_turn(crew, index);
        pass_turn(crew, &error);
    }
    return NULL;
}

uint32_t dyno_crew_size(uint32_t jobs, uint32_t count)
{
    jobs = jobs > 0 ? jobs : dyno_allowed_cores();
    jobs = jobs < count ? jobs : count;
    return jobs < THREADS_MAX ? jobs : THREADS_MAX;
}

dyno_status dyno_crew_run(uint32_t threads, uint32_t count, dyno_crew_task *task, void *context,
                          struct dyno_error *error)
{
    struct dyno_crew crew = {.task = task, .context = context, .count = count};
    pthread_t others[THREADS_MAX];
    uint32_t started = 0;

    (void)pthread_mutex_init(&crew.mutex, NULL);
    (void)pthread_cond_init(&crew.moved, NULL);
    while (started + 1 < threads && started + 1 < THREADS_MAX &&
           pthread_create(&others[started], NULL, work, &crew) == 0) {
        started++;
    }
    (void)work(&crew);
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(others[i], NULL);
    }
    (void)pthread_cond_destroy(&crew.moved);
    (void)pthread_mutex_destroy(&crew.mutex);
    if (crew.error.status != DYNO_OK) {
        *error = crew.error;
    }
    return crew.error.status;
}
