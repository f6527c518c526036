/* Paged keys and values for tests. */
#include "tests/cuda/paged.h"

#include <cuda_runtime_api.h>
#include <math.h>
#include <string.h>

#include "kernels/fp8.h"

static void store(enum dyno_cuda_kv_element element, float value, void *array, size_t index)
{
    switch (element) {
    case DYNO_CUDA_KV_F16:
        ((uint16_t *)array)[index] = dyno_half_of_float(value);
        break;
    case DYNO_CUDA_KV_BF16:
        ((uint16_t *)array)[index] = dyno_bf16_of_float(value);
        break;
    case DYNO_CUDA_KV_E4M3:
        ((uint8_t *)array)[index] = dyno_e4m3_of_float(value);
        break;
    }
}

float paged_value(const struct dyno_cuda_kv *kv, const void *array, size_t index, float scale)
{
    switch (kv->element) {
    case DYNO_CUDA_KV_F16:
        return dyno_half_to_float(((const uint16_t *)array)[index]);
    case DYNO_CUDA_KV_BF16:
        return dyno_bf16_to_float(((const uint16_t *)array)[index]);
    default:
        return dyno_e4m3_to_float(((const uint8_t *)array)[index]) * scale;
    }
}

float paged_rounded(const struct dyno_cuda_kv *kv, float value, float scale)
{
    uint16_t stored = 0;

    store(kv->element, value / scale, &stored, 0);
    return paged_value(kv, &stored, 0, scale);
}

struct paged paged_of(struct dyno_rng *rng, struct paged_shape shape)
{
    uint32_t width = (shape.tokens_max + shape.block_tokens - 1) / shape.block_tokens + 1;
    uint32_t blocks = shape.sequences * width + 2;
    bool scaled = shape.element == DYNO_CUDA_KV_E4M3;
    size_t stride =
        (size_t)shape.kv_heads * shape.block_tokens * shape.head_dim + 16 * dyno_rng_below(rng, 2);
    size_t bytes = blocks * stride * dyno_cuda_kv_bytes(shape.element);
    struct paged paged = {.kv = {.element = shape.element,
                                 .blocks = blocks,
                                 .block_tokens = shape.block_tokens,
                                 .kv_heads = shape.kv_heads,
                                 .head_dim = shape.head_dim,
                                 .block_stride = stride,
                                 .keys = device_array(bytes),
                                 .values = device_array(bytes),
                                 .key_scale = scaled ? 0.0625F : 1.0F,
                                 .value_scale = scaled ? 0.03125F : 1.0F},
                          .layer = {.element = DYNO_ELEMENT_F32,
                                    .block_tokens = shape.block_tokens,
                                    .kv_heads = shape.kv_heads,
                                    .head_dim = shape.head_dim},
                          .sequences = shape.sequences,
                          .table_width = width,
                          .table = host_array((size_t)shape.sequences * width, sizeof(uint32_t))};
    uint32_t *block = host_array(blocks, sizeof(*block));

    paged.layer.keys = host_array(blocks * dyno_kv_block_keys(&paged.layer), sizeof(float));
    paged.layer.values = host_array(blocks * dyno_kv_block_values(&paged.layer), sizeof(float));
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t other = (uint32_t)dyno_rng_below(rng, i + 1);

        block[i] = block[other];
        block[other] = i;
    }
    memcpy(paged.table, block, (size_t)shape.sequences * width * sizeof(uint32_t));
    paged.device_table = device_copy(paged.table, (size_t)shape.sequences * width * 4);
    return paged;
}

size_t paged_at(const struct paged *paged, uint32_t sequence, uint32_t kv_head, uint32_t position)
{
    const struct dyno_cuda_kv *kv = &paged->kv;
    uint32_t block =
        paged->table[(size_t)sequence * paged->table_width + position / kv->block_tokens];

    return block * kv->block_stride +
           ((size_t)kv_head * kv->block_tokens + position % kv->block_tokens) * kv->head_dim;
}

/* One head's key or value of one position: rounded in place, and onto the device. */
static void put(struct paged *paged, float *values, float scale, void *array, size_t at)
{
    uint16_t stored[256];
    size_t size = dyno_cuda_kv_bytes(paged->kv.element);

    for (uint32_t d = 0; d < paged->kv.head_dim; d++) {
        store(paged->kv.element, values[d] / scale, stored, d);
        values[d] = paged_value(&paged->kv, stored, d, scale);
    }
    if (cudaMemcpy((unsigned char *)array + at * size, stored, paged->kv.head_dim * size,
                   cudaMemcpyHostToDevice) != cudaSuccess) {
        fail("a key does not fit where it should lie");
    }
}

void paged_fill(struct paged *paged, struct dyno_rng *rng, uint32_t sequence, uint32_t tokens)
{
    const struct dyno_cuda_kv *kv = &paged->kv;
    float key[256], value[256];

    for (uint32_t position = 0; position < tokens; position++) {
        uint32_t block =
            paged->table[(size_t)sequence * paged->table_width + position / kv->block_tokens];

        for (uint32_t head = 0; head < kv->kv_heads; head++) {
            size_t at = paged_at(paged, sequence, head, position);

            for (uint32_t d = 0; d < kv->head_dim; d++) {
                key[d] = (float)(4.0 * dyno_rng_unit(rng) - 2.0);
                value[d] = (float)(2.0 * dyno_rng_unit(rng) - 1.0);
            }
            put(paged, key, kv->key_scale, kv->keys, at);
            put(paged, value, kv->value_scale, kv->values, at);
            dyno_kv_write(&paged->layer, block, position % kv->block_tokens, head, key, value);
        }
    }
}
