#include "sim/machine.h"

#include <math.h>

#include "sim/answers.h"

static const double hour_ns = 3.6e12;

static bool is_time(double ns)
{
    return isfinite(ns) && ns >= 0.0 && ns <= hour_ns;
}

static dyno_status check_curve(const struct dyno_machine_curve *curve, const char *name,
                               struct dyno_error *error)
{
    if (curve->count == 0 || curve->count > DYNO_MACHINE_POINTS_MAX || curve->at[0] != 1) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: a curve has 1 to %d points, and its first is at 1", name,
                         DYNO_MACHINE_POINTS_MAX);
    }
    for (uint32_t i = 0; i < curve->count; i++) {
        if (i > 0 && curve->at[i] <= curve->at[i - 1]) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s: %u stands after %u; counts must increase",
                             name, curve->at[i], curve->at[i - 1]);
        }
        if (!is_time(curve->ns[i])) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s: at %u the time is %g ns; expected 0 to an hour", name,
                             curve->at[i], curve->ns[i]);
        }
    }
    return DYNO_OK;
}

static dyno_status check_disk(const struct dyno_machine *machine, struct dyno_error *error)
{
    if (!is_time(machine->disk_write_byte_ns) || !is_time(machine->disk_write_ns) ||
        !is_time(machine->disk_read_byte_ns) || !is_time(machine->disk_read_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "disk_write_byte_ns is %g, disk_write_ns %g, disk_read_byte_ns %g and "
                         "disk_read_ns %g; expected 0 to an hour each",
                         machine->disk_write_byte_ns, machine->disk_write_ns,
                         machine->disk_read_byte_ns, machine->disk_read_ns);
    }
    if ((machine->disk_write_byte_ns > 0.0) != (machine->disk_read_byte_ns > 0.0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "disk_write_byte_ns is %g and disk_read_byte_ns %g; expected both or "
                         "neither above 0",
                         machine->disk_write_byte_ns, machine->disk_read_byte_ns);
    }
    return DYNO_OK;
}

dyno_status dyno_machine_check(const struct dyno_machine *machine, struct dyno_error *error)
{
    DYNO_TRY(check_curve(&machine->rows, "rows", error));
    DYNO_TRY(check_curve(&machine->yields, "yields", error));
    if (machine->idle.count > 0) {
        DYNO_TRY(check_curve(&machine->idle, "idle", error));
    }
    if (machine->behind.count > 0) {
        DYNO_TRY(check_curve(&machine->behind, "behind", error));
    }
    if (!is_time(machine->pair_ns) || !is_time(machine->context_ns) || !is_time(machine->pass_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "pair_ns is %g, context_ns %g and pass_ns %g; expected 0 to an hour each",
                         machine->pair_ns, machine->context_ns, machine->pass_ns);
    }
    if (!is_time(machine->context_far_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "context_far_ns is %g; expected 0 to an hour",
                         machine->context_far_ns);
    }
    if (!is_time(machine->far_byte_ns) || !is_time(machine->far_ns) ||
        !is_time(machine->far_pass_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "far_byte_ns is %g, far_ns %g and far_pass_ns %g; expected 0 to an hour "
                         "each",
                         machine->far_byte_ns, machine->far_ns, machine->far_pass_ns);
    }
    if (!is_time(machine->start_byte_ns) || !is_time(machine->start_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "start_byte_ns is %g and start_ns %g; expected 0 to an hour each",
                         machine->start_byte_ns, machine->start_ns);
    }
    if (!is_time(machine->copy_byte_ns) || !is_time(machine->copy_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "copy_byte_ns is %g and copy_ns %g; expected 0 to an hour each",
                         machine->copy_byte_ns, machine->copy_ns);
    }
    if (!is_time(machine->sent_ns) || !is_time(machine->sent_after_pause_ns)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "sent_ns is %g and sent_after_pause_ns %g; expected 0 to an hour each",
                         machine->sent_ns, machine->sent_after_pause_ns);
    }
    return check_disk(machine, error);
}

double dyno_machine_curve_ns(const struct dyno_machine_curve *curve, double count)
{
    uint32_t i = 1;
    double slope, ns;

    if (count <= 0.0 || curve->count == 0) {
        return 0.0;
    }
    if (curve->count == 1) {
        return curve->ns[0] * count;
    }
    while (i + 1 < curve->count && count > curve->at[i]) {
        i++;
    }
    slope = (curve->ns[i] - curve->ns[i - 1]) / (curve->at[i] - curve->at[i - 1]);
    ns = curve->ns[i] + slope * (count - curve->at[i]);
    return ns > 0.0 ? ns : 0.0;
}

/* At most an hour: beyond what was measured a curve may rise without end. */
static double within_hour(double ns)
{
    return ns < hour_ns ? ns : hour_ns;
}

/* What the decode steps of a pass read: of the first one, and more for each that follows, for as
 * many as that holds. */
static double context_cost(const struct dyno_machine *machine, const struct dyno_machine_work *work,
                           struct dyno_pass_cost *out)
{
    uint64_t tokens = work->context, near = tokens;
    double slope = machine->context_ns;

    out->steps_max = UINT32_MAX;
    if (machine->context_near > 0 && tokens > machine->context_near) {
        near = machine->context_near;
        slope = machine->context_far_ns;
    } else if (machine->context_near > 0 && work->decodes > 0) {
        out->steps_max = (uint32_t)((machine->context_near - tokens) / work->decodes) + 1;
    }
    out->growth = (uint64_t)(within_hour(slope * work->decodes) * (double)DYNO_TICKS_PER_NS);
    return machine->context_ns * (double)near + slope * (double)(tokens - near);
}

struct dyno_machine_work dyno_machine_work_of(const struct dyno_pass *pass)
{
    struct dyno_machine_work work = {.rows = pass->decode_count,
                                     .yields = pass->decode_count,
                                     .context = pass->decode_context,
                                     .decodes = pass->decode_count,
                                     .has_slices = pass->slice_count > 0};

    for (uint32_t i = 0; i < pass->slice_count; i++) {
        double tokens = pass->slices[i].tokens;

        work.rows += tokens;
        work.yields += pass->slices[i].yields;
        work.pairs += tokens * pass->slices[i].first + tokens * (tokens + 1.0) / 2.0;
    }
    return work;
}

void dyno_machine_work_cost(const struct dyno_machine *machine,
                            const struct dyno_machine_work *work, struct dyno_pass_cost *out)
{
    double ns = dyno_machine_curve_ns(&machine->rows, work->rows) +
                dyno_machine_curve_ns(&machine->yields, work->yields) +
                machine->pair_ns * work->pairs + context_cost(machine, work, out) +
                machine->pass_ns / (work->has_slices ? 1 : DYNO_MACHINE_PASS_STEPS) +
                machine->step_ns;

    out->first = (uint64_t)(within_hour(ns < 1.0 ? 1.0 : ns) * (double)DYNO_TICKS_PER_NS);
    out->idle = (dyno_ns)within_hour(dyno_machine_curve_ns(&machine->idle, work->rows));
    out->behind = work->has_slices
                      ? (dyno_ns)within_hour(dyno_machine_curve_ns(&machine->behind, work->rows))
                      : 0;
}

void dyno_machine_cost(const struct dyno_machine *machine, const struct dyno_pass *pass,
                       struct dyno_pass_cost *out)
{
    const struct dyno_machine_work work = dyno_machine_work_of(pass);

    dyno_machine_work_cost(machine, &work, out);
}

static void cost(const void *context, const struct dyno_pass *pass, struct dyno_pass_cost *out)
{
    dyno_machine_cost(context, pass, out);
}

dyno_status dyno_machine_open(struct dyno_device **out, uint32_t worker_count,
                              const struct dyno_machine *machine, struct dyno_answers *answers)
{
    return dyno_paced_device_open(out, &(struct dyno_paced_config){
                                           .name = "machine",
                                           .help = "a simulated machine that was measured",
                                           .worker_count = worker_count,
                                           .cost = cost,
                                           .cost_context = machine,
                                           .answer = dyno_answers_get,
                                           .answer_context = answers,
                                       });
}
