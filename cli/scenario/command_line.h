/* A command line as a person would type it. */
#ifndef DYNO_CLI_SCENARIO_COMMAND_LINE_H
#define DYNO_CLI_SCENARIO_COMMAND_LINE_H

/* The command that repeats a run, to be pasted into a shell: "dyno" and argv[argc], in quotes where
 * they need some.  To be freed; NULL: no memory. */
char *dyno_command_line(int argc, char **argv);

#endif
