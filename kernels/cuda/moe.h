/* Mixtures of experts on the device: which experts a token goes to, the order in which experts find
 * their tokens side by side, and the way there and back.
 *
 * A slot is a token and one of its `chosen` experts: slot = token x chosen + choice.  Slots are put
 * in the order of their experts, those of one expert in the order of slots:
 *
 *   place[slot]            where the slot lies in that order
 *   expert_first[expert]   the first place of an expert's; [experts] is the number of slots
 *   gathered[place[slot]] = x[slot / chosen]
 *   out[token] = residual[token] + sum over choices of weight[slot] mixed[place[slot]]
 *
 * The choice is dyno_moe_route's (kernels/moe.h, the definition), exactly; its weights differ by
 * less than 2^-18.
 */
#ifndef DYNO_KERNELS_CUDA_MOE_H
#define DYNO_KERNELS_CUDA_MOE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DYNO_CUDA_EXPERTS_MAX = 1024, DYNO_CUDA_CHOSEN_MAX = 32 };

struct dyno_cuda_moe_job {
    enum dyno_element element;        /* F16 or BF16: of x, gathered, mixed, residual and out */
    uint32_t tokens, experts, chosen; /* chosen <= experts */
    bool normalize;                   /* weights of a token add up to 1 */
    uint32_t columns;                 /* a multiple of 8 */
    const float *logits;              /* [tokens][experts]; NaN: chosen last, weights are NaN */
    uint32_t *expert;                 /* [slots] */
    float *weight;                    /* [slots] */
    uint32_t *place, *expert_first;   /* [slots], [experts + 1] */
    const void *x;                    /* [tokens][columns], aligned to 16 bytes, as below */
    void *gathered;                   /* [slots][columns] */
    const void *mixed;                /* [slots][columns], in the order of places */
    const void *residual;             /* [tokens][columns]; NULL: none; may be out */
    void *out;                        /* [tokens][columns] */
};

/* logits -> expert, weight, place, expert_first. */
int dyno_cuda_moe_route(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream);

/* x, place -> gathered. */
int dyno_cuda_moe_gather(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream);

/* mixed, place, weight, residual -> out. */
int dyno_cuda_moe_combine(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif
