/* The words of `dyno bench`'s command line: its own flags, what another load generator calls the
 * same, and the rest, which is the scenario's. */
#ifndef DYNO_CLI_BENCH_WORDS_H
#define DYNO_CLI_BENCH_WORDS_H

#include "cli/bench/options.h"

/* Set the options' own rows, and fill `words` with what the scenario is to be told. */
dyno_status dyno_bench_words_read(struct dyno_bench_options *options, int argc, char **argv,
                                  struct dyno_error *error);

/* The other names, an entry each. */
void dyno_bench_words_help(FILE *out, uint32_t width, uint32_t column);

#endif
