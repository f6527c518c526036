#include "cli/tune/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "reports/gate_metric.h"

struct ratio {
    const char *name;
    unsigned above, below;
};

static const struct ratio ratios[] = {
    {"goodput.fraction", DYNO_TUNE_GOOD, DYNO_TUNE_REQUESTS},
    {"goodput.requests_per_s", DYNO_TUNE_GOOD, DYNO_TUNE_SECONDS},
    {"goodput.per_gpu", DYNO_TUNE_GOOD, DYNO_TUNE_GPU_SECONDS},
    {"throughput.requests_per_s", DYNO_TUNE_COMPLETED, DYNO_TUNE_SECONDS},
    {"throughput.input_tokens_per_s", DYNO_TUNE_PROMPT_TOKENS, DYNO_TUNE_SECONDS},
    {"throughput.output_tokens_per_s", DYNO_TUNE_OUTPUT_TOKENS, DYNO_TUNE_SECONDS},
    {"kv.token_hit_rate", DYNO_TUNE_CACHED_TOKENS, DYNO_TUNE_LOOKED_UP_TOKENS},
    {"kv.preemptions", DYNO_TUNE_PREEMPTIONS, DYNO_TUNE_ONE},
    {"requests.completed", DYNO_TUNE_COMPLETED, DYNO_TUNE_ONE},
    {"requests.rejected", DYNO_TUNE_REJECTED, DYNO_TUNE_ONE},
    {"fleet.gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE},
    {"planner.gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE},
    {"cost.total", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE},
    {"cost.per_million_output_tokens", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_OUTPUT_TOKENS},
};

/* Behind "models.NAME.". */
static const struct ratio model_ratios[] = {
    {"requests", DYNO_TUNE_REQUESTS, DYNO_TUNE_ONE},
    {"completed", DYNO_TUNE_COMPLETED, DYNO_TUNE_ONE},
    {"requests_per_s", DYNO_TUNE_COMPLETED, DYNO_TUNE_SECONDS},
    {"output_tokens_per_s", DYNO_TUNE_OUTPUT_TOKENS, DYNO_TUNE_SECONDS},
    {"goodput_per_s", DYNO_TUNE_GOOD, DYNO_TUNE_SECONDS},
    {"goodput_fraction", DYNO_TUNE_GOOD, DYNO_TUNE_REQUESTS},
    {"token_hit_rate", DYNO_TUNE_CACHED_TOKENS, DYNO_TUNE_LOOKED_UP_TOKENS},
    {"gpu_hours", DYNO_TUNE_GPU_SECONDS, DYNO_TUNE_ONE},
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
            out->is_cost = strncmp(name, "cost.", 5) == 0;
            out->times = out->is_cost && out->below == DYNO_TUNE_OUTPUT_TOKENS ? 1e6 : 1.0;
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
