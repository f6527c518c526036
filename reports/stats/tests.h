/* Tests of hypotheses, and how much data they would need. */
#ifndef DYNO_REPORTS_STATS_TESTS_H
#define DYNO_REPORTS_STATS_TESTS_H

#include <stdbool.h>
#include <stdint.h>

/* The sign test, two-sided: how likely it is that of the pairs that differ so many or more are on
 * one side if either side were equally likely.  1 where none differ. */
double dyno_sign_test(uint64_t above, uint64_t below);

/* The permutation test of paired differences, two-sided: the share of all ways to turn their signs
 * that give a sum as far from 0 as theirs, or farther.  All 2^count ways where count <= 16, else
 * `draws` random ones and the ways as they are.  Exact whatever the distribution, if differences
 * are independent (means of blocks are, nearly). */
double dyno_sign_flip_test(const double *differences, uint32_t count, uint32_t draws,
                           uint64_t seed);

/* Holm, 1979: fill `adjusted` [count] so that rejecting every hypothesis whose adjusted value is
 * below alpha rejects any true one with a probability of at most alpha, however they depend on each
 * other.  A NAN stays one and is not counted. */
void dyno_holm(double *adjusted, const double *p, uint32_t count);

/* The fewest independent replicates, 2 or more, with which a two-sided test at 5 % finds a true
 * difference of `effect` with probability 0.8, where replicates deviate by `deviation`:
 *   effect / (deviation / sqrt(n)) >= t(0.975; n - 1) + t(0.8; n - 1).
 * UINT32_MAX: more than a million. */
uint32_t dyno_replicates_needed(double effect, double deviation);

#endif
