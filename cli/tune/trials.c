/* Trials are run: each a simulation of its own, on a thread; those that the database has are not.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/run_frame.h"
#include "cli/crew.h"
#include "cli/scenario/command_line.h"
#include "cli/tune/tune.h"
#include "core/base/units.h"

enum { SETTINGS_TEXT_MAX = 4096 };

/* ---- what a trial sets ----------------------------------------------------------------------- */

/* Which requests: "trace.requests=100", "trace.skip=300", "generate.duration=1min".  Returns how
 * many settings those are. */
static uint32_t part_settings(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                              char out[2][64])
{
    const struct dyno_tune_part *part = trial->is_held_out ? &tune->held_out : &tune->tuned;
    char duration[DYNO_UNITS_TEXT_MAX];
    uint64_t requests = (uint64_t)((double)part->requests * trial->share + 0.5);
    uint32_t count = 0;

    if (part->requests > 0) {
        (void)snprintf(out[count++], 64, "trace.requests=%" PRIu64, requests > 0 ? requests : 1);
    } else {
        dyno_print_duration(duration, (dyno_ns)((double)part->duration_ns * trial->share + 0.5));
        (void)snprintf(out[count++], 64, "generate.duration=%s", duration);
    }
    if (tune->trace) {
        (void)snprintf(out[count++], 64, "trace.skip=%" PRIu64, part->skip);
    }
    return count;
}

char *dyno_tune_settings(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                         uint64_t seed)
{
    char *text = malloc(SETTINGS_TEXT_MAX), parts[2][64];
    uint32_t count = part_settings(tune, trial, parts);
    size_t used;

    if (!text) {
        return NULL;
    }
    *text = '\0';
    if (trial->number > 0) {
        dyno_tune_point_print(&tune->space, &trial->point, text, SETTINGS_TEXT_MAX);
    }
    used = strlen(text);
    for (uint32_t i = 0; i < count && used < SETTINGS_TEXT_MAX; i++) {
        used += (size_t)snprintf(text + used, SETTINGS_TEXT_MAX - used, "%s%s", used ? " " : "",
                                 parts[i]);
    }
    if (used < SETTINGS_TEXT_MAX) {
        (void)snprintf(text + used, SETTINGS_TEXT_MAX - used, " run.seed=%" PRIu64, seed);
    }
    return text;
}

dyno_status dyno_tune_arm(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                          struct dyno_arm *arm)
{
    char parts[2][64];
    uint32_t count = part_settings(tune, trial, parts);
    bool is_whole = true;

    for (uint32_t i = 0; trial->number > 0 && i < tune->space.count; i++) {
        char **setting = &arm->settings[arm->setting_count++];

        is_whole = asprintf(setting, "%s=%s", tune->space.items[i].row->name,
                            trial->point.values[i]) >= 0 &&
                   is_whole;
    }
    for (uint32_t i = 0; i < count; i++) {
        char **setting = &arm->settings[arm->setting_count++];

        is_whole = asprintf(setting, "%s", parts[i]) >= 0 && is_whole;
    }
    return is_whole ? DYNO_OK : DYNO_NO_MEMORY;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* A run, and what it came to. */
struct task {
    struct dyno_tune_trial *trial;
    uint64_t seed;
    int64_t run;
    struct dyno_tune_result result;
    bool is_found, is_cut;
    char refused[256];
};

struct batch {
    struct dyno_tune *tune;
    struct task *tasks; /* [count] */
    uint32_t count;
};

static void take_result(const struct dyno_tune *tune, struct task *task,
                        const struct dyno_report *report)
{
    struct dyno_summary summary;

    dyno_summary_fill(&summary, report);
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        task->result.metrics[i] =
            dyno_tune_summary_value(&summary, dyno_tune_aims_metric(&tune->aims, i)->name);
    }
}

/* As `dyno replay` would have recorded it, but for its requests: there are too many trials. */
static dyno_status record(const struct dyno_tune *tune, struct task *task,
                          const struct dyno_arm_scenario *with, const char *title,
                          const struct dyno_report *report, const struct dyno_host_facts *facts,
                          struct dyno_error *error)
{
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(&with->options);
    char *command = dyno_command_line(with->argc, with->argv);
    char *settings = dyno_tune_settings(tune, task->trial, task->seed);
    struct dyno_recorder *recorder = NULL;
    dyno_status status = dyno_frame_recorder(&recorder, &with->scenario, command, title, rows,
                                             with->options.count, error);

    if (status == DYNO_OK) {
        task->run = dyno_recorder_run_id(recorder);
        status = dyno_recorder_close(recorder, report, facts, error);
    }
    if (status == DYNO_OK && settings) {
        status = dyno_tuning_note(tune->tuning, task->run,
                                  &(struct dyno_trial_row){.settings = settings,
                                                           .point = task->trial->number,
                                                           .is_held_out = task->trial->is_held_out,
                                                           .share = task->trial->share},
                                  error);
    }
    free(settings);
    free(command);
    dyno_scenario_option_rows_free(rows, with->options.count);
    return status;
}

/* One line on the terminal, over the one before. */
static void show_progress(struct dyno_tune *tune, const struct task *task)
{
    char text[64] = "";

    tune->runs_done++;
    if (tune->shows_progress) {
        dyno_tune_value_print(dyno_tune_aims_metric(&tune->aims, 0), task->result.metrics[0], text,
                              sizeof text);
        (void)fprintf(stderr, "\r\033[K%" PRIu32 " runs; point %" PRIu32 ": %s %s", tune->runs_done,
                      task->trial->number, tune->aims.goals[0].metric.name, text);
        (void)fflush(stderr);
    }
}

void dyno_tune_end_progress(const struct dyno_tune *tune)
{
    if (tune->shows_progress) {
        fputs("\r\033[K", stderr);
    }
}

/* Its assembly has run. */
static dyno_status finish(struct batch *batch, struct dyno_crew *crew, uint32_t index,
                          const struct dyno_arm_scenario *with, struct dyno_assembly *assembly,
                          double started, struct dyno_error *error)
{
    struct task *task = &batch->tasks[index];
    struct dyno_host_facts facts = dyno_frame_host_facts(started, assembly->metrics.requests);
    struct dyno_report report;

    task->is_cut = assembly->result.cut;
    DYNO_TRY(dyno_assembly_report(assembly, &report, error));
    take_result(batch->tune, task, &report);
    dyno_crew_await_turn(crew, index);
    show_progress(batch->tune, task);
    return batch->tune->tuning
               ? record(batch->tune, task, with, assembly->title, &report, &facts, error)
               : DYNO_OK;
}

/* A scenario that contradicts itself, or a model that does not fit, is no failure of the tuning. */
static dyno_status refuse(struct task *task, dyno_status status, struct dyno_error *error)
{
    if (status != DYNO_BAD_INPUT && status != DYNO_UNSUPPORTED) {
        return status;
    }
    (void)snprintf(task->refused, sizeof task->refused, "%.255s", error->text);
    error->status = DYNO_OK;
    return DYNO_OK;
}

static dyno_status simulate(struct batch *batch, struct dyno_crew *crew, uint32_t index,
                            struct dyno_arm_scenario *with, struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    double started = dyno_frame_seconds();
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    assembly->trace_data = batch->tune->trace;
    assembly->trace_size = batch->tune->trace_size;
    with->scenario.kv.bound_belady = false;
    status =
        dyno_assembly_open(assembly, &with->scenario, NULL, batch->tune->interrupted, 0, error);
    if (status != DYNO_OK) {
        free(assembly);
        return refuse(&batch->tasks[index], status, error);
    }
    status = dyno_assembly_run(assembly, error);
    if (status == DYNO_OK) {
        status = finish(batch, crew, index, with, assembly, started, error);
    }
    dyno_assembly_close(assembly);
    free(assembly);
    return status;
}

/* Whether another shard runs it. */
static bool is_others(const struct dyno_tune *tune, const struct dyno_tune_trial *trial)
{
    return tune->shards > 0 && trial->number % tune->shards != tune->shard;
}

static dyno_status run_task(void *context, struct dyno_crew *crew, uint32_t index,
                            struct dyno_error *error)
{
    struct batch *batch = context;
    struct task *task = &batch->tasks[index];
    struct dyno_arm_scenario with = {.argc = 0};
    struct dyno_arms arms = {.count = 1};
    dyno_status status;

    if (task->is_found || is_others(batch->tune, task->trial) || *batch->tune->interrupted) {
        task->is_cut = !task->is_found;
        return DYNO_OK;
    }
    status = dyno_tune_arm(batch->tune, task->trial, &arms.items[0]);
    if (status == DYNO_OK) {
        status = dyno_arm_scenario_open(&with, &arms.items[0], batch->tune->argc, batch->tune->argv,
                                        &task->seed, error);
        status = status == DYNO_OK ? simulate(batch, crew, index, &with, error)
                                   : refuse(task, status, error);
    } else {
        (void)dyno_fail(error, status, "out of memory");
    }
    dyno_arm_scenario_close(&with);
    dyno_arms_release(&arms);
    return status;
}

/* ---- many of them ---------------------------------------------------------------------------- */

/* What the database has of a run. */
static dyno_status look_up(const struct dyno_tune *tune, struct task *task,
                           struct dyno_error *error)
{
    char *settings = dyno_tune_settings(tune, task->trial, task->seed);
    dyno_status status;

    if (!settings) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_tuning_find(tune->tuning,
                              &(struct dyno_trial_row){.settings = settings,
                                                       .point = task->trial->number,
                                                       .is_held_out = task->trial->is_held_out,
                                                       .share = task->trial->share},
                              &task->run, error);
    free(settings);
    task->is_found = status == DYNO_OK && task->run != 0;
    for (uint32_t i = 0;
         task->is_found && status == DYNO_OK && i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        status =
            dyno_tuning_metric(tune->tuning, task->run, dyno_tune_aims_metric(&tune->aims, i)->name,
                               &task->result.metrics[i], error);
    }
    return status;
}

/* A trial from its runs: the mean over the seeds. */
static void judge(struct dyno_tune *tune, const struct task *tasks)
{
    struct dyno_tune_trial *trial = tasks[0].trial;
    uint32_t seeds = tune->options.seeds;
    bool is_cut = false;

    trial->run = tasks[0].run;
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        double sum = 0.0;

        for (uint32_t seed = 0; seed < seeds; seed++) {
            sum += tasks[seed].result.metrics[i];
        }
        trial->result.metrics[i] = sum / seeds;
    }
    for (uint32_t seed = 0; seed < seeds; seed++) {
        is_cut = is_cut || tasks[seed].is_cut;
        trial->runs_found += tasks[seed].is_found;
        tune->runs += *tasks[seed].refused == '\0' && !is_others(tune, trial);
        if (*tasks[seed].refused && !*trial->refused) {
            memcpy(trial->refused, tasks[seed].refused, sizeof trial->refused);
        }
    }
    tune->runs_found += trial->runs_found;
    trial->excess =
        *trial->refused || is_cut ? INFINITY : dyno_tune_excess(&tune->aims, &trial->result);
}

dyno_status dyno_tune_run(struct dyno_tune *tune, uint32_t first, struct dyno_error *error)
{
    uint32_t seeds = tune->options.seeds, trials = tune->trial_count - first;
    struct batch batch = {.tune = tune, .count = trials * seeds};
    dyno_status status = DYNO_OK;

    batch.tasks = calloc(batch.count ? batch.count : 1, sizeof *batch.tasks);
    if (!batch.tasks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for %u runs", batch.count);
    }
    for (uint32_t i = 0; i < batch.count && status == DYNO_OK; i++) {
        struct task *task = &batch.tasks[i];

        task->trial = tune->trials[first + i / seeds];
        task->seed =
            (task->trial->is_held_out ? tune->held_out.seed : tune->tuned.seed) + i % seeds;
        status =
            tune->tuning && !is_others(tune, task->trial) ? look_up(tune, task, error) : DYNO_OK;
    }
    if (status == DYNO_OK) {
        status = dyno_crew_run(dyno_crew_size(tune->options.jobs, batch.count), batch.count,
                               run_task, &batch, error);
    }
    for (uint32_t i = 0; i < trials && status == DYNO_OK; i++) {
        judge(tune, &batch.tasks[i * seeds]);
    }
    free(batch.tasks);
    if (status == DYNO_OK && *tune->interrupted) {
        return dyno_fail(error, DYNO_IO, "interrupted; %s",
                         tune->tuning ? "the same command goes on from here" : "nothing was kept");
    }
    return status;
}

struct dyno_tune_trial *dyno_tune_add(struct dyno_tune *tune, uint32_t number,
                                      struct dyno_tune_point *point, double share)
{
    struct dyno_tune_trial **larger =
        realloc(tune->trials, (tune->trial_count + 1) * sizeof(struct dyno_tune_trial *));
    struct dyno_tune_trial *trial = NULL;

    if (larger) {
        tune->trials = larger;
        trial = calloc(1, sizeof *trial);
    }
    if (!trial) {
        if (point) {
            dyno_tune_point_release(point);
        }
        return NULL;
    }
    trial->number = number;
    trial->share = share;
    if (point) {
        trial->point = *point;
    }
    tune->points = number > tune->points ? number : tune->points;
    tune->trials[tune->trial_count++] = trial;
    return trial;
}

bool dyno_tune_is_before(const struct dyno_tune *tune, const struct dyno_tune_trial *a,
                         const struct dyno_tune_trial *b)
{
    if (a->share < b->share || b->share < a->share) {
        return a->share > b->share;
    }
    if (isinf(a->excess) || isinf(b->excess)) {
        return isinf(a->excess) && isinf(b->excess) ? a->number < b->number : !isinf(a->excess);
    }
    if (dyno_tune_better(&tune->aims, &a->result, &b->result)) {
        return true;
    }
    return !dyno_tune_better(&tune->aims, &b->result, &a->result) && a->number < b->number;
}

bool dyno_tune_is_on_front(const struct dyno_tune *tune, const struct dyno_tune_trial *trial)
{
    if (trial->share < 1.0 || trial->excess > 0.0) {
        return false;
    }
    for (uint32_t i = 0; i < tune->trial_count; i++) {
        const struct dyno_tune_trial *other = tune->trials[i];

        if (other->share >= 1.0 && !(other->excess > 0.0) &&
            dyno_tune_dominates(&tune->aims, &other->result, &trial->result)) {
            return false;
        }
    }
    return true;
}

static int by_rank(const void *a, const void *b, void *tune)
{
    const struct dyno_tune_trial *one = *(struct dyno_tune_trial *const *)a;
    const struct dyno_tune_trial *other = *(struct dyno_tune_trial *const *)b;

    return one == other ? 0 : dyno_tune_is_before(tune, one, other) ? -1 : 1;
}

struct dyno_tune_trial **dyno_tune_ranking(const struct dyno_tune *tune)
{
    struct dyno_tune_trial **order = calloc(tune->trial_count, sizeof(struct dyno_tune_trial *));

    if (order) {
        memcpy(order, tune->trials, tune->trial_count * sizeof(struct dyno_tune_trial *));
        qsort_r(order, tune->trial_count, sizeof(struct dyno_tune_trial *), by_rank,
                (void *)(uintptr_t)tune);
    }
    return order;
}
