/* The command line of a command that has options of its own beside those of `dyno replay`, such as
 * `dyno ab`: what is its own is taken, in any order, and the rest is left for the scenario. */
#ifndef DYNO_CLI_OWN_WORDS_H
#define DYNO_CLI_OWN_WORDS_H

#include <stdbool.h>

#include "core/base/options.h"
#include "core/base/status.h"

struct dyno_own_words {
    struct dyno_options *options; /* its own, open */
    const char *output_flag;      /* the flag that -o stands for; NULL: none */
    /* Of words that are no option's flag and may be given again: what stands behind `typed`, for
     * errors, or NULL where it is none of them; and what is done with it.  Both NULL: there are
     * none. */
    const char *(*value_of)(const char *typed);
    dyno_status (*take)(void *context, const char *typed, const char *value,
                        struct dyno_error *error);
    void *context;
    char **rest; /* [rest_count], room for argc, the caller's: argv[0] and what is not its own */
    int rest_count;
    bool wants_help;
};

/* Whether `typed` is the flag `flag` ("--vary"), alone or with "=" and a value. */
bool dyno_own_words_is(const char *typed, const char *flag);

/* Read the command line, up to --help if that is there.  Errors: DYNO_BAD_INPUT, and those of
 * `take`. */
dyno_status dyno_own_words_read(struct dyno_own_words *words, int argc, char **argv,
                                struct dyno_error *error);

#endif
