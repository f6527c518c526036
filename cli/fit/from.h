/* `dyno fit --from FILE`: the part of the command that takes a recorded benchmark. */
#ifndef DYNO_CLI_FIT_FROM_H
#define DYNO_CLI_FIT_FROM_H

/* Returns the exit status. */
int dyno_fit_from(int argc, char **argv);

#endif
