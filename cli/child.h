/* Another program, run to its end: nothing on its standard output and input, its standard error
 * kept. */
#ifndef DYNO_CLI_CHILD_H
#define DYNO_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/status.h"

struct dyno_child {
    pid_t pid;  /* 0: none */
    int errors; /* descriptor of a file without a name, with what it said */
};

struct dyno_child_end {
    bool exited;    /* false: a signal ended it */
    int status;     /* its exit status, or the signal */
    double cpu_ms;  /* user and system time of it and of what it waited for */
    char said[512]; /* the last line on standard error; may be empty */
};

/* Start argv[0], argv NULL-terminated; looked for in PATH only if it has no slash.  On success
 * *child is ended by dyno_child_wait.  Errors: DYNO_IO, DYNO_NOT_FOUND. */
dyno_status dyno_child_start(struct dyno_child *child, char *const *argv, struct dyno_error *error);

/* Wait until it ends. */
dyno_status dyno_child_wait(struct dyno_child *child, struct dyno_child_end *end,
                            struct dyno_error *error);

#endif
