#include "cli/machine/validation_figure.h"

#include "cli/values.h"
#include "reports/json_file.h"

struct dyno_validation_figure dyno_validation_figure(double *live, uint32_t repeats,
                                                     double simulated)
{
    struct dyno_values sorted = {.values = live, .count = repeats};

    dyno_values_sort(&sorted);
    return (struct dyno_validation_figure){.real = dyno_values_percentile(&sorted, 0.5),
                                           .least = live[0],
                                           .most = live[repeats - 1],
                                           .simulated = simulated};
}

json_t *dyno_validation_figure_json(const struct dyno_validation_figure *figure)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "real", dyno_json_number(figure->real), "real_least",
                     dyno_json_number(figure->least), "real_most", dyno_json_number(figure->most),
                     "simulated", dyno_json_number(figure->simulated));
}
