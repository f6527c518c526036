/* `dyno trace`: what its two commands share. */
#ifndef DYNO_CLI_TRACE_H
#define DYNO_CLI_TRACE_H

#include <stdbool.h>

#include "core/base/options.h"
#include "core/base/status.h"

/* The command line of one of them: options by their rows, and one file. */
struct dyno_trace_words {
    const char *command;   /* "trace info", for errors */
    const char *file_flag; /* "-o": the file follows this; NULL: it stands alone */
    const char *file;      /* NULL: not given; argv's own */
    bool wants_help;
};

/* Read argv[1..argc) into `words` and `options`.  argv[0] is passed over. */
dyno_status dyno_trace_words_take(struct dyno_trace_words *words, struct dyno_options *options,
                                  int argc, char **argv, struct dyno_error *error);

/* The rows as help entries: flag, value, help, default. */
void dyno_trace_rows_help(const struct dyno_option *rows, uint32_t count);

/* argv[0] is "info" or "synth". */
int dyno_trace_info(int argc, char **argv);
int dyno_trace_synth(int argc, char **argv);

#endif
