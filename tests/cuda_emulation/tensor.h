/* Asynchronous copies and tensor cores, as kernels/cuda/mma.cuh names them. */
#ifndef DYNO_TESTS_CUDA_EMULATION_TENSOR_H
#define DYNO_TESTS_CUDA_EMULATION_TENSOR_H

#include <cstdint>

namespace emulation
{

/* 16 bytes.  What was there is gone at once, and the copy arrives when it is waited for: who reads
 * before sees a NaN, or is found to race. */
void copy_async(void *shared, const void *from, bool seen);
void copies_commit();
void copies_wait(int groups);
void copies_forget(); /* a block begins; that of the last must have waited for all of them */

void load_matrices(uint32_t (&out)[4], const void *row, bool turned);

/* m16n8k16; products are summed over k in ascending order, in double. */
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                  float (*to_float)(uint16_t));

} /* namespace emulation */

#endif
