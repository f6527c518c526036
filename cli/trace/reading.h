/* Rows of options that say how traces are read, for the commands that read some: `at` is where in a
 * command's options the value goes, `text` what its help has of its own. */
#ifndef DYNO_CLI_TRACE_READING_H
#define DYNO_CLI_TRACE_READING_H

#include "core/base/options.h"

static const char *const dyno_reading_formats[] = {"auto",     "mooncake", "azure",
                                                   "burstgpt", "bailian",  NULL};

/* Their values are a const char *, a uint32_t, a uint64_t and a uint32_t. */
#define DYNO_READING_FORMAT(flag_name, text, at)                                                   \
    {                                                                                              \
        .name = "trace.format", .flag = (flag_name), .value = "FORMAT",                            \
        .help = text "auto (recognised by its first lines), mooncake, azure, burstgpt or bailian", \
        .initial = "auto", .type = DYNO_OPTION_CHOICE, .offset = (at),                             \
        .choices = dyno_reading_formats                                                            \
    }
#define DYNO_READING_BLOCK_TOKENS(flag_name, text, at)                                             \
    {                                                                                              \
        .name = "trace.block_tokens", .flag = (flag_name), .value = "TOKENS",                      \
        .help = "tokens of one block identity in " text "; format means the format's own",         \
        .initial = "format", .special = "format", .type = DYNO_OPTION_U32, .offset = (at),         \
        .min = 1, .max = 1048576                                                                   \
    }
#define DYNO_READING_SKIP_BAD(text, at)                                                            \
    {                                                                                              \
        .name = "trace.skip_bad", .flag = "skip-bad", .value = "N",                                \
        .help = "lines that may be bad" text, .initial = "0", .type = DYNO_OPTION_U64,             \
        .offset = (at), .max = UINT64_MAX                                                          \
    }
#define DYNO_READING_SORT_WINDOW(at)                                                               \
    {                                                                                              \
        .name = "trace.sort_window", .flag = "sort-window", .value = "LINES",                      \
        .help = "how many lines out of order one may be and still be put in its place",            \
        .initial = "1024", .type = DYNO_OPTION_U32, .offset = (at), .max = 1048576                 \
    }

#endif
