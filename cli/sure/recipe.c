#include "cli/sure/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "reports/gate_metric.h"

struct ratio {
    const char *name;
    unsigned above, below;
    double times; /* of the ratio */
};

static const struct ratio ratios[] = {
    {"goodput.fraction", DYNO_TUNE_GOOD, DYNO_TUNE_REQUESTS, 1.0},
    {"goodput.requests_per_s", DYNO_TUNE_GOOD, DYNO_TUNE_SECONDS, 1.0},
    {"goodput.per_gpu", DYNO_TUNE_GOOD, DYNO_TUNE_GPU_SECONDS, 1.0},
    {"throughput.requests_per_s", DYNO_TUNE_COMPLETED, DYNO_TUNE_SECONDS, 1.0},
    {"throughput.input_tokens_per_s", DYNO_TUNE_PROMPT_TOKENS, DYNO_TUNE_SECONDS, 1.0},
    {"throughput.output_tokens_per_s", DYNO_TUNE_OUTPUT_TOKENS, DYNO_TUNE_SECONDS, 1.0},
    {"kv.token_hit_rate", DYNO_TUNE_CACHED_TOKENS, DYNO_TUNE_LOOKED_UP_TOKENS, 1.0},
    {"kv.preemptions", DYNO_TUNE_PREEMPTIONS, DYNO_TUNE_ONE, 1.0},
    {"requests.completed", DYNO_TUNE_COMPLETED, DYNO_TUNE_ONE, 1.0},
    {"requests.rejected", DYNO_TUNE_REJECTED, DYNO_TUNE_ONE, 1.0},
    {"fleet.gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE, 1.0 / 3600.0},
    {"planner.gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE, 1.0 / 3600.0},
    {"cost.gpu_watts", DYNO_TUNE_KWH, DYNO_TUNE_GPU_SECONDS, 3.6e6},
    {"cost.energy_kwh", DYNO_TUNE_KWH, DYNO_TUNE_ONE, 1.0},
    {"cost.total", DYNO_TUNE_COST, DYNO_TUNE_ONE, 1.0},
    {"cost.per_million_output_tokens", DYNO_TUNE_COST, DYNO_TUNE_OUTPUT_TOKENS, 1e6},
};

/* Behind "models.NAME.". */
static const struct ratio model_ratios[] = {
    {"requests", DYNO_TUNE_REQUESTS, DYNO_TUNE_ONE, 1.0},
    {"completed", DYNO_TUNE_COMPLETED, DYNO_TUNE_ONE, 1.0},
    {"requests_per_s", DYNO_TUNE_COMPLETED, DYNO_TUNE_SECONDS, 1.0},
    {"output_tokens_per_s", DYNO_TUNE_OUTPUT_TOKENS, DYNO_TUNE_SECONDS, 1.0},
    {"goodput_per_s", DYNO_TUNE_GOOD, DYNO_TUNE_SECONDS, 1.0},
    {"goodput_fraction", DYNO_TUNE_GOOD, DYNO_TUNE_REQUESTS, 1.0},
    {"token_hit_rate", DYNO_TUNE_CACHED_TOKENS, DYNO_TUNE_LOOKED_UP_TOKENS, 1.0},
    {"gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE, 1.0 / 3600.0},
};

static const char *const latencies[] = {
    [DYNO_PAIRED_TTFT] = "ttft_ms.",
    [DYNO_PAIRED_TPOT] = "tpot_ms.",
    [DYNO_PAIRED_E2E] = "e2e_ms.",
    [DYNO_PAIRED_QUEUE] = "phases_ms.queue.",
};

static void take_ratio(struct dyno_tune_recipe *out, const struct ratio *rows, size_t count,
                       const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            out->above = rows[i].above;
            out->below = rows[i].below;
            out->times = rows[i].times;
        }
    }
}

struct dyno_tune_recipe dyno_tune_recipe_of(const char *name)
{
    struct dyno_tune_recipe recipe = {.quantile = -1.0, .times = 1.0};
    uint32_t model = dyno_gate_metric_model_length(name);

    if (model > 0) {
        name += model + 8; /* behind "models.NAME." */
        take_ratio(&recipe, model_ratios, sizeof model_ratios / sizeof model_ratios[0], name);
    } else {
        take_ratio(&recipe, ratios, sizeof ratios / sizeof ratios[0], name);
    }
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        size_t length = strlen(latencies[i]);

        if (strncmp(name, latencies[i], length) != 0 || strcmp(name + length, "max") == 0) {
            continue;
        }
        recipe.latency = (enum dyno_paired_kind)i;
        recipe.above = DYNO_TUNE_LATENCIES + 2 * i;
        recipe.below = recipe.above + 1;
        if (name[length] == 'p') {
            recipe.quantile = strtod(name + length + 1, NULL) / 100.0;
        }
    }
    return recipe;
}
