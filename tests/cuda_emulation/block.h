/* Runs a grid: blocks one after another, the threads of a block as fibers.
 *
 * A thread runs until it waits: at a barrier for its block, or at an operation of the warp
 * (shuffle, vote, mma, __syncwarp) for the lanes in its mask.  Who runs next alternates from launch
 * to launch, upwards and downwards through threads and blocks, so that what depends on an order
 * shows.  A barrier that some threads of the block have left behind is refused, as are two barriers
 * of different lines at which threads of one block meet, and an operation of the warp at which
 * lanes meet that wait for different ones.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_BLOCK_H
#define DYNO_TESTS_CUDA_EMULATION_BLOCK_H

#include <cstddef>
#include <cstdint>

namespace emulation
{

constexpr unsigned warp_lanes = 32, block_threads_max = 1024;

struct index3 {
    unsigned x, y, z;
};

/* Of the running thread. */
struct place {
    index3 thread_index, block_index, block_dim, grid_dim;
    unsigned thread; /* its rank in the block */
    unsigned warp_epoch;
    unsigned char *shared_window;  /* where addresses of shared memory are counted from */
    unsigned char *dynamic_shared; /* in it, aligned to 16 bytes and no more */
    bool has_waited;               /* for the launch before */
};
extern place here;

/* body(argument) by every thread of the grid.  `is_early`: it may start while the launch before it
 * runs, so that until it has waited for that one it may not touch what that one touches, and no
 * block may end without. */
void launch(const char *kernel, index3 grid, index3 block, size_t dynamic_bytes, bool is_early,
            void (*body)(const void *), const void *argument);
void wait_for_launch();

/* __syncthreads() at a line of the source; all threads of a block come to the same. */
void barrier(const char *file, unsigned line);

/* The running thread waits until somebody wakes those who wait for `what_for`; `what` names it. */
void wait_for(const void *what_for, const char *what);
void wake(const void *what_for);
bool is_waited_for(const void *what_for);

/* All lanes in `mask` meet; the last to come calls finish(arguments, mask) with each lane's
 * argument, null where it is not in the mask, and all go on.  `what` names the operation, and must
 * be the same. */
void meet(unsigned mask, const char *what, void *argument,
          void (*finish)(void *const *arguments, unsigned mask));

} /* namespace emulation */

#endif
