/* Where the KV of a device's workers lies; for nobody else than its links. */
#ifndef DYNO_BACKENDS_CUDA_DEVICE_POOLS_H
#define DYNO_BACKENDS_CUDA_DEVICE_POOLS_H

#include <stdbool.h>

#include "backends/cuda/kv_pool.h"
#include "core/worker/device.h"

/* Of a device that dyno_cuda_device_open opened. */
uint32_t dyno_cuda_device_workers(const struct dyno_device *device);
uint32_t dyno_cuda_device_ranks(const struct dyno_device *device);
uint32_t dyno_cuda_device_gpus(const struct dyno_device *device);             /* that it uses */
bool dyno_cuda_device_has(const struct dyno_device *device, uint32_t worker); /* it is there */
/* Of a worker that is there. */
struct dyno_cuda_kv_pool dyno_cuda_device_pool(const struct dyno_device *device, uint32_t worker,
                                               uint32_t rank);

#endif
