/* The simulated GPU: a device whose passes take as long as sim/timing says. */
#ifndef DYNO_SIM_GPU_H
#define DYNO_SIM_GPU_H

#include "core/run/source.h"
#include "core/worker/device.h"
#include "sim/timing.h"

/* `timing` and `answers` are not owned and must outlive the device, which is closed by its ops. */
dyno_status dyno_sim_gpu_open(struct dyno_device **out, uint32_t worker_count,
                              const struct dyno_timing *timing, struct dyno_answers *answers);

#endif
