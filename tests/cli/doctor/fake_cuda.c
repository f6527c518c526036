/* The calls of CUDA's libraries that `dyno doctor` makes, for tests, in the place of the driver's
 * libcuda.so.1, libcublasLt.so.13 and libnccl.so.2; or of one that has none of them.
 *
 * FAKE_CUDA_VERSION: for which CUDA the driver is (13010), FAKE_CUDA_INIT: what cuInit returns (0),
 * FAKE_CUDA_GPUS: how many GPUs it shows (1), FAKE_CUDA_CAPABILITY: their compute capability, times
 * ten (90). */
#include <stdio.h>
#include <stdlib.h>

#ifdef FAKE_NOTHING
extern const int there_is_nothing;
const int there_is_nothing = 1;
#else

enum { MAJOR = 75, MINOR = 76 }; /* attributes */

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *count);
int cuDeviceGetName(char *name, int size, int device);
int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuDeviceGetAttribute(int *value, int which, int device);
size_t cublasLtGetVersion(void);
int ncclGetVersion(int *version);

static int told(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text ? (int)strtol(text, NULL, 10) : otherwise;
}

int cuInit(unsigned flags)
{
    (void)flags;
    return told("FAKE_CUDA_INIT", 0);
}

int cuDriverGetVersion(int *version)
{
    *version = told("FAKE_CUDA_VERSION", 13010);
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = told("FAKE_CUDA_GPUS", 1);
    return 0;
}

int cuDeviceGetName(char *name, int size, int device)
{
    (void)snprintf(name, (size_t)size, "Fake GPU %d", device);
    return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    (void)device;
    *bytes = (size_t)80 << 30;
    return 0;
}

int cuDeviceGetAttribute(int *value, int which, int device)
{
    int capability = told("FAKE_CUDA_CAPABILITY", 90);

    (void)device;
    *value = which == MAJOR ? capability / 10 : which == MINOR ? capability % 10 : 0;
    return 0;
}

size_t cublasLtGetVersion(void)
{
    return 130002;
}

int ncclGetVersion(int *version)
{
    *version = 22809;
    return 0;
}

#endif
