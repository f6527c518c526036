/* What is queued on the emulated device, and one thread at a time at it. */
#ifndef DYNO_TESTS_CUDA_EMULATION_STREAM_H
#define DYNO_TESTS_CUDA_EMULATION_STREAM_H

#include <functional>

#include "tests/cuda_emulation/cuda_runtime_api.h"

namespace emulation
{

/* Do it now, or when the graph is launched that is being captured.  A null stream is the current
 * device's. */
cudaError_t queue(cudaStream_t stream, const std::function<cudaError_t()> &what);

/* Whether what runs on the stream runs on the thread's current device. */
bool is_here(cudaStream_t stream);

/* The device on which what was queued is done now. */
int device_running();

/* The runtime's own copy. */
cudaError_t copy(void *to, const void *from, size_t bytes);

/* While there is one, other threads wait to have one; a thread may have several. */
class turn
{
  public:
    turn();
    ~turn();
    turn(const turn &) = delete;
    turn &operator=(const turn &) = delete;
};

/* While it is not so, others have their turns; whoever makes it so says that something changed. The
 * thread has a turn before, and after. */
void wait_until(const std::function<bool()> &is_so);
void something_changed();

} /* namespace emulation */

#endif
