/* `dyno replay`: run a trace or a generator through a fleet, and leave a table, a JSON summary and
 * a database. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/assembly.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/extrapolation.h"
#include "cli/help.h"
#include "cli/intervals.h"
#include "reports/reports.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static double wall_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct dyno_host_facts host_facts(const struct dyno_assembly *assembly, double started)
{
    struct dyno_host_facts facts = {.wall_s = wall_seconds() - started};
    struct rusage usage;

    if (facts.wall_s > 0.0) {
        facts.requests_per_wall_s = (double)assembly->metrics.requests / facts.wall_s;
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        facts.peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
    return facts;
}

/* One replay: what is open while it runs. */
struct replay {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_recorder *recorder;
    struct dyno_progress *progress;
    struct dyno_assembly assembly;
    struct dyno_journal *journal;
    struct dyno_intervals intervals;
    struct dyno_extrapolation extrapolated[DYNO_EXTRAPOLATIONS_MAX];
    double started;
};

static dyno_status open_recorder(struct replay *replay, const char *command, const char *title,
                                 struct dyno_error *error)
{
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(&replay->options);
    dyno_status status;

    if (!rows || !command) {
        dyno_scenario_option_rows_free(rows, replay->options.count);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the options' texts");
    }
    status = dyno_recorder_open(
        &replay->recorder,
        replay->scenario.output.db ? replay->scenario.output.db : ":memory:", command, title, rows,
        replay->options.count, error);
    dyno_scenario_option_rows_free(rows, replay->options.count);
    return status;
}

/* Lines of a plain trace file: about its requests, good enough for a progress bar.  0: not known
 * without reading it twice (standard input, compressed). */
static uint64_t count_lines(const char *path)
{
    static const char gzip_magic[] = {'\x1f', '\x8b'};
    char buffer[1 << 16];
    uint64_t lines = 0;
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    size_t got;

    while (file && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        if (lines == 0 && got >= 2 && memcmp(buffer, gzip_magic, 2) == 0) {
            break;
        }
        for (const char *at = buffer; (at = memchr(at, '\n', got - (size_t)(at - buffer))); at++) {
            lines++;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return lines;
}

/* Requests that the run will see; 0: unknown. */
static uint64_t expected_requests(const struct replay *replay)
{
    uint64_t asked = replay->scenario.trace.requests;
    uint64_t lines = replay->scenario.trace.path ? count_lines(replay->scenario.trace.path) : 0;

    return lines > 0 && (asked == 0 || lines < asked) ? lines : asked;
}

static bool wants_progress(const struct replay *replay)
{
    return replay->scenario.output.progress && isatty(STDERR_FILENO);
}

/* Sinks, in the order they hear: the recorder, then the progress bar. */
static struct dyno_sink *link_sinks(struct replay *replay)
{
    struct dyno_sink *first = dyno_recorder_sink(replay->recorder);

    if (replay->progress) {
        first->next = dyno_progress_sink(replay->progress);
    }
    return first;
}

/* Find out before the run, not after it, that its summary has nowhere to go. */
static dyno_status check_writable(const char *option, const char *path, struct dyno_error *error)
{
    char folder[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (!path || strcmp(path, "-") == 0) {
        return DYNO_OK;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    if (access(folder, W_OK | X_OK) != 0) {
        return dyno_fail(error, DYNO_IO, "%s: nothing can be written into the folder of %s: %s",
                         option, path, strerror(errno));
    }
    return DYNO_OK;
}

static dyno_status run(struct replay *replay, const char *command, struct dyno_error *error)
{
    struct dyno_assembly *assembly = &replay->assembly;

    DYNO_TRY(check_writable("output.json", replay->scenario.output.json, error));
    DYNO_TRY(check_writable("output.host_json", replay->scenario.output.host_json, error));
    if (replay->scenario.output.journal) {
        DYNO_TRY(dyno_journal_create(&replay->journal, replay->scenario.output.journal, error));
    }
    assembly->journal = replay->journal;
    assembly->options = &replay->options;
    DYNO_TRY(dyno_assembly_open(assembly, &replay->scenario, NULL, &interrupted, 0, error));
    DYNO_TRY(open_recorder(replay, command, assembly->title, error));
    if (wants_progress(replay)) {
        DYNO_TRY(dyno_progress_open(&replay->progress, stderr, expected_requests(replay),
                                    replay->scenario.generate.duration_ns));
    }
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
    struct dyno_host_facts facts = host_facts(&replay->assembly, replay->started);
    struct dyno_recorder *recorder = replay->recorder;
    const struct dyno_scenario *scenario = &replay->scenario;
    const char *json = scenario->output.json;
    struct dyno_report summary;

    DYNO_TRY(dyno_assembly_report(&replay->assembly, &summary, error));
    summary.extrapolated = replay->extrapolated;
    summary.extrapolated_count = dyno_extrapolations_find(&replay->assembly, replay->extrapolated);
    if (scenario->output.intervals > 0 && !replay->assembly.result.cut) {
        DYNO_TRY(dyno_intervals_compute(&replay->intervals, scenario, scenario->output.intervals,
                                        error));
        summary.intervals = replay->intervals.items;
        summary.interval_count = replay->intervals.count;
        summary.interval_replicas = replay->intervals.replicas;
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
    (void)fprintf(stderr, "%.2f s on this machine: %.0f requests/s, %.0f MiB at most\n",
                  facts.wall_s, facts.requests_per_wall_s,
                  (double)facts.peak_rss_bytes / 1048576.0);
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
    (void)dyno_journal_close(replay->journal, &ignored); /* after success it is closed already */
    dyno_options_close(&replay->options);
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
    replay->started = wall_seconds();
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
        catch_interrupts();
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
