/* `dyno calibrate`: measure this machine, and write it down for `dyno replay --machine FILE`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/default_model.h"
#include "cli/calibrate_measure.h"
#include "cli/commands.h"
#include "cli/machine_file.h"
#include "core/base/units.h"
#include "core/base/words.h"

enum { ROUNDS = 25, THREADS_MAX = 256, TOKENS_MAX = 512, SEQS_MAX = 64 };

static const dyno_ns budget_ns = 120 * DYNO_S;

struct arguments {
    const char *model, *device, *threads, *rounds, *output;
    bool help;
};

static void print_help(void)
{
    puts("Usage: dyno calibrate [--device cpu] [--model MODEL] [--threads N] [--rounds N] -o "
         "FILE\n\n"
         "Measure how long passes of a model take on this machine: prompts of 1 to 512\n"
         "tokens, right after another pass and after a pause, 1 to 64 sequences that decode,\n"
         "short contexts and long ones, round after round; up to two minutes, and longer where\n"
         "five rounds take longer.  The machine should have nothing else to do.\n"
         "`dyno replay --machine FILE` then simulates it, and `dyno validate --machine FILE`\n"
         "says how well.\n\n"
         "  --device cpu   what is measured\n"
         "  --model MODEL  a model's folder or file, or one that comes with dyno\n"
         "                 [" DYNO_DEFAULT_MODEL "]\n"
         "  --threads N    threads that compute [one a core]\n"
         "  --rounds N     rounds at most, at least 5 [25]\n"
         "  -o FILE        write what was measured there");
}

static dyno_status take_arguments(struct arguments *arguments, int argc, char **argv,
                                  struct dyno_error *error)
{
    const struct {
        const char *flag;
        const char **to;
    } flags[] = {{"--model", &arguments->model},
                 {"--device", &arguments->device},
                 {"--threads", &arguments->threads},
                 {"--rounds", &arguments->rounds},
                 {"-o", &arguments->output}};
    char quoted[DYNO_QUOTE_MAX];

    for (int i = 1; i < argc; i++) {
        const char **to = NULL;

        for (size_t j = 0; j < sizeof flags / sizeof flags[0]; j++) {
            to = strcmp(argv[i], flags[j].flag) == 0 ? flags[j].to : to;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            arguments->help = true;
        } else if (!to) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "unknown argument %s; 'dyno calibrate --help' lists what there is",
                             dyno_quote(quoted, argv[i]));
        } else if (i + 1 == argc) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value", argv[i]);
        } else {
            *to = argv[++i];
        }
    }
    if (!arguments->help && !arguments->output) {
        return dyno_fail(error, DYNO_BAD_INPUT, "calibrate needs -o FILE");
    }
    if (arguments->device && strcmp(arguments->device, "cpu") != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--device %s: only cpu can be measured",
                         dyno_quote(quoted, arguments->device));
    }
    return DYNO_OK;
}

/* A whole number from `least` to `most`; `text` NULL: as it is. */
static dyno_status read_number(uint32_t *out, const char *flag, const char *text, uint32_t least,
                               uint32_t most, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    uint64_t number = *out;

    if (text &&
        (dyno_parse_u64(text, &number) != DYNO_UNITS_OK || number < least || number > most)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s %s: expected a whole number from %u to %u",
                         flag, dyno_quote(quoted, text), least, most);
    }
    *out = (uint32_t)number;
    return DYNO_OK;
}

static void show_progress(void *context, uint32_t done, uint32_t rounds)
{
    (void)context;
    (void)fprintf(stderr, "\rmeasuring: round %u of at most %u", done, rounds);
    (void)fflush(stderr);
}

static void print_machine(const struct dyno_machine *machine)
{
    (void)printf("%s on %s, %u threads\n\n", machine->model, machine->device, machine->threads);
    (void)printf("%10s %14s %14s %22s\n", "rows", "computed, us", "a token, us",
                 "more after a pause, us");
    for (uint32_t i = 0; i < machine->rows.count; i++) {
        (void)printf("%10u %14.1f %14.2f %22.1f\n", machine->rows.at[i], machine->rows.ns[i] / 1e3,
                     machine->rows.ns[i] / 1e3 / machine->rows.at[i], machine->idle.ns[i] / 1e3);
    }
    (void)printf("\n%10s %14s\n", "sequences", "yielding, us");
    for (uint32_t i = 0; i < machine->yields.count; i++) {
        (void)printf("%10u %14.1f\n", machine->yields.at[i], machine->yields.ns[i] / 1e3);
    }
    (void)printf(
        "\n%.3f ns a pair of prompt tokens, %.3f ns a token read by a decode step, %.1f us "
        "beside a pass\n",
        machine->pair_ns, machine->context_ns, machine->pass_ns / 1e3);
}

static dyno_status configure(struct dyno_measure_config *config, const struct arguments *arguments,
                             struct dyno_error *error)
{
    *config = (struct dyno_measure_config){
        .model = arguments->model ? arguments->model : DYNO_DEFAULT_MODEL,
        .threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
        .batch_tokens_max = TOKENS_MAX,
        .seqs_max = SEQS_MAX,
        .rounds = ROUNDS,
        .budget_ns = budget_ns,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    DYNO_TRY(read_number(&config->threads, "--threads", arguments->threads, 1, THREADS_MAX, error));
    return read_number(&config->rounds, "--rounds", arguments->rounds, 5, 1000, error);
}

static dyno_status run(const struct dyno_measure_config *config, const char *output,
                       struct dyno_error *error)
{
    struct dyno_machine machine;
    dyno_status status = dyno_machine_measure(&machine, config, error);

    if (config->progress) {
        (void)fputs("\r\033[K", stderr);
    }
    DYNO_TRY(status);
    DYNO_TRY(dyno_machine_write(&machine, output, error));
    print_machine(&machine);
    return DYNO_OK;
}

int dyno_command_calibrate(int argc, char **argv)
{
    struct dyno_measure_config config;
    struct arguments arguments = {0};
    struct dyno_error error = {0};

    if (take_arguments(&arguments, argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (arguments.help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (configure(&config, &arguments, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    return run(&config, arguments.output, &error) == DYNO_OK
               ? DYNO_EXIT_OK
               : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
