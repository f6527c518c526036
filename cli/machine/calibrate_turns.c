/* A short replay runs through the loop that serves, and whoever stands before its device notes how
 * late a pass is submitted: after the pass before it had ended, by the device's stamp, where that
 * is why the loop woke; or after the turn had begun, where the loop had rested.  What moves blocks
 * is sent in the same turns, a little before.  Medians count. */
#include "cli/machine/calibrate_turns.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "cli/assembly/assembly.h"
#include "cli/machine/median.h"

enum { REQUESTS = 60, WORDS_MAX = 32, SAMPLES_MAX = 4096 };

struct samples {
    double ns[SAMPLES_MAX];
    uint32_t count;
};

/* Before the device; what it hands on is the device's own. */
struct spy {
    const struct dyno_device_ops *real;
    struct dyno_device_ops ops;
    const struct dyno_clock *clock;
    dyno_ns reaped_at, ended;         /* when the loop learnt of the last pass, and its end */
    struct samples *follows, *breaks; /* of passes that follow one, and of those after a rest */
};

static struct spy *spy_of(const struct dyno_device *device)
{
    return (struct spy *)(uintptr_t)((const char *)device->ops - offsetof(struct spy, ops));
}

static void add(struct samples *samples, double ns)
{
    if (samples->count < SAMPLES_MAX) {
        samples->ns[samples->count++] = ns;
    }
}

static void spy_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct spy *spy = spy_of(device);
    dyno_ns sent = dyno_wall_clock_now(spy->clock);

    if (spy->ended > 0 && spy->reaped_at == now) {
        add(spy->follows, (double)(sent - spy->ended));
    } else if (now >= spy->ended + DYNO_MS) {
        add(spy->breaks, (double)(sent - now));
    }
    spy->real->submit(device, now, pass);
}

static bool spy_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct spy *spy = spy_of(device);

    if (!spy->real->reap(device, now, out)) {
        return false;
    }
    spy->reaped_at = now;
    spy->ended = out->at;
    return true;
}

static dyno_status stand_before(void *context, struct dyno_assembly *assembly,
                                struct dyno_error *error)
{
    struct spy *spy = context;

    (void)error;
    spy->real = assembly->device->ops;
    spy->ops = *spy->real;
    spy->ops.submit = spy_submit;
    spy->ops.reap = spy_reap;
    spy->clock = assembly->clock;
    assembly->device->ops = &spy->ops;
    return DYNO_OK;
}

static dyno_status run(struct spy *spy, const struct dyno_measure_config *config,
                       struct dyno_error *error)
{
    char line[512], *words[WORDS_MAX], *rest = NULL, *word, *model = strdup(config->model);
    struct dyno_assembly assembly = {.put_before = stand_before, .before_context = spy};
    struct dyno_scenario scenario;
    struct dyno_options options;
    enum dyno_scenario_ask ask;
    dyno_status status;
    int count = 0;

    if (!model) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)snprintf(line, sizeof line,
                   "replay --device cpu --threads %u --tp %u --arrival poisson:20 --requests %d "
                   "--input-tokens 60 --output-tokens 20 --db none --progress=false --model",
                   config->threads, config->ranks, REQUESTS);
    for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    words[count++] = model;
    status = dyno_scenario_load(&scenario, &options, count, words, &ask, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_open(&assembly, &scenario, NULL, NULL, 0, error);
        if (status == DYNO_OK) {
            status = dyno_assembly_run(&assembly, error);
            dyno_assembly_close(&assembly);
        }
        dyno_options_close(&options);
    }
    free(model);
    return status;
}

dyno_status dyno_turns_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                               struct dyno_error *error)
{
    struct samples *samples = calloc(2, sizeof *samples);
    struct spy spy = {.follows = samples, .breaks = samples ? samples + 1 : NULL};
    dyno_status status;

    if (!samples) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = run(&spy, config, error);
    if (status == DYNO_OK) {
        out->sent_ns = dyno_median(spy.follows->ns, spy.follows->count);
        out->sent_after_pause_ns = dyno_median(spy.breaks->ns, spy.breaks->count);
    }
    free(samples);
    return status;
}
