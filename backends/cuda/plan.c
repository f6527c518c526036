#include "backends/cuda/plan.h"

#include <stdio.h>

#include "core/base/status.h"

enum { OTHERS_TEXT_MAX = 64, GROUP_TEXT_MAX = 64 };

enum { RESERVE_BYTES = 1 << 30 };

static double gib(uint64_t bytes)
{
    return (double)bytes / (1U << 30);
}

/* What of the GPU others have whose blocks are given, in words. */
static void say_others(char text[OTHERS_TEXT_MAX], const struct dyno_cuda_plan *plan,
                       const struct dyno_cuda_load *load)
{
    text[0] = '\0';
    if (plan->others > 0) {
        (void)snprintf(text, OTHERS_TEXT_MAX, "%.2f for %u other%s, ", gib(plan->others),
                       load->others, load->others == 1 ? "" : "s");
    }
}

/* What NCCL has, in words. */
static void say_group(char text[GROUP_TEXT_MAX], const struct dyno_cuda_plan *plan)
{
    text[0] = '\0';
    if (plan->group > 0) {
        (void)snprintf(text, GROUP_TEXT_MAX, "%.2f that NCCL took when it was tried, ",
                       gib(plan->group));
    }
}

static dyno_status refuse(const struct dyno_cuda_plan *plan, const struct dyno_cuda_load *load,
                          uint32_t workers, uint32_t blocks, uint64_t free_bytes,
                          struct dyno_error *error)
{
    char others[OTHERS_TEXT_MAX], group[GROUP_TEXT_MAX];

    say_others(others, plan, load);
    say_group(group, plan);
    return dyno_fail(error, DYNO_NO_MEMORY,
                     "the GPU has %.2f GiB free, and %.2f GiB are needed: weights %.2f, and for "
                     "%u worker%s each %.2f for passes and %.2f for %u KV block%s, %s%s%.2f left "
                     "to CUDA; a smaller model, fewer tokens or sequences in a pass, or fewer KV "
                     "blocks need less",
                     gib(free_bytes), gib(plan->total), gib(plan->weights), workers,
                     workers == 1 ? "" : "s", gib(plan->passes), gib(blocks * plan->block), blocks,
                     blocks == 1 ? "" : "s", others, group, gib(plan->reserve));
}

/* Blocks that as many sequences as may run can fill. */
static uint64_t blocks_wanted(const struct dyno_cuda_forward_config *config, uint32_t positions)
{
    uint64_t each = ((uint64_t)positions + config->block_tokens - 1) / config->block_tokens;
    uint64_t all = each * config->sequences_max, most = UINT32_MAX / config->block_tokens;

    return all < most ? all : most;
}

dyno_status dyno_cuda_plan_make(struct dyno_cuda_plan *out, const struct dyno_weights *weights,
                                enum dyno_element element, uint32_t positions,
                                const struct dyno_cuda_forward_config *config,
                                const struct dyno_cuda_load *load, uint64_t free_bytes,
                                struct dyno_error *error)
{
    struct dyno_cuda_plan plan = {
        .weights = dyno_cuda_model_bytes(&(struct dyno_cuda_model_config){.weights = weights,
                                                                          .shard = config->shard,
                                                                          .element = element,
                                                                          .narrow = config->narrow,
                                                                          .positions = positions}),
        .passes = dyno_cuda_forward_bytes(weights, positions, config),
        .block = dyno_cuda_block_bytes(&weights->model, config),
        .reserve = RESERVE_BYTES,
        .group = load->group_bytes,
    };
    uint32_t workers = load->workers + (load->others_blocks == 0 ? load->others : 0);
    uint64_t fixed, blocks = config->blocks > 0 ? config->blocks : 1;

    plan.others = load->others_blocks == 0
                      ? 0
                      : load->others * (plan.passes + load->others_blocks * plan.block);
    fixed = plan.weights + workers * plan.passes + plan.others + plan.group + plan.reserve;
    plan.total = fixed + workers * blocks * plan.block;
    if (plan.total > free_bytes) {
        return refuse(&plan, load, workers, (uint32_t)blocks, free_bytes, error);
    }
    if (config->blocks == 0) {
        uint64_t fit = workers > 0 ? (free_bytes - fixed) / workers / plan.block : UINT64_MAX;
        uint64_t wanted = blocks_wanted(config, positions);

        blocks = fit < wanted ? fit : wanted;
        plan.total = fixed + workers * blocks * plan.block;
    }
    plan.blocks = (uint32_t)blocks;
    *out = plan;
    return DYNO_OK;
}
