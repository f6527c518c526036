/* Default parameters of each GPU, and what every parameter means.
 *
 * How they were found (docs/timing.md has the errors that remain):
 *
 * H200: fitted to AIConfigurator's kernel tables for vLLM 0.24 on an H200 SXM (revision 095f58a51,
 * Apache-2.0): GEMMs with n, k >= 1024, FlashAttention 3, custom all-reduce.
 *
 * RTX 4090, RTX PRO 6000: fitted to LLMServingSim's kernel profiles of Llama-3.1-8B under vLLM 0.19
 * (revision 5daddb2, MIT).
 *
 * H100, B200, A100: the shares of peak of AIConfigurator's tables for those GPUs; what the tables
 * do not show is taken from the H200.
 *
 * L40S, MI300X, and everywhere collectives over PCIe, grouped GEMMs and routing: assumed; no
 * measurement at hand.  That HBM parts slow down when they multiply without a pause is the H200's
 * table; the A100 does not, whose peak is counted at the highest clock that it has (1,410 MHz) and
 * not, as the later ones', at one that their power does not sustain.  How much slower experts of
 * 4 bits are: NVIDIA's throughputs of gpt-oss-20b on an H200, prompts of 8,192 tokens; the other
 * rows of docs/published/served.csv are held out.
 *
 * What kernels take of the memory: what vLLM 0.19 logged on an A100 and on the recorded RTX 4090
 * above what it did on H100 (docs/published/kv_blocks.csv).
 *
 * What belongs to the host depends on the engine: sim/timing_hosts.c. */
#include "sim/timing.h"

#include <string.h>
#include <strings.h>

#define MIB (1024.0 * 1024.0)

#define ROW(member, unit_text, min_value, max_value, reason_text)                                  \
    {                                                                                              \
        .name = #member, .unit = unit_text, .reason = reason_text,                                 \
        .offset = offsetof(struct dyno_timing_parameters, member), .min = min_value,               \
        .max = max_value,                                                                          \
    }

/* An efficiency may exceed 1 a little: boards boost above the clock of the data sheet's peak, and
 * small kernels find their inputs in the cache. */
#define SHARE(member, reason_text)        ROW(member, "of peak", 0.001, 4, reason_text)
#define MICROSECONDS(member, reason_text) ROW(member, "us", 0, 1e6, reason_text)
#define BYTES(member, reason_text)        ROW(member, "bytes", 0, 1e12, reason_text)

const struct dyno_timing_row dyno_timing_rows[] = {
    ROW(sustained_share, "of a burst", 0.1, 1,
        "matrix units that work without a pause reach the power limit, and clocks fall"),
    SHARE(gemm_flops_efficiency, "large matrix products stay below peak: clocks, tails, tiles"),
    SHARE(gemm_memory_efficiency, "reading weights once does not reach the pins' bandwidth"),
    MICROSECONDS(gemm_launch_us, "launching a kernel and filling the GPU"),
    ROW(gemm_tile_rows, "rows", 1, 1024,
        "the least that a multiprocessor computes at once; a small result has few tiles"),
    ROW(gemm_tile_columns, "columns", 1, 1024, "the same"),
    MICROSECONDS(gemm_tile_us, "filling and emptying a multiprocessor, tile by tile"),
    ROW(gemm_wave_tail, "of the last wave", 0, 1,
        "multiprocessors idle while the last tiles finish; cuBLAS splits those"),
    MICROSECONDS(gemm_split_us, "a few deep tiles are divided, and their parts added up"),
    SHARE(gemm_fp8_efficiency, "scales of rows and columns, and less to hide behind"),
    ROW(gemm_fp8_wave_tail, "of the last wave", 0, 1, "CUTLASS's fp8 kernels split fewer tiles"),
    ROW(gemm_fp8_ragged_factor, "times", 1, 10,
        "copying a tile's rows beyond the end of the matrix is slower than copying rows"),
    MICROSECONDS(quantize_us, "fp8 weights: scaling a GEMM's input to fp8 is a kernel of its own"),
    MICROSECONDS(quantize_row_us, "that kernel finds the largest of a row first"),
    SHARE(quantize_memory_efficiency, "and then reads bf16 and writes fp8"),
    SHARE(prefill_attention_efficiency, "softmax between two matrix products"),
    MICROSECONDS(prefill_attention_row_us, "a query row's loads, stores and masked corner"),
    SHARE(prefill_attention_kv_efficiency, "new keys and values go to scattered blocks"),
    ROW(prefill_attention_rows, "rows", 1, 65536,
        "fewer rows than this leave multiprocessors idle"),
    SHARE(decode_attention_efficiency, "reading KV by blocks"),
    MICROSECONDS(decode_attention_tile_us, "a sequence's KV head is work even when it is short"),
    SHARE(decode_attention_fp8_factor,
          "fp8 KV is widened while it is read; a factor on the former"),
    ROW(mixed_attention_tile_rows, "rows", 0, 1024,
        "FlashAttention 2 serves a decode in a mixed pass as a prompt of one token: a whole tile "
        "for every query head, and a context is not split"),
    MICROSECONDS(mixed_attention_empty_us, "its grid is as deep as the longest prompt"),
    MICROSECONDS(attention_launch_us, "launching attention"),
    MICROSECONDS(decode_attention_combine_us, "adding up the parts of a split context"),
    BYTES(cache_bytes, "heads that share keys and values find them there, if they fit"),
    MICROSECONDS(attention_fp8_us, "fp8 KV: queries are quantised before they meet it"),
    MICROSECONDS(elementwise_us_per_layer, "norms, rotary, activation: launches of tiny kernels"),
    SHARE(elementwise_memory_efficiency, "the same kernels when tokens are many"),
    MICROSECONDS(collective_latency_us, "GPUs wait for one another"),
    SHARE(collective_efficiency, "of the link's bandwidth, large messages"),
    ROW(collective_one_shot_tokens, "tokens", 0, 1e6,
        "kernels that reduce and normalise at once read the whole message of every GPU"),
    SHARE(moe_efficiency, "grouped products have ragged edges; a factor on their operations"),
    MICROSECONDS(moe_routing_us, "top-k, sorting tokens by expert, summing what comes back"),
    MICROSECONDS(sampling_us, "choosing tokens"),
    MICROSECONDS(sampling_us_per_sequence, "passes over one row of logits in fp32"),
    MICROSECONDS(host_us, "what scheduling a pass costs that the GPU's work does not hide"),
    MICROSECONDS(host_us_per_sequence, "the same, for every sequence in it"),
    MICROSECONDS(ingest_us, "HTTP and validation of a request"),
    MICROSECONDS(ingest_us_per_token, "tokenising its prompt"),
    MICROSECONDS(response_us, "detokenising and sending"),
    BYTES(memory_overhead_bytes, "code of kernels, library workspaces"),
    BYTES(memory_collective_bytes, "buffers of the communication library"),
    BYTES(activation_bytes_per_token, "0: derived from the model"),
    BYTES(logits_bytes_per_entry, "logits in bf16, as fp32, and what the sampler makes of them"),
    BYTES(memory_kernels_bytes, "FlashAttention 2's need more beside their code than 3's"),
    SHARE(moe_widened_efficiency, "4-bit experts are widened while they are multiplied"),
    {.name = NULL},
};

/* Of data-centre parts with HBM: the H200's, for all that is not said otherwise. */
#define HBM                                                                                        \
    .gemm_tile_rows = 64, .gemm_tile_columns = 64, .gemm_tile_us = 0.21, .gemm_wave_tail = 0.3,    \
    .gemm_split_us = 2.7, .gemm_fp8_efficiency = 0.92, .gemm_fp8_wave_tail = 0.55,                 \
    .gemm_fp8_ragged_factor = 2.5, .quantize_us = 2.5, .quantize_row_us = 1,                       \
    .quantize_memory_efficiency = 0.34, .prefill_attention_row_us = 0.044,                         \
    .prefill_attention_kv_efficiency = 0.2, .prefill_attention_rows = 220,                         \
    .decode_attention_tile_us = 3.35, .decode_attention_fp8_factor = 0.67,                         \
    .attention_fp8_us = 1.6, .elementwise_us_per_layer = 8, .elementwise_memory_efficiency = 0.7,  \
    .collective_latency_us = 4.6, .collective_efficiency = 0.72, .moe_efficiency = 0.75,           \
    .moe_widened_efficiency = 0.7, .moe_routing_us = 12, .sampling_us = 25,                        \
    .sampling_us_per_sequence = 0.2

/* Of cards with GDDR behind PCIe. */
#define CARD                                                                                       \
    .memory_kernels_bytes = 373 * MIB, .sustained_share = 1, .gemm_fp8_efficiency = 0.92,          \
    .gemm_fp8_wave_tail = 0.55, .gemm_fp8_ragged_factor = 1, .quantize_us = 1.5,                   \
    .quantize_row_us = 1, .quantize_memory_efficiency = 0.5, .prefill_attention_kv_efficiency = 1, \
    .decode_attention_fp8_factor = 0.75, .collective_latency_us = 25,                              \
    .collective_efficiency = 0.6, .moe_efficiency = 0.75, .moe_widened_efficiency = 0.7,           \
    .moe_routing_us = 12, .sampling_us = 25

struct defaults {
    const char *gpu;
    const char *source;
    struct dyno_timing_parameters parameters;
};

static const struct defaults table[] = {
    {
        "h200",
        "fitted to AIConfigurator's H200 kernel tables (vLLM 0.24)",
        {
            HBM,
            .sustained_share = 0.87,
            .gemm_flops_efficiency = 0.85,
            .gemm_memory_efficiency = 0.84,
            .gemm_launch_us = 2.5,
            .prefill_attention_efficiency = 0.69,
            .decode_attention_efficiency = 0.895,
            .attention_launch_us = 11.5,
            .cache_bytes = 50 * MIB,
        },
    },
    {
        "h100",
        "shares of peak from AIConfigurator's H100 kernel tables, the rest from the H200",
        {
            HBM,
            .sustained_share = 0.87,
            .gemm_flops_efficiency = 0.85,
            .gemm_memory_efficiency = 0.90,
            .gemm_launch_us = 2.5,
            .prefill_attention_efficiency = 0.69,
            .decode_attention_efficiency = 0.92,
            .attention_launch_us = 11.5,
            .cache_bytes = 50 * MIB,
        },
    },
    {
        "b200",
        "shares of peak from AIConfigurator's B200 kernel tables, the rest from the H200",
        {
            HBM,
            .sustained_share = 0.87,
            .gemm_flops_efficiency = 0.70,
            .gemm_memory_efficiency = 0.80,
            .gemm_launch_us = 2.5,
            .prefill_attention_efficiency = 0.58,
            .decode_attention_efficiency = 0.90,
            .attention_launch_us = 10,
            .cache_bytes = 126 * MIB,
        },
    },
    {
        "a100",
        "shares of peak from AIConfigurator's A100 kernel tables, the rest from the H200; the "
        "mixed tiles from the RTX 4090, whose attention kernel is the same",
        {
            HBM,
            .sustained_share = 1,
            .gemm_flops_efficiency = 0.80,
            .gemm_memory_efficiency = 0.75,
            .gemm_launch_us = 6,
            .prefill_attention_efficiency = 0.60,
            .decode_attention_efficiency = 0.80,
            .mixed_attention_tile_rows = 64,
            .mixed_attention_empty_us = 0.376,
            .attention_launch_us = 18,
            .cache_bytes = 40 * MIB,
            .memory_kernels_bytes = 234 * MIB,
        },
    },
    {
        "mi300x",
        "assumed: no kernel table at hand; below the H100's shares of peak",
        {
            HBM,
            .sustained_share = 0.87,
            .gemm_flops_efficiency = 0.50,
            .gemm_memory_efficiency = 0.70,
            .gemm_launch_us = 6,
            .prefill_attention_efficiency = 0.35,
            .decode_attention_efficiency = 0.65,
            .attention_launch_us = 15,
            .cache_bytes = 256 * MIB,
        },
    },
    {
        "rtx4090",
        "fitted to LLMServingSim's kernel profile of an RTX 4090 (vLLM 0.19)",
        {
            CARD,
            .gemm_tile_rows = 64,
            .gemm_tile_columns = 64,
            .gemm_flops_efficiency = 1.03,
            .gemm_memory_efficiency = 0.951,
            .gemm_launch_us = 2.9,
            .prefill_attention_efficiency = 0.771,
            .prefill_attention_rows = 60,
            .decode_attention_efficiency = 0.905,
            .mixed_attention_tile_rows = 64,
            .mixed_attention_empty_us = 0.376,
            .elementwise_us_per_layer = 10,
            .elementwise_memory_efficiency = 1.6,
            .sampling_us_per_sequence = 0.4,
            .gemm_tile_us = 1.49,
            .gemm_wave_tail = 0.31,
            .attention_launch_us = 7.8,
            .decode_attention_tile_us = 3.13,
            .prefill_attention_row_us = 0.0724,
            .gemm_split_us = 2.6,
            .cache_bytes = 72 * MIB,
            .decode_attention_combine_us = 4.6,
        },
    },
    {
        "l40s",
        "assumed: the RTX 4090's, of the same architecture; shares of peak lowered because matrix "
        "units are twice as fast in the same power",
        {
            CARD,
            .gemm_tile_rows = 64,
            .gemm_tile_columns = 64,
            .gemm_flops_efficiency = 0.60,
            .gemm_memory_efficiency = 0.90,
            .gemm_launch_us = 2.9,
            .prefill_attention_efficiency = 0.40,
            .prefill_attention_rows = 64,
            .decode_attention_efficiency = 0.92,
            .mixed_attention_tile_rows = 64,
            .mixed_attention_empty_us = 0.376,
            .elementwise_us_per_layer = 10,
            .elementwise_memory_efficiency = 1.6,
            .sampling_us_per_sequence = 0.4,
            .gemm_tile_us = 1.5,
            .gemm_wave_tail = 0.31,
            .attention_launch_us = 7.8,
            .decode_attention_tile_us = 3.13,
            .prefill_attention_row_us = 0.0724,
            .gemm_split_us = 2.6,
            .cache_bytes = 96 * MIB,
            .decode_attention_combine_us = 4.6,
        },
    },
    {
        "rtx-pro-6000",
        "fitted to LLMServingSim's kernel profile of an RTX PRO 6000 (vLLM 0.19)",
        {
            CARD,
            .gemm_flops_efficiency = 0.879,
            .gemm_memory_efficiency = 0.957,
            .gemm_launch_us = 2.5,
            .prefill_attention_efficiency = 0.471,
            .prefill_attention_rows = 53,
            .decode_attention_efficiency = 0.907,
            .mixed_attention_tile_rows = 57,
            .mixed_attention_empty_us = 0.305,
            .elementwise_us_per_layer = 11,
            .elementwise_memory_efficiency = 1.9,
            .sampling_us_per_sequence = 0.3,
            .gemm_tile_us = 8.6,
            .gemm_wave_tail = 0.32,
            .attention_launch_us = 6.6,
            .decode_attention_tile_us = 2.4,
            .prefill_attention_row_us = 0.0592,
            .gemm_tile_rows = 64,
            .gemm_tile_columns = 256,
            .gemm_split_us = 0,
            .cache_bytes = 128 * MIB,
            .decode_attention_combine_us = 5.8,
        },
    },
};

/* Without figures of its own a GPU is like the card or the HBM part that it resembles.  HBM is told
 * by its bandwidth, by links that cards have not, or, of those without fp8 units, by more bandwidth
 * than cards of their time had; without those units it is like the A100. */
static const char *resembled(const struct dyno_gpu *gpu)
{
    bool has_fp8 = gpu->flops[DYNO_FP8] > gpu->flops[DYNO_BF16];
    bool has_hbm = gpu->memory_bytes_per_s >= (has_fp8 ? 2e12 : 1.2e12) ||
                   strncmp(gpu->link, "nvlink", strlen("nvlink")) == 0;

    return !has_hbm ? "rtx-pro-6000" : has_fp8 ? "h100" : "a100";
}

static const struct defaults *defaults_of(const struct dyno_gpu *gpu)
{
    const char *name = resembled(gpu);
    const struct defaults *similar = &table[0];

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcasecmp(table[i].gpu, gpu->name) == 0) {
            return &table[i];
        }
        if (strcasecmp(table[i].gpu, name) == 0) {
            similar = &table[i];
        }
    }
    return similar;
}

void dyno_timing_defaults(struct dyno_timing_parameters *parameters, const struct dyno_gpu *gpu)
{
    *parameters = defaults_of(gpu)->parameters;
    dyno_timing_use_host(parameters, "vllm");
}

const char *dyno_timing_defaults_source(const struct dyno_gpu *gpu)
{
    return defaults_of(gpu)->source;
}
