/* The null device: every step takes the same stated time and computes nothing.  Its purpose is to
 * test dyno itself: under a virtual clock, what the harness costs; under a wall clock, that every
 * seam works twice. */
#ifndef DYNO_BACKENDS_NULL_NULL_H
#define DYNO_BACKENDS_NULL_NULL_H

#include "core/base/time.h"
#include "core/worker/paced.h"

/* `step_ns` >= 1.  `answer` tells how many tokens a request generates (see paced.h). */
dyno_status dyno_null_open(struct dyno_device **out, uint32_t worker_count, dyno_ns step_ns,
                           uint32_t (*answer)(void *context, uint64_t id), void *answer_context);

#endif
