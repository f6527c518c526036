/* What fits on a GPU: the accounting that each engine does when it starts.
 *
 *   vllm    KV bytes = share x memory - weights - activation peak - overhead
 *   sglang  KV bytes = share x (memory - overhead) - weights
 *   trtllm  KV bytes = share x (memory - weights - activation peak - overhead)
 *
 * vLLM runs a pass of batch_tokens_max tokens and then samples for seqs_max sequences, and takes
 * the peak of both, whichever is the larger:
 *   the pass: tokens x 2 bytes x (4 vectors of hidden: input, residual, normed, output
 *             + gate, up and their product, of this GPU's columns);
 *   sampling: the pass's output, tokens x hidden x 2 bytes, and logits_bytes_per_entry for every
 *             sequence and word of the vocabulary, on each GPU the whole of it.
 * Experts' grouped products have two buffers that stay and so count at either moment: for each
 * token's chosen experts the larger of gate and up together and the output, and the larger of their
 * product and the output (not where the experts alone are quantised, as gpt-oss's: its kernels have
 * none, but hold the experts' matrices padded to multiples of 256 columns).  Its overhead is the
 * process's, with a table of rotary angles for the longest context: tests/sim/test_timing_memory.c
 * has sums by hand, docs/published/kv_blocks.csv what servers logged.
 *
 * TensorRT-LLM measures with prompts as long as a pass, of which one or a few are sampled: the
 * vectors above with, for each chosen expert, its gate, up, product and output.  SGLang measures
 * nothing: what its share leaves is for activations and graphs.
 *
 * SGLang's overhead is what it finds taken before it loads weights: 0.4 to 0.8 GiB in its logs on
 * one GPU, as on four over PCIe, and 1.4 to 2.5 on several with NVLink, where its buffers of
 * communication are there by then.  TensorRT-LLM's, with its graphs and the workspaces of sampling
 * and attention, is 960 MiB larger, found from one recorded start of 1.2: Qwen3-0.6B on an H100 got
 * 643,136 tokens.
 *
 * SGLang's logs have weights take 0.06 to 0.28 GiB more, once they are loaded, than their
 * parameters need: 150 MiB are taken.
 *
 * Sources: vllm/v1/worker/gpu_worker.py (0.19); _handle_gpu_memory_settings in SGLang's
 * srt/server_args.py (from 0.5.4) and profile_max_num_token in its model_runner.py;
 * configure_kv_cache_capacity and _cal_max_memory in TensorRT-LLM's _torch/pyexecutor/_util.py (1.0
 * to 1.2).  docs/engines.md says what was recorded. */
#include "sim/timing.h"

#include <stdio.h>
#include <string.h>

#define MIB ((double)(1 << 20))
#define GIB ((double)(1 << 30))

enum { BF16_BYTES = 2 };

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double pass_bytes(const struct dyno_timing_config *config)
{
    const struct dyno_model *model = &config->model;
    double columns = model->gated_mlp ? 3 : 2;
    double width = larger(model->intermediate, model->shared_intermediate);
    double token = BF16_BYTES * (4.0 * model->hidden + columns * width / config->tp);

    if (config->parameters.activation_bytes_per_token > 0) {
        token = config->parameters.activation_bytes_per_token;
    }
    return token * config->batch_tokens_max;
}

static double sampling_bytes(const struct dyno_timing_config *config)
{
    double sequences =
        config->seqs_max < config->batch_tokens_max ? config->seqs_max : config->batch_tokens_max;

    return (double)BF16_BYTES * config->batch_tokens_max * config->model.hidden +
           config->parameters.logits_bytes_per_entry * sequences * config->model.vocab;
}

static double experts_bytes(const struct dyno_timing_config *config)
{
    const struct dyno_model *model = &config->model;
    double columns = model->gated_mlp ? 2 : 1;
    double width = (double)model->expert_intermediate / (config->expert_parallel ? 1 : config->tp);

    if (model->quantized_experts) {
        return 0;
    }
    return (double)BF16_BYTES * config->batch_tokens_max * model->experts_per_token *
           (larger(columns * width, model->hidden) + larger(width, model->hidden));
}

/* TensorRT-LLM's pass: a chosen expert's columns and output are alive at once. */
static double trtllm_pass_bytes(const struct dyno_timing_config *config)
{
    const struct dyno_model *model = &config->model;
    double columns = model->gated_mlp ? 3 : 2;
    double dense = columns * model->intermediate / config->tp;
    double experts = (double)model->experts_per_token *
                         (columns * model->expert_intermediate / config->tp + model->hidden) +
                     columns * model->shared_intermediate / config->tp;
    double token = BF16_BYTES * (4.0 * model->hidden + larger(dense, experts));

    if (config->parameters.activation_bytes_per_token > 0) {
        token = config->parameters.activation_bytes_per_token;
    }
    return token * config->batch_tokens_max;
}

/* Cosines and sines of every position, which layers share. */
static double rotary_bytes(const struct dyno_model *model)
{
    double dims = model->attention == DYNO_ATTENTION_MLA ? model->mla_rope_dim : model->head_dim;

    return BF16_BYTES * (double)model->context_max * dims;
}

/* Columns that kernels for 4-bit experts add to each. */
static double padding_bytes(const struct dyno_timing_config *config)
{
    enum { COLUMNS = 256 };
    const struct dyno_model *model = &config->model;
    uint32_t over = config->expert_parallel ? 1 : config->tp;
    double width = (double)model->expert_intermediate / over;
    uint64_t tiles = (uint64_t)(width + COLUMNS - 1) / COLUMNS;
    struct dyno_model_parts parts;

    if (!model->quantized_experts || config->weights != DYNO_INT4) {
        return 0;
    }
    dyno_model_parts(model, config->tp, &parts);
    return ((double)(tiles * COLUMNS) / width - 1) * dyno_dtype_bytes(config->weights) *
           (double)((model->layers - model->dense_layers) * parts.experts);
}

uint64_t dyno_timing_activation_bytes(const struct dyno_timing_config *config)
{
    return (uint64_t)(larger(pass_bytes(config), sampling_bytes(config)) + experts_bytes(config));
}

/* ---- engines --------------------------------------------------------------------------------- */

/* What the GPU's memory is spent on, in bytes, and the engine's share of it. */
struct budget {
    double memory, share, weights, activations, overhead, block;
};

enum { SUM_TEXT_MAX = 256 };

/* How an engine divides it. */
struct rule {
    const char *engine;
    double overhead_more;  /* bytes */
    double weights_more;   /* bytes that loading leaves taken */
    bool collective_later; /* over PCIe, buffers of communication come after blocks are counted */
    bool as_vllm;          /* the peak is sampling's, too; rotary angles and padded experts count */
    double (*share)(const struct dyno_timing_config *config); /* where nobody says */
    double (*kv_bytes)(const struct budget *budget);          /* negative: too little */
    /* Why not one block fits. */
    void (*explain)(char text[SUM_TEXT_MAX], const struct budget *budget);
};

static double nine_tenths(const struct dyno_timing_config *config)
{
    (void)config;
    return 0.9;
}

static double vllm_kv_bytes(const struct budget *budget)
{
    double usable = budget->share * budget->memory;

    return usable - budget->weights - budget->activations - budget->overhead;
}

static void vllm_explain(char text[SUM_TEXT_MAX], const struct budget *budget)
{
    (void)snprintf(text, SUM_TEXT_MAX,
                   "weights %.2f GiB + activations %.2f GiB + overhead %.2f GiB + one KV block "
                   "%.3f GiB > %.2f GiB (%.2f of %.2f GiB)",
                   budget->weights / GIB, budget->activations / GIB, budget->overhead / GIB,
                   budget->block / GIB, budget->share * budget->memory / GIB, budget->share,
                   budget->memory / GIB);
}

/* What is left of memory, as the driver counts it, when 0.5 GiB for the backends' data, 1.5 MiB for
 * every token of a chunk, 2 MiB for every sequence of the largest graph and 1 GiB for eight GPUs
 * are set aside, but at least 10 GiB of more than 60; to three digits. */
static double sglang_share(const struct dyno_timing_config *config)
{
    static const double least = 0.01;    /* of GPUs that SGLang would find too small */
    static const double of_driver = 512; /* MiB that nvidia-smi counts, and CUDA does not: 300 to
                                            770, by the GPU */
    double memory = (double)config->gpu.memory_bytes / MIB + of_driver;
    double tokens = config->batch_tokens_max > 2048 ? config->batch_tokens_max : 2048;
    double aside =
        512 + 1.5 * tokens + 2.0 * dyno_timing_sglang_graph(config) + 1024 * (double)config->tp / 8;

    if (memory > 60 * 1024 && aside < 10 * 1024) {
        aside = 10 * 1024;
    }
    if (aside > (1 - least) * memory) {
        return least;
    }
    return (double)(uint64_t)((1 - aside / memory) * 1000 + 0.5) / 1000;
}

static double sglang_kv_bytes(const struct budget *budget)
{
    return budget->share * (budget->memory - budget->overhead) - budget->weights;
}

static void sglang_explain(char text[SUM_TEXT_MAX], const struct budget *budget)
{
    double before = budget->memory - budget->overhead;

    (void)snprintf(
        text, SUM_TEXT_MAX,
        "loaded weights %.2f GiB + one KV block %.1f KiB > %.2f GiB (mem_fraction_static %.3f "
        "of the %.2f GiB that an overhead of %.2f GiB leaves of %.2f GiB)",
        budget->weights / GIB, budget->block / 1024, budget->share * before / GIB, budget->share,
        before / GIB, budget->overhead / GIB, budget->memory / GIB);
}

static double trtllm_kv_bytes(const struct budget *budget)
{
    return budget->share *
           (budget->memory - budget->weights - budget->activations - budget->overhead);
}

static void trtllm_explain(char text[SUM_TEXT_MAX], const struct budget *budget)
{
    (void)snprintf(text, SUM_TEXT_MAX,
                   "weights %.2f GiB + activations %.2f GiB + overhead %.2f GiB + one KV block "
                   "%.3f GiB / %.2f (free_gpu_memory_fraction) > %.2f GiB",
                   budget->weights / GIB, budget->activations / GIB, budget->overhead / GIB,
                   budget->block / GIB, budget->share, budget->memory / GIB);
}

static const struct rule rules[] = {
    {.engine = "vllm",
     .as_vllm = true,
     .share = nine_tenths,
     .kv_bytes = vllm_kv_bytes,
     .explain = vllm_explain},
    {.engine = "sglang",
     .weights_more = 150 * MIB,
     .collective_later = true,
     .share = sglang_share,
     .kv_bytes = sglang_kv_bytes,
     .explain = sglang_explain},
    {.engine = "trtllm",
     .overhead_more = 960 * MIB,
     .share = nine_tenths,
     .kv_bytes = trtllm_kv_bytes,
     .explain = trtllm_explain},
};

static const struct rule *rule_of(const char *engine)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].engine, engine) == 0) {
            return &rules[i];
        }
    }
    return &rules[0];
}

double dyno_timing_memory_share(const struct dyno_timing_config *config, const char *engine)
{
    return rule_of(engine)->share(config);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* What is asked. */
struct question {
    const struct rule *rule;
    double share;
    bool follows; /* the share is what the engine takes where nobody says */
    uint32_t block_tokens;
};

static double weight_bytes(const struct dyno_timing_config *config, const struct rule *rule)
{
    return (double)dyno_model_weight_bytes_per_gpu(&config->model, config->weights, config->tp) +
           rule->weights_more + (rule->as_vllm ? padding_bytes(config) : 0);
}

static double overhead_of(const struct dyno_timing_config *config, const struct rule *rule)
{
    bool over_pcie = config->gpu.link_bytes_per_s <= config->gpu.pcie_bytes_per_s;
    bool buffers = config->tp > 1 && !(over_pcie && rule->collective_later);

    return config->parameters.memory_overhead_bytes + rule->overhead_more +
           (rule->as_vllm ? config->parameters.memory_kernels_bytes + rotary_bytes(&config->model)
                          : 0) +
           (buffers ? config->parameters.memory_collective_bytes : 0);
}

static struct budget budget_of(const struct dyno_timing_config *config,
                               const struct question *question)
{
    const struct rule *rule = question->rule;
    struct budget budget = {
        .memory = (double)config->gpu.memory_bytes,
        .share = question->follows ? rule->share(config) : question->share,
        .weights = weight_bytes(config, rule),
        .activations = rule->as_vllm ? (double)dyno_timing_activation_bytes(config)
                                     : trtllm_pass_bytes(config),
        .overhead = overhead_of(config, rule),
        .block = (double)question->block_tokens * (double)dyno_model_kv_bytes_per_token_per_gpu(
                                                      &config->model, config->kv, config->tp),
    };

    return budget;
}

static double blocks_of(const struct dyno_timing_config *config, const struct question *question)
{
    struct budget budget = budget_of(config, question);
    double left = question->rule->kv_bytes(&budget);

    return left < 0 ? 0 : (double)(uint64_t)(left / budget.block);
}

/* The smallest power of two of GPUs that `config` would fit on, or 0. */
static uint32_t tp_that_fits(const struct dyno_timing_config *config,
                             const struct question *question)
{
    struct dyno_timing_config wider = *config;
    enum { TP_MAX = 64 };

    for (wider.tp = 1; wider.tp <= TP_MAX; wider.tp *= 2) {
        if (wider.tp > config->tp && config->model.heads % wider.tp == 0 &&
            blocks_of(&wider, question) > 0) {
            return wider.tp;
        }
    }
    return 0;
}

/* The first narrower type of weights with which `config` would fit, or its own. */
static enum dyno_dtype dtype_that_fits(const struct dyno_timing_config *config,
                                       const struct question *question)
{
    struct dyno_timing_config narrower = *config;

    while (++narrower.weights < DYNO_DTYPES) {
        if (blocks_of(&narrower, question) > 0) {
            return narrower.weights;
        }
    }
    return config->weights;
}

static dyno_status refuse(const struct dyno_timing_config *config, const struct question *question,
                          struct dyno_error *error)
{
    struct budget budget = budget_of(config, question);
    uint32_t tp = tp_that_fits(config, question);
    enum dyno_dtype dtype = dtype_that_fits(config, question);
    char help[160] = "; no number of these GPUs up to 64 and no narrower weights would do";
    char more[64] = "", sum[SUM_TEXT_MAX];

    if (tp) {
        (void)snprintf(more, sizeof more, "tp %u", tp);
    }
    if (tp || dtype != config->weights) {
        (void)snprintf(help, sizeof help, "; it would fit with %s%s%s%s", more,
                       tp && dtype != config->weights ? ", or with " : "",
                       dtype != config->weights ? dyno_dtype_name(dtype) : "",
                       dtype != config->weights ? " weights" : "");
    }
    question->rule->explain(sum, &budget);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s (%s, tp %u) does not fit on %s: %s%s",
                     config->model.name, dyno_dtype_name(config->weights), config->tp,
                     config->gpu.name, sum, help);
}

dyno_status dyno_timing_kv_blocks(const struct dyno_timing_config *config, const char *engine,
                                  double share, uint32_t block_tokens, uint32_t *blocks,
                                  struct dyno_error *error)
{
    struct question question = {
        .rule = rule_of(engine), .share = share, .block_tokens = block_tokens};
    double count;

    if (!(share > 0 && share <= 1) || block_tokens == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "memory utilization must be above 0 and at most 1, and a block at least "
                         "one token");
    }
    DYNO_TRY(dyno_timing_check(config, error));
    question.follows = share == question.rule->share(config);
    count = blocks_of(config, &question);
    if (count < 1) {
        return refuse(config, &question, error);
    }
    *blocks = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    return DYNO_OK;
}
