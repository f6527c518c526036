/* The search for the largest (largest.h), for one instruction set (lanes.h): which piece has it,
 * and then where in that. */
#ifndef DYNO_KERNELS_LARGEST_BODY_H
#define DYNO_KERNELS_LARGEST_BODY_H

#include <math.h>
#include <stdint.h>

#include "kernels/lanes.h"

enum {
    LARGEST_PIECE = 1024,
    LARGEST_SIDE = 4, /* vectors side by side: one maximum need not wait for another */
};

/* -infinity where all are NaN: a NaN as the first operand is passed over. */
static float highest_of(const float *x, uint32_t count)
{
    lanes best[LARGEST_SIDE];
    float highest;
    uint32_t i = 0;

    UNROLL
    for (int side = 0; side < LARGEST_SIDE; side++) {
        best[side] = lanes_set(-INFINITY);
    }
    for (; i + LARGEST_SIDE * LANES <= count; i += LARGEST_SIDE * LANES) {
        UNROLL
        for (uint32_t side = 0; side < LARGEST_SIDE; side++) {
            best[side] = lanes_max(lanes_load(x + i + side * LANES), best[side]);
        }
    }
    highest = lanes_highest(lanes_max(lanes_max(best[0], best[1]), lanes_max(best[2], best[3])));
    for (; i < count; i++) {
        highest = x[i] > highest ? x[i] : highest;
    }
    return highest;
}

static uint32_t largest(const float *x, uint32_t count)
{
    float best = -INFINITY;
    uint32_t at = 0;

    for (uint32_t first = 0; first < count; first += LARGEST_PIECE) {
        uint32_t left = count - first;
        float highest = highest_of(x + first, left < LARGEST_PIECE ? left : LARGEST_PIECE);

        if (highest > best) {
            best = highest;
            at = first;
        }
    }
    while (at < count && !(x[at] >= best)) {
        at++;
    }
    return at < count ? at : 0;
}

#endif
