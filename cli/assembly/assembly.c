#include "cli/assembly/assembly.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/posix/plugin.h"
#include "backends/posix/turns.h"
#include "backends/posix/wall_clock.h"
#include "backends/remote/remote.h"
#include "cli/assembly/configure.h"
#include "cli/assembly/devices.h"
#include "cli/assembly/live_far.h"
#include "cli/assembly/live_links.h"
#include "cli/assembly/models.h"
#include "cli/assembly/queueing.h"
#include "cli/assembly/routing.h"
#include "cli/assembly/source.h"
#include "core/route/route.h"
#include "sim/answers.h"
#include "sim/vclock.h"

/* ---- the seams ------------------------------------------------------------------------------- */

static dyno_status open_clock(struct dyno_assembly *assembly)
{
    if (strcmp(assembly->scenario->run.clock, "wall") == 0) {
        return dyno_wall_clock_open(&assembly->clock, 1.0);
    }
    assembly->clock = dyno_virtual_clock();
    return DYNO_OK;
}

/* A router knows of the tiers of those among whom it chooses; and what all of them can hold is
 * more.
 */
static dyno_status use_tiers(struct dyno_assembly *assembly)
{
    bool in_halves = assembly->scenario->disagg.policy != NULL;
    struct dyno_dispatch *dispatch = in_halves ? assembly->halves.dispatch : assembly->dispatch;
    struct dyno_tiering *tiering = &assembly->tiering;
    struct dyno_dispatch_tiers view;

    if (!assembly->scenario->tiers.levels && tiering->credits.peers <= 0.0) {
        return DYNO_OK;
    }
    if (assembly->belady) {
        dyno_belady_widen(assembly->belady, dyno_tiers_blocks(tiering->tiers));
    }
    tiering->first_routed = in_halves ? dyno_halves_first_prefiller(assembly->scenario) : 0;
    view = dyno_tiering_view(tiering);
    return dyno_dispatch_use_tiers(dispatch, &view);
}

static dyno_status open_halves(struct dyno_assembly *assembly,
                               const struct dyno_local_config *config, struct dyno_error *error)
{
    if (dyno_live_links_are(assembly)) {
        assembly->halves.block_bytes = dyno_live_links_block_bytes(assembly);
        assembly->halves.layers =
            assembly->fed ? assembly->fed->layers : assembly->timing_config.model.layers;
        if (!assembly->tiering.others) {
            DYNO_TRY(dyno_live_links_open(&assembly->halves.live, assembly, NULL, 0, error));
        }
    }
    return dyno_halves_open(&assembly->workers, &assembly->halves, assembly->scenario,
                            &assembly->timing_config, config, assembly->tiering.others, error);
}

/* Whoever wants to know of the links that KV moves over. */
static dyno_status use_links(struct dyno_assembly *assembly, struct dyno_error *error)
{
    bool of_tiers = assembly->tiering.links != NULL;
    struct dyno_links *links = of_tiers ? assembly->tiering.links : assembly->halves.links;
    const struct dyno_topology_links *places =
        of_tiers ? assembly->tiering.places : assembly->halves.places;

    DYNO_TRY(dyno_linking_open(&assembly->linking, assembly->loop, links, places));
    return dyno_faulting_use_links(&assembly->faulting, links, places, error);
}

static struct dyno_local_config local_config(const struct dyno_assembly *assembly,
                                             struct dyno_worker_listener listener,
                                             struct dyno_histogram *itl)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_local_config config = {
        .worker = assembly->worker,
        .worker_count = scenario->fleet.workers,
        .gpus_per_worker = scenario->fleet.tp,
        .device = assembly->device,
        .listener = listener,
        .itl = itl,
    };

    if (dyno_planning_is_on(scenario)) {
        config.warm_count = dyno_planning_ready_first(scenario);
        config.worker.first_passes = scenario->planner.first_passes;
        config.worker.first_pass_ticks = scenario->planner.first_pass_extra_ns << DYNO_TICK_BITS;
    }
    return config;
}

/* A fleet of each model, with tiers and links of its own, which are one to the loop. */
static dyno_status open_several(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_fleets *fleets = assembly->fleets;

    DYNO_TRY(dyno_several_open(&fleets->several, fleets->models.count));
    assembly->workers = dyno_several_workers(fleets->several);
    for (uint32_t i = 0; i < fleets->models.count; i++) {
        struct dyno_assembly *of = dyno_fleets_of(assembly, i);
        struct dyno_worker_listener listener = dyno_loop_listener_of(assembly->loop, i);
        struct dyno_local_config config = local_config(
            of, dyno_several_listener(fleets->several, &listener), &fleets->metrics[i].itl);
        struct dyno_workers *member;

        DYNO_TRY(dyno_tiering_open(&of->tiering, of, &config, error));
        DYNO_TRY(use_tiers(of));
        DYNO_TRY(dyno_local_open(&member, &config, error));
        dyno_several_add(fleets->several, member, config.worker_count);
    }
    return DYNO_OK;
}

static dyno_status open_workers(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_local_config config =
        local_config(assembly, dyno_loop_listener(assembly->loop), &assembly->metrics.itl);

    if (assembly->fleets) {
        return open_several(assembly, error);
    }
    if (assembly->remote) {
        assembly->workers = dyno_remote_workers(
            assembly->remote,
            &(struct dyno_remote_task){.transcripts = assembly->live.transcripts,
                                       .listener = dyno_loop_listener(assembly->loop),
                                       .itl = &assembly->metrics.itl,
                                       .now = dyno_wall_clock_now,
                                       .wake = dyno_wall_clock_wake,
                                       .clock = assembly->clock});
        return DYNO_OK;
    }
    DYNO_TRY(dyno_tiering_open(&assembly->tiering, assembly, &config, error));
    DYNO_TRY(use_tiers(assembly));
    if (!scenario->disagg.policy) {
        DYNO_TRY(dyno_local_open(&assembly->workers, &config, error));
    } else {
        DYNO_TRY(open_halves(assembly, &config, error));
    }
    return use_links(assembly, error);
}

/* What a start of a worker takes on the machine that was measured; 0: that was not. */
static dyno_ns start_measured(const struct dyno_assembly *assembly)
{
    double bytes = (double)dyno_live_links_block_bytes(assembly) * assembly->worker.blocks;

    return assembly->machine.start_ns > 0.0
               ? (dyno_ns)(assembly->machine.start_ns + assembly->machine.start_byte_ns * bytes)
               : 0;
}

/* Whether workers start for real, or did when what is fed was written. */
static bool has_starter(const struct dyno_assembly *assembly)
{
    return assembly->fed ? assembly->fed->starts : dyno_assembly_starts(assembly);
}

static dyno_status open_planning(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_fleets *fleets = assembly->first ? assembly->first->fleets : assembly->fleets;
    bool starts = has_starter(assembly);

    return dyno_planning_open(
        &assembly->planning, assembly->scenario,
        &(struct dyno_planning_of){.dispatch = assembly->dispatch,
                                   .model = assembly->model,
                                   .first_worker = dyno_fleets_first(assembly, assembly->model),
                                   .budget = fleets ? &fleets->budget : NULL,
                                   .choice = fleets ? &fleets->models.choice : NULL,
                                   .worker = &assembly->worker,
                                   .prefill_dispatch = assembly->halves.dispatch,
                                   .prefill_worker = &assembly->halves.worker,
                                   .trace_data = assembly->trace_data,
                                   .trace_size = assembly->trace_size,
                                   .starter = starts ? &assembly->starting.starter : NULL,
                                   .start_ns = starts ? assembly->starting.takes_ns
                                                      : start_measured(assembly)},
        error);
}

/* Of one of several models, or of the only one. */
static struct dyno_faulting_of faulting_of(const struct dyno_assembly *assembly)
{
    bool starts = has_starter(assembly);

    return (struct dyno_faulting_of){.first_worker = dyno_fleets_first(assembly, assembly->model),
                                     .worker_count = dyno_fleets_workers(assembly),
                                     .dispatch = assembly->dispatch,
                                     .dispatch_behind = assembly->halves.dispatch,
                                     .device = assembly->computing,
                                     .device_behind = assembly->computing_behind,
                                     .peers = assembly->peers,
                                     .peers_behind = assembly->halves.peers,
                                     .starting = starts ? &assembly->starting : NULL,
                                     .start_ns = start_measured(assembly),
                                     .planned = assembly->planning.roster != NULL};
}

static void choose_roster(struct dyno_assembly *assembly)
{
    assembly->roster =
        assembly->planning.roster ? assembly->planning.roster : assembly->faulting.roster;
}

static dyno_status open_faulting(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_faulting_of of = faulting_of(assembly);
    struct dyno_failing others[DYNO_MODELS_MAX];

    of.others = others;
    for (uint32_t i = 1; i < dyno_fleets_count(assembly); i++) {
        others[of.other_count++] = (struct dyno_failing){dyno_fleets_of(assembly, i)->computing,
                                                         dyno_fleets_first(assembly, i)};
    }
    DYNO_TRY(dyno_faulting_open(&assembly->faulting, assembly->scenario, &of, error));
    choose_roster(assembly);
    for (uint32_t i = 1; i < dyno_fleets_count(assembly); i++) {
        struct dyno_assembly *other = dyno_fleets_of(assembly, i);

        of = faulting_of(other);
        DYNO_TRY(
            dyno_faulting_open_beside(&other->faulting, &assembly->faulting, other->scenario, &of));
        choose_roster(other);
    }
    return DYNO_OK;
}

static dyno_status open_loop(struct dyno_assembly *assembly, struct dyno_sink *sinks,
                             const volatile sig_atomic_t *interrupted, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    DYNO_TRY(dyno_metrics_init(&assembly->metrics, &(struct dyno_slo){
                                                       .ttft_ns = scenario->slo.ttft_ns,
                                                       .tpot_ns = scenario->slo.tpot_ns,
                                                       .itl_ns = scenario->slo.itl_ns,
                                                       .e2e_ns = scenario->slo.e2e_ns,
                                                   }));
    assembly->metrics.sink.next = sinks;
    struct dyno_loop_config config = {
        .clock = assembly->loop_clock,
        .source = assembly->source,
        .answers = assembly->answers,
        .dispatch = assembly->dispatch,
        .trie = assembly->trie,
        .worker_count = dyno_halves_workers(scenario),
        .roster = assembly->roster,
        .roster_behind = assembly->faulting.behind,
        .faults = assembly->faulting.faults,
        .notice_ns = scenario->faults.notice_ns,
        .migrations_max = scenario->faults.migrations_max,
        .planner = assembly->planning.planner,
        .lobby = dyno_queueing_lobby(scenario),
        .sinks = &assembly->metrics.sink,
        .sample_every_ns = scenario->run.sample_every_ns,
        .duration_max_ns = scenario->run.duration_max_ns,
        .live = strcmp(scenario->run.clock, "wall") == 0,
        .decisions = scenario->output.decisions,
        .candidates = scenario->output.decisions,
        .interrupted = interrupted,
    };
    dyno_fleets_join(assembly, &config);
    DYNO_TRY(dyno_loop_open(&assembly->loop, &config));
    return open_workers(assembly, error);
}

/* The loop sees what goes wrong, and starts, through the journal, or there alone. */
static void put_journal_before_starts(struct dyno_assembly *assembly)
{
    struct dyno_faults *real = assembly->faulting.faults;
    struct dyno_starting *starting = &assembly->starting;
    struct dyno_journal *journal = assembly->journal;

    assembly->faulting.faults = NULL;
    if (assembly->fed && real) {
        real->ops->close(real);
        real = NULL;
    }
    assembly->faulting.faults =
        dyno_journal_faults(journal, real, dyno_halves_workers(assembly->scenario));
    starting->starter =
        dyno_journal_starter(journal, false, assembly->fed ? NULL : &starting->starter);
    starting->starter_behind =
        dyno_journal_starter(journal, true, assembly->fed ? NULL : &starting->starter_behind);
}

/* The loop sees clock, source and device through the journal. */
static void put_journal_before(struct dyno_assembly *assembly,
                               const volatile sig_atomic_t **interrupted)
{
    struct dyno_journal *journal = assembly->journal;
    const struct dyno_device_ops *device = assembly->device->ops;
    const struct dyno_scenario *scenario = assembly->scenario;
    bool cancels = assembly->source->ops->cancelled != NULL;
    bool moves = dyno_tiers_are(scenario) || scenario->disagg.policy;
    struct dyno_journal_head head = {.device = {.stores_kv = device->stores_kv,
                                                .is_real = device->is_real,
                                                .predicts = moves && device->predict},
                                     .block_bytes =
                                         moves ? dyno_live_links_block_bytes(assembly) : 0,
                                     .layers = moves ? assembly->timing_config.model.layers : 0,
                                     .cancels = cancels,
                                     .starts = dyno_assembly_starts(assembly),
                                     .start_ns = assembly->starting.takes_ns,
                                     .worker = assembly->worker};

    memcpy(head.title, assembly->title, sizeof head.title);
    dyno_journal_head_write(journal, assembly->options, &head);
    assembly->loop_clock = dyno_journal_clock(journal, assembly->clock, *interrupted);
    assembly->source = dyno_journal_source(journal, assembly->source, cancels);
    assembly->device = dyno_journal_device(journal, false, assembly->device, &head.device);
    if (assembly->halves.device) {
        assembly->halves.device =
            dyno_journal_device(journal, true, assembly->halves.device, &head.device);
    }
    *interrupted = dyno_journal_interrupted(journal);
}

/* The journal is clock, source and device. */
static void open_fed(struct dyno_assembly *assembly, const volatile sig_atomic_t **interrupted)
{
    assembly->clock = dyno_virtual_clock();
    assembly->loop_clock = dyno_journal_clock(assembly->journal, NULL, NULL);
    assembly->source = assembly->recorded =
        dyno_journal_source(assembly->journal, NULL, assembly->fed->cancels);
    assembly->device = dyno_journal_device(assembly->journal, false, NULL, &assembly->fed->device);
    if (assembly->scenario->disagg.policy) {
        assembly->halves.device =
            dyno_journal_device(assembly->journal, true, NULL, &assembly->fed->device);
    }
    assembly->starting.takes_ns = assembly->fed->start_ns;
    *interrupted = dyno_journal_interrupted(assembly->journal);
}

static void write_title(struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    if (assembly->fed) {
        (void)snprintf(assembly->title, sizeof assembly->title, "%s", assembly->fed->title);
        return;
    }
    if (assembly->fleets) {
        dyno_fleets_title(assembly);
        return;
    }
    if (assembly->remote) {
        (void)snprintf(assembly->title, sizeof assembly->title, "%.200s on %u x remote, %s",
                       assembly->remote_model, scenario->fleet.workers, assembly->policy_name);
        return;
    }
    if (scenario->disagg.policy && (scenario->prefill.gpu || scenario->prefill.tp > 0)) {
        (void)snprintf(
            assembly->title, sizeof assembly->title, "%s on %u x %s + %u x %s, %s, %s",
            assembly->timing_config.model.name,
            scenario->disagg.prefill * dyno_halves_prefill_tp(scenario),
            assembly->halves.timing_config.gpu.name, scenario->disagg.decode * scenario->fleet.tp,
            assembly->timing_config.gpu.name, scenario->batch.engine, assembly->policy_name);
    } else {
        (void)snprintf(
            assembly->title, sizeof assembly->title, "%s on %u x %s, %s, %s",
            assembly->timing_config.model.name, scenario->fleet.workers * scenario->fleet.tp,
            assembly->timing_config.gpu.name, scenario->batch.engine, assembly->policy_name);
    }
    if (scenario->disagg.policy) {
        size_t used = strlen(assembly->title);

        (void)snprintf(assembly->title + used, sizeof assembly->title - used,
                       ", %u prefill + %u decode%s", scenario->disagg.prefill,
                       scenario->disagg.decode, dyno_planning_is_on(scenario) ? " at first" : "");
    }
}

/* The other models, beside the first, whose clock, answers and transcripts they share. */
static dyno_status open_beside(struct dyno_assembly *assembly, struct dyno_error *error)
{
    for (uint32_t i = 1; i < dyno_fleets_count(assembly); i++) {
        struct dyno_assembly *other = dyno_fleets_of(assembly, i);

        other->answers = assembly->answers;
        other->clock = assembly->clock;
        other->open_outside = assembly->open_outside;
        other->trace_data = assembly->trace_data;
        other->trace_size = assembly->trace_size;
        dyno_transcripts_close(other->live.transcripts);
        other->live.transcripts = assembly->live.transcripts;
        DYNO_TRY(dyno_assembly_open_devices(other, error));
        DYNO_TRY(dyno_assembly_open_routing(other, error));
        DYNO_TRY(open_planning(other, error));
    }
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_assembly *assembly, struct dyno_sink *sinks,
                            const volatile sig_atomic_t *interrupted, unsigned flags,
                            struct dyno_error *error)
{
    DYNO_TRY(dyno_fleets_open(assembly, error));
    DYNO_TRY(dyno_assembly_configure(assembly, error));
    if (assembly->fed) {
        open_fed(assembly, &interrupted);
    } else {
        DYNO_TRY(dyno_answers_open(&assembly->answers));
        DYNO_TRY(open_clock(assembly));
        DYNO_TRY(dyno_assembly_open_source(assembly, flags, error));
        if (assembly->recording) {
            assembly->source = dyno_recording_source(assembly->recording, assembly->source);
        }
        DYNO_TRY(dyno_assembly_open_devices(assembly, error));
        assembly->loop_clock = assembly->clock;
    }
    DYNO_TRY(dyno_assembly_open_routing(assembly, error));
    DYNO_TRY(open_planning(assembly, error));
    DYNO_TRY(open_beside(assembly, error));
    DYNO_TRY(open_faulting(assembly, error));
    write_title(assembly);
    if (assembly->journal && !assembly->fed) {
        put_journal_before(assembly, &interrupted);
    }
    if (assembly->journal && has_starter(assembly)) {
        put_journal_before_starts(assembly);
    }
    if (assembly->put_before) {
        DYNO_TRY(assembly->put_before(assembly->before_context, assembly, error));
    }
    DYNO_TRY(open_loop(assembly, sinks, interrupted, error));
    return DYNO_OK;
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_assembly_open(struct dyno_assembly *assembly, const struct dyno_scenario *scenario,
                               struct dyno_sink *sinks, const volatile sig_atomic_t *interrupted,
                               unsigned flags, struct dyno_error *error)
{
    dyno_status status;

    assembly->asked = assembly->scenario = scenario;
    status = open_all(assembly, sinks, interrupted, flags, error);
    if (status != DYNO_OK) {
        if (status == DYNO_NO_MEMORY && error->text[0] == '\0') {
            (void)dyno_fail(error, status, "out of memory while putting the fleet together");
        }
        dyno_assembly_close(assembly);
    }
    return status;
}

dyno_status dyno_assembly_run(struct dyno_assembly *assembly, struct dyno_error *error)
{
    dyno_status status;

    if (!assembly->open_outside && assembly->clock != dyno_virtual_clock()) {
        dyno_wall_clock_restart(assembly->clock); /* requests are due from when workers are there */
    }
    status = assembly->turns
                 ? dyno_turns_run(assembly->turns, assembly->workers, &assembly->result, error)
                 : dyno_loop_run(assembly->loop, assembly->workers, &assembly->result, error);
    if (status == DYNO_NO_MEMORY && error->text[0] == '\0') {
        (void)dyno_fail(error, status, "out of memory during the run");
    }
    dyno_live_far_say(assembly->halves.peers, "prefill.at");
    dyno_live_far_say(assembly->peers, "fleet.at");
    DYNO_TRY(status);
    assembly->workers->ops->totals(assembly->workers, &assembly->totals);
    if (assembly->tiering.tiers) {
        dyno_tiers_totals(assembly->tiering.tiers, &assembly->totals);
    }
    assembly->totals.end_ns = assembly->result.end_ns;
    dyno_fleets_finish(assembly);
    return DYNO_OK;
}

void dyno_assembly_close(struct dyno_assembly *assembly)
{
    if (assembly->workers) {
        assembly->workers->ops->close(assembly->workers);
    }
    dyno_loop_close(assembly->loop);
    dyno_linking_close(&assembly->linking);
    dyno_fleets_close(assembly); /* what is beside it borrows what follows */
    dyno_metrics_release(&assembly->metrics);
    dyno_faulting_close(&assembly->faulting);
    dyno_planning_close(&assembly->planning);
    if (assembly->dispatch) {
        dyno_dispatch_close(assembly->dispatch);
    }
    dyno_tiering_close(&assembly->tiering); /* whose links may touch devices */
    dyno_halves_close(&assembly->halves);
    dyno_kv_trie_close(assembly->trie);
    dyno_plugin_close(assembly->plugin);
    if (assembly->device) {
        assembly->device->ops->close(assembly->device);
    }
    dyno_ucx_peers_close(assembly->peers);
    dyno_timing_close(assembly->timing);
    if (assembly->clock && assembly->clock != dyno_virtual_clock()) {
        dyno_wall_clock_close(assembly->clock);
    }
    if (assembly->source || assembly->recorded) {
        struct dyno_source *source = assembly->source ? assembly->source : assembly->recorded;

        source->ops->close(source);
    }
    if (assembly->belady) {
        dyno_belady_close(assembly->belady);
    }
    dyno_answers_close(assembly->answers);
    dyno_live_close(&assembly->live);
    memset(assembly, 0, sizeof *assembly);
}
