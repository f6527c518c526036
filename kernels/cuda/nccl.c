#include "kernels/cuda/nccl.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#define LIBRARY "libnccl.so.2"

/* What is written down here, against NVIDIA's header where there is one. */
#if defined(__has_include)
#if __has_include(<nccl.h>)
#include <nccl.h>
_Static_assert(NCCL_MAJOR == 2, "another interface");
_Static_assert(ncclSuccess == 0 && ncclSum == 0, "numbers");
_Static_assert((int)ncclFloat16 == DYNO_NCCL_F16 && (int)ncclFloat32 == DYNO_NCCL_F32 &&
                   (int)ncclBfloat16 == DYNO_NCCL_BF16,
               "types");
_Static_assert(sizeof(ncclDataType_t) == sizeof(int) && sizeof(ncclRedOp_t) == sizeof(int) &&
                   sizeof(ncclResult_t) == sizeof(int),
               "enumerations are passed as int");
#endif
#endif

enum { SUM = 0 }; /* ncclSum */

static const char absent[] = "there is no " LIBRARY ", or it is too old: NCCL is to be installed";

/* NULL: there is none. */
static void *find(const char *name)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    return library ? dlsym(library, name) : NULL; /* it stays for as long as the program */
}

/* An object pointer that is a function's, as POSIX lets it be; threads may come at once, and find
 * the same. */
#define FORWARD(name, parameters, symbol_name, symbol_parameters, arguments)                       \
    int name parameters                                                                            \
    {                                                                                              \
        static _Atomic(void *) found;                                                              \
        void *symbol = atomic_load(&found);                                                        \
        int(*function) symbol_parameters = NULL;                                                   \
                                                                                                   \
        if (!symbol) {                                                                             \
            symbol = find(symbol_name);                                                            \
            atomic_store(&found, symbol);                                                          \
        }                                                                                          \
        memcpy(&function, &symbol, sizeof(function));                                              \
        return function ? function arguments : DYNO_NCCL_ABSENT;                                   \
    }

FORWARD(dyno_nccl_open, (struct ncclComm * *comms, int count, const int *gpus), "ncclCommInitAll",
        (struct ncclComm **, int, const int *), (comms, count, gpus))
FORWARD(dyno_nccl_all_reduce_sum,
        (struct ncclComm * comm, void *values, size_t count, enum dyno_nccl_type type,
         dyno_cuda_stream stream),
        "ncclAllReduce",
        (const void *, void *, size_t, int, int, struct ncclComm *, dyno_cuda_stream),
        (values, values, count, (int)type, SUM, comm, stream))
FORWARD(dyno_nccl_all_gather,
        (struct ncclComm * comm, const void *values, size_t count, enum dyno_nccl_type type,
         void *all, dyno_cuda_stream stream),
        "ncclAllGather", (const void *, void *, size_t, int, struct ncclComm *, dyno_cuda_stream),
        (values, all, count, (int)type, comm, stream))
FORWARD(dyno_nccl_close, (struct ncclComm * comm), "ncclCommDestroy", (struct ncclComm *), (comm))
FORWARD(dyno_nccl_abort, (struct ncclComm * comm), "ncclCommAbort", (struct ncclComm *), (comm))
FORWARD(dyno_nccl_version, (int *version), "ncclGetVersion", (int *), (version))

const char *dyno_nccl_text(int code)
{
    const char *(*function)(int) = NULL;
    void *symbol = find("ncclGetErrorString");

    memcpy(&function, &symbol, sizeof(function));
    return function && code != DYNO_NCCL_ABSENT ? function(code) : absent;
}
