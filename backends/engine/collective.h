/* Seam: what the ranks that compute one model together tell each other (tensor parallelism).
 *
 * A member is one rank's end.  All ranks of a group call the same operations in the same order with
 * the same counts and elements, each from a thread of its own.  `stream` keeps the order on a
 * device that has streams: the operation is done when what is queued behind it there begins, and it
 * may return before.  Where there are none it is NULL, and the operation is done when it returns.
 * Memory is the device's that computes.
 *
 * Errors, of every operation: DYNO_UNSUPPORTED (an element), DYNO_WORKER_GONE (a rank or its device
 * is lost, and so is the group).
 */
#ifndef DYNO_BACKENDS_ENGINE_COLLECTIVE_H
#define DYNO_BACKENDS_ENGINE_COLLECTIVE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "kernels/matrix.h"

struct dyno_collective;

struct dyno_collective_ops {
    const char *name;
    /* values[count] of all ranks become their sum, the same bits on every rank. */
    dyno_status (*all_reduce_sum)(struct dyno_collective *member, void *values, size_t count,
                                  enum dyno_element element, void *stream);
    /* values[count] of rank r become all[r][count] on every rank; they do not overlap. */
    dyno_status (*all_gather)(struct dyno_collective *member, const void *values, size_t count,
                              enum dyno_element element, void *all, void *stream);
    /* No rank goes on before all ranks have come here. */
    dyno_status (*barrier)(struct dyno_collective *member, void *stream);
    /* While no rank is in an operation. */
    void (*close)(struct dyno_collective *member);
};

struct dyno_collective {
    const struct dyno_collective_ops *ops;
    uint32_t rank, ranks;
};

/* The ranks are threads of this process, and values are F32.  A sum is that of ranks 0, 1, 2, ...
 * in this order, in float, whoever comes first; an element's sum does not depend on its neighbours.
 * On success members[ranks] (>= 1) are the caller's, each closed through its ops; on failure they
 * are untouched.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_local_collective_open(struct dyno_collective **members, uint32_t ranks,
                                       struct dyno_error *error);

#endif
