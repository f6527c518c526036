/* A calibration: timing parameters with where they come from, how well they are determined, and
 * what was measured.  A prediction outside what was measured is an extrapolation.
 *
 * Parameters have the names of the timing rows; those that a calibration does not give stay the
 * GPU's own. */
#ifndef DYNO_SIM_CALIBRATION_H
#define DYNO_SIM_CALIBRATION_H

#include "sim/fit.h"
#include "sim/timing.h"

/* What is measured: the least and the most. */
enum dyno_calibration_axis {
    DYNO_AXIS_TOKENS,    /* of a pass */
    DYNO_AXIS_COLUMNS,   /* of a GEMM's result */
    DYNO_AXIS_DEPTH,     /* of a GEMM's sums */
    DYNO_AXIS_CONTEXT,   /* tokens of one sequence */
    DYNO_AXIS_SEQUENCES, /* that decode in one pass */
    DYNO_AXIS_GPUS,      /* of an all-reduce */
    DYNO_AXES,
};

extern const char *const dyno_calibration_axis_names[DYNO_AXES];

struct dyno_calibration_range {
    double min, max; /* 0, 0: not measured */
};

struct dyno_calibration {
    char gpu[64];     /* the name of the GPU it was measured on */
    char engine[32];  /* and of the engine, if the host's costs are in it; else empty */
    char weights[8];  /* "bf16", "fp8", ...: that engine's weights; empty: not stated */
    char kv[8];       /* and its KV */
    char source[256]; /* of the measurements, in words */
    char date[32];    /* when it was made; may be empty */
    char data[32];    /* a hash of the measurements; may be empty */
    struct dyno_timing_parameters parameters;
    bool given[DYNO_FIT_PARAMETERS_MAX];            /* by the place of a timing row */
    double standard_error[DYNO_FIT_PARAMETERS_MAX]; /* relative; 0: not stated */
    uint32_t samples[DYNO_FIT_PARAMETERS_MAX];      /* 0: not stated */
    /* Of the errors of two parameters, the given ones' and those of others that a fit leans on;
     * symmetric, 0 on the diagonal and where not stated. */
    double correlation[DYNO_FIT_PARAMETERS_MAX][DYNO_FIT_PARAMETERS_MAX];
    struct dyno_calibration_range ranges[DYNO_AXES];
};

/* What the default parameters of `gpu` rest on: its own measurements, or none (then the name is
 * empty). */
void dyno_calibration_default(struct dyno_calibration *out, const struct dyno_gpu *gpu);

/* Put the parameters that it gives into *parameters. */
void dyno_calibration_apply(const struct dyno_calibration *calibration,
                            struct dyno_timing_parameters *parameters);

/* Widen a range so that it holds `value`. */
void dyno_calibration_cover(struct dyno_calibration *calibration, enum dyno_calibration_axis axis,
                            double value);

/* The ranges of samples, and what a fit to them found. */
void dyno_calibration_fill(struct dyno_calibration *calibration, const struct dyno_fit *fit,
                           const struct dyno_kernel_sample *samples, size_t sample_count);

/* Whether value lies outside what was measured by more than a tenth; false if the axis was not
 * measured at all. */
bool dyno_calibration_is_outside(const struct dyno_calibration *calibration,
                                 enum dyno_calibration_axis axis, double value);

#endif
