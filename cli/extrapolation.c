#include "cli/extrapolation.h"

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
    if (config->weights == DYNO_INT4) {
        tag(finder, "weights", "int4 weights were not measured");
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
    if (config->tp > 1) {
        check(&finder, DYNO_AXIS_GPUS, "gpus", "GPUs in an all-reduce", config->tp);
    }
    check_shapes(&finder, config);
    return finder.count;
}
