/* The emulation's own test: kernels that are right, and kernels with one mistake each that must be
 * found.  Each mistake runs in a process of its own, which must abort and name the mistake. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/self_test.h"

namespace self_test
{

float *floats_of()
{
    float host[threads], *device = device_of<float>(threads);

    for (unsigned i = 0; i < threads; i++) {
        host[i] = static_cast<float>(i);
    }
    cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice);
    return device;
}

void expect(bool holds, const char *what)
{
    if (!holds) {
        printf("%s\n", what);
        exit(EXIT_FAILURE);
    }
}

} /* namespace self_test */

namespace
{

using namespace self_test;

__global__ void reversed(const float *in, float *out)
{
    __shared__ float held[threads];

    held[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = held[threads - 1 - threadIdx.x];
}

__global__ void reversed_without_barrier(const float *in, float *out)
{
    __shared__ float held[threads];

    held[threadIdx.x] = 0.0F;
    __syncthreads();
    held[threadIdx.x] = in[threadIdx.x];
    out[threadIdx.x] = held[threads - 1 - threadIdx.x];
}

/* Within a warp __syncwarp is enough, and a shuffle is not. */
__global__ void swapped(const float *in, float *out, bool by_shuffle)
{
    __shared__ float held[threads];

    held[threadIdx.x] = in[threadIdx.x];
    if (by_shuffle) {
        out[threadIdx.x] = __shfl_xor_sync(~0U, 0.0F, 1);
    } else {
        __syncwarp();
    }
    out[threadIdx.x] = held[threadIdx.x ^ 1];
}

__global__ void overwritten(float *out)
{
    __shared__ float held;

    if (threadIdx.x == 0) {
        held = 1.0F;
    }
    __syncthreads();
    out[threadIdx.x] = held;
    if (threadIdx.x == 40) {
        held = 2.0F; /* others may still read */
    }
}

__global__ void past_the_end(const float *in, float *out)
{
    out[threadIdx.x] = in[threadIdx.x + 1];
}

__global__ void unwritten(float *out)
{
    __shared__ float held[threads];

    if (threadIdx.x > 0) {
        held[threadIdx.x] = 1.0F;
    }
    __syncthreads();
    out[threadIdx.x] = held[threadIdx.x];
}

__global__ void all_blocks_write(float *out)
{
    out[threadIdx.x] = static_cast<float>(blockIdx.x);
}

__global__ void all_blocks_add(unsigned *out)
{
    atomicAdd(out, 1U + blockIdx.x);
}

/* All blocks have read it; that one of them reads it again orders nothing. */
__global__ void read_by_all_written_by_one(float *out)
{
    float value = out[0];

    __syncthreads();
    if (blockIdx.x == 1 && threadIdx.x == 0) {
        out[0] = value + 1.0F;
    }
}

/* A block's own update, and its barrier, do not make those of others come before its read. */
__global__ void updated_by_all_read_by_one(unsigned *count, unsigned *out)
{
    atomicAdd(count, 1U);
    __syncthreads();
    if (blockIdx.x == 1 && threadIdx.x == 0) {
        out[0] = *count;
    }
}

__global__ void left_behind(float *out)
{
    if (threadIdx.x < threads / 2) {
        __syncthreads();
    }
    out[threadIdx.x] = 0.0F;
}

__global__ void lanes_apart(float *out)
{
    float value = 1.0F;

    if (threadIdx.x % 2) {
        value = __shfl_xor_sync(~0U, value, 2);
    } else {
        __syncwarp();
    }
    out[threadIdx.x] = value;
}

/* Only the thread that copied may read after its wait; the others need a barrier, too. */
__global__ void copied(const float *in, float *out, bool waits, bool meets)
{
    __shared__ __align__(16) float held[threads];

    if (threadIdx.x < threads / 4) {
        emulation::copy_async(held + threadIdx.x * 4, in + threadIdx.x * 4, true);
    }
    emulation::copies_commit();
    if (waits) {
        emulation::copies_wait(0);
    }
    if (meets) {
        __syncthreads();
    }
    out[threadIdx.x] = held[threads - 1 - threadIdx.x];
}

__global__ void summed(unsigned *out)
{
    unsigned value = threadIdx.x, votes = __ballot_sync(~0U, threadIdx.x % 3 == 0);

    for (unsigned step = 16; step > 0; step /= 2) {
        value += __shfl_xor_sync(~0U, value, step);
    }
    out[threadIdx.x] = value + static_cast<unsigned>(__popc(votes));
}

void race_without_barrier()
{
    DYNO_LAUNCH(reversed_without_barrier, 1, threads, 0, nullptr, floats_of(),
                device_of<float>(threads));
}

void race_over_a_shuffle()
{
    DYNO_LAUNCH(swapped, 1, threads, 0, nullptr, floats_of(), device_of<float>(threads), true);
}

void race_with_readers()
{
    DYNO_LAUNCH(overwritten, 1, threads, 0, nullptr, device_of<float>(threads));
}

void read_past_the_end()
{
    DYNO_LAUNCH(past_the_end, 1, threads, 0, nullptr, floats_of(), device_of<float>(threads));
}

void read_of_unwritten_shared()
{
    DYNO_LAUNCH(unwritten, 1, threads, 0, nullptr, device_of<float>(threads));
}

void read_of_unwritten_device()
{
    DYNO_LAUNCH(reversed, 1, threads, 0, nullptr, device_of<float>(threads),
                device_of<float>(threads));
}

void race_of_blocks()
{
    DYNO_LAUNCH(all_blocks_write, 3, threads, 0, nullptr, device_of<float>(threads));
}

void race_with_reading_blocks()
{
    DYNO_LAUNCH(read_by_all_written_by_one, 2, threads, 0, nullptr, floats_of());
}

void race_with_updating_blocks()
{
    unsigned *count = device_of<unsigned>(2);

    cudaMemset(count, 0, 2 * sizeof(*count));
    DYNO_LAUNCH(updated_by_all_read_by_one, 2, threads, 0, nullptr, count, count + 1);
}

/* Blocks run in the other order. */
template <void (*mistake)()> void the_other_way()
{
    float *out = floats_of();

    DYNO_LAUNCH(reversed, 1, threads, 0, nullptr, floats_of(), out);
    mistake();
}

void barrier_left_behind()
{
    DYNO_LAUNCH(left_behind, 1, threads, 0, nullptr, device_of<float>(threads));
}

void lanes_at_two_operations()
{
    DYNO_LAUNCH(lanes_apart, 1, threads, 0, nullptr, device_of<float>(threads));
}

void memory_of_another_device()
{
    float *in = floats_of(), *out = device_of<float>(threads);

    dyno_emulation_devices(2);
    cudaSetDevice(1);
    DYNO_LAUNCH(reversed, 1, threads, 0, nullptr, in, out);
}

void copy_not_waited_for()
{
    DYNO_LAUNCH(copied, 1, threads, 0, nullptr, floats_of(), device_of<float>(threads), false,
                true);
}

void copy_read_without_barrier()
{
    DYNO_LAUNCH(copied, 1, threads, 0, nullptr, floats_of(), device_of<float>(threads), true,
                false);
}

const mistake mistakes[] = {
    {"race without barrier", race_without_barrier, "race: ", found_by::shadow},
    {"race over a shuffle", race_over_a_shuffle, "race: ", found_by::shadow},
    {"race with readers", race_with_readers, "race: read by several threads", found_by::shadow},
    {"race of blocks", race_of_blocks, "of another block, then written", found_by::shadow},
    {"race with reading blocks", race_with_reading_blocks, "of another block", found_by::shadow},
    {"race with reading blocks, turned", the_other_way<race_with_reading_blocks>,
     "of another block", found_by::shadow},
    {"race with updating blocks", race_with_updating_blocks, "of another block", found_by::shadow},
    {"race with updating blocks, turned", the_other_way<race_with_updating_blocks>,
     "of another block", found_by::shadow},
    {"read past the end", read_past_the_end, nullptr, found_by::both},
    {"read of unwritten shared memory", read_of_unwritten_shared, "shared memory, which nobody",
     found_by::shadow},
    {"read of unwritten device memory", read_of_unwritten_device, "device memory, which nobody",
     found_by::shadow},
    {"barrier left behind", barrier_left_behind, "48 of 96 threads wait at __syncthreads",
     found_by::both},
    {"copy not waited for", copy_not_waited_for, "that it did not wait for", found_by::both},
    {"copy read without barrier", copy_read_without_barrier, "", found_by::shadow},
    {"memory of another device", memory_of_another_device, "of device 1 touches memory of device 0",
     found_by::shadow},
    {"lanes at two operations", lanes_at_two_operations, "lanes of one warp meet at",
     found_by::both},
    {},
};

bool is_found(const mistake &mistake)
{
    char said[4096] = "";
    size_t length = 0;
    ssize_t got;
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0) {
        abort();
    }
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        mistake.make();
        cudaDeviceSynchronize();
        _exit(0);
    }
    close(ends[1]);
    while (length + 1 < sizeof said &&
           (got = read(ends[0], said + length, sizeof said - 1 - length)) > 0) {
        length += static_cast<size_t>(got);
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("%s: not found\n", mistake.name);
        return false;
    }
    if (mistake.due && !strstr(said, mistake.due)) {
        printf("%s: found, but said was: %s\n", mistake.name, said);
        return false;
    }
    return true;
}

/* In both orders of threads and blocks. */
void right_kernels_run()
{
    float *in = floats_of(), *out = device_of<float>(threads), got[threads];
    unsigned *sums = device_of<unsigned>(threads), sum[threads];

    for (int order = 0; order < 2; order++) {
        DYNO_LAUNCH(reversed, 1, threads, 0, nullptr, in, out);
        cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost);
        expect(got[0] == 95.0F && got[95] == 0.0F, "reversed is wrong");
        DYNO_LAUNCH(swapped, 1, threads, 0, nullptr, in, out, false);
        cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost);
        expect(got[0] == 1.0F && got[33] == 32.0F, "swapped is wrong");
        DYNO_LAUNCH(copied, 1, threads, 0, nullptr, in, out, true, true);
        cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost);
        expect(got[0] == 95.0F && got[95] == 0.0F, "copied is wrong");
        DYNO_LAUNCH(summed, 1, threads, 0, nullptr, sums);
        cudaMemcpy(sum, sums, sizeof sum, cudaMemcpyDeviceToHost);
        expect(sum[0] == 496 + 11 && sum[32] == 496 + 32 * 32 + 11, "summed is wrong");
        cudaMemset(sums, 0, sizeof sum);
        DYNO_LAUNCH(all_blocks_add, 5, threads, 0, nullptr, sums);
        cudaMemcpy(sum, sums, sizeof sum, cudaMemcpyDeviceToHost);
        expect(sum[0] == threads * 15, "all_blocks_add is wrong");
    }
    expect(cudaGetLastError() == cudaSuccess, "a launch was refused");
}

/* A device's streams are its own; memory may be copied from one to the other. */
void devices_are_apart()
{
    float *in = floats_of(), *out = device_of<float>(threads), *got, *there;
    constexpr size_t bytes = threads * sizeof(float);
    cudaStream_t stream;
    int count;

    dyno_emulation_devices(2);
    expect(cudaGetDeviceCount(&count) == cudaSuccess && count == 2, "there are not two devices");
    expect(cudaSetDevice(2) == cudaErrorInvalidDevice, "there is a third device");
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaSetDevice(1);
    DYNO_LAUNCH(reversed, 1, threads, 0, stream, in, out);
    expect(cudaGetLastError() == cudaErrorInvalidResourceHandle,
           "a kernel was launched on another device's stream");
    there = device_of<float>(threads);
    cudaHostAlloc(reinterpret_cast<void **>(&got), bytes, cudaHostAllocPortable);
    cudaMemcpy(there, in, bytes, cudaMemcpyDeviceToDevice);
    DYNO_LAUNCH(reversed, 1, threads, 0, nullptr, there, there);
    cudaDeviceSynchronize();
    cudaMemcpy2DAsync(got, 2 * sizeof(float), there, 4 * sizeof(float), 2 * sizeof(float), 3,
                      cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    expect(got[0] == 95.0F && got[2] == 91.0F && got[5] == 86.0F, "rows are copied wrong");
    dyno_emulation_lose(1, 2, cudaErrorIllegalAddress);
    expect(cudaDeviceSynchronize() == cudaSuccess, "the first call failed");
    expect(cudaDeviceSynchronize() == cudaErrorIllegalAddress, "the second did not");
    expect(cudaDeviceSynchronize() == cudaErrorIllegalAddress, "the third did not");
    cudaSetDevice(0);
    expect(cudaDeviceSynchronize() == cudaSuccess, "the other device is lost too");
    dyno_emulation_lose(1, 0, cudaSuccess);
    cudaStreamDestroy(stream);
    cudaFreeHost(got);
}

/* By the build that this is. */
bool all_are_found(const mistake *mistakes_of)
{
    bool all = true;

    for (const mistake *each = mistakes_of; each->name; each++) {
        if (each->who == found_by::both || (each->who == found_by::shadow) == with_shadow) {
            all = is_found(*each) && all;
        }
    }
    return all;
}

} /* namespace */

int main()
{
    bool all;

    right_kernels_run();
    devices_are_apart();
    launches_are_refused();
    work_is_done_when_waited_for();
    hopper_goes_right();
    all = all_are_found(mistakes);
    all = all_are_found(launch_mistakes) && all;
    all = all_are_found(hopper_mistakes) && all;
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
