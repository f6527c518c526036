/* A worker with little memory and one with more are started a few times each, in the thread in
 * which they will be; medians count.  Their difference is what bytes take. */
#include "cli/machine/calibrate_starts.h"

#include "cli/machine/median.h"

enum { FEW_BLOCKS = 64, MANY_BLOCKS = 2048, ROUNDS = 5 };

static dyno_status start_once(struct dyno_device *device, const struct dyno_threaded_config *config,
                              double *ns, struct dyno_error *error)
{
    dyno_ns began = config->now(config->clock), now = began;
    enum dyno_threaded_start start;

    dyno_threaded_device_start(device, 0);
    while ((start = dyno_threaded_device_look(device, 0)) == DYNO_THREADED_STARTS) {
        now = config->clock->ops->wait_until(config->clock, DYNO_NEVER);
    }
    *ns = (double)(now - began);
    return start == DYNO_THREADED_STARTED
               ? DYNO_OK
               : dyno_fail(error, DYNO_NO_MEMORY, "a worker could not be started again");
}

/* The median of a few starts. */
static dyno_status measure(const struct dyno_cpu_config *given, uint32_t blocks, double *ns,
                           uint64_t *bytes, struct dyno_error *error)
{
    struct dyno_cpu_config config = *given;
    uint32_t ranks = config.ranks > 1 ? config.ranks : 1;
    struct dyno_device *device;
    double rounds[ROUNDS];
    dyno_status status = DYNO_OK;

    config.blocks = blocks;
    DYNO_TRY(dyno_cpu_device_open(&device, &config, error));
    *bytes = 0;
    for (uint32_t i = 0; i < ranks; i++) {
        *bytes += dyno_cpu_device_storage(device, 0, i)->bytes;
    }
    for (uint32_t i = 0; i < ROUNDS && status == DYNO_OK; i++) {
        status = start_once(device, &config.threaded, &rounds[i], error);
    }
    device->ops->close(device);
    DYNO_TRY(status);
    *ns = dyno_median(rounds, ROUNDS);
    return DYNO_OK;
}

dyno_status dyno_starts_measure(struct dyno_machine *out, const struct dyno_cpu_config *config,
                                struct dyno_error *error)
{
    uint64_t few_bytes, many_bytes;
    double few, many;

    DYNO_TRY(measure(config, FEW_BLOCKS, &few, &few_bytes, error));
    DYNO_TRY(measure(config, MANY_BLOCKS, &many, &many_bytes, error));
    out->start_byte_ns = many > few ? (many - few) / ((double)many_bytes - (double)few_bytes) : 0.0;
    out->start_ns = few - out->start_byte_ns * (double)few_bytes;
    out->start_ns = out->start_ns > 1.0 ? out->start_ns : 1.0;
    return DYNO_OK;
}
