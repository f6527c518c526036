/* `dyno trace`: what its two commands share. */
#ifndef DYNO_CLI_TRACE_H
#define DYNO_CLI_TRACE_H

#include <stdbool.h>

#include "core/base/options.h"
#include "core/base/status.h"

/* One of them: its options by their rows, one file, and what it does with both. */
struct dyno_trace_shape {
    const char *command;            /* "trace info", for errors */
    const char *file_flag;          /* "-o": the file follows this; NULL: it stands alone */
    const char *needs;              /* what is missing without a file */
    const struct dyno_option *rows; /* [row_count] */
    uint32_t row_count;
    void *values; /* the struct that the rows fill; run gets it */
    void (*print_help)(void);
    int (*run)(const char *file, const void *values);
};

/* Read the command line, then print help or run.  Returns the exit status. */
int dyno_trace_command(const struct dyno_trace_shape *shape, int argc, char **argv);

/* The rows as help entries: flag, value, help, default. */
void dyno_trace_rows_help(const struct dyno_option *rows, uint32_t count);

/* argv[0] is "info" or "synth". */
int dyno_trace_info(int argc, char **argv);
int dyno_trace_synth(int argc, char **argv);

#endif
