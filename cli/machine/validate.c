/* `dyno validate`: the same requests through the real device, several times, and through its
 * simulation; how far one is from the other, request by request, and how far the machine is from
 * itself. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/live.h"
#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/machine/calibrate_measure.h"
#include "cli/machine/validation.h"
#include "cli/own_words.h"
#include "cli/scenario/command_line.h"
#include "cli/scenario/machine_file.h"
#include "reports/reports.h"

/* ---- options --------------------------------------------------------------------------------- */

struct own_options {
    uint32_t repeats;
    const char *calibrate; /* NULL: --machine says what was measured */
    uint32_t rounds;       /* of it, at most */
};

static const struct dyno_option rows[] = {
    {.name = "validate.calibrate",
     .flag = "calibrate",
     .value = "FILE",
     .help = "instead of --machine: measure this machine's CPUs as `dyno calibrate` does, but "
             "between the live runs, so that both meet it as fast as it then is; and write FILE",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = offsetof(struct own_options, calibrate),
     .min = 1},
    {.name = "validate.rounds",
     .flag = "rounds",
     .value = "N",
     .help = "of --calibrate, at most; 5 or more",
     .initial = "25",
     .type = DYNO_OPTION_U32,
     .offset = offsetof(struct own_options, rounds),
     .min = DYNO_MEASURE_ROUNDS_MIN,
     .max = 1000},
    {.name = "validate.repeats",
     .flag = "repeats",
     .value = "N",
     .help = "live runs; the median of a request's is held against the simulation, and each run "
             "against the others: how far the machine is from itself",
     .initial = "9",
     .type = DYNO_OPTION_U32,
     .offset = offsetof(struct own_options, repeats),
     .min = 1,
     .max = DYNO_VALIDATION_REPEATS_MAX},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    puts("Usage: dyno validate --machine|--calibrate FILE [OPTION]...\n\n"
         "Run a trace, or generated load, for real on this machine and then simulated, with\n"
         "what `dyno calibrate` measured, and compare request by request; and what was found in\n"
         "tiers, moved and handed over, and what a planner decided.  Options are those of `dyno\n"
         "replay`.  All runs are recorded in the database: its view validation_error\n"
         "has every request of every live run.\n\n"
         "  --machine FILE            what `dyno calibrate` wrote; --model, --threads and --tp are "
         "taken\n"
         "                            from it; or --calibrate, which measures between the live "
         "runs\n"
         "  --json FILE               write the comparison as JSON; - is standard output");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

/* One run of the requests. */
struct half {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
    struct dyno_recorder *recorder;
    struct dyno_listener heard;
    struct dyno_fleet_totals totals;
    char title[256];
    uint32_t blocks; /* of KV */
    int64_t run;
    bool is_live;
};

struct validate {
    struct own_options own;
    char **given; /* [given_count] the command line of a replay: without what is ours */
    int given_count;
    char **words; /* [given_count + WORDS_ADDED] of one half */
    int word_count;
    struct dyno_scenario scenario; /* what was asked: the simulated half, before blocks are known */
    struct dyno_options options;
    enum dyno_scenario_ask ask;
    struct dyno_machine machine;
    char threads[16], ranks[16], blocks[16], machine_file[4096];
    uint32_t live_done; /* runs */
    const volatile sig_atomic_t *interrupted;
    struct dyno_pass_watch *watch;
    struct half *halves; /* [repeats + 1] the simulated one is the last */
    struct dyno_listener heard[DYNO_VALIDATION_REPEATS_MAX];
    struct dyno_fleet_totals totals[DYNO_VALIDATION_REPEATS_MAX];
    struct dyno_validation found;
};

enum { WORDS_ADDED = 12 };

/* ---- the command lines ----------------------------------------------------------------------- */

/* Take what is ours; the rest is the command line of a replay. */
static dyno_status take_own(struct validate *validate, int argc, char **argv,
                            struct dyno_error *error)
{
    static char command[] = "replay";
    struct dyno_options own;
    struct dyno_own_words words = {.options = &own, .rest = validate->given};
    dyno_status status;

    DYNO_TRY(dyno_options_open(&own, rows, ROW_COUNT, &validate->own, error));
    status = dyno_own_words_read(&words, argc, argv, error);
    if (status == DYNO_OK && validate->own.calibrate) { /* which is the options' */
        (void)snprintf(validate->machine_file, sizeof validate->machine_file, "%s",
                       validate->own.calibrate);
        validate->own.calibrate = validate->machine_file;
    }
    dyno_options_close(&own);
    validate->given[0] = command;
    validate->given_count = words.rest_count;
    validate->ask = words.wants_help ? DYNO_ASK_HELP : DYNO_ASK_RUN;
    return status;
}

static dyno_status needs_machine(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "validate needs --machine FILE, which `dyno calibrate -o FILE` makes, or "
                     "--calibrate FILE, which makes one while it validates");
}

static bool has_flag(const struct validate *validate, const char *flag)
{
    for (int i = 1; i < validate->given_count; i++) {
        if (dyno_own_words_is(validate->given[i], flag)) {
            return true;
        }
    }
    return false;
}

/* As a scenario, what is a replay's: of the CPUs, if they are to be measured. */
static dyno_status load_given(struct validate *validate, struct dyno_error *error)
{
    static char device[] = "--device", cpu[] = "cpu";
    int count = validate->given_count;

    memcpy(validate->words, validate->given, (size_t)count * sizeof(char *));
    if (validate->own.calibrate && !has_flag(validate, "--device")) {
        validate->words[count++] = device;
        validate->words[count++] = cpu;
    }
    return dyno_scenario_load(&validate->scenario, &validate->options, count, validate->words,
                              &validate->ask, error);
}

/* Read what is ours, and the rest. */
static dyno_status read_words(struct validate *validate, int argc, char **argv,
                              struct dyno_error *error)
{
    validate->given = calloc((size_t)argc + 1, sizeof(char *));
    validate->words = calloc((size_t)argc + WORDS_ADDED + 1, sizeof(char *));
    if (!validate->given || !validate->words) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    DYNO_TRY(take_own(validate, argc, argv, error));
    if (validate->ask == DYNO_ASK_HELP) {
        return DYNO_OK;
    }
    if (validate->given_count == 1 && !validate->own.calibrate) {
        return needs_machine(error);
    }
    if (validate->own.calibrate && has_flag(validate, "--machine")) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--machine FILE says what was measured and --calibrate FILE measures: "
                         "leave one out");
    }
    return load_given(validate, error);
}

static enum dyno_option_source source_of(const struct validate *validate, const char *name)
{
    return dyno_options_origin(&validate->options, dyno_options_find(&validate->options, name))
        ->source;
}

/* The machine is known by name alone until it has been measured. */
static dyno_status name_machine(struct validate *validate, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &validate->scenario;
    struct dyno_machine *machine = &validate->machine;

    if (strcmp(scenario->run.device, "cpu") != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--calibrate measures CPUs between live runs, and --device is '%s'; "
                         "`dyno calibrate` measures a GPU",
                         scenario->run.device);
    }
    machine->threads = dyno_live_threads(scenario);
    machine->ranks = scenario->fleet.tp;
    (void)snprintf(machine->device, sizeof machine->device, "cpu");
    (void)snprintf(machine->model, sizeof machine->model, "%s", scenario->model.name);
    return dyno_frame_check_writable("validate.calibrate", validate->machine_file, error);
}

static dyno_status read_machine(struct validate *validate, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &validate->scenario;

    if (validate->own.calibrate) {
        DYNO_TRY(name_machine(validate, error));
    } else if (scenario->timing.machine) {
        DYNO_TRY(dyno_machine_read(&validate->machine, scenario->timing.machine, error));
    } else {
        return needs_machine(error);
    }
    (void)snprintf(validate->threads, sizeof validate->threads, "%u", validate->machine.threads);
    (void)snprintf(validate->ranks, sizeof validate->ranks, "%u", validate->machine.ranks);
    if (scenario->output.journal || scenario->output.host_json) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--%s is of one run, and validate makes several; `dyno replay --device "
                         "%s` writes it",
                         scenario->output.journal ? "journal" : "host-json",
                         validate->machine.device);
    }
    return dyno_frame_check_writable("output.json", scenario->output.json, error);
}

static void add_pair(struct validate *validate, char *flag, char *value)
{
    validate->words[validate->word_count++] = flag;
    validate->words[validate->word_count++] = value;
}

/* Whether nobody said so: it is the machine's then. */
static bool is_open(const struct validate *validate, const char *name)
{
    enum dyno_option_source source = source_of(validate, name);

    return source == DYNO_SOURCE_DEFAULT || source == DYNO_SOURCE_PROFILE;
}

/* The words of a live run have no --machine, and no other one may say it. */
static void make_words(struct validate *validate, bool is_live)
{
    static char device[] = "--device", threads[] = "--threads", model[] = "--model", tp[] = "--tp",
                blocks[] = "--num-gpu-blocks-override", machine[] = "--machine", none[] = "none";

    bool calibrates = validate->own.calibrate != NULL;

    validate->word_count = 0;
    for (int i = 0; i < validate->given_count; i++) {
        char *word = validate->given[i];

        if (i > 0 && (is_live || calibrates) &&
            dyno_own_words_is(word, calibrates ? device : machine)) {
            i += strchr(word, '=') == NULL;
        } else {
            validate->words[validate->word_count++] = word;
        }
    }
    if (is_live && source_of(validate, "timing.machine") != DYNO_SOURCE_FLAG) {
        add_pair(validate, machine, none);
    }
    if (is_live) {
        add_pair(validate, device, validate->machine.device);
    } else { /* a GPU's are counted when it is opened */
        add_pair(validate, blocks, validate->blocks);
    }
    if (!is_live && calibrates) {
        add_pair(validate, machine, validate->machine_file);
    }
    if (is_open(validate, "model.name")) {
        add_pair(validate, model, validate->machine.model);
    }
    if (is_open(validate, "fleet.threads")) {
        add_pair(validate, threads, validate->threads);
    }
    if (is_open(validate, "fleet.tp") && validate->machine.ranks > 1) {
        add_pair(validate, tp, validate->ranks);
    }
}

/* ---- one run --------------------------------------------------------------------------------- */

static dyno_status open_recorder(struct half *half, const char *command, struct dyno_error *error)
{
    struct dyno_run_option_row *set = dyno_scenario_option_rows(&half->options);
    dyno_status status = dyno_frame_recorder(&half->recorder, &half->scenario, command,
                                             half->assembly.title, set, half->options.count, error);

    dyno_scenario_option_rows_free(set, half->options.count);
    return status;
}

static dyno_status watch_passes(void *context, struct dyno_assembly *assembly,
                                struct dyno_error *error)
{
    const struct validate *validate = context;

    if (dyno_pass_watch_before(&assembly->device, validate->watch, assembly->device,
                               assembly->scenario->fleet.workers) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    return DYNO_OK;
}

static dyno_status run_recorded(struct validate *validate, struct half *half, const char *command,
                                struct dyno_error *error)
{
    struct dyno_recorder *recorder;
    struct dyno_report report;
    struct dyno_sink *sink;

    if (half->is_live) {
        half->assembly.put_before = watch_passes;
        half->assembly.before_context = validate;
    }
    DYNO_TRY(dyno_assembly_open(&half->assembly, &half->scenario, NULL, validate->interrupted, 0,
                                error));
    DYNO_TRY(open_recorder(half, command, error));
    half->run = dyno_recorder_run_id(half->recorder);
    half->blocks = half->assembly.worker.blocks;
    (void)snprintf(half->title, sizeof half->title, "%s", half->assembly.title);
    dyno_listener_init(&half->heard);
    sink = dyno_recorder_sink(half->recorder);
    sink->next = &half->heard.sink;
    half->assembly.metrics.sink.next = sink;
    DYNO_TRY(dyno_assembly_run(&half->assembly, error));
    half->totals = half->assembly.totals;
    DYNO_TRY(dyno_assembly_report(&half->assembly, &report, error));
    recorder = half->recorder;
    half->recorder = NULL;
    DYNO_TRY(dyno_recorder_close(recorder, &report, NULL, error));
    dyno_listener_sort(&half->heard);
    return DYNO_OK;
}

/* What was heard stays. */
static void stop_half(struct half *half)
{
    struct dyno_error ignored = {0};

    if (half->recorder) {
        (void)dyno_recorder_close(half->recorder, NULL, NULL, &ignored);
        half->recorder = NULL;
    }
    dyno_assembly_close(&half->assembly);
    dyno_options_close(&half->options);
    half->options = (struct dyno_options){.rows = NULL};
}

static dyno_status run_half(struct validate *validate, struct half *half, struct dyno_error *error)
{
    enum dyno_scenario_ask ask;
    char *command;
    dyno_status status;

    make_words(validate, half->is_live);
    DYNO_TRY(dyno_scenario_load(&half->scenario, &half->options, validate->word_count,
                                validate->words, &ask, error));
    command = dyno_command_line(validate->word_count, validate->words);
    status = run_recorded(validate, half, command, error);
    free(command);
    stop_half(half);
    if (status == DYNO_OK && *validate->interrupted) {
        return dyno_fail(error, DYNO_INTERRUPTED, "interrupted: there is nothing to compare");
    }
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void say_progress(uint32_t run, uint32_t repeats)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[Klive run %u of %u\n", run + 1, repeats);
    }
}

static void say_rounds(void *context, uint32_t done, uint32_t rounds)
{
    (void)context;
    (void)fprintf(stderr, "\r\033[Kmeasuring: round %u of at most %u", done, rounds);
    (void)fflush(stderr);
}

static dyno_status run_live_until(struct validate *validate, uint32_t end, struct dyno_error *error)
{
    for (; validate->live_done < end; validate->live_done++) {
        uint32_t run = validate->live_done;

        say_progress(run, validate->own.repeats);
        validate->halves[run].is_live = true;
        DYNO_TRY(run_half(validate, &validate->halves[run], error));
        validate->heard[run] = validate->halves[run].heard;
        validate->totals[run] = validate->halves[run].totals;
    }
    return DYNO_OK;
}

static dyno_status run_live_between(void *context, uint32_t done, uint32_t rounds,
                                    struct dyno_error *error)
{
    struct validate *validate = context;

    return run_live_until(validate, (uint32_t)((uint64_t)validate->own.repeats * done / rounds),
                          error);
}

static dyno_status calibrate(struct validate *validate, struct dyno_error *error)
{
    struct dyno_measure_config config = dyno_measure_cpu;

    config.model = validate->scenario.model.name;
    config.threads = validate->machine.threads;
    config.ranks = validate->machine.ranks;
    config.rounds = validate->own.rounds;
    config.far = validate->scenario.prefill.at;
    config.progress = isatty(STDERR_FILENO) ? say_rounds : NULL;
    config.between = run_live_between;
    config.between_context = validate;
    DYNO_TRY(dyno_machine_measure(&validate->machine, &config, error));
    if (config.progress) {
        (void)fputs("\r\033[K", stderr);
    }
    return dyno_machine_write(&validate->machine, validate->machine_file, error);
}

static dyno_status run_all(struct validate *validate, struct dyno_error *error)
{
    uint32_t repeats = validate->own.repeats;
    struct half *simulated = &validate->halves[repeats];
    const char *database = validate->scenario.output.db;

    if (validate->own.calibrate) {
        DYNO_TRY(calibrate(validate, error));
    }
    DYNO_TRY(run_live_until(validate, repeats, error));
    (void)snprintf(validate->blocks, sizeof validate->blocks, "%u", validate->halves[0].blocks);
    DYNO_TRY(run_half(validate, simulated, error));
    for (uint32_t i = 0; database && i < repeats; i++) {
        DYNO_TRY(dyno_validation_record(database, validate->halves[i].run, simulated->run, error));
    }
    return DYNO_OK;
}

static dyno_status tell(struct validate *validate, struct dyno_error *error)
{
    uint32_t repeats = validate->own.repeats;
    const char *json = validate->scenario.output.json;

    if (dyno_validation_compare(&validate->found, validate->heard, repeats,
                                &validate->halves[repeats].heard) != DYNO_OK ||
        dyno_pass_watch_classes(validate->watch, &validate->machine, validate->found.passes) !=
            DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (validate->found.measures[0].requests == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "none of %u requests completed in every run: there is nothing to compare; "
                         "do prompts and answers fit the model's context?",
                         validate->found.requests);
    }
    dyno_validation_moved(&validate->found.moved, validate->totals, repeats,
                          &validate->halves[repeats].totals);
    dyno_validation_plan(&validate->found.plan, validate->heard, repeats,
                         &validate->halves[repeats].heard, validate->scenario.planner.every_ns);
    if (!json || strcmp(json, "-") != 0) {
        (void)printf("%s\n%s\n\n", validate->halves[0].title, validate->halves[repeats].title);
        dyno_validation_print(&validate->found, stdout);
    }
    return json ? dyno_validation_json(&validate->found, json, error) : DYNO_OK;
}

static dyno_status prepare(struct validate *validate, struct dyno_error *error)
{
    DYNO_TRY(read_machine(validate, error));
    validate->interrupted = dyno_frame_interrupts();
    validate->halves = calloc((size_t)validate->own.repeats + 1, sizeof *validate->halves);
    if (!validate->halves || dyno_pass_watch_open(&validate->watch) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    return DYNO_OK;
}

static void close_all(struct validate *validate)
{
    for (uint32_t i = 0; validate->halves && i <= validate->own.repeats; i++) {
        stop_half(&validate->halves[i]);
        dyno_listener_release(&validate->halves[i].heard);
    }
    dyno_pass_watch_close(validate->watch);
    dyno_options_close(&validate->options);
    free(validate->halves);
    free(validate->given);
    free(validate->words);
    free(validate);
}

static int run(struct validate *validate, int argc, char **argv, struct dyno_error *error)
{
    if (read_words(validate, argc, argv, error) != DYNO_OK) {
        return dyno_command_complain(error, DYNO_EXIT_USAGE);
    }
    if (validate->ask == DYNO_ASK_HELP) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (validate->ask == DYNO_ASK_PRINT) {
        dyno_scenario_print(&validate->options, stdout);
        return DYNO_EXIT_OK;
    }
    if (prepare(validate, error) != DYNO_OK) {
        return dyno_command_complain(error, DYNO_EXIT_USAGE);
    }
    if (run_all(validate, error) != DYNO_OK || tell(validate, error) != DYNO_OK) {
        return dyno_command_complain(error, DYNO_EXIT_FAILED);
    }
    return DYNO_EXIT_OK;
}

int dyno_command_validate(int argc, char **argv)
{
    struct validate *validate = calloc(1, sizeof *validate);
    struct dyno_error error = {0};
    int status;

    if (!validate) {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    status = run(validate, argc, argv, &error);
    close_all(validate);
    return status;
}
