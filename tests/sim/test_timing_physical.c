/* Predictions for models and GPUs that were never measured stay within physics: no pass multiplies
 * faster than peak or reads faster than the pins, none is absurdly slow, and more of anything
 * useful never hurts. */
#include "sim/timing.h"

#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"

enum { SEQUENCES = 64, CONTEXT = 4096, PROMPT = 8192 };

struct setup {
    const char *model, *gpu;
    uint32_t tp;
    enum dyno_dtype weights, kv;
};

/* On none of these were parameters fitted, but for the kernels of the H200. */
static const struct setup setups[] = {
    {"llama-3.1-70b", "h100", 8, DYNO_BF16, DYNO_BF16},
    {"llama-3.1-70b", "h100", 4, DYNO_FP8, DYNO_FP8},
    {"llama-3.1-405b", "h200", 8, DYNO_FP8, DYNO_FP8},
    {"llama-3.1-8b", "b200", 1, DYNO_BF16, DYNO_BF16},
    {"llama-3.1-70b", "b200", 2, DYNO_FP8, DYNO_FP8},
    {"llama-3.1-8b", "a100", 1, DYNO_BF16, DYNO_BF16},
    {"qwen3-32b", "a100", 2, DYNO_BF16, DYNO_BF16},
    {"llama-3.1-8b", "l40s", 1, DYNO_BF16, DYNO_BF16},
    {"llama-3.1-70b", "mi300x", 1, DYNO_BF16, DYNO_BF16},
    {"mixtral-8x7b", "h100", 2, DYNO_BF16, DYNO_BF16},
    {"qwen3-235b-a22b", "h200", 8, DYNO_FP8, DYNO_BF16},
    {"gpt-oss-120b", "h100", 2, DYNO_INT4, DYNO_BF16},
    {"deepseek-v3", "h200", 8, DYNO_FP8, DYNO_BF16},
};

static struct dyno_timing_config config_of(const struct setup *setup)
{
    struct dyno_timing_config config = {
        .model = *dyno_model_find(setup->model),
        .gpu = *dyno_gpu_find(setup->gpu),
        .weights = setup->weights,
        .kv = setup->kv,
        .tp = setup->tp,
        .seqs_max = SEQUENCES,
        .batch_tokens_max = PROMPT,
    };

    dyno_timing_defaults(&config.parameters, &config.gpu);
    return config;
}

static double seconds_of(const struct dyno_timing_config *config, const struct dyno_pass *pass)
{
    struct dyno_timing *timing;
    struct dyno_pass_cost cost;
    struct dyno_error error;

    ck_assert_msg(dyno_timing_open(&timing, config, &error) == DYNO_OK, "%s", error.text);
    dyno_timing_cost(timing, pass, &cost);
    dyno_timing_close(timing);
    return (double)cost.first / (double)DYNO_TICKS_PER_NS * 1e-9;
}

static double decode_seconds(const struct dyno_timing_config *config, uint32_t sequences,
                             uint64_t context)
{
    struct dyno_pass pass = {.steps_max = 1,
                             .decode = true,
                             .decode_count = sequences,
                             .decode_context = sequences * context};

    return seconds_of(config, &pass);
}

static double prompt_seconds(const struct dyno_timing_config *config, uint32_t tokens)
{
    struct dyno_slice slice = {.tokens = tokens, .yields = true};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};

    return seconds_of(config, &pass);
}

/* What a decode pass must read: the weights that its tokens reach, and all keys and values. */
static double bandwidth_used(const struct dyno_timing_config *config, uint32_t sequences,
                             uint64_t context)
{
    double weights = dyno_model_bytes_per_step(&config->model, config->weights, sequences);
    double token =
        (double)dyno_model_kv_bytes_per_token_per_gpu(&config->model, config->kv, config->tp) /
        config->model.layers * dyno_model_full_layers(&config->model);
    double bytes = weights / config->tp + token * (double)(sequences * context);

    return bytes / decode_seconds(config, sequences, context) / config->gpu.memory_bytes_per_s;
}

START_TEST(decodes_read_no_faster_than_the_pins_and_not_idly)
{
    const struct setup *setup = &setups[_i];
    struct dyno_timing_config config = config_of(setup);
    double alone = bandwidth_used(&config, 1, CONTEXT);
    double many = bandwidth_used(&config, SEQUENCES, CONTEXT);

    printf("%-16s %-7s tp %u: %2.0f %% of bandwidth alone, %2.0f %% with %d\n", setup->model,
           setup->gpu, setup->tp, 100 * alone, 100 * many, SEQUENCES);
    ck_assert_double_lt(alone, 1);
    ck_assert_double_lt(many, 1);
    ck_assert_double_gt(many, 0.2);
}
END_TEST

START_TEST(prompts_multiply_no_faster_than_peak_and_not_idly)
{
    const struct setup *setup = &setups[_i];
    struct dyno_timing_config config = config_of(setup);
    double flops = PROMPT * dyno_model_flops_per_token(&config.model) +
                   (double)PROMPT * (PROMPT + 1) / 2 * dyno_model_flops_per_pair(&config.model);
    double share =
        flops / config.tp / prompt_seconds(&config, PROMPT) / config.gpu.flops[setup->weights];

    printf("%-16s %-7s tp %u: %2.0f %% of peak\n", setup->model, setup->gpu, setup->tp,
           100 * share);
    ck_assert_double_lt(share, 0.9);
    ck_assert_double_gt(share, 0.1);
}
END_TEST

START_TEST(more_work_takes_longer_and_more_gpus_do_not)
{
    struct dyno_timing_config config = config_of(&setups[_i]);
    struct dyno_timing_config wide = config;

    ck_assert_double_lt(decode_seconds(&config, 1, CONTEXT),
                        decode_seconds(&config, SEQUENCES, CONTEXT));
    ck_assert_double_lt(decode_seconds(&config, SEQUENCES, CONTEXT),
                        decode_seconds(&config, SEQUENCES, 2 * CONTEXT));
    ck_assert_double_lt(prompt_seconds(&config, PROMPT / 2), prompt_seconds(&config, PROMPT));
    /* Half as many tokens in less than 0.7 of the time: large prompts are work, not overhead. */
    ck_assert_double_lt(prompt_seconds(&config, PROMPT / 2), 0.7 * prompt_seconds(&config, PROMPT));
    wide.tp *= 2;
    ck_assert_double_lt(prompt_seconds(&wide, PROMPT), prompt_seconds(&config, PROMPT));
}
END_TEST

/* The same silicon with more bandwidth; twice the weights' width; a generation later. */
START_TEST(better_gpus_and_narrower_weights_are_faster)
{
    struct setup setup = {"llama-3.1-70b", "h100", 4, DYNO_BF16, DYNO_BF16};
    struct dyno_timing_config h100 = config_of(&setup), h200, b200, a100, fp8;

    setup.gpu = "h200";
    h200 = config_of(&setup);
    setup.gpu = "b200";
    b200 = config_of(&setup);
    setup.gpu = "a100";
    a100 = config_of(&setup);
    setup.gpu = "h100";
    setup.weights = DYNO_FP8;
    fp8 = config_of(&setup);
    for (uint32_t sequences = 1; sequences <= SEQUENCES; sequences *= 4) {
        double base = decode_seconds(&h100, sequences, CONTEXT);

        ck_assert_double_lt(decode_seconds(&h200, sequences, CONTEXT), base);
        ck_assert_double_lt(decode_seconds(&b200, sequences, CONTEXT),
                            decode_seconds(&h200, sequences, CONTEXT));
        ck_assert_double_gt(decode_seconds(&a100, sequences, CONTEXT), base);
        ck_assert_double_lt(decode_seconds(&fp8, sequences, CONTEXT), base);
    }
    ck_assert_double_lt(prompt_seconds(&b200, PROMPT), prompt_seconds(&h100, PROMPT));
    ck_assert_double_gt(prompt_seconds(&a100, PROMPT), prompt_seconds(&h100, PROMPT));
    ck_assert_double_lt(prompt_seconds(&fp8, PROMPT), prompt_seconds(&h100, PROMPT));
    fp8.static_scales = true;
    ck_assert_double_lt(prompt_seconds(&fp8, PROMPT), 0.7 * prompt_seconds(&h100, PROMPT));
}
END_TEST

/* Every model on every GPU: what nobody measured, and nobody looked at. */
static uint32_t table_sizes(uint32_t *models)
{
    uint32_t gpus = 0;

    for (*models = 0; dyno_model_table[*models].name[0]; ++*models) {
    }
    while (dyno_gpu_table[gpus].name[0]) {
        gpus++;
    }
    return gpus;
}

static uint32_t all_pairs(void)
{
    uint32_t models, gpus = table_sizes(&models);

    return gpus * models;
}

/* On as many GPUs as the weights need half of, a power of two that the heads can be shared by. */
static struct dyno_timing_config any_config(uint32_t number, enum dyno_dtype weights)
{
    uint32_t models, gpus = table_sizes(&models);
    const struct dyno_model *model = &dyno_model_table[number / gpus % models];
    struct setup setup = {model->name, dyno_gpu_table[number % gpus].name, 1, weights, DYNO_BF16};
    struct dyno_timing_config config = config_of(&setup);

    while ((double)dyno_model_weight_bytes_per_gpu(model, weights, config.tp) >
               0.5 * (double)config.gpu.memory_bytes &&
           model->heads % (2 * config.tp) == 0) {
        config.tp *= 2;
    }
    return config;
}

static double share_of_peak(const struct dyno_timing_config *config, uint32_t tokens)
{
    double flops = tokens * dyno_model_flops_per_token(&config->model) +
                   (double)tokens * (tokens + 1) / 2 * dyno_model_flops_per_pair(&config->model);

    return flops / config->tp / prompt_seconds(config, tokens) / config->gpu.flops[config->weights];
}

static const char *name_of(const struct dyno_timing_config *config)
{
    static char name[200];

    (void)snprintf(name, sizeof name, "%s on %u %s, %s", config->model.name, config->tp,
                   config->gpu.name, dyno_dtype_name(config->weights));
    return name;
}

START_TEST(nothing_on_any_gpu_beats_its_peaks)
{
    struct dyno_timing_config config = any_config((uint32_t)_i / 3, (enum dyno_dtype)(_i % 3));

    for (uint32_t tokens = 1; tokens <= 4 * PROMPT; tokens *= 4) {
        double share = share_of_peak(&config, tokens);

        ck_assert_msg(share < 1, "%s: %u tokens at %.2f of peak", name_of(&config), tokens, share);
    }
    for (uint32_t sequences = 1; sequences <= 4 * SEQUENCES; sequences *= 4) {
        for (uint32_t context = 16; context <= 16 * CONTEXT; context *= 16) {
            double share = bandwidth_used(&config, sequences, context);

            ck_assert_msg(share < 1, "%s: %u sequences of %u at %.2f of bandwidth",
                          name_of(&config), sequences, context, share);
        }
    }
}
END_TEST

/* Of the time of a smaller pass, what a larger one takes at least: kernels gain when their tiles
 * fill the GPU better, but not a tenth; those of fp8 copy rows beyond the end of a matrix slowly
 * (768 rows take 65 % of the time of 513 in the H200's table). */
static double least_share(const struct dyno_timing_config *config)
{
    bool multiplies_fp8 =
        config->weights == DYNO_FP8 && config->gpu.flops[DYNO_FP8] > config->gpu.flops[DYNO_BF16];

    return multiplies_fp8 ? 0.65 : 0.9;
}

/* Passes of more tokens, of more sequences and of longer contexts take no less time. */
START_TEST(more_of_anything_takes_no_less_time_on_any_gpu)
{
    struct dyno_timing_config config = any_config((uint32_t)_i / 3, (enum dyno_dtype)(_i % 3));
    double longest = 0, most = 0, deepest = 0, least = least_share(&config);

    for (uint32_t tokens = 1; tokens <= 2 * PROMPT; tokens += 1 + tokens / 5) {
        double seconds = prompt_seconds(&config, tokens);

        ck_assert_msg(seconds > least * longest,
                      "%s: a prompt of %u tokens takes %g s, a shorter %g", name_of(&config),
                      tokens, seconds, longest);
        longest = seconds > longest ? seconds : longest;
    }
    for (uint32_t sequences = 1; sequences <= 4 * SEQUENCES; sequences += 1 + sequences / 5) {
        double seconds = decode_seconds(&config, sequences, CONTEXT);

        ck_assert_msg(seconds > least * most, "%s: %u decodes take %g s, fewer %g",
                      name_of(&config), sequences, seconds, most);
        most = seconds > most ? seconds : most;
    }
    for (uint32_t context = 1; context <= 32 * CONTEXT; context *= 2) {
        double seconds = decode_seconds(&config, SEQUENCES, context);

        ck_assert_msg(seconds >= deepest, "%s: contexts of %u", name_of(&config), context);
        deepest = seconds;
    }
}
END_TEST

/* A large prompt is multiplied at a plausible share of peak, and many decodes read at one; in one
 * machine: between more GPUs than that it is links that count. */
START_TEST(large_passes_are_not_idle_on_any_gpu)
{
    struct dyno_timing_config config = any_config((uint32_t)_i, DYNO_BF16);
    double prompt = share_of_peak(&config, PROMPT);
    double decode = bandwidth_used(&config, SEQUENCES, CONTEXT);

    if (config.tp > 8) {
        return;
    }
    ck_assert_msg(prompt > 0.05, "%s: prompts at %.2f of peak", name_of(&config), prompt);
    ck_assert_msg(decode > 0.15, "%s: decodes at %.2f of bandwidth", name_of(&config), decode);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timing physical");
    int count = sizeof setups / sizeof setups[0];
    int all = (int)all_pairs();

    tcase_add_loop_test(tc, decodes_read_no_faster_than_the_pins_and_not_idly, 0, count);
    tcase_add_loop_test(tc, prompts_multiply_no_faster_than_peak_and_not_idly, 0, count);
    tcase_add_loop_test(tc, more_work_takes_longer_and_more_gpus_do_not, 0, count);
    tcase_add_loop_test(tc, nothing_on_any_gpu_beats_its_peaks, 0, 3 * all);
    tcase_add_loop_test(tc, more_of_anything_takes_no_less_time_on_any_gpu, 0, 3 * all);
    tcase_add_loop_test(tc, large_passes_are_not_idle_on_any_gpu, 0, all);
    tcase_add_test(tc, better_gpus_and_narrower_weights_are_faster);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/timing physical", add_cases)
