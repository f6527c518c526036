#include "backends/engine/pass_costs.h"

#include <stdlib.h>

static const double learn_weight = 1.0 / 16;

enum { PROBE_ROUNDS = 3 };

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

/* The fastest of a few. */
static double time_pass(const struct dyno_pass_probe *probe, const uint32_t *table,
                        uint32_t context, uint32_t tokens)
{
    dyno_ns least = DYNO_NEVER;

    for (uint32_t i = 0; i < PROBE_ROUNDS; i++) {
        dyno_ns began = probe->now(probe->clock), took;

        probe->run(probe->context, table, context, tokens);
        took = probe->now(probe->clock) - began;
        least = took < least ? took : least;
    }
    return (double)least;
}

static uint32_t least_of(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

dyno_status dyno_pass_costs_measure(struct dyno_pass_costs *out,
                                    const struct dyno_pass_probe *probe, struct dyno_error *error)
{
    uint32_t positions = least_of(probe->positions, (uint64_t)probe->blocks * probe->block_tokens);
    uint32_t tokens = least_of(least_of(DYNO_PASS_PROBE_TOKENS, probe->rows_max), positions / 2);
    uint32_t context = least_of(DYNO_PASS_PROBE_CONTEXT, positions - tokens);
    uint32_t blocks = (DYNO_PASS_PROBE_CONTEXT + DYNO_PASS_PROBE_TOKENS) / probe->block_tokens + 1;
    uint32_t *table;
    double one, many;

    if (tokens < 2 || context == 0) {
        return DYNO_OK;
    }
    table = calloc(blocks, sizeof *table);
    if (!table) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to measure passes");
    }
    for (uint32_t i = 0; i < blocks && i < probe->blocks; i++) {
        table[i] = i;
    }
    one = time_pass(probe, table, 0, 1);
    many = time_pass(probe, table, 0, tokens);
    *out =
        dyno_pass_costs_from(one, many, time_pass(probe, table, context, tokens), tokens, context);
    free(table);
    return DYNO_OK;
}
