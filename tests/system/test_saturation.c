/* Servers that are asked for far more than they can do, against closed forms: what comes out is
 * less than memory, bandwidth and multipliers allow, and not absurdly less, on models, GPUs and
 * engines that were never measured together.
 *
 * Out of a server of `tp` GPUs come at most B tokens a step, with B as many sequences as memory
 * holds, and a step takes at least as long as its weights and keys and values are read; and no more
 * requests than the multipliers do whose prompts and answers are computed at peak. */
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { INPUT = 1000, OUTPUT = 400, REQUESTS = 4000 };

struct setup {
    const char *model, *gpu, *weights;
    uint32_t tp;
};

static const struct setup setups[] = {
    {"llama-3.1-8b", "l40s", "bf16", 1},     {"llama-3.1-8b", "b200", "bf16", 1},
    {"llama-3.1-8b", "h100-pcie", "fp8", 1}, {"llama-3.1-70b", "h100", "bf16", 4},
    {"llama-3.1-70b", "mi300x", "bf16", 1},  {"qwen3-32b", "a100", "bf16", 2},
    {"mixtral-8x7b", "h200", "bf16", 1},     {"gpt-oss-120b", "h100", "int4", 2},
    {"deepseek-v3", "b200", "fp8", 8},       {"qwen3-8b", "rtx4090", "bf16", 1},
};

static const char *const engines[] = {"vllm", "sglang", "trtllm"};

enum { SETUPS = sizeof setups / sizeof setups[0], ENGINES = 3 };

static enum dyno_dtype dtype_of(const char *name)
{
    return strcmp(name, "bf16") == 0 ? DYNO_BF16 : strcmp(name, "fp8") == 0 ? DYNO_FP8 : DYNO_INT4;
}

/* Tokens of answers a second that memory and its bandwidth allow: all sequences at the start of
 * their answers, when they take the least. */
static double by_memory(const struct setup *setup)
{
    const struct dyno_model *model = dyno_model_find(setup->model);
    const struct dyno_gpu *gpu = dyno_gpu_find(setup->gpu);
    enum dyno_dtype weights = dtype_of(setup->weights);
    double token = (double)dyno_model_kv_bytes_per_token_per_gpu(model, DYNO_BF16, setup->tp);
    double left = (double)gpu->memory_bytes -
                  (double)dyno_model_weight_bytes_per_gpu(model, weights, setup->tp);
    double sequences = left / (token * INPUT);
    double window = token * dyno_model_full_layers(model) / model->layers;
    double bytes = dyno_model_bytes_per_step(model, weights, sequences) / setup->tp +
                   sequences * INPUT * window;

    return sequences / (bytes / gpu->memory_bytes_per_s);
}

static double by_multipliers(const struct setup *setup)
{
    const struct dyno_model *model = dyno_model_find(setup->model);
    double peak = dyno_gpu_find(setup->gpu)->flops[dtype_of(setup->weights)] * setup->tp;

    return OUTPUT * peak / ((INPUT + OUTPUT) * dyno_model_flops_per_token(model));
}

static double answered_per_s(const struct setup *setup, const char *engine)
{
    const struct dyno_metrics *metrics;
    struct rig rig;
    char line[512];
    double rate;

    (void)snprintf(line, sizeof line,
                   "replay --engine %s --model %s --gpu %s --tp %u --weights %s --arrival "
                   "constant:1000000 --input-tokens %d --output-tokens %d --requests %d --set "
                   "kv.prefix_cache=false --sample-every never --db none",
                   engine, setup->model, setup->gpu, setup->tp, setup->weights, INPUT, OUTPUT,
                   REQUESTS);
    rig_run(&rig, line, NULL);
    metrics = &rig.assembly.metrics;
    ck_assert_uint_eq(metrics->completed, REQUESTS);
    rate = (double)metrics->completed_output_tokens /
           ((double)(metrics->last_event_ns - metrics->first_arrival_ns) * 1e-9);
    rig_close(&rig);
    return rate;
}

START_TEST(a_saturated_server_is_bound_by_memory_and_multipliers)
{
    const struct setup *setup = &setups[_i / ENGINES];
    const char *engine = engines[_i % ENGINES];
    double memory = by_memory(setup), multipliers = by_multipliers(setup);
    double rate = answered_per_s(setup, engine);
    double bound = memory < multipliers ? memory : multipliers;
    double one_after_the_other = 1 / (1 / memory + 1 / multipliers);

    printf("%-7s %-14s %u %-9s %-4s: %6.0f tokens/s, %2.0f %% of the bound %.0f, %2.0f %% of one "
           "after the other\n",
           engine, setup->model, setup->tp, setup->gpu, setup->weights, rate, 100 * rate / bound,
           bound, 100 * rate / one_after_the_other);
    ck_assert_double_lt(rate, bound);
    ck_assert_double_gt(rate, 0.15 * one_after_the_other);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("saturation");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, a_saturated_server_is_bound_by_memory_and_multipliers, 0,
                        SETUPS * ENGINES);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/saturation", add_cases)
