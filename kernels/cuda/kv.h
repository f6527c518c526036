/* Where keys and values of one layer lie on the device: in blocks of `block_tokens` tokens.
 *
 *   keys[block x block_stride + (kv_head x block_tokens + token) x head_dim + dimension]
 *
 * and values likewise.  block_stride may be that of more than this layer: a block of all layers,
 * keys and values side by side, is then one piece for whoever moves it (kernels/cuda/blocks.h).
 *
 * A stored element times the scale is the value; 16-bit elements are stored as they are, and their
 * scales are 1.
 */
#ifndef DYNO_KERNELS_CUDA_KV_H
#define DYNO_KERNELS_CUDA_KV_H

#include <stdbool.h>
#include <stdint.h>

enum dyno_cuda_kv_element {
    DYNO_CUDA_KV_F16,
    DYNO_CUDA_KV_BF16,
    DYNO_CUDA_KV_E4M3,
};

struct dyno_cuda_kv {
    enum dyno_cuda_kv_element element;
    uint32_t blocks, block_tokens, kv_heads, head_dim;
    uint64_t block_stride; /* elements, >= kv_heads x block_tokens x head_dim */
    void *keys, *values;
    float key_scale, value_scale; /* > 0 */
};

static inline uint32_t dyno_cuda_kv_bytes(enum dyno_cuda_kv_element element)
{
    return element == DYNO_CUDA_KV_E4M3 ? 1 : 2;
}

/* Whether a kernel can make sense of it. */
static inline bool dyno_cuda_kv_is_whole(const struct dyno_cuda_kv *kv)
{
    return kv->keys && kv->values && kv->blocks >= 1 && kv->block_tokens >= 1 &&
           kv->kv_heads >= 1 && kv->head_dim >= 1 && kv->key_scale > 0.0F &&
           kv->value_scale > 0.0F && kv->element <= DYNO_CUDA_KV_E4M3 &&
           kv->block_stride >= (uint64_t)kv->kv_heads * kv->block_tokens * kv->head_dim &&
           (kv->element == DYNO_CUDA_KV_E4M3 || (kv->key_scale == 1.0F && kv->value_scale == 1.0F));
}

#endif
