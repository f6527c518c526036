/* Rotary position embeddings (Su et al., 2021): pair i of a head at position p is turned by the
 * angle p frequency[i].
 *
 * frequency[i] = theta^(-2i / head_dim), in double; then scaled by at most one of the rules below.
 * Angles are made in double and their sine and cosine rounded to float, once, into a table; turning
 * a pair is four products and two sums of floats.  YaRN also makes every pair `length` times as
 * long; for the others that is 1.
 */
#ifndef DYNO_KERNELS_ROPE_H
#define DYNO_KERNELS_ROPE_H

#include <stdbool.h>
#include <stdint.h>

/* frequency [pairs], head_dim being 2 x pairs. */
void dyno_rope_frequencies(double theta, uint32_t pairs, double *frequency);

/* Position interpolation: every frequency divided by `factor`. */
void dyno_rope_scale_linear(double factor, uint32_t pairs, double *frequency);

/* Llama 3.1's rule.  With w = original_context frequency / (2 pi), the turns in the context of
 * training: below `low` divided by `factor`, above `high` unchanged, between them
 * (1 - s) frequency / factor + s frequency with s = (w - low) / (high - low). */
void dyno_rope_scale_llama3(double factor, double low, double high, uint32_t original_context,
                            uint32_t pairs, double *frequency);

/* YaRN (Peng et al., 2023, arXiv:2309.00071, "NTK-by-parts"), as transformers'
 * _compute_yarn_parameters and llama.cpp's rope_yarn have it. */
struct dyno_rope_yarn {
    double theta;              /* of the frequencies; above 1 */
    double factor;             /* the context is so many times the one of training; >= 1 */
    double beta_fast;          /* pairs that turn more often than this in it are left, ... */
    double beta_slow;          /* ... those that turn less often divided by the factor */
    uint32_t original_context; /* tokens, of training */
    bool exact;                /* the bounds between those are not rounded to whole pairs */
};

/* A pair that turns n times in the context of training is at
 *   d(n) = pairs ln(original_context / (2 pi n)) / ln(theta).
 * With low = d(beta_fast) rounded down and at least 0, high = d(beta_slow) rounded up and at most
 * 2 pairs - 1 (and at least low + 0.001), pair i becomes
 * s frequency / factor + (1 - s) frequency, with s = (i - low) / (high - low) within [0, 1]. */
void dyno_rope_scale_yarn(const struct dyno_rope_yarn *yarn, uint32_t pairs, double *frequency);

/* 0.1 m ln(factor) + 1: the length that the paper gives pairs (m = 1). */
double dyno_rope_yarn_length(double factor, double m);

/* Every frequency divided by a factor of its own. */
void dyno_rope_scale_table(const float *factors, uint32_t pairs, double *frequency);

/* table[position][pair] = length x {cosine, sine} for positions [0, positions). */
void dyno_rope_table(const double *frequency, double length, uint32_t pairs, uint32_t positions,
                     float *table);

/* Turn one head, 2 x pairs elements, in place by its position's row of the table.  Pair i is
 * elements (2i, 2i + 1) if adjacent, else (i, i + pairs). */
void dyno_rope_turn(float *head, const float *row, uint32_t pairs, bool adjacent);

/* The definition, which dyno_rope_turn meets within 2^-22 of the pair's length. */
void dyno_rope_turn_ref(float *head, const double *frequency, double length, uint32_t position,
                        uint32_t pairs, bool adjacent);

#endif
