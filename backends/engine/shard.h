/* What one rank of a tensor-parallel group holds of a model: plain arithmetic, for every device.
 *
 *   query, key, value        rows, by heads: a rank has the kv heads that its heads look at; where
 *                            there are fewer kv heads than ranks, several ranks have the same one
 *   gate, up; an expert's    rows
 *   output, down; an         columns: a rank's product is a part of the sum that the ranks'
 *   expert's down            all-reduce makes
 *   logits                   rows, in equal numbers but for the last ranks, which have the rest
 *   norms, router, embedding whole
 *
 * Heads and widths are shared out evenly or refused.  A bias of a sum that is split is rank 0's.
 */
#ifndef DYNO_BACKENDS_ENGINE_SHARD_H
#define DYNO_BACKENDS_ENGINE_SHARD_H

#include <stdint.h>

#include "backends/assets/weights.h"
#include "core/base/status.h"
#include "core/model/model.h"

struct dyno_shard_part {
    uint32_t first, count;
};

struct dyno_shard {
    uint32_t rank, ranks;
    struct dyno_shard_part heads, kv_heads;
    struct dyno_shard_part intermediate, expert_intermediate; /* of an MLP; of an expert's */
    struct dyno_shard_part vocab;                             /* rows of the logits; may be none */
    uint32_t vocab_each; /* of rank 0, the most: ranks x vocab_each >= the vocabulary */
};

/* Errors: DYNO_BAD_INPUT (which number does not divide, and how many ranks would do),
 * DYNO_UNSUPPORTED (latent attention, shared experts). */
dyno_status dyno_shard_make(struct dyno_shard *out, const struct dyno_model *model, uint32_t rank,
                            uint32_t ranks, struct dyno_error *error);

/* The weights as a rank sees them.  `model` has the rank's heads, kv_heads, intermediate and
 * expert_intermediate, but the whole hidden and vocab; of a matrix that is split by rows, the
 * rank's rows; one that is split by columns is whole, and the rank's columns of it are
 *
 *   output           heads.first x head_dim ... heads.count x head_dim of them
 *   down             intermediate
 *   an expert's down expert_intermediate
 *
 * Nothing is copied but the descriptions: `whole` must outlive *out.  Biases, norms and everything
 * else point into `whole`.  On success *out is closed with dyno_shard_weights_close.
 * Errors: DYNO_BAD_INPUT (a rank's columns cut a group of 32 that has one scale), DYNO_NO_MEMORY.
 */
dyno_status dyno_shard_weights_open(struct dyno_weights **out, const struct dyno_weights *whole,
                                    const struct dyno_shard *shard, struct dyno_error *error);
void dyno_shard_weights_close(struct dyno_weights *weights); /* NULL: nothing */

#endif
