/* What a timing configuration may hold: everything else is refused before it becomes a number. */
#include "sim/timing.h"

#include "sim/timing_layers.h"

static dyno_status check_parameters(const struct dyno_timing_config *config,
                                    struct dyno_error *error)
{
    for (const struct dyno_timing_row *row = dyno_timing_rows; row->name; row++) {
        double value;

        value = *(const double *)(const void *)((const char *)&config->parameters + row->offset);
        if (!(value >= row->min && value <= row->max)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "timing parameter %s is %g, which is not between %g and %g %s",
                             row->name, value, row->min, row->max, row->unit);
        }
    }
    return DYNO_OK;
}

static dyno_status check_gpu(const struct dyno_gpu *gpu, struct dyno_error *error)
{
    const struct {
        const char *name;
        double value, min, max;
    } figures[] = {
        {"bf16 peak", gpu->flops[DYNO_BF16], 1e9, 1e18},
        {"fp8 peak", gpu->flops[DYNO_FP8], 1e9, 1e18},
        {"int4 peak", gpu->flops[DYNO_INT4], 1e9, 1e18},
        {"memory bandwidth", gpu->memory_bytes_per_s, 1e9, 1e15},
        {"link bandwidth", gpu->link_bytes_per_s, 1e6, 1e15},
        {"multiprocessor count", gpu->multiprocessors, 1, 65536},
    };

    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (!(figures[i].value >= figures[i].min && figures[i].value <= figures[i].max)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "GPU \"%s\": its %s is %g, which is not between %g and %g", gpu->name,
                             figures[i].name, figures[i].value, figures[i].min, figures[i].max);
        }
    }
    return DYNO_OK;
}

static dyno_status check_parallelism(const struct dyno_timing_config *config,
                                     struct dyno_error *error)
{
    const struct dyno_model *model = &config->model;

    if (config->tp == 0 || model->heads % config->tp != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s has %u attention heads, which %u tensor-parallel GPUs cannot share "
                         "equally; choose a divisor of %u",
                         model->name, model->heads, config->tp, model->heads);
    }
    if (config->expert_parallel && config->tp > 1 && model->experts == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s has no experts to spread: leave expert_parallel out", model->name);
    }
    if (config->expert_parallel && config->tp > 1 && model->experts % config->tp != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s has %u experts, which cannot be spread equally over %u GPUs",
                         model->name, model->experts, config->tp);
    }
    if (config->weights >= DYNO_DTYPES || config->kv >= DYNO_INT4) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "weights must be bf16, fp8 or int4, and KV bf16 or fp8");
    }
    if (config->seqs_max == 0 || config->batch_tokens_max == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a pass needs room for at least one sequence and one token");
    }
    return DYNO_OK;
}

/* A context token that takes this long is a wrong figure, and ticks times contexts could overflow.
 */
#define CONTEXT_US_MAX 10.0

dyno_status dyno_timing_check(const struct dyno_timing_config *config, struct dyno_error *error)
{
    struct dyno_layers layers;

    DYNO_TRY(dyno_model_check(&config->model, error));
    DYNO_TRY(check_gpu(&config->gpu, error));
    DYNO_TRY(check_parallelism(config, error));
    DYNO_TRY(check_parameters(config, error));
    dyno_layers_init(&layers, config);
    if (dyno_layers_decode_context_us(&layers) > CONTEXT_US_MAX) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "reading the KV of one token of %s on %s would take %.3g us, more than %g: "
            "a shape or a bandwidth is wrong",
            config->model.name, config->gpu.name, dyno_layers_decode_context_us(&layers),
            CONTEXT_US_MAX);
    }
    return DYNO_OK;
}
