/* What a worker's passes take, measured when it opens, so that it can say what one would take. */
#ifndef DYNO_BACKENDS_CUDA_COSTS_H
#define DYNO_BACKENDS_CUDA_COSTS_H

#include "backends/cuda/ranks.h"
#include "backends/engine/pass_costs.h"
#include "core/run/clock.h"

struct dyno_cuda_costs_config {
    uint32_t rows_max, positions, blocks, block_tokens; /* of each rank's forward pass */
    dyno_ns (*now)(const struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* Three passes, the fastest of a few each: of one token, of up to 1,024, and of as many behind
 * those.  Before anything is stored, and after dyno_cuda_ranks_warm.  *out is untouched where there
 * is no room for two tokens behind two others.  Errors: DYNO_NO_MEMORY, as dyno_cuda_ranks_run. */
dyno_status dyno_cuda_costs_measure(struct dyno_pass_costs *out, struct dyno_cuda_ranks *ranks,
                                    const struct dyno_cuda_costs_config *config,
                                    struct dyno_error *error);

#endif
