/* Kernel by kernel: the defaults against the tables that they were fitted to, so in-sample, and
 * against tables that they were not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy/accuracy.h"
#include "cli/fit/kernel_tables.h"
#include "core/base/array.h"
#include "core/base/map.h"

#define PROFILE "meta-llama/Llama-3.1-8B/bf16/tp1/"

enum { KINDS = 9, SERVED_MIN = 1024 };

static const char *const kind_names[KINDS] = {"GEMM bf16, n and k >= 1024",
                                              "GEMM bf16, all",
                                              "GEMM fp8, n and k >= 1024",
                                              "GEMM fp8, all",
                                              "attention of prompts",
                                              "attention of decodes, bf16 KV",
                                              "attention of decodes, fp8 KV",
                                              "attention of both at once",
                                              "all-reduce"};

static const struct source {
    const char *gpu, *folder;
    const char *files[4];
} sources[] = {
    {"h200",
     "h200/",
     {"gemm_vllm_0.24.0__gemm_perf.csv.gz", "attention_vllm_0.24.0__context_attention_perf.csv.gz",
      "attention_vllm_0.24.0__generation_attention_perf.csv.gz",
      "comm_vllm_0.24.0__custom_allreduce_perf.csv.gz"}},
    {"rtx4090", "profile/RTX4090/" PROFILE, {"dense.csv", "per_sequence.csv", "attention.csv"}},
    {"rtx-pro-6000",
     "profile/RTXPRO6000/" PROFILE,
     {"dense.csv", "per_sequence.csv", "attention.csv"}},
};

/* The kinds that a sample counts towards, as bits. */
static unsigned kinds_of(const struct dyno_kernel_sample *sample)
{
    bool served = sample->columns >= SERVED_MIN && sample->depth >= SERVED_MIN;

    switch (sample->kernel) {
    case DYNO_KERNEL_GEMM:
        return sample->dtype == DYNO_FP8 ? (served ? 12 : 8) : (served ? 3 : 2);
    case DYNO_KERNEL_ATTENTION:
        return sample->prompts > 0 && sample->decodes > 0 ? 128
               : sample->prompts > 0                      ? 16
               : sample->dtype == DYNO_FP8                ? 64
                                                          : 32;
    case DYNO_KERNEL_ALL_REDUCE:
        return 256;
    case DYNO_KERNEL_ELEMENTWISE:
    case DYNO_KERNEL_SAMPLER:
        return 0;
    }
    return 0;
}

/* Errors of points, as logarithms, with the shape that each is of. */
struct shape_error {
    uint64_t shape;
    double error;
};

struct shape_errors {
    struct shape_error *items;
    uint32_t count, capacity;
};

/* What one table says of one GPU. */
struct comparison {
    const char *gpu;
    struct dyno_kernel_samples samples;
    struct dyno_errors kinds[KINDS];   /* of all samples, by the defaults */
    struct dyno_errors held[KINDS];    /* of half of the shapes, by a fit to the other half */
    struct shape_errors shapes[KINDS]; /* the same */
};

static struct dyno_timing_config config_of(const char *gpu)
{
    struct dyno_timing_config config = {
        .model = *dyno_model_find("llama-3.1-8b"),
        .gpu = *dyno_gpu_find(gpu),
        .tp = 1,
        .seqs_max = 1,
        .batch_tokens_max = 1,
    };

    dyno_timing_defaults(&config.parameters, &config.gpu);
    return config;
}

/* All rows of a matrix are one shape, all contexts of a set of heads where there are several sets.
 */
static uint64_t shape_of(const struct dyno_kernel_sample *sample, bool one_model)
{
    uint64_t key = dyno_mix((uint64_t)sample->kernel + 1);

    key = dyno_mix(key ^ (uint64_t)sample->columns << 32 ^ (uint64_t)sample->depth);
    key = dyno_mix(key ^ (uint64_t)sample->heads << 32 ^ (uint64_t)sample->kv_heads);
    key = dyno_mix(key ^ (uint64_t)sample->bytes);
    if (one_model && sample->kernel == DYNO_KERNEL_ATTENTION) {
        key = dyno_mix(key ^ (uint64_t)sample->prompt_tokens << 32 ^
                       (uint64_t)sample->prompt_context);
        key = dyno_mix(key ^ (uint64_t)sample->decodes << 32 ^ (uint64_t)sample->decode_context);
    }
    return key;
}

static bool is_one_model(const struct comparison *comparison)
{
    return strcmp(comparison->gpu, "h200") != 0;
}

/* ---- by shape -------------------------------------------------------------------------------- */

static bool add_shape(struct shape_errors *shapes, uint64_t shape, double error)
{
    if (!dyno_array_reserve(&shapes->items, &shapes->capacity, shapes->count + 1U,
                            sizeof *shapes->items)) {
        return false;
    }
    shapes->items[shapes->count++] = (struct shape_error){.shape = shape, .error = error};
    return true;
}

static int by_shape(const void *a, const void *b)
{
    const struct shape_error *left = a, *right = b;

    return (left->shape > right->shape) - (left->shape < right->shape);
}

/* How many shapes there are, and the root mean square of their mean errors, in percent. */
static uint32_t spread_of_shapes(struct shape_errors *shapes, double *spread)
{
    uint32_t count = 0;
    double squares = 0;

    if (shapes->count > 0) {
        qsort(shapes->items, shapes->count, sizeof *shapes->items, by_shape);
    }
    for (uint32_t i = 0; i < shapes->count;) {
        uint32_t first = i;
        double sum = 0;

        while (i < shapes->count && shapes->items[i].shape == shapes->items[first].shape) {
            sum += shapes->items[i++].error;
        }
        squares += (sum / (i - first)) * (sum / (i - first));
        count++;
    }
    *spread = count > 0 ? 100 * sqrt(squares / count) : 0;
    return count;
}

/* ---- one GPU --------------------------------------------------------------------------------- */

static dyno_status score(struct dyno_errors *kinds, const struct dyno_timing_config *config,
                         const struct dyno_kernel_sample *samples, size_t count,
                         struct dyno_error *error)
{
    /* Of one set of heads all points are alike. */
    for (size_t i = 0; i < count; i++) {
        double us = dyno_kernel_us(config, &samples[i]);

        for (unsigned kind = 0; kind < KINDS; kind++) {
            if ((kinds_of(&samples[i]) >> kind & 1) &&
                !dyno_errors_add(&kinds[kind], us, samples[i].us, shape_of(&samples[i], false))) {
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
            }
        }
    }
    return DYNO_OK;
}

static dyno_status score_shapes(struct comparison *comparison,
                                const struct dyno_timing_config *config, size_t first,
                                struct dyno_error *error)
{
    for (size_t i = first; i < comparison->samples.count; i++) {
        const struct dyno_kernel_sample *sample = &comparison->samples.items[i];
        double off = log(dyno_kernel_us(config, sample) / sample->us);

        for (unsigned kind = 0; kind < KINDS; kind++) {
            if ((kinds_of(sample) >> kind & 1) &&
                !add_shape(&comparison->shapes[kind], shape_of(sample, is_one_model(comparison)),
                           off)) {
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
            }
        }
    }
    return DYNO_OK;
}

/* Move what is held out to the end; how many come before. */
static size_t partition(struct dyno_kernel_samples *samples, bool one_model)
{
    size_t kept = 0;

    for (size_t i = 0; i < samples->count; i++) {
        struct dyno_kernel_sample sample = samples->items[i];

        if (!(shape_of(&sample, one_model) & 1)) {
            samples->items[i] = samples->items[kept];
            samples->items[kept++] = sample;
        }
    }
    return kept;
}

static dyno_status compare(struct comparison *comparison, struct dyno_error *error)
{
    struct dyno_kernel_samples *samples = &comparison->samples;
    struct dyno_timing_config config = config_of(comparison->gpu);
    struct dyno_fit *fit = NULL;
    dyno_status status = score(comparison->kinds, &config, samples->items, samples->count, error);
    size_t kept;

    if (status != DYNO_OK || samples->count == 0) {
        return status;
    }
    fit = calloc(1, sizeof *fit);
    if (!fit) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    kept = partition(samples, is_one_model(comparison));
    status = dyno_fit_kernels(fit, &config, samples->items, kept, error);
    if (status == DYNO_OK) {
        config.parameters = fit->parameters;
        status =
            score(comparison->held, &config, samples->items + kept, samples->count - kept, error);
    }
    if (status == DYNO_OK) {
        status = score_shapes(comparison, &config, kept, error);
    }
    free(fit);
    return status;
}

static void print(const struct dyno_accuracy *accuracy, struct comparison *comparison)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct dyno_error_figures figures = dyno_errors_figures(&comparison->kinds[kind]);
        struct dyno_error_figures held = dyno_errors_figures(&comparison->held[kind]);
        double spread;
        uint32_t shapes = spread_of_shapes(&comparison->shapes[kind], &spread);

        char in[DYNO_MAPE_TEXT_MAX], out[DYNO_MAPE_TEXT_MAX];
        char by_shape[64] = " | "; /* of single points there is nothing to say */

        if (shapes < held.count) {
            (void)snprintf(by_shape, sizeof by_shape, "%u | %.1f", shapes, spread);
        }
        if (figures.count > 0) {
            (void)fprintf(accuracy->out,
                          "| %s, %s | %u | %s | %.1f | %.1f | %+.1f | %u | %s | %s |\n",
                          comparison->gpu, kind_names[kind], figures.count,
                          dyno_mape_text(in, &figures), figures.median, figures.p90, figures.bias,
                          held.count, dyno_mape_text(out, &held), by_shape);
        }
    }
}

static dyno_status section(const struct dyno_accuracy *accuracy, const struct source *source,
                           struct dyno_error *error)
{
    const struct dyno_model *model = dyno_model_find("llama-3.1-8b");
    struct comparison comparison = {.gpu = source->gpu};
    dyno_status status = DYNO_OK;
    char name[256], path[1024];

    for (size_t i = 0; i < 4 && source->files[i] && status == DYNO_OK; i++) {
        (void)snprintf(name, sizeof name, "%s%s", source->folder, source->files[i]);
        if (dyno_accuracy_find(accuracy, name, path, sizeof path)) {
            status = dyno_kernel_samples_read(&comparison.samples, path, model, error);
        }
    }
    if (status == DYNO_OK) {
        status = compare(&comparison, error);
    }
    if (status == DYNO_OK) {
        print(accuracy, &comparison);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        dyno_errors_release(&comparison.kinds[kind]);
        dyno_errors_release(&comparison.held[kind]);
        free(comparison.shapes[kind].items);
    }
    dyno_kernel_samples_release(&comparison.samples);
    return status;
}

dyno_status dyno_accuracy_kernels(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    (void)fputs("| kernels | points | mean abs error, % | median | p90 | mean error | held-out "
                "points | mean abs error, % | shapes | spread of their mean errors, % |\n"
                "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
                accuracy->out);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        DYNO_TRY(section(accuracy, &sources[i], error));
    }
    return DYNO_OK;
}
