/* What is queued on the emulated devices, when it is done, and one thread at a time at them. */
#ifndef DYNO_TESTS_CUDA_EMULATION_STREAM_H
#define DYNO_TESTS_CUDA_EMULATION_STREAM_H

#include <functional>

#include "tests/cuda_emulation/cuda_runtime_api.h"

namespace emulation
{

/* A piece of work, done when somebody waits for it.  cudaErrorNotReady: it waits for another
 * stream, and is called again. */
using node = std::function<cudaError_t()>;

/* At the end of the stream's work, or of the graph that is being captured from it.  A null stream
 * is the current device's.  `meets`: it waits for other streams, whose work is then done, too. */
cudaError_t queue(cudaStream_t stream, const node &what, bool meets = false);

/* The same, having waited for it. */
cudaError_t do_now(const node &what);

/* Of the current device, what has no stream is done. */
void finish_legacy();

/* Whether what runs on the stream runs on the thread's current device. */
bool is_here(cudaStream_t stream);

/* The device on which what was queued is done now. */
int device_running();

/* The runtime's own copy, and its cudaMemset. */
cudaError_t copy(void *to, const void *from, size_t bytes);
cudaError_t set(void *memory, int value, size_t bytes);

/* While there is one, other threads wait to have one; a thread may have several. */
class turn
{
  public:
    turn();
    ~turn();
    turn(const turn &) = delete;
    turn &operator=(const turn &) = delete;
};

/* Others who wait look again. */
void something_changed();

} /* namespace emulation */

#endif
