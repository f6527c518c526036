/* `dyno serve`: the fleet of a scenario behind an OpenAI-compatible front door.
 *
 * Two threads: the door's is the program's first, the loop's runs the fleet.  Whoever ends first
 * ends the other: a signal stops the door, which then lets the loop finish; a loop that fails tells
 * those who wait and stops the door.  Where nothing is computed, so that turns are short and bound
 * to no thread, the door's takes those that it has something for (backends/posix/turns.h).
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
#include "backends/nvml/watch.h"
#include "backends/posix/turns.h"
#include "backends/posix/wall_clock.h"
#include "backends/remote/remote.h"
#include "cli/assembly/assembly.h"
#include "cli/assembly/halves.h"
#include "cli/assembly/models.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/help.h"
#include "cli/model/tokenizer_path.h"
#include "cli/scenario/command_line.h"
#include "cli/scenario/planning.h"
#include "cli/serve/records.h"
#include "sim/answers.h"
#include "traces/course.h"

enum {
    LAST_WORDS_NS = DYNO_S,  /* for those who wait when the loop has failed */
    DESCRIPTORS_BESIDE = 64, /* those of connections: files, wake-ups, the log */
    ADDRESS_MAX = 512,       /* bytes of an address as it is told */
};

struct serving {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
    struct dyno_door *door;
    struct dyno_turns *turns;
    const struct dyno_tokenizer_file *files[DYNO_MODELS_MAX]; /* by model */
    struct dyno_course pretended; /* lengths of answers that nobody computes */
    struct dyno_log *log;
    struct dyno_remote *remote;   /* NULL: our own workers serve */
    struct dyno_nvml_watch *gpus; /* NULL: none serves, or the driver does not tell */
    char remote_model[DYNO_REMOTE_MODEL_MAX];
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

/* There is nothing left that a signal could stop: what is recorded is finished first. */
static void pass_signals_over(void)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
}

/* ---- the door -------------------------------------------------------------------------------- */

/* What the option says of times counts from the start of the server. */
static uint32_t pretend(void *context, uint64_t draw)
{
    const struct serving *serving = context;
    struct dyno_rng rng;

    dyno_rng_init(&rng, draw, "serve.answer");
    return dyno_course_tokens(&serving->pretended, dyno_wall_clock_now(serving->assembly.clock),
                              &rng);
}

static void help_loop(void *context)
{
    dyno_turns_help(((struct serving *)context)->turns);
}

static bool names_model(const struct serving *serving)
{
    const struct dyno_options *options = &serving->options;

    return dyno_options_origin(options, dyno_options_find(options, "model.name"))->source >
           DYNO_SOURCE_PROFILE;
}

/* The tokenizer of a model; of one without weights, that of the model that comes along. */
static dyno_status open_tokenizer(struct serving *serving, uint32_t model, struct dyno_error *error)
{
    const struct dyno_assembly *of = dyno_fleets_of(&serving->assembly, model);
    const char *name =
        of->live.weights || serving->remote ? of->scenario->model.name : DYNO_DEFAULT_MODEL;
    char path[DYNO_MODEL_PATH_MAX], tokenizer[DYNO_MODEL_PATH_MAX + sizeof "tokenizer.bin"];

    DYNO_TRY(dyno_default_model_find(path, name, error));
    DYNO_TRY(dyno_tokenizer_path(tokenizer, sizeof tokenizer, path, error));
    return dyno_tokenizer_file_open(&serving->files[model], tokenizer, error);
}

/* What clients call it. */
static const char *served_name(const struct serving *serving, uint32_t model)
{
    const struct dyno_scenario *scenario = &serving->scenario;
    const char *slash = strrchr(scenario->model.name, '/');

    if (serving->assembly.fleets) {
        return serving->assembly.fleets->models.of[model].name;
    }
    if (scenario->serve.model_name) {
        return scenario->serve.model_name;
    }
    if (serving->remote) {
        return serving->remote_model;
    }
    return slash && slash[1] != '\0' ? slash + 1 : scenario->model.name;
}

/* Of one worker's KV cache. */
static uint64_t block_bytes(const struct serving *serving, const struct dyno_assembly *of)
{
    const struct dyno_model *model = &of->timing_config.model;

    if (serving->remote) {
        return 0;
    }
    if (of->live.weights && !dyno_live_is_cuda(of->scenario)) {
        return dyno_kv_storage_bytes(model, 1, of->worker.block_tokens, DYNO_ELEMENT_F32);
    }
    return (uint64_t)dyno_model_kv_bytes_per_token(model, of->timing_config.kv) *
           of->worker.block_tokens;
}

static struct dyno_door_model model_of(struct serving *serving, uint32_t model)
{
    const struct dyno_assembly *of = dyno_fleets_of(&serving->assembly, model);
    const struct dyno_weights *weights = of->live.weights;
    const struct dyno_tokenizer_file *file = serving->files[model];

    return (struct dyno_door_model){
        .name = served_name(serving, model),
        .file = file,
        .vocab = weights ? weights->model.vocab
                 : file  ? file->vocabulary.token_count
                         : 0,
        .context = of->worker.context_max,
        .dimensions = weights ? weights->model.hidden : 0,
        .scores = dyno_live_scores(&serving->scenario),
        .eos = weights ? weights->eos : NULL,
        .eos_count = weights ? weights->eos_count : 0,
        .block_bytes = block_bytes(serving, of),
        .worker_count = of->scenario->fleet.workers,
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

/* Metrics of GPUs that serve; without the driver's library there are none. */
static void watch_gpus(struct serving *serving)
{
    struct dyno_error error;

    if (strcmp(serving->scenario.run.device, "cuda") == 0) {
        (void)dyno_nvml_watch_open(&serving->gpus, &error);
    }
}

static dyno_status open_door(void *context, const struct dyno_assembly *assembly,
                             struct dyno_source **out, struct dyno_error *error)
{
    struct serving *serving = context;
    bool computes = assembly->live.weights != NULL || serving->remote;
    struct dyno_door_config config;
    const char *salt;

    for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
        if (!serving->remote || names_model(serving)) {
            DYNO_TRY(open_tokenizer(serving, i, error));
        }
    }
    DYNO_TRY(dyno_serve_records_salt(&serving->scenario, &salt, error));
    watch_gpus(serving);
    config = (struct dyno_door_config){
        .http = http_of(&serving->scenario),
        .desk = {.answers_max = serving->scenario.serve.requests_max,
                 .worker_count = assembly->fleets ? dyno_fleets_workers(assembly)
                                                  : dyno_halves_workers(&serving->scenario),
                 .lengths = computes ? NULL : assembly->answers,
                 .transcripts = assembly->live.transcripts,
                 .now = dyno_wall_clock_now,
                 .wake = dyno_wall_clock_wake,
                 .clock = assembly->clock},
        .model_count = dyno_fleets_count(assembly),
        .help = computes ? NULL : help_loop,
        .help_context = serving,
        .relays = serving->remote != NULL,
        .measures = serving->files[0] != NULL,
        .retry_ns = serving->scenario.serve.health_every_ns,
        .block_tokens = assembly->worker.block_tokens,
        .pretend = computes ? NULL : pretend,
        .pretend_context = serving,
        .cors_origin = serving->scenario.serve.cors_origin,
        .keys_path = serving->scenario.serve.api_keys,
        .salt = salt,
        .version = DYNO_VERSION,
        .vllm_names = serving->scenario.serve.vllm_metrics,
        .has_planner = dyno_planning_is_on(&serving->scenario),
        .prefill_from =
            serving->scenario.disagg.policy ? dyno_halves_decoders(&serving->scenario) : 0,
        .gpus = serving->gpus,
        .log = serving->log,
    };
    for (uint32_t i = 0; i < config.model_count; i++) {
        config.models[i] = model_of(serving, i);
    }
    DYNO_TRY(dyno_door_open(&serving->door, &config, error));
    *out = dyno_desk_source(dyno_door_desk(serving->door));
    return dyno_serve_records_trace(&serving->records, assembly, out, error);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void *run_loop(void *context)
{
    struct serving *serving = context;

    (void)dyno_assembly_run(&serving->assembly, &serving->loop_error);
    if (serving->remote) {
        dyno_remote_halt(serving->remote); /* before answers that it may speak to are given up */
    }
    dyno_desk_abandon(dyno_door_desk(serving->door));
    dyno_door_stop(serving->door, LAST_WORDS_NS);
    return NULL;
}

/* How the server is reached from this machine: a name that is an address of IPv6 stands in
 * brackets, and "all of them" is no address to ask. */
static void write_base(char *out, size_t size, const struct serving *serving)
{
    const struct dyno_scenario *scenario = &serving->scenario;
    const char *address = scenario->serve.address;
    bool is_v6 = strchr(address, ':') != NULL;

    address = strcmp(address, "::") == 0 ? "::1" : address;
    address = strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : address;
    (void)snprintf(out, size, "%s://%s%s%s:%u", scenario->serve.tls_certificate ? "https" : "http",
                   is_v6 ? "[" : "", address, is_v6 ? "]" : "", dyno_door_port(serving->door));
}

static void say_where(const struct serving *serving)
{
    const char *key =
        serving->scenario.serve.api_keys ? " -H 'Authorization: Bearer YOUR-KEY'" : "";
    char base[ADDRESS_MAX];

    write_base(base, sizeof base, serving);
    (void)printf("%s\nListening on %s\n\n"
                 "  curl %s/v1/chat/completions -H 'Content-Type: application/json'%s -d "
                 "'{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"Will you "
                 "come to the ball?\"}], \"max_tokens\": 60}'\n"
                 "  %s/dashboard shows the fleet, with a chat\n\n",
                 serving->assembly.title, base, base, key, served_name(serving, 0), base);
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

static dyno_status find_key(const char *variable, const char **out, struct dyno_error *error)
{
    *out = variable ? getenv(variable) : NULL;
    if (variable && !*out) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "serve.worker_api_key_env: there is no environment variable %.100s with "
                         "the key",
                         variable);
    }
    return DYNO_OK;
}

/* What clients call the model, if nobody said: what the first endpoint that is there calls it. */
static dyno_status name_remote_model(struct serving *serving, struct dyno_error *error)
{
    for (uint32_t i = 0; i < serving->scenario.fleet.workers; i++) {
        struct dyno_remote_look look = dyno_remote_look(serving->remote, i);

        if (look.is_there) {
            memcpy(serving->remote_model, look.model, sizeof look.model);
            return DYNO_OK;
        }
    }
    if (!serving->scenario.serve.model_name) {
        return dyno_fail(error, DYNO_IO,
                         "no worker is there yet to say which model it serves: start one, or name "
                         "the model with --served-model-name");
    }
    return DYNO_OK;
}

static dyno_status open_remote(struct serving *serving, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &serving->scenario;
    struct dyno_remote_config config = {
        .model_name = scenario->serve.model_name,
        .health_every_ns = scenario->serve.health_every_ns,
        .failures_max = scenario->serve.health_failures,
        .retries_max = scenario->serve.worker_retries,
        .connections_max = scenario->serve.requests_max,
        .connect_timeout_ns = scenario->serve.health_every_ns,
        .silence_timeout_ns = scenario->serve.worker_silence_ns,
        .log = serving->log,
    };
    struct dyno_url *urls;
    dyno_status status;

    config.count = DYNO_REMOTE_ENDPOINTS_MAX;
    urls = calloc(config.count, sizeof *urls);
    if (!urls) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the workers' addresses");
    }
    config.urls = urls;
    status = dyno_remote_parse(urls, &config.count, scenario->fleet.endpoints, error);
    if (status == DYNO_OK) {
        status = find_key(scenario->serve.worker_api_key_env, &config.api_key, error);
    }
    if (status == DYNO_OK) {
        status = dyno_remote_open(&serving->remote, &config, error);
    }
    free(urls);
    DYNO_TRY(status);
    serving->assembly.remote = serving->remote;
    DYNO_TRY(name_remote_model(serving, error));
    serving->assembly.remote_model = served_name(serving, 0);
    return DYNO_OK;
}

/* A connection takes a descriptor, and one more where another server is asked on its behalf.  Where
 * there are too few for what is configured, clients are told so (503) and not left waiting. */
static void find_descriptors(struct serving *serving)
{
    struct dyno_scenario *scenario = &serving->scenario;
    uint32_t *most = &scenario->serve.connections_max;
    uint64_t each = scenario->fleet.endpoints ? 2 : 1;
    uint64_t wanted = each * dyno_http_sockets_max(*most) + DESCRIPTORS_BESIDE;
    uint32_t have = dyno_descriptors_raise((uint32_t)wanted);

    if (have >= wanted) {
        return;
    }
    while (*most > 1 && each * dyno_http_sockets_max(*most) + DESCRIPTORS_BESIDE > have) {
        (*most)--;
    }
    dyno_log(serving->log, DYNO_LOG_WARNING, NULL, "few_descriptors", dyno_log_count("have", have),
             dyno_log_count("wanted", wanted), dyno_log_count("connections_max", *most),
             dyno_log_text("remedy", "raise the hard limit (ulimit -Hn), or lower "
                                     "serve.connections_max"));
}

static dyno_status open_all(struct serving *serving, const char *command, struct dyno_error *error)
{
    struct dyno_assembly *assembly = &serving->assembly;
    struct dyno_sink *desk;

    DYNO_TRY(open_log(serving, error));
    if (serving->scenario.fleet.endpoints) {
        DYNO_TRY(open_remote(serving, error));
    }
    find_descriptors(serving);
    DYNO_TRY(dyno_course_parse(&serving->pretended, "generate.output_tokens",
                               serving->scenario.generate.output_tokens, error));
    DYNO_TRY(dyno_serve_records_begin(&serving->records, &serving->scenario, serving->log, error));
    assembly->open_outside = open_door;
    assembly->outside_context = serving;
    assembly->journal = serving->records.journal;
    assembly->options = &serving->options;
    DYNO_TRY(dyno_assembly_open(assembly, &serving->scenario, NULL, &interrupted, 0, error));
    desk = dyno_desk_sink(dyno_door_desk(serving->door));
    assembly->metrics.sink.next = desk;
    return dyno_serve_records_listen(&serving->records, desk, assembly, serving->gpus,
                                     &serving->options, command, error);
}

/* The door helps from its first turn on. */
static dyno_status open_turns(struct serving *serving, struct dyno_error *error)
{
    struct dyno_assembly *assembly = &serving->assembly;

    if (dyno_turns_open(&serving->turns, assembly->loop, assembly->clock) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    assembly->turns = serving->turns;
    return DYNO_OK;
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
    DYNO_TRY(open_turns(serving, error));
    DYNO_TRY(start_loop(serving, error));
    catch_signals(serving);
    say_where(serving);
    status = dyno_door_run(serving->door, error);
    (void)pthread_join(serving->loop, NULL);
    pass_signals_over();
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
    dyno_turns_close(serving->turns);
    dyno_nvml_watch_close(serving->gpus);
    written = dyno_serve_records_close(&serving->records, &later);
    for (uint32_t i = 0; i < DYNO_MODELS_MAX; i++) {
        dyno_tokenizer_file_close(serving->files[i]);
    }
    dyno_remote_close(serving->remote);
    (void)dyno_log_close(serving->log);
    dyno_course_release(&serving->pretended);
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
