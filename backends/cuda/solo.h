/* One sequence on the first GPU, for whoever computes without the loop. */
#ifndef DYNO_BACKENDS_CUDA_SOLO_H
#define DYNO_BACKENDS_CUDA_SOLO_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/weights.h"
#include "core/base/status.h"

struct dyno_cuda_solo;

enum { DYNO_CUDA_SOLO_TOKENS = 2048 }; /* at once */

/* Room for a sequence of up to `context` tokens; `threads` load the weights, of which those of 8
 * bits stay so if `narrow`.  On success *out is the caller's; on failure it is untouched.
 * Errors: as dyno_cuda_device_blocks (backends/cuda/device.h) and dyno_cuda_forward_open. */
dyno_status dyno_cuda_solo_open(struct dyno_cuda_solo **out, const struct dyno_weights *weights,
                                uint32_t context, uint32_t threads, bool narrow,
                                struct dyno_error *error);
void dyno_cuda_solo_close(struct dyno_cuda_solo *solo); /* NULL: nothing */

/* Compute tokens[0, count), which are at [first, first + count) of the sequence; what lies before
 * was computed.  count: from 1 to DYNO_CUDA_SOLO_TOKENS.  *logits are those behind the last, until
 * the next call; NULL: not wanted.  Errors: as dyno_cuda_forward_run. */
dyno_status dyno_cuda_solo_run(struct dyno_cuda_solo *solo, const uint32_t *tokens, uint32_t first,
                               uint32_t count, const float **logits, struct dyno_error *error);

#endif
