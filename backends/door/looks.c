#include "backends/door/looks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

dyno_status dyno_looks_init(struct dyno_looks *looks, uint32_t worker_count)
{
    *looks = (struct dyno_looks){.worker_count = worker_count};
    (void)pthread_mutex_init(&looks->lock, NULL); /* which cannot fail on Linux */
    looks->samples = calloc(worker_count, sizeof *looks->samples);
    looks->is_sampled = calloc(worker_count, sizeof *looks->is_sampled);
    return looks->samples && looks->is_sampled ? DYNO_OK : DYNO_NO_MEMORY;
}

void dyno_looks_release(struct dyno_looks *looks)
{
    free(looks->samples);
    free(looks->is_sampled);
    (void)pthread_mutex_destroy(&looks->lock);
}

void dyno_looks_leave_sample(struct dyno_looks *looks, const struct dyno_sample_record *record)
{
    assert(record->worker < looks->worker_count);
    (void)pthread_mutex_lock(&looks->lock);
    looks->samples[record->worker] = *record;
    looks->is_sampled[record->worker] = true;
    (void)pthread_mutex_unlock(&looks->lock);
}

static bool changed_nothing(const struct dyno_plan_record *record)
{
    return record->before == record->desired;
}

static void forget_plan(struct dyno_looks *looks, uint32_t index)
{
    looks->plan_count--;
    memmove(looks->plans + index, looks->plans + index + 1,
            (looks->plan_count - index) * sizeof looks->plans[0]);
}

/* The last one of its model and role; plan_count: there is none. */
static uint32_t last_like(const struct dyno_looks *looks, const struct dyno_plan_record *record)
{
    for (uint32_t i = looks->plan_count; i > 0; i--) {
        const struct dyno_plan_record *plan = &looks->plans[i - 1];

        if (plan->model == record->model && strcmp(plan->role, record->role) == 0) {
            return i - 1;
        }
    }
    return looks->plan_count;
}

/* The one before it of its kind goes, if it changed nothing; the oldest, if there is no room. */
void dyno_looks_leave_plan(struct dyno_looks *looks, const struct dyno_plan_record *record)
{
    uint32_t before;

    (void)pthread_mutex_lock(&looks->lock);
    before = last_like(looks, record);
    if (before < looks->plan_count && changed_nothing(&looks->plans[before])) {
        forget_plan(looks, before);
    } else if (looks->plan_count == DYNO_LOOKS_PLANS_MAX) {
        forget_plan(looks, 0);
    }
    looks->plans[looks->plan_count++] = *record;
    (void)pthread_mutex_unlock(&looks->lock);
}

uint32_t dyno_looks_take_samples(struct dyno_looks *looks, struct dyno_sample_record *out)
{
    uint32_t count = 0;

    (void)pthread_mutex_lock(&looks->lock);
    for (uint32_t i = 0; i < looks->worker_count; i++) {
        if (looks->is_sampled[i]) {
            out[count++] = looks->samples[i];
            looks->is_sampled[i] = false;
        }
    }
    (void)pthread_mutex_unlock(&looks->lock);
    return count;
}

uint32_t dyno_looks_take_plans(struct dyno_looks *looks, struct dyno_plan_record *out)
{
    uint32_t count;

    (void)pthread_mutex_lock(&looks->lock);
    count = looks->plan_count;
    memcpy(out, looks->plans, count * sizeof *out);
    looks->plan_count = 0;
    (void)pthread_mutex_unlock(&looks->lock);
    return count;
}
