/* A command of one file and some options, such as `dyno trace info FILE`; or of options alone. */
#ifndef DYNO_CLI_FILE_COMMAND_H
#define DYNO_CLI_FILE_COMMAND_H

#include <stdbool.h>

#include "core/base/options.h"
#include "core/base/status.h"

/* Words that stand alone beside the flag's file, such as the tables of `dyno fit`. */
struct dyno_file_words {
    const char **at; /* [most], the caller's; the words are argv's */
    uint32_t most, count;
    const char *name; /* "tables", for errors */
};

/* Its options by their rows, one file (or none), and what it does with both. */
struct dyno_file_command {
    const char *command;            /* "trace info", for errors */
    const char *file_flag;          /* "-o": the file follows this; NULL: it stands alone */
    struct dyno_file_words *others; /* words that stand alone, without a flag behind the file; NULL:
                                       none may */
    const char *needs;              /* what is missing without a file; NULL: nothing */
    bool takes_no_file;             /* a word that stands alone is refused */
    const struct dyno_option *rows; /* [row_count] */
    uint32_t row_count;
    void *values; /* the struct that the rows fill; run gets it */
    void (*print_help)(void);
    int (*run)(const char *file, const void *values); /* file: NULL where none was given */
};

/* Read the command line, then print help or run.  Returns the exit status. */
int dyno_file_command_run(const struct dyno_file_command *shape, int argc, char **argv);

/* The rows as help entries: flag, value, help, default. */
void dyno_file_command_rows_help(const struct dyno_option *rows, uint32_t count);

#endif
