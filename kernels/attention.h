/* Causal attention over keys and values that lie in blocks (PagedAttention: Kwon et al., 2023).
 *
 * For a query q of head h at position p, with kv head g = h / (heads / kv_heads):
 *
 *   score[j] = scale q . key[g][j]              for j in [max(0, p - window + 1), p]
 *   out      = sum over j of softmax(score)[j] value[g][j]
 *
 * Position j of a slice lies in physical block table[j / block_tokens], at token j % block_tokens.
 *
 * dyno_attention_ref is the definition.  dyno_attention differs from it by less than
 * 2^-16 (1 + S) V, where S is the largest sum over d of |scale q[d] key[j][d]| and V the largest
 * |value[j][d]| of what the query sees, for up to 16384 positions.  What it computes for a query is
 * a function of the query, its position, and what lies at the positions it sees, bit for bit: not
 * of the blocks, of the other queries, or of the team.  The order: a score is summed over d in
 * ascending order; the exponentials by position modulo the lanes, then over lanes; the values over
 * positions in ascending order.
 */
#ifndef DYNO_KERNELS_ATTENTION_H
#define DYNO_KERNELS_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"
#include "kernels/matrix.h"
#include "kernels/team.h"

enum {
    DYNO_KV_STEP = 16,     /* tokens and dimensions are filled up to a multiple */
    DYNO_QUERIES_TILE = 6, /* queries of one kv head that share a look at a key */
};

/* Keys and values of one layer.  Keys lie with tokens innermost, so that a vector holds the same
 * dimension of neighbouring tokens; values with dimensions innermost. */
struct dyno_kv_layer {
    enum dyno_element element; /* F32, F16 or BF16 */
    uint32_t block_tokens, kv_heads, head_dim;
    void *keys;   /* [blocks][kv_heads][head_dim][block_tokens filled up] */
    void *values; /* [blocks][kv_heads][block_tokens][head_dim filled up] */
};

static inline uint32_t dyno_kv_filled_up(uint32_t count)
{
    return (count + DYNO_KV_STEP - 1) / DYNO_KV_STEP * DYNO_KV_STEP;
}

/* Elements of the keys of one block, all kv heads; and of its values. */
size_t dyno_kv_block_keys(const struct dyno_kv_layer *layer);
size_t dyno_kv_block_values(const struct dyno_kv_layer *layer);

/* Store one token's key and value of one kv head, [head_dim] each, rounded to the element. */
void dyno_kv_write(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                   uint32_t kv_head, const float *key, const float *value);

/* Read them back, exactly. */
void dyno_kv_read(const struct dyno_kv_layer *layer, uint32_t block, uint32_t token,
                  uint32_t kv_head, float *key, float *value);

/* Queries at positions [first, first + count) of one sequence. */
struct dyno_attention_slice {
    const uint32_t *table;
    uint32_t first, count;
    uint32_t row; /* of the first query, in q and out */
};

struct dyno_attention_job {
    const struct dyno_kv_layer *layer;
    const struct dyno_attention_slice *slices;
    uint32_t slice_count;
    uint32_t heads;
    uint32_t window; /* positions that a query sees, itself included; 0: all */
    float scale;     /* 1 / sqrt(head_dim) */
    const float *q;  /* [rows][stride], heads x head_dim of each */
    float *out;      /* likewise; must not be q */
    size_t q_stride, out_stride;
    float *scratch;        /* [workers][scratch_stride] */
    size_t scratch_stride; /* dyno_attention_scratch */
};

/* Floats of scratch for each worker, for contexts of up to `positions` tokens. */
size_t dyno_attention_scratch(const struct dyno_kv_layer *layer, uint32_t positions);

/* The definition, in double, by one thread. */
void dyno_attention_ref(const struct dyno_attention_job *job);

/* The same by a team, as near to it as the head of this file says. */
void dyno_attention(const struct dyno_isa *isa, struct dyno_team *team,
                    const struct dyno_attention_job *job);

#endif
