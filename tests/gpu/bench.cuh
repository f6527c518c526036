/* What the files of the bench share: device memory, random inputs, and the times, a JSON object a
 * line.
 *
 * A time is the median of `runs` launches between events, after `warm_ups`; the host has queued
 * them before the device comes to them.  Inputs are random and larger than the second-level cache,
 * or stand in several sets that take turns.
 */
#ifndef DYNO_TESTS_GPU_BENCH_CUH
#define DYNO_TESTS_GPU_BENCH_CUH

#include <cuda_runtime.h>
#include <functional>
#include <vector>

namespace bench
{

/* Ends the program, having said what failed. */
void check(bool holds, const char *what);

#define CHECK(call) bench::check((call) == 0, #call)

/* Device memory until the next time is told. */
void *take_bytes(size_t bytes);

template <class T> T *take(size_t count)
{
    return static_cast<T *>(take_bytes(count * sizeof(T)));
}

template <class T> T *take_copy(const std::vector<T> &host)
{
    T *device = take<T>(host.size());

    CHECK(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
    return device;
}

/* In (-2, 2): sign and mantissa at random, exponents of 2^-4 to 1. */
unsigned short *random_bf16(size_t count);
unsigned char *random_bytes(size_t count); /* e4m3 without NaN, or pairs of int4 */
float *random_logits(size_t count);        /* in [-10, 10) */

struct work {
    const char *name, *shape;
    double bytes, operations; /* that it cannot do without */
};

/* Times what `launch` queues on the default stream, prints it, and gives all memory back. */
void tell(const work &work, const std::function<void()> &launch);

} /* namespace bench */

void bench_products(); /* gemv, gemm, grouped */
void bench_sample();

#endif
