/* What NVIDIA's management library tells of the GPUs of this machine: what they are, how busy, how
 * warm, and what lies between them.
 *
 * The library (libnvidia-ml.so.1, a part of the driver) is asked through the loader: nothing is
 * linked for it, and where it is not there, opening says so.  It sees all GPUs of the machine, also
 * those that CUDA_VISIBLE_DEVICES hides from CUDA, ordered by their place on the PCIe bus.  Figures
 * that a GPU does not tell are NAN, or 0 where they are whole numbers that cannot be 0 otherwise.
 *
 * One thread at a time may use a dyno_nvml.
 */
#ifndef DYNO_BACKENDS_NVML_NVML_H
#define DYNO_BACKENDS_NVML_NVML_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_NVML_TEXT_MAX = 96 }; /* longest text of the library's, with its end */
enum { DYNO_NVML_GPUS_MAX = 64 }; /* of a machine with more the others are left out */

struct dyno_nvml;

/* What does not change while the driver is loaded. */
struct dyno_nvml_gpu {
    char name[DYNO_NVML_TEXT_MAX], uuid[DYNO_NVML_TEXT_MAX];
    uint64_t memory_bytes;
    uint32_t capability_major, capability_minor; /* compute capability: 9 and 0 of Hopper */
    uint32_t sm_clock_mhz_max, memory_clock_mhz_max;
    double power_watts_max; /* the limit that is enforced */
    uint32_t pcie_generation_max, pcie_lanes_max;
    uint32_t nvlink_count; /* links that are up */
    bool is_parted;        /* in instances (MIG) */
};

/* Why a GPU's clocks are lower than they could be: bits of dyno_nvml_state's `throttles`. */
enum dyno_nvml_throttle {
    DYNO_NVML_POWER_CAP,        /* it would draw more than its limit */
    DYNO_NVML_THERMAL,          /* it, or its memory, is too warm: said by the driver */
    DYNO_NVML_HARDWARE,         /* by half or more: too warm, too much power, or told to brake */
    DYNO_NVML_HARDWARE_THERMAL, /* ... of that, too warm */
    DYNO_NVML_POWER_BRAKE,      /* ... of that, told to by the power supply */
    DYNO_NVML_SYNC_BOOST,       /* those of its group are slower */
    DYNO_NVML_CLOCK_SETTING,    /* somebody has set them lower */
    DYNO_NVML_THROTTLES,
};

/* What is so now. */
struct dyno_nvml_state {
    double busy;        /* share of the last sample period in which a kernel ran, 0 to 1 */
    double memory_busy; /* ... in which memory was read or written */
    double memory_used_bytes;
    double power_watts, energy_joules; /* energy: since the driver was loaded */
    double sm_clock_mhz, memory_clock_mhz;
    double temperature_celsius;
    /* Errors of memory since the driver was loaded: those that ECC has mended, and those that it
     * has only found.  Of a GPU whose ECC is off: not told. */
    double ecc_corrected, ecc_uncorrected;
    bool tells_throttles;
    uint32_t throttles; /* 1 << enum dyno_nvml_throttle, of each that is so; not told: 0 */
};

/* How two GPUs reach each other's memory. */
enum dyno_nvml_path {
    DYNO_NVML_NVLINK,
    DYNO_NVML_PCIE,    /* peer access over PCIe */
    DYNO_NVML_HOST,    /* no peer access: through the host's memory */
    DYNO_NVML_UNKNOWN, /* the library does not tell */
};

/* On success *out is closed with dyno_nvml_close.  Errors: DYNO_NOT_FOUND (no library, or one
 * without a call that is needed), DYNO_IO (it does not start, in its own words). */
dyno_status dyno_nvml_open(struct dyno_nvml **out, struct dyno_error *error);
void dyno_nvml_close(struct dyno_nvml *nvml);

/* The driver's version in its own words; "" where it is not told. */
const char *dyno_nvml_driver(const struct dyno_nvml *nvml);
/* The newest CUDA that the driver runs, as CUDA writes it: 13000 is 13.0; 0: not told. */
uint32_t dyno_nvml_cuda_version(const struct dyno_nvml *nvml);

uint32_t dyno_nvml_gpu_count(const struct dyno_nvml *nvml);
/* `index` < the count. */
const struct dyno_nvml_gpu *dyno_nvml_gpu(const struct dyno_nvml *nvml, uint32_t index);

/* A few calls of the driver's; each may take a millisecond. */
void dyno_nvml_look(const struct dyno_nvml *nvml, uint32_t index, struct dyno_nvml_state *out);

/* "power_cap", "thermal", "hardware", "hardware_thermal", "power_brake", "sync_boost",
 * "clock_setting". */
const char *dyno_nvml_throttle_word(enum dyno_nvml_throttle throttle);

enum dyno_nvml_path dyno_nvml_path(const struct dyno_nvml *nvml, uint32_t from, uint32_t to);
/* "NVLink", "PCIe", "host", "unknown". */
const char *dyno_nvml_path_word(enum dyno_nvml_path path);

#endif
