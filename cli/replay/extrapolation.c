#include "cli/replay/extrapolation.h"

#include <stdio.h>
#include <string.h>

struct finder {
    const struct dyno_calibration *calibration;
    struct dyno_extrapolation *out;
    uint32_t count;
};

static void tag(struct finder *finder, const char *what, const char *text)
{
    struct dyno_extrapolation *item = &finder->out[finder->count++];

    item->what = what;
    (void)snprintf(item->text, sizeof item->text, "%s", text);
}

/* `value`, the largest of its kind in the run, against an axis. */
static void check(struct finder *finder, enum dyno_calibration_axis axis, const char *what,
                  const char *unit, double value)
{
    const struct dyno_calibration_range *range = &finder->calibration->ranges[axis];
    char text[sizeof finder->out->text];

    if (value > 0 && dyno_calibration_is_outside(finder->calibration, axis, value)) {
        (void)snprintf(text, sizeof text, "%.0f %s (measured from %.0f to %.0f)", value, unit,
                       range->min, range->max);
        tag(finder, what, text);
    }
}

/* Whether a parameter is the calibration's own. */
static bool is_given(const struct dyno_calibration *calibration, const char *name)
{
    for (size_t i = 0; dyno_timing_rows[i].name; i++) {
        if (strcmp(dyno_timing_rows[i].name, name) == 0) {
            return calibration->given[i];
        }
    }
    return false;
}

/* Of the parts' own tables only the H200's have fp8; a calibration has it if it gives what fp8
 * alone needs, or if its server computed in it. */
static void check_types(struct finder *finder, const struct dyno_timing_config *config)
{
    const struct dyno_calibration *calibration = finder->calibration;
    bool by_tables = strcmp(calibration->gpu, "h200") == 0 ||
                     strcmp(calibration->gpu, config->gpu.name) != 0; /* then nothing was */

    if (config->weights == DYNO_INT4) {
        tag(finder, "weights", "int4 weights were not measured");
    }
    if (config->weights == DYNO_FP8 && !by_tables && strcmp(calibration->weights, "fp8") != 0 &&
        !is_given(calibration, "gemm_fp8_efficiency")) {
        tag(finder, "weights", "fp8 weights were not measured on this GPU");
    }
    if (config->kv == DYNO_FP8 && !by_tables && strcmp(calibration->kv, "fp8") != 0 &&
        !is_given(calibration, "decode_attention_fp8_factor")) {
        tag(finder, "kv", "fp8 KV was not measured on this GPU");
    }
}

/* A calibration that holds one engine's host holds no other's. */
static void check_engine(struct finder *finder, const char *engine)
{
    char text[sizeof finder->out->text];

    if (finder->calibration->engine[0] && strcmp(finder->calibration->engine, engine) != 0) {
        (void)snprintf(text, sizeof text, "the calibration is of a server of %s, not of %s",
                       finder->calibration->engine, engine);
        tag(finder, "engine", text);
    }
}

static void check_shapes(struct finder *finder, const struct dyno_timing_config *config)
{
    const struct dyno_model *model = &config->model;
    double columns = 2.0 * model->intermediate / config->tp;
    double depth = (double)model->intermediate / config->tp;

    check(finder, DYNO_AXIS_COLUMNS, "columns", "columns of a product", columns);
    check(finder, DYNO_AXIS_DEPTH, "depth", "terms of a product's sums",
          depth > model->hidden ? depth : model->hidden);
    if (model->experts > 0) {
        tag(finder, "experts", "mixture of experts: grouped products were not measured");
    }
    if (model->attention == DYNO_ATTENTION_MLA) {
        tag(finder, "latent_attention", "latent attention was not measured");
    }
}

uint32_t dyno_extrapolations_find(const struct dyno_assembly *assembly,
                                  struct dyno_extrapolation *out)
{
    const struct dyno_timing_config *config = &assembly->timing_config;
    const struct dyno_fleet_totals *totals = &assembly->totals;
    struct finder finder = {.calibration = &assembly->calibration, .out = out};
    char text[sizeof out->text];

    if (!assembly->timing) {
        return 0; /* the null device predicts nothing */
    }
    if (strcmp(assembly->calibration.gpu, config->gpu.name) != 0) {
        (void)snprintf(text, sizeof text,
                       "%s itself was not measured: docs/timing.md says what "
                       "stands in",
                       config->gpu.name);
        tag(&finder, "gpu", text);
    }
    check(&finder, DYNO_AXIS_TOKENS, "tokens", "tokens in a pass", totals->pass_tokens_max);
    check(&finder, DYNO_AXIS_CONTEXT, "context", "tokens of one sequence", totals->context_max);
    check(&finder, DYNO_AXIS_SEQUENCES, "sequences", "sequences decoding at once",
          totals->sequences_max);
    if (config->tp > 1 && assembly->calibration.ranges[DYNO_AXIS_GPUS].max == 1) {
        tag(&finder, "gpus", "an all-reduce between GPUs was not measured");
    } else if (config->tp > 1) {
        check(&finder, DYNO_AXIS_GPUS, "gpus", "GPUs in an all-reduce", config->tp);
    }
    check_shapes(&finder, config);
    check_types(&finder, config);
    check_engine(&finder, assembly->scenario->batch.engine);
    return finder.count;
}
