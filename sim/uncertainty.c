/* Where the figures are from.  Efficiencies: fits to the kernel tables of an H200, an RTX 4090 and
 * an RTX PRO 6000 leave 3 to 8 % of median error on large products and attention
 * (docs/accuracy.md), and 5 % is taken.  The others are assumptions, not measurements: a tenth for
 * launches and collectives, a quarter for the host, three tenths for ingest and response, which no
 * measurement at hand separates.  What is fixed by the model's shapes or the data sheet (memory) is
 * not drawn.
 */
#include "sim/uncertainty.h"

#include <string.h>

#include "core/base/math.h"

double dyno_timing_spread(const struct dyno_timing_row *row)
{
    static const struct {
        const char *part; /* of the parameter's name; the first that fits counts */
        double spread;
    } spreads[] = {
        {"memory_overhead", 0.0}, {"memory_collective", 0.0},
        {"bytes_per", 0.0},       {"host_", 0.25},
        {"ingest_", 0.30},        {"response_", 0.30},
        {"collective_", 0.10},    {"moe_", 0.10},
        {"efficiency", 0.05},     {"_us", 0.10},
    };

    for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++) {
        if (strstr(row->name, spreads[i].part)) {
            return spreads[i].spread;
        }
    }
    return 0.0;
}

void dyno_timing_draw(struct dyno_timing_parameters *parameters, struct dyno_rng *rng)
{
    for (const struct dyno_timing_row *row = dyno_timing_rows; row->name; row++) {
        double z = dyno_rng_normal(rng); /* also where it is not used: rows keep their draws */
        double value, drawn;

        memcpy(&value, (const char *)parameters + row->offset, sizeof value);
        drawn = value * dyno_exp(dyno_timing_spread(row) * z);
        drawn = drawn < row->min ? row->min : drawn > row->max ? row->max : drawn;
        if (value > 0.0) {
            memcpy((char *)parameters + row->offset, &drawn, sizeof drawn);
        }
    }
}
