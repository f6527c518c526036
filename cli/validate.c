/* `dyno validate`: the same requests through the real device and through its simulation, and how
 * far one is from the other, request by request. */
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy.h"
#include "cli/accuracy_listener.h"
#include "cli/assembly.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/machine_file.h"
#include "reports/reports.h"

static void print_help(void)
{
    puts("Usage: dyno validate --machine FILE [OPTION]...\n\n"
         "Run a trace, or generated load, for real on this machine and then simulated, with\n"
         "what `dyno calibrate` measured, and compare the two request by request.  Options are\n"
         "those of `dyno replay`.  Both runs are recorded in the database; its view\n"
         "validation_error has every request.\n\n"
         "  --machine FILE  what `dyno calibrate` wrote; --model and --threads are taken from it");
}

/* One of the two runs. */
struct half {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
    struct dyno_recorder *recorder;
    struct dyno_listener heard;
    int64_t run;
};

struct validation {
    struct half live, simulated;
    const char *machine_path;
    struct dyno_machine machine;
    char threads[16], blocks[16];
    char **words; /* [word_count + 8] the live run's command line */
    int word_count;
};

/* ---- the two command lines ------------------------------------------------------------------- */

static dyno_status find_machine(struct validation *validation, int argc, char **argv,
                                struct dyno_error *error)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--machine") == 0) {
            validation->machine_path = argv[i + 1];
        }
    }
    if (!validation->machine_path) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "validate needs --machine FILE; `dyno calibrate -o FILE` makes one");
    }
    return dyno_machine_read(&validation->machine, validation->machine_path, error);
}

static bool is_given(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return true;
        }
    }
    return false;
}

static void add_pair(struct validation *validation, char *flag, char *value)
{
    validation->words[validation->word_count++] = flag;
    validation->words[validation->word_count++] = value;
}

/* The words as given, with the machine's model and threads where none are; without --machine for
 * the real run. */
static dyno_status make_words(struct validation *validation, int argc, char **argv, bool is_live)
{
    static char device[] = "--device", threads[] = "--threads", model[] = "--model",
                blocks[] = "--num-gpu-blocks-override";

    validation->word_count = 0;
    free(validation->words);
    validation->words = calloc((size_t)argc + 8, sizeof(char *));
    if (!validation->words) {
        return DYNO_NO_MEMORY;
    }
    for (int i = 0; i < argc; i++) {
        if (is_live && strcmp(argv[i], "--machine") == 0) {
            i++;
        } else {
            validation->words[validation->word_count++] = argv[i];
        }
    }
    if (is_live) {
        add_pair(validation, device, validation->machine.device);
    } else { /* a GPU's are counted when it is opened */
        add_pair(validation, blocks, validation->blocks);
    }
    if (!is_given(argc, argv, model)) {
        add_pair(validation, model, validation->machine.model);
    }
    if (!is_given(argc, argv, threads)) {
        add_pair(validation, threads, validation->threads);
    }
    return DYNO_OK;
}

/* ---- one run --------------------------------------------------------------------------------- */

static dyno_status open_recorder(struct half *half, const char *command, struct dyno_error *error)
{
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(&half->options);
    dyno_status status;

    if (!rows || !command) {
        dyno_scenario_option_rows_free(rows, half->options.count);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the options' texts");
    }
    status = dyno_recorder_open(
        &half->recorder, half->scenario.output.db ? half->scenario.output.db : ":memory:", command,
        half->assembly.title, rows, half->options.count, error);
    dyno_scenario_option_rows_free(rows, half->options.count);
    return status;
}

static dyno_status run_recorded(struct half *half, const char *command, struct dyno_error *error)
{
    struct dyno_recorder *recorder;
    struct dyno_report report;
    struct dyno_sink *sink;

    DYNO_TRY(dyno_assembly_open(&half->assembly, &half->scenario, NULL, NULL, 0, error));
    DYNO_TRY(open_recorder(half, command, error));
    half->run = dyno_recorder_run_id(half->recorder);
    dyno_listener_init(&half->heard);
    sink = dyno_recorder_sink(half->recorder);
    sink->next = &half->heard.sink;
    half->assembly.metrics.sink.next = sink;
    DYNO_TRY(dyno_assembly_run(&half->assembly, error));
    DYNO_TRY(dyno_assembly_report(&half->assembly, &report, error));
    recorder = half->recorder;
    half->recorder = NULL;
    DYNO_TRY(dyno_recorder_close(recorder, &report, NULL, error));
    dyno_listener_sort(&half->heard);
    return DYNO_OK;
}

static void close_half(struct half *half)
{
    struct dyno_error ignored = {0};

    if (half->recorder) {
        (void)dyno_recorder_close(half->recorder, NULL, NULL, &ignored);
    }
    dyno_listener_release(&half->heard);
    dyno_assembly_close(&half->assembly);
    dyno_options_close(&half->options);
}

static dyno_status run_half(struct validation *validation, struct half *half, int argc, char **argv,
                            bool is_live, struct dyno_error *error)
{
    enum dyno_scenario_ask ask;
    char *command;
    dyno_status status;

    if (make_words(validation, argc, argv, is_live) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    DYNO_TRY(dyno_scenario_load(&half->scenario, &half->options, validation->word_count,
                                validation->words, &ask, error));
    command = dyno_command_line(validation->word_count, validation->words);
    status = run_recorded(half, command, error);
    free(command);
    return status;
}

/* ---- comparing ------------------------------------------------------------------------------- */

struct measure {
    const char *name;
    bool (*of)(const struct dyno_request_record *record, double *ms);
};

static bool ttft_of(const struct dyno_request_record *record, double *ms)
{
    *ms = (double)(record->first_token_ns - record->arrival_ns) / 1e6;
    return true;
}

static bool tpot_of(const struct dyno_request_record *record, double *ms)
{
    *ms = record->output_tokens > 1 ? (double)(record->last_token_ns - record->first_token_ns) /
                                          1e6 / (record->output_tokens - 1)
                                    : 0.0;
    return record->output_tokens > 1;
}

static bool e2e_of(const struct dyno_request_record *record, double *ms)
{
    *ms = (double)(record->last_token_ns - record->arrival_ns) / 1e6;
    return true;
}

static const struct measure measures[] = {{"TTFT", ttft_of}, {"TPOT", tpot_of}, {"E2E", e2e_of}};

struct pairs {
    double *live, *simulated; /* [count] */
    size_t count;
    struct dyno_errors errors; /* of single requests */
};

static bool gather(const struct validation *validation, const struct measure *measure,
                   struct pairs *pairs)
{
    const struct dyno_listener *live = &validation->live.heard;
    const struct dyno_listener *simulated = &validation->simulated.heard;

    pairs->count = pairs->errors.count = 0;
    for (size_t i = 0; i < live->record_count && i < simulated->record_count; i++) {
        double real, predicted;

        if (live->records[i].outcome == DYNO_COMPLETED &&
            simulated->records[i].outcome == DYNO_COMPLETED &&
            measure->of(&live->records[i], &real) &&
            measure->of(&simulated->records[i], &predicted) && real > 0.0) {
            pairs->live[pairs->count] = real;
            pairs->simulated[pairs->count++] = predicted;
            if (!dyno_errors_add(&pairs->errors, predicted, real)) {
                return false;
            }
        }
    }
    return true;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Sorts. */
static double quantile(double *values, size_t count, double q)
{
    size_t place = (size_t)(q * (double)(count - 1) + 0.5);

    qsort(values, count, sizeof *values, by_value);
    return values[place];
}

static void print_row(const char *name, const char *what, double real, double simulated)
{
    (void)printf("%-5s %-5s %12.3f %12.3f %+9.1f %%\n", name, what, real, simulated,
                 100.0 * (simulated / real - 1.0));
}

static void print_measure(const struct measure *measure, struct pairs *pairs)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    struct dyno_error_figures figures = dyno_errors_figures(&pairs->errors);

    if (pairs->count == 0) {
        return;
    }
    print_row(measure->name, "mean", mean_of(pairs->live, pairs->count),
              mean_of(pairs->simulated, pairs->count));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        print_row("", quantiles[i].name, quantile(pairs->live, pairs->count, quantiles[i].q),
                  quantile(pairs->simulated, pairs->count, quantiles[i].q));
    }
    (void)printf("%-5s one request's error: median %.1f %%, p90 %.1f %%, of %zu\n", "",
                 figures.median, figures.p90, pairs->count);
}

static dyno_status compare(const struct validation *validation, struct dyno_error *error)
{
    size_t most = validation->live.heard.record_count;
    struct pairs pairs = {.live = calloc(most + 1, sizeof(double)),
                          .simulated = calloc(most + 1, sizeof(double))};
    bool fits = pairs.live && pairs.simulated;

    if (fits) {
        (void)printf("%s\n%s\n\n%-11s %12s %12s %11s\n", validation->live.assembly.title,
                     validation->simulated.assembly.title, "ms", "real", "simulated", "error");
    }
    for (size_t i = 0; fits && i < sizeof measures / sizeof measures[0]; i++) {
        fits = gather(validation, &measures[i], &pairs);
        if (fits) {
            print_measure(&measures[i], &pairs);
        }
    }
    free(pairs.live);
    free(pairs.simulated);
    dyno_errors_release(&pairs.errors);
    return fits ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
}

static dyno_status validate(struct validation *validation, int argc, char **argv,
                            struct dyno_error *error)
{
    const char *database;

    DYNO_TRY(find_machine(validation, argc, argv, error));
    (void)snprintf(validation->threads, sizeof validation->threads, "%u",
                   validation->machine.threads);
    DYNO_TRY(run_half(validation, &validation->live, argc, argv, true, error));
    (void)snprintf(validation->blocks, sizeof validation->blocks, "%u",
                   validation->live.assembly.worker.blocks);
    DYNO_TRY(run_half(validation, &validation->simulated, argc, argv, false, error));
    database = validation->live.scenario.output.db;
    if (database) {
        DYNO_TRY(dyno_validation_record(database, validation->live.run, validation->simulated.run,
                                        error));
    }
    return compare(validation, error);
}

int dyno_command_validate(int argc, char **argv)
{
    struct validation *validation = calloc(1, sizeof *validation);
    struct dyno_error error = {0};
    dyno_status status;

    if (!validation) {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (is_given(argc, argv, "--help") || is_given(argc, argv, "-h")) {
        free(validation);
        print_help();
        return DYNO_EXIT_OK;
    }
    status = validate(validation, argc, argv, &error);
    close_half(&validation->live);
    close_half(&validation->simulated);
    free(validation->words);
    free(validation);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
