/* Which experts a token goes to.
 *
 * The router's logits become probabilities over all experts (softmax); the `chosen` largest are
 * taken, ties to the lowest id, in descending order.  With `normalize` their probabilities are
 * divided by their sum (Mixtral, Qwen3-MoE with norm_topk_prob).  Computed in double: this is the
 * definition and the only version.
 */
#ifndef DYNO_KERNELS_MOE_H
#define DYNO_KERNELS_MOE_H

#include <stdbool.h>
#include <stdint.h>

/* logits [experts] -> ids and weights [chosen], chosen <= experts. */
void dyno_moe_route(const float *logits, uint32_t experts, uint32_t chosen, bool normalize,
                    uint32_t *ids, float *weights);

#endif
