#include "backends/engine/pass_costs.h"

static const double learn_weight = 1.0 / 16;

double dyno_pass_costs_plain_ns(const struct dyno_pass_costs *costs, const struct dyno_pass *pass)
{
    double rows = pass->decode_count, pairs = (double)pass->decode_context;

    for (uint32_t i = 0; i < pass->slice_count; i++) {
        double tokens = pass->slices[i].tokens;

        rows += tokens;
        pairs += tokens * pass->slices[i].first + tokens * (tokens + 1.0) / 2.0;
    }
    return costs->base_ns + costs->row_ns * rows + costs->pair_ns * pairs;
}

static double scale_of(const struct dyno_pass_costs *costs)
{
    return costs->scale > 0.0 ? costs->scale : 1.0;
}

dyno_ns dyno_pass_costs_predict(const struct dyno_pass_costs *costs, const struct dyno_pass *pass)
{
    double ns = scale_of(costs) * dyno_pass_costs_plain_ns(costs, pass);

    return ns > 1.0 ? (dyno_ns)ns : 1;
}

void dyno_pass_costs_learn(struct dyno_pass_costs *costs, double plain_ns, dyno_ns took_ns)
{
    double scale = scale_of(costs);

    if (plain_ns > 0.0) {
        costs->scale = scale + learn_weight * ((double)took_ns / plain_ns - scale);
    }
}

static double at_least(double value, double least)
{
    return value > least ? value : least;
}

struct dyno_pass_costs dyno_pass_costs_from(double one_ns, double many_ns, double late_ns,
                                            uint32_t tokens, uint32_t context)
{
    double count = tokens, pairs = count * (count + 1.0) / 2.0;
    struct dyno_pass_costs costs = {.scale = 1.0};

    costs.pair_ns = at_least((late_ns - many_ns) / (count * context), 0.0);
    costs.row_ns =
        at_least((many_ns - one_ns - costs.pair_ns * (pairs - 1.0)) / (count - 1.0), 0.0);
    costs.base_ns = at_least(one_ns - costs.row_ns - costs.pair_ns, 1.0);
    return costs;
}
