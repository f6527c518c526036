#include "cli/assembly/gpu_samples.h"

#include <stdio.h>
#include <string.h>

static void name_throttles(char *out, size_t size, uint32_t throttles)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < DYNO_NVML_THROTTLES; i++) {
        if (throttles >> i & 1U) {
            size_t length = strlen(out);

            (void)snprintf(out + length, size - length, "%s%s", length > 0 ? " " : "",
                           dyno_nvml_throttle_word(i));
        }
    }
}

static struct dyno_gpu_record record_of(const struct dyno_nvml_state *state, uint32_t gpu,
                                        dyno_ns at)
{
    struct dyno_gpu_record record = {.at = at,
                                     .gpu = gpu,
                                     .tells_throttles = state->tells_throttles,
                                     .busy = state->busy,
                                     .memory_busy = state->memory_busy,
                                     .memory_used_bytes = state->memory_used_bytes,
                                     .power_watts = state->power_watts,
                                     .energy_joules = state->energy_joules,
                                     .sm_clock_mhz = state->sm_clock_mhz,
                                     .memory_clock_mhz = state->memory_clock_mhz,
                                     .temperature_celsius = state->temperature_celsius,
                                     .ecc_corrected = state->ecc_corrected,
                                     .ecc_uncorrected = state->ecc_uncorrected};

    name_throttles(record.throttles, sizeof record.throttles, state->throttles);
    return record;
}

static dyno_status hear_sample(struct dyno_sink *sink, const struct dyno_sample_record *sample)
{
    struct dyno_gpu_samples *samples = (struct dyno_gpu_samples *)sink;

    if (sample->at == samples->told) {
        return DYNO_OK; /* another worker at the same instant */
    }
    samples->told = sample->at;
    for (uint32_t gpu = 0; gpu < dyno_nvml_watch_count(samples->watch); gpu++) {
        struct dyno_nvml_state state;
        struct dyno_gpu_record record;

        dyno_nvml_watch_latest(samples->watch, gpu, &state);
        record = record_of(&state, gpu, sample->at);
        DYNO_TRY(samples->put(samples->recorder, &record));
    }
    return DYNO_OK;
}

static const struct dyno_sink_ops ops = {.name = "GPU samples", .sample = hear_sample};

void dyno_gpu_samples_init(struct dyno_gpu_samples *samples, struct dyno_nvml_watch *watch,
                           dyno_status (*put)(void *recorder, const struct dyno_gpu_record *record),
                           void *recorder)
{
    *samples = (struct dyno_gpu_samples){.sink = {.ops = &ops},
                                         .watch = watch,
                                         .told = DYNO_NEVER,
                                         .put = put,
                                         .recorder = recorder};
}
