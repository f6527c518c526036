/* The table of cosines and sines that a model's rotary embedding turns by (kernels/rope.h), scaled
 * as the model does. */
#ifndef DYNO_BACKENDS_ASSETS_ROPE_TABLE_H
#define DYNO_BACKENDS_ASSETS_ROPE_TABLE_H

#include <stdint.h>

#include "backends/assets/weights.h"

/* [positions][head_dim / 2][2], the caller's to free.  `rope` is not DYNO_ROPE_NONE.  NULL: there
 * is no memory. */
float *dyno_rope_table_make(const struct dyno_rope *rope, uint32_t head_dim, uint32_t positions);

#endif
