/* What the options of a scenario mean together.  A contradiction is named by both of its sides, as
 * the user wrote them. */
#include "cli/scenario/settle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/default_model.h"
#include "cli/scenario/energy.h"
#include "cli/scenario/engine_defaults.h"
#include "cli/scenario/faulting.h"
#include "cli/scenario/intervals.h"
#include "cli/scenario/live.h"
#include "cli/scenario/machine_file.h"
#include "cli/scenario/planning.h"
#include "cli/scenario/tiers.h"
#include "core/base/units.h"
#include "core/base/words.h"
#include "core/worker/handoff.h"

enum { SAID_MAX = 192 };

static const char closed_loop[] = "concurrency:";

static const struct dyno_option *row_of(const struct dyno_options *options, const char *name)
{
    const struct dyno_option *row = dyno_options_find(options, name);

    assert(row); /* names in this file are ours */
    return row;
}

/* How the user gave an option: "--trace", "--set trace.path", "a.yaml:3:9: trace.path". */
static const char *said(const struct dyno_options *options, const char *name, char out[SAID_MAX])
{
    const struct dyno_option *row = row_of(options, name);

    dyno_option_place(row, dyno_options_origin(options, row), out, SAID_MAX);
    return out;
}

static bool is_given(const struct dyno_options *options, const char *name)
{
    return !dyno_options_is_initial(options, row_of(options, name));
}

/* Of two layers the higher wins: defaults and profile, the file, the command line. */
static int layer(const struct dyno_options *options, const char *name)
{
    switch (dyno_options_origin(options, row_of(options, name))->source) {
    case DYNO_SOURCE_FILE:
        return 1;
    case DYNO_SOURCE_SET:
    case DYNO_SOURCE_FLAG:
        return 2;
    default:
        return 0;
    }
}

/* Two options that cannot both be given: "ONE and OTHER WHY". */
static dyno_status refuse_pair(const struct dyno_options *options, const char *one,
                               const char *other, const char *why, struct dyno_error *error)
{
    char first[SAID_MAX], second[SAID_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s and %s %s", said(options, one, first),
                     said(options, other, second), why);
}

/* Put an option back to its default. */
static dyno_status forget(struct dyno_options *options, const char *name, struct dyno_error *error)
{
    static const struct dyno_option_origin nobody = {.source = DYNO_SOURCE_DEFAULT};
    const struct dyno_option *row = row_of(options, name);

    return dyno_options_set(options, row, row->initial, &nobody, error);
}

static dyno_status settle_policy(struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    bool says_plugin = strcmp(scenario->router.policy, DYNO_POLICY_PLUGIN) == 0;
    int plugin = layer(options, "router.plugin"), policy = layer(options, "router.policy");
    char place[SAID_MAX];

    if (!scenario->router.plugin && says_plugin) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: the policy 'plugin' needs a shared object: give --policy FILE",
                         said(options, "router.policy", place));
    }
    if (!scenario->router.plugin || says_plugin) {
        return DYNO_OK;
    }
    if (plugin == policy) {
        return refuse_pair(options, "router.policy", "router.plugin",
                           "contradict each other: a policy is built in or a shared object", error);
    }
    if (policy > plugin) {
        return forget(options, "router.plugin", error);
    }
    return dyno_options_set(options, row_of(options, "router.policy"), DYNO_POLICY_PLUGIN,
                            dyno_options_origin(options, row_of(options, "router.plugin")), error);
}

static bool is_closed_loop(const char *arrival)
{
    return arrival && strncmp(arrival, closed_loop, sizeof(closed_loop) - 1) == 0;
}

/* A closed loop over a trace may be said either way; it is kept as trace.concurrency. */
static dyno_status settle_closed_loop(struct dyno_scenario *scenario, struct dyno_options *options,
                                      struct dyno_error *error)
{
    const struct dyno_option *arrival = row_of(options, "generate.arrival");
    const struct dyno_option *concurrency = row_of(options, "trace.concurrency");
    const char *count;
    uint64_t number;
    char place[SAID_MAX], quoted[DYNO_QUOTE_MAX];

    if (!scenario->trace.path || !is_closed_loop(scenario->generate.arrival)) {
        return DYNO_OK;
    }
    count = scenario->generate.arrival + sizeof(closed_loop) - 1;
    if (dyno_parse_u64(count, &number) != DYNO_UNITS_OK || number < concurrency->min ||
        number > concurrency->max) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: %s is not concurrency:N with a whole N from %" PRIu64 " to %" PRIu64,
                         said(options, "generate.arrival", place),
                         dyno_quote(quoted, scenario->generate.arrival), concurrency->min,
                         concurrency->max);
    }
    if (scenario->trace.concurrency != 0 && scenario->trace.concurrency != number &&
        layer(options, "trace.concurrency") >= layer(options, "generate.arrival")) {
        return refuse_pair(options, "generate.arrival", "trace.concurrency",
                           "contradict each other: both say how many requests are in flight",
                           error);
    }
    DYNO_TRY(dyno_options_set(options, concurrency, count, dyno_options_origin(options, arrival),
                              error));
    return forget(options, "generate.arrival", error);
}

/* An option that means nothing beside another that is given. */
static dyno_status refuse_idle(const struct dyno_options *options, const char *name,
                               const char *beside, struct dyno_error *error)
{
    char place[SAID_MAX], other[SAID_MAX];

    if (!is_given(options, name)) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s has no meaning beside %s",
                     said(options, name, place), said(options, beside, other));
}

static dyno_status check_trace(const struct dyno_scenario *scenario,
                               const struct dyno_options *options, struct dyno_error *error)
{
    if (scenario->generate.arrival) {
        return refuse_pair(options, "trace.path", "generate.arrival",
                           "contradict each other: a trace has its own arrivals; beside it only "
                           "concurrency:N, a closed loop, may be given",
                           error);
    }
    for (uint32_t i = 0; i < options->count; i++) {
        if (strncmp(options->rows[i].name, "generate.", 9) == 0) {
            DYNO_TRY(refuse_idle(options, options->rows[i].name, "trace.path", error));
        }
    }
    return DYNO_OK;
}

static dyno_status check_generator(const struct dyno_scenario *scenario,
                                   const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const of_traces[] = {"trace.format",     "trace.block_tokens",
                                            "trace.skip_bad",   "trace.skip",
                                            "trace.max_tokens", "trace.concurrency"};

    for (size_t i = 0; i < sizeof(of_traces) / sizeof(of_traces[0]); i++) {
        DYNO_TRY(refuse_idle(options, of_traces[i], "generate.arrival", error));
    }
    if (scenario->trace.requests == 0 && scenario->generate.duration_ns == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the generator has no end: give --requests N or --duration TIME");
    }
    return DYNO_OK;
}

/* A closed loop looks at no clock and holds exactly so many in flight. */
static dyno_status check_pacing(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    const char *loop = scenario->trace.concurrency                  ? "trace.concurrency"
                       : is_closed_loop(scenario->generate.arrival) ? "generate.arrival"
                                                                    : NULL;

    if (!loop) {
        return DYNO_OK;
    }
    if (is_given(options, "trace.max_concurrency")) {
        return refuse_pair(options, loop, "trace.max_concurrency",
                           "contradict each other: a closed loop always has as many in flight",
                           error);
    }
    if (is_given(options, "trace.speedup")) {
        return refuse_pair(options, loop, "trace.speedup",
                           "contradict each other: a closed loop does not follow timestamps",
                           error);
    }
    return DYNO_OK;
}

/* No two of the files a run reads or writes are one. */
static dyno_status check_files(const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const files[] = {"trace.path", "output.db", "output.json",
                                        "output.host_json", "output.journal"};
    enum { COUNT = sizeof(files) / sizeof(files[0]) };
    char one[DYNO_OPTION_TEXT_MAX], other[DYNO_OPTION_TEXT_MAX];

    for (size_t i = 0; i < COUNT; i++) {
        dyno_options_print(options, row_of(options, files[i]), one);
        for (size_t j = i + 1; j < COUNT; j++) {
            bool is_input = i == 0 && strcmp(one, "-") == 0; /* standard input is not output */

            dyno_options_print(options, row_of(options, files[j]), other);
            if (strcmp(one, other) == 0 && strcmp(one, "none") != 0 && !is_input) {
                return refuse_pair(options, files[i], files[j], "name the same file", error);
            }
        }
    }
    return DYNO_OK;
}

/* Set an option that nobody gave, because of `device`. */
static dyno_status settle_default(struct dyno_options *options, const char *name, const char *value,
                                  const char *device, struct dyno_error *error)
{
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_PROFILE, .where = device};

    if (layer(options, name) > 0) {
        return DYNO_OK;
    }
    return dyno_options_set(options, row_of(options, name), value, &origin, error);
}

/* A worker that computes starts in the time that it takes; one of a measured machine in the time
 * that was measured, unless something else is said. */
static dyno_status settle_start(const struct dyno_scenario *scenario, struct dyno_options *options,
                                bool measured, const char *law, struct dyno_error *error)
{
    if (dyno_live_starts(scenario) && layer(options, law) == 2) {
        return refuse_pair(options, law, "run.device",
                           "contradict each other: a worker that computes starts in the time that "
                           "it takes",
                           error);
    }
    return dyno_live_starts(scenario) || measured
               ? settle_default(options, law, DYNO_START_MEASURED, "cpu", error)
               : DYNO_OK;
}

/* A worker has as many ranks as the one that was measured. */
static dyno_status settle_ranks(const struct dyno_scenario *scenario, struct dyno_options *options,
                                const struct dyno_machine *machine, struct dyno_error *error)
{
    char ranks[16];

    (void)snprintf(ranks, sizeof ranks, "%u", machine->ranks);
    if (layer(options, "fleet.tp") > 0 && scenario->fleet.tp != machine->ranks) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--tp is %u, and %s was measured with %u; `dyno calibrate --tp %u -o "
                         "FILE` measures such a worker",
                         scenario->fleet.tp, scenario->timing.machine, machine->ranks,
                         scenario->fleet.tp);
    }
    return settle_default(options, "fleet.tp", ranks, "machine", error);
}

/* Whether GPUs that are there have the option, too: both types of KV, and weights of 16 bits, or of
 * the 8 that a file has. */
static bool is_of_cuda(const struct dyno_scenario *scenario, const char *option)
{
    return strcmp(option, "model.kv") == 0 ||
           (strcmp(option, "model.weights") == 0 && strcmp(scenario->model.weights, "int4") != 0);
}

/* What a device that computes, or was measured, cannot be beside. */
static dyno_status check_machine(const struct dyno_scenario *scenario,
                                 const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const of_gpus[] = {
        "fleet.gpu",          "fleet.expert_parallel", "model.weights", "model.kv",
        "timing.calibration", "timing.host",           "prefill.gpu",   "prefill.tp",
        "prefill.weights",    "links.topology"};
    const char *device = dyno_live_is_real(scenario) ? "run.device" : "timing.machine";

    if (dyno_live_is_real(scenario) && scenario->timing.machine) {
        return refuse_pair(options, "run.device", "timing.machine",
                           "contradict each other: the machine is there, or it is simulated",
                           error);
    }
    if (dyno_live_is_real(scenario) && layer(options, "run.clock") > 0 &&
        strcmp(scenario->run.clock, "wall") != 0) {
        return refuse_pair(options, "run.device", "run.clock",
                           "contradict each other: what computes takes its time", error);
    }
    for (size_t i = 0; i < sizeof(of_gpus) / sizeof(of_gpus[0]); i++) {
        if (dyno_live_is_cuda(scenario) && is_of_cuda(scenario, of_gpus[i])) {
            continue;
        }
        if (layer(options, of_gpus[i]) > 0) {
            return refuse_pair(options, of_gpus[i], device,
                               "contradict each other: no GPU is simulated", error);
        }
    }
    return DYNO_OK;
}

static bool moves_layers(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->disagg.transfer, "layers") == 0;
}

/* A device that computes runs in real time, a model that is there, and passes that end soon; one
 * that was measured runs the same. */
static dyno_status settle_machine(const struct dyno_scenario *scenario,
                                  struct dyno_options *options, struct dyno_error *error)
{
    struct dyno_machine machine = {.ranks = 1};
    const char *name;
    bool is_cuda;

    if (!dyno_live_is_machine(scenario)) {
        return DYNO_OK;
    }
    DYNO_TRY(check_machine(scenario, options, error));
    if (scenario->timing.machine) {
        DYNO_TRY(dyno_machine_read(&machine, scenario->timing.machine, error));
    }
    is_cuda = dyno_live_is_cuda(scenario) || strcmp(machine.device, "cuda") == 0;
    name = is_cuda ? "cuda" : "cpu";
    if (is_cuda && moves_layers(scenario)) {
        return refuse_pair(options, "disagg.transfer",
                           scenario->timing.machine ? "timing.machine" : "run.device",
                           "cannot be together: GPUs tell nobody of single layers", error);
    }
    if (dyno_planning_is_on(scenario)) {
        DYNO_TRY(settle_start(scenario, options, machine.start_ns > 0.0, "planner.startup", error));
    }
    if (dyno_faulting_is_on(scenario)) {
        DYNO_TRY(settle_start(scenario, options, machine.start_ns > 0.0, "faults.restart", error));
    }
    if (dyno_live_is_real(scenario)) {
        DYNO_TRY(settle_default(options, "run.clock", "wall", name, error));
    } else {
        DYNO_TRY(settle_ranks(scenario, options, &machine, error));
    }
    DYNO_TRY(settle_default(options, "model.name",
                            machine.model[0] ? machine.model : DYNO_DEFAULT_MODEL, name, error));
    if (!is_cuda && !scenario->trace.path) {
        /* what the small models that a CPU computes have the context for */
        DYNO_TRY(settle_default(options, "generate.input_tokens", "256", name, error));
        DYNO_TRY(settle_default(options, "generate.output_tokens", "64", name, error));
    }
    DYNO_TRY(settle_default(options, "batch.tokens_max", is_cuda ? "8192" : "512", name, error));
    DYNO_TRY(settle_default(options, "batch.seqs_max", is_cuda ? "256" : "64", name, error));
    return settle_default(options, "batch.async_scheduling", "false", name, error);
}

static dyno_status refuse_without(const struct dyno_options *options, const char *name,
                                  struct dyno_error *error)
{
    char place[SAID_MAX];

    if (!is_given(options, name)) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s has no meaning without --disagg POLICY%s",
                     said(options, name, place),
                     strncmp(name, "links.", 6) == 0 ? ", --tier or --peers" : "");
}

/* What GPUs lack of what a CPU's workers have. */
static dyno_status check_halves_on_gpus(const struct dyno_scenario *scenario,
                                        const struct dyno_options *options,
                                        struct dyno_error *error)
{
    if (dyno_live_is_cuda(scenario) && scenario->prefill.at) {
        return refuse_pair(options, "prefill.at", "run.device",
                           "cannot be together: only --device cpu has workers in other processes",
                           error);
    }
    return DYNO_OK;
}

/* The halves of requests that devices compute, or are simulated as they were measured. */
static dyno_status check_halves_of_machines(const struct dyno_scenario *scenario,
                                            const struct dyno_options *options,
                                            struct dyno_error *error)
{
    if (strcmp(scenario->run.device, "remote") == 0) {
        return refuse_pair(options, "run.device", "disagg.policy",
                           "cannot be together: nothing moves KV between such workers; cpu, cuda "
                           "and sim can",
                           error);
    }
    if (dyno_live_is_real(scenario) && scenario->disagg.fetch_block_ns > 0) {
        return refuse_pair(options, "disagg.fetch_block", "run.device",
                           "contradict each other: asking for blocks takes as long as it does",
                           error);
    }
    return check_halves_on_gpus(scenario, options, error);
}

/* The fleet has as many workers as both roles together; or more places, of which a planner makes
 * use. */
static dyno_status settle_disagg(const struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    static const char *const beside[] = {
        "disagg.prefill",       "disagg.decode",       "disagg.router",    "disagg.deadline",
        "disagg.move_deadline", "disagg.move_retries", "disagg.style",     "disagg.hop",
        "disagg.fetch_block",   "disagg.transfer",     "disagg.piece",     "prefill.gpu",
        "prefill.tp",           "prefill.weights",     "prefill.blocks",   "links.topology",
        "links.sharing",        "prefill.at",          "prefill.transport"};
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_PROFILE, .where = "disagg"};
    bool is_planned = strcmp(scenario->planner.policy, "none") != 0;
    const struct dyno_handoff_policy *policy;
    uint64_t workers;
    uint32_t tokens;
    char text[DYNO_UNITS_TEXT_MAX];

    if (!scenario->disagg.policy) {
        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
            if (!dyno_tiers_are(scenario) || strncmp(beside[i], "links.", 6) != 0) {
                DYNO_TRY(refuse_without(options, beside[i], error));
            }
        }
        return DYNO_OK;
    }
    DYNO_TRY(dyno_handoff_parse(&policy, &tokens, scenario->disagg.policy, error));
    workers = (uint64_t)scenario->disagg.prefill + scenario->disagg.decode;
    if (layer(options, "fleet.workers") > 0 && scenario->fleet.workers != workers &&
        (!is_planned || scenario->fleet.workers < workers)) {
        return refuse_pair(options, "fleet.workers", "disagg.policy",
                           "contradict each other: --prefill and --decode say how many there are",
                           error);
    }
    DYNO_TRY(check_halves_of_machines(scenario, options, error));
    if (strcmp(scenario->disagg.style, "push") != 0 && moves_layers(scenario)) {
        return refuse_pair(options, "disagg.transfer", "disagg.style",
                           "cannot be together: only what is pushed has a place to go to while its "
                           "prompt is computed",
                           error);
    }
    if (scenario->output.journal && !dyno_live_is_real(scenario)) {
        return refuse_pair(options, "output.journal", "disagg.policy",
                           "cannot be together: a journal has no place for what simulated links do",
                           error);
    }
    if (is_planned && layer(options, "fleet.workers") > 0) {
        return DYNO_OK;
    }
    dyno_print_u64(text, workers);
    return dyno_options_set(options, row_of(options, "fleet.workers"), text, &origin, error);
}

/* How several routers share means nothing of one. */
static dyno_status check_routers(const struct dyno_scenario *scenario,
                                 const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const of_several[] = {"router.spread", "router.sync_delay"};

    for (size_t i = 0; scenario->router.replicas == 1 && i < 2; i++) {
        char place[SAID_MAX];

        if (is_given(options, of_several[i]) &&
            layer(options, of_several[i]) >= layer(options, "router.replicas")) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s has no meaning where there is one router: give router.replicas",
                             said(options, of_several[i], place));
        }
    }
    return DYNO_OK;
}

/* What is stored below GPUs, and what it counts for, means nothing where nothing is (of a file it
 * may be meant for another run). */
static dyno_status check_stores(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const of_tiers[] = {
        "router.tier_credit.peers", "tiers.store",
        "tiers.store_below",        "tiers.evict",
        "tiers.chunk_tokens",       "router.tier_credit.g2",
        "router.tier_credit.g3",    "router.tier_credit.g4",
    };
    char place[SAID_MAX];

    for (size_t i = 0; i < sizeof of_tiers / sizeof of_tiers[0]; i++) {
        if (layer(options, of_tiers[i]) == 2 &&
            (i == 0 ? !scenario->tiers.peers : !scenario->tiers.levels)) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s has no meaning without %s",
                             said(options, of_tiers[i], place), i == 0 ? "--peers" : "--tier TIER");
        }
    }
    return DYNO_OK;
}

dyno_status dyno_scenario_settle(struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    DYNO_TRY(settle_policy(scenario, options, error));
    DYNO_TRY(settle_closed_loop(scenario, options, error));
    DYNO_TRY(settle_machine(scenario, options, error));
    DYNO_TRY(settle_disagg(scenario, options, error));
    DYNO_TRY(dyno_live_far_check(scenario, options, error));
    DYNO_TRY(check_routers(scenario, options, error));
    DYNO_TRY(dyno_tiers_scenario_check(scenario, error));
    DYNO_TRY(check_stores(scenario, options, error));
    DYNO_TRY(dyno_engine_defaults_settle(scenario, options, error));
    DYNO_TRY(check_pacing(scenario, options, error));
    return check_files(options, error);
}

static dyno_status check_planner(const struct dyno_scenario *scenario,
                                 const struct dyno_options *options, struct dyno_error *error)
{
    for (uint32_t i = 0; !dyno_planning_is_on(scenario) && i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];
        char place[SAID_MAX];

        if (strncmp(row->name, "planner.", 8) == 0 && layer(options, row->name) == 2) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s has no meaning without a planner: give "
                             "--planner POLICY",
                             said(options, row->name, place));
        }
    }
    return dyno_planning_check(scenario, error);
}

dyno_status dyno_scenario_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    if (dyno_live_is_remote(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the device 'remote' asks other servers: `dyno serve` puts a router "
                         "before them, and `dyno bench` loads them");
    }
    DYNO_TRY(check_planner(scenario, options, error));
    DYNO_TRY(dyno_faulting_check(scenario, options, error));
    DYNO_TRY(dyno_energy_check(scenario, options, error));
    DYNO_TRY(dyno_intervals_check(scenario, options, error));
    if (scenario->trace.path) {
        return check_trace(scenario, options, error);
    }
    if (scenario->generate.arrival) {
        return check_generator(scenario, options, error);
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "nothing to replay: give --trace FILE, or --arrival LAW (poisson:20 or "
                     "concurrency:64, say) to generate requests");
}
