/* Keys and values in blocks, on the device and, for the reference, on the host: sequences of random
 * lengths whose blocks lie anywhere.  What no sequence has stored stays unwritten on the device. */
#ifndef DYNO_TESTS_CUDA_PAGED_H
#define DYNO_TESTS_CUDA_PAGED_H

#include "kernels/attention.h"
#include "kernels/cuda/kv.h"
#include "tests/cuda/device.h"

struct paged {
    struct dyno_cuda_kv kv;
    struct dyno_kv_layer layer; /* F32; the same values, as they come back from the device's */
    uint32_t sequences, table_width;
    uint32_t *table; /* [sequences][table_width] physical blocks, all different */
    uint32_t *device_table;
};

struct paged_shape {
    enum dyno_cuda_kv_element element;
    uint32_t sequences, block_tokens, kv_heads, head_dim;
    uint32_t tokens_max; /* of a sequence */
};

/* Empty. */
struct paged paged_of(struct dyno_rng *rng, struct paged_shape shape);

/* Random keys and values at positions [0, tokens) of a sequence, on both sides. */
void paged_fill(struct paged *paged, struct dyno_rng *rng, uint32_t sequence, uint32_t tokens);

/* Of the device's layout: index of dimension 0. */
size_t paged_at(const struct paged *paged, uint32_t sequence, uint32_t kv_head, uint32_t position);

/* A float as the cache stores and gives it. */
float paged_rounded(const struct dyno_cuda_kv *kv, float value, float scale);

/* The element at an index of an array of the cache's on the host. */
float paged_value(const struct dyno_cuda_kv *kv, const void *array, size_t index, float scale);

#endif
