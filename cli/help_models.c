/* `dyno help models`: the models and GPUs that dyno knows, from their own tables. */
#include "cli/help.h"
#include "core/model/gpu.h"
#include "core/model/model.h"

enum { NAME_COLUMN = 20, TEXT_MAX = 512 };

#define GIB 1073741824.0

static void model_entry(FILE *out, uint32_t width, const struct dyno_model *model)
{
    char text[TEXT_MAX];
    uint64_t all = dyno_model_parameters(model), active = dyno_model_parameters_active(model);
    int length = snprintf(text, sizeof(text), "%.1f billion parameters", (double)all / 1e9);

    if (model->experts > 0) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, " (%.1f active)",
                           (double)active / 1e9);
    }
    snprintf(text + length, sizeof(text) - (size_t)length,
             ", %.0f KiB of KV a token in bf16, context %u",
             (double)dyno_model_kv_bytes_per_token(model, DYNO_BF16) / 1024, model->context_max);
    dyno_help_entry(out, width, NAME_COLUMN, model->name, text);
}

static void gpu_entry(FILE *out, uint32_t width, const struct dyno_gpu *gpu)
{
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "%s: %.1f GiB at %.2f TB/s, %.0f TFLOPS in bf16, %s", gpu->title,
             (double)gpu->memory_bytes / GIB, gpu->memory_bytes_per_s / 1e12,
             gpu->flops[DYNO_BF16] / 1e12, gpu->link);
    dyno_help_entry(out, width, NAME_COLUMN, gpu->name, text);
}

void dyno_help_models(FILE *out, uint32_t width)
{
    fputs("Models (--model NAME, or the path of a Hugging Face config.json):\n", out);
    for (const struct dyno_model *model = dyno_model_table; model->name[0]; model++) {
        model_entry(out, width, model);
    }
    fputs("\nGPUs (--gpu NAME, or the path of a YAML file):\n", out);
    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        gpu_entry(out, width, gpu);
    }
}
