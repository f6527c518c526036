#include "cli/scenario/energy.h"

#include <string.h>

dyno_status dyno_energy_check(const struct dyno_scenario *scenario,
                              const struct dyno_options *options, struct dyno_error *error)
{
    static const char *const beside[] = {"cost.idle_share", "cost.gpu_hour", "cost.kwh"};
    char place[192];

    for (size_t i = 0; !scenario->cost.energy && i < sizeof beside / sizeof beside[0]; i++) {
        const struct dyno_option *row = dyno_options_find(options, beside[i]);

        if (!dyno_options_is_initial(options, row)) {
            dyno_option_place(row, dyno_options_origin(options, row), place, sizeof place);
            return dyno_fail(error, DYNO_BAD_INPUT, "%s has no meaning without cost.energy: true",
                             place);
        }
    }
    if (scenario->cost.energy &&
        (strcmp(scenario->run.device, "sim") != 0 || scenario->timing.machine)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "cost.energy goes by what simulated GPUs do: it needs the device sim, and "
                         "no --machine");
    }
    return DYNO_OK;
}

bool dyno_energy_is_priced(const struct dyno_scenario *scenario)
{
    return scenario->cost.gpu_hour_price > 0.0 || scenario->cost.kwh_price > 0.0;
}
