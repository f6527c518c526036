#include "cli/assembly/extrapolation.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/models.h"

enum { GPUS_TEXT_MAX = 100 };

/* Workers of one kind, and what they did. */
struct finder {
    const struct dyno_timing_config *config;
    const struct dyno_calibration *calibration;
    const struct dyno_fleet_totals *totals;
    const char *engine;
    bool among_others;                     /* what is said says of which GPU */
    const char *gpus[DYNO_MODELS_MAX + 1]; /* [gpu_count] names of those that were not measured */
    uint32_t gpu_count;
    struct dyno_extrapolation *out; /* [count] */
    uint32_t count;
};

static struct dyno_extrapolation *find(const struct finder *finder, const char *what)
{
    for (uint32_t i = 0; i < finder->count; i++) {
        if (strcmp(finder->out[i].what, what) == 0) {
            return &finder->out[i];
        }
    }
    return NULL;
}

static void tag(struct finder *finder, const char *what, const char *text)
{
    struct dyno_extrapolation *item;

    if (find(finder, what)) {
        return;
    }
    assert(finder->count < DYNO_EXTRAPOLATIONS_MAX);
    item = &finder->out[finder->count++];
    item->what = what;
    (void)snprintf(item->text, sizeof item->text, "%s%s%s",
                   finder->among_others ? finder->config->gpu.name : "",
                   finder->among_others ? ": " : "", text);
}

/* One more GPU that was not measured. */
static void tag_gpu(struct finder *finder)
{
    const char *name = finder->config->gpu.name;
    struct dyno_extrapolation *item;
    size_t used = 0;

    for (uint32_t i = 0; i < finder->gpu_count; i++) {
        if (strcmp(finder->gpus[i], name) == 0) {
            return;
        }
    }
    if (finder->gpu_count == 0) {
        finder->out[finder->count++].what = "gpu";
    }
    finder->gpus[finder->gpu_count++] = name;
    item = find(finder, "gpu");
    for (uint32_t i = 0; i < finder->gpu_count && used < GPUS_TEXT_MAX; i++) {
        used += (size_t)snprintf(item->text + used, GPUS_TEXT_MAX - used, "%s%s", i > 0 ? ", " : "",
                                 finder->gpus[i]);
    }
    used = used < GPUS_TEXT_MAX ? used : GPUS_TEXT_MAX - 1; /* the last ones' names are long */
    (void)snprintf(item->text + used, sizeof item->text - used,
                   " %s not measured: docs/timing.md says what stands in",
                   finder->gpu_count > 1 ? "were" : "itself was");
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

static void look(struct finder *finder)
{
    const struct dyno_timing_config *config = finder->config;
    const struct dyno_fleet_totals *totals = finder->totals;

    if (strcmp(finder->calibration->gpu, config->gpu.name) != 0) {
        tag_gpu(finder);
    }
    check(finder, DYNO_AXIS_TOKENS, "tokens", "tokens in a pass", totals->pass_tokens_max);
    check(finder, DYNO_AXIS_CONTEXT, "context", "tokens of one sequence", totals->context_max);
    check(finder, DYNO_AXIS_SEQUENCES, "sequences", "sequences decoding at once",
          totals->sequences_max);
    if (config->tp > 1 && finder->calibration->ranges[DYNO_AXIS_GPUS].max == 1) {
        tag(finder, "gpus", "an all-reduce between GPUs was not measured");
    } else if (config->tp > 1) {
        check(finder, DYNO_AXIS_GPUS, "gpus", "GPUs in an all-reduce", config->tp);
    }
    check_shapes(finder, config);
    check_types(finder, config);
    check_engine(finder, finder->engine);
}

/* Both kinds of workers of requests in halves. */
static void look_at_halves(struct finder *finder, const struct dyno_assembly *assembly)
{
    const struct dyno_halves *halves = &assembly->halves;
    struct dyno_fleet_totals decode, prefill;

    dyno_handoff_totals_of(assembly->workers, &decode, &prefill);
    finder->among_others =
        strcmp(halves->timing_config.gpu.name, assembly->timing_config.gpu.name) != 0;
    finder->totals = &decode;
    look(finder);
    finder->config = &halves->timing_config;
    finder->calibration = &halves->calibration;
    finder->totals = &prefill;
    look(finder);
    finder->totals = NULL;
}

uint32_t dyno_extrapolations_find(struct dyno_assembly *assembly, struct dyno_extrapolation *out)
{
    struct finder finder = {.out = out};

    if (!assembly->timing) {
        return 0; /* only a simulated GPU predicts */
    }
    for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
        const struct dyno_assembly *of = dyno_fleets_of(assembly, i);

        finder.config = &of->timing_config;
        finder.calibration = &of->calibration;
        finder.totals = assembly->fleets ? &assembly->fleets->totals[i] : &assembly->totals;
        finder.engine = of->scenario->batch.engine;
        finder.among_others = assembly->fleets != NULL;
        if (of->scenario->disagg.policy) {
            look_at_halves(&finder, of);
        } else {
            look(&finder);
        }
    }
    return finder.count;
}
