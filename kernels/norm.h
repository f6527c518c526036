/* Normalisation of one row of activations.
 *
 * RMSNorm (Zhang and Sennrich, 2019): out[i] = x[i] / sqrt(mean(x^2) + epsilon) weight[i].
 * LayerNorm (Ba, Kiros and Hinton, 2016): out[i] = (x[i] - mean) / sqrt(variance + epsilon)
 * weight[i] + bias[i], the variance that of the population.
 *
 * The fast versions are dyno_isa's rms_norm and layer_norm; out may be x.  They differ from these
 * by less than 2^-19 of the largest |out[i]|, each weight taken as 1 at least, for up to 16384
 * elements.
 */
#ifndef DYNO_KERNELS_NORM_H
#define DYNO_KERNELS_NORM_H

#include <stdint.h>

/* x, weight, bias and out are [count]; in double, rounded at the end.  out may be x. */
void dyno_rms_norm_ref(const float *x, const float *weight, double epsilon, uint32_t count,
                       float *out);
void dyno_layer_norm_ref(const float *x, const float *weight, const float *bias, double epsilon,
                         uint32_t count, float *out);

#endif
