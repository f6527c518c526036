/* Faults on order, for tests of what a program does when CUDA fails. */
#ifndef DYNO_TESTS_CUDA_EMULATION_FAULTS_H
#define DYNO_TESTS_CUDA_EMULATION_FAULTS_H

#include <stdint.h>

#include "tests/cuda_emulation/cuda_runtime_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The `call`-th call from now on (1 is the next) returns `error` and does nothing; 0: none does.
 * Calls that give something back never fail, and are not counted. */
void dyno_emulation_fail(uint64_t call, cudaError_t error);

/* Calls since then. */
uint64_t dyno_emulation_calls(void);

/* What cudaMemGetInfo says is free, and all there is.  8 GiB at first. */
void dyno_emulation_free_bytes(size_t bytes);

#ifdef __cplusplus
}

namespace emulation
{
/* One call more: whether it is the one. */
cudaError_t fault();
} /* namespace emulation */
#endif

#endif
