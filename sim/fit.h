/* Fitting timing parameters to measured kernels.
 *
 * A sample is one measured kernel of one layer; a fit finds, group by group, the parameters whose
 * predictions are nearest to all samples of the group (sim/regression.h).  Never row by row: a
 * group has at most eight parameters, and needs many samples for each.
 *
 * Samples of one shape (a product's columns and depth, or the heads of attention; and sizes within
 * a factor of four) are taken to err together, so that a standard error counts shapes, not rows.  A
 * parameter that the samples do not determine keeps the value it had.
 */
#ifndef DYNO_SIM_FIT_H
#define DYNO_SIM_FIT_H

#include "sim/regression.h"
#include "sim/timing.h"

enum dyno_kernel {
    DYNO_KERNEL_GEMM,        /* rows x columns x depth, dtype */
    DYNO_KERNEL_ATTENTION,   /* prompts, decodes, or both */
    DYNO_KERNEL_ALL_REDUCE,  /* bytes over gpus */
    DYNO_KERNEL_ELEMENTWISE, /* rows tokens through one layer's norms, rotary and activation */
    DYNO_KERNEL_SAMPLER,     /* rows sequences, without the logits' GEMM */
};

struct dyno_kernel_sample {
    enum dyno_kernel kernel;
    enum dyno_dtype dtype; /* of weights, or of KV */
    double us;             /* measured, > 0 */
    double rows, columns, depth;
    double heads, kv_heads, head_dim; /* of one GPU */
    double prompts, prompt_tokens;    /* so many prompts of so many new tokens each ... */
    double prompt_context;            /* ... after so many in the cache */
    double decodes, decode_context;   /* so many sequences of so many tokens each */
    double bytes, gpus;
};

/* The time of one sample under `config` (its GPU, parameters, and for elementwise kernels its
 * model). */
double dyno_kernel_us(const struct dyno_timing_config *config,
                      const struct dyno_kernel_sample *sample);

enum { DYNO_FIT_PARAMETERS_MAX = 64 };

/* What a fit says of one parameter. */
struct dyno_fitted {
    const struct dyno_timing_row *row;
    double before, after;
    enum dyno_determined determined;
    double standard_error; /* relative; negative: not determined, left as it was */
    uint32_t samples;      /* that it was fitted to ... */
    uint32_t groups;       /* ... of so many that err together ... */
    double error_percent;  /* ... and how far their predictions are off, on average */
};

struct dyno_fit {
    struct dyno_timing_parameters parameters;
    struct dyno_fitted fitted[DYNO_FIT_PARAMETERS_MAX];
    uint32_t fitted_count;
};

/* Start from config->parameters.  Errors: DYNO_BAD_INPUT (a sample that is not positive and
 * finite), DYNO_NO_MEMORY. */
dyno_status dyno_fit_kernels(struct dyno_fit *out, const struct dyno_timing_config *config,
                             const struct dyno_kernel_sample *samples, size_t sample_count,
                             struct dyno_error *error);

#endif
