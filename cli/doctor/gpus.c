/* `dyno doctor`, GPUs as NVIDIA's management library shows them: what each is, and how they reach
 * each other.  It needs no CUDA, in this build or on this machine. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/nvml/nvml.h"
#include "cli/doctor/doctor.h"
#include "reports/json_file.h"

/* Why clocks are low; null: it does not tell. */
static json_t *throttles_json(const struct dyno_nvml_state *state)
{
    json_t *reasons = state->tells_throttles ? json_array() : json_null();

    for (uint32_t i = 0; i < DYNO_NVML_THROTTLES; i++) {
        if (state->throttles >> i & 1U) {
            json_array_append_new(reasons, json_string(dyno_nvml_throttle_word(i)));
        }
    }
    return reasons;
}

/* A GPU in numbers; those that it does not tell are null. */
static json_t *gpu_json(const struct dyno_nvml *nvml, uint32_t index)
{
    const struct dyno_nvml_gpu *gpu = dyno_nvml_gpu(nvml, index);
    struct dyno_nvml_state state;
    json_t *paths = json_array();

    dyno_nvml_look(nvml, index, &state);
    for (uint32_t other = 0; other < dyno_nvml_gpu_count(nvml); other++) {
        json_array_append_new(paths, other == index ? json_null()
                                                    : json_string(dyno_nvml_path_word(
                                                          dyno_nvml_path(nvml, index, other))));
    }
    return json_pack(
        "{s:s, s:s, s:I, s:[i,i], s:i, s:i, s:o, s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o}",
        "name", gpu->name, "uuid", gpu->uuid, "memory_bytes", (json_int_t)gpu->memory_bytes,
        "compute_capability", (int)gpu->capability_major, (int)gpu->capability_minor,
        "sm_clock_mhz_max", (int)gpu->sm_clock_mhz_max, "memory_clock_mhz_max",
        (int)gpu->memory_clock_mhz_max, "power_watts_max", dyno_json_number(gpu->power_watts_max),
        "pcie_generation_max", (int)gpu->pcie_generation_max, "pcie_lanes_max",
        (int)gpu->pcie_lanes_max, "nvlink_count", (int)gpu->nvlink_count, "is_parted",
        gpu->is_parted, "memory_used_bytes", dyno_json_number(state.memory_used_bytes), "busy",
        dyno_json_number(state.busy), "power_watts", dyno_json_number(state.power_watts),
        "sm_clock_mhz", dyno_json_number(state.sm_clock_mhz), "temperature_celsius",
        dyno_json_number(state.temperature_celsius), "throttles", throttles_json(&state),
        "ecc_corrected", dyno_json_number(state.ecc_corrected), "ecc_uncorrected",
        dyno_json_number(state.ecc_uncorrected), "paths", paths);
}

/* Add words to a text that has room for them. */
static void add(char text[DYNO_DOCTOR_TEXT_MAX], const char *words)
{
    size_t length = strlen(text);

    (void)snprintf(text + length, DYNO_DOCTOR_TEXT_MAX - length, "%s", words);
}

/* Adds `format` with the one number in it, if it is known. */
static void add_number(char text[DYNO_DOCTOR_TEXT_MAX], const char *before, double value,
                       const char *after)
{
    char words[64];

    if (isfinite(value) && value > 0) {
        (void)snprintf(words, sizeof(words), ", %s%.0f%s", before, value, after);
        add(text, words);
    }
}

/* What somebody who wonders why it is slow, or wrong, should know. */
static void add_troubles(char text[DYNO_DOCTOR_TEXT_MAX], const struct dyno_nvml_state *state)
{
    const char *before = ", clocks held down by ";

    for (uint32_t i = 0; i < DYNO_NVML_THROTTLES; i++) {
        if (state->throttles >> i & 1U) {
            add(text, before);
            add(text, dyno_nvml_throttle_word(i));
            before = " and ";
        }
    }
    add_number(text, "", state->ecc_corrected, " memory errors mended");
    add_number(text, "", state->ecc_uncorrected, " NOT mended");
}

static void say_gpu(struct dyno_doctor *doctor, const struct dyno_nvml *nvml, uint32_t index)
{
    const struct dyno_nvml_gpu *gpu = dyno_nvml_gpu(nvml, index);
    struct dyno_nvml_state state;
    char text[DYNO_DOCTOR_TEXT_MAX], words[64];

    dyno_nvml_look(nvml, index, &state);
    (void)snprintf(text, sizeof(text), "%u: %s, %.1f GiB", index, gpu->name,
                   (double)gpu->memory_bytes / DYNO_DOCTOR_GIB);
    if (gpu->capability_major > 0) {
        (void)snprintf(words, sizeof(words), ", compute capability %u.%u", gpu->capability_major,
                       gpu->capability_minor);
        add(text, words);
    }
    add_number(text, "", gpu->sm_clock_mhz_max, " MHz");
    add_number(text, "", gpu->power_watts_max, " W");
    if (gpu->pcie_generation_max > 0) {
        (void)snprintf(words, sizeof(words), ", PCIe %u x%u", gpu->pcie_generation_max,
                       gpu->pcie_lanes_max);
        add(text, words);
    }
    add_number(text, "", gpu->nvlink_count, " NVLinks");
    add(text, gpu->is_parted ? ", in MIG instances" : "");
    (void)snprintf(words, sizeof(words), "; now %.1f GiB in use",
                   state.memory_used_bytes / DYNO_DOCTOR_GIB);
    add(text, isfinite(state.memory_used_bytes) ? words : "");
    add_number(text, "", state.temperature_celsius, " C");
    add_number(text, "", state.power_watts, " W");
    add_number(text, "", state.sm_clock_mhz, " MHz");
    add_troubles(text, &state);
    dyno_doctor_say(doctor, "gpu", true, "%s", text);
}

/* The worst path between any two, which is what a model over all of them has to live with. */
static void say_links(struct dyno_doctor *doctor, const struct dyno_nvml *nvml)
{
    static const char *const words[] = {
        [DYNO_NVML_NVLINK] = "all reach each other over NVLink",
        [DYNO_NVML_PCIE] = "some pairs reach each other over PCIe only",
        [DYNO_NVML_HOST] = "some pairs have no peer access: what moves between them goes through "
                           "the host's memory",
        [DYNO_NVML_UNKNOWN] = "the driver does not tell how they reach each other",
    };
    uint32_t count = dyno_nvml_gpu_count(nvml);
    enum dyno_nvml_path worst = DYNO_NVML_NVLINK;

    for (uint32_t from = 0; from < count; from++) {
        for (uint32_t to = 0; to < count; to++) {
            if (from != to && dyno_nvml_path(nvml, from, to) > worst) {
                worst = dyno_nvml_path(nvml, from, to);
            }
        }
    }
    if (count > 1) {
        dyno_doctor_say(doctor, "gpu links", worst <= DYNO_NVML_PCIE, "%s", words[worst]);
    }
}

bool dyno_doctor_list_gpus(struct dyno_doctor *doctor)
{
    struct dyno_nvml *nvml = NULL;
    struct dyno_error error;

    if (dyno_nvml_open(&nvml, &error) != DYNO_OK) {
        dyno_doctor_say(doctor, "nvml", false, "%s; GPUs' use, power and clocks are not known",
                        error.text);
        return false;
    }
    dyno_doctor_say(doctor, "nvml", true, "driver %s, for CUDA up to %u.%u", dyno_nvml_driver(nvml),
                    dyno_nvml_cuda_version(nvml) / 1000, dyno_nvml_cuda_version(nvml) % 1000 / 10);
    for (uint32_t i = 0; i < dyno_nvml_gpu_count(nvml); i++) {
        say_gpu(doctor, nvml, i);
        (void)json_array_append_new(doctor->gpus, gpu_json(nvml, i));
    }
    say_links(doctor, nvml);
    dyno_nvml_close(nvml);
    return json_array_size(doctor->gpus) > 0;
}
