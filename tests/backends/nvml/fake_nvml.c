/* A management library for tests, in place of the driver's libnvidia-ml.so.1.
 *
 * It shows FAKE_GPUS GPUs (two if that is not set).  Of three: 0 and 1 are linked by NVLink, 2
 * reaches 0 over PCIe and 1 not at all.  GPU i is i degrees warmer than the one before.  Variants:
 * one that tells everything, one as of an old driver, one that does not start, one that is
 * something else, one of between (its GPU 0 knows no ECC, and why clocks are low has its old name).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE, OLD, REFUSES, OTHER, BETWEEN };
enum { OK = 0, NOT_SUPPORTED = 3, NOT_LOADED = 9 };
enum { INDEX_READ = 0, INDEX_NVLINK = 2, PEER_OK = 0, PEER_NOT = 1 };

struct memory {
    unsigned long long total, free, used;
};

struct use {
    unsigned gpu, memory;
};

struct gpu {
    unsigned index;
};

static struct gpu gpus[8] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int status);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **gpu);
int nvmlDeviceGetName(struct gpu *gpu, char *text, unsigned size);
int nvmlDeviceGetMemoryInfo(struct gpu *gpu, struct memory *memory);
int nvmlSystemGetDriverVersion(char *text, unsigned size);
int nvmlSystemGetCudaDriverVersion_v2(int *version);
int nvmlDeviceGetUUID(struct gpu *gpu, char *text, unsigned size);
int nvmlDeviceGetCudaComputeCapability(struct gpu *gpu, int *major, int *minor);
int nvmlDeviceGetMaxClockInfo(struct gpu *gpu, int which, unsigned *mhz);
int nvmlDeviceGetEnforcedPowerLimit(struct gpu *gpu, unsigned *milliwatts);
int nvmlDeviceGetMaxPcieLinkGeneration(struct gpu *gpu, unsigned *generation);
int nvmlDeviceGetMaxPcieLinkWidth(struct gpu *gpu, unsigned *lanes);
int nvmlDeviceGetNvLinkState(struct gpu *gpu, unsigned link, int *is_up);
int nvmlDeviceGetMigMode(struct gpu *gpu, unsigned *now, unsigned *next);
int nvmlDeviceGetUtilizationRates(struct gpu *gpu, struct use *use);
int nvmlDeviceGetPowerUsage(struct gpu *gpu, unsigned *milliwatts);
int nvmlDeviceGetTotalEnergyConsumption(struct gpu *gpu, unsigned long long *millijoules);
int nvmlDeviceGetClockInfo(struct gpu *gpu, int which, unsigned *mhz);
int nvmlDeviceGetTemperature(struct gpu *gpu, int sensor, unsigned *celsius);
int nvmlDeviceGetCurrentClocksEventReasons(struct gpu *gpu, unsigned long long *reasons);
int nvmlDeviceGetCurrentClocksThrottleReasons(struct gpu *gpu, unsigned long long *reasons);
int nvmlDeviceGetTotalEccErrors(struct gpu *gpu, int kind, int since, unsigned long long *count);
int nvmlDeviceGetP2PStatus(struct gpu *from, struct gpu *to, int what, int *status);

#if VARIANT != 3
int nvmlInit_v2(void)
{
    return VARIANT == REFUSES ? NOT_LOADED : OK;
}
#endif

int nvmlShutdown(void)
{
    return OK;
}

const char *nvmlErrorString(int status)
{
    return status == NOT_LOADED ? "Driver Not Loaded" : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    const char *wanted = getenv("FAKE_GPUS");

    *count = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 2;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **gpu)
{
    *gpu = &gpus[index % 8];
    return OK;
}

int nvmlDeviceGetName(struct gpu *gpu, char *text, unsigned size)
{
    (void)gpu;
    (void)snprintf(text, size, "Fake H200");
    return OK;
}

int nvmlDeviceGetMemoryInfo(struct gpu *gpu, struct memory *memory)
{
    memory->total = 150ULL << 30;
    memory->used = (unsigned long long)(gpu->index + 1) << 30;
    memory->free = memory->total - memory->used;
    return OK;
}

#if VARIANT != 1
int nvmlSystemGetDriverVersion(char *text, unsigned size)
{
    (void)snprintf(text, size, "580.1");
    return OK;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    *version = 13010;
    return OK;
}

int nvmlDeviceGetUUID(struct gpu *gpu, char *text, unsigned size)
{
    (void)snprintf(text, size, "GPU-%u", gpu->index);
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(struct gpu *gpu, int *major, int *minor)
{
    (void)gpu;
    *major = 9;
    *minor = 0;
    return OK;
}

int nvmlDeviceGetMaxClockInfo(struct gpu *gpu, int which, unsigned *mhz)
{
    (void)gpu;
    *mhz = which == 1 ? 1980 : 3201;
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(struct gpu *gpu, unsigned *milliwatts)
{
    (void)gpu;
    *milliwatts = 700000;
    return OK;
}

int nvmlDeviceGetMaxPcieLinkGeneration(struct gpu *gpu, unsigned *generation)
{
    (void)gpu;
    *generation = 5;
    return OK;
}

int nvmlDeviceGetMaxPcieLinkWidth(struct gpu *gpu, unsigned *lanes)
{
    (void)gpu;
    *lanes = 16;
    return OK;
}

int nvmlDeviceGetNvLinkState(struct gpu *gpu, unsigned link, int *is_up)
{
    (void)gpu;
    *is_up = link != 17;
    return OK;
}

int nvmlDeviceGetMigMode(struct gpu *gpu, unsigned *now, unsigned *next)
{
    *now = *next = gpu->index == 1;
    return OK;
}

int nvmlDeviceGetUtilizationRates(struct gpu *gpu, struct use *use)
{
    (void)gpu;
    *use = (struct use){.gpu = 75, .memory = 50};
    return OK;
}

int nvmlDeviceGetPowerUsage(struct gpu *gpu, unsigned *milliwatts)
{
    (void)gpu;
    *milliwatts = 350500;
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(struct gpu *gpu, unsigned long long *millijoules)
{
    (void)gpu;
    *millijoules = 5000000000ULL;
    return OK;
}

int nvmlDeviceGetClockInfo(struct gpu *gpu, int which, unsigned *mhz)
{
    (void)gpu;
    *mhz = which == 1 ? 1755 : 3201;
    return OK;
}

int nvmlDeviceGetTemperature(struct gpu *gpu, int sensor, unsigned *celsius)
{
    if (sensor != 0) {
        return NOT_SUPPORTED;
    }
    *celsius = 40 + gpu->index;
    return OK;
}

/* GPU 0 is idle; 1 has come to its limit of power, and is too warm besides. */
#if VARIANT == 4
int nvmlDeviceGetCurrentClocksThrottleReasons(struct gpu *gpu, unsigned long long *reasons)
#else
int nvmlDeviceGetCurrentClocksEventReasons(struct gpu *gpu, unsigned long long *reasons)
#endif
{
    *reasons = gpu->index == 1 ? 0x4 | 0x8 | 0x40 : 0x1;
    return OK;
}

int nvmlDeviceGetTotalEccErrors(struct gpu *gpu, int kind, int since, unsigned long long *count)
{
    if (since != 0 || kind > 1 || (VARIANT == BETWEEN && gpu->index == 0)) {
        return NOT_SUPPORTED;
    }
    *count = kind == 0 ? 12 * gpu->index : gpu->index;
    return OK;
}

int nvmlDeviceGetP2PStatus(struct gpu *from, struct gpu *to, int what, int *status)
{
    unsigned low = from->index < to->index ? from->index : to->index;
    unsigned high = from->index < to->index ? to->index : from->index;

    *status = PEER_NOT;
    if (high == 1 || (high == 2 && low == 0 && what == INDEX_READ)) {
        *status = PEER_OK;
    }
    return what == INDEX_READ || what == INDEX_NVLINK ? OK : NOT_SUPPORTED;
}
#endif
