/* What the driver tells of GPUs, in Prometheus' text format. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "backends/door/prometheus_parts.h"
#include "backends/nvml/watch.h"

#define HERTZ_PER_MHZ 1e6

struct family {
    const char *name, *type, *help;
    size_t offset; /* in struct dyno_nvml_state */
    double unit;   /* what the state's number is multiplied by */
};

static const struct family families[] = {
    {"dyno_gpu_busy_ratio", "gauge", "Share of the driver's last sample in which a kernel ran.",
     offsetof(struct dyno_nvml_state, busy), 1},
    {"dyno_gpu_memory_busy_ratio", "gauge",
     "Share of the driver's last sample in which memory was read or written.",
     offsetof(struct dyno_nvml_state, memory_busy), 1},
    {"dyno_gpu_memory_used_bytes", "gauge", "Memory in use, by whatever process.",
     offsetof(struct dyno_nvml_state, memory_used_bytes), 1},
    {"dyno_gpu_power_watts", "gauge", "Power drawn.", offsetof(struct dyno_nvml_state, power_watts),
     1},
    {"dyno_gpu_energy_joules_total", "counter", "Energy drawn since the driver was loaded.",
     offsetof(struct dyno_nvml_state, energy_joules), 1},
    {"dyno_gpu_sm_clock_hertz", "gauge", "Clock of the multiprocessors.",
     offsetof(struct dyno_nvml_state, sm_clock_mhz), HERTZ_PER_MHZ},
    {"dyno_gpu_memory_clock_hertz", "gauge", "Clock of the memory.",
     offsetof(struct dyno_nvml_state, memory_clock_mhz), HERTZ_PER_MHZ},
    {"dyno_gpu_temperature_celsius", "gauge", "Temperature.",
     offsetof(struct dyno_nvml_state, temperature_celsius), 1},
    {"dyno_gpu_ecc_corrected_total", "counter",
     "Errors of memory that ECC has mended since the driver was loaded.",
     offsetof(struct dyno_nvml_state, ecc_corrected), 1},
    {"dyno_gpu_ecc_uncorrected_total", "counter",
     "Errors of memory that ECC has found and not mended since the driver was loaded.",
     offsetof(struct dyno_nvml_state, ecc_uncorrected), 1},
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

static void put_value(FILE *out, const char *name, struct dyno_nvml_watch *watch, uint32_t index,
                      double value)
{
    const struct dyno_nvml_gpu *gpu = dyno_nvml_watch_gpu(watch, index);
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", index);
    dyno_lines_real(out, name,
                    DYNO_LABELS({"gpu", number}, {"uuid", gpu->uuid}, {"name", gpu->name}), value);
}

/* Of what a GPU does not tell there is no line. */
static void put_family(FILE *out, const struct family *family, struct dyno_nvml_watch *watch,
                       const struct dyno_nvml_state *states)
{
    dyno_lines_family(out, family->name, family->type, family->help);
    for (uint32_t i = 0; i < dyno_nvml_watch_count(watch); i++) {
        double value;

        memcpy(&value, (const char *)&states[i] + family->offset, sizeof(value));
        if (isfinite(value)) {
            put_value(out, family->name, watch, i, value * family->unit);
        }
    }
}

/* A line for every reason: 1 where it is so. */
static void put_throttles(FILE *out, struct dyno_nvml_watch *watch,
                          const struct dyno_nvml_state *states)
{
    static const char name[] = "dyno_gpu_throttled";

    dyno_lines_family(out, name, "gauge", "Are clocks lower than they could be, for this reason?");
    for (uint32_t i = 0; i < dyno_nvml_watch_count(watch); i++) {
        const struct dyno_nvml_gpu *gpu = dyno_nvml_watch_gpu(watch, i);
        char number[16];

        (void)snprintf(number, sizeof(number), "%u", i);
        for (uint32_t why = 0; states[i].tells_throttles && why < DYNO_NVML_THROTTLES; why++) {
            dyno_lines_real(out, name,
                            DYNO_LABELS({"gpu", number}, {"uuid", gpu->uuid}, {"name", gpu->name},
                                        {"reason", dyno_nvml_throttle_word(why)}),
                            states[i].throttles >> why & 1U);
        }
    }
}

void dyno_prometheus_gpus(FILE *out, struct dyno_nvml_watch *watch)
{
    struct dyno_nvml_state states[DYNO_NVML_GPUS_MAX];
    uint32_t count = dyno_nvml_watch_count(watch);

    for (uint32_t i = 0; i < count; i++) {
        dyno_nvml_watch_latest(watch, i, &states[i]);
    }
    dyno_lines_family(out, "dyno_gpu_memory_bytes", "gauge", "Memory that a GPU has.");
    for (uint32_t i = 0; i < count; i++) {
        put_value(out, "dyno_gpu_memory_bytes", watch, i,
                  (double)dyno_nvml_watch_gpu(watch, i)->memory_bytes);
    }
    for (uint32_t i = 0; i < FAMILIES; i++) {
        put_family(out, &families[i], watch, states);
    }
    put_throttles(out, watch, states);
}
