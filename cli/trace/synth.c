/* `dyno trace synth ... -o FILE`: write what the generator makes as a trace. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/trace/trace.h"
#include "core/base/time.h"
#include "traces/traces.h"

struct synth_options {
    const char *format;
    uint32_t block_tokens;
    struct dyno_generator_config generator;
};

#define AT(field)       offsetof(struct synth_options, field)
#define GENERATOR(name) offsetof(struct synth_options, generator.name)

static const char *const formats[] = {"mooncake", "bailian", "azure", "burstgpt", NULL};

static const struct dyno_option rows[] = {
    {.name = "output.format",
     .flag = "format",
     .value = "FORMAT",
     .help =
         "mooncake (JSONL with block identities and sessions), bailian (JSONL with identities of "
         "16 tokens), azure or burstgpt (CSV without)",
     .initial = "mooncake",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(format),
     .choices = formats},
    {.name = "output.block_tokens",
     .flag = "block-tokens",
     .value = "TOKENS",
     .help = "tokens that a block identity stands for; format means 512, or 16 for bailian",
     .initial = "format",
     .special = "format",
     .type = DYNO_OPTION_U32,
     .offset = AT(block_tokens),
     .min = 1,
     .max = 1048576},
    {.name = "run.seed",
     .flag = "seed",
     .value = "N",
     .help = "the same seed gives the same file",
     .initial = "1",
     .type = DYNO_OPTION_U64,
     .offset = GENERATOR(seed),
     .max = UINT64_MAX},
    {.name = "generate.requests",
     .flag = "requests",
     .value = "N",
     .help = "how many; none means until --duration",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_U64,
     .offset = GENERATOR(requests),
     .min = 1,
     .max = UINT64_MAX},
    {.name = "generate.duration",
     .flag = "duration",
     .value = "TIME",
     .help = "how long; none means until --requests",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_DURATION,
     .offset = GENERATOR(duration_ns),
     .min = 1,
     .max = 3650 * 86400 * DYNO_S},
    {.name = "generate.arrival",
     .flag = "arrival",
     .value = "LAW",
     .help = "constant:RATE, poisson:RATE, gamma:RATE,CV, sine:MEAN,AMPLITUDE,PERIOD or "
             "rates:RATE@0s,RATE@60s,... (per second; with --session-turns, of sessions)",
     .initial = "poisson:1",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(arrival),
     .min = 1},
    {.name = "generate.input_tokens",
     .flag = "input-tokens",
     .value = "LENGTH",
     .help = "new prompt tokens: a number, uniform:LOW,HIGH, normal:MEAN,DEVIATION, "
             "lognormal:MEDIAN,SIGMA, exponential:MEAN or percentiles:P0,P1,P5,P10,P20,...,P90,"
             "P95,P99,P100",
     .initial = "1024",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(input_tokens),
     .min = 1},
    {.name = "generate.output_tokens",
     .flag = "output-tokens",
     .value = "LENGTH",
     .help = "answer tokens, written the same way",
     .initial = "128",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(output_tokens),
     .min = 1},
    {.name = "generate.prefix_groups",
     .flag = "prefix-groups",
     .value = "N",
     .help = "distinct shared-prefix trees; none means that no prompts share anything",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_U32,
     .offset = GENERATOR(prefix_groups),
     .min = 1,
     .max = 10000000},
    {.name = "generate.prefix_tokens",
     .flag = "prefix-tokens",
     .value = "LENGTH",
     .help = "length of a node's text, which stands before the new tokens",
     .initial = "512",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(prefix_tokens),
     .min = 1},
    {.name = "generate.prefix_zipf",
     .flag = "prefix-zipf",
     .value = "X",
     .help = "how uneven the groups are: Zipf exponent of their popularity, 0 for equal",
     .initial = "1",
     .type = DYNO_OPTION_DOUBLE,
     .offset = GENERATOR(prefix_zipf),
     .high = 10},
    {.name = "generate.prefix_depth",
     .flag = "prefix-depth",
     .value = "LEVELS",
     .help = "levels of a group's tree below its root",
     .initial = "0",
     .type = DYNO_OPTION_U32,
     .offset = GENERATOR(prefix_depth),
     .max = 32},
    {.name = "generate.prefix_branches",
     .flag = "prefix-branches",
     .value = "N",
     .help = "children of a node of the tree",
     .initial = "2",
     .type = DYNO_OPTION_U32,
     .offset = GENERATOR(prefix_branches),
     .min = 1,
     .max = 65536},
    {.name = "generate.session_turns",
     .flag = "session-turns",
     .value = "TURNS",
     .help = "turns of a conversation: a number, or TURNS:SHARE,... as often as the shares say "
             "(1:70,2:20,9:10); each turn sends all before it and new input",
     .initial = "1",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(session_turns),
     .min = 1},
    {.name = "generate.turn_tokens",
     .flag = "turn-tokens",
     .value = "LENGTH",
     .help = "new input of later turns, written the same way; same means as --input-tokens",
     .initial = "same",
     .special = "same",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(turn_tokens),
     .min = 1},
    {.name = "generate.think_time",
     .flag = "think-time",
     .value = "SECONDS",
     .help = "between an answer and the next turn, written as a length: 5, exponential:20",
     .initial = "0",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(think_time),
     .min = 1},
    {.name = "generate.turn_gap",
     .flag = "turn-gap",
     .value = "SECONDS",
     .help = "instead, seconds between asking a turn and asking the next, which waits for the "
             "answer if that takes longer; none means that turns think",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(turn_gap),
     .min = 1},
    {.name = "generate.tick",
     .flag = "tick",
     .value = "TIME",
     .help = "requests come when a clock ticks, all at once that came since, as recorders tell "
             "them that seldom look at the time; none means when they come",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_DURATION,
     .offset = GENERATOR(tick_ns),
     .min = 1,
     .max = (uint64_t)86400 * DYNO_S},
    {.name = "generate.tenants",
     .flag = "tenants",
     .value = "SHARES",
     .help = "shares of requests (of conversations) of tenants 1, 2, 3, ...: 8,1,1",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(tenants),
     .min = 1},
    {.name = "generate.priorities",
     .flag = "priorities",
     .value = "SHARES",
     .help = "shares of requests of some priorities: 0:9,5:1",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = GENERATOR(priorities),
     .min = 1},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno trace synth [--OPTION VALUE]... -o FILE\n\n"
         "Write generated requests as a trace. FILE may be - (standard output); a name in .gz is\n"
         "compressed. It appears only when all of it is written.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static int run(const char *file, const void *values)
{
    const struct synth_options *options = values;
    struct dyno_generator_config generator = options->generator;
    struct dyno_error error;
    uint64_t requests;

    generator.interrupted = dyno_frame_interrupts();
    if (dyno_trace_write(file, options->format, options->block_tokens, &generator, &requests,
                         &error) != DYNO_OK) {
        return dyno_command_complain(&error, error.status == DYNO_BAD_INPUT ? DYNO_EXIT_USAGE
                                                                            : DYNO_EXIT_FAILED);
    }
    if (strcmp(file, "-") != 0) {
        printf("%s: %" PRIu64 " requests\n", file, requests);
    }
    return DYNO_EXIT_OK;
}

int dyno_trace_synth(int argc, char **argv)
{
    struct synth_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "trace synth",
                                                             .file_flag = "-o",
                                                             .needs = "a file to write: -o FILE",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
