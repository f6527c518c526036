#include "cli/assembly/live.h"

#include <inttypes.h>
#include <string.h>

#include "backends/assets/assets.h"
#include "backends/assets/default_model.h"
#include "backends/cpu/device.h"
#include "backends/cpu/kv_storage.h"
#include "backends/cuda/device.h"
#include "backends/host/allowance.h"
#include "backends/posix/wall_clock.h"
#include "cli/assembly/halves.h"
#include "cli/scenario/faulting.h"
#include "cli/scenario/planning.h"
#include "sim/answers.h"
#include "sim/machine.h"

enum { KV_BYTES_MAX = 1 << 30 };

/* Decode steps of one pass: enough that the loop's turn is a small part of it, few enough that a
 * pass that cannot be stopped between two steps is short. */
enum { STEPS_MAX = DYNO_MACHINE_PASS_STEPS };

/* Where there are more ranks than kv heads, each has one. */
uint64_t dyno_live_block_bytes(const struct dyno_worker_config *worker,
                               const struct dyno_model *model, uint32_t ranks)
{
    struct dyno_model of = *model;

    of.kv_heads = of.kv_heads > ranks ? of.kv_heads : ranks;
    return dyno_kv_storage_bytes(&of, 1, worker->block_tokens, DYNO_ELEMENT_F32);
}

/* Blocks that as many sequences as may run can fill, within the limit. */
static uint32_t derive_blocks(const struct dyno_worker_config *worker,
                              const struct dyno_model *model, uint32_t ranks)
{
    uint64_t context = worker->context_max;
    uint64_t wanted =
        worker->seqs_max * ((context + worker->block_tokens - 1) / worker->block_tokens);
    uint64_t one = dyno_live_block_bytes(worker, model, ranks);
    uint64_t most = one > 0 && one <= KV_BYTES_MAX ? KV_BYTES_MAX / one : 1;

    return (uint32_t)(wanted < most ? wanted : most);
}

uint32_t dyno_live_threads(const struct dyno_scenario *scenario)
{
    uint32_t each = dyno_allowed_team() / scenario->fleet.workers;

    if (scenario->fleet.threads > 0) {
        return scenario->fleet.threads;
    }
    return each > 1 ? each : 1;
}

/* Of those who decode, or serve whole. */
static struct dyno_cuda_config cuda_config(const struct dyno_live *live,
                                           const struct dyno_scenario *scenario,
                                           const struct dyno_worker_config *worker)
{
    return (struct dyno_cuda_config){
        .weights = live->weights,
        .ranks = scenario->fleet.tp,
        .threads = dyno_live_threads(scenario),
        .kv_fp8 = strcmp(scenario->model.kv, "fp8") == 0,
        .weights_narrow = strcmp(scenario->model.weights, "fp8") == 0,
        .blocks = worker->blocks,
        .block_tokens = worker->block_tokens,
        .batch_tokens_max = worker->batch_tokens_max,
        .context_max = worker->context_max,
        .others = scenario->disagg.policy ? dyno_halves_prefillers(scenario) : 0,
        .others_blocks = scenario->prefill.blocks,
        .shares_places = scenario->disagg.policy && dyno_planning_is_on(scenario),
        .threaded = {.worker_count = dyno_halves_decoders(scenario), .seqs_max = worker->seqs_max}};
}

/* KV that workers of this process are sure to take at the start must have room: it is touched, and
 * where there is none the system ends the program.  A planner's workers come one by one. */
static dyno_status check_kv(const struct dyno_worker_config *worker,
                            const struct dyno_scenario *scenario, const struct dyno_model *model,
                            struct dyno_error *error)
{
    uint32_t workers = dyno_planning_is_on(scenario) ? 1 : dyno_halves_decoders(scenario);
    double each =
        (double)worker->blocks * (double)dyno_live_block_bytes(worker, model, scenario->fleet.tp);
    double allowed = (double)dyno_allowed_memory_bytes();

    if (!dyno_live_is_real(scenario) || scenario->fleet.at || each * workers <= allowed) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_NO_MEMORY,
                     "%" PRIu32 " blocks of KV for each of %" PRIu32
                     " workers take %.1f GB where %.1f GB of memory may be used; ask for fewer "
                     "blocks (--num-gpu-blocks-override) or workers",
                     worker->blocks, workers, each * workers / 1e9, allowed / 1e9);
}

dyno_status dyno_live_configure(struct dyno_worker_config *worker, const struct dyno_live *live,
                                const struct dyno_scenario *scenario,
                                const struct dyno_model *model, struct dyno_error *error)
{
    struct dyno_cuda_config cuda;

    worker->context_max =
        scenario->batch.context_max > 0 ? scenario->batch.context_max : model->context_max;
    worker->async_scheduling = false;
    worker->ingest_ns = worker->response_ns = 0;
    worker->ingest_token_ticks = 0;
    worker->steps_max = worker->steps_max < STEPS_MAX ? worker->steps_max : STEPS_MAX;
    worker->blocks = scenario->kv.blocks;
    if (dyno_live_is_cuda(scenario)) {
        cuda = cuda_config(live, scenario, worker);
        return dyno_cuda_device_blocks(&worker->blocks, &cuda, error);
    }
    if (worker->blocks == 0) {
        worker->blocks = derive_blocks(worker, model, scenario->fleet.tp);
    }
    return check_kv(worker, scenario, model, error);
}

dyno_status dyno_live_model(struct dyno_model *out, const char *name, struct dyno_error *error)
{
    char path[DYNO_MODEL_PATH_MAX];
    struct dyno_weights *weights;

    DYNO_TRY(dyno_default_model_find(path, name, error));
    DYNO_TRY(dyno_weights_open(&weights, path, error));
    *out = weights->model;
    dyno_weights_close(weights);
    return DYNO_OK;
}

dyno_status dyno_live_open(struct dyno_live *live, const struct dyno_scenario *scenario,
                           struct dyno_error *error)
{
    char path[DYNO_MODEL_PATH_MAX];

    DYNO_TRY(dyno_default_model_find(path, scenario->model.name, error));
    DYNO_TRY(dyno_weights_open(&live->weights, path, error));
    return dyno_transcripts_open(&live->transcripts);
}

void dyno_live_close(struct dyno_live *live)
{
    dyno_transcripts_close(live->transcripts);
    if (live->weights) {
        dyno_weights_close(live->weights);
    }
    memset(live, 0, sizeof *live);
}

struct dyno_threaded_config
dyno_live_threaded(const struct dyno_live *live, const struct dyno_scenario *scenario,
                   const struct dyno_worker_config *worker, const struct dyno_live_workers *workers,
                   struct dyno_answers *answers, struct dyno_clock *clock)
{
    bool as_recorded = strcmp(scenario->run.ends, "recorded") == 0;

    return (struct dyno_threaded_config){.worker_count = workers->count,
                                         .ends_only = workers->are_pulled,
                                         .seqs_max = worker->seqs_max,
                                         .steps_max = worker->steps_max,
                                         .transcripts = live->transcripts,
                                         .answer = as_recorded ? dyno_answers_get : NULL,
                                         .answer_context = answers,
                                         .now = dyno_wall_clock_now,
                                         .wake = dyno_wall_clock_wake,
                                         .clock = clock,
                                         .survives = dyno_faulting_guards(scenario)};
}

dyno_status dyno_live_device(struct dyno_device **out, const struct dyno_live *live,
                             const struct dyno_scenario *scenario,
                             const struct dyno_worker_config *worker,
                             struct dyno_live_workers workers, struct dyno_answers *answers,
                             struct dyno_clock *clock, struct dyno_error *error)
{
    struct dyno_threaded_config threaded =
        dyno_live_threaded(live, scenario, worker, &workers, answers, clock);
    struct dyno_cuda_config cuda = cuda_config(live, scenario, worker);

    if (dyno_live_is_cuda(scenario)) {
        cuda.predicts = scenario->tiers.levels || scenario->tiers.peers;
        cuda.threaded = threaded;
        cuda.beside = workers.beside;
        cuda.start_ns = workers.start_ns;
        cuda.ready_first = workers.ready_first;
        cuda.ready_count = workers.ready_count;
        return dyno_cuda_device_open(out, &cuda, error);
    }
    return dyno_cpu_device_open(
        out,
        &(struct dyno_cpu_config){.weights = live->weights,
                                  .threads = dyno_live_threads(scenario),
                                  .ranks = scenario->fleet.tp,
                                  .blocks = worker->blocks,
                                  .block_tokens = worker->block_tokens,
                                  .batch_tokens_max = worker->batch_tokens_max,
                                  .ready_first = workers.ready_first,
                                  .ready_count = workers.ready_count,
                                  .tells_layers = workers.tell_layers,
                                  .predicts = scenario->tiers.levels || scenario->tiers.peers,
                                  .threaded = threaded},
        error);
}
