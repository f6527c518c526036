#include "cli/machine/pass_watch.h"

#include <stdlib.h>

#include "cli/values.h"

/* A pass that starts so long after the one before did not follow at once: a turn of the loop with
 * its wakeups takes some tens of microseconds. */
static const dyno_ns pause_ns = DYNO_MS;

/* Passes of a kind whose own error is kept; further ones count in the sums alone. */
enum { ERRORS_MAX = 1 << 20 };

struct dyno_pass_watch {
    const struct dyno_machine *machine;
    struct dyno_pass_class classes[DYNO_PASS_KINDS];
    struct dyno_values errors[DYNO_PASS_KINDS];
};

/* A worker's pass in flight, and what came before. */
struct flight {
    dyno_ns from;       /* when it began to count */
    dyno_ns ended;      /* when the one before ended; 0: there was none */
    bool behind_prompt; /* the one before had slices */
    bool has_slices;
    enum dyno_pass_kind kind;
    struct dyno_pass_cost cost;
};

struct watched {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_device *device;
    struct dyno_pass_watch *watch;
    struct flight *flights; /* [worker_count] */
};

const char *dyno_pass_kind_name(enum dyno_pass_kind kind)
{
    static const char *const names[DYNO_PASS_KINDS] = {"prompt_after_pause", "prompt",
                                                       "decode_first", "decode"};

    return names[kind];
}

static struct dyno_device *behind(const struct dyno_device *device)
{
    return ((const struct watched *)device)->device;
}

/* ---- what is noted --------------------------------------------------------------------------- */

static enum dyno_pass_kind kind_of(const struct dyno_pass *pass, const struct flight *flight,
                                   bool pauses)
{
    if (pass->slice_count > 0) {
        return pauses ? DYNO_PASS_PROMPT_AFTER_PAUSE : DYNO_PASS_PROMPT;
    }
    return flight->behind_prompt ? DYNO_PASS_DECODE_FIRST : DYNO_PASS_DECODE;
}

static void watched_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct watched *watched = (struct watched *)device;
    struct flight *flight = &watched->flights[pass->worker];
    dyno_ns gap = now > flight->ended ? now - flight->ended : 0;
    bool pauses = gap >= pause_ns || flight->ended == 0;

    dyno_machine_cost(watched->watch->machine, pass, &flight->cost);
    flight->cost.idle = pauses ? dyno_idle_after(flight->cost.idle, gap) : 0;
    flight->kind = kind_of(pass, flight, pauses);
    flight->has_slices = pass->slice_count > 0;
    flight->from = pauses ? now : flight->ended;
    watched->device->ops->submit(watched->device, now, pass);
}

static void note(struct dyno_pass_watch *watch, const struct flight *flight,
                 const struct dyno_completion *done)
{
    struct dyno_pass_class *class = &watch->classes[flight->kind];
    struct dyno_values *errors = &watch->errors[flight->kind];
    double real = (double)(done->at - flight->from);
    double predicted =
        (double)(flight->cost.idle +
                 dyno_step_boundary(0, 0, flight->cost.first, flight->cost.growth, done->steps));

    class->passes++;
    class->steps += done->steps;
    class->real_ns += real;
    class->predicted_ns += predicted;
    if (real > 0.0 && errors->count < ERRORS_MAX) { /* without memory the sums alone go on */
        (void)dyno_values_add(errors, 100.0 * (predicted / real - 1.0));
    }
}

static bool watched_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct watched *watched = (struct watched *)device;
    struct flight *flight;

    if (!watched->device->ops->reap(watched->device, now, out)) {
        return false;
    }
    flight = &watched->flights[out->worker];
    note(watched->watch, flight, out);
    flight->ended = out->at;
    flight->behind_prompt = flight->has_slices;
    return true;
}

/* What was cut short is like no pass of the machine's. */
static bool watched_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                         struct dyno_completion *out)
{
    struct watched *watched = (struct watched *)device;
    bool any = watched->device->ops->drop(watched->device, worker, now, out);

    watched->flights[worker].ended = any ? out->at : now;
    watched->flights[worker].behind_prompt = watched->flights[worker].has_slices;
    return any;
}

void dyno_pass_watch_classes(struct dyno_pass_watch *watch,
                             struct dyno_pass_class out[DYNO_PASS_KINDS])
{
    for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
        out[i] = watch->classes[i];
        if (watch->errors[i].count > 0) {
            dyno_values_sort(&watch->errors[i]);
            out[i].error = dyno_values_percentile(&watch->errors[i], 0.5);
        }
    }
}

/* ---- what is handed on ----------------------------------------------------------------------- */

static void watched_open(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                         uint32_t generated, uint32_t tokens_max)
{
    behind(device)->ops->open(behind(device), worker, slot, id, generated, tokens_max);
}

static void watched_join(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    behind(device)->ops->join(behind(device), worker, slot);
}

static void watched_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    behind(device)->ops->shut(behind(device), worker, slot);
}

static void watched_stop(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further)
{
    behind(device)->ops->stop(behind(device), worker, now, further);
}

static void watched_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                             uint32_t *started, uint32_t *completed)
{
    behind(device)->ops->progress(behind(device), worker, now, started, completed);
}

static dyno_ns watched_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    return behind(device)->ops->step_start(behind(device), worker, step);
}

static dyno_ns watched_next(const struct dyno_device *device)
{
    return behind(device)->ops->next(behind(device));
}

static dyno_ns watched_predict(const struct dyno_device *device, const struct dyno_pass *pass)
{
    return behind(device)->ops->predict(behind(device), pass);
}

static dyno_ns watched_quiesce(struct dyno_device *device)
{
    return behind(device)->ops->quiesce(behind(device));
}

static void watched_close(struct dyno_device *device)
{
    struct watched *watched = (struct watched *)device;

    watched->device->ops->close(watched->device);
    free(watched->flights);
    free(watched);
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_pass_watch_open(struct dyno_pass_watch **out, const struct dyno_machine *machine)
{
    struct dyno_pass_watch *watch = calloc(1, sizeof *watch);

    if (!watch) {
        return DYNO_NO_MEMORY;
    }
    watch->machine = machine;
    *out = watch;
    return DYNO_OK;
}

void dyno_pass_watch_close(struct dyno_pass_watch *watch)
{
    if (watch) {
        for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
            dyno_values_release(&watch->errors[i]);
        }
        free(watch);
    }
}

dyno_status dyno_pass_watch_before(struct dyno_device **out, struct dyno_pass_watch *watch,
                                   struct dyno_device *device, uint32_t worker_count)
{
    struct watched *watched = calloc(1, sizeof *watched);
    struct flight *flights = calloc(worker_count, sizeof *flights);
    const struct dyno_device_ops *ops = device->ops;

    if (!watched || !flights) {
        free(watched);
        free(flights);
        return DYNO_NO_MEMORY;
    }
    *watched = (struct watched){.device = device, .watch = watch, .flights = flights};
    watched->ops = (struct dyno_device_ops){.name = ops->name,
                                            .help = ops->help,
                                            .stores_kv = ops->stores_kv,
                                            .is_real = ops->is_real,
                                            .open = watched_open,
                                            .join = ops->join ? watched_join : NULL,
                                            .shut = watched_shut,
                                            .submit = watched_submit,
                                            .stop = watched_stop,
                                            .progress = watched_progress,
                                            .step_start = watched_step_start,
                                            .reap = watched_reap,
                                            .next = watched_next,
                                            .predict = ops->predict ? watched_predict : NULL,
                                            .drop = ops->drop ? watched_drop : NULL,
                                            .quiesce = ops->quiesce ? watched_quiesce : NULL,
                                            .close = watched_close};
    watched->base.ops = &watched->ops;
    *out = &watched->base;
    return DYNO_OK;
}
