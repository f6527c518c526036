/* NVIDIA's collective communication library, NCCL 2: the functions of it that are called here,
 * each found in libnccl.so.2 when it is called first, so that a program that can share a model
 * among GPUs starts, and builds, where there is no NCCL.
 *
 * What they return is NCCL's: 0, or a code that dyno_nccl_text puts into words.  A communicator is
 * one GPU's end of a group; all of a group call the same operations in the same order.  Operations
 * are queued on `stream`, and may be captured in a graph.
 */
#ifndef DYNO_KERNELS_CUDA_NCCL_H
#define DYNO_KERNELS_CUDA_NCCL_H

#include <stddef.h>

#include "kernels/cuda/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ncclComm;

/* NCCL's numbers. */
enum dyno_nccl_type { DYNO_NCCL_F16 = 6, DYNO_NCCL_F32 = 7, DYNO_NCCL_BF16 = 9 };
enum { DYNO_NCCL_ABSENT = -1 }; /* no library, or none with such a function */

/* One communicator for each of the GPUs, in this process; waits until all know each other.  No GPU
 * may come twice. */
int dyno_nccl_open(struct ncclComm **comms, int count, const int *gpus);

/* values[count] of all become their sum. */
int dyno_nccl_all_reduce_sum(struct ncclComm *comm, void *values, size_t count,
                             enum dyno_nccl_type type, dyno_cuda_stream stream);

/* values[count] of the r-th become all[r][count]. */
int dyno_nccl_all_gather(struct ncclComm *comm, const void *values, size_t count,
                         enum dyno_nccl_type type, void *all, dyno_cuda_stream stream);

/* Once what was queued is done, and graphs that have it are gone. */
int dyno_nccl_close(struct ncclComm *comm);

/* The same at any time, from any thread: what is under way ends, with anything as its result. */
int dyno_nccl_abort(struct ncclComm *comm);

int dyno_nccl_version(int *version); /* 10000 major + 100 minor + patch */
const char *dyno_nccl_text(int code);

#ifdef __cplusplus
}
#endif

#endif
