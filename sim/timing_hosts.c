/* What engines cost on their hosts.
 *
 * host_us and host_us_per_sequence are what a pass takes longer than its kernels: scheduling and
 * preparing inputs where the engine does not overlap that with the GPU's work, else the gaps that
 * remain.  They depend on the engine and its version, hardly on the GPU.
 *
 * vllm: from the seconds in which a recorded vLLM 0.19 server on an RTX 4090 only decoded (1,440 us
 * at 33 sequences); the division between the two numbers by the mean time per token of a second
 * one, on an RTX PRO 6000 with up to 128.  The others: from the time per token that 90, 84 and 252
 * published benchmarks of a model on H100 and H200 took longer than their kernels (AIConfigurator
 * 095f58a51, Apache-2.0): two numbers an engine, from the means over all of them.  Ingest and
 * response: assumed, the order of magnitude of an HTTP front end.
 *
 * Graphs: the sizes that each engine captures unless told otherwise.  vLLM (0.11 to 0.19,
 * config/vllm.py): 1, 2, 4, then every 8 to 256 and every 16 to min(2 max_num_seqs, 512), also for
 * passes with prompts (piecewise).  SGLang (0.5, server_args.py): 1, 2, 4, 8, 12, then every 8 to
 * 256, 16 to 512, 32 beyond, to a largest one that memory and tp decide; passes of prompts run
 * without.  TensorRT-LLM (1.x) does not pad unless asked to (cuda_graph_config.enable_padding).
 *
 * Memory: what vLLM 0.19 logged when it started with fourteen models on one, two and four H100
 * (docs/published/kv_blocks.csv): overhead, and more for communication, where all-reduces are fused
 * with norms; over PCIe, where they are not, a quarter would do, which is not told apart.  Logits
 * are what sampling takes at its peak, per sequence and word: 14.5 bytes there.  Qwen3-14B's
 * activations fell from 5.64 GiB to 2.23 with 0.17, whose sampler no longer sorts: 38 bytes before.
 * The other engines': assumed.
 *
 * TensorRT-LLM reduces, adds and normalises in one kernel, which takes one exchange up to 128
 * tokens (kOneShotMaxToken in its allReduceFusionKernels.h, 1.0).  Its attention kernel for decodes
 * reads fp8 keys and values at the pace of bf16 ones: with FlashAttention 3's pace the throughputs
 * that NVIDIA publishes of it (docs/timing.md) would be 10 to 25 % above what comes out for 8B and
 * 70B, and long answers in AIConfigurator's benchmarks 8 to 15 % faster than predicted. */
#include <string.h>

#include "sim/timing.h"

#define MIB (1024.0 * 1024.0)

static const struct dyno_graph_range vllm_graphs[] = {{2, 1}, {4, 2}, {256, 8}, {UINT32_MAX, 16}};
static const struct dyno_graph_range sglang_graphs[] = {
    {2, 1}, {16, 4}, {256, 8}, {512, 16}, {UINT32_MAX, 32}};

#define VLLM_GRAPHS .graphs = {vllm_graphs, 512, true}
#define MEMORY(overhead_mib, collective_mib, logits)                                               \
    .memory_overhead_bytes = (overhead_mib)*MIB, .memory_collective_bytes = (collective_mib)*MIB,  \
    .logits_bytes_per_entry = (logits)
#define FRONT_END .ingest_us = 400, .ingest_us_per_token = 0.5, .response_us = 200

const struct dyno_engine_host dyno_engine_hosts[] = {
    {
        .name = "vllm",
        .help = "vLLM from 0.14: it schedules a pass while the one before it runs",
        .source = "a recorded vLLM 0.19 server, RTX 4090",
        .host_us = 1080,
        .host_us_per_sequence = 11,
        MEMORY(304, 1900, 14.5),
        .counts_kernels = true,
        FRONT_END,
        VLLM_GRAPHS,
    },
    {
        .name = "vllm-sync",
        .help = "vLLM to 0.13, or without asynchronous scheduling",
        .source = "90 benchmarks of vLLM 0.12, H100",
        .host_us = 1500,
        .host_us_per_sequence = 50,
        MEMORY(304, 430, 38),
        .counts_kernels = true,
        FRONT_END,
        VLLM_GRAPHS,
    },
    {
        .name = "sglang",
        .help = "SGLang with its overlapping scheduler",
        .source = "84 benchmarks of SGLang 0.5, H100",
        .host_us = 800,
        .host_us_per_sequence = 20,
        MEMORY(640, 1024, 10),
        FRONT_END,
        .graphs = {sglang_graphs, 512, false},
    },
    {
        .name = "trtllm",
        .help = "TensorRT-LLM with its overlapping scheduler",
        .source = "252 benchmarks of TensorRT-LLM 1.x, H100 and H200",
        .host_us = 200,
        .host_us_per_sequence = 5,
        MEMORY(640, 1024, 10),
        .collective_one_shot_tokens = 128,
        .decode_attention_fp8_factor = 1,
        FRONT_END,
    },
    {.name = NULL},
};

static const struct dyno_engine_host *find(const char *engine)
{
    const struct dyno_engine_host *host = dyno_engine_hosts;

    while (host->name && strcmp(host->name, engine) != 0) {
        host++;
    }
    return host->name ? host : dyno_engine_hosts;
}

void dyno_timing_use_host(struct dyno_timing_parameters *parameters, const char *engine)
{
    const struct dyno_engine_host *host = find(engine);

    parameters->host_us = host->host_us;
    parameters->host_us_per_sequence = host->host_us_per_sequence;
    parameters->ingest_us = host->ingest_us;
    parameters->ingest_us_per_token = host->ingest_us_per_token;
    parameters->response_us = host->response_us;
    parameters->collective_one_shot_tokens = host->collective_one_shot_tokens;
    parameters->logits_bytes_per_entry = host->logits_bytes_per_entry;
    parameters->memory_overhead_bytes = host->memory_overhead_bytes;
    parameters->memory_collective_bytes = host->memory_collective_bytes;
    if (!host->counts_kernels) {
        parameters->memory_kernels_bytes = 0;
    }
    if (host->decode_attention_fp8_factor > 0) {
        parameters->decode_attention_fp8_factor = host->decode_attention_fp8_factor;
    }
}

uint64_t dyno_graph_tokens(const struct dyno_graphs *graphs, uint64_t tokens)
{
    const struct dyno_graph_range *range = graphs->ranges;
    uint64_t size;

    if (tokens == 0 || tokens > graphs->tokens_max) {
        return tokens;
    }
    while (tokens > range->up_to) {
        range++;
    }
    size = (tokens + range->step - 1) / range->step * range->step;
    return size < graphs->tokens_max ? size : graphs->tokens_max;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* By tensor parallelism below 4 (narrow) or from 4 on. */
uint32_t dyno_timing_sglang_graph(const struct dyno_timing_config *config)
{
    static const struct {
        uint64_t gib_below;
        uint32_t narrow, wide;
    } rows[] = {{20, 8, 8}, {35, 24, 80}, {60, 32, 160}, {160, 256, 512}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (config->gpu.memory_bytes >> 30 < rows[i].gib_below) {
            return config->tp < 4 ? rows[i].narrow : rows[i].wide;
        }
    }
    return 512;
}

void dyno_timing_use_graphs(struct dyno_timing_config *config, const char *engine)
{
    struct dyno_graphs *graphs = &config->graphs;
    uint32_t seqs = config->seqs_max;

    *graphs = find(engine)->graphs;
    if (graphs->prompts) {
        uint32_t both = seqs < UINT32_MAX / 2 ? 2 * seqs : seqs;

        graphs->tokens_max = smaller(graphs->tokens_max, smaller(both, config->batch_tokens_max));
    } else if (graphs->ranges) {
        graphs->tokens_max = smaller(dyno_timing_sglang_graph(config), seqs);
    }
}
