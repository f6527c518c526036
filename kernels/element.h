/* What the bytes of a weight matrix mean, element by element.
 *
 * Every element type is exact in float: F16 and BF16 are subsets of it, and a Q8_0 element is the
 * product of an 11-bit and an 8-bit significand.  So a weight has one value, whichever kernel reads
 * it, and products with it are products of floats: activations are never quantised.
 */
#ifndef DYNO_KERNELS_ELEMENT_H
#define DYNO_KERNELS_ELEMENT_H

#include <stdint.h>

#include "kernels/matrix.h"

/* Elements [first, first + count) of row `row` as floats.  This is the definition of every type,
 * and the embedding lookup: first 0, count weights->columns. */
void dyno_matrix_read(const struct dyno_matrix *matrix, uint32_t row, uint32_t first,
                      uint32_t count, float *out);

/* `count` floats as Q8_0 (a multiple of 32): scale = largest magnitude / 127 as binary16, elements
 * rounded to nearest. */
void dyno_q8_0_of_floats(const float *values, uint32_t count, void *out);

#endif
