/* How long a pass takes on a GPU: GEMMs, prefill attention, decode attention over each sequence's
 * real context, collectives, sampling and host overhead, from few physical parameters.
 *
 * Step j of a pass costs first + growth * j ticks (2^-20 ns), for j < steps_max, exactly: decode
 * attention grows by a constant with every token, everything else depends on the number of tokens
 * only.
 */
#ifndef DYNO_SIM_TIMING_H
#define DYNO_SIM_TIMING_H

#include "core/base/status.h"
#include "core/model/gpu.h"
#include "core/model/model.h"
#include "core/worker/device.h"

/* Efficiencies and overheads, each with a unit and a source in timing.c (`dyno_timing_rows`). */
struct dyno_timing_parameters {
    double gemm_flops_efficiency;       /* of peak, large shapes */
    double gemm_memory_efficiency;      /* of peak bandwidth, reading weights */
    double gemm_launch_us;              /* floor of one GEMM */
    double prefill_attention_efficiency; /* of bf16 peak */
    double decode_attention_efficiency; /* of peak bandwidth, reading KV */
    double attention_launch_us;         /* floor of one attention kernel, per layer */
    double elementwise_us_per_layer;    /* norms, rotary, activation, residual: floor */
    double elementwise_memory_efficiency;
    double collective_latency_us;       /* of one all-reduce, small message */
    double collective_efficiency;       /* of link bandwidth, large message */
    double moe_efficiency;              /* of gemm efficiency, grouped GEMM */
    double sampling_us;                 /* per pass ... */
    double sampling_us_per_sequence;    /* ... and per sequence that yields a token */
    double host_us;                     /* scheduling, per pass */
    double host_us_per_sequence;        /* ... and per sequence in it */
    double ingest_us;                   /* HTTP, tokenising, per request ... */
    double ingest_us_per_token;         /* ... and per prompt token */
    double response_us;                 /* detokenising, streaming: from a pass's end to the client */
    double memory_overhead_bytes;       /* CUDA context, NCCL, graphs: not for KV */
    double activation_bytes_per_token;  /* 0: derived from the model; peak of a pass of max tokens */
};

struct dyno_timing_config {
    struct dyno_model model;
    struct dyno_gpu gpu;
    enum dyno_dtype weights, kv;
    uint32_t tp;              /* tensor parallel GPUs of a worker */
    bool expert_parallel;     /* experts are spread over the tp group instead of being split */
    uint32_t seqs_max, batch_tokens_max;
    struct dyno_timing_parameters parameters;
};

struct dyno_pass_cost {
    uint64_t first;    /* ticks */
    uint64_t growth;   /* ticks more for every further step */
    uint32_t steps_max; /* the formula holds for this many steps */
};

struct dyno_timing;

void dyno_timing_defaults(struct dyno_timing_parameters *parameters, const struct dyno_gpu *gpu);

dyno_status dyno_timing_open(struct dyno_timing **out, const struct dyno_timing_config *config,
                             struct dyno_error *error);
void dyno_timing_close(struct dyno_timing *timing);

/* O(slices): no loop over the sequences of the decode set. */
void dyno_timing_cost(const struct dyno_timing *timing, const struct dyno_pass *pass,
                      struct dyno_pass_cost *out);

/* KV blocks that fit on the worker's GPUs beside weights, activations and overheads:
 * floor((utilization x memory - weights - activation peak - overhead) / bytes of a block).
 * DYNO_BAD_INPUT with the arithmetic in `error` when the model does not fit. */
dyno_status dyno_timing_kv_blocks(const struct dyno_timing_config *config, double utilization,
                                  uint32_t block_tokens, uint32_t *blocks, struct dyno_error *error);

#endif
