#include "cli/machine/pass_watch.h"

#include <stdlib.h>

#include "cli/values.h"

/* A pass that starts so long after the one before did not follow at once: a turn of the loop with
 * its wakeups takes some tens of microseconds. */
static const dyno_ns pause_ns = DYNO_MS;

/* Further passes are not noted. */
enum { NOTES_MAX = 1 << 20 };

/* A pass that ran. */
struct pass_note {
    struct dyno_machine_work work;
    enum dyno_pass_kind kind;
    uint32_t steps;
    dyno_ns pause;      /* before it; 0: it followed at once */
    double rows_before; /* of decode steps right behind a pass with slices: its rows; else 0 */
    dyno_ns ns;         /* what it took */
};

struct dyno_pass_watch {
    struct pass_note *notes; /* [count] */
    uint32_t count, capacity;
};

/* A worker's pass in flight, and what came before. */
struct flight {
    dyno_ns from;       /* when it began to count */
    dyno_ns ended;      /* when the one before ended; 0: there was none */
    double rows_before; /* of the one before, if it had slices; else 0 */
    struct pass_note note;
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
    return flight->rows_before > 0.0 ? DYNO_PASS_DECODE_FIRST : DYNO_PASS_DECODE;
}

static void watched_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct watched *watched = (struct watched *)device;
    struct flight *flight = &watched->flights[pass->worker];
    dyno_ns gap = now > flight->ended ? now - flight->ended : 0;
    bool pauses = gap >= pause_ns || flight->ended == 0;

    flight->note = (struct pass_note){
        .work = dyno_machine_work_of(pass),
        .kind = kind_of(pass, flight, pauses),
        .pause = pauses ? gap : 0,
        .rows_before = pass->slice_count == 0 && !pauses ? flight->rows_before : 0.0};
    flight->from = pauses ? now : flight->ended;
    watched->device->ops->submit(watched->device, now, pass);
}

/* Without memory what is noted already has to do. */
static void keep(struct dyno_pass_watch *watch, const struct pass_note *note)
{
    struct pass_note *larger;
    uint32_t capacity = watch->capacity > 0 ? 2 * watch->capacity : 1024;

    if (watch->count == watch->capacity) {
        if (watch->count == NOTES_MAX) {
            return;
        }
        larger = realloc(watch->notes, capacity * sizeof *larger);
        if (!larger) {
            return;
        }
        watch->notes = larger;
        watch->capacity = capacity;
    }
    watch->notes[watch->count++] = *note;
}

static double rows_of_slices(const struct pass_note *note)
{
    return note->work.has_slices ? note->work.rows : 0.0;
}

static bool watched_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct watched *watched = (struct watched *)device;
    struct flight *flight;

    if (!watched->device->ops->reap(watched->device, now, out)) {
        return false;
    }
    flight = &watched->flights[out->worker];
    flight->note.steps = out->steps;
    flight->note.ns = out->at > flight->from ? out->at - flight->from : 0;
    keep(watched->watch, &flight->note);
    flight->ended = out->at;
    flight->rows_before = rows_of_slices(&flight->note);
    return true;
}

/* What was cut short is like no pass of the machine's. */
static bool watched_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                         struct dyno_completion *out)
{
    struct watched *watched = (struct watched *)device;
    bool any = watched->device->ops->drop(watched->device, worker, now, out);

    watched->flights[worker].ended = any ? out->at : now;
    watched->flights[worker].rows_before = rows_of_slices(&watched->flights[worker].note);
    return any;
}

/* ---- what a machine would have taken --------------------------------------------------------- */

static double predict_ns(const struct dyno_machine *machine, const struct pass_note *note)
{
    struct dyno_pass_cost cost;

    dyno_machine_work_cost(machine, &note->work, &cost);
    return (double)((note->pause > 0 ? dyno_idle_after(cost.idle, note->pause) : 0) +
                    dyno_step_boundary(0, 0, cost.first, cost.growth, note->steps)) +
           dyno_machine_curve_ns(&machine->behind, note->rows_before);
}

static dyno_status count_kind(const struct dyno_pass_watch *watch,
                              const struct dyno_machine *machine, enum dyno_pass_kind kind,
                              struct dyno_values *errors, struct dyno_pass_class *class)
{
    for (uint32_t i = 0; i < watch->count; i++) {
        const struct pass_note *note = &watch->notes[i];
        double real = (double)note->ns, predicted;

        if (note->kind != kind) {
            continue;
        }
        predicted = predict_ns(machine, note);
        class->passes++;
        class->steps += note->steps;
        class->real_ns += real;
        class->predicted_ns += predicted;
        if (real > 0.0) {
            DYNO_TRY(dyno_values_add(errors, 100.0 * (predicted / real - 1.0)));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_pass_watch_classes(const struct dyno_pass_watch *watch,
                                    const struct dyno_machine *machine,
                                    struct dyno_pass_class out[DYNO_PASS_KINDS])
{
    for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
        struct dyno_values errors = {0};
        dyno_status status;

        out[i] = (struct dyno_pass_class){0};
        status = count_kind(watch, machine, i, &errors, &out[i]);
        if (errors.count > 0) {
            dyno_values_sort(&errors);
            out[i].error = dyno_values_percentile(&errors, 0.5);
        }
        dyno_values_release(&errors);
        DYNO_TRY(status);
    }
    return DYNO_OK;
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

dyno_status dyno_pass_watch_open(struct dyno_pass_watch **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? DYNO_OK : DYNO_NO_MEMORY;
}

void dyno_pass_watch_close(struct dyno_pass_watch *watch)
{
    if (watch) {
        free(watch->notes);
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
