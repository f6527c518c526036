#include "cli/tune/load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/scenario/energy.h"
#include "cli/scenario/models.h"
#include "core/base/units.h"
#include "core/base/words.h"
#include "traces/siphash.h"
#include "traces/traces.h"

enum { WORDS_ADDED_MAX = 6, OBJECTIVES_MAX = 256 };

/* ---- the command line ------------------------------------------------------------------------ */

static const struct dyno_option_origin *origin_of(const struct dyno_tune *tune, const char *name)
{
    const struct dyno_options *options = &tune->given.options;

    return dyno_options_origin(options, dyno_options_find(options, name));
}

static dyno_status add_word(struct dyno_tune *tune, const char *word, struct dyno_error *error)
{
    char *copy = strdup(word);

    if (!copy) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    tune->argv[tune->argc++] = copy;
    return DYNO_OK;
}

static dyno_status open_given(struct dyno_tune *tune, struct dyno_error *error)
{
    static const struct dyno_arm as_given = {.setting_count = 0};

    dyno_arm_scenario_close(&tune->given);
    return dyno_arm_scenario_open(&tune->given, &as_given, tune->argc, tune->argv, NULL, error);
}

/* The limits on latencies, as --slo takes them: "ttft=500ms,tpot=50ms". */
static void objectives_of(const struct dyno_tune_aims *aims, char out[OBJECTIVES_MAX])
{
    static const char *const latencies[] = {"ttft", "tpot", "itl", "e2e"};
    char duration[DYNO_UNITS_TEXT_MAX];
    size_t used = 0;

    *out = '\0';
    for (size_t i = 0; i < sizeof latencies / sizeof latencies[0]; i++) {
        dyno_ns bound = dyno_tune_aims_objective(aims, latencies[i]);

        if (bound > 0) {
            dyno_print_duration(duration, bound);
            used += (size_t)snprintf(out + used, OBJECTIVES_MAX - used, "%s%s=%s", used ? "," : "",
                                     latencies[i], duration);
        }
    }
}

/* Whether a goal or a limit counts what is good, of all requests or of a model's. */
static bool names_goodput(const struct dyno_tune_aims *aims)
{
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(aims); i++) {
        const char *name = dyno_tune_aims_metric(aims, i)->name;
        uint32_t model = dyno_gate_metric_model_length(name);

        name += model > 0 ? model + 8 : 0; /* behind "models.NAME." */
        if (strncmp(name, "goodput", 7) == 0) {
            return true;
        }
    }
    return false;
}

static dyno_status settle_objectives(struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &tune->given.scenario;
    char objectives[OBJECTIVES_MAX];

    if (!names_goodput(&tune->aims) || scenario->slo.ttft_ns || scenario->slo.tpot_ns ||
        scenario->slo.itl_ns || scenario->slo.e2e_ns) {
        return DYNO_OK;
    }
    objectives_of(&tune->aims, objectives);
    if (*objectives == '\0') {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "goodput needs objectives: --slo ttft=2s,tpot=50ms, or limits on "
                         "latencies: --subject 'ttft_p95<2s'");
    }
    DYNO_TRY(add_word(tune, "--slo", error));
    return add_word(tune, objectives, error);
}

/* Costs are told where they are asked for. */
static dyno_status ask_for_costs(struct dyno_tune *tune, struct dyno_error *error)
{
    if (!dyno_tune_aims_name(&tune->aims, "cost.")) {
        return DYNO_OK;
    }
    DYNO_TRY(add_word(tune, "--set", error));
    return add_word(tune, "cost.energy=true", error);
}

/* Without a price no costs are known, and none is least. */
static dyno_status check_prices(const struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &tune->given.scenario;

    if (dyno_energy_is_priced(scenario) ||
        (!dyno_tune_aims_name(&tune->aims, "cost.total") &&
         !dyno_tune_aims_name(&tune->aims, "cost.per_million"))) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "costs need a price: --set cost.gpu_hour=2.5, --set cost.kwh=0.2, or both");
}

static dyno_status settle_database(struct dyno_tune *tune, struct dyno_error *error)
{
    if (origin_of(tune, "output.db")->source != DYNO_SOURCE_DEFAULT) {
        return DYNO_OK;
    }
    DYNO_TRY(add_word(tune, "--db", error));
    return add_word(tune, "tune.db", error);
}

/* ---- what may be tuned ----------------------------------------------------------------------- */

static dyno_status check(const struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &tune->given.scenario;

    if (strcmp(scenario->run.clock, "wall") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "tune simulates: --clock wall and devices that compute cannot be; fit the "
                         "simulation to what was measured instead (docs/timing.md)");
    }
    if (scenario->trace.path && strcmp(scenario->trace.path, "-") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "every trial reads the trace: standard input will not do, name a file");
    }
    if (scenario->output.decisions || scenario->output.journal || scenario->output.host_json ||
        scenario->planner.regret ||
        (scenario->output.intervals && strcmp(scenario->output.intervals, "auto") != 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--decisions, --journal, --host-json, --intervals and --regret are of one "
                         "run: give them to dyno replay with what was found");
    }
    return DYNO_OK;
}

static bool is_varied(const struct dyno_tune *tune, const char *name)
{
    for (uint32_t i = 0; i < tune->space.count; i++) {
        if (strcmp(tune->space.items[i].row->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* "models.chat.ttft_ms.p99" is of a model that there is. */
static dyno_status check_model(const struct dyno_fleet_models *models, const char *metric,
                               struct dyno_error *error)
{
    char name[DYNO_SUMMARY_NAME_MAX], key[DYNO_SUMMARY_MODEL_MAX], quoted[DYNO_QUOTE_MAX];
    struct dyno_nearest nearest;
    const char *near;

    (void)snprintf(name, sizeof name, "%.*s", (int)dyno_gate_metric_model_length(metric),
                   metric + 7);
    dyno_nearest_start(&nearest, name);
    for (uint32_t i = 0; i < models->count; i++) {
        dyno_summary_model(key, models->of[i].name);
        dyno_nearest_offer(&nearest, models->of[i].name);
        if (strcmp(key, name) == 0) {
            return DYNO_OK;
        }
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is none of the models of this fleet%s%s%s",
                     metric, dyno_quote(quoted, name),
                     near                 ? "; did you mean '"
                     : models->count == 0 ? ", which has one (docs/several-models.md)"
                                          : "",
                     near ? near : "", near ? "'?" : "");
}

static dyno_status check_models(const struct dyno_tune *tune, struct dyno_error *error)
{
    struct dyno_fleet_models *models;
    dyno_status status;

    if (!dyno_tune_aims_name(&tune->aims, "models.") || is_varied(tune, "fleet.models")) {
        return DYNO_OK;
    }
    models = calloc(1, sizeof *models);
    if (!models) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_models_read(models, &tune->given.scenario, error);
    for (uint32_t i = 0; status == DYNO_OK && i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        const char *name = dyno_tune_aims_metric(&tune->aims, i)->name;

        if (dyno_gate_metric_model_length(name) > 0) {
            status = check_model(models, name, error);
        }
    }
    free(models);
    return status;
}

/* ---- requests -------------------------------------------------------------------------------- */

static dyno_status map_trace(struct dyno_tune *tune, struct dyno_error *error)
{
    const char *path = tune->given.scenario.trace.path;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat there;
    void *bytes = MAP_FAILED;
    int cause;

    if (file >= 0 && fstat(file, &there) == 0 && there.st_size > 0) {
        bytes = mmap(NULL, (size_t)there.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    cause = errno;
    if (file >= 0) {
        (void)close(file);
    }
    if (bytes == MAP_FAILED) {
        return dyno_fail(error, cause == ENOENT ? DYNO_NOT_FOUND : DYNO_IO, "%s cannot be read: %s",
                         path, file >= 0 && cause == 0 ? "it is empty" : strerror(cause));
    }
    tune->trace = bytes;
    tune->trace_size = (size_t)there.st_size;
    return DYNO_OK;
}

static dyno_status count_requests(const struct dyno_tune *tune, uint64_t *out,
                                  struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &tune->given.scenario;
    struct dyno_trace_summary summary;

    DYNO_TRY(dyno_trace_summarise(&summary,
                                  &(struct dyno_trace_config){
                                      .path = scenario->trace.path,
                                      .data = tune->trace,
                                      .data_size = tune->trace_size,
                                      .format = scenario->trace.format,
                                      .trace_block_tokens = scenario->trace.block_tokens,
                                      .skip_bad_max = scenario->trace.skip_bad,
                                      .sort_window = scenario->trace.sort_window,
                                      .requests_skip = scenario->trace.skip,
                                      .requests_max = scenario->trace.requests,
                                      .ignore_unknown = scenario->trace.ignore_unknown,
                                  },
                                  error));
    *out = summary.counts.requests;
    dyno_trace_summary_release(&summary);
    return DYNO_OK;
}

static dyno_status check_windows(const struct dyno_tune *tune, uint64_t requests,
                                 struct dyno_error *error)
{
    if (tune->options.held_out >= tune->options.windows) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--hold-out %u leaves nothing to tune on: there are %u windows",
                         tune->options.held_out, tune->options.windows);
    }
    if (requests > 0 && requests < tune->options.windows) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%" PRIu64 " requests are fewer than --windows %u",
                         requests, tune->options.windows);
    }
    return DYNO_OK;
}

/* The last windows of a trace are held out; of a generator as many other seeds. */
static dyno_status part_requests(struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &tune->given.scenario;
    uint32_t windows = tune->options.windows;
    uint64_t requests = scenario->trace.requests;

    tune->tuned.seed = tune->held_out.seed = scenario->run.seed;
    if (!scenario->trace.path) {
        DYNO_TRY(check_windows(tune, requests, error));
        tune->tuned.requests = requests;
        tune->tuned.duration_ns = scenario->generate.duration_ns;
        tune->held_out = tune->tuned;
        tune->held_out.seed += tune->options.seeds;
        return DYNO_OK;
    }
    DYNO_TRY(map_trace(tune, error));
    DYNO_TRY(count_requests(tune, &requests, error));
    DYNO_TRY(check_windows(tune, requests, error));
    tune->tuned.skip = scenario->trace.skip;
    tune->tuned.requests = requests / windows * (windows - tune->options.held_out) +
                           (tune->options.held_out == 0 ? requests % windows : 0);
    tune->held_out.skip = tune->tuned.skip + tune->tuned.requests;
    tune->held_out.requests = requests - tune->tuned.requests;
    return DYNO_OK;
}

dyno_status dyno_tune_load(struct dyno_tune *tune, int argc, char **argv, struct dyno_error *error)
{
    tune->argv = calloc((size_t)argc + WORDS_ADDED_MAX + 1, sizeof *tune->argv);
    if (!tune->argv) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (int i = 0; i < argc; i++) {
        DYNO_TRY(add_word(tune, argv[i], error));
    }
    DYNO_TRY(ask_for_costs(tune, error));
    DYNO_TRY(open_given(tune, error));
    DYNO_TRY(check(tune, error));
    DYNO_TRY(check_models(tune, error));
    DYNO_TRY(settle_objectives(tune, error));
    DYNO_TRY(check_prices(tune, error));
    DYNO_TRY(settle_database(tune, error));
    DYNO_TRY(open_given(tune, error));
    return part_requests(tune, error);
}

void dyno_tune_unload(struct dyno_tune *tune)
{
    dyno_tuning_close(tune->tuning);
    dyno_arm_scenario_close(&tune->given);
    for (int i = 0; i < tune->argc; i++) {
        free(tune->argv[i]);
    }
    free(tune->argv);
    if (tune->trace) {
        (void)munmap((void *)(uintptr_t)tune->trace, tune->trace_size);
    }
    for (uint32_t i = 0; i < tune->trial_count; i++) {
        dyno_tune_point_release(&tune->trials[i]->point);
        free(tune->trials[i]);
    }
    free(tune->trials);
    dyno_tune_space_close(&tune->space);
}

/* ---- the database ---------------------------------------------------------------------------- */

/* What tells tunings apart: not what is varied, which requests of the trace (the trials say that),
 * or what is left behind. */
static bool is_fact(const struct dyno_tune *tune, const char *name)
{
    static const char *const others[] = {"run.seed", "trace.path", "trace.skip", "trace.requests"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i]) == 0) {
            return false;
        }
    }
    return strncmp(name, "output.", 7) != 0 && strncmp(name, "serve.", 6) != 0 &&
           !is_varied(tune, name);
}

static void print_facts(const struct dyno_tune *tune, char *varied, size_t size, char trace[64])
{
    static const uint64_t key[2] = {0, 0};
    size_t used = 0;

    *varied = '\0';
    for (uint32_t i = 0; i < tune->space.count && used < size; i++) {
        used += (size_t)snprintf(varied + used, size - used, "%s%s", i ? " " : "",
                                 tune->space.items[i].row->name);
    }
    if (tune->trace) {
        (void)snprintf(trace, 64, "%zu bytes %016" PRIx64, tune->trace_size,
                       dyno_siphash(key, tune->trace, tune->trace_size));
    }
}

static uint32_t list_aims(const struct dyno_tune_aims *aims,
                          struct dyno_tuning_aim out[DYNO_TUNE_METRICS_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < aims->goal_count; i++) {
        out[count++] = (struct dyno_tuning_aim){.metric = aims->goals[i].metric.name,
                                                .sign = aims->goals[i].sign};
    }
    for (uint32_t i = 0; i < aims->limit_count; i++) {
        out[count++] = (struct dyno_tuning_aim){.metric = aims->limits[i].metric.name,
                                                .sign = aims->limits[i].is_upper ? -1 : 1,
                                                .is_limit = true,
                                                .bound = aims->limits[i].bound};
    }
    return count;
}

dyno_status dyno_tune_open_database(struct dyno_tune *tune, struct dyno_error *error)
{
    const char *path = tune->given.scenario.output.db;
    uint32_t row_count = tune->given.options.count, aim_count;
    struct dyno_run_option_row *rows;
    struct dyno_tuning_option *options;
    struct dyno_tuning_aim aims[DYNO_TUNE_METRICS_MAX];
    char varied[DYNO_TUNE_DIMENSIONS_MAX * DYNO_OPTION_NAME_MAX], trace[64];
    struct dyno_tuning_facts facts = {.varied = varied, .trace = tune->trace ? trace : NULL};
    dyno_status status;

    if (!path || strcmp(path, ":memory:") == 0) {
        return DYNO_OK;
    }
    rows = dyno_scenario_option_rows(&tune->given.options);
    options = calloc(row_count, sizeof *options);
    for (uint32_t i = 0; rows && options && i < row_count; i++) {
        if (is_fact(tune, rows[i].name)) {
            options[facts.option_count++] =
                (struct dyno_tuning_option){.name = rows[i].name, .value = rows[i].value};
        }
    }
    facts.options = options;
    print_facts(tune, varied, sizeof varied, trace);
    aim_count = list_aims(&tune->aims, aims);
    status = rows && options ? dyno_tuning_open(&tune->tuning, path, &facts, aims, aim_count, error)
                             : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    free(options);
    dyno_scenario_option_rows_free(rows, row_count);
    return status;
}
