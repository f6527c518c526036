#include "backends/nvml/nvml.h"

#include <assert.h>
#include <dlfcn.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The library's own numbers. */
enum { CLOCK_SM = 1, CLOCK_MEMORY = 2 };
enum { SENSOR_GPU = 0 };
enum { CORRECTED = 0, UNCORRECTED = 1, SINCE_LOADED = 0 };
enum { PEER_READ = 0, PEER_NVLINK = 2, PEER_OK = 0 };
enum { NVLINKS_MAX = 18 };

#define MILLI   1e-3
#define PERCENT 1e-2

typedef void *device_handle;

struct memory {
    unsigned long long total, free, used;
};

struct use {
    unsigned gpu, memory; /* percent */
};

/* The calls that are used; each returns 0, or says why not. */
struct calls {
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_text)(int status);
    int (*gpu_count)(unsigned *count);
    int (*gpu_at)(unsigned index, device_handle *gpu);
    int (*name)(device_handle gpu, char *text, unsigned size);
    int (*memory)(device_handle gpu, struct memory *memory);
    /* What an old driver may lack: NULL then. */
    int (*driver)(char *text, unsigned size);
    int (*cuda)(int *version);
    int (*uuid)(device_handle gpu, char *text, unsigned size);
    int (*capability)(device_handle gpu, int *major, int *minor);
    int (*clock_max)(device_handle gpu, int which, unsigned *mhz);
    int (*power_max)(device_handle gpu, unsigned *milliwatts);
    int (*pcie_generation)(device_handle gpu, unsigned *generation);
    int (*pcie_lanes)(device_handle gpu, unsigned *lanes);
    int (*nvlink)(device_handle gpu, unsigned link, int *is_up);
    int (*parted)(device_handle gpu, unsigned *now, unsigned *next);
    int (*use)(device_handle gpu, struct use *use);
    int (*power)(device_handle gpu, unsigned *milliwatts);
    int (*energy)(device_handle gpu, unsigned long long *millijoules);
    int (*clock)(device_handle gpu, int which, unsigned *mhz);
    int (*temperature)(device_handle gpu, int sensor, unsigned *celsius);
    int (*throttles)(device_handle gpu, unsigned long long *reasons);
    int (*throttles_old)(device_handle gpu, unsigned long long *reasons); /* its name before */
    int (*ecc_errors)(device_handle gpu, int kind, int since, unsigned long long *count);
    int (*peer)(device_handle from, device_handle to, int what, int *status);
};

#define CALL(field) offsetof(struct calls, field)

static const struct {
    const char *symbol;
    size_t offset;
    bool is_needed;
} symbols[] = {
    {"nvmlInit_v2", CALL(init), true},
    {"nvmlShutdown", CALL(shutdown), true},
    {"nvmlErrorString", CALL(error_text), true},
    {"nvmlDeviceGetCount_v2", CALL(gpu_count), true},
    {"nvmlDeviceGetHandleByIndex_v2", CALL(gpu_at), true},
    {"nvmlDeviceGetName", CALL(name), true},
    {"nvmlDeviceGetMemoryInfo", CALL(memory), true},
    {"nvmlSystemGetDriverVersion", CALL(driver), false},
    {"nvmlSystemGetCudaDriverVersion_v2", CALL(cuda), false},
    {"nvmlDeviceGetUUID", CALL(uuid), false},
    {"nvmlDeviceGetCudaComputeCapability", CALL(capability), false},
    {"nvmlDeviceGetMaxClockInfo", CALL(clock_max), false},
    {"nvmlDeviceGetEnforcedPowerLimit", CALL(power_max), false},
    {"nvmlDeviceGetMaxPcieLinkGeneration", CALL(pcie_generation), false},
    {"nvmlDeviceGetMaxPcieLinkWidth", CALL(pcie_lanes), false},
    {"nvmlDeviceGetNvLinkState", CALL(nvlink), false},
    {"nvmlDeviceGetMigMode", CALL(parted), false},
    {"nvmlDeviceGetUtilizationRates", CALL(use), false},
    {"nvmlDeviceGetPowerUsage", CALL(power), false},
    {"nvmlDeviceGetTotalEnergyConsumption", CALL(energy), false},
    {"nvmlDeviceGetClockInfo", CALL(clock), false},
    {"nvmlDeviceGetTemperature", CALL(temperature), false},
    {"nvmlDeviceGetCurrentClocksEventReasons", CALL(throttles), false},
    {"nvmlDeviceGetCurrentClocksThrottleReasons", CALL(throttles_old), false},
    {"nvmlDeviceGetTotalEccErrors", CALL(ecc_errors), false},
    {"nvmlDeviceGetP2PStatus", CALL(peer), false},
};

struct dyno_nvml {
    void *library;
    struct calls calls;
    char driver[DYNO_NVML_TEXT_MAX];
    int cuda;
    uint32_t gpu_count;
    device_handle handles[DYNO_NVML_GPUS_MAX]; /* [gpu_count] */
    struct dyno_nvml_gpu gpus[DYNO_NVML_GPUS_MAX];
};

static dyno_status find_calls(struct dyno_nvml *nvml, struct dyno_error *error)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *address = dlsym(nvml->library, symbols[i].symbol);

        if (!address && symbols[i].is_needed) {
            return dyno_fail(error, DYNO_NOT_FOUND, "libnvidia-ml.so.1 has no %s",
                             symbols[i].symbol);
        }
        memcpy((char *)&nvml->calls + symbols[i].offset, &address, sizeof(address));
    }
    return DYNO_OK;
}

/* A number that a call leaves, or what stands for none. */
static uint32_t whole(int (*ask)(device_handle, unsigned *), device_handle gpu)
{
    unsigned value = 0;

    return ask && ask(gpu, &value) == 0 ? value : 0;
}

static double real(int (*ask)(device_handle, unsigned *), device_handle gpu, double unit)
{
    unsigned value = 0;

    return ask && ask(gpu, &value) == 0 ? value * unit : (double)NAN;
}

static uint32_t clock_max(const struct calls *calls, device_handle gpu, int which)
{
    unsigned mhz = 0;

    return calls->clock_max && calls->clock_max(gpu, which, &mhz) == 0 ? mhz : 0;
}

static double clock_now(const struct calls *calls, device_handle gpu, int which)
{
    unsigned mhz = 0;

    return calls->clock && calls->clock(gpu, which, &mhz) == 0 ? mhz : (double)NAN;
}

static uint32_t count_nvlinks(const struct calls *calls, device_handle gpu)
{
    uint32_t count = 0;

    for (unsigned link = 0; calls->nvlink && link < NVLINKS_MAX; link++) {
        int is_up = 0;

        count += calls->nvlink(gpu, link, &is_up) == 0 && is_up;
    }
    return count;
}

static void describe(const struct calls *calls, device_handle gpu, struct dyno_nvml_gpu *out)
{
    struct memory memory = {0};
    int major = 0, minor = 0;
    unsigned parted = 0, parted_next = 0;

    *out = (struct dyno_nvml_gpu){.name = "unnamed"};
    (void)calls->name(gpu, out->name, sizeof(out->name));
    if (calls->uuid) {
        (void)calls->uuid(gpu, out->uuid, sizeof(out->uuid));
    }
    if (calls->memory(gpu, &memory) == 0) {
        out->memory_bytes = memory.total;
    }
    if (calls->capability && calls->capability(gpu, &major, &minor) == 0) {
        out->capability_major = (uint32_t)major;
        out->capability_minor = (uint32_t)minor;
    }
    out->sm_clock_mhz_max = clock_max(calls, gpu, CLOCK_SM);
    out->memory_clock_mhz_max = clock_max(calls, gpu, CLOCK_MEMORY);
    out->power_watts_max = real(calls->power_max, gpu, MILLI);
    out->pcie_generation_max = whole(calls->pcie_generation, gpu);
    out->pcie_lanes_max = whole(calls->pcie_lanes, gpu);
    out->nvlink_count = count_nvlinks(calls, gpu);
    out->is_parted = calls->parted && calls->parted(gpu, &parted, &parted_next) == 0 && parted;
}

static dyno_status start(struct dyno_nvml *nvml, struct dyno_error *error)
{
    unsigned count = 0;
    int status;

    assert(nvml->calls.init); /* find_calls has seen to it */
    status = nvml->calls.init();
    if (status != 0) {
        return dyno_fail(error, DYNO_IO, "the driver does not answer: %s",
                         nvml->calls.error_text(status));
    }
    if (nvml->calls.driver) {
        (void)nvml->calls.driver(nvml->driver, sizeof(nvml->driver));
    }
    if (nvml->calls.cuda) {
        (void)nvml->calls.cuda(&nvml->cuda);
    }
    (void)nvml->calls.gpu_count(&count);
    for (unsigned i = 0; i < count && nvml->gpu_count < DYNO_NVML_GPUS_MAX; i++) {
        device_handle *handle = &nvml->handles[nvml->gpu_count];

        if (nvml->calls.gpu_at(i, handle) == 0) { /* else it is lost, or not ours to see */
            describe(&nvml->calls, *handle, &nvml->gpus[nvml->gpu_count++]);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_nvml_open(struct dyno_nvml **out, struct dyno_error *error)
{
    struct dyno_nvml *nvml = calloc(1, sizeof(*nvml));
    dyno_status status = DYNO_OK;

    if (!nvml) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    nvml->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!nvml->library) {
        status = dyno_fail(error, DYNO_NOT_FOUND, "there is no libnvidia-ml.so.1");
    }
    if (status == DYNO_OK) {
        status = find_calls(nvml, error);
    }
    if (status == DYNO_OK) {
        status = start(nvml, error);
    }
    if (status == DYNO_OK) {
        *out = nvml;
        return DYNO_OK;
    }
    if (nvml->library) {
        (void)dlclose(nvml->library);
    }
    free(nvml);
    return status;
}

void dyno_nvml_close(struct dyno_nvml *nvml)
{
    if (nvml) {
        (void)nvml->calls.shutdown();
        (void)dlclose(nvml->library);
        free(nvml);
    }
}

const char *dyno_nvml_driver(const struct dyno_nvml *nvml)
{
    return nvml->driver;
}

uint32_t dyno_nvml_cuda_version(const struct dyno_nvml *nvml)
{
    return (uint32_t)nvml->cuda;
}

uint32_t dyno_nvml_gpu_count(const struct dyno_nvml *nvml)
{
    return nvml->gpu_count;
}

const struct dyno_nvml_gpu *dyno_nvml_gpu(const struct dyno_nvml *nvml, uint32_t index)
{
    assert(index < nvml->gpu_count);
    return &nvml->gpus[index];
}

/* The library's bits (nvml.h: nvmlClocksEventReason...).  That a GPU is idle (1), or that a display
 * sets its clocks (0x100), holds nobody up. */
static uint32_t throttles_of(unsigned long long reasons)
{
    static const uint32_t bits[DYNO_NVML_THROTTLES] = {
        [DYNO_NVML_CLOCK_SETTING] = 0x2, [DYNO_NVML_POWER_CAP] = 0x4,
        [DYNO_NVML_HARDWARE] = 0x8,      [DYNO_NVML_SYNC_BOOST] = 0x10,
        [DYNO_NVML_THERMAL] = 0x20,      [DYNO_NVML_HARDWARE_THERMAL] = 0x40,
        [DYNO_NVML_POWER_BRAKE] = 0x80,
    };
    uint32_t throttles = 0;

    for (uint32_t i = 0; i < DYNO_NVML_THROTTLES; i++) {
        throttles |= reasons & bits[i] ? 1U << i : 0;
    }
    return throttles;
}

static void look_at_throttles(const struct calls *calls, device_handle gpu,
                              struct dyno_nvml_state *out)
{
    unsigned long long reasons = 0;

    out->tells_throttles = (calls->throttles && calls->throttles(gpu, &reasons) == 0) ||
                           (calls->throttles_old && calls->throttles_old(gpu, &reasons) == 0);
    out->throttles = out->tells_throttles ? throttles_of(reasons) : 0;
}

static double ecc_errors(const struct calls *calls, device_handle gpu, int kind)
{
    unsigned long long count = 0;

    return calls->ecc_errors && calls->ecc_errors(gpu, kind, SINCE_LOADED, &count) == 0
               ? (double)count
               : (double)NAN;
}

void dyno_nvml_look(const struct dyno_nvml *nvml, uint32_t index, struct dyno_nvml_state *out)
{
    const struct calls *calls = &nvml->calls;
    struct memory memory;
    struct use use;
    unsigned long long millijoules = 0;
    unsigned celsius = 0;
    device_handle gpu;
    bool has_use;

    assert(index < nvml->gpu_count);
    gpu = nvml->handles[index];
    has_use = calls->use && calls->use(gpu, &use) == 0;
    out->busy = has_use ? use.gpu * PERCENT : (double)NAN;
    out->memory_busy = has_use ? use.memory * PERCENT : (double)NAN;
    out->memory_used_bytes = calls->memory(gpu, &memory) == 0 ? (double)memory.used : (double)NAN;
    out->power_watts = real(calls->power, gpu, MILLI);
    out->energy_joules = calls->energy && calls->energy(gpu, &millijoules) == 0
                             ? (double)millijoules * MILLI
                             : (double)NAN;
    out->sm_clock_mhz = clock_now(calls, gpu, CLOCK_SM);
    out->memory_clock_mhz = clock_now(calls, gpu, CLOCK_MEMORY);
    out->temperature_celsius =
        calls->temperature && calls->temperature(gpu, SENSOR_GPU, &celsius) == 0 ? celsius
                                                                                 : (double)NAN;
    out->ecc_corrected = ecc_errors(calls, gpu, CORRECTED);
    out->ecc_uncorrected = ecc_errors(calls, gpu, UNCORRECTED);
    look_at_throttles(calls, gpu, out);
}

const char *dyno_nvml_throttle_word(enum dyno_nvml_throttle throttle)
{
    static const char *const words[] = {
        [DYNO_NVML_POWER_CAP] = "power_cap",
        [DYNO_NVML_THERMAL] = "thermal",
        [DYNO_NVML_HARDWARE] = "hardware",
        [DYNO_NVML_HARDWARE_THERMAL] = "hardware_thermal",
        [DYNO_NVML_POWER_BRAKE] = "power_brake",
        [DYNO_NVML_SYNC_BOOST] = "sync_boost",
        [DYNO_NVML_CLOCK_SETTING] = "clock_setting",
    };

    return words[throttle];
}

enum dyno_nvml_path dyno_nvml_path(const struct dyno_nvml *nvml, uint32_t from, uint32_t to)
{
    const struct calls *calls = &nvml->calls;
    device_handle here, there;
    int status = PEER_OK;

    assert(from < nvml->gpu_count && to < nvml->gpu_count);
    if (!calls->peer) {
        return DYNO_NVML_UNKNOWN;
    }
    here = nvml->handles[from];
    there = nvml->handles[to];
    if (calls->peer(here, there, PEER_NVLINK, &status) == 0 && status == PEER_OK) {
        return DYNO_NVML_NVLINK;
    }
    if (calls->peer(here, there, PEER_READ, &status) != 0) {
        return DYNO_NVML_UNKNOWN;
    }
    return status == PEER_OK ? DYNO_NVML_PCIE : DYNO_NVML_HOST;
}

const char *dyno_nvml_path_word(enum dyno_nvml_path path)
{
    static const char *const words[] = {
        [DYNO_NVML_NVLINK] = "NVLink",
        [DYNO_NVML_PCIE] = "PCIe",
        [DYNO_NVML_HOST] = "host",
        [DYNO_NVML_UNKNOWN] = "unknown",
    };

    return words[path];
}
