/* The command table, and the commands that are about commands: help and version. */
#include "cli/commands.h"

#include <errno.h>
#include <string.h>

#include "cli/help.h"
#include "core/base/words.h"

enum { COMMAND_COLUMN = 15 };

const struct dyno_command dyno_command_table[] = {
    {"replay", "replay a trace, or generated load, through a fleet, simulated or real",
     dyno_command_replay},
    {"serve", "serve a fleet, real or simulated, to clients of the OpenAI API", dyno_command_serve},
    {"worker", "compute prompts for a dyno in another process", dyno_command_worker},
    {"trace", "look at a trace, make another of it, or make one: trace info, shape, synth, fit",
     dyno_command_trace},
    {"model", "look at a model, or make a random one: model info PATH, model random -o PATH",
     dyno_command_model},
    {"bench", "ask a server what a trace or a generator asks, and measure it", dyno_command_bench},
    {"ab", "compare arms of a scenario, request by request, with intervals and a verdict",
     dyno_command_ab},
    {"tune", "find the options that serve a scenario's traffic best", dyno_command_tune},
    {"gate", "may this change go in? the same scenarios under a base and a head",
     dyno_command_gate},
    {"generate", "let a model write: goes on from a prompt, or talks on the terminal",
     dyno_command_generate},
    {"runs", "the runs in a database: list, show, compare, tag, delete", dyno_command_runs},
    {"report", "runs of a database as a page with figures", dyno_command_report},
    {"sql", "ask a database of runs: dyno sql FILE.db 'SELECT ...'", dyno_command_sql},
    {"export", "a run as vllm bench serve or AIPerf would write it, as CSV or JSON",
     dyno_command_export},
    {"calibrate", "measure how long passes take on this machine", dyno_command_calibrate},
    {"validate", "run a trace for real and simulated, and compare request by request",
     dyno_command_validate},
    {"rerun", "feed a recorded run back: the core must decide the same", dyno_command_rerun},
    {"swarm", "try random worlds and faults, and look at every promise", dyno_command_swarm},
    {"fit", "a calibration from measured kernels, or from a benchmark of a server",
     dyno_command_fit},
    {"accuracy", "how far predictions are from a folder of measurements", dyno_command_accuracy},
    {"sensitivity", "what each knob does to TTFT, TPOT and capacity", dyno_command_sensitivity},
    {"bench-sim", "how fast the simulator is on this machine", dyno_command_bench_sim},
    {"doctor", "what this machine has, and what is missing", dyno_command_doctor},
    {"help", "help for a command; help scenario: every option; help models: models and GPUs",
     dyno_command_help},
    {"version", "print the version", dyno_command_version},
    {NULL, NULL, NULL},
};

/* Words that stand for a command. */
static const struct {
    const char *typed, *name;
} aliases[] = {{"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};

static const char *resolve(const char *typed)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(aliases[i].typed, typed) == 0) {
            return aliases[i].name;
        }
    }
    return typed;
}

static int unknown_command(const char *typed)
{
    struct dyno_error error;
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, typed);
    for (const struct dyno_command *row = dyno_command_table; row->name; row++) {
        dyno_nearest_offer(&nearest, row->name);
    }
    near = dyno_nearest_word(&nearest);
    dyno_fail(&error, DYNO_BAD_INPUT, "unknown command %s; %s%s%s", dyno_quote(quoted, typed),
              near ? "did you mean '" : "", near ? near : "'dyno help' lists them",
              near ? "'?" : "");
    return dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

const struct dyno_command *dyno_command_find(const char *name)
{
    for (const struct dyno_command *row = dyno_command_table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

void dyno_commands_help(FILE *out)
{
    uint32_t width = dyno_help_width(out);

    fputs("Usage: dyno COMMAND [ARGUMENT]...\n\n"
          "A bench for LLM serving fleets: how would this fleet serve that traffic?\n\n",
          out);
    for (const struct dyno_command *row = dyno_command_table; row->name; row++) {
        dyno_help_entry(out, width, COMMAND_COLUMN, row->name, row->help);
    }
    fputs("\n`dyno COMMAND --help` says more.\n"
          "Exit status: 0 done, 1 the run failed, 2 wrong use.\n",
          out);
}

int dyno_command_complain(const struct dyno_error *error, int exit_status)
{
    fprintf(stderr, "dyno: %s\n", error->text);
    return exit_status;
}

int dyno_command_help(int argc, char **argv)
{
    const struct dyno_command *command;
    char ask[] = "--help";

    if (argc < 2 || strcmp(resolve(argv[1]), "help") == 0) {
        dyno_commands_help(stdout);
        return DYNO_EXIT_OK;
    }
    if (strcmp(argv[1], "scenario") == 0) {
        dyno_help_scenario(stdout, dyno_help_width(stdout));
        return DYNO_EXIT_OK;
    }
    if (strcmp(argv[1], "models") == 0) {
        dyno_help_models(stdout, dyno_help_width(stdout));
        return DYNO_EXIT_OK;
    }
    command = dyno_command_find(argv[1]);
    return command ? command->run(2, (char *[]){argv[1], ask, NULL}) : unknown_command(argv[1]);
}

int dyno_command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("dyno " DYNO_VERSION);
    return DYNO_EXIT_OK;
}

int dyno_main(int argc, char **argv)
{
    const struct dyno_command *command;
    struct dyno_error error;
    int exit_status;

    if (argc < 2) {
        dyno_commands_help(stdout);
        return DYNO_EXIT_OK;
    }
    command = dyno_command_find(resolve(argv[1]));
    exit_status = command ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
    if (fflush(stdout) != 0 && exit_status == DYNO_EXIT_OK) {
        dyno_fail(&error, DYNO_IO, "standard output cannot be written: %s", strerror(errno));
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    return exit_status;
}
