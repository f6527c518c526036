/* The command line of `dyno generate`: options with a range are rows, texts of the user's are taken
 * as they are. */
#ifndef DYNO_CLI_MODEL_GENERATE_OPTIONS_H
#define DYNO_CLI_MODEL_GENERATE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "backends/assets/weights.h"
#include "core/base/options.h"
#include "core/base/status.h"

enum { DYNO_GENERATE_STOPS_MAX = 16 };

struct dyno_generate_options {
    /* Rows. */
    const char *model;
    bool chat;
    uint32_t tokens_max;
    double temperature, top_p, min_p, repetition; /* repetition 1: no penalty */
    uint32_t top_k;                               /* 0: all */
    uint64_t seed;
    const char *device;  /* cpu or cuda */
    const char *weights; /* bf16, or with cuda fp8 */
    uint32_t threads;    /* 0: one for each core */

    /* Texts; argv's own. */
    const char *prompt, *prompt_file, *system, *tokenizer; /* NULL: not given */
    const char *stops[DYNO_GENERATE_STOPS_MAX];
    uint32_t stop_count;
    bool help;

    struct dyno_options rows; /* owns `model` */
};

/* argv[0] is the command's name.  On success dyno_generate_options_close; on failure nothing is
 * left to release.  Errors: DYNO_BAD_INPUT (the sentence says what would be right),
 * DYNO_NO_MEMORY. */
dyno_status dyno_generate_options_open(struct dyno_generate_options *options, int argc, char **argv,
                                       struct dyno_error *error);

/* What the model suggests, where the command line says nothing.  Errors: DYNO_BAD_INPUT,
 * DYNO_NO_MEMORY. */
dyno_status dyno_generate_options_suggest(struct dyno_generate_options *options,
                                          const struct dyno_suggested_sampling *sampling,
                                          struct dyno_error *error);

void dyno_generate_options_close(struct dyno_generate_options *options);

/* What `dyno generate --help` prints. */
void dyno_generate_help(FILE *out, uint32_t width);

#endif
