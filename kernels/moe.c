/* The router's choice, by insertion: few are chosen. */
#include "kernels/moe.h"

#include <assert.h>
#include <math.h>

/* ids[0 ... chosen): the largest logits in descending order. */
static void choose(const float *logits, uint32_t experts, uint32_t chosen, uint32_t *ids)
{
    uint32_t count = 0;

    for (uint32_t expert = 0; expert < experts; expert++) {
        uint32_t at = count;

        while (at > 0 && logits[expert] > logits[ids[at - 1]]) {
            at--;
        }
        if (at == chosen) {
            continue;
        }
        count += count < chosen;
        for (uint32_t i = count - 1; i > at; i--) {
            ids[i] = ids[i - 1];
        }
        ids[at] = expert;
    }
}

void dyno_moe_route(const float *logits, uint32_t experts, uint32_t chosen, bool normalize,
                    uint32_t *ids, float *weights)
{
    double sum = 0.0, largest;

    assert(chosen >= 1 && chosen <= experts);
    choose(logits, experts, chosen, ids);
    largest = (double)logits[ids[0]];
    if (normalize) {
        for (uint32_t i = 0; i < chosen; i++) {
            sum += exp((double)logits[ids[i]] - largest);
        }
    } else {
        for (uint32_t expert = 0; expert < experts; expert++) {
            sum += exp((double)logits[expert] - largest);
        }
    }
    for (uint32_t i = 0; i < chosen; i++) {
        weights[i] = (float)(exp((double)logits[ids[i]] - largest) / sum);
    }
}
