/* A model's forward pass on a GPU: tokens in, the tokens that follow out, keys and values in paged
 * storage on the device.
 *
 * A pass is a set of slices, each some consecutive positions of one sequence.  All memory is taken
 * when it is opened (graphs, which CUDA keeps, excepted); everything is queued on one stream of its
 * own, and what a pass must be told goes over in one copy.  Passes of decoding alone are captured
 * as graphs by batch and context, the second time that a size of them comes.
 *
 * Activations are rounded to 16 bits between the kernels.  What a position becomes depends on the
 * sequence alone, but for the order in which products are summed, which may be another one for
 * another number of rows.
 *
 * Where a pass of decoding is followed by others of the same sequences, each with the token that
 * was chosen before, they follow each other on the device: the next one is queued before the host
 * knows the tokens, which it hears of one step behind.  Not so with ranks, as only the first has
 * the tokens.
 *
 * Several ranks may share a pass (backends/cuda/ranks.h): each has a forward pass over its part of
 * the weights, and all are told the same slices in the same order.
 */
#ifndef DYNO_BACKENDS_CUDA_FORWARD_H
#define DYNO_BACKENDS_CUDA_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/cuda/kv_pool.h"
#include "backends/cuda/model.h"
#include "backends/engine/collective.h"
#include "backends/engine/shard.h"
#include "core/base/status.h"
#include "kernels/cuda/kv.h"
#include "kernels/sample.h"

struct dyno_cuda_forward;

enum dyno_cuda_want {
    DYNO_CUDA_WANT_NOTHING,
    DYNO_CUDA_WANT_TOKEN,  /* the one that follows the last position, chosen on the device */
    DYNO_CUDA_WANT_LOGITS, /* of the last position */
    DYNO_CUDA_WANT_STATE,  /* of the last position, behind the final norm */
};

/* Positions [first, first + count) of one sequence. */
struct dyno_cuda_slice {
    const uint32_t *tokens; /* [count], each below the model's vocab */
    uint32_t first, count;  /* count >= 1; first + count <= the model's positions */
    uint32_t cached;        /* of these, the first ones whose keys and values are not stored: they
                               lie in their places already, or another slice stores them */
    const uint32_t *table;  /* position p lies in block table[p / block_tokens] */
    enum dyno_cuda_want want;
    bool scored; /* config.score is told the logits of all positions but the one that yields */
    /* WANT_TOKEN: how it is chosen.  Neither bias, nor a mask, nor penalties. */
    struct dyno_sampling sampling;
};

/* Of a slice that wants something, what it wanted; until the next pass. */
struct dyno_cuda_yield {
    uint32_t token;      /* also where logits are wanted; undefined with a state */
    const float *logits; /* [vocab]; NULL: not wanted */
    const float *state;  /* [hidden]; NULL: not wanted */
};

struct dyno_cuda_forward_config {
    const struct dyno_cuda_model *model; /* not owned; on the current device */
    enum dyno_cuda_kv_element kv;        /* the model's element, or e4m3 */
    uint32_t blocks, block_tokens;       /* of the KV cache */
    uint32_t rows_max;                   /* positions in one pass, all slices together */
    uint32_t sequences_max;              /* slices in one pass */
    bool no_graphs;                      /* launch every kernel by itself */
    bool narrow;                         /* as the model is: there may be matrices of 8 bits */
    uint64_t widened_bytes; /* of those, as 16 bits at once; 0: 32 MiB.  From 16 bytes a column */
    /* Told in the course of a pass, on its thread: logits[count][vocab] of positions
     * [first, first + count) of slices[slice], for a few positions at a time.  NULL: no slice is
     * scored.  Of ranks the first alone tells them. */
    void (*score)(void *context, uint32_t slice, uint32_t first, uint32_t count,
                  const float *logits);
    void *score_context;
    /* Both, or NULL: the pass is whole.  Else the model is what `shard` says of it; not owned. */
    const struct dyno_shard *shard;
    struct dyno_collective *collective; /* on the same device */
};

/* Everything but the model's memory: see plan.h.  On success *out is the caller's; on failure it is
 * untouched.
 * Errors: DYNO_BAD_INPUT, DYNO_NO_MEMORY, and as dyno_cuda_fail. */
dyno_status dyno_cuda_forward_open(struct dyno_cuda_forward **out,
                                   const struct dyno_cuda_forward_config *config,
                                   struct dyno_error *error);
void dyno_cuda_forward_close(struct dyno_cuda_forward *forward); /* NULL: nothing */

/* Do once what is done lazily, so that no pass that counts waits for it: load kernels, choose how
 * products are computed, capture graphs (as many as are kept).  Takes a second or two. */
dyno_status dyno_cuda_forward_warm(struct dyno_cuda_forward *forward, struct dyno_error *error);

/* Bytes of the device that a pass needs besides weights and KV, and that one KV block takes; of
 * config->shard, as the weights are. */
uint64_t dyno_cuda_forward_bytes(const struct dyno_weights *weights, uint32_t positions,
                                 const struct dyno_cuda_forward_config *config);
uint64_t dyno_cuda_block_bytes(const struct dyno_model *model,
                               const struct dyno_cuda_forward_config *config);

/* Run a pass and wait for it: yields[i] is that of the i-th slice that wants something.  Of ranks
 * the first alone hands out what was wanted; the others' yields may be NULL.  An error of CUDA is
 * the device's last: the forward pass can only be closed then.
 * What breaks a bound above aborts. */
dyno_status dyno_cuda_forward_run(struct dyno_cuda_forward *forward,
                                  const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                  struct dyno_cuda_yield *yields, struct dyno_error *error);

/* The same as a step, which up to `further` more may follow with the same slices, each one position
 * on, and of one position: it may queue the next one before it returns, if all want tokens.  Then
 * this must be called for that next, or dyno_cuda_forward_rest, and nothing else. What tables say
 * must be there for all of them. */
dyno_status dyno_cuda_forward_step(struct dyno_cuda_forward *forward,
                                   const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                   uint32_t further, struct dyno_cuda_yield *yields,
                                   struct dyno_error *error);
/* Whether the next step is under way. */
bool dyno_cuda_forward_is_ahead(const struct dyno_cuda_forward *forward);
/* Wait for it; what it chose is nobody's, and what it stored has no meaning. */
dyno_status dyno_cuda_forward_rest(struct dyno_cuda_forward *forward, struct dyno_error *error);

/* Its keys and values, on a GPU that the caller knows. */
struct dyno_cuda_kv_pool dyno_cuda_forward_pool(const struct dyno_cuda_forward *forward);

#endif
