/* Books about parameters: which, from what, how sure. */
#include "sim/calibration.h"
#include <stdio.h>
#include <string.h>

const char *const dyno_calibration_axis_names[DYNO_AXES] = {"tokens",  "columns",   "depth",
                                                            "context", "sequences", "gpus"};

static double *place_of(struct dyno_timing_parameters *parameters,
                        const struct dyno_timing_row *row)
{
    return (double *)(void *)((char *)parameters + row->offset);
}

void dyno_calibration_apply(const struct dyno_calibration *calibration,
                            struct dyno_timing_parameters *parameters)
{
    struct dyno_timing_parameters own = calibration->parameters;

    for (size_t i = 0; dyno_timing_rows[i].name; i++) {
        if (calibration->given[i]) {
            *place_of(parameters, &dyno_timing_rows[i]) = *place_of(&own, &dyno_timing_rows[i]);
        }
    }
}

void dyno_calibration_cover(struct dyno_calibration *calibration, enum dyno_calibration_axis axis,
                            double value)
{
    struct dyno_calibration_range *range = &calibration->ranges[axis];

    if (value <= 0) {
        return;
    }
    if (range->max == 0) {
        *range = (struct dyno_calibration_range){value, value};
    }
    range->min = value < range->min ? value : range->min;
    range->max = value > range->max ? value : range->max;
}

static void cover_sample(struct dyno_calibration *calibration,
                         const struct dyno_kernel_sample *sample)
{
    switch (sample->kernel) {
    case DYNO_KERNEL_GEMM:
        dyno_calibration_cover(calibration, DYNO_AXIS_TOKENS, sample->rows);
        dyno_calibration_cover(calibration, DYNO_AXIS_COLUMNS, sample->columns);
        dyno_calibration_cover(calibration, DYNO_AXIS_DEPTH, sample->depth);
        break;
    case DYNO_KERNEL_ATTENTION:
        dyno_calibration_cover(calibration, DYNO_AXIS_CONTEXT,
                               sample->prompt_context + sample->prompt_tokens);
        dyno_calibration_cover(calibration, DYNO_AXIS_CONTEXT, sample->decode_context);
        dyno_calibration_cover(calibration, DYNO_AXIS_SEQUENCES, sample->decodes);
        break;
    case DYNO_KERNEL_ALL_REDUCE:
        dyno_calibration_cover(calibration, DYNO_AXIS_GPUS, sample->gpus);
        break;
    case DYNO_KERNEL_ELEMENTWISE:
    case DYNO_KERNEL_SAMPLER:
        break;
    }
}

void dyno_calibration_fill(struct dyno_calibration *calibration, const struct dyno_fit *fit,
                           const struct dyno_kernel_sample *samples, size_t sample_count)
{
    for (size_t i = 0; i < sample_count; i++) {
        cover_sample(calibration, &samples[i]);
    }
    calibration->parameters = fit->parameters;
    for (uint32_t i = 0; i < fit->fitted_count; i++) {
        const struct dyno_fitted *fitted = &fit->fitted[i];
        size_t place = (size_t)(fitted->row - dyno_timing_rows);

        if (fitted->standard_error >= 0) {
            calibration->given[place] = true;
            calibration->standard_error[place] = fitted->standard_error;
            calibration->samples[place] = fitted->samples;
        }
    }
}

bool dyno_calibration_is_outside(const struct dyno_calibration *calibration,
                                 enum dyno_calibration_axis axis, double value)
{
    const struct dyno_calibration_range *range = &calibration->ranges[axis];

    return range->max > 0 && (value < 0.9 * range->min || value > 1.1 * range->max);
}

/* As `dyno fit` states the ranges of the tables that the defaults were fitted to: AIConfigurator's
 * of an H200, LLMServingSim's of Llama-3.1-8B on the two cards. */
void dyno_calibration_default(struct dyno_calibration *out, const struct dyno_gpu *gpu)
{
    static const struct {
        const char *gpu;
        struct dyno_calibration_range ranges[DYNO_AXES];
    } measured[] = {
        {"h200", {{1, 32768}, {32, 65536}, {32, 65536}, {1, 131072}, {1, 2048}, {2, 8}}},
        {"rtx4090", {{1, 2048}, {4096, 128256}, {4096, 14336}, {16, 18432}, {1, 256}, {1, 1}}},
        {"rtx-pro-6000", {{1, 2048}, {4096, 128256}, {4096, 14336}, {16, 18432}, {1, 256}, {1, 1}}},
    };

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++) {
        if (strcmp(measured[i].gpu, gpu->name) == 0) {
            memcpy(out->ranges, measured[i].ranges, sizeof out->ranges);
            (void)snprintf(out->gpu, sizeof out->gpu, "%s", gpu->name);
        }
    }
}
