/* `dyno model`: its two commands. */
#ifndef DYNO_CLI_MODEL_MODEL_H
#define DYNO_CLI_MODEL_MODEL_H

/* argv[0] is "info" or "random". */
int dyno_model_info(int argc, char **argv);
int dyno_model_random(int argc, char **argv);

#endif
