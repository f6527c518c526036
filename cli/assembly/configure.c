#include "cli/assembly/configure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/remote/remote.h"
#include "cli/scenario/calibration_file.h"
#include "cli/scenario/engine_defaults.h"
#include "cli/scenario/machine_file.h"
#include "cli/scenario/named.h"
#include "sim/uncertainty.h"

static dyno_status find_dtype(enum dyno_dtype *out, const char *name, const char *option,
                              struct dyno_error *error)
{
    for (int i = 0; i < DYNO_DTYPES; i++) {
        if (strcmp(dyno_dtype_name((enum dyno_dtype)i), name) == 0) {
            *out = (enum dyno_dtype)i;
            return DYNO_OK;
        }
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is not a type of numbers: bf16, fp8 or int4",
                     option, name);
}

/* A timing parameter that the scenario leaves alone is negative. */
static void override(double *parameter, double value)
{
    if (value >= 0.0) {
        *parameter = value;
    }
}

static void override_timing(struct dyno_timing_parameters *to, const struct dyno_scenario *scenario)
{
    override(&to->gemm_flops_efficiency, scenario->timing.gemm_flops_efficiency);
    override(&to->gemm_memory_efficiency, scenario->timing.gemm_memory_efficiency);
    override(&to->prefill_attention_efficiency, scenario->timing.prefill_attention_efficiency);
    override(&to->decode_attention_efficiency, scenario->timing.decode_attention_efficiency);
    override(&to->host_us, scenario->timing.host_us);
    override(&to->host_us_per_sequence, scenario->timing.host_us_per_sequence);
    override(&to->ingest_us, scenario->timing.ingest_us);
    override(&to->ingest_us_per_token, scenario->timing.ingest_us_per_token);
    override(&to->response_us, scenario->timing.response_us);
}

/* A machine is there, or was measured: its model is one that can be computed, and no GPU's figures
 * matter. */
static dyno_status configure_machine(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_timing_config *config = &assembly->timing_config;

    config->weights = config->kv = DYNO_BF16;
    if (dyno_live_is_cuda(scenario) && strcmp(scenario->model.kv, "fp8") == 0) {
        config->kv = DYNO_FP8;
    }
    config->tp = 1;
    if (dyno_live_is_real(scenario)) {
        DYNO_TRY(dyno_live_open(&assembly->live, scenario, error));
        config->model = assembly->live.weights->model;
        (void)snprintf(config->gpu.name, sizeof config->gpu.name, "%s", scenario->run.device);
    } else {
        DYNO_TRY(dyno_machine_read(&assembly->machine, scenario->timing.machine, error));
        DYNO_TRY(dyno_live_model(&config->model, scenario->model.name, error));
        (void)snprintf(config->gpu.name, sizeof config->gpu.name, "measured %s",
                       assembly->machine.device);
    }
    DYNO_TRY(
        dyno_live_configure(&assembly->worker, &assembly->live, scenario, &config->model, error));
    if (assembly->machine.kv_tokens > 0 && scenario->kv.blocks == 0) {
        assembly->worker.blocks = assembly->machine.kv_tokens / assembly->worker.block_tokens;
    }
    assembly->halves.timing_config = *config;
    assembly->halves.worker = assembly->worker;
    if (scenario->disagg.policy && scenario->prefill.blocks > 0) {
        assembly->halves.worker.blocks = scenario->prefill.blocks;
    }
    return DYNO_OK;
}

static dyno_status configure_timing(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    struct dyno_timing_config *config = &assembly->timing_config;
    const char *host;

    DYNO_TRY(dyno_named_model(&config->model, scenario->model.name, error));
    DYNO_TRY(dyno_named_gpu(&config->gpu, scenario->fleet.gpu, error));
    DYNO_TRY(find_dtype(&config->weights, scenario->model.weights, "model.weights", error));
    DYNO_TRY(find_dtype(&config->kv, scenario->model.kv, "model.kv", error));
    config->tp = scenario->fleet.tp;
    config->expert_parallel = scenario->fleet.expert_parallel;
    config->static_scales = strcmp(scenario->model.fp8_scales, "static") == 0;
    dyno_limits_fill(&assembly->worker, scenario, &config->gpu);
    config->seqs_max = assembly->worker.seqs_max;
    config->batch_tokens_max = assembly->worker.batch_tokens_max;
    dyno_timing_defaults(&config->parameters, &config->gpu);
    host = strcmp(scenario->timing.host, "engine") == 0 ? scenario->batch.engine
                                                        : scenario->timing.host;
    dyno_timing_use_host(&config->parameters, host);
    dyno_timing_use_graphs(config, host);
    if (scenario->timing.calibration) {
        DYNO_TRY(
            dyno_calibration_read(&assembly->calibration, scenario->timing.calibration, error));
        dyno_calibration_apply(&assembly->calibration, &config->parameters);
    } else {
        dyno_calibration_default(&assembly->calibration, &config->gpu);
    }
    if (assembly->parameters) {
        config->parameters = *assembly->parameters;
    }
    override_timing(&config->parameters, scenario);
    if (assembly->replica > 0) {
        struct dyno_rng rng;

        dyno_rng_init(&rng, scenario->run.seed + assembly->replica, "timing.draw");
        dyno_timing_draw(&config->parameters, &assembly->calibration, &rng);
    }
    return DYNO_OK;
}

/* ---- the worker's configuration -------------------------------------------------------------- */

static void configure_batch(struct dyno_worker_config *worker, const struct dyno_scenario *scenario)
{
    *worker = dyno_engine_find(scenario->batch.engine)->config;
    if (scenario->batch.batch_tokens_max > 0) {
        worker->batch_tokens_max = scenario->batch.batch_tokens_max;
    }
    if (scenario->batch.seqs_max > 0) {
        worker->seqs_max = scenario->batch.seqs_max;
    }
    if (scenario->kv.block_tokens > 0) {
        worker->block_tokens = scenario->kv.block_tokens;
    }
    if (scenario->batch.watermark >= 0.0) {
        worker->watermark = scenario->batch.watermark;
    }
    if (scenario->batch.new_token_ratio >= 0.0) {
        worker->new_token_ratio = scenario->batch.new_token_ratio;
    }
    if (strcmp(scenario->batch.chunked_prefill, "profile") != 0) {
        worker->chunked_prefill = strcmp(scenario->batch.chunked_prefill, "true") == 0;
    }
    if (strcmp(scenario->kv.hit_when, "profile") != 0) {
        worker->hit_when_scheduled = strcmp(scenario->kv.hit_when, "scheduled") == 0;
    }
    worker->prefix_cache = worker->prefix_cache && scenario->kv.prefix_cache;
    for (int i = DYNO_ADMIT_CHUNK; i <= DYNO_ADMIT_NO_EVICT; i++) {
        enum dyno_batch_admission admission = (enum dyno_batch_admission)i;

        if (strcmp(scenario->batch.admission, dyno_admission_word(admission)) == 0) {
            worker->admission = admission;
        }
    }
    if (strcmp(scenario->batch.queue_order, "profile") != 0) {
        worker->queue_order =
            strcmp(scenario->batch.queue_order, "lpm") == 0 ? DYNO_QUEUE_LPM : DYNO_QUEUE_FCFS;
    }
    if (strcmp(scenario->batch.reserve_prompt, "profile") != 0) {
        worker->reserve_prompt = strcmp(scenario->batch.reserve_prompt, "true") == 0;
    }
    if (strcmp(scenario->batch.async_scheduling, "profile") != 0) {
        worker->async_scheduling = strcmp(scenario->batch.async_scheduling, "true") == 0;
    }
    worker->prefill_interval = scenario->batch.prefill_interval;
    worker->mixed_chunk = scenario->batch.mixed_chunk;
    worker->lookahead = scenario->batch.lookahead;
    worker->steps_max = scenario->batch.steps_max;
    worker->queue_max = scenario->batch.queue_max;
}

/* As many as fit beside the weights, as the engine divides memory. */
static dyno_status derive_blocks(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const char *engine = assembly->scenario->batch.engine;
    double share = assembly->scenario->kv.memory_utilization;

    if (share < 0) {
        share = dyno_timing_memory_share(&assembly->timing_config, engine);
    }
    return dyno_timing_kv_blocks(&assembly->timing_config, engine, share,
                                 assembly->worker.block_tokens, &assembly->worker.blocks, error);
}

static dyno_status configure_worker(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    const struct dyno_timing_parameters *host = &assembly->timing_config.parameters;
    struct dyno_worker_config *worker = &assembly->worker;

    worker->context_max = scenario->batch.context_max > 0
                              ? scenario->batch.context_max
                              : assembly->timing_config.model.context_max;
    if (strcmp(scenario->run.device, "null") != 0) { /* the null device computes nothing */
        worker->ingest_ns = (dyno_ns)(host->ingest_us * 1e3);
        worker->ingest_token_ticks =
            (uint64_t)(host->ingest_us_per_token * 1e3 * (double)DYNO_TICKS_PER_NS);
        worker->response_ns = (dyno_ns)(host->response_us * 1e3);
    }
    worker->blocks = scenario->kv.blocks;
    return worker->blocks == 0 ? derive_blocks(assembly, error) : DYNO_OK;
}

/* Of other servers only the context is known: the least that any of them says; 0: none does. */
static void configure_remote(struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t least = scenario->batch.context_max;

    for (uint32_t i = 0; scenario->batch.context_max == 0 && i < scenario->fleet.workers; i++) {
        uint32_t context = dyno_remote_look(assembly->remote, i).context_tokens;

        least = context > 0 && (least == 0 || context < least) ? context : least;
    }
    assembly->worker.context_max = least;
    assembly->worker.blocks = 0;
}

/* As a recorded run's workers were. */
static void configure_fed(struct dyno_assembly *assembly)
{
    const struct dyno_worker_config *fed = &assembly->fed->worker;
    struct dyno_worker_config *worker = &assembly->worker;

    worker->blocks = fed->blocks;
    worker->context_max = fed->context_max;
    worker->steps_max = fed->steps_max;
    worker->async_scheduling = fed->async_scheduling;
    worker->ingest_ns = fed->ingest_ns;
    worker->ingest_token_ticks = fed->ingest_token_ticks;
    worker->response_ns = fed->response_ns;
    assembly->halves.worker = *worker;
    if (assembly->scenario->prefill.blocks > 0) {
        assembly->halves.worker.blocks = assembly->scenario->prefill.blocks;
    }
}

/* Workers that compute prompts, as if they were the fleet. */
static dyno_status configure_prefill(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_scenario scenario;
    struct dyno_assembly *other;
    dyno_status status;

    assembly->halves.timing_config = assembly->timing_config;
    assembly->halves.calibration = assembly->calibration;
    assembly->halves.worker = assembly->worker;
    if (!dyno_halves_differ(assembly->scenario, &scenario)) {
        return DYNO_OK;
    }
    other = calloc(1, sizeof *other);
    if (!other) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory while putting the fleet together");
    }
    other->scenario = &scenario;
    other->replica = assembly->replica;
    other->parameters =
        scenario.fleet.gpu == assembly->scenario->fleet.gpu ? assembly->parameters : NULL;
    configure_batch(&other->worker, &scenario);
    status = configure_timing(other, error);
    if (status == DYNO_OK) {
        status = configure_worker(other, error);
    }
    assembly->halves.timing_config = other->timing_config;
    assembly->halves.calibration = other->calibration;
    assembly->halves.worker = other->worker;
    free(other);
    return status;
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_assembly_configure(struct dyno_assembly *assembly, struct dyno_error *error)
{
    configure_batch(&assembly->worker, assembly->scenario);
    if (assembly->fed) {
        configure_fed(assembly);
        return DYNO_OK;
    }
    if (assembly->remote) {
        configure_remote(assembly);
        return DYNO_OK;
    }
    if (dyno_live_is_machine(assembly->scenario)) {
        return configure_machine(assembly, error);
    }
    DYNO_TRY(configure_timing(assembly, error));
    DYNO_TRY(configure_worker(assembly, error));
    return assembly->scenario->disagg.policy ? configure_prefill(assembly, error) : DYNO_OK;
}
