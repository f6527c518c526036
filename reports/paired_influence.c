#include "reports/paired_influence.h"

void dyno_paired_influence_ratio(double *out, double times, const double *above,
                                 const double *below, uint32_t places)
{
    double over = 0.0, under = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        over += above[i];
        under += below[i];
    }
    for (uint32_t i = 0; i < places && under > 0.0; i++) {
        out[i] += times * (above[i] - over / under * below[i]) / (under / places);
    }
}

/* How much of a value a share is worth, from a share below it to one as far above. */
static double width_at(const struct dyno_paired_ranked *ranked, double share)
{
    double reach = share < 0.5 ? share / 2.0 : (1.0 - share) / 2.0;

    reach = reach > 0.05 ? 0.05 : reach;
    return (dyno_paired_ranked_at(ranked, share + reach) -
            dyno_paired_ranked_at(ranked, share - reach)) /
           (2.0 * reach);
}

void dyno_paired_influence_quantile(double *out, double times, double quantile,
                                    const struct dyno_paired_ranked *ranked, uint32_t places)
{
    double value, scale, within = 0.0;

    if (ranked->count == 0) {
        return;
    }
    value = dyno_paired_ranked_at(ranked, quantile);
    scale = times * width_at(ranked, quantile) / ((double)ranked->count / places);
    for (uint32_t i = 0; i < ranked->count && ranked->sorted[i].value <= value; i++) {
        out[ranked->sorted[i].place] -= scale; /* the more there are below, the less it is */
        within += 1.0;
    }
    for (uint32_t i = 0; i < places; i++) {
        out[i] += scale * within / ranked->count * ranked->counts[i];
    }
}
