/* How long a pass takes on a GPU: GEMMs, prefill attention, decode attention over each sequence's
 * real context, collectives, sampling and host overhead, from few physical parameters.
 *
 * Step j of a pass costs first + growth * j ticks (2^-20 ns), for j < steps_max, exactly: decode
 * attention grows by a constant with every token, everything else depends on the number of tokens
 * only.  So a pass of k steps costs what k passes of one step cost, to the tick.
 *
 * The formulas are in sim/timing_layers.c, the defaults and their sources in
 * sim/timing_parameters.c; docs/timing.md says how far they are from measurements.
 */
#ifndef DYNO_SIM_TIMING_H
#define DYNO_SIM_TIMING_H

#include <stddef.h>

#include "core/base/status.h"
#include "core/model/gpu.h"
#include "core/model/model.h"
#include "core/worker/device.h"
#include "core/worker/paced.h"

/* Efficiencies and overheads, each with a unit and a reason in `dyno_timing_rows`. */
struct dyno_timing_parameters {
    double sustained_share;        /* of the pace of operations in a burst, when they do not end */
    double gemm_flops_efficiency;  /* of peak, large shapes */
    double gemm_memory_efficiency; /* of peak bandwidth, reading weights */
    double gemm_launch_us;         /* floor of one GEMM */
    double gemm_tile_rows;         /* of a tile of the result ... */
    double gemm_tile_columns;
    double gemm_tile_us;   /* one tile on one multiprocessor, beside its operations */
    double gemm_wave_tail; /* share of the multiprocessors' idle time in the last wave of tiles that
                              is lost: 0 where the library splits the last tiles, 1 where not */
    double gemm_split_us;  /* adding up the parts of tiles whose depth is divided */
    double gemm_fp8_efficiency;    /* fp8: a further factor on both efficiencies */
    double gemm_fp8_wave_tail;     /* the tail of fp8 GEMMs */
    double gemm_fp8_ragged_factor; /* rows that the tiles of an fp8 GEMM have but its matrix has not
                                      take this many times as long as the others */
    double quantize_us;            /* floor of quantising a GEMM's input to fp8 */
    double quantize_row_us;        /* ... a row of it on one multiprocessor */
    double quantize_memory_efficiency;   /* ... and of peak bandwidth, rows of many columns */
    double prefill_attention_efficiency; /* of bf16 peak */
    double prefill_attention_row_us; /* one query row (token x head) on one multiprocessor, beside
                                        its operations: loads, stores, the masked corner */
    double prefill_attention_kv_efficiency; /* of peak bandwidth: writing the new keys and values
                                               into the cache's blocks and reading them back */
    double prefill_attention_rows;          /* query rows a multiprocessor needs to be fully used */
    double decode_attention_efficiency;     /* of peak bandwidth, reading KV */
    double decode_attention_tile_us; /* one (sequence, kv head) on one multiprocessor, empty KV */
    double decode_attention_fp8_factor; /* fp8 KV: a further factor on that efficiency */
    double mixed_attention_tile_rows;   /* a kernel for prompts and decodes together computes this
                                           many query rows for one row of a decoding sequence's
                                           head; 0: it packs heads and splits contexts, as the
                                           kernel for decodes alone does */
    double mixed_attention_empty_us;    /* ... and on each multiprocessor visits, for a decoding
                                           sequence, all the tiles that the longest prompt has */
    double attention_launch_us;         /* floor of one attention kernel, per layer */
    double decode_attention_combine_us; /* more of it where only decodes are in a pass: contexts are
                                           split, and a second kernel adds the parts up */
    double cache_bytes;      /* of the GPU: keys and values that fit are read once for all heads */
    double attention_fp8_us; /* fp8 KV: more of that floor, queries are quantised */
    double elementwise_us_per_layer; /* norms, rotary, activation, residual: floor */
    double elementwise_memory_efficiency;
    double collective_latency_us;      /* of one exchange between GPUs, small message */
    double collective_efficiency;      /* of link bandwidth, large message */
    double collective_one_shot_tokens; /* passes of up to so many tokens reduce in one exchange even
                                          where two would be faster */
    double moe_efficiency;             /* of gemm_flops_efficiency, grouped GEMM */
    double moe_routing_us;             /* per MoE layer: top-k, sorting tokens by expert, summing */
    double sampling_us;                /* per pass ... */
    double sampling_us_per_sequence; /* ... and per sequence that yields a token, at a vocabulary of
                                        128,256; proportional to the vocabulary */
    double host_us;                  /* scheduling, per pass */
    double host_us_per_sequence;     /* ... and per sequence in it */
    double ingest_us;                /* HTTP, tokenising, per request ... */
    double ingest_us_per_token;      /* ... and per prompt token */
    double response_us;              /* detokenising, streaming: from a pass's end to the client */
    double memory_overhead_bytes;    /* kernels' code, workspaces: not for KV */
    double memory_collective_bytes;  /* as much again where tp > 1: communication buffers */
    double activation_bytes_per_token; /* 0: derived from the model; peak of a pass of max tokens,
                                          without its sampling */
    double logits_bytes_per_entry; /* peak while sampling: copies of logits, per sequence and word
                                      of the vocabulary */
    double memory_kernels_bytes;   /* more overhead with this GPU's kernels */
    double moe_widened_efficiency; /* 4-bit experts: a further factor on moe_efficiency, and on
                                      gemm_memory_efficiency */
};

/* What a parameter is, for help, docs and tests; terminated by a NULL name. */
struct dyno_timing_row {
    const char *name; /* as in the struct */
    const char *unit;
    const char *reason;
    size_t offset;   /* of the double in struct dyno_timing_parameters */
    double min, max; /* what dyno_timing_open accepts */
};

extern const struct dyno_timing_row dyno_timing_rows[];

/* The sizes, in tokens, of the passes that an engine has captured as CUDA graphs: up to `up_to` the
 * multiples of `step`, from the range before on. */
struct dyno_graph_range {
    uint32_t up_to, step;
};

/* A pass that runs as a graph computes as many tokens as the graph was captured for. */
struct dyno_graphs {
    const struct dyno_graph_range *ranges; /* ascending; the last one has no end */
    uint32_t tokens_max;                   /* the largest one, captured too; 0: there are none */
    bool prompts;                          /* passes with prompts run as graphs as well */
};

/* How many tokens a pass of `tokens` computes, if it may run as a graph. */
uint64_t dyno_graph_tokens(const struct dyno_graphs *graphs, uint64_t tokens);

/* What an engine costs on its host, beside the GPU's work.  Rows; terminated by a NULL name. */
struct dyno_engine_host {
    const char *name; /* an engine profile's, or that with an older habit */
    const char *help;
    const char *source;
    double host_us, host_us_per_sequence, ingest_us, ingest_us_per_token, response_us;
    double memory_overhead_bytes; /* that it counts; ... */
    bool counts_kernels;          /* ... with memory_kernels_bytes */
    double memory_collective_bytes, logits_bytes_per_entry;
    struct dyno_graphs graphs; /* tokens_max: at most */
    double collective_one_shot_tokens;
    double decode_attention_fp8_factor; /* of its own kernels; 0: the GPU's */
};

extern const struct dyno_engine_host dyno_engine_hosts[];

struct dyno_timing_config {
    struct dyno_model model;
    struct dyno_gpu gpu;
    enum dyno_dtype weights, kv;
    uint32_t tp;          /* tensor parallel GPUs of a worker */
    bool expert_parallel; /* experts are spread over the tp group instead of being split */
    bool static_scales;   /* fp8 weights: one scale for a matrix and one for its input, known
                             beforehand; else a row of the input is scaled when it comes */
    uint32_t seqs_max, batch_tokens_max;
    struct dyno_graphs graphs; /* all zero: none */
    struct dyno_timing_parameters parameters;
};

struct dyno_timing;

/* The defaults of `gpu`, by its name; of the most similar one for a GPU of one's own. */
void dyno_timing_defaults(struct dyno_timing_parameters *parameters, const struct dyno_gpu *gpu);
/* Where those defaults come from, in words; static text. */
const char *dyno_timing_defaults_source(const struct dyno_gpu *gpu);

/* Replace the host's part of `parameters`, and what is known of the engine's own kernels, by that
 * of `engine`; of an engine that has no row, by the first one's. */
void dyno_timing_use_host(struct dyno_timing_parameters *parameters, const char *engine);

/* Set `config->graphs` to those that `engine` captures by itself on such workers. */
void dyno_timing_use_graphs(struct dyno_timing_config *config, const char *engine);

/* Sequences of the largest graph that SGLang captures unless told otherwise (cuda_graph_max_bs), by
 * the memory of a GPU and tp. */
uint32_t dyno_timing_sglang_graph(const struct dyno_timing_config *config);

/* DYNO_BAD_INPUT and one sentence if open would refuse `config`. */
dyno_status dyno_timing_check(const struct dyno_timing_config *config, struct dyno_error *error);

/* On success *out is the caller's (dyno_timing_close).  Errors: DYNO_BAD_INPUT (shapes that
 * contradict each other, heads that `tp` does not divide, a parameter out of its row's range),
 * DYNO_NO_MEMORY.  Holds 8 bytes for every token of the largest pass, up to 2^17. */
dyno_status dyno_timing_open(struct dyno_timing **out, const struct dyno_timing_config *config,
                             struct dyno_error *error);
void dyno_timing_close(struct dyno_timing *timing); /* NULL: no effect */

/* O(slices): no loop over the sequences of the decode set.  Remembers what it computed: not for two
 * threads at once. */
void dyno_timing_cost(const struct dyno_timing *timing, const struct dyno_pass *pass,
                      struct dyno_pass_cost *out);

/* Where a pass's time goes, in microseconds, computed afresh: for reports and tests.  The sum is
 * the cost of its first step to within a tick per part. */
struct dyno_timing_parts {
    double gemm_us;
    double prefill_attention_us;
    double decode_attention_us;
    double elementwise_us;
    double collective_us;
    double sampling_us; /* logits and sampling */
    double host_us;
};

void dyno_timing_explain(const struct dyno_timing *timing, const struct dyno_pass *pass,
                         struct dyno_timing_parts *out);

/* KV blocks that fit on the worker's GPUs as `engine`, a profile's name, divides their memory when
 * it starts (sim/timing_memory.c has the sums), all others as vLLM: floor(KV bytes / bytes of a
 * block).  `share` is the engine's own: gpu_memory_utilization of all memory, mem_fraction_static
 * of what is free before weights are loaded, or free_gpu_memory_fraction of what is free beside
 * weights and activations.  DYNO_BAD_INPUT with the arithmetic in `error` when the model does not
 * fit. */
dyno_status dyno_timing_kv_blocks(const struct dyno_timing_config *config, const char *engine,
                                  double share, uint32_t block_tokens, uint32_t *blocks,
                                  struct dyno_error *error);

/* That share where nobody says: 0.9, and SGLang's by memory, tp and batch_tokens_max; of `config`
 * nothing else is read. */
double dyno_timing_memory_share(const struct dyno_timing_config *config, const char *engine);

/* Bytes of one GPU that are not for weights nor KV, at the peak of vLLM's largest pass. */
uint64_t dyno_timing_activation_bytes(const struct dyno_timing_config *config);

#endif
