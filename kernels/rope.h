/* Rotary position embeddings (Su et al., 2021): pair i of a head at position p is turned by the
 * angle p frequency[i].
 *
 * frequency[i] = theta^(-2i / head_dim), in double; then scaled by at most one of the rules below.
 * Angles are made in double and their sine and cosine rounded to float, once, into a table; turning
 * a pair is four products and two sums of floats.
 */
#ifndef DYNO_KERNELS_ROPE_H
#define DYNO_KERNELS_ROPE_H

#include <stdbool.h>
#include <stdint.h>

void dyno_rope_frequencies(double theta, uint32_t pairs, double *frequency);

/* Position interpolation: every frequency divided by `factor`. */
void dyno_rope_scale_linear(double factor, uint32_t pairs, double *frequency);

/* Llama 3.1's rule.  With w = original_context frequency / (2 pi), the turns in the context of
 * training: below `low` divided by `factor`, above `high` unchanged, between them
 * (1 - s) frequency / factor + s frequency with s = (w - low) / (high - low). */
void dyno_rope_scale_llama3(double factor, double low, double high, uint32_t original_context,
                            uint32_t pairs, double *frequency);

/* Every frequency divided by a factor of its own. */
void dyno_rope_scale_table(const float *factors, uint32_t pairs, double *frequency);

/* table[position][pair] = {cosine, sine} for positions [0, positions). */
void dyno_rope_table(const double *frequency, uint32_t pairs, uint32_t positions, float *table);

/* Turn one head, 2 x pairs elements, in place by its position's row of the table.  Pair i is
 * elements (2i, 2i + 1) if adjacent, else (i, i + pairs). */
void dyno_rope_turn(float *head, const float *row, uint32_t pairs, bool adjacent);

/* The definition, which dyno_rope_turn meets within 2^-22 of the pair's length. */
void dyno_rope_turn_ref(float *head, const double *frequency, uint32_t position, uint32_t pairs,
                        bool adjacent);

#endif
