/* The table of cosines and sines that a model's rotary embedding turns by (kernels/rope.h), scaled
 * as the model does. */
#ifndef DYNO_BACKENDS_ASSETS_ROPE_TABLE_H
#define DYNO_BACKENDS_ASSETS_ROPE_TABLE_H

#include <stdint.h>

#include "backends/assets/weights.h"

enum {
    DYNO_ROPE_CONTEXT_MAX = 1 << 30, /* tokens */
    DYNO_ROPE_BETA_FAST = 32,        /* where a file does not say them, as the paper advises */
    DYNO_ROPE_BETA_SLOW = 1,
    DYNO_ROPE_LENGTH_MAX = 1000, /* of a turned pair; beyond, scores are no longer numbers */
};

/* Whether YaRN's numbers, if it is that, can be computed with; `path` is the model's, for the
 * error.  DYNO_BAD_INPUT: which cannot. */
dyno_status dyno_rope_check(const struct dyno_rope *rope, const char *path,
                            struct dyno_error *error);

/* *context becomes `factor` times the original one, rounded down, if that is more.
 * DYNO_BAD_INPUT: more than DYNO_ROPE_CONTEXT_MAX. */
dyno_status dyno_rope_stretch(uint32_t *context, uint32_t original, double factor, const char *path,
                              struct dyno_error *error);

/* [positions][head_dim / 2][2], the caller's to free.  `rope` is not DYNO_ROPE_NONE.  NULL: there
 * is no memory. */
float *dyno_rope_table_make(const struct dyno_rope *rope, uint32_t head_dim, uint32_t positions);

#endif
