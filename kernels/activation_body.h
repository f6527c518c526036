/* The activations' inner loops (activation.h), for one instruction set (lanes.h). */
#ifndef DYNO_KERNELS_ACTIVATION_BODY_H
#define DYNO_KERNELS_ACTIVATION_BODY_H

#include <stddef.h>

#include "kernels/lanes.h"

/* a / (1 + e^-b) */
INLINE lanes lanes_gated(lanes a, lanes b)
{
    lanes power = lanes_exp(lanes_sub(lanes_set(0.0F), b));

    return lanes_div(a, lanes_add(lanes_set(1.0F), power));
}

INLINE lanes lanes_gelu(lanes a)
{
    lanes cube = lanes_mul(lanes_mul(a, a), a);
    lanes inner = lanes_fma(cube, lanes_set(0.044715F), a);

    return lanes_gated(a, lanes_mul(inner, lanes_set(1.5957691216057308F)));
}

static void silu_multiply(float *gate, const float *up, size_t count)
{
    size_t i = 0;

    for (; i + LANES <= count; i += LANES) {
        lanes a = lanes_load(gate + i);

        lanes_store(gate + i, lanes_mul(lanes_gated(a, a), lanes_load(up + i)));
    }
    if (i < count) {
        uint32_t rest = (uint32_t)(count - i);
        lanes a = lanes_load_part(gate + i, rest);

        a = lanes_mul(lanes_gated(a, a), lanes_load_part(up + i, rest));
        lanes_store_part(gate + i, a, rest);
    }
}

static void gelu(float *x, size_t count)
{
    size_t i = 0;

    for (; i + LANES <= count; i += LANES) {
        lanes_store(x + i, lanes_gelu(lanes_load(x + i)));
    }
    if (i < count) {
        uint32_t rest = (uint32_t)(count - i);

        lanes_store_part(x + i, lanes_gelu(lanes_load_part(x + i, rest)), rest);
    }
}

#endif
