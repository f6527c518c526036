#include "cli/assembly/devices.h"

#include <string.h>

#include "backends/engine/filler.h"
#include "backends/null/null.h"
#include "backends/posix/wall_clock.h"
#include "cli/assembly/live_far.h"
#include "sim/answers.h"
#include "sim/gpu.h"

/* Of the null device.  In a simulation a step takes far less than any real one; before clients it
 * takes none, so that naps of the clock are not taken for what the server costs. */
enum { NULL_STEP_NS = 10000, NULL_STEP_SERVED_NS = 1 };

/* Who asks from outside wants to hear tokens, also of a device that computes none. */
static dyno_status put_filler_before(struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_halves *halves = &assembly->halves;

    if (!assembly->open_outside || assembly->remote || assembly->device->ops->is_real) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_filler_open(&assembly->device, assembly->device, scenario->fleet.workers,
                              assembly->worker.seqs_max, assembly->live.transcripts, false));
    if (!halves->device) {
        return DYNO_OK;
    }
    return dyno_filler_open(&halves->device, halves->device, scenario->fleet.workers,
                            halves->worker.seqs_max, assembly->live.transcripts,
                            strcmp(scenario->disagg.style, "pull") == 0);
}

/* Who is there at first took as long as whoever starts later will, or about. */
static void note_start(struct dyno_assembly *assembly, dyno_ns began,
                       const struct dyno_live_workers *workers)
{
    uint32_t opened = workers->ready_count > 0 ? workers->ready_count : workers->count;

    assembly->starting.takes_ns = (dyno_wall_clock_now(assembly->clock) - began) / opened;
}

static dyno_status open_real(struct dyno_assembly *assembly, struct dyno_device **out,
                             struct dyno_live_workers workers, struct dyno_error *error)
{
    const struct dyno_worker_config *worker =
        out == &assembly->device ? &assembly->worker : &assembly->halves.worker;
    dyno_ns began = dyno_wall_clock_now(assembly->clock), start_ns = 0;

    workers.start_ns = &start_ns;
    DYNO_TRY(dyno_live_device(out, &assembly->live, assembly->scenario, worker, workers,
                              assembly->answers, assembly->clock, error));
    note_start(assembly, began, &workers);
    if (start_ns > 0) { /* the rest is not done again */
        assembly->starting.takes_ns = start_ns;
    }
    return DYNO_OK;
}

/* `workers`: a device that computes has these; one that pretends costs nothing more for having all
 * of the fleet's. */
static dyno_status open_device(struct dyno_assembly *assembly, struct dyno_device **out,
                               struct dyno_live_workers workers, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    if (assembly->remote) {
        return DYNO_OK;
    }
    if (strcmp(scenario->run.device, "null") == 0) {
        return dyno_null_open(out, scenario->fleet.workers,
                              assembly->open_outside ? NULL_STEP_SERVED_NS : NULL_STEP_NS,
                              dyno_answers_get, assembly->answers);
    }
    if (dyno_live_is_real(scenario)) {
        return open_real(assembly, out, workers, error);
    }
    if (scenario->timing.machine) {
        return dyno_machine_open(out, scenario->fleet.workers, &assembly->machine,
                                 assembly->answers);
    }
    if (!assembly->timing) {
        DYNO_TRY(dyno_timing_open(&assembly->timing, &assembly->timing_config, error));
    }
    return dyno_sim_gpu_open(out, scenario->fleet.workers, assembly->timing, assembly->answers);
}

/* Those who are there from the start, of a role; of the other one so many come before them. */
static struct dyno_live_workers workers_of(const struct dyno_assembly *assembly, bool prefill)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_live_workers workers = {.count = dyno_halves_decoders(scenario)};
    bool planned = dyno_planning_is_on(scenario) && dyno_assembly_starts(assembly);

    if (prefill) {
        workers.count = dyno_halves_prefillers(scenario);
        workers.ready_first = planned ? scenario->disagg.decode : 0;
        workers.ready_count = planned ? scenario->disagg.prefill : 0;
        workers.beside = assembly->computing;
        workers.are_pulled = strcmp(scenario->disagg.style, "pull") == 0;
        workers.tell_layers = strcmp(scenario->disagg.transfer, "layers") == 0;
    } else if (planned) {
        workers.ready_count = dyno_planning_ready_first(scenario);
    }
    return workers;
}

/* In other processes, or simulated as if they were. */
static dyno_status open_far(struct dyno_assembly *assembly, struct dyno_device **out,
                            struct dyno_ucx_peers **peers, const struct dyno_worker_config *worker,
                            const struct dyno_live_far *far, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    dyno_ns began;

    if (!dyno_live_is_real(scenario)) {
        return dyno_live_far_machine(out, &assembly->far_machine, &assembly->machine,
                                     scenario->fleet.workers, assembly->answers);
    }
    began = dyno_wall_clock_now(assembly->clock);
    DYNO_TRY(dyno_live_far_device(out, peers, far, &assembly->live, scenario, worker,
                                  assembly->answers, assembly->clock, error));
    note_start(assembly, began, &far->workers);
    return DYNO_OK;
}

/* Those that decode, or serve whole requests. */
static dyno_status open_fleet_device(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    if (scenario->fleet.at) {
        return open_far(assembly, &assembly->device, &assembly->peers, &assembly->worker,
                        &(struct dyno_live_far){.addresses = scenario->fleet.at,
                                                .transport = scenario->fleet.transport,
                                                .workers = workers_of(assembly, false)},
                        error);
    }
    return open_device(assembly, &assembly->device, workers_of(assembly, false), error);
}

static dyno_status open_prefill_device(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_halves *halves = &assembly->halves;
    struct dyno_scenario other;

    if (assembly->scenario->prefill.at) {
        return open_far(assembly, &halves->device, &halves->peers, &halves->worker,
                        &(struct dyno_live_far){.addresses = assembly->scenario->prefill.at,
                                                .transport = assembly->scenario->prefill.transport,
                                                .workers = workers_of(assembly, true)},
                        error);
    }
    if (!assembly->timing || !dyno_halves_differ(assembly->scenario, &other)) {
        return open_device(assembly, &halves->device, workers_of(assembly, true), error);
    }
    DYNO_TRY(dyno_timing_open(&halves->timing, &halves->timing_config, error));
    return dyno_sim_gpu_open(&halves->device, assembly->scenario->fleet.workers, halves->timing,
                             assembly->answers);
}

bool dyno_assembly_starts(const struct dyno_assembly *assembly)
{
    return dyno_live_starts(assembly->scenario) && !assembly->fed;
}

dyno_status dyno_assembly_open_devices(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    DYNO_TRY(open_fleet_device(assembly, error));
    assembly->computing = assembly->device;
    if (scenario->disagg.policy) {
        DYNO_TRY(open_prefill_device(assembly, error));
    }
    assembly->computing_behind = assembly->halves.device;
    dyno_starting_init(&assembly->starting, assembly->computing, assembly->halves.device,
                       dyno_halves_decoders(scenario));
    return put_filler_before(assembly);
}
