/* What is queued on the emulated device, and one thread at a time at it. */
#ifndef DYNO_TESTS_CUDA_EMULATION_STREAM_H
#define DYNO_TESTS_CUDA_EMULATION_STREAM_H

#include <functional>

#include "tests/cuda_emulation/cuda_runtime_api.h"

namespace emulation
{

/* Do it now, or when the graph is launched that is being captured. */
cudaError_t queue(const std::function<cudaError_t()> &what);

/* While there is one, other threads wait to have one; a thread may have several. */
class turn
{
  public:
    turn();
    ~turn();
    turn(const turn &) = delete;
    turn &operator=(const turn &) = delete;
};

} /* namespace emulation */

#endif
