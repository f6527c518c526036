/* What a worker does for another process: a step is read, computed and answered. */
#ifndef DYNO_BACKENDS_UCX_LABOUR_H
#define DYNO_BACKENDS_UCX_LABOUR_H

#include "backends/cpu/ranks.h"
#include "backends/ucx/channel.h"
#include "backends/ucx/wire.h"

struct dyno_ucx_labour;

/* config->layer_done is told of layers that somebody may wait for: those of steps that yield, but
 * for the last one, whose end is the step's.  On success *out is the caller's
 * (dyno_ucx_labour_close).  Errors: as dyno_ranks_open. */
dyno_status dyno_ucx_labour_open(struct dyno_ucx_labour **out,
                                 const struct dyno_ranks_config *config, struct dyno_error *error);
void dyno_ucx_labour_close(struct dyno_ucx_labour *labour); /* NULL: nothing */

const struct dyno_ucx_limits *dyno_ucx_labour_limits(const struct dyno_ucx_labour *labour);

/* The answer, valid until the next one: for each piece that yields a token, logits or a state. What
 * cannot be computed is refused in words; the head says which it is, and how long it took. */
const struct dyno_ucx_bytes *dyno_ucx_labour_do(struct dyno_ucx_labour *labour,
                                                struct dyno_ucx_head *head, const void *question,
                                                size_t size);

#endif
