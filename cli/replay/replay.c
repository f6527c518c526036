/* `dyno replay`: run a trace or a generator through a fleet, and leave a table, a JSON summary and
 * a database. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/gpu_samples.h"
#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/replay/intervals.h"
#include "cli/replay/regret.h"
#include "cli/scenario/command_line.h"
#include "reports/reports.h"

/* One replay: what is open while it runs. */
struct replay {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_recorder *recorder;
    struct dyno_progress *progress;
    struct dyno_nvml_watch *gpus; /* NULL: none computes, or the driver does not tell */
    struct dyno_gpu_samples gpu_samples;
    struct dyno_assembly assembly;
    struct dyno_journal *journal;
    struct dyno_intervals intervals;
    struct dyno_input_copy trace_copy;
    struct dyno_plan_regret regret;
    const volatile sig_atomic_t *interrupted;
    double started;
};

static dyno_status open_recorder(struct replay *replay, const char *command, const char *title,
                                 struct dyno_error *error)
{
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(&replay->options);
    dyno_status status = dyno_frame_recorder(&replay->recorder, &replay->scenario, command, title,
                                             rows, replay->options.count, error);

    dyno_scenario_option_rows_free(rows, replay->options.count);
    return status;
}

static dyno_status put_gpu(void *recorder, const struct dyno_gpu_record *record)
{
    return dyno_recorder_gpu(recorder, record);
}

/* Sinks, in the order they hear: the recorder, what watches GPUs for it, the progress bar. */
static struct dyno_sink *link_sinks(struct replay *replay)
{
    struct dyno_sink *first = dyno_recorder_sink(replay->recorder), *last = first;

    if (replay->gpus) {
        dyno_gpu_samples_init(&replay->gpu_samples, replay->gpus, put_gpu, replay->recorder);
        last->next = &replay->gpu_samples.sink;
        last = last->next;
    }
    if (replay->progress) {
        last->next = dyno_progress_sink(replay->progress);
    }
    return first;
}

/* Without the driver's library nothing is told of GPUs. */
static void watch_gpus(struct replay *replay)
{
    struct dyno_error error;

    if (strcmp(replay->scenario.run.device, "cuda") == 0 && replay->scenario.output.db) {
        (void)dyno_nvml_watch_open(&replay->gpus, &error);
    }
}

static dyno_status run(struct replay *replay, const char *command, struct dyno_error *error)
{
    struct dyno_assembly *assembly = &replay->assembly;

    DYNO_TRY(dyno_frame_check_writable("output.json", replay->scenario.output.json, error));
    DYNO_TRY(
        dyno_frame_check_writable("output.host_json", replay->scenario.output.host_json, error));
    if (replay->scenario.output.journal) {
        DYNO_TRY(dyno_journal_create(&replay->journal, replay->scenario.output.journal, error));
    }
    assembly->journal = replay->journal;
    assembly->options = &replay->options;
    dyno_intervals_prepare(&replay->trace_copy, assembly, &replay->scenario);
    DYNO_TRY(dyno_assembly_open(assembly, &replay->scenario, NULL, replay->interrupted, 0, error));
    DYNO_TRY(open_recorder(replay, command, assembly->title, error));
    DYNO_TRY(dyno_frame_progress(&replay->progress, &replay->scenario));
    watch_gpus(replay);
    assembly->metrics.sink.next = link_sinks(replay);
    return dyno_assembly_run(assembly, error);
}

/* Bad lines that --skip-bad let pass, by name (the first of them). */
static void list_skipped(const struct replay *replay)
{
    size_t count = 0;
    const char *const *skipped = dyno_source_skipped(replay->assembly.recorded, &count);

    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stderr, "skipped: %s\n", skipped[i]);
    }
}

static dyno_status report(struct replay *replay, struct dyno_error *error)
{
    struct dyno_host_facts facts =
        dyno_frame_host_facts(replay->started, replay->assembly.metrics.requests);
    struct dyno_recorder *recorder = replay->recorder;
    const struct dyno_scenario *scenario = &replay->scenario;
    const char *json = scenario->output.json;
    struct dyno_report summary;

    DYNO_TRY(dyno_assembly_report(&replay->assembly, &summary, error));
    DYNO_TRY(dyno_intervals_of_run(&replay->intervals, &replay->assembly, error));
    dyno_intervals_report(&replay->intervals, &summary);
    if (scenario->planner.regret && !replay->assembly.result.cut) {
        DYNO_TRY(
            dyno_regret_compute(&replay->regret, &replay->assembly, replay->interrupted, error));
        replay->assembly.plan_report.regret = &replay->regret;
    }
    replay->recorder = NULL;
    DYNO_TRY(dyno_recorder_close(recorder, &summary, &facts, error));
    if (!json || strcmp(json, "-") != 0) {
        dyno_report_table(&summary, stdout);
    }
    if (json) {
        DYNO_TRY(dyno_report_json(&summary, json, error));
    }
    if (scenario->output.host_json) {
        DYNO_TRY(dyno_host_json(&facts, scenario->output.host_json, error));
    }
    if (fflush(stdout) != 0) {
        return dyno_fail(error, DYNO_IO, "standard output cannot be written: %s", strerror(errno));
    }
    list_skipped(replay);
    dyno_frame_print_facts(&facts);
    return DYNO_OK;
}

/* Whether all of it could be written. */
static dyno_status close_journal(struct replay *replay, struct dyno_error *error)
{
    struct dyno_journal *journal = replay->journal;

    dyno_assembly_close(&replay->assembly); /* its seams are the journal's */
    replay->journal = NULL;
    return dyno_journal_close(journal, error);
}

/* Closes what is left open.  Why the recorder could not write is only known when it is closed. */
static void close_replay(struct replay *replay, struct dyno_error *error)
{
    struct dyno_error ignored = {0};

    dyno_progress_close(replay->progress);
    if (replay->recorder) {
        (void)dyno_recorder_close(replay->recorder, NULL, NULL,
                                  error->text[0] == '\0' ? error : &ignored);
    }
    dyno_assembly_close(&replay->assembly);
    dyno_nvml_watch_close(replay->gpus);
    (void)dyno_journal_close(replay->journal, &ignored); /* after success it is closed already */
    dyno_options_close(&replay->options);
    free(replay->trace_copy.data);
}

int dyno_command_replay(int argc, char **argv)
{
    struct replay *replay = calloc(1, sizeof *replay);
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *command = dyno_command_line(argc, argv);
    dyno_status status;

    if (!replay) {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        free(command);
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    replay->started = dyno_frame_seconds();
    if (dyno_scenario_load(&replay->scenario, &replay->options, argc, argv, &ask, &error) !=
        DYNO_OK) {
        free(replay);
        free(command);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (ask == DYNO_ASK_HELP) {
        dyno_help_replay(stdout, dyno_help_width(stdout));
        status = DYNO_OK;
    } else if (ask == DYNO_ASK_PRINT) {
        dyno_scenario_print(&replay->options, stdout);
        status = DYNO_OK;
    } else {
        replay->interrupted = dyno_frame_interrupts();
        status = run(replay, command, &error);
        dyno_progress_close(replay->progress);
        replay->progress = NULL;
        if (status == DYNO_OK) {
            status = report(replay, &error);
        }
        if (status == DYNO_OK) {
            status = close_journal(replay, &error);
        }
    }
    close_replay(replay, &error);
    free(replay);
    free(command);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
