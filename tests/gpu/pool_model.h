/* Models of random weights that are made in a moment: all matrices are parts of one piece of random
 * numbers on the host, and lie apart once they are loaded. */
#ifndef DYNO_TESTS_GPU_POOL_MODEL_H
#define DYNO_TESTS_GPU_POOL_MODEL_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/assets/weights.h"
#include "kernels/team.h"

enum { THREADS_MAX = 16 };

enum { POOL_SLACK = 32 << 20 }; /* elements, from which a matrix begins at one or another */

struct pool {
    struct dyno_team *team;
    uint16_t *elements;
    uint64_t count, given; /* given: matrices so far */
};

static inline void fail(const char *what, const struct dyno_error *error)
{
    fprintf(stderr, "bench_forward: %s: %s\n", what, error ? error->text : "failed");
    exit(EXIT_FAILURE);
}

static inline void *need(void *memory)
{
    if (!memory) {
        fail("memory", NULL);
    }
    return memory;
}

static inline uint64_t hashed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/* bf16 of random sign and mantissa, of exponents from 2^-9 to 2^-6. */
static inline void fill(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    struct pool *pool = argument;

    (void)worker;
    for (uint64_t i = (uint64_t)first << 10; i < (uint64_t)last << 10 && i < pool->count; i++) {
        uint64_t bits = hashed(i);

        pool->elements[i] = (uint16_t)((bits & 0x807fU) | (118 + (bits >> 8) % 4) << 7);
    }
}

static inline struct pool pool_open(uint64_t largest)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct pool pool = {.count = largest + POOL_SLACK};

    pool.team = need(dyno_team_open(cores < THREADS_MAX ? (uint32_t)cores : THREADS_MAX));
    pool.elements = need(malloc(pool.count * sizeof *pool.elements));
    dyno_team_run(pool.team, (uint32_t)((pool.count >> 10) + 1), 64, fill, &pool);
    return pool;
}

static inline struct dyno_matrix matrix(struct pool *pool, uint32_t rows, uint32_t columns)
{
    uint64_t at = hashed(++pool->given) % POOL_SLACK & ~(uint64_t)31;

    return (struct dyno_matrix){DYNO_ELEMENT_BF16, rows, columns, pool->elements + at};
}

static inline float *ones(uint32_t count)
{
    float *values = need(malloc(count * sizeof *values));

    for (uint32_t i = 0; i < count; i++) {
        values[i] = 1.0F;
    }
    return values;
}

static inline void make_mlp(struct pool *pool, const struct dyno_model *shape,
                            struct dyno_layer_weights *layer)
{
    struct dyno_matrix *experts = need(calloc(3 * (size_t)shape->experts + 1, sizeof *experts));

    layer->expert_gate = experts; /* the layer's even if there are none: model_free */
    if (shape->experts == 0) {
        layer->gate = matrix(pool, shape->intermediate, shape->hidden);
        layer->up = matrix(pool, shape->intermediate, shape->hidden);
        layer->down = matrix(pool, shape->hidden, shape->intermediate);
        return;
    }
    layer->router = matrix(pool, shape->experts, shape->hidden);
    layer->expert_up = experts + shape->experts;
    layer->expert_down = experts + 2 * (size_t)shape->experts;
    for (uint32_t i = 0; i < shape->experts; i++) {
        experts[i] = matrix(pool, shape->expert_intermediate, shape->hidden);
        experts[shape->experts + i] = matrix(pool, shape->expert_intermediate, shape->hidden);
        experts[2 * shape->experts + i] = matrix(pool, shape->hidden, shape->expert_intermediate);
    }
}

static inline struct dyno_weights *model_make(struct pool *pool, const struct dyno_model *shape,
                                              bool qk_norm)
{
    struct dyno_weights *weights = need(calloc(1, sizeof *weights));
    struct dyno_layer_weights *layers = need(calloc(shape->layers, sizeof *layers));
    uint32_t hidden = shape->hidden, wide = shape->heads * shape->head_dim;
    uint32_t narrow = shape->kv_heads * shape->head_dim;

    weights->model = *shape;
    weights->rope = (struct dyno_rope){.pairs = DYNO_ROPE_HALF_SPLIT, .theta = 500000.0};
    weights->norm_epsilon = 1e-5;
    weights->embedding = matrix(pool, shape->vocab, hidden);
    weights->logits = matrix(pool, shape->vocab, hidden);
    weights->final_norm = ones(hidden);
    for (uint32_t i = 0; i < shape->layers; i++) {
        layers[i] = (struct dyno_layer_weights){
            .attention_norm = weights->final_norm,
            .mlp_norm = weights->final_norm,
            .query_norm = qk_norm ? weights->final_norm : NULL,
            .key_norm = qk_norm ? weights->final_norm : NULL,
            .query = matrix(pool, wide, hidden),
            .key = matrix(pool, narrow, hidden),
            .value = matrix(pool, narrow, hidden),
            .output = matrix(pool, hidden, wide),
        };
        make_mlp(pool, shape, &layers[i]);
    }
    weights->layers = layers;
    return weights;
}

static inline void model_free(struct dyno_weights *weights)
{
    free((void *)(uintptr_t)weights->final_norm);
    for (uint32_t i = 0; i < weights->model.layers; i++) {
        free((void *)(uintptr_t)weights->layers[i].expert_gate);
    }
    free((void *)(uintptr_t)weights->layers);
    free(weights);
}

#endif
