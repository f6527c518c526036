#include "cli/assembly/starting.h"

#include "backends/engine/threaded.h"

/* Whose worker it is, and what that calls it. */
static struct dyno_device *device_of(const struct dyno_starting_of *of, uint32_t worker,
                                     uint32_t *index)
{
    bool is_behind = worker >= of->first_behind;

    *index = is_behind ? worker - of->first_behind : worker;
    return of->devices[is_behind];
}

static void start(void *context, uint32_t worker)
{
    uint32_t index;
    struct dyno_device *device = device_of(context, worker, &index);

    dyno_threaded_device_start(device, index);
}

static enum dyno_start look(void *context, uint32_t worker)
{
    uint32_t index;
    struct dyno_device *device = device_of(context, worker, &index);

    switch (dyno_threaded_device_look(device, index)) {
    case DYNO_THREADED_STARTED:
        return DYNO_START_DONE;
    case DYNO_THREADED_FAILED:
        return DYNO_START_FAILED;
    default:
        return DYNO_START_GOES_ON;
    }
}

static void stop(void *context, uint32_t worker)
{
    uint32_t index;
    struct dyno_device *device = device_of(context, worker, &index);

    dyno_threaded_device_stop(device, index);
}

static struct dyno_starter starter_of(struct dyno_starting_of *of)
{
    return (struct dyno_starter){.start = start, .look = look, .stop = stop, .context = of};
}

void dyno_starting_init(struct dyno_starting *starting, struct dyno_device *device,
                        struct dyno_device *behind, uint32_t first_behind)
{
    starting->all = (struct dyno_starting_of){{device, behind}, first_behind};
    starting->behind = (struct dyno_starting_of){{NULL, behind}, 0};
    starting->starter = starter_of(&starting->all);
    starting->starter_behind = starter_of(&starting->behind);
}
