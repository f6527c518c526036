#include "cli/machine/validation_moved.h"

#include <inttypes.h>

/* Of whole prompt blocks, in percent; tier 0 is the workers' own memory. */
static double hits_of(const struct dyno_fleet_totals *totals, uint32_t tier)
{
    double own = (double)totals->prompt_blocks_hit;

    if (totals->prompt_blocks == 0) {
        return 0.0;
    }
    for (uint32_t i = 0; i < totals->tier_count; i++) {
        own -= (double)totals->tiers[i].hit_blocks;
    }
    return 100.0 * (tier > 0 ? (double)totals->tiers[tier - 1].hit_blocks : own) /
           (double)totals->prompt_blocks;
}

void dyno_validation_print_moved(const struct dyno_fleet_totals *real,
                                 const struct dyno_fleet_totals *simulated, FILE *out)
{
    (void)fprintf(out, "\n%-11s %12s %12s %11s\n", "KV", "real", "simulated", "difference");
    for (uint32_t i = 0; i <= real->tier_count && i <= simulated->tier_count; i++) {
        double a = hits_of(real, i), b = hits_of(simulated, i);

        (void)fprintf(out, "g%u hits, %% %13.3f %12.3f %+11.3f\n",
                      i == 0 ? 1 : real->tiers[i - 1].level, a, b, b - a);
    }
    if (real->transfers > 0 || simulated->transfers > 0) {
        double a = (double)real->transfer_bytes / 1e6, b = (double)simulated->transfer_bytes / 1e6;

        (void)fprintf(out, "transfers   %12" PRIu64 " %12" PRIu64 " %+11" PRId64 "\n",
                      real->transfers, simulated->transfers,
                      (int64_t)(simulated->transfers - real->transfers));
        (void)fprintf(out, "moved, MB   %12.3f %12.3f %+11.3f\n", a, b, b - a);
    }
}
