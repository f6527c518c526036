/* Groups of parameters, each fitted to the samples that show them. */
#include "sim/fit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/math.h"
#include "sim/uncertainty.h"

enum {
    GROUP_MAX = 8,
    USED_MAX = 4000,
    ROUNDS = 500,
    SAMPLES_PER_PARAMETER = 4,
};

#define DETERMINED_WITHIN 0.5 /* a relative standard error above this is no determination */

/* ---- which samples show which parameters ----------------------------------------------------- */

static bool is_gemm(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_GEMM && sample->dtype != DYNO_FP8;
}

static bool is_gemm_fp8(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_GEMM && sample->dtype == DYNO_FP8;
}

/* Prompts alone and decodes alone share a floor, and so a group. */
static bool is_attention(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_ATTENTION &&
           (sample->prompts == 0 || sample->decodes == 0) && sample->dtype != DYNO_FP8;
}

static bool is_decode_fp8(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_ATTENTION && sample->prompts == 0 &&
           sample->dtype == DYNO_FP8;
}

static bool is_mixed(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_ATTENTION && sample->decodes > 0 && sample->prompts > 0;
}

static bool is_all_reduce(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_ALL_REDUCE;
}

static bool is_elementwise(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_ELEMENTWISE;
}

static bool is_sampler(const struct dyno_kernel_sample *sample)
{
    return sample->kernel == DYNO_KERNEL_SAMPLER;
}

static const struct group {
    bool (*shows)(const struct dyno_kernel_sample *sample);
    const char *names[GROUP_MAX];
} groups[] = {
    {is_gemm,
     {"gemm_flops_efficiency", "gemm_memory_efficiency", "gemm_launch_us", "gemm_tile_us",
      "gemm_wave_tail", "gemm_split_us"}},
    {is_gemm_fp8,
     {"quantize_us", "quantize_row_us", "quantize_memory_efficiency", "gemm_fp8_efficiency",
      "gemm_fp8_wave_tail", "gemm_fp8_ragged_factor"}},
    {is_attention,
     {"attention_launch_us", "decode_attention_efficiency", "decode_attention_tile_us",
      "prefill_attention_efficiency", "prefill_attention_row_us", "prefill_attention_rows",
      "prefill_attention_kv_efficiency", "decode_attention_combine_us"}},
    {is_decode_fp8, {"decode_attention_fp8_factor", "attention_fp8_us"}},
    {is_mixed, {"mixed_attention_tile_rows", "mixed_attention_empty_us"}},
    {is_all_reduce, {"collective_latency_us", "collective_efficiency"}},
    {is_elementwise, {"elementwise_us_per_layer", "elementwise_memory_efficiency"}},
    {is_sampler, {"sampling_us", "sampling_us_per_sequence"}},
};

/* ---- one group ------------------------------------------------------------------------------- */

struct problem {
    struct dyno_timing_config config;
    const struct dyno_timing_row *rows[GROUP_MAX];
    uint32_t count;
    const struct dyno_kernel_sample **samples; /* [sample_count] */
    uint32_t *clusters;                        /* [sample_count] */
    size_t sample_count;
    uint32_t cluster_count;
};

static const struct dyno_timing_row *row_of(const char *name)
{
    const struct dyno_timing_row *row = dyno_timing_rows;

    while (row->name && strcmp(row->name, name) != 0) {
        row++;
    }
    return row;
}

static double *place_of(struct dyno_timing_parameters *parameters,
                        const struct dyno_timing_row *row)
{
    return (double *)(void *)((char *)parameters + row->offset);
}

/* Parameters are searched by their logarithms; one that is 0 begins a little above. */
static double coordinate(double value)
{
    enum { SMALL_DENOMINATOR = 20 };

    return dyno_log(value > 0 ? value : 1.0 / SMALL_DENOMINATOR);
}

static void apply(struct dyno_timing_config *config, const struct problem *problem,
                  const double *at)
{
    for (uint32_t i = 0; i < problem->count; i++) {
        const struct dyno_timing_row *row = problem->rows[i];
        double value = dyno_exp(at[i]);

        value = value < row->min ? row->min : value;
        *place_of(&config->parameters, row) = value > row->max ? row->max : value;
    }
}

/* ---- samples that are alike ------------------------------------------------------------------ */

/* Whole powers of four below `value`. */
static uint64_t size_class(double value)
{
    uint64_t class = 0;

    while (value >= 4) {
        value /= 4;
        class ++;
    }
    return class;
}

/* What a model gets wrong of one sample it gets wrong of those with the same key. */
static uint64_t key_of(const struct dyno_kernel_sample *sample)
{
    uint64_t key = dyno_mix((uint64_t)sample->kernel);

    switch (sample->kernel) {
    case DYNO_KERNEL_GEMM:
        key = dyno_mix(key ^ size_class(sample->rows));
        return dyno_mix(key ^ ((uint64_t)sample->columns << 32 | (uint64_t)sample->depth));
    case DYNO_KERNEL_ATTENTION:
        key = dyno_mix(key ^ ((uint64_t)sample->heads << 40 | (uint64_t)sample->kv_heads << 20 |
                              (uint64_t)sample->head_dim));
        key = dyno_mix(key ^ (size_class(sample->prompts) << 16 | size_class(sample->decodes)));
        return dyno_mix(key ^ (size_class(sample->prompt_tokens) << 32 |
                               size_class(sample->prompt_context) << 16 |
                               size_class(sample->decode_context)));
    case DYNO_KERNEL_ALL_REDUCE:
        return dyno_mix(key ^ ((uint64_t)sample->gpus << 32 | size_class(sample->bytes)));
    case DYNO_KERNEL_ELEMENTWISE:
    case DYNO_KERNEL_SAMPLER:
        return dyno_mix(key ^ size_class(sample->rows));
    }
    return key;
}

static int by_key(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Number the keys of the problem's samples into problem->clusters. */
static dyno_status cluster(struct problem *problem)
{
    uint64_t *keys = malloc(problem->sample_count * sizeof *keys), key;
    uint32_t count = 0;

    if (!keys) {
        return DYNO_NO_MEMORY;
    }
    for (size_t i = 0; i < problem->sample_count; i++) {
        keys[i] = key_of(problem->samples[i]);
    }
    qsort(keys, problem->sample_count, sizeof *keys, by_key);
    for (size_t i = 0; i < problem->sample_count; i++) {
        if (i == 0 || keys[i] != keys[count - 1]) {
            keys[count++] = keys[i];
        }
    }
    for (size_t i = 0; i < problem->sample_count; i++) {
        key = key_of(problem->samples[i]);
        problem->clusters[i] =
            (uint32_t)((uint64_t *)bsearch(&key, keys, count, sizeof key, by_key) - keys);
    }
    problem->cluster_count = count;
    free(keys);
    return DYNO_OK;
}

/* ---- fitting --------------------------------------------------------------------------------- */

static dyno_status find_errors(void *context, const double *at, double *out,
                               struct dyno_error *error)
{
    const struct problem *problem = context;
    struct dyno_timing_config config = problem->config;

    (void)error;
    apply(&config, problem, at);
    for (size_t i = 0; i < problem->sample_count; i++) {
        out[i] = dyno_log(dyno_kernel_us(&config, problem->samples[i]) / problem->samples[i]->us);
    }
    return DYNO_OK;
}

static void keep(struct dyno_fit *fit, const struct problem *problem,
                 const struct dyno_regression_result *result)
{
    struct dyno_timing_config config = problem->config;

    apply(&config, problem, result->at);
    for (uint32_t i = 0; i < problem->count; i++) {
        const struct dyno_timing_row *row = problem->rows[i];
        bool determined = result->determined[i] == DYNO_DETERMINED;
        double *after = place_of(&config.parameters, row);
        double before = *place_of(&fit->parameters, row);

        *after = determined ? *after : before;
        fit->fitted[fit->fitted_count++] = (struct dyno_fitted){
            .row = row,
            .before = before,
            .after = *after,
            .determined = result->determined[i],
            .standard_error = determined ? dyno_sqrt(result->covariance[i][i]) : -1,
            .samples = determined ? (uint32_t)problem->sample_count : 0,
            .groups = problem->cluster_count,
            .error_percent = determined ? 100 * result->mean_error : 0,
        };
    }
    fit->parameters = config.parameters;
}

static dyno_status fit_group(struct dyno_fit *fit, struct problem *problem,
                             struct dyno_error *error)
{
    struct dyno_regression regression = {
        .count = problem->count,
        .sample_count = problem->sample_count,
        .clusters = problem->clusters,
        .cluster_count = problem->cluster_count,
        .samples_min = SAMPLES_PER_PARAMETER,
        .errors = find_errors,
        .context = problem,
        .step = 0.3,
        .slope_step = 0.02,
        .rounds = ROUNDS,
    };
    struct dyno_regression_result result;

    for (uint32_t i = 0; i < problem->count; i++) {
        regression.start[i] = coordinate(*place_of(&problem->config.parameters, problem->rows[i]));
        regression.limit[i] = DETERMINED_WITHIN;
        regression.prior[i] = dyno_timing_spread(problem->rows[i]);
    }
    DYNO_TRY(dyno_regression_fit(&result, &regression, error));
    keep(fit, problem, &result);
    return DYNO_OK;
}

/* The group's samples, thinned evenly if there are very many.  Returns how many. */
static size_t choose(const struct group *group, const struct dyno_kernel_sample *samples,
                     size_t sample_count, const struct dyno_kernel_sample **chosen)
{
    size_t all = 0, seen = 0, count = 0;

    for (size_t i = 0; i < sample_count; i++) {
        all += group->shows(&samples[i]);
    }
    for (size_t i = 0; i < sample_count; i++) {
        if (group->shows(&samples[i])) {
            /* Sample `seen` of `all` is taken where its share of USED_MAX moves on. */
            if (all <= USED_MAX || (seen + 1) * USED_MAX / all > seen * USED_MAX / all) {
                chosen[count++] = &samples[i];
            }
            seen++;
        }
    }
    return count;
}

static dyno_status check(const struct dyno_kernel_sample *samples, size_t count,
                         struct dyno_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!(samples[i].us > 0 && samples[i].us < 1e9)) {
            return dyno_fail(error, DYNO_BAD_INPUT, "measurement %zu took %g us", i + 1,
                             samples[i].us);
        }
    }
    return DYNO_OK;
}

static dyno_status fit_groups(struct dyno_fit *out, const struct dyno_timing_config *config,
                              struct problem *problem, const struct dyno_kernel_sample *samples,
                              size_t sample_count, struct dyno_error *error)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        problem->config = *config;
        problem->config.parameters = out->parameters;
        problem->sample_count = choose(&groups[i], samples, sample_count, problem->samples);
        problem->count = 0;
        while (problem->count < GROUP_MAX && groups[i].names[problem->count]) {
            problem->rows[problem->count] = row_of(groups[i].names[problem->count]);
            problem->count++;
        }
        if (problem->sample_count > 0) {
            DYNO_TRY(cluster(problem));
            DYNO_TRY(fit_group(out, problem, error));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_fit_kernels(struct dyno_fit *out, const struct dyno_timing_config *config,
                             const struct dyno_kernel_sample *samples, size_t sample_count,
                             struct dyno_error *error)
{
    size_t room = sample_count < USED_MAX ? sample_count + 1 : USED_MAX + 1;
    struct problem problem = {.count = 0};
    dyno_status status;

    DYNO_TRY(check(samples, sample_count, error));
    *out = (struct dyno_fit){.parameters = config->parameters};
    problem.samples = calloc(room, sizeof(void *)); /* of samples, which are elsewhere */
    problem.clusters = malloc(room * sizeof *problem.clusters);
    status = problem.samples && problem.clusters
                 ? fit_groups(out, config, &problem, samples, sample_count, error)
                 : DYNO_NO_MEMORY;
    free(problem.samples);
    free(problem.clusters);
    return status == DYNO_NO_MEMORY ? dyno_fail(error, status, "out of memory") : status;
}
