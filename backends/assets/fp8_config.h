/* What a config.json says of weights of 8 bits: "quantization_config".
 *
 * Published checkpoints say the same thing in several ways: `fp8` (DeepSeek-V3, Qwen's -FP8, with
 * "weight_block_size"; without it a scale a tensor), `fbgemm_fp8` (Llama-3.1-405B-FP8, a scale a
 * row), and `compressed-tensors` of type float (Neural Magic's).  How many scales a matrix has is
 * seen from them; here is what is not: the size of blocks, and what cannot be computed. */
#ifndef DYNO_BACKENDS_ASSETS_FP8_CONFIG_H
#define DYNO_BACKENDS_ASSETS_FP8_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/json_keys.h"

struct dyno_fp8_config {
    bool is_fp8;                        /* matrices may be of e4m3, with scales */
    uint32_t block_rows, block_columns; /* that share a scale; 0: no blocks */
};

/* All zero where there is no such key.  Errors: DYNO_UNSUPPORTED (another method, other types of
 * weights, keys and values with scales of their own), DYNO_BAD_INPUT. */
dyno_status dyno_fp8_config_read(struct dyno_fp8_config *out, const struct dyno_json_keys *keys);

#endif
