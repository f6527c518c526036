/* The element-wise functions of an MLP.
 *
 * silu(x) = x / (1 + e^-x); gelu(x) = x / (1 + e^(-2 sqrt(2/pi) (x + 0.044715 x^3))), which is
 * GPT-2's 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
 *
 * The fast versions are dyno_isa's silu_multiply and gelu.  silu differs from this by less than
 * 2^-20 |result| + 2^-120 |x|, the latter times |up|; gelu by less than 2^-16 |result| +
 * 2^-120 |x|, for its argument of e is up to 88 and that to a float's precision.
 */
#ifndef DYNO_KERNELS_ACTIVATION_H
#define DYNO_KERNELS_ACTIVATION_H

#include <stddef.h>

void dyno_silu_multiply_ref(float *gate, const float *up, size_t count); /* gate = silu(gate) up */
void dyno_gelu_ref(float *x, size_t count);                              /* x = gelu(x) */

#endif
