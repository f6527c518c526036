/* What the files of the forward pass share; for nobody else. */
#ifndef DYNO_BACKENDS_CPU_FORWARD_PARTS_H
#define DYNO_BACKENDS_CPU_FORWARD_PARTS_H

#include "backends/cpu/forward.h"

enum {
    FORWARD_MLP_ROWS = 256,          /* go through an MLP together */
    FORWARD_SCORED_ROWS = 64,        /* have their logits at a time, ... */
    FORWARD_SCORED_BYTES = 32 << 20, /* ... or as many as fit into so much, but one */
    FORWARD_GATHERED_ROWS = 16,      /* have their logits gathered from all ranks at a time */
    FORWARD_ELEMENTS_MIN = 4096, /* of element-wise work: below, a chunk is not worth a thread */
};

#define FORWARD_NO_BLOCK UINT32_MAX /* of a row that is not stored */

struct dyno_forward {
    struct dyno_forward_config config;
    const struct dyno_isa *isa;
    const struct dyno_weights *weights;
    uint32_t positions, mlp_rows, expert_slots; /* expert_slots: mlp_rows x experts_per_token */
    float *rope;                                /* [positions][head_dim / 2][2]; NULL: none */

    /* One pass.  Of its rows, those that are still needed: in the last layer, once all keys and
     * values are stored, all of a slice that is scored, and the last of one that only yields. */
    uint32_t rows;
    uint32_t *token;                    /* [rows_max] */
    uint32_t *position;                 /* [rows_max] */
    uint32_t *block;                    /* [rows_max], physical, or FORWARD_NO_BLOCK */
    struct dyno_attention_slice *slice; /* [rows_max], slice_count are used */
    uint32_t slice_count;

    float *hidden, *other, *normed; /* [rows_max][hidden]; hidden and other take turns */
    float *query, *attended;        /* [rows_max][heads x head_dim] */
    float *key, *value;             /* [rows_max][kv_heads x head_dim] */
    float *attention_scratch;       /* [workers][attention_scratch_stride] */
    size_t attention_scratch_stride;
    float *scores; /* [scored_rows][vocab] */
    uint32_t scored_rows;
    float *share, *gathered; /* [GATHERED_ROWS][vocab_each], and that of every rank; NULL: whole */
    float *gate, *up;        /* [mlp_rows][intermediate], or [expert_slots][expert_intermediate] */

    /* Mixtures of experts.  A slot is a row and one of its experts; slots are put in the order of
     * their experts. */
    float *router_logits;      /* [mlp_rows][experts] */
    uint32_t *chosen;          /* [expert_slots] expert of slot row x experts_per_token + choice */
    float *chosen_weight;      /* [expert_slots] */
    uint32_t *place;           /* [expert_slots] where the slot lies in the order of experts */
    uint32_t *expert_first;    /* [experts + 1] of each expert's slots in that order */
    float *slot_input, *mixed; /* [expert_slots][hidden] in that order */
    struct dyno_matmul_job *expert_jobs; /* [2 x experts] */
};

/* Is this rank 0, or the only one?  It hands out what a pass yields, and adds to a sum that is
 * split what is to be in it once. */
static inline bool dyno_forward_leads(const struct dyno_forward *forward)
{
    return !forward->config.shard || forward->config.shard->rank == 0;
}

/* How many items of `elements` each make a chunk of element-wise work. */
uint32_t dyno_forward_grain(size_t elements);

/* rows of `x` normalised into `out`, both [rows][hidden]; bias is read by LayerNorm only. */
void dyno_forward_norm(const struct dyno_forward *forward, const float *x, const float *weight,
                       const float *bias, uint32_t rows, float *out);

/* The MLP of `layer` for rows [first, first + rows), at most mlp_rows: from normed and hidden to
 * other. */
void dyno_forward_mlp_dense(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                            uint32_t first, uint32_t rows);
void dyno_forward_mlp_experts(struct dyno_forward *forward, const struct dyno_layer_weights *layer,
                              uint32_t first, uint32_t rows);

#endif
