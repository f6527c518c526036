#include "backends/cuda/collective.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/cuda/runtime.h"
#include "kernels/cuda/nccl.h"

enum { PATIENCE_NS = 100000000, NS_PER_SECOND = 1000000000 };

struct member {
    struct dyno_collective base;
    pthread_mutex_t lock;            /* while something is being queued */
    _Atomic(struct ncclComm *) comm; /* NULL: aborted */
    float *meeting;                  /* of the device: what a barrier sums */
    int gpu;
};

static struct member *member_of(struct dyno_collective *base)
{
    return (struct member *)base;
}

static dyno_status type_of(enum dyno_nccl_type *out, enum dyno_element element)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        *out = DYNO_NCCL_F32;
        return DYNO_OK;
    case DYNO_ELEMENT_F16:
        *out = DYNO_NCCL_F16;
        return DYNO_OK;
    case DYNO_ELEMENT_BF16:
        *out = DYNO_NCCL_BF16;
        return DYNO_OK;
    default:
        return DYNO_UNSUPPORTED;
    }
}

/* Like the launchers of kernels/cuda: what failed is said here. */
static dyno_status status_of(const struct member *member, int code, const char *what)
{
    if (code == 0) {
        return DYNO_OK;
    }
    fprintf(stderr, "dyno: GPU %d, rank %u of %u: %s: %s\n", member->gpu, member->base.rank,
            member->base.ranks, what, dyno_nccl_text(code));
    return DYNO_WORKER_GONE;
}

/* The group, with its lock held; NULL, without it, when it is gone. */
static struct ncclComm *enter(struct member *member)
{
    struct ncclComm *comm;

    pthread_mutex_lock(&member->lock);
    comm = atomic_load(&member->comm);
    if (!comm) {
        pthread_mutex_unlock(&member->lock);
    }
    return comm;
}

static dyno_status leave(struct member *member, int code, const char *what)
{
    dyno_status status = status_of(member, code, what);

    pthread_mutex_unlock(&member->lock);
    return status;
}

static dyno_status all_reduce_sum(struct dyno_collective *base, void *values, size_t count,
                                  enum dyno_element element, void *stream)
{
    struct member *member = member_of(base);
    struct ncclComm *comm;
    enum dyno_nccl_type type;

    DYNO_TRY(type_of(&type, element));
    comm = enter(member);
    return comm ? leave(member, dyno_nccl_all_reduce_sum(comm, values, count, type, stream),
                        "ncclAllReduce")
                : DYNO_WORKER_GONE;
}

static dyno_status all_gather(struct dyno_collective *base, const void *values, size_t count,
                              enum dyno_element element, void *all, void *stream)
{
    struct member *member = member_of(base);
    struct ncclComm *comm;
    enum dyno_nccl_type type;

    DYNO_TRY(type_of(&type, element));
    comm = enter(member);
    return comm ? leave(member, dyno_nccl_all_gather(comm, values, count, type, all, stream),
                        "ncclAllGather")
                : DYNO_WORKER_GONE;
}

static dyno_status barrier(struct dyno_collective *base, void *stream)
{
    return all_reduce_sum(base, member_of(base)->meeting, 1, DYNO_ELEMENT_F32, stream);
}

/* Whether nothing is being queued, or will be.  Queueing takes microseconds, unless it waits for a
 * rank that does not come: nothing but an abort ends that. */
static bool await_quiet(struct member *member)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PATIENCE_NS;
    until.tv_sec += until.tv_nsec / NS_PER_SECOND;
    until.tv_nsec %= NS_PER_SECOND;
    return pthread_mutex_timedlock(&member->lock, &until) == 0;
}

void dyno_cuda_collective_abort(struct dyno_collective *base)
{
    struct member *member = member_of(base);
    bool quiet = await_quiet(member);
    struct ncclComm *comm = atomic_exchange(&member->comm, NULL);

    if (comm) {
        (void)dyno_nccl_abort(comm);
    }
    if (quiet) {
        pthread_mutex_unlock(&member->lock);
    }
}

static void close_member(struct dyno_collective *base)
{
    struct member *member = member_of(base);

    (void)cudaSetDevice(member->gpu);
    if (atomic_load(&member->comm)) {
        (void)dyno_nccl_close(atomic_load(&member->comm));
    }
    (void)cudaFree(member->meeting);
    pthread_mutex_destroy(&member->lock);
    free(member);
}

static const struct dyno_collective_ops ops = {
    .name = "NCCL",
    .all_reduce_sum = all_reduce_sum,
    .all_gather = all_gather,
    .barrier = barrier,
    .close = close_member,
};

/* All but its end of the group. */
static dyno_status open_member(struct member **out, uint32_t rank, uint32_t ranks, int gpu,
                               struct dyno_error *error)
{
    struct member *member = calloc(1, sizeof *member);

    if (!member) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", ranks);
    }
    member->base = (struct dyno_collective){&ops, rank, ranks};
    member->gpu = gpu;
    pthread_mutex_init(&member->lock, NULL);
    *out = member;
    DYNO_CUDA_TRY(cudaSetDevice(gpu), error);
    DYNO_CUDA_TRY(cudaMalloc((void **)&member->meeting, sizeof *member->meeting), error);
    DYNO_CUDA_TRY(cudaMemset(member->meeting, 0, sizeof *member->meeting), error);
    DYNO_CUDA_TRY(cudaDeviceSynchronize(), error); /* streams do not wait for that */
    return DYNO_OK;
}

static dyno_status introduce(struct member **members, uint32_t ranks, const int *gpus,
                             struct dyno_error *error)
{
    struct ncclComm **comms = calloc(ranks, sizeof(struct ncclComm *));
    int code;

    if (!comms) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", ranks);
    }
    code = dyno_nccl_open(comms, (int)ranks, gpus);
    for (uint32_t i = 0; code == 0 && i < ranks; i++) {
        atomic_store(&members[i]->comm, comms[i]);
    }
    free(comms);
    return code == 0 ? DYNO_OK
                     : dyno_fail(error, DYNO_UNSUPPORTED,
                                 "NCCL does not bring %u GPUs together: %s (with NCCL_DEBUG=INFO "
                                 "in the environment it says more)",
                                 ranks, dyno_nccl_text(code));
}

dyno_status dyno_cuda_collective_open(struct dyno_collective **members, uint32_t ranks,
                                      const int *gpus, struct dyno_error *error)
{
    struct member **made = calloc(ranks, sizeof(struct member *));
    dyno_status status = DYNO_OK;

    if (!made) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", ranks);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < ranks; i++) {
        status = open_member(&made[i], i, ranks, gpus[i], error);
    }
    if (status == DYNO_OK) {
        status = introduce(made, ranks, gpus, error);
    }
    for (uint32_t i = 0; i < ranks; i++) {
        if (status == DYNO_OK) {
            members[i] = &made[i]->base;
        } else if (made[i]) {
            close_member(&made[i]->base);
        }
    }
    free(made);
    return status;
}
