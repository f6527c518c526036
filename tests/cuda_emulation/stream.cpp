/* Streams, events and graphs of the emulated device: every call has ended when it returns, unless
 * it is captured. */
#include "tests/cuda_emulation/stream.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/faults.h"

using work = std::vector<std::function<cudaError_t()>>;

struct CUgraph_st {
    work nodes;
};

struct CUgraphExec_st {
    work nodes;
};

struct CUstream_st {
    unsigned flags;
    int device;
};

struct CUevent_st {
    unsigned flags;
};

static std::recursive_mutex turns;
static std::condition_variable_any changes;
static thread_local unsigned turns_held;
static thread_local cudaGraph_t capturing; /* by this thread; null: none */
static thread_local int running;           /* the device on which something is being done */

namespace emulation
{

turn::turn()
{
    turns.lock();
    turns_held++;
}

turn::~turn()
{
    turns_held--;
    turns.unlock();
}

/* All the turns that a thread has, as one lock. */
struct all_turns {
    unsigned held;
    void lock() const
    {
        for (unsigned i = 0; i < held; i++) {
            turns.lock();
        }
    }
    void unlock() const
    {
        for (unsigned i = 0; i < held; i++) {
            turns.unlock();
        }
    }
};

void wait_until(const std::function<bool()> &is_so)
{
    all_turns all = {turns_held};

    changes.wait(all, is_so);
}

void something_changed()
{
    changes.notify_all();
}

int device_running()
{
    return running;
}

bool is_here(cudaStream_t stream)
{
    return !stream || stream->device == device_current();
}

cudaError_t queue(cudaStream_t stream, const std::function<cudaError_t()> &what)
{
    turn turn;
    int device = stream ? stream->device : device_current();
    auto there = [=]() {
        running = device;
        return what();
    };

    if (capturing) {
        capturing->nodes.emplace_back(there);
        return cudaSuccess;
    }
    return there();
}

} /* namespace emulation */

/* A new object at *out, or what is wrong instead. */
template <class T> static cudaError_t make(T **out, T value)
{
    cudaError_t fault = emulation::fault();

    if (fault == cudaSuccess) {
        *out = new T(value);
    }
    return fault;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    return make(out, CUstream_st{flags, emulation::device_current()});
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return capturing ? cudaErrorStreamCaptureUnsupported : emulation::fault();
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind,
                            cudaStream_t stream)
{
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::queue(stream, [=]() { return emulation::copy(to, from, bytes); });
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_stride, const void *from, size_t from_stride,
                              size_t width, size_t rows, enum cudaMemcpyKind, cudaStream_t stream)
{
    cudaError_t fault = emulation::fault();

    if (fault != cudaSuccess || width > to_stride || width > from_stride) {
        return fault != cudaSuccess ? fault : cudaErrorInvalidValue;
    }
    if (to_stride > INT32_MAX || from_stride > INT32_MAX) {
        return cudaErrorInvalidPitchValue;
    }
    return emulation::queue(stream, [=]() {
        cudaError_t code = cudaSuccess;

        for (size_t row = 0; row < rows && code == cudaSuccess; row++) {
            code = emulation::copy(static_cast<char *>(to) + row * to_stride,
                                   static_cast<const char *>(from) + row * from_stride, width);
        }
        return code;
    });
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device,
                                size_t bytes, cudaStream_t stream)
{
    int other = to_device == emulation::device_current() ? from_device : to_device;
    cudaError_t fault = emulation::fault_beside(other);

    return fault != cudaSuccess ? fault
                                : cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream);
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::queue(stream, [=]() { return cudaMemset(memory, value, bytes); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    return make(out, CUevent_st{flags});
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t)
{
    return emulation::fault();
}

cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return emulation::fault();
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
    if ((begin->flags | end->flags) & cudaEventDisableTiming) {
        return cudaErrorInvalidValue;
    }
    *ms = 0.0F;
    return emulation::fault();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, enum cudaStreamCaptureMode)
{
    return capturing ? cudaErrorStreamCaptureUnsupported : make(&capturing, CUgraph_st{});
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *out)
{
    cudaError_t fault = capturing ? emulation::fault() : cudaErrorInvalidValue;

    if (fault == cudaSuccess) {
        *out = capturing;
    } else {
        delete capturing;
    }
    capturing = nullptr;
    return fault;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
    return make(out, CUgraphExec_st{graph->nodes});
}

/* A node that fails is told by who waits for the stream, here at once. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
    emulation::turn turn;
    cudaError_t code = emulation::fault();

    for (const auto &node : exec->nodes) {
        code = code == cudaSuccess ? node() : code;
    }
    return code;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
