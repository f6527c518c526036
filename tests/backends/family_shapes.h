/* A small shape of each family that is computed, for random models. */
#ifndef DYNO_TESTS_BACKENDS_FAMILY_SHAPES_H
#define DYNO_TESTS_BACKENDS_FAMILY_SHAPES_H

#include "backends/assets/weights.h"

#define LLAMA_SHAPE                                                                                \
    .gated_mlp = true, .layers = 2, .hidden = 64, .heads = 4, .kv_heads = 2, .head_dim = 16,       \
    .vocab = 300, .context_max = 512, .intermediate = 96, .dense_layers = 2

#define MOE_SHAPE                                                                                  \
    .gated_mlp = true, .layers = 2, .hidden = 64, .heads = 4, .kv_heads = 2, .head_dim = 16,       \
    .vocab = 300, .context_max = 512, .experts = 3, .experts_per_token = 2,                        \
    .expert_intermediate = 32

#define ROTARY .rope = {.pairs = DYNO_ROPE_HALF_SPLIT, .theta = 10000}, .norm_epsilon = 1e-5

/* One of each family. */
static const struct dyno_weights family_shapes[] = {
    {.model = {.name = "llama", LLAMA_SHAPE}, ROTARY},
    {.model = {.name = "llama3", LLAMA_SHAPE},
     .norm_epsilon = 1e-5,
     .rope = {.pairs = DYNO_ROPE_HALF_SPLIT,
              .scaling = DYNO_ROPE_LLAMA3,
              .theta = 500000,
              .factor = 8,
              .low_freq_factor = 1,
              .high_freq_factor = 4,
              .original_context = 128}},
    {.model = {.name = "yarn", LLAMA_SHAPE, .qk_norm = true},
     .norm_epsilon = 1e-6,
     .rope = {.pairs = DYNO_ROPE_HALF_SPLIT,
              .scaling = DYNO_ROPE_YARN,
              .theta = 100,
              .factor = 4,
              .beta_fast = 16,
              .beta_slow = 0.5,
              .length = 1.25,
              .original_context = 128}},
    {.model = {.name = "mistral", LLAMA_SHAPE, .sliding_window = 100, .sliding_layers = 2},
     ROTARY,
     .window = 100},
    {.model = {.name = "qwen2", LLAMA_SHAPE, .qkv_bias = true, .tied_embeddings = true}, ROTARY},
    {.model = {.name = "biased", LLAMA_SHAPE, .qkv_bias = true, .output_bias = true}, ROTARY},
    {.model = {.name = "qwen3", LLAMA_SHAPE, .qk_norm = true}, ROTARY},
    {.model = {.name = "qwen3moe", MOE_SHAPE, .qk_norm = true}, ROTARY, .normalize_top_k = true},
    {.model = {.name = "mixtral", MOE_SHAPE}, ROTARY, .normalize_top_k = true},
    {.model = {.name = "gpt2",
               .layers = 2,
               .hidden = 64,
               .heads = 4,
               .kv_heads = 4,
               .head_dim = 16,
               .vocab = 300,
               .context_max = 48,
               .positions = 48,
               .intermediate = 96,
               .dense_layers = 2,
               .tied_embeddings = true,
               .qkv_bias = true,
               .output_bias = true,
               .mlp_bias = true,
               .norm_bias = true},
     .activation = DYNO_ACTIVATION_GELU_TANH,
     .layer_norm = true,
     .norm_epsilon = 1e-5},
};

enum { FAMILY_SHAPES = sizeof family_shapes / sizeof family_shapes[0] };

#endif
