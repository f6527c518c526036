/* Embedding lookup and SiLU times up: a thread a vector of 16 bytes. */
#include "kernels/cuda/rows.h"

#include "kernels/cuda/number.cuh"

namespace
{

using namespace dyno;

constexpr unsigned threads = 256, width = 8;
constexpr uint64_t vectors_max = (uint64_t{1} << 31) * threads; /* of a launch */

__global__ void __launch_bounds__(threads) embed(dyno_cuda_embedding_job job, uint64_t vectors)
{
    uint64_t index = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x;
    unsigned row_vectors = job.columns / width;
    uint4 words = make_uint4(0, 0, 0, 0);

    if (index < vectors) {
        unsigned token = job.token[index / row_vectors];

        if (token < job.vocab) {
            words = static_cast<const uint4 *>(
                job.table)[static_cast<uint64_t>(token) * row_vectors + index % row_vectors];
        }
        static_cast<uint4 *>(job.out)[index] = words;
    }
}

template <class T>
__global__ void __launch_bounds__(threads) silu_multiply(dyno_cuda_silu_job job, uint64_t vectors)
{
    uint64_t index = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x;
    unsigned row_vectors = job.columns / width;
    uint64_t at = index / row_vectors * job.stride + index % row_vectors * width;
    vector_of<T> gate, up;

    if (index >= vectors) {
        return;
    }
    gate = load_vector(static_cast<const T *>(job.gate) + at);
    up = load_vector(static_cast<const T *>(job.up) + at);
#pragma unroll
    for (unsigned i = 0; i < width; i++) {
        float x = to_float(gate.at[i]);

        gate.at[i] = of_float<T>(x / (1.0F + __expf(-x)) * to_float(up.at[i]));
    }
    store_vector(static_cast<T *>(job.out) + index * width, gate);
}

} /* namespace */

int dyno_cuda_embedding(const struct dyno_cuda_embedding_job *job, dyno_cuda_stream stream)
{
    uint64_t vectors = static_cast<uint64_t>(job->tokens) * (job->columns / width);

    if (job->columns < width || job->columns % width != 0 || !job->table || !job->token ||
        !job->out || job->vocab < 1 || !is_aligned(job->table, 0) || !is_aligned(job->out, 0) ||
        vectors >= vectors_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (vectors == 0) {
        return 0;
    }
    DYNO_LAUNCH(embed, static_cast<unsigned>(divide_up<uint64_t>(vectors, threads)), threads, 0,
                stream, *job, vectors);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

int dyno_cuda_silu(const struct dyno_cuda_silu_job *job, dyno_cuda_stream stream)
{
    uint64_t vectors = static_cast<uint64_t>(job->rows) * (job->columns / width);
    unsigned blocks = static_cast<unsigned>(divide_up<uint64_t>(vectors, threads));

    if ((job->element != DYNO_ELEMENT_F16 && job->element != DYNO_ELEMENT_BF16) ||
        job->columns < width || job->columns % width != 0 || !job->gate || !job->up || !job->out ||
        job->out == job->gate || job->out == job->up || job->stride < job->columns ||
        !is_aligned(job->gate, job->stride * 2) || !is_aligned(job->up, 0) ||
        !is_aligned(job->out, 0) || vectors >= vectors_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (vectors == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        DYNO_LAUNCH(silu_multiply<f16>, blocks, threads, 0, stream, *job, vectors);
    } else {
        DYNO_LAUNCH(silu_multiply<bf16>, blocks, threads, 0, stream, *job, vectors);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
