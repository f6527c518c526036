/* What a server leaves behind, if asked: a trace of its traffic, a run in a database, a journal. */
#ifndef DYNO_CLI_SERVE_RECORDS_H
#define DYNO_CLI_SERVE_RECORDS_H

#include "backends/posix/log.h"
#include "cli/assembly/assembly.h"
#include "cli/assembly/gpu_samples.h"
#include "reports/live_recorder.h"
#include "traces/recording.h"

/* Zero-initialise first. */
struct dyno_serve_records {
    const struct dyno_scenario *scenario;
    struct dyno_log *log;
    struct dyno_recording *recording;    /* serve.record */
    struct dyno_live_recorder *recorder; /* output.db */
    struct dyno_gpu_samples gpu_samples; /* for it, where GPUs are watched */
    struct dyno_journal *journal;        /* output.journal */
};

/* The journal; before the assembly is opened. */
dyno_status dyno_serve_records_begin(struct dyno_serve_records *records,
                                     const struct dyno_scenario *scenario, struct dyno_log *log,
                                     struct dyno_error *error);

/* The secret of serve.record_salt_env, which the environment keeps; NULL: none is named.  Error:
 * DYNO_BAD_INPUT (it is named, and not there). */
dyno_status dyno_serve_records_salt(const struct dyno_scenario *scenario, const char **out,
                                    struct dyno_error *error);

/* The recording, in front of *source, when worker and clock are known. */
dyno_status dyno_serve_records_trace(struct dyno_serve_records *records,
                                     const struct dyno_assembly *assembly,
                                     struct dyno_source **source, struct dyno_error *error);

/* The database, and those who listen behind `sink`.  `gpus` (NULL: none are watched) stay open for
 * as long as the run. */
dyno_status dyno_serve_records_listen(struct dyno_serve_records *records, struct dyno_sink *sink,
                                      const struct dyno_assembly *assembly,
                                      struct dyno_nvml_watch *gpus,
                                      const struct dyno_options *options, const char *command,
                                      struct dyno_error *error);

/* The run has ended (report NULL: it failed): write that, while the assembly is still open. */
dyno_status dyno_serve_records_finish(struct dyno_serve_records *records,
                                      const struct dyno_report *report, struct dyno_error *error);

/* When the assembly, whose seams are the recording's and the journal's, has been closed. */
dyno_status dyno_serve_records_close(struct dyno_serve_records *records, struct dyno_error *error);

#endif
