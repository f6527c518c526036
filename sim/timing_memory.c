/* What fits on a GPU: the accounting that vLLM does when it starts.
 *
 *   KV bytes = utilization x memory - weights - activation peak - overhead
 *
 * The activation peak is that of a pass of batch_tokens_max tokens followed by sampling for
 * seqs_max sequences: tokens x (4 vectors of hidden: input, residual, normed, output
 *             + gate, up and their product, of this GPU's columns; or the same for each chosen
 * expert with its output) x 2 bytes
 *   + seqs x vocabulary x 10 bytes (logits in bf16, in fp32, the sampler's copy).
 * The overhead is a constant, found from one recorded start of vLLM 0.19: Llama-3.1-8B on an RTX
 * 4090 got 2,588 blocks of 16 tokens; tests/sim/test_timing_memory.c repeats that sum. */
#include "sim/timing.h"

#include <stdio.h>

#define GIB ((double)(1 << 30))

static double activation_bytes_per_token(const struct dyno_timing_config *config)
{
    enum { BF16_BYTES = 2 };
    const struct dyno_model *model = &config->model;
    double columns = model->gated_mlp ? 3 : 2;
    double tp = config->tp;
    double dense = columns * model->intermediate / tp;
    double experts = (double)model->experts_per_token *
                         (columns * model->expert_intermediate / tp + model->hidden) +
                     columns * model->shared_intermediate / tp;

    if (config->parameters.activation_bytes_per_token > 0) {
        return config->parameters.activation_bytes_per_token;
    }
    return BF16_BYTES * (4.0 * model->hidden + (dense > experts ? dense : experts));
}

uint64_t dyno_timing_activation_bytes(const struct dyno_timing_config *config)
{
    return (uint64_t)(activation_bytes_per_token(config) * config->batch_tokens_max +
                      config->parameters.logits_bytes_per_entry * config->seqs_max *
                          config->model.vocab);
}

/* What the GPU's memory is spent on, in bytes. */
struct budget {
    double usable, weights, activations, overhead, block;
};

static struct budget budget_of(const struct dyno_timing_config *config, double utilization,
                               uint32_t block_tokens)
{
    struct budget budget = {
        .usable = utilization * (double)config->gpu.memory_bytes,
        .weights =
            (double)dyno_model_weight_bytes_per_gpu(&config->model, config->weights, config->tp),
        .activations = (double)dyno_timing_activation_bytes(config),
        .overhead = config->parameters.memory_overhead_bytes +
                    (config->tp > 1 ? config->parameters.memory_collective_bytes : 0),
        .block = (double)block_tokens * (double)dyno_model_kv_bytes_per_token_per_gpu(
                                            &config->model, config->kv, config->tp),
    };

    return budget;
}

static double blocks_of(const struct budget *budget)
{
    double left = budget->usable - budget->weights - budget->activations - budget->overhead;

    return left < 0 ? 0 : (double)(uint64_t)(left / budget->block);
}

/* The smallest power of two of GPUs that `config` would fit on, or 0. */
static uint32_t tp_that_fits(const struct dyno_timing_config *config, double utilization,
                             uint32_t block_tokens)
{
    struct dyno_timing_config wider = *config;
    enum { TP_MAX = 64 };

    for (wider.tp = 1; wider.tp <= TP_MAX; wider.tp *= 2) {
        struct budget budget = budget_of(&wider, utilization, block_tokens);

        if (wider.tp > config->tp && config->model.heads % wider.tp == 0 &&
            blocks_of(&budget) > 0) {
            return wider.tp;
        }
    }
    return 0;
}

/* The first narrower type of weights with which `config` would fit, or its own. */
static enum dyno_dtype dtype_that_fits(const struct dyno_timing_config *config, double utilization,
                                       uint32_t block_tokens)
{
    struct dyno_timing_config narrower = *config;

    while (++narrower.weights < DYNO_DTYPES) {
        struct budget budget = budget_of(&narrower, utilization, block_tokens);

        if (blocks_of(&budget) > 0) {
            return narrower.weights;
        }
    }
    return config->weights;
}

static dyno_status refuse(const struct dyno_timing_config *config, double utilization,
                          uint32_t block_tokens, struct dyno_error *error)
{
    struct budget budget = budget_of(config, utilization, block_tokens);
    uint32_t tp = tp_that_fits(config, utilization, block_tokens);
    enum dyno_dtype dtype = dtype_that_fits(config, utilization, block_tokens);
    char help[160] = "; no number of these GPUs up to 64 and no narrower weights would do";
    char more[64] = "";

    if (tp) {
        (void)snprintf(more, sizeof more, "tp %u", tp);
    }
    if (tp || dtype != config->weights) {
        (void)snprintf(help, sizeof help, "; it would fit with %s%s%s%s", more,
                       tp && dtype != config->weights ? ", or with " : "",
                       dtype != config->weights ? dyno_dtype_name(dtype) : "",
                       dtype != config->weights ? " weights" : "");
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s (%s, tp %u) does not fit on %s: weights %.2f GiB + activations %.2f GiB + "
                     "overhead %.2f GiB + one KV block %.3f GiB > %.2f GiB (%.2f of %.2f GiB)%s",
                     config->model.name, dyno_dtype_name(config->weights), config->tp,
                     config->gpu.name, budget.weights / GIB, budget.activations / GIB,
                     budget.overhead / GIB, budget.block / GIB, budget.usable / GIB, utilization,
                     (double)config->gpu.memory_bytes / GIB, help);
}

dyno_status dyno_timing_kv_blocks(const struct dyno_timing_config *config, double utilization,
                                  uint32_t block_tokens, uint32_t *blocks, struct dyno_error *error)
{
    struct budget budget;
    double count;

    if (!(utilization > 0 && utilization <= 1) || block_tokens == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "memory utilization must be above 0 and at most 1, and a block at least "
                         "one token");
    }
    DYNO_TRY(dyno_timing_check(config, error));
    budget = budget_of(config, utilization, block_tokens);
    count = blocks_of(&budget);
    if (count < 1) {
        return refuse(config, utilization, block_tokens, error);
    }
    *blocks = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    return DYNO_OK;
}
