/* Streams, events and graphs of the emulated device: every call has ended when it returns, unless
 * it is captured. */
#include "tests/cuda_emulation/stream.h"

#include <mutex>
#include <vector>

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
};

struct CUevent_st {
    unsigned flags;
};

static std::recursive_mutex turns;
static thread_local cudaGraph_t capturing; /* by this thread; null: none */
static uint64_t calls, failing_call;
static cudaError_t failing_error;

namespace emulation
{

turn::turn()
{
    turns.lock();
}

turn::~turn()
{
    turns.unlock();
}

cudaError_t queue(const std::function<cudaError_t()> &what)
{
    turn turn;

    if (capturing) {
        capturing->nodes.push_back(what);
        return cudaSuccess;
    }
    return what();
}

cudaError_t fault()
{
    turn turn;

    return ++calls == failing_call ? failing_error : cudaSuccess;
}

} /* namespace emulation */

void dyno_emulation_fail(uint64_t call, cudaError_t error)
{
    calls = 0;
    failing_call = call;
    failing_error = error;
}

uint64_t dyno_emulation_calls()
{
    return calls;
}

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
    return make(out, CUstream_st{flags});
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

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t)
{
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::queue([=]() { return cudaMemcpy(to, from, bytes, kind); });
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::queue([=]() { return cudaMemset(memory, value, bytes); });
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
