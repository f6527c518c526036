/* Three growing arrays. */
#include "cli/fit/request_listener.h"

#include <stdlib.h>

/* Room for one more element of `size` bytes; NULL: no memory. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    void *larger;

    if (count < *capacity) {
        return array;
    }
    larger = realloc(array, (*capacity ? 2 * *capacity : 256) * size);
    if (larger) {
        *capacity = *capacity ? 2 * *capacity : 256;
    }
    return larger;
}

static dyno_status hear_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;
    struct dyno_request_record *records = grow(listener->records, listener->record_count,
                                               &listener->record_capacity, sizeof *records);

    if (!records) {
        return DYNO_NO_MEMORY;
    }
    listener->records = records;
    records[listener->record_count++] = *record;
    return DYNO_OK;
}

static dyno_status hear_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;
    struct dyno_sample_record *samples;

    if (record->worker != 0) {
        return DYNO_OK;
    }
    samples = grow(listener->samples, listener->sample_count, &listener->sample_capacity,
                   sizeof *samples);
    if (!samples) {
        return DYNO_NO_MEMORY;
    }
    listener->samples = samples;
    samples[listener->sample_count++] = *record;
    return DYNO_OK;
}

static dyno_status hear_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;
    struct dyno_plan_record *plans =
        grow(listener->plans, listener->plan_count, &listener->plan_capacity, sizeof *plans);

    if (!plans) {
        return DYNO_NO_MEMORY;
    }
    listener->plans = plans;
    plans[listener->plan_count++] = *record;
    return DYNO_OK;
}

static const struct dyno_sink_ops listener_ops = {
    .name = "listener",
    .request = hear_request,
    .plan = hear_plan,
    .sample = hear_sample,
};

void dyno_listener_init(struct dyno_listener *listener)
{
    *listener = (struct dyno_listener){.sink = {.ops = &listener_ops}};
}

void dyno_listener_release(struct dyno_listener *listener)
{
    free(listener->records);
    free(listener->samples);
    free(listener->plans);
    dyno_listener_init(listener);
}

static int by_id(const void *a, const void *b)
{
    const struct dyno_request_record *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

void dyno_listener_sort(struct dyno_listener *listener)
{
    qsort(listener->records, listener->record_count, sizeof *listener->records, by_id);
}
