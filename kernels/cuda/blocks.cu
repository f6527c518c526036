/* Moving blocks, 16 bytes a thread and four of them under way. */
#include "kernels/cuda/blocks.h"

#include "kernels/cuda/device.cuh"

namespace
{

using namespace dyno;

constexpr unsigned threads = 256, ahead = 4;

/* Grid: parts of a block, blocks. */
__global__ void __launch_bounds__(threads) move_blocks(dyno_cuda_blocks_job job)
{
    unsigned source = job.source ? job.source[blockIdx.y] : blockIdx.y;
    unsigned target = job.target ? job.target[blockIdx.y] : blockIdx.y;
    uint64_t vectors = job.block_bytes / sizeof(uint4);
    uint64_t first = static_cast<uint64_t>(blockIdx.x) * threads * ahead + threadIdx.x;
    const uint4 *from = static_cast<const uint4 *>(job.from) + source * vectors;
    uint4 *to = static_cast<uint4 *>(job.to) + target * vectors;
    uint4 held[ahead];

    if (source >= job.source_blocks || target >= job.target_blocks) {
        return;
    }
#pragma unroll
    for (unsigned i = 0; i < ahead; i++) {
        if (first + i * threads < vectors) {
            held[i] = from[first + i * threads];
        }
    }
#pragma unroll
    for (unsigned i = 0; i < ahead; i++) {
        if (first + i * threads < vectors) {
            to[first + i * threads] = held[i];
        }
    }
}

} /* namespace */

int dyno_cuda_blocks(const struct dyno_cuda_blocks_job *job, dyno_cuda_stream stream)
{
    constexpr uint64_t block_bytes_max = uint64_t{1} << 40;
    constexpr unsigned launch_max = 65535; /* blocks of a launch */
    unsigned parts;

    if (!job->from || !job->to || job->block_bytes < sizeof(uint4) ||
        job->block_bytes > block_bytes_max || !is_aligned(job->from, job->block_bytes) ||
        !is_aligned(job->to, 0) || (!job->source && job->source_blocks < job->count) ||
        (!job->target && job->target_blocks < job->count) ||
        (job->from == job->to && !(job->source && job->target)) || job->count > launch_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->count == 0) {
        return 0;
    }
    parts = static_cast<unsigned>(
        divide_up<uint64_t>(job->block_bytes / sizeof(uint4), threads * ahead));
    DYNO_LAUNCH(move_blocks, dim3(parts, job->count), threads, 0, stream, *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
