/* Tiny random models whose matrices are of 8 bits in their file: e4m3 with a scale a matrix, a row
 * or a block, or Q8_0. */
#ifndef DYNO_TESTS_BACKENDS_NARROW_MODELS_H
#define DYNO_TESTS_BACKENDS_NARROW_MODELS_H

#include <stdlib.h>

#include "kernels/fp8.h"
#include "tests/backends/cuda_models.h"

enum narrow_kind { NARROW_TENSOR, NARROW_ROW, NARROW_BLOCK, NARROW_Q8_0, NARROW_KINDS };

enum { NARROW_BLOCK_ROWS = 24, NARROW_BLOCK_COLUMNS = 64, NARROW_MATRICES_MAX = 64 };

/* `matrix` becomes a random one.  Scales have 4 bits, as e4m3 has, so that bf16 holds the product:
 * every device has the same weights. */
static inline struct dyno_narrow random_narrow(struct dyno_rng *rng, enum narrow_kind kind,
                                               struct dyno_matrix *matrix)
{
    uint32_t rows = matrix->rows, columns = matrix->columns;
    struct dyno_narrow narrow = {.rows = rows, .columns = columns};
    uint32_t block_rows = kind == NARROW_TENSOR ? rows : kind == NARROW_ROW ? 1 : NARROW_BLOCK_ROWS;
    uint32_t block_columns = kind == NARROW_BLOCK ? NARROW_BLOCK_COLUMNS : columns;
    uint32_t across = (columns - 1) / block_columns + 1, down = (rows - 1) / block_rows + 1;
    float *scale = array_of((size_t)across * down, sizeof *scale);
    uint8_t *bytes = array_of((size_t)rows * columns, 1);
    uint16_t *wide = array_of((size_t)rows * columns, sizeof *wide);

    for (uint32_t i = 0; i < across * down; i++) {
        scale[i] = (float)(8 + dyno_rng_below(rng, 8)) * 0x1p-4F;
    }
    for (uint32_t i = 0; i < rows * columns; i++) {
        uint32_t at = i / columns / block_rows * across + i % columns / block_columns;

        bytes[i] = dyno_e4m3_of_float((float)(2.0 * dyno_rng_unit(rng) - 1.0));
        wide[i] = dyno_bf16_of_float(dyno_e4m3_to_float(bytes[i]) * scale[at]);
    }
    narrow.wide = wide;
    narrow.narrow = bytes;
    narrow.scale = scale;
    narrow.block_rows = block_rows;
    narrow.block_columns = block_columns;
    *matrix = (struct dyno_matrix){DYNO_ELEMENT_BF16, rows, columns, wide};
    return narrow;
}

static inline int narrow_by_place(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct dyno_narrow *)a)->wide;
    uintptr_t right = (uintptr_t)((const struct dyno_narrow *)b)->wide;

    return left < right ? -1 : left > right;
}

/* Widths that blocks of scales, and two ranks, divide. */
static inline struct dyno_model narrow_shapes(struct dyno_rng *rng)
{
    return (struct dyno_model){.attention = DYNO_ATTENTION_GQA,
                               .context_max = 96,
                               .layers = 1 + (uint32_t)dyno_rng_below(rng, 2),
                               .heads = 4,
                               .kv_heads = 2,
                               .head_dim = 32,
                               .hidden = 64 * (1 + (uint32_t)dyno_rng_below(rng, 2)),
                               .intermediate = 128,
                               .vocab = 50 + (uint32_t)dyno_rng_below(rng, 40)};
}

/* The same with experts in the place of the MLP. */
static inline struct dyno_model narrow_mixture_shapes(struct dyno_rng *rng)
{
    struct dyno_model shapes = narrow_shapes(rng);

    shapes.expert_intermediate = shapes.intermediate;
    shapes.intermediate = 0;
    shapes.experts = 3 + (uint32_t)dyno_rng_below(rng, 3);
    shapes.experts_per_token = 2;
    return shapes;
}

/* A layer's matrices; returns how many there are. */
static inline uint32_t narrow_matrices(struct dyno_layer_weights *layer,
                                       const struct dyno_model *shapes,
                                       struct dyno_matrix *matrices[NARROW_MATRICES_MAX])
{
    struct dyno_matrix *const dense[] = {&layer->query, &layer->key, &layer->value, &layer->output,
                                         &layer->gate,  &layer->up,  &layer->down};
    uint32_t count = shapes->experts > 0 ? 4 : 7;

    memcpy(matrices, dense, count * sizeof(struct dyno_matrix *));
    for (uint32_t i = 0; i < shapes->experts; i++) {
        matrices[count++] = (struct dyno_matrix *)&layer->expert_gate[i];
        matrices[count++] = (struct dyno_matrix *)&layer->expert_up[i];
        matrices[count++] = (struct dyno_matrix *)&layer->expert_down[i];
    }
    return count;
}

/* The layers' matrices; of Q8_0 the logits', too. */
static inline struct dyno_weights *narrow_model(struct dyno_rng *rng, enum narrow_kind kind,
                                                const struct dyno_model *shapes)
{
    struct dyno_weights *weights =
        cuda_model_of(rng, shapes->experts > 0 ? MIXTRAL : LLAMA2, shapes);
    struct dyno_narrow *narrow = array_of(NARROW_MATRICES_MAX, sizeof *narrow);
    uint32_t count = 0;

    for (uint32_t i = 0; i < shapes->layers; i++) {
        struct dyno_layer_weights *layer = (struct dyno_layer_weights *)&weights->layers[i];
        struct dyno_matrix *matrices[NARROW_MATRICES_MAX];
        uint32_t matrix_count = narrow_matrices(layer, shapes, matrices);

        for (uint32_t j = 0; j < matrix_count; j++) {
            if (kind == NARROW_Q8_0) {
                *matrices[j] = random_matrix(rng, DYNO_ELEMENT_Q8_0, matrices[j]->rows,
                                             matrices[j]->columns, false);
            } else {
                narrow[count++] = random_narrow(rng, kind, matrices[j]);
            }
        }
    }
    if (kind == NARROW_Q8_0) {
        weights->logits =
            random_matrix(rng, DYNO_ELEMENT_Q8_0, shapes->vocab, shapes->hidden, false);
    }
    qsort(narrow, count, sizeof *narrow, narrow_by_place);
    weights->narrow = narrow;
    weights->narrow_count = count;
    return weights;
}

#endif
