#include "cli/serve/records.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/posix/wall_clock.h"
#include "cli/assembly/models.h"

/* From the threads that write: what an operator should know. */
static void say(void *context, const char *text)
{
    dyno_log((struct dyno_log *)context, DYNO_LOG_WARNING, NULL, "recording",
             dyno_log_text("what", text));
}

dyno_status dyno_serve_records_begin(struct dyno_serve_records *records,
                                     const struct dyno_scenario *scenario, struct dyno_log *log,
                                     struct dyno_error *error)
{
    records->scenario = scenario;
    records->log = log;
    if (!scenario->output.journal) {
        return DYNO_OK;
    }
    return dyno_journal_create(&records->journal, scenario->output.journal, error);
}

/* Unix time when the clock of the run was at 0. */
static uint64_t started_at(const struct dyno_clock *clock)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * DYNO_S + (uint64_t)now.tv_nsec - dyno_wall_clock_now(clock);
}

dyno_status dyno_serve_records_salt(const struct dyno_scenario *scenario, const char **out,
                                    struct dyno_error *error)
{
    const char *variable = scenario->serve.record_salt_env;

    *out = variable ? getenv(variable) : NULL;
    if (variable && !*out) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "serve.record_salt_env: there is no environment variable %.100s with the "
                         "salt",
                         variable);
    }
    return DYNO_OK;
}

dyno_status dyno_serve_records_trace(struct dyno_serve_records *records,
                                     const struct dyno_assembly *assembly,
                                     struct dyno_source **source, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = records->scenario;
    const char *models[DYNO_MODELS_MAX], *salt;
    uint32_t model_count = assembly->fleets ? dyno_fleets_count(assembly) : 0;

    if (!scenario->serve.record) {
        return DYNO_OK;
    }
    for (uint32_t i = 0; i < model_count; i++) {
        models[i] = assembly->fleets->models.of[i].name;
    }
    DYNO_TRY(dyno_serve_records_salt(scenario, &salt, error));
    DYNO_TRY(dyno_recording_open(
        &records->recording,
        &(struct dyno_recording_config){.path = scenario->serve.record,
                                        .salt = salt,
                                        .models = models,
                                        .model_count = model_count,
                                        .started_at_ns = started_at(assembly->clock),
                                        .engine_block_tokens = assembly->worker.block_tokens,
                                        .bytes_max = scenario->serve.record_bytes_max,
                                        .files_max = scenario->serve.record_files_max,
                                        .queue_bytes_max = scenario->serve.record_queue_bytes_max,
                                        .say = say,
                                        .context = records->log},
        error));
    *source = dyno_recording_source(records->recording, *source);
    return DYNO_OK;
}

static dyno_status open_recorder(struct dyno_serve_records *records,
                                 const struct dyno_assembly *assembly,
                                 const struct dyno_options *options, const char *command,
                                 struct dyno_error *error)
{
    const struct dyno_scenario *scenario = records->scenario;
    struct dyno_run_option_row *rows = dyno_scenario_option_rows(options);
    dyno_status status;

    if (!rows || !command) {
        dyno_scenario_option_rows_free(rows, options->count);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the options' texts");
    }
    status = dyno_live_recorder_open(
        &records->recorder,
        &(struct dyno_live_recorder_config){.path = scenario->output.db,
                                            .command = command,
                                            .title = assembly->title,
                                            .options = rows,
                                            .option_count = options->count,
                                            .bytes_max = scenario->serve.db_bytes_max,
                                            .age_max_s = scenario->serve.db_age_max_ns / DYNO_S,
                                            .say = say,
                                            .context = records->log},
        error);
    dyno_scenario_option_rows_free(rows, options->count);
    return status;
}

static dyno_status put_gpu(void *recorder, const struct dyno_gpu_record *record)
{
    return dyno_live_recorder_gpu(recorder, record);
}

dyno_status dyno_serve_records_listen(struct dyno_serve_records *records, struct dyno_sink *sink,
                                      const struct dyno_assembly *assembly,
                                      struct dyno_nvml_watch *gpus,
                                      const struct dyno_options *options, const char *command,
                                      struct dyno_error *error)
{
    if (records->recording) {
        sink->next = dyno_recording_sink(records->recording);
        sink = sink->next;
    }
    if (records->scenario->output.db) {
        DYNO_TRY(open_recorder(records, assembly, options, command, error));
        sink->next = dyno_live_recorder_sink(records->recorder);
        sink = sink->next;
    }
    if (records->recorder && gpus) {
        dyno_gpu_samples_init(&records->gpu_samples, gpus, put_gpu, records->recorder);
        sink->next = &records->gpu_samples.sink;
    }
    return DYNO_OK;
}

dyno_status dyno_serve_records_finish(struct dyno_serve_records *records,
                                      const struct dyno_report *report, struct dyno_error *error)
{
    struct dyno_live_recorder *recorder = records->recorder;

    records->recorder = NULL;
    return recorder ? dyno_live_recorder_close(recorder, report, NULL, NULL, error) : DYNO_OK;
}

dyno_status dyno_serve_records_close(struct dyno_serve_records *records, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    if (records->recording) {
        dyno_recording_close(records->recording, NULL);
    }
    if (records->journal) {
        status = dyno_journal_close(records->journal, error);
    }
    *records = (struct dyno_serve_records){.scenario = NULL};
    return status;
}
