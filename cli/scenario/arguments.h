/* The command line of `dyno replay`, read in two steps: parse says what each argument is, apply
 * sets the options once the scenario file has been read. */
#ifndef DYNO_CLI_SCENARIO_ARGUMENTS_H
#define DYNO_CLI_SCENARIO_ARGUMENTS_H

#include "cli/scenario/scenario.h"

/* Flags that are not the flag of one row; NULL-flag-terminated. */
struct dyno_argument_extra {
    const char *flag, *value; /* value word; NULL: takes none */
    const char *section;      /* where help lists it; NULL: on top */
    const char *help;
};

extern const struct dyno_argument_extra dyno_argument_extras[];

struct dyno_argument {
    const struct dyno_option *row; /* NULL: an extra */
    const char *flag;              /* as in the tables */
    const char *text;              /* its value; argv's own */
};

struct dyno_arguments {
    struct dyno_argument *items; /* [count], in the order given */
    uint32_t count;
    const char *file; /* the scenario file, or NULL; argv's own */
    enum dyno_scenario_ask ask;
};

/* argv[0] is the command's name.  `options` only lends its rows.  On failure nothing is left to
 * release. */
dyno_status dyno_arguments_parse(struct dyno_arguments *arguments,
                                 const struct dyno_options *options, int argc, char **argv,
                                 struct dyno_error *error);
void dyno_arguments_release(struct dyno_arguments *arguments);

/* Set them, in the order given, over what a file said.  Errors: DYNO_BAD_INPUT, DYNO_NO_MEMORY. */
dyno_status dyno_arguments_apply(const struct dyno_arguments *arguments,
                                 struct dyno_options *options, struct dyno_error *error);

#endif
