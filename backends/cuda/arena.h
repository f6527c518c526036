/* Parts of one piece of memory, handed out one after another.  The walk that hands them out runs
 * twice: without memory, to count what is needed, and then over it. */
#ifndef DYNO_BACKENDS_CUDA_ARENA_H
#define DYNO_BACKENDS_CUDA_ARENA_H

#include <stdint.h>

struct dyno_cuda_arena {
    char *base;    /* aligned to DYNO_CUDA_ALIGNMENT; NULL: only count */
    uint64_t used; /* bytes, a multiple of DYNO_CUDA_ALIGNMENT */
};

enum { DYNO_CUDA_ALIGNMENT = 256 }; /* cudaMalloc's */

static inline void *dyno_cuda_take(struct dyno_cuda_arena *arena, uint64_t bytes)
{
    uint64_t at = arena->used;

    arena->used += (bytes + DYNO_CUDA_ALIGNMENT - 1) / DYNO_CUDA_ALIGNMENT * DYNO_CUDA_ALIGNMENT;
    return arena->base && bytes > 0 ? arena->base + at : 0;
}

#endif
