/* `dyno trace`: its two commands. */
#ifndef DYNO_CLI_TRACE_H
#define DYNO_CLI_TRACE_H

/* argv[0] is "info" or "synth". */
int dyno_trace_info(int argc, char **argv);
int dyno_trace_synth(int argc, char **argv);

#endif
