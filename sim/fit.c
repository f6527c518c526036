/* Groups of parameters, each fitted to the samples that show them. */
#include "sim/fit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "sim/simplex.h"

enum { GROUP_MAX = 8, USED_MAX = 4000, ROUNDS = 500, SAMPLES_PER_PARAMETER = 4 };

#define DETERMINED_WITHIN 0.5 /* a relative standard error above this is no determination */
#define HUGE_ERROR        1e6
#define EFFECT_MIN        0.01 /* so much of the time, at least, must change with a parameter */

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
      "gemm_wave_tail"}},
    {is_gemm_fp8,
     {"quantize_us", "quantize_memory_efficiency", "gemm_fp8_wave_tail", "gemm_fp8_ragged_factor"}},
    {is_attention,
     {"attention_launch_us", "decode_attention_efficiency", "decode_attention_tile_us",
      "prefill_attention_efficiency", "prefill_attention_row_us", "prefill_attention_rows",
      "prefill_attention_kv_efficiency"}},
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
    size_t sample_count;
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

static double log_error(const struct dyno_timing_config *config,
                        const struct dyno_kernel_sample *sample)
{
    return dyno_log(dyno_kernel_us(config, sample) / sample->us);
}

static double mean_error(const struct dyno_timing_config *config, const struct problem *problem)
{
    double sum = 0;

    for (size_t i = 0; i < problem->sample_count; i++) {
        double error = log_error(config, problem->samples[i]);

        sum += error < 0 ? -error : error;
    }
    return sum / (double)problem->sample_count;
}

static double value_at(const void *context, const double *at)
{
    const struct problem *problem = context;
    struct dyno_timing_config config = problem->config;

    apply(&config, problem, at);
    return mean_error(&config, problem);
}

/* ---- how well it is determined --------------------------------------------------------------- */

/* How the samples' logarithms change with the parameters': the sums of products, over samples. */
static void add_products(const struct problem *problem, const double *at,
                         double products[GROUP_MAX][GROUP_MAX])
{
    enum { STEPS_PER_UNIT = 50 };

    for (size_t sample = 0; sample < problem->sample_count; sample++) {
        double slopes[GROUP_MAX];

        for (uint32_t i = 0; i < problem->count; i++) {
            struct dyno_timing_config up = problem->config, down = problem->config;
            double shifted[GROUP_MAX];

            memcpy(shifted, at, sizeof shifted);
            shifted[i] = at[i] + 1.0 / STEPS_PER_UNIT;
            apply(&up, problem, shifted);
            shifted[i] = at[i] - 1.0 / STEPS_PER_UNIT;
            apply(&down, problem, shifted);
            slopes[i] = dyno_log(dyno_kernel_us(&up, problem->samples[sample]) /
                                 dyno_kernel_us(&down, problem->samples[sample])) *
                        STEPS_PER_UNIT / 2;
        }
        for (uint32_t i = 0; i < problem->count; i++) {
            for (uint32_t j = 0; j < problem->count; j++) {
                products[i][j] += slopes[i] * slopes[j];
            }
        }
    }
}

/* Gauss and Jordan; false: singular. */
static bool invert(double matrix[GROUP_MAX][GROUP_MAX], uint32_t count)
{
    for (uint32_t pivot = 0; pivot < count; pivot++) {
        double divisor = matrix[pivot][pivot];

        if (!(divisor > 1e-9)) {
            return false;
        }
        matrix[pivot][pivot] = 1;
        for (uint32_t j = 0; j < count; j++) {
            matrix[pivot][j] /= divisor;
        }
        for (uint32_t i = 0; i < count; i++) {
            double factor = matrix[i][pivot];

            if (i == pivot) {
                continue;
            }
            matrix[i][pivot] = 0;
            for (uint32_t j = 0; j < count; j++) {
                matrix[i][j] -= factor * matrix[pivot][j];
            }
        }
    }
    return true;
}

/* Relative standard errors at `at`.  A parameter without effect gets a huge one; so do all if they
 * cannot be told apart, the one with the least effect the largest. */
static void standard_errors(const struct problem *problem, const double *at, double error,
                            double *out)
{
    double products[GROUP_MAX][GROUP_MAX] = {{0}}, inverse[GROUP_MAX][GROUP_MAX];
    double spread = 1.2533 * error; /* of a normal law with this mean absolute error */
    bool apart;

    add_products(problem, at, products);
    memcpy(inverse, products, sizeof inverse);
    apart = invert(inverse, problem->count);
    for (uint32_t i = 0; i < problem->count; i++) {
        double effect = dyno_sqrt(products[i][i] / (double)problem->sample_count);

        out[i] = spread * dyno_sqrt(apart && inverse[i][i] > 0 ? inverse[i][i] : 0);
        if (!apart || effect < EFFECT_MIN) {
            out[i] = HUGE_ERROR / (effect + 1e-9);
        }
    }
}

/* ---- fitting --------------------------------------------------------------------------------- */

static double search(const struct problem *problem, double *at)
{
    struct dyno_simplex_problem simplex = {
        .count = problem->count,
        .value = value_at,
        .context = problem,
        .step = 0.3,
        .rounds = ROUNDS,
    };

    (void)dyno_simplex(&simplex, at);
    simplex.step = 0.1; /* once more, from where it got stuck */
    return dyno_simplex(&simplex, at);
}

/* Leave out the parameter that is determined worst. */
static void drop(struct dyno_fit *fit, struct problem *problem, uint32_t which)
{
    const struct dyno_timing_row *row = problem->rows[which];
    double value = *place_of(&problem->config.parameters, row);

    fit->fitted[fit->fitted_count++] =
        (struct dyno_fitted){.row = row, .before = value, .after = value, .standard_error = -1};
    problem->count--;
    memmove(&problem->rows[which], &problem->rows[which + 1],
            (problem->count - which) * sizeof(const struct dyno_timing_row *));
}

static uint32_t worst_of(const double *errors, uint32_t count)
{
    uint32_t worst = 0;

    for (uint32_t i = 1; i < count; i++) {
        worst = errors[i] >= errors[worst] ? i : worst; /* of equals, the one named last */
    }
    return worst;
}

static void keep(struct dyno_fit *fit, struct problem *problem, const double *at, double error,
                 const double *errors)
{
    struct dyno_timing_config config = problem->config;

    apply(&config, problem, at);
    for (uint32_t i = 0; i < problem->count; i++) {
        fit->fitted[fit->fitted_count++] = (struct dyno_fitted){
            .row = problem->rows[i],
            .before = *place_of(&problem->config.parameters, problem->rows[i]),
            .after = *place_of(&config.parameters, problem->rows[i]),
            .standard_error = errors[i],
            .samples = (uint32_t)problem->sample_count,
            .error_percent = 100 * error,
        };
    }
    fit->parameters = config.parameters;
}

static void fit_group(struct dyno_fit *fit, struct problem *problem)
{
    while (problem->count > 0) {
        double at[GROUP_MAX] = {0}, errors[GROUP_MAX] = {0};
        double error;
        uint32_t worst;

        for (uint32_t i = 0; i < problem->count; i++) {
            at[i] = coordinate(*place_of(&problem->config.parameters, problem->rows[i]));
        }
        error = search(problem, at);
        standard_errors(problem, at, error, errors);
        worst = worst_of(errors, problem->count);
        if (errors[worst] <= DETERMINED_WITHIN &&
            problem->sample_count >= (size_t)SAMPLES_PER_PARAMETER * problem->count) {
            keep(fit, problem, at, error, errors);
            return;
        }
        drop(fit, problem, worst);
    }
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

dyno_status dyno_fit_kernels(struct dyno_fit *out, const struct dyno_timing_config *config,
                             const struct dyno_kernel_sample *samples, size_t sample_count,
                             struct dyno_error *error)
{
    const struct dyno_kernel_sample **chosen;

    DYNO_TRY(check(samples, sample_count, error));
    chosen = malloc((sample_count < USED_MAX ? sample_count + 1 : USED_MAX + 1) *
                    sizeof(const struct dyno_kernel_sample *));
    if (!chosen) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    *out = (struct dyno_fit){.parameters = config->parameters};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        struct problem problem = {.config = *config, .samples = chosen};

        problem.config.parameters = out->parameters;
        problem.sample_count = choose(&groups[i], samples, sample_count, chosen);
        while (problem.count < GROUP_MAX && groups[i].names[problem.count]) {
            problem.rows[problem.count] = row_of(groups[i].names[problem.count]);
            problem.count++;
        }
        if (problem.sample_count > 0) {
            fit_group(out, &problem);
        }
    }
    free(chosen);
    return DYNO_OK;
}
