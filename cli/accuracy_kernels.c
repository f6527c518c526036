/* Kernel by kernel: the defaults against the tables that they were fitted to, so in-sample, and
 * against tables that they were not. */
#include <string.h>

#include "cli/accuracy.h"
#include "cli/kernel_tables.h"

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

static dyno_status compare(struct dyno_errors *kinds, const struct dyno_kernel_samples *samples,
                           const char *gpu, struct dyno_error *error)
{
    struct dyno_timing_config config = {
        .model = *dyno_model_find("llama-3.1-8b"),
        .gpu = *dyno_gpu_find(gpu),
        .tp = 1,
        .seqs_max = 1,
        .batch_tokens_max = 1,
    };

    dyno_timing_defaults(&config.parameters, &config.gpu);
    for (size_t i = 0; i < samples->count; i++) {
        const struct dyno_kernel_sample *sample = &samples->items[i];
        double us = dyno_kernel_us(&config, sample);

        for (unsigned kind = 0; kind < KINDS; kind++) {
            if ((kinds_of(sample) >> kind & 1) && !dyno_errors_add(&kinds[kind], us, sample->us)) {
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
            }
        }
    }
    return DYNO_OK;
}

static void print(const struct dyno_accuracy *accuracy, const char *gpu, struct dyno_errors *kinds)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct dyno_error_figures figures = dyno_errors_figures(&kinds[kind]);

        if (figures.count > 0) {
            (void)fprintf(accuracy->out, "| %s, %s | %u | %.1f | %.1f | %.1f | %+.1f |\n", gpu,
                          kind_names[kind], figures.count, figures.mape, figures.median,
                          figures.p90, figures.bias);
        }
    }
}

static dyno_status section(const struct dyno_accuracy *accuracy, const struct source *source,
                           struct dyno_error *error)
{
    const struct dyno_model *model = dyno_model_find("llama-3.1-8b");
    struct dyno_errors kinds[KINDS] = {{0}};
    struct dyno_kernel_samples samples = {0};
    dyno_status status = DYNO_OK;
    char name[256], path[1024];

    for (size_t i = 0; i < 4 && source->files[i] && status == DYNO_OK; i++) {
        (void)snprintf(name, sizeof name, "%s%s", source->folder, source->files[i]);
        if (dyno_accuracy_find(accuracy, name, path, sizeof path)) {
            status = dyno_kernel_samples_read(&samples, path, model, error);
        }
    }
    if (status == DYNO_OK) {
        status = compare(kinds, &samples, source->gpu, error);
    }
    if (status == DYNO_OK) {
        print(accuracy, source->gpu, kinds);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        dyno_errors_release(&kinds[kind]);
    }
    dyno_kernel_samples_release(&samples);
    return status;
}

dyno_status dyno_accuracy_kernels(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    (void)fputs("| kernels | points | mean abs error, % | median | p90 | mean error |\n"
                "|---|---:|---:|---:|---:|---:|\n",
                accuracy->out);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        DYNO_TRY(section(accuracy, &sources[i], error));
    }
    return DYNO_OK;
}
