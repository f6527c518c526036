/* What the files of the forward pass share; for nobody else. */
#ifndef DYNO_BACKENDS_CUDA_FORWARD_PARTS_H
#define DYNO_BACKENDS_CUDA_FORWARD_PARTS_H

#include "backends/cuda/arena.h"
#include "backends/cuda/forward.h"
#include "backends/cuda/runtime.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/sample.h"

/* Everything that the launches of a pass depend on, but for the contents of its arrays: two passes
 * of one shape are one graph.  Compared as bytes. */
struct dyno_cuda_shape {
    uint32_t rows;                            /* positions */
    uint32_t prefills, decodes;               /* slices of more than one position, and of one */
    uint32_t yields;                          /* slices that want something */
    uint32_t table_width;                     /* of every slice */
    uint32_t prefill_max;                     /* no slice has more positions */
    uint32_t context_max, decode_context_max; /* no slice, no decode, reaches further */
    uint32_t gathers; /* 1: not every row yields, so that those must be found */
    uint32_t scores;  /* 1: there are rows that are scored, so that all go through the last layer */
};

/* What a pass is told, one after another in one piece of memory; on the host, and on the device. */
struct dyno_cuda_arrays {
    uint32_t *token, *position, *slot;                  /* [rows] */
    struct dyno_cuda_attention_slice *prefill, *decode; /* [prefills], [decodes] */
    struct dyno_cuda_attention_slice *yield;            /* [yields] the last positions of those */
    uint32_t *yield_row;                                /* [yields] and their rows */
    struct dyno_cuda_sample_row *sample;                /* [yields] */
    uint32_t *table;                                    /* [prefills + decodes][table_width] */
};

/* Memory of the device that passes write: rows of 16-bit elements if nothing else is said. */
struct dyno_cuda_activations {
    void *hidden, *normed;          /* [rows_max][hidden] */
    void *joint;                    /* [rows_max][query, key, value] */
    void *attended;                 /* [rows_max][heads x head_dim]; zeros at first */
    void *gate_up, *gated;          /* [rows_max or slots][2 x width], [width] of an MLP */
    void *last_hidden, *last_joint; /* [sequences_max] of those that yield */
    float *logits;                  /* [sequences_max][logits_stride] */
    uint32_t *token;                /* [sequences_max] chosen */
    /* Ranks only: this one's columns of the logits, and those of all. */
    float *share, *shares; /* [rows][share_stride], [ranks][rows][share_stride] */
    /* Mixtures of experts (kernels/cuda/moe.h); slots = rows_max x experts_per_token. */
    float *router_logits;     /* [rows_max][experts] */
    uint32_t *expert, *place; /* [slots] */
    float *expert_weight;     /* [slots] */
    uint32_t *expert_first;   /* [experts + 1] */
    void *gathered, *mixed;   /* [slots][hidden] */
    void *sample_scratch;
    void *attention_scratch; /* [attention_scratch_bytes] */
    void *widened;           /* [widened_bytes] of a matrix of 8 bits */
    char *told;              /* [told_bytes]: the arrays of a pass */
};

struct dyno_cuda_graph {
    struct dyno_cuda_shape shape;
    cudaGraphExec_t exec; /* NULL: the shape has come once */
};

enum { DYNO_CUDA_GRAPHS_MAX = 256 };

struct dyno_cuda_forward {
    struct dyno_cuda_forward_config config;
    const struct dyno_cuda_model *model;
    const struct dyno_model *shape;
    uint32_t wide, narrow, joint_width; /* elements of a row's query, key, and all three */
    uint64_t logits_stride, share_stride;
    uint64_t attention_scratch_bytes, told_bytes;
    uint64_t widened_bytes; /* 0: there are no matrices of 8 bits */
    cudaStream_t stream;
    bool running; /* a pass is under way, or failed */
    struct dyno_cuda_gemm *gemm;
    void *memory, *kv; /* of the device */
    struct dyno_cuda_activations on;
    char *told;                  /* [told_bytes] pinned, as on.told */
    uint32_t *token;             /* [2][sequences_max] pinned: of a step, and of the one before */
    cudaEvent_t chosen;          /* the tokens of the step before are there */
    struct dyno_cuda_shape step; /* of the last one that was queued */
    uint32_t turn;               /* where its tokens come to, of the two */
    uint32_t further;            /* steps that may follow it, as it was told */
    bool ahead;                  /* it was queued before the tokens of the one before were known */
    float *logits;               /* [sequences_max][logits_stride] pinned */
    uint16_t *state;             /* [sequences_max][hidden] pinned, of the element */
    float *state_values;         /* likewise */
    struct dyno_cuda_graph graphs[DYNO_CUDA_GRAPHS_MAX];
    uint32_t graph_count; /* made so far; the i-th is at i % DYNO_CUDA_GRAPHS_MAX */
};

enum { DYNO_CUDA_WORKSPACE_BYTES = 32 << 20 }; /* of products, as NVIDIA advises for Hopper */

/* The most that a pass may be told. */
struct dyno_cuda_shape dyno_cuda_shape_max(const struct dyno_cuda_forward *forward);

/* Lay the arrays of `shape` out in the arena. */
struct dyno_cuda_arrays dyno_cuda_arrays_take(struct dyno_cuda_arena *arena,
                                              const struct dyno_cuda_shape *shape);

/* The shape of a pass, rounded up to one that comes again where it decodes only, and of so many
 * steps that follow it. */
struct dyno_cuda_shape dyno_cuda_shape_of(const struct dyno_cuda_forward *forward,
                                          const struct dyno_cuda_slice *slices,
                                          uint32_t slice_count, uint32_t further);

/* Of other passes, `rows` rounded up. */
uint32_t dyno_cuda_rows_of(const struct dyno_cuda_forward *forward, uint32_t rows);

/* Of decoding alone: so many sequences, none of more than `blocks` blocks, both rounded up. */
struct dyno_cuda_shape dyno_cuda_decode_shape(const struct dyno_cuda_forward *forward,
                                              uint32_t sequences, uint32_t blocks);

/* A pass of that shape (decoding alone, or one slice) whose rows are nobody's. */
void dyno_cuda_tell_nothing(const struct dyno_cuda_forward *forward,
                            const struct dyno_cuda_shape *shape);

/* Write the pass into forward->told, with the blocks of so many steps that follow. */
void dyno_cuda_tell(const struct dyno_cuda_forward *forward, const struct dyno_cuda_shape *shape,
                    const struct dyno_cuda_slice *slices, uint32_t slice_count, uint32_t further);

/* Queue the way of forward->told to the device. */
dyno_status dyno_cuda_queue_told(struct dyno_cuda_forward *forward,
                                 const struct dyno_cuda_shape *shape, struct dyno_error *error);

/* Queue that on.told becomes what the step after this one is told: of decoding alone, when its
 * tokens are chosen. */
dyno_status dyno_cuda_queue_advance(struct dyno_cuda_forward *forward,
                                    const struct dyno_cuda_shape *shape, struct dyno_error *error);

/* Queue what on.told says: the kernels, up to the choice of tokens. */
dyno_status dyno_cuda_queue_pass(struct dyno_cuda_forward *forward,
                                 const struct dyno_cuda_shape *shape, struct dyno_error *error);

/* The same through the first `layers` only: what comes out means nothing. */
dyno_status dyno_cuda_queue_layers(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_shape *shape, uint32_t layers,
                                   struct dyno_error *error);

/* The end of a pass that scores, behind which there are all rows' states in on.normed: what its
 * slices yield, and the choice of tokens. */
dyno_status dyno_cuda_queue_yields(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_shape *shape, struct dyno_error *error);

/* The logits of rows [first, first + count) of those, on the rank that leads. */
dyno_status dyno_cuda_queue_logits(struct dyno_cuda_forward *forward, uint32_t first,
                                   uint32_t count, struct dyno_error *error);

/* dyno_cuda_queue_pass, as a graph where that is better. */
dyno_status dyno_cuda_queue_graph(struct dyno_cuda_forward *forward,
                                  const struct dyno_cuda_shape *shape, struct dyno_error *error);
void dyno_cuda_graphs_close(struct dyno_cuda_forward *forward);

/* A pass on its way: how many rows are left, and where they lie. */
struct dyno_cuda_pass {
    struct dyno_cuda_forward *forward;
    const struct dyno_cuda_shape *shape;
    struct dyno_cuda_arrays told; /* on the device */
    uint32_t rows, layers;        /* layers: the model's, or the first few */
    uint32_t first;               /* of the rows in on.normed, of which there are logits */
    void *hidden, *joint;
    struct dyno_error *error;
};

/* A product of the pass's rows with a matrix of `rows` rows; `x` is as wide as its columns. */
struct dyno_cuda_product {
    const struct dyno_cuda_matrix *weights;
    const void *bias;
    uint32_t rows;
    const void *x, *residual;
    void *y;
    bool y_is_float;   /* then there is neither bias nor residual */
    uint64_t y_stride; /* elements, also the residual's; 0: rows */
};

dyno_status dyno_cuda_pass_multiply(const struct dyno_cuda_pass *pass,
                                    const struct dyno_cuda_product *product);

/* The rows normed: from pass->hidden to on.normed. */
dyno_status dyno_cuda_pass_norm(const struct dyno_cuda_pass *pass, const void *weight);

/* What every rank has made of its part of a sum in pass->hidden becomes the sum. */
dyno_status dyno_cuda_pass_reduce(const struct dyno_cuda_pass *pass);

/* The logits of the normed rows, on the rank that leads. */
dyno_status dyno_cuda_pass_logits(const struct dyno_cuda_pass *pass);

/* The second half of a layer: its norm, its MLP or its experts, added to pass->hidden. */
dyno_status dyno_cuda_pass_mlp(const struct dyno_cuda_pass *pass,
                               const struct dyno_cuda_layer *layer);

/* Of the slice's rows, the first ones that are scored. */
static inline uint32_t dyno_cuda_scored_rows(const struct dyno_cuda_slice *slice)
{
    uint32_t yields = slice->want != DYNO_CUDA_WANT_NOTHING;

    return slice->scored ? slice->count - yields : 0;
}

/* Is this rank 0, or the only one?  It hands out what a pass yields, and adds to a sum that is
 * split what is to be in it once. */
static inline bool dyno_cuda_leads(const struct dyno_cuda_forward *forward)
{
    return !forward->config.shard || forward->config.shard->rank == 0;
}

/* What a sum that ends a half of a layer is added to. */
static inline const void *dyno_cuda_pass_residual(const struct dyno_cuda_pass *pass)
{
    return dyno_cuda_leads(pass->forward) ? pass->hidden : NULL;
}

/* Elements of 16 bits, from the `at`-th on. */
static inline void *dyno_cuda_at(const void *memory, uint64_t at)
{
    return (char *)(uintptr_t)memory + at * sizeof(uint16_t);
}

#endif
