/* Streams, events and graphs of the emulated devices.
 *
 * Work is done as late as CUDA may do it: by the thread that waits for it, in the order of its
 * stream, and no other stream's but where one meets another (NCCL).
 */
#include "tests/cuda_emulation/stream.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/memory.h"

using emulation::node;

struct work {
    std::vector<node> nodes;
    bool meets = false;
};

struct CUgraph_st {
    work all;
    cudaStream_t from;
};

struct CUgraphExec_st {
    work all;
};

/* Work that is to be done in order. */
struct line {
    int device;
    std::deque<node> nodes;
    uint64_t queued, done;
    bool meets;        /* some of it waits for other lines */
    cudaError_t error; /* that of the first that failed: nothing is done after it */
};

struct CUstream_st {
    std::shared_ptr<line> own;
};

struct CUevent_st {
    unsigned flags;
    std::shared_ptr<line> of; /* null: not recorded */
    uint64_t mark;            /* so much of it is done then */
};

static std::recursive_mutex turns;
static std::condition_variable_any changes;
static std::vector<std::weak_ptr<line>> lines; /* all of them */
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
    return !stream || stream->own->device == device_current();
}

static std::shared_ptr<line> new_line(int device)
{
    auto made = std::make_shared<line>(line{device, {}, 0, 0, false, cudaSuccess});

    lines.emplace_back(made);
    return made;
}

/* What has no stream. */
static const std::shared_ptr<line> &legacy_line(int device)
{
    static std::vector<std::shared_ptr<line>> made;

    while (made.size() <= static_cast<size_t>(device)) {
        made.push_back(new_line(static_cast<int>(made.size())));
    }
    return made[static_cast<size_t>(device)];
}

static const std::shared_ptr<line> &line_of(cudaStream_t stream)
{
    return stream ? stream->own : legacy_line(device_current());
}

static void append(line *to, const node &what, bool meets)
{
    to->nodes.push_back(what);
    to->queued++;
    to->meets = to->meets || meets;
    something_changed();
}

cudaError_t queue(cudaStream_t stream, const node &what, bool meets)
{
    turn turn;

    if (capturing && !stream) {
        return cudaErrorStreamCaptureImplicit;
    }
    if (capturing && capturing->from == stream) {
        capturing->all.nodes.push_back(what);
        capturing->all.meets = capturing->all.meets || meets;
    } else {
        append(line_of(stream).get(), what, meets);
    }
    return cudaSuccess;
}

/* One node of a line.  False: there is none, or it waits for another, or for its device. */
static bool do_next(line *of)
{
    cudaError_t code = of->error;

    if (of->nodes.empty() || device_is_lost(of->device)) {
        return false;
    }
    if (code == cudaSuccess) {
        int before = running;

        running = of->device;
        code = of->nodes.front()();
        running = before;
    }
    if (code == cudaErrorNotReady) {
        return false;
    }
    of->error = code;
    of->nodes.pop_front();
    of->done++;
    something_changed();
    return true;
}

/* What other lines may be waited for: true if something was done. */
static bool do_some_of_others(const line *of)
{
    bool some = false;

    for (size_t i = 0; i < lines.size(); i++) {
        std::shared_ptr<line> other = lines[i].lock();

        while (other && other.get() != of && other->meets && do_next(other.get())) {
            some = true;
        }
    }
    return some;
}

/* Until so much of the line is done. */
static cudaError_t wait_until(const std::shared_ptr<line> &of, uint64_t mark)
{
    turn turn;
    all_turns all = {turns_held};

    memory_all_ended();
    while (of->done < mark) {
        if (device_is_lost(of->device)) {
            return cudaErrorIllegalAddress;
        }
        if (!do_next(of.get()) && (!of->meets || !do_some_of_others(of.get()))) {
            changes.wait(all);
        }
    }
    memory_all_ended();
    return of->error;
}

void finish_legacy()
{
    turn turn;
    const std::shared_ptr<line> &own = legacy_line(device_current());

    (void)wait_until(own, own->queued);
}

cudaError_t do_now(const node &what)
{
    turn turn;
    const std::shared_ptr<line> &own = legacy_line(device_current());

    if (capturing) {
        return cudaErrorStreamCaptureImplicit;
    }
    append(own.get(), what, false);
    return wait_until(own, own->queued);
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

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
    emulation::turn turn;

    return make(out, CUstream_st{emulation::new_line(emulation::device_current())});
}

/* Its work is done all the same. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    emulation::turn turn;

    (void)emulation::wait_until(stream->own, stream->own->queued);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    emulation::turn turn;
    const std::shared_ptr<line> &own = emulation::line_of(stream);
    cudaError_t fault = capturing ? cudaErrorStreamCaptureUnsupported : emulation::fault();

    return fault == cudaSuccess ? emulation::wait_until(own, own->queued) : fault;
}

/* The last stream first: nobody said that it comes after the others. */
cudaError_t cudaDeviceSynchronize()
{
    emulation::turn turn;
    cudaError_t code = emulation::fault();

    for (size_t i = lines.size(); i-- > 0 && code == cudaSuccess;) {
        std::shared_ptr<line> own = lines[i].lock();

        if (own && own->device == emulation::device_current()) {
            code = emulation::wait_until(own, own->queued);
        }
    }
    return code;
}

static void look_whether_pinned(const void *memory)
{
    if (!emulation::memory_is_known(memory)) {
        emulation::complain("memory at %p is copied without waiting, and is not pinned", memory);
    }
}

/* A copy ends before the next launch starts. */
static cudaError_t copy_whole(void *to, const void *from, size_t bytes)
{
    cudaError_t code;

    look_whether_pinned(to);
    look_whether_pinned(from);
    code = emulation::copy(to, from, bytes);
    emulation::memory_all_ended();
    return code;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind,
                            cudaStream_t stream)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    look_whether_pinned(to);
    look_whether_pinned(from);
    return fault != cudaSuccess
               ? fault
               : emulation::queue(stream, [=]() { return copy_whole(to, from, bytes); });
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_stride, const void *from, size_t from_stride,
                              size_t width, size_t rows, enum cudaMemcpyKind, cudaStream_t stream)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    look_whether_pinned(to);
    look_whether_pinned(from);
    if (fault != cudaSuccess || width > to_stride || width > from_stride) {
        return fault != cudaSuccess ? fault : cudaErrorInvalidValue;
    }
    if (to_stride > INT32_MAX || from_stride > INT32_MAX) {
        return cudaErrorInvalidPitchValue;
    }
    return emulation::queue(stream, [=]() {
        cudaError_t code = cudaSuccess;

        for (size_t row = 0; row < rows && code == cudaSuccess; row++) {
            code = copy_whole(static_cast<char *>(to) + row * to_stride,
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
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::queue(stream, [=]() { return emulation::set(memory, value, bytes); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    return make(out, CUevent_st{flags, nullptr, 0});
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    if (fault == cudaSuccess) {
        event->of = emulation::line_of(stream);
        event->mark = event->of->queued;
    }
    return fault;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    return fault == cudaSuccess && event->of ? emulation::wait_until(event->of, event->mark)
                                             : fault;
}

static bool is_over(cudaEvent_t event)
{
    return event->of && event->of->done >= event->mark;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
    emulation::turn turn;

    if ((begin->flags | end->flags) & cudaEventDisableTiming) {
        return cudaErrorInvalidValue;
    }
    if (!is_over(begin) || !is_over(end)) {
        return begin->of && end->of ? cudaErrorNotReady : cudaErrorInvalidResourceHandle;
    }
    *ms = 0.0F;
    return emulation::fault();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
    return capturing || !stream ? cudaErrorStreamCaptureUnsupported
                                : make(&capturing, CUgraph_st{{}, stream});
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
    return make(out, CUgraphExec_st{graph->all});
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    emulation::turn turn;
    cudaError_t code = emulation::fault();

    for (const node &each : exec->all.nodes) {
        code = code == cudaSuccess ? emulation::queue(stream, each, exec->all.meets) : code;
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
