/* `dyno trace shape ... -o FILE FROM...`: another trace of one or several. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/trace/reading.h"
#include "cli/trace/trace.h"
#include "core/base/time.h"
#include "traces/traces.h"

enum { INPUTS_MAX = 16 };

struct shape_options {
    struct dyno_shape_config shape;
    const char *format, *salt_env;
    uint32_t block_tokens;
    bool is_shared;
    const char *input_format;
    uint32_t input_block_tokens, sort_window;
    uint64_t skip_bad;
};

#define AT(field) offsetof(struct shape_options, field)

static const char *const formats[] = {"mooncake", "bailian", "azure", "burstgpt", NULL};

static const struct dyno_option rows[] = {
    {.name = "shape.from",
     .flag = "from",
     .value = "TIME",
     .help = "leave out what was sent before (counted from the first request)",
     .initial = "0s",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(shape.from_ns),
     .max = 3650 * 86400 * DYNO_S},
    {.name = "shape.until",
     .flag = "until",
     .value = "TIME",
     .help = "leave out what was sent then or later",
     .initial = "the end",
     .special = "the end",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(shape.until_ns),
     .min = 1,
     .max = 3650 * 86400 * DYNO_S},
    {.name = "shape.scale",
     .flag = "scale",
     .value = "X",
     .help = "so many times the load: below 1 whole conversations are left out, above 1 copies of "
             "some are added, which share what all share",
     .initial = "1",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(shape.scale),
     .low = 1e-6,
     .high = 1000},
    {.name = "shape.speedup",
     .flag = "speedup",
     .value = "X",
     .help = "divide times and delays by this",
     .initial = "1",
     .type = DYNO_OPTION_DOUBLE,
     .offset = AT(shape.speedup),
     .low = 1e-3,
     .high = 1e6},
    {.name = "shape.spread",
     .flag = "spread",
     .value = "TIME",
     .help = "a copied conversation begins up to this much later",
     .initial = "30s",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(shape.spread_ns),
     .max = 3650 * 86400 * DYNO_S},
    {.name = "shape.common",
     .flag = "common",
     .value = "N",
     .help = "a block that more than N requests have is a common prefix; requests that share "
             "others are one conversation",
     .initial = "100",
     .type = DYNO_OPTION_U32,
     .offset = AT(shape.common_min),
     .min = 1,
     .max = UINT32_MAX},
    {.name = "run.seed",
     .flag = "seed",
     .value = "N",
     .help = "of what is left out and copied: the same seed gives the same file",
     .initial = "1",
     .type = DYNO_OPTION_U64,
     .offset = AT(shape.seed),
     .max = UINT64_MAX},
    {.name = "output.format",
     .flag = "format",
     .value = "FORMAT",
     .help = "mooncake (says everything), bailian, azure or burstgpt",
     .initial = "mooncake",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(format),
     .choices = formats},
    {.name = "output.block_tokens",
     .flag = "block-tokens",
     .value = "TOKENS",
     .help = "tokens that a block identity stands for; as read means as in what is read",
     .initial = "as read",
     .special = "as read",
     .type = DYNO_OPTION_U32,
     .offset = AT(block_tokens),
     .min = 1,
     .max = 1048576},
    {.name = "output.salt_env",
     .flag = "salt-env",
     .value = "NAME",
     .help = "write identities, sessions and names as hashes keyed by the secret in this "
             "environment variable, so that files of one secret can be compared; none numbers them",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(salt_env),
     .min = 1},
    {.name = "trace.shared",
     .flag = "shared",
     .help = "identities of several files mean the same blocks",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(is_shared)},
    DYNO_READING_FORMAT("input-format", "of what is read: ", AT(input_format)),
    DYNO_READING_BLOCK_TOKENS("input-block-tokens", "what is read", AT(input_block_tokens)),
    DYNO_READING_SKIP_BAD(" in a file: they are left out", AT(skip_bad)),
    DYNO_READING_SORT_WINDOW(AT(sort_window)),
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const char *inputs[INPUTS_MAX];
static struct dyno_file_words words = {.at = inputs, .most = INPUTS_MAX, .name = "traces"};

static void print_help(void)
{
    puts(
        "Usage: dyno trace shape [--OPTION VALUE]... -o FILE FROM...\n\n"
        "Make another trace of one, or of several that are merged: a part of its time, a part or\n"
        "a multiple of its load, another pace, another format. Conversations stay whole, and who\n"
        "shares a prefix with whom stays so. Of identities, sessions and names only what is equal\n"
        "to what is written: no text, and none of the keys that were read. FILE may be -; a name\n"
        "in .gz is compressed. It appears only when all of it is written.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

/* What the options say, and what they cannot say together. */
static dyno_status check(const struct shape_options *options, const char **salt,
                         struct dyno_error *error)
{
    if (words.count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "trace shape needs a trace to read: dyno trace shape -o FILE FROM");
    }
    if (options->shape.until_ns && options->shape.until_ns <= options->shape.from_ns) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--until is not later than --from; expected a window with a beginning "
                         "and an end");
    }
    *salt = options->salt_env ? getenv(options->salt_env) : NULL;
    if (options->salt_env && !*salt) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--salt-env: there is no environment variable %.100s with the secret",
                         options->salt_env);
    }
    return DYNO_OK;
}

static int run(const char *file, const void *values)
{
    const struct shape_options *options = values;
    struct dyno_shape_config shape = options->shape;
    struct dyno_shape_output output = {.path = file,
                                       .format = options->format,
                                       .block_tokens = options->block_tokens,
                                       .interrupted = dyno_frame_interrupts()};
    struct dyno_trace_config configs[INPUTS_MAX];
    struct dyno_shape_counts counts;
    struct dyno_error error;

    if (check(options, &output.salt, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    shape.until_ns = shape.until_ns ? shape.until_ns : DYNO_NEVER;
    for (uint32_t i = 0; i < words.count; i++) {
        configs[i] = (struct dyno_trace_config){.path = inputs[i],
                                                .format = options->input_format,
                                                .trace_block_tokens = options->input_block_tokens,
                                                .skip_bad_max = options->skip_bad,
                                                .sort_window = options->sort_window};
    }
    if (dyno_trace_shape(configs, words.count, options->is_shared, &shape, &output, &counts,
                         &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (strcmp(file, "-") != 0) {
        printf("%s: %" PRIu64 " requests of %" PRIu64 " in %" PRIu64 " conversations\n", file,
               counts.requests_written, counts.requests_read, counts.conversations_read);
    }
    return DYNO_EXIT_OK;
}

int dyno_trace_shape_command(int argc, char **argv)
{
    struct shape_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "trace shape",
                                                             .file_flag = "-o",
                                                             .others = &words,
                                                             .needs = "a file to write: -o FILE",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
