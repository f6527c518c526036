/* Random numbers: the generator, and the distributions drawn from it.
 *
 * A distribution may take a varying number of draws (rejection), which is why every purpose has a
 * stream of its own.
 */
#include "core/base/rng.h"

#include <assert.h>

#include "core/base/map.h"
#include "core/base/math.h"

/* FNV-1a. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
    }
    return hash;
}

/* The next output of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int count)
{
    return (x << count) | (x >> (64 - count));
}

/* Uniform in (0, 1]: safe to take the logarithm of. */
static double unit_above_zero(struct dyno_rng *rng)
{
    return 1.0 - dyno_rng_unit(rng);
}

/* The seed is mixed before the name's hash is folded in, so that neighbouring seeds do not meet
 * neighbouring hashes.  Four outputs of SplitMix64 in a row are never all zero. */
void dyno_rng_init(struct dyno_rng *rng, uint64_t seed, const char *purpose)
{
    uint64_t state = dyno_mix(seed + 0x9e3779b97f4a7c15ULL) ^ name_hash(purpose);

    for (int i = 0; i < 4; i++) {
        rng->state[i] = splitmix(&state);
    }
}

uint64_t dyno_rng_u64(struct dyno_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The upper half of draw * bound is uniform once the few draws whose lower half falls below
 * 2^64 mod bound are drawn again (Lemire, 2019). */
uint64_t dyno_rng_below(struct dyno_rng *rng, uint64_t bound)
{
    unsigned __int128 scaled;

    assert(bound > 0);
    scaled = (unsigned __int128)dyno_rng_u64(rng) * bound;
    if ((uint64_t)scaled < bound) {
        uint64_t floor = (0 - bound) % bound;

        while ((uint64_t)scaled < floor) {
            scaled = (unsigned __int128)dyno_rng_u64(rng) * bound;
        }
    }
    return (uint64_t)(scaled >> 64);
}

double dyno_rng_unit(struct dyno_rng *rng)
{
    return (double)(dyno_rng_u64(rng) >> 11) * 0x1p-53;
}

double dyno_rng_exponential(struct dyno_rng *rng)
{
    return -dyno_log(unit_above_zero(rng));
}

/* The ratio of uniforms (Kinderman and Monahan, 1977): a point (u, v) uniform in a box around the
 * region v^2 <= -4 u^2 log u gives v / u.  About 1.37 tries. */
double dyno_rng_normal(struct dyno_rng *rng)
{
    const double width = 1.7155277699214135; /* sqrt(8 / e): twice the largest v */

    for (;;) {
        double u = unit_above_zero(rng);
        double value = width * (dyno_rng_unit(rng) - 0.5) / u;

        if (value * value <= -4.0 * dyno_log(u)) {
            return value;
        }
    }
}

/* Marsaglia and Tsang, 2000: d (1 + c x)^3 of a normal x is nearly gamma; the test makes it so. */
static double gamma_at_least_one(struct dyno_rng *rng, double shape)
{
    double d = shape - 1.0 / 3.0;
    double c = 1.0 / dyno_sqrt(9.0 * d);

    for (;;) {
        double x = dyno_rng_normal(rng);
        double root = 1.0 + c * x;
        double cube = root * root * root;
        double u = unit_above_zero(rng);

        if (root > 0 && dyno_log(u) < 0.5 * x * x + d - d * cube + d * dyno_log(cube)) {
            return d * cube;
        }
    }
}

/* Below one, a gamma of shape + 1 is scaled down by a uniform to the power 1 / shape. */
double dyno_rng_gamma(struct dyno_rng *rng, double shape)
{
    assert(shape > 0);
    if (shape < 1.0) {
        double above = gamma_at_least_one(rng, shape + 1.0);

        return above * dyno_pow(unit_above_zero(rng), 1.0 / shape);
    }
    return gamma_at_least_one(rng, shape);
}
