#include "reports/stats/noise.h"

#include <assert.h>

#include "core/base/math.h"
#include "reports/stats/distributions.h"

struct dyno_noise_verdict dyno_noise_judge(const double *first, const double *head,
                                           const double *second, uint32_t rounds, double alpha)
{
    double squares = 0.0, base = 0.0, effect = 0.0;
    struct dyno_noise_verdict out;

    assert(rounds >= 2 && alpha > 0.0 && alpha < 1.0);
    for (uint32_t i = 0; i < rounds; i++) {
        double middle = (first[i] + second[i]) / 2.0;

        squares += (second[i] - first[i]) * (second[i] - first[i]);
        base += middle / rounds;
        effect += (head[i] - middle) / rounds;
    }
    out.base = base;
    out.head = base + effect;
    out.threshold = dyno_t_quantile(1.0 - alpha / 2.0, rounds) *
                    dyno_sqrt(squares / (2.0 * rounds) * 1.5 / rounds);
    out.differs = effect > out.threshold || effect < -out.threshold;
    return out;
}
