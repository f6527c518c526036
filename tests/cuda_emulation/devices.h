/* The emulated GPUs.  Each has memory, streams and products of its own: a kernel that is launched
 * on another one's stream is refused, as CUDA does, and one that touches another one's memory is
 * found. */
#ifndef DYNO_TESTS_CUDA_EMULATION_DEVICES_H
#define DYNO_TESTS_CUDA_EMULATION_DEVICES_H

namespace emulation
{

/* That of the thread: cudaSetDevice. */
int device_current();

/* Nothing is done there any more: see dyno_emulation_lose. */
bool device_is_lost(int device);

} /* namespace emulation */

#endif
