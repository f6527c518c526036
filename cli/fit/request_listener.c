/* Three growing arrays. */
#include "cli/fit/request_listener.h"

#include <stdlib.h>

#include "core/base/array.h"

static dyno_status hear_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;

    if (!dyno_array_reserve(&listener->records, &listener->record_capacity,
                            listener->record_count + 1, sizeof *listener->records)) {
        return DYNO_NO_MEMORY;
    }
    listener->records[listener->record_count++] = *record;
    return DYNO_OK;
}

static dyno_status hear_sample(struct dyno_sink *sink, const struct dyno_sample_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;

    if (record->worker != 0) {
        return DYNO_OK;
    }
    if (!dyno_array_reserve(&listener->samples, &listener->sample_capacity,
                            listener->sample_count + 1, sizeof *listener->samples)) {
        return DYNO_NO_MEMORY;
    }
    listener->samples[listener->sample_count++] = *record;
    return DYNO_OK;
}

static dyno_status hear_plan(struct dyno_sink *sink, const struct dyno_plan_record *record)
{
    struct dyno_listener *listener = (struct dyno_listener *)(void *)sink;

    if (!dyno_array_reserve(&listener->plans, &listener->plan_capacity, listener->plan_count + 1,
                            sizeof *listener->plans)) {
        return DYNO_NO_MEMORY;
    }
    listener->plans[listener->plan_count++] = *record;
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
    if (listener->record_count > 0) {
        qsort(listener->records, listener->record_count, sizeof *listener->records, by_id);
    }
}
