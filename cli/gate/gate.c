/* `dyno gate`: may this change go in?  The same scenarios under a base and a head. */
#include "cli/gate/gate.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "core/base/words.h"

#define AT(field) offsetof(struct dyno_gate_options, field)

#define TEXT_ROW(option, word, field_name, text)                                                   \
    {                                                                                              \
        .name = "gate." option, .flag = option, .value = word, .type = DYNO_OPTION_TEXT,           \
        .offset = AT(field_name), .initial = "none", .special = "none", .min = 1, .help = text     \
    }

static const struct dyno_option rows[] = {
    TEXT_ROW("base", "WHAT", base,
             "what was: a dyno program, a scenario file (.yaml), a database of runs, a baseline "
             "(.json), or the URL of a server"),
    {.name = "gate.head",
     .flag = "head",
     .value = "WHAT",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(head),
     .initial = "this",
     .special = "this",
     .min = 1,
     .help = "what is to be: a dyno program, or a scenario file or a URL where base is one; this: "
             "this program"},
    TEXT_ROW("suite", "SCENARIOS", suite,
             "what is replayed: a folder of .yaml files, or files with commas between them"),
    TEXT_ROW("budgets", "FILE", budgets, "what may change by how much (docs/gate.md)"),
    {.name = "gate.host_time",
     .flag = "host-time",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(host_time),
     .initial = "false",
     .help = "also time both, in turn, on one processor"},
    TEXT_ROW("head-set", "NAME=VALUE", head_set,
             "set an option in head only: what a regression would look like"),
    TEXT_ROW("save", "FILE", save,
             "keep head's runs in this database, to be a base later; or what they come to in a "
             "baseline (FILE.json)"),
    TEXT_ROW("junit", "FILE", junit, "the outcome as JUnit XML"),
    TEXT_ROW("markdown", "FILE", markdown, "the outcome as Markdown, for a pull request"),
    TEXT_ROW("json", "FILE", json, "the outcome as JSON; - prints it instead of the table"),
    {.name = "gate.rounds",
     .flag = "rounds",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(rounds),
     .initial = "5",
     .min = 2,
     .max = 100,
     .help = "of servers: how often each scenario is asked of base, head and base again"},
    {.name = "gate.jobs",
     .flag = "jobs",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(jobs),
     .initial = "0",
     .max = 64,
     .help = "replays at once; 0: as many as processors"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    puts("Usage: dyno gate --base WHAT [--head WHAT] --suite SCENARIOS [--OPTION VALUE]...\n\n"
         "Replay the same scenarios with two builds, with two scenario files, or against runs\n"
         "stored before, and say whether anything changed.  Simulated figures are compared\n"
         "exactly, and any drift is told by class of request; host time by a sequential test.\n\n"
         "Examples:\n"
         "  dyno gate --base ./dyno-main --suite sim/gate --budgets sim/gate/budgets.yml\n"
         "  dyno gate --base today.yaml --head tomorrow.yaml --markdown change.md\n"
         "  dyno gate --base last-release.db --suite sim/gate --junit gate.xml\n"
         "  dyno gate --base sim/gate/baseline.json --suite sim/gate\n");
    dyno_file_command_rows_help(rows, ROWS);
    puts("\nVerdicts and exit status: PASS, IMPROVEMENT 0, REGRESSION 1, wrong use 2,\n"
         "BEHAVIOR_CHANGED 3, INVALID 4.");
}

static dyno_status prepare(struct dyno_gate *gate, struct dyno_error *error)
{
    const struct dyno_gate_options *options = &gate->options;

    if (!options->base) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "gate needs --base: a dyno program, a scenario file, a database of runs, "
                         "or a baseline");
    }
    DYNO_TRY(dyno_gate_side_find(&gate->sides[0], "base", options->base, error));
    DYNO_TRY(dyno_gate_side_find(&gate->sides[1], "head", options->head, error));
    DYNO_TRY(dyno_gate_budgets_read(&gate->budgets, options->budgets, error));
    DYNO_TRY(dyno_gate_suite_find(gate, error));
    if (options->host_time &&
        (dyno_gate_is_past(&gate->sides[0]) || gate->sides[0].kind == DYNO_GATE_SERVER)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--host-time: base is a %s, and cannot be timed again",
                         gate->sides[0].kind == DYNO_GATE_SERVER     ? "server"
                         : gate->sides[0].kind == DYNO_GATE_BASELINE ? "baseline"
                                                                     : "database");
    }
    if (gate->sides[0].kind == DYNO_GATE_SERVER && gate->budgets.count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "servers are never the same twice: gate needs --budgets to compare them");
    }
    if (options->save && dyno_gate_is_baseline(options->save)) {
        DYNO_TRY(dyno_frame_check_writable("--save", options->save, error));
    }
    DYNO_TRY(dyno_frame_check_writable("--json", options->json, error));
    DYNO_TRY(dyno_frame_check_writable("--junit", options->junit, error));
    return dyno_frame_check_writable("--markdown", options->markdown, error);
}

/* What head came to, as a baseline; a suite that did not run whole makes none. */
static dyno_status save_baseline(const struct dyno_gate *gate, struct dyno_error *error)
{
    const char *names[DYNO_GATE_SCENARIOS_MAX];
    const struct dyno_stored_run *runs[DYNO_GATE_SCENARIOS_MAX];

    for (uint32_t i = 0; i < gate->case_count; i++) {
        names[i] = gate->cases[i].name;
        runs[i] = &gate->cases[i].runs[1];
        if (runs[i]->record_count == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "--save: %s came to nothing in head; %.300s is left as it was",
                             names[i], gate->options.save);
        }
    }
    return dyno_baseline_write(gate->options.save, names, runs, gate->case_count, error);
}

static dyno_status report(const struct dyno_gate *gate, struct dyno_error *error)
{
    const struct dyno_gate_options *options = &gate->options;

    if (options->save && dyno_gate_is_baseline(options->save)) {
        DYNO_TRY(save_baseline(gate, error));
    }
    if (!options->json || strcmp(options->json, "-") != 0) {
        dyno_gate_print(gate, stdout);
    }
    if (options->json) {
        DYNO_TRY(dyno_gate_json(gate, options->json, error));
    }
    if (options->junit) {
        DYNO_TRY(dyno_gate_junit(gate, options->junit, error));
    }
    return options->markdown ? dyno_gate_markdown(gate, options->markdown, error) : DYNO_OK;
}

static int run_gate(struct dyno_gate *gate)
{
    double started = dyno_frame_seconds();
    struct dyno_error error = {0};
    dyno_status status;

    if (prepare(gate, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    status = gate->sides[0].kind == DYNO_GATE_SERVER ? dyno_gate_ask(gate, &error)
                                                     : dyno_gate_run(gate, &error);
    if (status == DYNO_OK && gate->options.host_time) {
        status = dyno_gate_time(gate, &error);
    }
    if (status == DYNO_OK) {
        status = dyno_gate_judge(gate, &error);
    }
    for (uint32_t i = 0; i < gate->case_count; i++) {
        dyno_text_clean(gate->cases[i].invalid); /* others' words, cut anywhere, for all files */
    }
    if (status == DYNO_OK) {
        status = report(gate, &error);
    }
    if (status != DYNO_OK) {
        return dyno_command_complain(&error, dyno_gate_exit_status(DYNO_GATE_INVALID));
    }
    (void)fprintf(stderr, "%u scenario%s in %.1f s\n", gate->case_count,
                  gate->case_count == 1 ? "" : "s", dyno_frame_seconds() - started);
    return dyno_gate_exit_status(gate->verdict);
}

static void close_all(struct dyno_gate *gate)
{
    for (uint32_t i = 0; i < gate->case_count; i++) {
        dyno_stored_run_release(&gate->cases[i].runs[0]);
        dyno_stored_run_release(&gate->cases[i].runs[1]);
    }
    free(gate->cases);
}

static int run(const char *file, const void *values)
{
    struct dyno_gate *gate = calloc(1, sizeof *gate);
    struct dyno_error error = {0};
    int exit_status;

    (void)file;
    if (!gate) {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    gate->options = *(const struct dyno_gate_options *)values;
    exit_status = run_gate(gate);
    close_all(gate);
    free(gate);
    return exit_status;
}

int dyno_command_gate(int argc, char **argv)
{
    struct dyno_gate_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "gate",
                                                             .takes_no_file = true,
                                                             .rows = rows,
                                                             .row_count = ROWS,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
