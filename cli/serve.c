/* `dyno serve`: the fleet of a scenario behind an OpenAI-compatible front door.
 *
 * Two threads: the door's is the program's first, the loop's runs the fleet.  Whoever ends first
 * ends the other: a signal stops the door, which then lets the loop finish; a loop that fails tells
 * those who wait and stops the door.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/default_model.h"
#include "backends/cpu/kv_storage.h"
#include "backends/door/door.h"
#include "backends/posix/wall_clock.h"
#include "cli/assembly.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/serve_records.h"
#include "cli/tokenizer_path.h"
#include "sim/answers.h"
#include "traces/law.h"

enum { LAST_WORDS_NS = DYNO_S }; /* for those who wait when the loop has failed */

struct serving {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
    struct dyno_door *door;
    const struct dyno_tokenizer_file *file;
    struct dyno_law pretended; /* lengths of answers that nobody computes */
    struct dyno_log *log;
    struct dyno_serve_records records;
    pthread_t loop;
    struct dyno_error loop_error;
};

/* ---- signals --------------------------------------------------------------------------------- */

static struct serving *stopping; /* whom a signal stops */
static volatile sig_atomic_t interrupted;

/* The first one lets requests in flight end, the second one does not. */
static void on_signal(int number)
{
    static volatile sig_atomic_t signals;

    (void)number;
    signals++;
    if (signals > 1) {
        __atomic_store_n(&interrupted, 1, __ATOMIC_RELAXED);
        dyno_wall_clock_wake(stopping->assembly.clock);
    }
    dyno_door_stop(stopping->door, signals > 1 ? 1 : stopping->scenario.serve.grace_ns);
}

static void catch_signals(struct serving *serving)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    stopping = serving;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* ---- the door -------------------------------------------------------------------------------- */

static uint32_t pretend(void *context, uint64_t draw)
{
    const struct serving *serving = context;
    struct dyno_rng rng;

    dyno_rng_init(&rng, draw, "serve.answer");
    return dyno_law_tokens(&serving->pretended, &rng);
}

/* The tokenizer of the model; of one without weights, that of the model that comes along. */
static dyno_status open_tokenizer(struct serving *serving, struct dyno_error *error)
{
    const char *name =
        serving->assembly.live.weights ? serving->scenario.model.name : DYNO_DEFAULT_MODEL;
    char path[DYNO_MODEL_PATH_MAX], tokenizer[DYNO_MODEL_PATH_MAX + sizeof "tokenizer.bin"];

    DYNO_TRY(dyno_default_model_find(path, name, error));
    DYNO_TRY(dyno_tokenizer_path(tokenizer, sizeof tokenizer, path, error));
    return dyno_tokenizer_file_open(&serving->file, tokenizer, error);
}

static const char *served_name(const struct dyno_scenario *scenario)
{
    const char *slash = strrchr(scenario->model.name, '/');

    if (scenario->serve.model_name) {
        return scenario->serve.model_name;
    }
    return slash && slash[1] != '\0' ? slash + 1 : scenario->model.name;
}

static struct dyno_door_model model_of(const struct serving *serving)
{
    const struct dyno_weights *weights = serving->assembly.live.weights;

    return (struct dyno_door_model){
        .name = served_name(&serving->scenario),
        .file = serving->file,
        .vocab = weights ? weights->model.vocab : serving->file->vocabulary.token_count,
        .context = serving->assembly.worker.context_max,
        .dimensions = weights ? weights->model.hidden : 0,
        .eos = weights ? weights->eos : NULL,
        .eos_count = weights ? weights->eos_count : 0,
    };
}

static struct dyno_http_config http_of(const struct dyno_scenario *scenario)
{
    return (struct dyno_http_config){
        .address = scenario->serve.address,
        .port = (uint16_t)scenario->serve.port,
        .tls_certificate = scenario->serve.tls_certificate,
        .tls_key = scenario->serve.tls_key,
        .header_bytes_max = scenario->serve.header_bytes_max,
        .body_bytes_max = scenario->serve.body_bytes_max,
        .connections_max = scenario->serve.connections_max,
        .head_timeout_ns = scenario->serve.head_timeout_ns,
        .idle_timeout_ns = scenario->serve.idle_timeout_ns,
        .write_timeout_ns = scenario->serve.write_timeout_ns,
        .unsent_bytes_max = scenario->serve.unsent_bytes_max,
    };
}

/* Of one worker's KV cache. */
static uint64_t block_bytes(const struct serving *serving)
{
    const struct dyno_assembly *assembly = &serving->assembly;
    const struct dyno_model *model = &assembly->timing_config.model;

    if (assembly->live.weights) {
        return dyno_kv_storage_bytes(model, 1, assembly->worker.block_tokens, DYNO_ELEMENT_F32);
    }
    return (uint64_t)dyno_model_kv_bytes_per_token(model, assembly->timing_config.kv) *
           assembly->worker.block_tokens;
}

static dyno_status open_door(void *context, const struct dyno_assembly *assembly,
                             struct dyno_source **out, struct dyno_error *error)
{
    struct serving *serving = context;
    bool computes = assembly->live.weights != NULL;
    struct dyno_door_config config;
    const char *salt;

    DYNO_TRY(open_tokenizer(serving, error));
    DYNO_TRY(dyno_serve_records_salt(&serving->scenario, &salt, error));
    config = (struct dyno_door_config){
        .http = http_of(&serving->scenario),
        .desk = {.answers_max = serving->scenario.serve.requests_max,
                 .worker_count = serving->scenario.fleet.workers,
                 .lengths = computes ? NULL : assembly->answers,
                 .transcripts = assembly->live.transcripts,
                 .now = dyno_wall_clock_now,
                 .wake = dyno_wall_clock_wake,
                 .clock = assembly->clock},
        .model = model_of(serving),
        .block_tokens = assembly->worker.block_tokens,
        .pretend = computes ? NULL : pretend,
        .pretend_context = serving,
        .cors_origin = serving->scenario.serve.cors_origin,
        .keys_path = serving->scenario.serve.api_keys,
        .salt = salt,
        .version = DYNO_VERSION,
        .vllm_names = serving->scenario.serve.vllm_metrics,
        .block_bytes = block_bytes(serving),
        .log = serving->log,
    };
    DYNO_TRY(dyno_door_open(&serving->door, &config, error));
    *out = dyno_desk_source(dyno_door_desk(serving->door));
    return dyno_serve_records_trace(&serving->records, assembly, out, error);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void *run_loop(void *context)
{
    struct serving *serving = context;

    (void)dyno_assembly_run(&serving->assembly, &serving->loop_error);
    dyno_desk_abandon(dyno_door_desk(serving->door));
    dyno_door_stop(serving->door, LAST_WORDS_NS);
    return NULL;
}

static void say_where(const struct serving *serving)
{
    const struct dyno_scenario *scenario = &serving->scenario;
    const char *scheme = scenario->serve.tls_certificate ? "https" : "http";
    const char *host = strchr(scenario->serve.address, ':') ? "[::1]" : scenario->serve.address;
    unsigned port = dyno_door_port(serving->door);

    (void)printf("%s\nListening on %s://%s:%u\n\n"
                 "  curl %s://%s:%u/v1/chat/completions -H 'Content-Type: application/json' -d "
                 "'{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"Will you "
                 "come to the ball?\"}], \"max_tokens\": 60}'\n\n",
                 serving->assembly.title, scheme, host, port, scheme, host, port,
                 served_name(scenario));
    (void)fflush(stdout);
}

static dyno_status open_log(struct serving *serving, struct dyno_error *error)
{
    enum dyno_log_format format = DYNO_LOG_AS_TEXT;
    enum dyno_log_level level = DYNO_LOG_INFO;

    if (strcmp(serving->scenario.serve.log_level, "none") == 0) {
        return DYNO_OK;
    }
    (void)dyno_log_format_find(serving->scenario.serve.log_format, &format);
    (void)dyno_log_level_find(serving->scenario.serve.log_level, &level);
    return dyno_log_open(&serving->log, STDERR_FILENO, format, level, error);
}

static dyno_status open_all(struct serving *serving, const char *command, struct dyno_error *error)
{
    struct dyno_assembly *assembly = &serving->assembly;
    struct dyno_sink *desk;

    DYNO_TRY(open_log(serving, error));
    DYNO_TRY(dyno_law_parse_tokens(&serving->pretended, "generate.output_tokens",
                                   serving->scenario.generate.output_tokens, error));
    DYNO_TRY(dyno_serve_records_begin(&serving->records, &serving->scenario, serving->log, error));
    assembly->open_outside = open_door;
    assembly->outside_context = serving;
    assembly->journal = serving->records.journal;
    assembly->options = &serving->options;
    DYNO_TRY(dyno_assembly_open(assembly, &serving->scenario, NULL, &interrupted, 0, error));
    desk = dyno_desk_sink(dyno_door_desk(serving->door));
    assembly->metrics.sink.next = desk;
    return dyno_serve_records_listen(&serving->records, desk, assembly, &serving->options, command,
                                     error);
}

/* Signals are the first thread's. */
static dyno_status start_loop(struct serving *serving, struct dyno_error *error)
{
    sigset_t all, before;
    int refused;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    refused = pthread_create(&serving->loop, NULL, run_loop, serving);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return refused ? dyno_fail(error, DYNO_IO, "the loop's thread cannot be started") : DYNO_OK;
}

static dyno_status serve(struct serving *serving, const char *command, struct dyno_error *error)
{
    dyno_status status;

    DYNO_TRY(open_all(serving, command, error));
    DYNO_TRY(start_loop(serving, error));
    catch_signals(serving);
    say_where(serving);
    status = dyno_door_run(serving->door, error);
    (void)pthread_join(serving->loop, NULL);
    if (status == DYNO_OK && serving->loop_error.status != DYNO_OK) {
        *error = serving->loop_error;
        status = error->status;
    }
    return status;
}

/* Of several errors the first one is told. */
static dyno_status first_of(dyno_status status, dyno_status later,
                            const struct dyno_error *later_error, struct dyno_error *error)
{
    if (status == DYNO_OK && later != DYNO_OK) {
        *error = *later_error;
        return later;
    }
    return status;
}

static dyno_status finish_records(struct serving *serving, dyno_status status,
                                  struct dyno_error *error)
{
    struct dyno_error later = {.status = DYNO_OK};
    struct dyno_report report;
    bool is_whole = status == DYNO_OK && serving->door &&
                    dyno_assembly_report(&serving->assembly, &report, &later) == DYNO_OK;
    dyno_status written =
        dyno_serve_records_finish(&serving->records, is_whole ? &report : NULL, &later);

    return first_of(status, written, &later, error);
}

/* The assembly's source is the door's and the recording's. */
static dyno_status close_serving(struct serving *serving, dyno_status status,
                                 struct dyno_error *error)
{
    struct dyno_error later = {.status = DYNO_OK};
    dyno_status written;

    status = finish_records(serving, status, error);
    dyno_door_hang_up(serving->door); /* what it still has to say needs the assembly's clock */
    dyno_assembly_close(&serving->assembly);
    dyno_door_close(serving->door);
    written = dyno_serve_records_close(&serving->records, &later);
    dyno_tokenizer_file_close(serving->file);
    (void)dyno_log_close(serving->log);
    dyno_options_close(&serving->options);
    return first_of(status, written, &later, error);
}

int dyno_command_serve(int argc, char **argv)
{
    struct serving *serving = calloc(1, sizeof *serving);
    struct dyno_error error = {0};
    char *command = dyno_command_line(argc, argv);
    enum dyno_scenario_ask ask;
    dyno_status status = DYNO_OK;

    if (!serving) {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        free(command);
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (dyno_scenario_load_to_serve(&serving->scenario, &serving->options, argc, argv, &ask,
                                    &error) != DYNO_OK) {
        free(serving);
        free(command);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (ask == DYNO_ASK_HELP) {
        dyno_help_serve(stdout, dyno_help_width(stdout));
    } else if (ask == DYNO_ASK_PRINT) {
        dyno_scenario_print(&serving->options, stdout);
    } else {
        status = serve(serving, command, &error);
    }
    status = close_serving(serving, status, &error);
    free(serving);
    free(command);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
