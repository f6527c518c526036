/* A model and a GPU with round figures, for passes computed by hand. */
#ifndef DYNO_TESTS_SIM_TIMING_ROUND_H
#define DYNO_TESTS_SIM_TIMING_ROUND_H

#include <math.h>

#include "sim/timing.h"
#include "tests/check_main.h"

/* 1e6 operations and 1e4 bytes a microsecond, every efficiency 1; a GEMM has no tiles to speak of.
 */
static inline struct dyno_timing_config round_config(void)
{
    struct dyno_timing_config config = {
        .model = {.name = "round",
                  .gated_mlp = true,
                  .layers = 2,
                  .hidden = 1000,
                  .heads = 10,
                  .kv_heads = 5,
                  .head_dim = 100,
                  .vocab = 128256,
                  .context_max = 100000,
                  .intermediate = 2000,
                  .dense_layers = 2},
        .gpu = {.name = "round",
                .flops = {1e12, 1e12, 1e12},
                .memory_bytes = 1000000000,
                .memory_bytes_per_s = 1e10,
                .link_bytes_per_s = 1e9,
                .pcie_bytes_per_s = 1e9,
                .network_bytes_per_s = 1e9,
                .watts_max = 100,
                .multiprocessors = 10},
        .tp = 1,
        .seqs_max = 64,
        .batch_tokens_max = 2048,
        .parameters = {.sustained_share = 1,
                       .gemm_flops_efficiency = 1,
                       .gemm_memory_efficiency = 1,
                       .gemm_launch_us = 5,
                       .gemm_tile_rows = 1,
                       .gemm_tile_columns = 1,
                       .gemm_fp8_efficiency = 1,
                       .gemm_fp8_ragged_factor = 1,
                       .quantize_memory_efficiency = 1,
                       .prefill_attention_efficiency = 1,
                       .prefill_attention_row_us = 0.5,
                       .prefill_attention_kv_efficiency = 1,
                       .prefill_attention_rows = 100,
                       .decode_attention_efficiency = 1,
                       .decode_attention_tile_us = 4,
                       .decode_attention_fp8_factor = 1,
                       .mixed_attention_tile_rows = 100,
                       .mixed_attention_empty_us = 0.01,
                       .attention_launch_us = 7,
                       .elementwise_us_per_layer = 10,
                       .elementwise_memory_efficiency = 1,
                       .collective_latency_us = 6,
                       .collective_efficiency = 1,
                       .moe_efficiency = 1,
                       .moe_widened_efficiency = 1,
                       .moe_routing_us = 11,
                       .sampling_us = 25,
                       .sampling_us_per_sequence = 0.5,
                       .host_us = 100,
                       .host_us_per_sequence = 3},
    };

    return config;
}

static inline struct dyno_timing *open_timing(const struct dyno_timing_config *config)
{
    struct dyno_timing *timing = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_timing_open(&timing, config, &error) == DYNO_OK, "%s", error.text);
    return timing;
}

static inline void assert_us(double us, double expected)
{
    double tolerance = 1e-5 + 1e-9 * expected;

    ck_assert_msg(us > expected - tolerance && us < expected + tolerance, "%.9f us is not %.9f", us,
                  expected);
}

/* Two times that overlap. */
static inline double both(double a, double b)
{
    return cbrt(a * a * a + b * b * b);
}

/* The four GEMMs of a layer of the round model: 2, 1, 4 and 2 million parameters. */
static inline double gemms_us(double tokens)
{
    static const double parameters[] = {2e6, 1e6, 4e6, 2e6}, columns[] = {3e3, 2e3, 5e3, 3e3};
    double us = 4 * 5;

    for (size_t i = 0; i < 4; i++) {
        us +=
            both(2 * tokens * parameters[i] / 1e6, 2 * (parameters[i] + tokens * columns[i]) / 1e4);
    }
    return us;
}

#endif
