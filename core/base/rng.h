/* Random numbers: one stream per purpose, split from the seed by name, so that adding a stream
 * moves no other.  The generator is xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64.
 */
#ifndef DYNO_CORE_BASE_RNG_H
#define DYNO_CORE_BASE_RNG_H

#include <stdint.h>

struct dyno_rng {
    uint64_t state[4];
};

/* The stream called `purpose` of those that `seed` has. */
void dyno_rng_init(struct dyno_rng *rng, uint64_t seed, const char *purpose);

uint64_t dyno_rng_u64(struct dyno_rng *rng);
/* Uniform in [0, bound); bound > 0. */
uint64_t dyno_rng_below(struct dyno_rng *rng, uint64_t bound);
double dyno_rng_unit(struct dyno_rng *rng);                /* uniform in [0, 1), 53 bits */
double dyno_rng_exponential(struct dyno_rng *rng);         /* mean 1 */
double dyno_rng_normal(struct dyno_rng *rng);              /* mean 0, deviation 1 */
double dyno_rng_gamma(struct dyno_rng *rng, double shape); /* scale 1; shape > 0 */

#endif
