/* What the ranks of one worker tell each other over NCCL (backends/engine/collective.h): GPUs of
 * this process, a thread each.
 *
 * Values are F32, F16 or BF16 of the device; operations are queued on `stream`, a cudaStream_t of
 * the member's GPU, and may be captured in graphs.  A sum is rounded to the element; it has the
 * same bits on every rank. */
#ifndef DYNO_BACKENDS_CUDA_COLLECTIVE_H
#define DYNO_BACKENDS_CUDA_COLLECTIVE_H

#include "backends/engine/collective.h"

/* members[ranks] on gpus[ranks], all different, each with memory of a few bytes there.  Waits until
 * all know each other.  On success they are the caller's, each closed through its ops once nothing
 * that was queued is under way and no graph has it; on failure they are untouched.
 * Errors: DYNO_UNSUPPORTED (no NCCL, or one that does not do it), DYNO_NO_MEMORY, and as
 * dyno_cuda_fail. */
dyno_status dyno_cuda_collective_open(struct dyno_collective **members, uint32_t ranks,
                                      const int *gpus, struct dyno_error *error);

/* The group is lost: what this member's GPU has under way ends, with anything as its result, and no
 * further operation is queued.  From any thread; again: nothing. */
void dyno_cuda_collective_abort(struct dyno_collective *base);

#endif
