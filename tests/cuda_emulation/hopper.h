/* Barriers that count, boxes of tensors, and products of a warp group, as kernels/cuda/hopper.cuh
 * names them.
 *
 * A box's bytes are gone when it is asked for, and there when its barrier is waited for.  A product
 * is done when it is waited for, with what its operands hold then: who changes them before, or
 * reads the result, computes something else.  An epoch of memory (memory.h) ends with every phase
 * of a barrier, of whatever threads, so that fewer races are found than between __syncthreads().
 * Fences are asked for between ordinary writes and what TMA and wgmma do there (memory.h), between
 * a barrier's initialisation and the first box, and before the products of a group.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_HOPPER_H
#define DYNO_TESTS_CUDA_EMULATION_HOPPER_H

#include <cstdint>

#include "tests/cuda_emulation/cuda.h"

namespace emulation
{

/* An address in shared memory. */
unsigned shared_offset(const void *shared);

void phases_init(const uint64_t *barrier, unsigned arrivals);
void phases_are_set(); /* fence.mbarrier_init */
void phases_arrive(const uint64_t *barrier, unsigned bytes_expected);
void phases_wait(const uint64_t *barrier, unsigned parity);

void threads_wait(unsigned barrier, unsigned threads);
void threads_arrive(unsigned barrier, unsigned threads);

void fetch_box(const CUtensorMap *map, void *to, const uint64_t *barrier, const unsigned (&at)[5]);

/* c (columns / 2 registers) = a b + (add ? c : 0), k = 16: b turned if a is in registers, else a is
 * at the descriptor. */
struct product {
    float *c;
    unsigned columns;
    const uint32_t *a;
    uint64_t a_rows, b;
    bool add;
    float (*to_float)(uint16_t);
    unsigned group;
};
void products_fence(); /* wgmma.fence */
void product_begin(const product &product);
void products_commit();
void products_wait(unsigned groups);

void hopper_forget(); /* a block begins; that of the last must have waited for everything */

} /* namespace emulation */

#endif
