/* What the emulated device's memory is watched for: accesses outside of what was allocated, reads
 * of what nobody wrote, and races.
 *
 * In the build without AddressSanitizer the kernels are compiled with the compiler's hooks for
 * ThreadSanitizer, and this is the runtime behind them: every access of a kernel passes through
 * watch().  Each byte of device memory and of shared memory remembers who wrote it last, who read
 * it since, and when:
 *
 *   an epoch ends at every __syncthreads() of a block, at the end of a block and of a launch;
 *   a warp epoch ends at every __syncwarp() of all lanes of the warp.
 *
 * Two accesses of one byte, one of them a write and not both atomic, by different threads, race
 * unless a launch, a barrier of their block, or a __syncwarp of their warp lies between them.  So
 * do accesses by different blocks of one launch, whatever later blocks did meanwhile.  Shuffles and
 * votes order nothing, as in CUDA.
 *
 * A launch that may start before the one before it has ended, and so on back to one that may not,
 * races with all of these until it waits for them.
 *
 * TMA and wgmma see what a thread wrote to shared memory only after that thread's fence
 * (fence.proxy.async): without, it is found.
 *
 * A kernel that touches another device's memory is found as well.
 *
 * What is found is told on stderr, and the process aborts.  In the build with AddressSanitizer
 * there is that sanitizer instead: every allocation lies between its red zones.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_MEMORY_H
#define DYNO_TESTS_CUDA_EMULATION_MEMORY_H

#include <cstddef>

namespace emulation
{

enum class access { read, write, atomic };

/* One access of the running thread. */
void watch(const void *address, size_t bytes, access kind);

/* One of TMA or of wgmma for it, to shared memory; and that thread's fence. */
void watch_async(const void *address, size_t bytes, access kind);
void fence_async();

/* Memory of the current device: poisoned, and unread until written.  Null: there is no more. */
void *memory_take(size_t bytes);
bool memory_give(void *memory); /* false: it was not from memory_take */

/* It was written by no kernel of ours: true if [memory, memory + bytes) lies within what was taken,
 * or in none. */
bool memory_written(const void *memory, size_t bytes);
bool memory_is_known(const void *memory); /* it is of the device, or of the host and pinned */
void memory_pin(const void *memory, size_t bytes);
void memory_unpin(const void *memory);
bool memory_within(const void *memory, size_t bytes);
bool memory_holds(const void *memory, size_t bytes);   /* it lies within what was taken */
bool memory_is_here(const void *memory, size_t bytes); /* ... if any, and of the device that runs */

/* The launcher tells what happens.  A block's dynamic shared memory is [dynamic, dynamic + bytes);
 * static shared memory is poisoned as well. */
void memory_launch_begins(const char *kernel, bool is_early, const void *stack);
void memory_launch_ends();
void memory_other_launch(); /* a library's kernel */
void memory_all_ended();    /* what follows starts when all before has ended */
void memory_block_begins(void *dynamic, size_t bytes);
void memory_barrier();
void memory_ignore(const void *begin, size_t bytes); /* the fibers' stacks */

/* "cuda emulation: <text>" with the running thread and kernel, and abort. */
[[noreturn]] void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

} /* namespace emulation */

#endif
