/* The commands of dyno: one row each, one file each.
 *
 * A command gets its own name in argv[0] and returns the exit status: 0 done, 1 the run failed,
 * 2 the command line was wrong (then nothing was begun).  It prints its own errors.
 */
#ifndef DYNO_CLI_COMMANDS_H
#define DYNO_CLI_COMMANDS_H

#include <stdio.h>

#include "core/base/status.h"

#define DYNO_VERSION "0.1.0" /* as in CMakeLists.txt; a test compares them */

enum { DYNO_EXIT_OK = 0, DYNO_EXIT_FAILED = 1, DYNO_EXIT_USAGE = 2 };

struct dyno_command {
    const char *name;
    const char *help; /* one line */
    int (*run)(int argc, char **argv);
};

extern const struct dyno_command dyno_command_table[]; /* NULL-name-terminated */

/* The command called `name`, or NULL. */
const struct dyno_command *dyno_command_find(const char *name);

/* What `dyno --help` prints. */
void dyno_commands_help(FILE *out);

/* Print "dyno: SENTENCE" to standard error and return `exit_status`. */
int dyno_command_complain(const struct dyno_error *error, int exit_status);

/* The whole of main: find the command, run it. */
int dyno_main(int argc, char **argv);

int dyno_command_replay(int argc, char **argv);
int dyno_command_serve(int argc, char **argv);
int dyno_command_worker(int argc, char **argv);
int dyno_command_trace(int argc, char **argv);
int dyno_command_model(int argc, char **argv);
int dyno_command_bench(int argc, char **argv);
int dyno_command_ab(int argc, char **argv);
int dyno_command_tune(int argc, char **argv);
int dyno_command_gate(int argc, char **argv);
int dyno_command_generate(int argc, char **argv);
int dyno_command_runs(int argc, char **argv);
int dyno_command_report(int argc, char **argv);
int dyno_command_sql(int argc, char **argv);
int dyno_command_export(int argc, char **argv);
int dyno_command_accuracy(int argc, char **argv);
int dyno_command_sensitivity(int argc, char **argv);
int dyno_command_bench_sim(int argc, char **argv);
int dyno_command_swarm(int argc, char **argv);
int dyno_command_fit(int argc, char **argv);
int dyno_command_calibrate(int argc, char **argv);
int dyno_command_validate(int argc, char **argv);
int dyno_command_rerun(int argc, char **argv);
int dyno_command_doctor(int argc, char **argv);
int dyno_command_help(int argc, char **argv);
int dyno_command_version(int argc, char **argv);

#endif
