/* With a run's samples, what the driver says of the GPUs of this machine: a sink that tells a
 * recorder when the first worker of an instant is looked at.  For devices that compute on GPUs. */
#ifndef DYNO_CLI_ASSEMBLY_GPU_SAMPLES_H
#define DYNO_CLI_ASSEMBLY_GPU_SAMPLES_H

#include "backends/nvml/watch.h"
#include "core/run/sink.h"
#include "reports/reports.h"

struct dyno_gpu_samples {
    struct dyno_sink sink;
    struct dyno_nvml_watch *watch; /* not owned */
    dyno_ns told;                  /* the instant of which all was told; DYNO_NEVER: none */
    dyno_status (*put)(void *recorder, const struct dyno_gpu_record *record);
    void *recorder;
};

/* `put` is told one record a GPU.  Nothing to release. */
void dyno_gpu_samples_init(struct dyno_gpu_samples *samples, struct dyno_nvml_watch *watch,
                           dyno_status (*put)(void *recorder, const struct dyno_gpu_record *record),
                           void *recorder);

#endif
