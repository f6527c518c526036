/* Faults on order, for tests of what a program does when CUDA fails, and how many GPUs there are.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_FAULTS_H
#define DYNO_TESTS_CUDA_EMULATION_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/cuda_emulation/cuda_runtime_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From 1 to 8; before it is called, as many as the environment's DYNO_EMULATION_DEVICES, or 1; of
 * those the last is lost at its call DYNO_EMULATION_LOSE, if that is there. */
void dyno_emulation_devices(int count);

/* The `call`-th call from now on (1 is the next) returns `error` and does nothing; 0: none does.
 * Calls that give something back never fail, and are not counted. */
void dyno_emulation_fail(uint64_t call, cudaError_t error);

/* Calls since then. */
uint64_t dyno_emulation_calls(void);

/* The same of the calls on one device, and none after it succeeds there: as errors of CUDA are that
 * stick.  0: none does. */
void dyno_emulation_lose(int device, uint64_t call, cudaError_t error);
uint64_t dyno_emulation_device_calls(int device);

/* Whether the device was told to see the memory of the other. */
bool dyno_emulation_sees(int device, int peer);

/* Of all devices: 8.0, 8.6, 8.9, 9.0, 10.0 or 12.0.  At first as the environment's
 * DYNO_EMULATION_CAPABILITY says, or 9.0. */
void dyno_emulation_capability(int major, int minor);

/* What cudaMemGetInfo says is free, and all there is.  8 GiB at first. */
void dyno_emulation_free_bytes(size_t bytes);

/* What of that a communicator of NCCL takes of its device: so much when it is opened, and so much
 * more at its first operation.  0 at first. */
void dyno_emulation_nccl_bytes(size_t opened, size_t used);

#ifdef __cplusplus
}

namespace emulation
{
/* One call more: whether it is the one. */
cudaError_t fault();

/* Of the free memory of a device, what somebody has taken; or given back. */
void take_free(int device, size_t bytes);
void give_free(int device, size_t bytes);

/* A call that has to do with another device than the current one, too. */
cudaError_t fault_beside(int device);
} /* namespace emulation */
#endif

#endif
