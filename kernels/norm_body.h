/* The norms' inner loops (norm.h), for one instruction set (lanes.h). */
#ifndef DYNO_KERNELS_NORM_BODY_H
#define DYNO_KERNELS_NORM_BODY_H

#include <math.h>

#include "kernels/lanes.h"

/* Sum of (x - mean)^2; with `mean` 0, of squares.  Lanes past the end would count mean^2 each, so
 * the last vector is filled up with the mean. */
INLINE float squares_about(const float *x, float mean, uint32_t count)
{
    lanes sum = lanes_set(0.0F), middle = lanes_set(mean);
    uint32_t i = 0;

    for (; i + LANES <= count; i += LANES) {
        lanes a = lanes_sub(lanes_load(x + i), middle);

        sum = lanes_fma(a, a, sum);
    }
    if (i < count) {
        float last[LANES];
        lanes a;

        lanes_store(last, middle);
        memcpy(last, x + i, (count - i) * sizeof(float));
        a = lanes_sub(lanes_load(last), middle);
        sum = lanes_fma(a, a, sum);
    }
    return lanes_sum(sum);
}

INLINE float sum_of(const float *x, uint32_t count)
{
    lanes sum = lanes_set(0.0F);
    uint32_t i = 0;

    for (; i + LANES <= count; i += LANES) {
        sum = lanes_add(sum, lanes_load(x + i));
    }
    if (i < count) {
        sum = lanes_add(sum, lanes_load_part(x + i, count - i));
    }
    return lanes_sum(sum);
}

/* The loops at the end are left to the compiler: each element is one expression, rounded step by
 * step, however it vectorises them. */
static void rms_norm(const float *x, const float *weight, float epsilon, uint32_t count, float *out)
{
    float scale = 1.0F / sqrtf(squares_about(x, 0.0F, count) / (float)count + epsilon);

    for (uint32_t i = 0; i < count; i++) {
        out[i] = x[i] * scale * weight[i];
    }
}

static void layer_norm(const float *x, const float *weight, const float *bias, float epsilon,
                       uint32_t count, float *out)
{
    float mean = sum_of(x, count) / (float)count;
    float scale = 1.0F / sqrtf(squares_about(x, mean, count) / (float)count + epsilon);

    for (uint32_t i = 0; i < count; i++) {
        out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
}

#endif
