/* Memory, inputs and times of the bench. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/gpu/bench.cuh"

static constexpr int runs = 15, warm_ups = 2;
static constexpr unsigned fill_blocks = 4096, fill_threads = 256;

static std::vector<void *> taken;

void bench::check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench: %s failed: %s\n", what, cudaGetErrorString(cudaGetLastError()));
        exit(EXIT_FAILURE);
    }
}

void *bench::take_bytes(size_t bytes)
{
    void *memory;

    CHECK(cudaMalloc(&memory, bytes));
    taken.push_back(memory);
    return memory;
}

static void give_all()
{
    for (void *memory : taken) {
        CHECK(cudaFree(memory));
    }
    taken.clear();
}

static __device__ unsigned hashed(unsigned x)
{
    x = (x ^ (x >> 16)) * 0x7feb352dU;
    x = (x ^ (x >> 15)) * 0x846ca68bU;
    return x ^ (x >> 16);
}

static __device__ void put(unsigned short *to, unsigned bits)
{
    *to = static_cast<unsigned short>((bits & 0x807fU) | (123 + (bits >> 8) % 5) << 7);
}

static __device__ void put(unsigned char *to, unsigned bits)
{
    *to = static_cast<unsigned char>(bits & 0xbfU);
}

static __device__ void put(float *to, unsigned bits)
{
    *to = static_cast<float>(bits % 100000) * 2e-4F - 10.0F;
}

template <class T> static __global__ void fill(T *to, size_t count)
{
    for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count;
         i += size_t{gridDim.x} * blockDim.x) {
        put(&to[i], hashed(static_cast<unsigned>(i)));
    }
}

template <class T> static T *filled(size_t count)
{
    T *memory = bench::take<T>(count);

    fill<<<fill_blocks, fill_threads>>>(memory, count);
    return memory;
}

unsigned short *bench::random_bf16(size_t count)
{
    return filled<unsigned short>(count);
}

unsigned char *bench::random_bytes(size_t count)
{
    return filled<unsigned char>(count);
}

float *bench::random_logits(size_t count)
{
    return filled<float>(count);
}

/* The device has something to do while the host queues what is timed, so that the host's time does
 * not count. */
static __global__ void pass_time()
{
    constexpr long long cycles = 200000;
    long long begin = clock64();

    while (clock64() - begin < cycles) {
    }
}

/* Microseconds. */
static std::vector<float> times_of(const std::function<void()> &launch)
{
    std::vector<float> times;
    cudaEvent_t begin, end;

    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    for (int i = 0; i < runs + warm_ups; i++) {
        float ms;

        pass_time<<<1, 1>>>();
        CHECK(cudaEventRecord(begin));
        launch();
        CHECK(cudaEventRecord(end));
        CHECK(cudaEventSynchronize(end));
        CHECK(cudaEventElapsedTime(&ms, begin, end));
        if (i >= warm_ups) {
            times.push_back(1e3F * ms);
        }
    }
    CHECK(cudaEventDestroy(begin));
    CHECK(cudaEventDestroy(end));
    std::sort(times.begin(), times.end());
    return times;
}

void bench::tell(const work &work, const std::function<void()> &launch)
{
    std::vector<float> times = times_of(launch);

    printf(
        "{\"name\": \"%s\", \"shape\": \"%s\", \"us\": %.3f, \"us_min\": %.3f, \"us_max\": %.3f, "
        "\"bytes\": %.0f, \"operations\": %.0f}\n",
        work.name, work.shape, static_cast<double>(times[runs / 2]), static_cast<double>(times[0]),
        static_cast<double>(times[runs - 1]), work.bytes, work.operations);
    fflush(stdout);
    give_all();
}
