/* The norms' definition. */
#include "kernels/norm.h"

#include <math.h>

void dyno_rms_norm_ref(const float *x, const float *weight, double epsilon, uint32_t count,
                       float *out)
{
    double sum = 0.0, scale;

    for (uint32_t i = 0; i < count; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    scale = 1.0 / sqrt(sum / count + epsilon);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (float)((double)x[i] * scale * (double)weight[i]);
    }
}

void dyno_layer_norm_ref(const float *x, const float *weight, const float *bias, double epsilon,
                         uint32_t count, float *out)
{
    double sum = 0.0, squares = 0.0, mean, scale;

    for (uint32_t i = 0; i < count; i++) {
        sum += (double)x[i];
    }
    mean = sum / count;
    for (uint32_t i = 0; i < count; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    scale = 1.0 / sqrt(squares / count + epsilon);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (float)(((double)x[i] - mean) * scale * (double)weight[i] + (double)bias[i]);
    }
}
