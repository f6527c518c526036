/* Starts of the workers of a stage: what a roster's starter does, in their devices' threads. */
#ifndef DYNO_TESTS_SYSTEM_LIVE_STARTS_H
#define DYNO_TESTS_SYSTEM_LIVE_STARTS_H

#include "backends/engine/threaded.h"
#include "core/run/roster.h"

/* Whose workers a roster has: of one device, and perhaps behind them those of another. */
struct live_starting {
    struct dyno_device **devices[2];
    uint32_t first_behind;
};

static inline struct dyno_device *device_of(const struct live_starting *starting, uint32_t *worker)
{
    if (*worker < starting->first_behind) {
        return *starting->devices[0];
    }
    *worker -= starting->first_behind;
    return *starting->devices[1];
}

static inline void begin_start(void *context, uint32_t worker)
{
    struct dyno_device *device = device_of(context, &worker);

    dyno_threaded_device_start(device, worker);
}

static inline enum dyno_start look_at_start(void *context, uint32_t worker)
{
    struct dyno_device *device = device_of(context, &worker);

    switch (dyno_threaded_device_look(device, worker)) {
    case DYNO_THREADED_STARTED:
        return DYNO_START_DONE;
    case DYNO_THREADED_FAILED:
        return DYNO_START_FAILED;
    default:
        return DYNO_START_GOES_ON;
    }
}

static inline void begin_stop(void *context, uint32_t worker)
{
    struct dyno_device *device = device_of(context, &worker);

    dyno_threaded_device_stop(device, worker);
}

#endif
