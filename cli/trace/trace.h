/* `dyno trace`: its commands. */
#ifndef DYNO_CLI_TRACE_TRACE_H
#define DYNO_CLI_TRACE_TRACE_H

/* argv[0] is "info", "synth", "shape" or "fit". */
int dyno_trace_info(int argc, char **argv);
int dyno_trace_synth(int argc, char **argv);
int dyno_trace_shape_command(int argc, char **argv);
int dyno_trace_fit_command(int argc, char **argv);

#endif
