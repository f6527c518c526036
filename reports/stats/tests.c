#include "reports/stats/tests.h"

#include <math.h>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "reports/stats/distributions.h"

double dyno_sign_test(uint64_t above, uint64_t below)
{
    uint64_t more = above > below ? above : below;
    double p = 2.0 * dyno_binomial_upper(more, above + below, 0.5);

    return p < 1.0 ? p : 1.0;
}

/* The sum with the sign of difference i turned where bit i of `signs` is set. */
static double turned_sum(const double *differences, uint32_t count, uint64_t signs)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        sum += signs >> i & 1 ? -differences[i] : differences[i];
    }
    return sum;
}

static double random_sum(const double *differences, uint32_t count, struct dyno_rng *rng)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < count; i += 64) {
        uint32_t left = count - i < 64 ? count - i : 64;

        sum += turned_sum(differences + i, left, dyno_rng_u64(rng));
    }
    return sum;
}

double dyno_sign_flip_test(const double *differences, uint32_t count, uint32_t draws, uint64_t seed)
{
    enum { EXACT_MAX = 16 };
    double found = 0.0, size = 0.0, least;
    uint64_t as_far = 0, ways;
    struct dyno_rng rng;

    for (uint32_t i = 0; i < count; i++) {
        found += differences[i];
        size += fabs(differences[i]);
    }
    least = fabs(found) - 1e-12 * size; /* equal sums may differ by their rounding */
    if (count <= EXACT_MAX) {
        ways = (uint64_t)1 << count;
        for (uint64_t signs = 0; signs < ways; signs++) {
            as_far += fabs(turned_sum(differences, count, signs)) >= least;
        }
        return (double)as_far / (double)ways;
    }
    dyno_rng_init(&rng, seed, "stats.sign_flip");
    for (uint32_t i = 0; i < draws; i++) {
        as_far += fabs(random_sum(differences, count, &rng)) >= least;
    }
    return (double)(as_far + 1) / (draws + 1.0);
}

void dyno_holm(double *adjusted, const double *p, uint32_t count)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < count; i++) {
        known += isnan(p[i]) ? 0 : 1;
        adjusted[i] = p[i];
    }
    /* The adjusted value of one is the largest, over those not above it, of p times how many are
     * not below that. */
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            uint32_t below = 0;
            double scaled;

            if (isnan(p[i]) || isnan(p[j]) || p[j] > p[i]) {
                continue;
            }
            for (uint32_t k = 0; k < count; k++) {
                below += p[k] < p[j];
            }
            scaled = p[j] * (known - below);
            adjusted[i] = scaled > adjusted[i] ? scaled : adjusted[i];
        }
        adjusted[i] = adjusted[i] > 1.0 ? 1.0 : adjusted[i];
    }
}

static bool is_enough(double standardised, uint32_t replicates)
{
    double freedom = replicates - 1.0;

    return standardised * dyno_sqrt(replicates) >=
           dyno_t_quantile(0.975, freedom) + dyno_t_quantile(0.8, freedom);
}

uint32_t dyno_replicates_needed(double effect, double deviation)
{
    const uint32_t most = 1000000;
    double standardised = fabs(effect) / deviation;
    uint32_t low = 1, high = 2;

    if (!(standardised > 0.0) || !is_enough(standardised, most)) {
        return standardised > 0.0 && !isfinite(standardised) ? 2 : UINT32_MAX;
    }
    while (!is_enough(standardised, high)) {
        low = high;
        high = high * 2 < most ? high * 2 : most;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (is_enough(standardised, middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}
