/* What frames every run that is recorded: interrupts, a recorder, a progress bar, the facts of the
 * host; and where its requests come from. */
#ifndef DYNO_CLI_ASSEMBLY_RUN_FRAME_H
#define DYNO_CLI_ASSEMBLY_RUN_FRAME_H

#include <signal.h>
#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "core/run/source.h"
#include "reports/reports.h"

/* From now on SIGINT and SIGTERM set this flag, once; a second one ends the program. */
const volatile sig_atomic_t *dyno_frame_interrupts(void);

double dyno_frame_seconds(void); /* of a clock that never runs back */

/* Of a run that started then and ended so many requests. */
struct dyno_host_facts dyno_frame_host_facts(double started, uint64_t requests);

/* One line of them, on standard error. */
void dyno_frame_print_facts(const struct dyno_host_facts *facts);

/* The recorder of the scenario's database.  `rows` are the run's options; NULL, or a `command` that
 * is NULL, says that memory was out. */
dyno_status dyno_frame_recorder(struct dyno_recorder **out, const struct dyno_scenario *scenario,
                                const char *command, const char *title,
                                const struct dyno_run_option_row *rows, uint32_t row_count,
                                struct dyno_error *error);

/* A progress bar, if the scenario and the terminal want one; else *out stays as it is. */
dyno_status dyno_frame_progress(struct dyno_progress **out, const struct dyno_scenario *scenario);

/* Find out before a run that a file of its results (NULL: none) has nowhere to go. */
dyno_status dyno_frame_check_writable(const char *option, const char *path,
                                      struct dyno_error *error);

/* Who asks. */
struct dyno_frame_source {
    uint32_t block_tokens;  /* of the engine */
    const void *trace_data; /* [trace_size] the trace's bytes; trace.path is only their name */
    size_t trace_size;      /* NULL: the file's */
    struct dyno_input_copy *trace_copy;     /* NULL: nobody reads it again */
    const struct dyno_model_choice *models; /* which one a request asks for; NULL: there is one */
};

/* The scenario's trace or generator.  On success *out is closed through its ops. */
dyno_status dyno_frame_open_source(struct dyno_source **out, const struct dyno_scenario *scenario,
                                   const struct dyno_frame_source *from,
                                   struct dyno_answers *answers, struct dyno_error *error);

#endif
