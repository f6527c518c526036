/* The activations' definition. */
#include "kernels/activation.h"

#include <math.h>

void dyno_silu_multiply_ref(float *gate, const float *up, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x = (double)gate[i];

        gate[i] = (float)(x / (1.0 + exp(-x)) * (double)up[i]);
    }
}

void dyno_gelu_ref(float *x, size_t count)
{
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */

    for (size_t i = 0; i < count; i++) {
        double a = (double)x[i];

        x[i] = (float)(a / (1.0 + exp(-2.0 * root * (a + 0.044715 * a * a * a))));
    }
}
