/* Launches: what is refused, what may start early, and when what was queued is done. */
#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/self_test.h"

namespace self_test
{

namespace
{

__global__ void __launch_bounds__(64) bounded(float *out)
{
    out[threadIdx.x] = 1.0F;
}

__global__ void sharing(float *out)
{
    DYNO_DYNAMIC_SHARED(dynamic);
    __shared__ float held[threads];

    held[threadIdx.x] = 1.0F;
    dynamic[threadIdx.x] = 1;
    out[threadIdx.x] = held[threadIdx.x] + static_cast<float>(dynamic[threadIdx.x]);
}

__global__ void doubled(const float *in, float *out)
{
    out[threadIdx.x] = in[threadIdx.x] * 2.0F;
}

enum early_mistake { none, reads, writes, updates_what_is_read, ends };

__global__ void doubled_early(float *in, float *out, early_mistake mistake)
{
    float value = 0.0F;

    if (mistake == ends && blockIdx.x == 1) {
        return;
    }
    let_launch_after_start();
    if (mistake == reads) {
        value = in[threadIdx.x];
    } else if (mistake == writes && blockIdx.x == 0) {
        out[threadIdx.x] = 0.0F;
    } else if (mistake == updates_what_is_read && blockIdx.x == 0) {
        in[threadIdx.x] = 0.0F;
    }
    wait_for_launch_before();
    if (blockIdx.x == 0) {
        out[threadIdx.x] = in[threadIdx.x] * 2.0F + value;
    }
}

/* The first is ordinary, the two behind it may start while it runs, for neither waits before it
 * lets the next one start. */
template <early_mistake mistake> void start_early()
{
    float *first = floats_of(), *second = device_of<float>(threads);
    float *third = device_of<float>(threads), *last = device_of<float>(threads);

    cudaMemset(third, 0, threads * sizeof(float));
    cudaMemset(last, 0, threads * sizeof(float));
    DYNO_LAUNCH(doubled, 1, threads, 0, nullptr, first, second);
    DYNO_LAUNCH_AFTER(doubled_early, 1, threads, 0, nullptr, second, third, none);
    if (mistake == updates_what_is_read) {
        DYNO_LAUNCH_AFTER(doubled_early, 2, threads, 0, nullptr, first, last, mistake);
    } else {
        DYNO_LAUNCH_AFTER(doubled_early, 2, threads, 0, nullptr, second,
                          mistake == writes ? third : last, mistake);
    }
}

void copy_of_pageable_memory()
{
    static float held[threads];

    cudaMemcpyAsync(held, floats_of(), sizeof held, cudaMemcpyDeviceToHost, nullptr);
}

/* Streams have no order, unless somebody waits. */
void stream_before_another()
{
    float *out = device_of<float>(threads), *further = device_of<float>(threads);
    cudaStream_t one, other;

    cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
    DYNO_LAUNCH(doubled, 1, threads, 0, one, floats_of(), out);
    DYNO_LAUNCH(doubled, 1, threads, 0, other, out, further);
}

__global__ void apart(float *out)
{
    if (threadIdx.x % 2) {
        __syncthreads();
    } else {
        out[threadIdx.x] = 0.0F;
        __syncthreads();
    }
}

void barriers_in_branches()
{
    DYNO_LAUNCH(apart, 1, threads, 0, nullptr, device_of<float>(threads));
}

__global__ void of_some_lanes(float *out, bool ended)
{
    float value = 1.0F;

    if (threadIdx.x % 2) {
        if (ended) {
            return;
        }
    } else {
        value = __shfl_xor_sync(ended ? ~0U : 0x55555555U, value, 1);
    }
    out[threadIdx.x] = value;
}

template <bool ended> void shuffle_of_some()
{
    DYNO_LAUNCH(of_some_lanes, 1, threads, 0, nullptr, device_of<float>(threads), ended);
}

__global__ void read_vectors(const float *in, float *out)
{
    out[threadIdx.x] = reinterpret_cast<const float4 *>(in + 1)->x;
}

void vector_at_an_odd_place()
{
    DYNO_LAUNCH(read_vectors, 1, 32, 0, nullptr, floats_of(), device_of<float>(threads));
}

__global__ void copy_oddly(const float *in)
{
    __shared__ __align__(16) float held[threads];

    emulation::copy_async(held, in + 1, true);
    emulation::copies_wait(0);
}

void copy_of_an_odd_place()
{
    DYNO_LAUNCH(copy_oddly, 1, 1, 0, nullptr, floats_of());
}

/* Of the last launch. */
void expect_error(cudaError_t due, const char *what)
{
    cudaError_t got = cudaGetLastError();

    expect(got == due, what);
    cudaDeviceSynchronize();
}

void grids_are_bounded(float *out)
{
    DYNO_LAUNCH(bounded, 0, 32, 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "an empty grid was launched");
    DYNO_LAUNCH(bounded, dim3(1, 65536), 32, 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "65536 rows of blocks were launched");
    DYNO_LAUNCH(bounded, dim3(1, 1, 65536), 32, 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "65536 layers of blocks were launched");
    DYNO_LAUNCH(bounded, 0x80000000U, 32, 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "2^31 blocks were launched");
    DYNO_LAUNCH(sharing, 1, 1025, 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "1025 threads were launched");
    DYNO_LAUNCH(sharing, 1, dim3(1, 1, 65), 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "65 layers of threads were launched");
    DYNO_LAUNCH(sharing, 1, dim3(65536, 65536), 0, nullptr, out);
    expect_error(cudaErrorInvalidConfiguration, "2^32 threads were launched");
    DYNO_LAUNCH(bounded, 1, 96, 0, nullptr, out);
    expect_error(cudaErrorInvalidValue, "more threads than __launch_bounds__ says were launched");
    DYNO_LAUNCH(bounded, 1, 64, 0, nullptr, out);
    expect_error(cudaSuccess, "as many as it says were not");
}

void shared_memory_is_bounded(float *out)
{
    constexpr int kib = 1024, asked = 100 * kib, all = 227 * kib;
    const auto attribute = cudaFuncAttributeMaxDynamicSharedMemorySize;

    DYNO_LAUNCH(sharing, 1, threads, 48 * kib + 1, nullptr, out);
    expect_error(cudaErrorInvalidValue, "more than 48 KiB were launched that nobody asked for");
    DYNO_LAUNCH(sharing, 1, threads, 48 * kib, nullptr, out);
    expect_error(with_shadow ? cudaErrorInvalidValue : cudaSuccess,
                 "48 KiB and static memory were launched that nobody asked for");
    DYNO_LAUNCH(sharing, 1, threads, 47 * kib, nullptr, out);
    expect_error(cudaSuccess, "47 KiB were not launched");
    expect(cudaFuncSetAttribute(sharing, attribute, all + 1) == cudaErrorInvalidValue,
           "more than a block has was allowed");
    expect(cudaFuncSetAttribute(sharing, attribute, all) ==
               (with_shadow ? cudaErrorInvalidValue : cudaSuccess),
           "more than a block has beside static memory was allowed");
    expect(cudaFuncSetAttribute(sharing, attribute, asked) == cudaSuccess, "100 KiB were not");
    DYNO_LAUNCH(sharing, 1, threads, asked, nullptr, out);
    expect_error(cudaSuccess, "100 KiB that were asked for were not launched");
    DYNO_LAUNCH(sharing, 1, threads, asked + 1, nullptr, out);
    expect_error(cudaErrorInvalidValue, "more than was asked for was launched");
    dyno_emulation_capability(8, 6);
    expect(cudaFuncSetAttribute(sharing, attribute, asked) == cudaErrorInvalidValue,
           "compute capability 8.6 has 100 KiB");
    dyno_emulation_capability(9, 0);
}

} /* namespace */

void launches_are_refused()
{
    float *out = device_of<float>(threads);

    grids_are_bounded(out);
    shared_memory_is_bounded(out);
}

static void events_are_waited_for(cudaStream_t stream, float *in, float *held)
{
    cudaEvent_t half, whole;
    float ms;

    cudaEventCreateWithFlags(&half, 0);
    cudaEventCreateWithFlags(&whole, 0);
    held[1] = held[2] = 0.0F;
    expect(cudaEventSynchronize(half) == cudaSuccess,
           "an event that was not recorded is waited for");
    cudaMemcpyAsync(held + 1, in + 1, sizeof *held, cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(half, stream);
    cudaMemcpyAsync(held + 2, in + 2, sizeof *held, cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(whole, stream);
    expect(cudaEventSynchronize(half) == cudaSuccess && held[1] == 1.0F && held[2] == 0.0F,
           "an event is waited for, and not what comes before it alone");
    expect(cudaEventElapsedTime(&ms, half, whole) == cudaErrorNotReady, "an event has come early");
    expect(cudaEventSynchronize(whole) == cudaSuccess && held[2] == 2.0F, "an event did not come");
    expect(cudaEventElapsedTime(&ms, half, whole) == cudaSuccess, "there is no time between");
    cudaEventDestroy(half);
    cudaEventDestroy(whole);
}

static void graphs_are_captured(cudaStream_t stream, float *in)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    expect(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess,
           "a stream is not captured");
    DYNO_LAUNCH(doubled, 1, threads, 0, nullptr, in, in);
    expect(cudaGetLastError() == cudaErrorStreamCaptureImplicit,
           "something without a stream was launched meanwhile");
    DYNO_LAUNCH(doubled, 1, threads, 0, stream, in, in);
    expect(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported,
           "what is captured was waited for");
    cudaStreamEndCapture(stream, &graph);
    cudaGraphInstantiate(&exec, graph, 0);
    cudaGraphDestroy(graph);
    cudaGraphLaunch(exec, stream);
    cudaGraphExecDestroy(exec);
    cudaStreamSynchronize(stream);
}

void work_is_done_when_waited_for()
{
    float *in = floats_of(), *held;
    cudaStream_t stream;

    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaHostAlloc(reinterpret_cast<void **>(&held), threads * sizeof(float), cudaHostAllocDefault);
    held[1] = 0.0F;
    cudaMemcpyAsync(held, in, threads * sizeof(float), cudaMemcpyDeviceToHost, stream);
    cudaDeviceSynchronize();
    expect(held[1] == 1.0F, "the device was not waited for");
    events_are_waited_for(stream, in, held);
    graphs_are_captured(stream, in);
    cudaMemcpyAsync(held, in, threads * sizeof(float), cudaMemcpyDeviceToHost, stream);
    expect(held[1] == 1.0F, "what nobody waited for is done");
    cudaStreamDestroy(stream);
    expect(held[1] == 2.0F, "work is lost with its stream, or the graph was not launched");
    cudaFreeHost(held);
}

const mistake launch_mistakes[] = {
    {"read of what an earlier launch writes", start_early<reads>, "may still run writes it",
     found_by::shadow},
    {"write over what an earlier launch writes", start_early<writes>, "may still run writes it",
     found_by::shadow},
    {"write over what an earlier launch reads", start_early<updates_what_is_read>,
     "may still run reads it", found_by::shadow},
    {"block that waits for no launch", start_early<ends>, "ended without wait_for_launch_before",
     found_by::both},
    {"copy of pageable memory", copy_of_pageable_memory, "is not pinned", found_by::both},
    {"stream before another", stream_before_another, "device memory, which nobody",
     found_by::shadow},
    {"barriers in branches", barriers_in_branches, "meet at two barriers", found_by::both},
    {"shuffle from a lane that takes no part", shuffle_of_some<false>, "which takes no part",
     found_by::both},
    {"shuffle with lanes that have ended", shuffle_of_some<true>, "which has ended",
     found_by::both},
    {"vector at an odd place", vector_at_an_odd_place, "misaligned address", found_by::sanitizers},
    {"copy of an odd place", copy_of_an_odd_place, "is not aligned", found_by::both},
    {},
};

} /* namespace self_test */
