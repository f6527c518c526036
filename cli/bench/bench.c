/* `dyno bench`: ask a server what a trace or a generator asks, and leave what a replay leaves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/load/load.h"
#include "cli/assembly/run_frame.h"
#include "cli/bench/aiperf.h"
#include "cli/bench/options.h"
#include "cli/bench/save.h"
#include "cli/commands.h"
#include "cli/json_members.h"
#include "cli/scenario/command_line.h"
#include "core/route/route.h"
#include "core/run/loop.h"
#include "core/run/metrics.h"
#include "sim/answers.h"
#include "traces/traces.h"

/* What is open while it runs. */
struct bench {
    struct dyno_bench_options options;
    char model[DYNO_LOAD_MODEL_MAX];
    char title[DYNO_LOAD_MODEL_MAX + DYNO_URL_HOST_MAX + 32];
    char *extra;
    struct dyno_tokenizer *tokenizer;
    struct dyno_prompt_maker *prompts;
    struct dyno_load *load;
    struct dyno_answers *answers;
    struct dyno_source *source;
    struct dyno_dispatch *dispatch;
    struct dyno_loop *loop;
    struct dyno_metrics metrics;
    struct dyno_recorder *recorder;
    struct dyno_progress *progress;
    struct dyno_bench_saved *saved; /* NULL: not asked for */
    struct dyno_aiperf *aiperf;     /* NULL: not asked for */
    const char *command;            /* what repeats it */
    char date[32];                  /* when it began */
    uint64_t unix_ns;               /* the world's time then */
    struct dyno_loop_result result;
    struct dyno_fleet_totals totals;
    const volatile sig_atomic_t *interrupted;
    double started;
};

/* ---- the server and what is said to it ------------------------------------------------------- */

static dyno_status read_key(const char *variable, const char **out, struct dyno_error *error)
{
    *out = variable ? getenv(variable) : NULL;
    if (variable && (!*out || !**out)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--api-key-env: the environment has no variable %s, or an empty one",
                         variable);
    }
    return DYNO_OK;
}

static dyno_status open_server(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_bench_options *options = &bench->options;
    const char *key;

    DYNO_TRY(read_key(options->api_key_env, &key, error));
    DYNO_TRY(dyno_load_open(
        &bench->load,
        &(struct dyno_load_config){.url = &options->url,
                                   .api_key = key,
                                   .trusted = options->trusted,
                                   .connections_max = options->connections_max,
                                   .connect_timeout_ns = options->connect_timeout_ns,
                                   .silence_timeout_ns = options->silence_timeout_ns},
        error));
    if (!options->model) {
        DYNO_TRY(dyno_load_model(bench->load, bench->model, error));
    } else if (strlen(options->model) >= sizeof bench->model) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--model: a name of more than %d bytes",
                         DYNO_LOAD_MODEL_MAX - 1);
    } else {
        memcpy(bench->model, options->model, strlen(options->model) + 1);
    }
    (void)snprintf(bench->title, sizeof bench->title, "%s at %s, %s", bench->model,
                   options->url.authority, options->endpoint);
    return DYNO_OK;
}

static dyno_status open_tokenizer(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_tokenizer_file *file;
    dyno_status status;

    if (!bench->options.tokenizer) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_tokenizer_file_open(&file, bench->options.tokenizer, error));
    status = dyno_tokenizer_file_tokenizer(&bench->tokenizer, file, 0, error);
    dyno_tokenizer_file_close(file);
    return status;
}

static dyno_status open_prompts(struct bench *bench, struct dyno_error *error)
{
    static const char *const set_here[] = {"model",      "prompt",         "messages",
                                           "stream",     "max_tokens",     "max_completion_tokens",
                                           "ignore_eos", "stream_options", NULL};
    const struct dyno_bench_options *options = &bench->options;
    bool is_chat = strcmp(options->endpoint, "chat") == 0;

    DYNO_TRY(open_tokenizer(bench, error));
    DYNO_TRY(
        dyno_json_members(&bench->extra, options->extra_body, "--extra-body", set_here, error));
    return dyno_prompt_maker_open(
        &bench->prompts,
        &(struct dyno_prompt_config){.as_tokens = strcmp(options->prompt_as, "tokens") == 0,
                                     .tokenizer = bench->tokenizer,
                                     .vocabulary = options->vocabulary,
                                     .subtracts_around = !is_chat,
                                     .seed = options->scenario.run.seed,
                                     .block_tokens = options->scenario.kv.block_tokens},
        error);
}

/* ---- the run --------------------------------------------------------------------------------- */

static dyno_status open_source(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &bench->options.scenario;

    DYNO_TRY(dyno_answers_open(&bench->answers));
    return dyno_frame_open_source(
        &bench->source, scenario,
        &(struct dyno_frame_source){.block_tokens = scenario->kv.block_tokens}, bench->answers,
        error);
}

static dyno_status open_recorder(struct bench *bench, struct dyno_error *error)
{
    uint32_t count;
    struct dyno_run_option_row *rows = dyno_bench_option_rows(&bench->options, &count);
    dyno_status status = dyno_frame_recorder(&bench->recorder, &bench->options.scenario,
                                             bench->command, bench->title, rows, count, error);

    dyno_scenario_option_rows_free(rows, count);
    return status;
}

static dyno_status open_sinks(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &bench->options.scenario;
    struct dyno_slo slo = {.ttft_ns = scenario->slo.ttft_ns,
                           .tpot_ns = scenario->slo.tpot_ns,
                           .itl_ns = scenario->slo.itl_ns,
                           .e2e_ns = scenario->slo.e2e_ns};

    DYNO_TRY(dyno_metrics_init(&bench->metrics, &slo));
    DYNO_TRY(open_recorder(bench, error));
    DYNO_TRY(dyno_frame_progress(&bench->progress, scenario));
    bench->metrics.sink.next = dyno_recorder_sink(bench->recorder);
    if (bench->progress) {
        bench->metrics.sink.next->next = dyno_progress_sink(bench->progress);
    }
    return DYNO_OK;
}

/* One server is one worker: there is nothing to choose. */
static dyno_status open_loop(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &bench->options.scenario;

    DYNO_TRY(dyno_dispatch_open(
        &bench->dispatch,
        &(struct dyno_dispatch_config){.policy = dyno_route_find("round_robin"),
                                       .route = {.args = ""},
                                       .seed = scenario->run.seed,
                                       .worker_count = 1,
                                       .block_tokens = scenario->kv.block_tokens},
        error));
    return dyno_loop_open(&bench->loop, &(struct dyno_loop_config){
                                            .clock = dyno_load_clock(bench->load),
                                            .source = bench->source,
                                            .answers = bench->answers,
                                            .dispatch = bench->dispatch,
                                            .worker_count = 1,
                                            .sinks = &bench->metrics.sink,
                                            .sample_every_ns = scenario->run.sample_every_ns,
                                            .duration_max_ns = scenario->run.duration_max_ns,
                                            .live = true,
                                            .interrupted = bench->interrupted,
                                        });
}

/* For the files of other tools. */
static void on_answered(void *context, const struct dyno_load_answer *answer)
{
    const struct bench *bench = context;

    if (bench->saved) {
        dyno_bench_saved_add(bench->saved, answer);
    }
    if (bench->aiperf) {
        dyno_aiperf_add(bench->aiperf, answer);
    }
}

static struct dyno_workers *open_workers(struct bench *bench)
{
    const struct dyno_bench_options *options = &bench->options;

    return dyno_load_workers(
        bench->load, &(struct dyno_load_task){.model = bench->model,
                                              .is_chat = strcmp(options->endpoint, "chat") == 0,
                                              .ignore_eos = options->ignore_eos,
                                              .extra = bench->extra ? bench->extra : "",
                                              .prompts = bench->prompts,
                                              .answer_tokens = dyno_answers_get,
                                              .answer_context = bench->answers,
                                              .itl = &bench->metrics.itl,
                                              .listener = dyno_loop_listener(bench->loop),
                                              .answered = on_answered,
                                              .answered_context = bench,
                                              .keeps_chunks = bench->saved || bench->aiperf});
}

/* The files of other tools, which tell the world's time. */
static dyno_status open_files(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_bench_options *options = &bench->options;
    struct timespec now;
    struct tm parts;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    bench->unix_ns = (uint64_t)now.tv_sec * DYNO_S + (uint64_t)now.tv_nsec;
    if (!gmtime_r(&now.tv_sec, &parts) ||
        strftime(bench->date, sizeof bench->date, "%Y%m%d-%H%M%S", &parts) == 0) {
        bench->date[0] = '\0';
    }
    if (options->save) {
        DYNO_TRY(dyno_bench_saved_open(&bench->saved));
    }
    if (options->export_aiperf) {
        DYNO_TRY(dyno_aiperf_open(&bench->aiperf, options->export_aiperf, bench->unix_ns, error));
    }
    return DYNO_OK;
}

static dyno_status run(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_bench_options *options = &bench->options;
    struct dyno_workers *workers;

    DYNO_TRY(dyno_frame_check_writable("output.json", options->scenario.output.json, error));
    DYNO_TRY(
        dyno_frame_check_writable("output.host_json", options->scenario.output.host_json, error));
    DYNO_TRY(dyno_frame_check_writable("bench.save", options->save, error));
    DYNO_TRY(open_prompts(bench, error));
    DYNO_TRY(open_server(bench, error));
    DYNO_TRY(open_source(bench, error));
    DYNO_TRY(open_sinks(bench, error));
    DYNO_TRY(open_files(bench, error));
    DYNO_TRY(open_loop(bench, error));
    workers = open_workers(bench);
    DYNO_TRY(dyno_loop_run(bench->loop, workers, &bench->result, error));
    workers->ops->totals(workers, &bench->totals);
    bench->totals.end_ns = bench->result.end_ns;
    return DYNO_OK;
}

/* ---- the report ------------------------------------------------------------------------------ */

/* What the client says of itself; `failures` [DYNO_LOAD_REASONS_MAX] is filled. */
static struct dyno_client_report client_report(const struct bench *bench,
                                               struct dyno_failure *failures)
{
    struct dyno_load_facts facts;

    dyno_load_facts(bench->load, &facts);
    for (uint32_t i = 0; i < facts.reason_count; i++) {
        failures[i] = (struct dyno_failure){facts.reasons[i].why, facts.reasons[i].count};
    }
    return (struct dyno_client_report){.lag = facts.lag,
                                       .ttft_sent = facts.ttft_sent,
                                       .cpu_fraction = facts.cpu_fraction,
                                       .connections = facts.connects,
                                       .failures = failures,
                                       .failure_count = facts.reason_count,
                                       .failures_left_out = facts.reasons_left_out};
}

static struct dyno_report report_of(const struct bench *bench,
                                    const struct dyno_client_report *client)
{
    struct dyno_trace_counts counts = dyno_source_counts(bench->source);

    return (struct dyno_report){
        .metrics = &bench->metrics,
        .totals = &bench->totals,
        .title = bench->title,
        .device = "server",
        .trace_requests = counts.requests,
        .trace_input_tokens = counts.input_tokens,
        .trace_output_tokens = counts.output_tokens,
        .lines_skipped = counts.lines_skipped,
        .failed_dropped = counts.failed_dropped,
        .unbounded_hit_rate = counts.block_bound_cut || counts.block_refs == 0
                                  ? -1.0
                                  : (double)counts.block_refs_seen / (double)counts.block_refs,
        .unbounded_token_hit_rate = -1.0,
        .belady_hit_rate = -1.0,
        .client = client,
        .interrupted = bench->result.cut,
        .requests_unfinished = bench->result.unfinished,
    };
}

static dyno_status finish_aiperf(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &bench->options.scenario;
    const struct dyno_slo *slo = &bench->metrics.slo;
    struct dyno_aiperf *aiperf = bench->aiperf;
    const struct dyno_aiperf_about about = {
        .model = bench->model,
        .url = bench->options.url_text,
        .endpoint = bench->options.endpoint,
        .command = bench->command,
        .trace = scenario->trace.path,
        .arrival = scenario->generate.arrival,
        .input_tokens = scenario->generate.input_tokens,
        .output_tokens = scenario->generate.output_tokens,
        .concurrency = scenario->trace.concurrency,
        .inflight_max = scenario->trace.inflight_max,
        .requests = scenario->trace.requests,
        .seed = scenario->run.seed,
        .started_ns = bench->unix_ns,
        .ended_ns = bench->unix_ns + bench->result.end_ns,
        .was_cancelled = bench->result.cut,
        .has_slo = slo->ttft_ns || slo->tpot_ns || slo->itl_ns || slo->e2e_ns,
        .within_slo = bench->metrics.within_slo,
    };

    bench->aiperf = NULL;
    return aiperf ? dyno_aiperf_finish(aiperf, &about, error) : DYNO_OK;
}

static dyno_status write_files(struct bench *bench, const struct dyno_report *report,
                               const struct dyno_host_facts *facts, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &bench->options.scenario;

    if (scenario->output.json) {
        DYNO_TRY(dyno_report_json(report, scenario->output.json, error));
    }
    if (scenario->output.host_json) {
        DYNO_TRY(dyno_host_json(facts, scenario->output.host_json, error));
    }
    if (bench->saved) {
        DYNO_TRY(dyno_bench_saved_write(
            bench->saved, bench->options.save,
            &(struct dyno_bench_saved_about){.model = bench->model,
                                             .endpoint = bench->options.endpoint,
                                             .date = bench->date,
                                             .scenario = scenario,
                                             .within_slo = bench->metrics.within_slo},
            error));
    }
    return finish_aiperf(bench, error);
}

static dyno_status report(struct bench *bench, struct dyno_error *error)
{
    struct dyno_failure failures[DYNO_LOAD_REASONS_MAX];
    struct dyno_client_report client = client_report(bench, failures);
    struct dyno_report summary = report_of(bench, &client);
    struct dyno_host_facts facts = dyno_frame_host_facts(bench->started, bench->metrics.requests);
    struct dyno_recorder *recorder = bench->recorder;
    const char *json = bench->options.scenario.output.json;

    bench->recorder = NULL;
    DYNO_TRY(dyno_recorder_close(recorder, &summary, &facts, error));
    if (!json || strcmp(json, "-") != 0) {
        dyno_report_table(&summary, stdout);
    }
    DYNO_TRY(write_files(bench, &summary, &facts, error));
    if (fflush(stdout) != 0) {
        return dyno_fail(error, DYNO_IO, "standard output cannot be written: %s", strerror(errno));
    }
    dyno_frame_print_facts(&facts);
    if (bench->metrics.completed == 0 && bench->metrics.failed > 0) {
        return dyno_fail(error, DYNO_IO, "no request was completed: %s", failures[0].why);
    }
    return DYNO_OK;
}

static void close_bench(struct bench *bench, struct dyno_error *error)
{
    struct dyno_error ignored = {0};

    dyno_progress_close(bench->progress);
    if (bench->recorder) {
        (void)dyno_recorder_close(bench->recorder, NULL, NULL,
                                  error->text[0] == '\0' ? error : &ignored);
    }
    dyno_load_close(bench->load);
    dyno_loop_close(bench->loop);
    dyno_metrics_release(&bench->metrics);
    if (bench->dispatch) {
        dyno_dispatch_close(bench->dispatch);
    }
    if (bench->source) {
        bench->source->ops->close(bench->source);
    }
    dyno_answers_close(bench->answers);
    dyno_prompt_maker_close(bench->prompts);
    dyno_tokenizer_close(bench->tokenizer);
    dyno_bench_saved_close(bench->saved);
    dyno_aiperf_abandon(bench->aiperf);
    free(bench->extra);
    dyno_bench_options_close(&bench->options);
}

/* From the options on. */
static dyno_status bench_server(struct bench *bench, struct dyno_error *error)
{
    dyno_status status;

    bench->interrupted = dyno_frame_interrupts();
    status = run(bench, error);
    dyno_progress_close(bench->progress);
    bench->progress = NULL;
    if (status == DYNO_OK) {
        status = report(bench, error);
    }
    if (status == DYNO_NO_MEMORY && error->text[0] == '\0') {
        (void)dyno_fail(error, status, "out of memory");
    }
    return status;
}

int dyno_command_bench(int argc, char **argv)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char *command = dyno_command_line(argc, argv);
    struct dyno_error error = {0};
    dyno_status status = DYNO_OK;

    if (!bench) {
        free(command);
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    bench->started = dyno_frame_seconds();
    bench->command = command;
    if (dyno_bench_options_parse(&bench->options, argc, argv, &error) != DYNO_OK) {
        free(bench);
        free(command);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (bench->options.help) {
        dyno_bench_help(stdout);
    } else {
        status = bench_server(bench, &error);
    }
    close_bench(bench, &error);
    free(bench);
    free(command);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
