/* A model's forward pass on the CPU: tokens in, logits or hidden states out, keys and values in
 * paged storage.
 *
 * A pass is a set of slices, each some consecutive positions of one sequence.  Whatever is computed
 * for a position is a function of the model, the sequence up to it, the element of the storage and
 * the instruction set alone, bit for bit: not of the other slices, of how the sequence was cut into
 * slices, of the physical blocks, of what was reused, or of the team.
 *
 * It may be one rank's share of a pass (tensor parallelism); backends/cpu/ranks.h has all ranks.
 */
#ifndef DYNO_BACKENDS_CPU_FORWARD_H
#define DYNO_BACKENDS_CPU_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/weights.h"
#include "backends/cpu/kv_storage.h"
#include "backends/engine/collective.h"
#include "backends/engine/shard.h"
#include "core/base/status.h"
#include "kernels/isa.h"
#include "kernels/team.h"

struct dyno_forward;

/* Positions [first, first + count) of one sequence.  In every layer the keys and values of all
 * slices are stored before any of them is read: a slice may read what another one of the same pass
 * writes.  Two may write the same position of the same block if they write the same; but what
 * others may read at that time, such as a copy to another memory, is to be `cached`. */
struct dyno_forward_slice {
    const uint32_t *tokens; /* [count], each below the model's vocab */
    uint32_t first, count;  /* count >= 1; first + count <= dyno_forward_positions */
    uint32_t cached;        /* of these, the first ones that are not stored: their keys and values
                               lie in their places already, or another slice stores them */
    const uint32_t *table;  /* position p lies in physical block table[p / block_tokens] */
    bool yields;            /* something of the last position is wanted: its logits, or ... */
    float *state;           /* ... its hidden state behind the final norm, written here instead:
                               [hidden]; NULL: logits */
    bool scored;            /* config.score is told the logits of all positions but the one that
                               yields */
};

struct dyno_forward_config {
    const struct dyno_weights *weights;
    struct dyno_kv_storage *storage;
    struct dyno_team *team;
    const struct dyno_isa *isa; /* NULL: dyno_isa_best() */
    uint32_t rows_max;          /* positions in one pass, all slices together */
    /* Told in the course of a pass, on its thread: logits[count][vocab] of positions
     * [first, first + count) of slices[slice], for a few positions at a time so that no pass needs
     * room for all of them.  NULL: no slice is scored. */
    void (*score)(void *context, uint32_t slice, uint32_t first, uint32_t count,
                  const float *logits);
    void *score_context;
    /* Told of every layer in the course of a pass, on its thread, when all keys and values of that
     * layer are stored, of all ranks: so many are.  NULL: nobody wants to know. */
    void (*layer_done)(void *context, uint32_t layers);
    void *layer_context;
    /* Both, or NULL: the pass is whole.  Else `weights` are the shard's (dyno_shard_weights_open),
     * every rank runs the same passes at the same time, and rank 0 alone hands out logits, states
     * and scores.  Which number of ranks it is shows in the rounding of sums. */
    const struct dyno_shard *shard;
    struct dyno_collective *collective;
};

/* Takes all the memory that passes need.  What the config points to must outlive *out, and a team
 * runs one pass at a time.  On success *out is the caller's (dyno_forward_close); on failure it is
 * untouched.
 * Errors: DYNO_BAD_INPUT (shapes that contradict each other), DYNO_UNSUPPORTED, DYNO_NO_MEMORY. */
dyno_status dyno_forward_open(struct dyno_forward **out, const struct dyno_forward_config *config,
                              struct dyno_error *error);
void dyno_forward_close(struct dyno_forward *forward); /* NULL: nothing */

/* Positions that a sequence may have: the model's context, or all of the storage if that is less.
 */
uint32_t dyno_forward_positions(const struct dyno_forward *forward);

/* Run a pass.  `logits` is [slices that yield them][vocab], in the order of the slices; NULL if
 * none does.  Takes no memory and cannot fail; what breaks a bound above aborts. */
void dyno_forward_run(struct dyno_forward *forward, const struct dyno_forward_slice *slices,
                      uint32_t slice_count, float *logits);

#endif
