/* A thread a row. */
#include "kernels/cuda/advance.h"

#include "kernels/cuda/number.cuh"
#include "kernels/cuda/rope.h"

namespace
{

using namespace dyno;

constexpr unsigned threads = 128;

__global__ void __launch_bounds__(threads) advance(dyno_cuda_advance_job job)
{
    unsigned row = blockIdx.x * threads + threadIdx.x;

    if (row < job.rows && job.token[row] != UINT32_MAX) {
        unsigned position = job.position[row] + 1, place = position / job.block_tokens;

        job.token[row] = job.chosen[row];
        job.position[row] = position;
        job.slot[row] = place < job.table_width
                            ? job.table[static_cast<uint64_t>(row) * job.table_width + place] *
                                      job.block_tokens +
                                  position % job.block_tokens
                            : DYNO_CUDA_NO_SLOT;
        job.slices[row].first = position;
        job.sample[row].position++;
    }
}

} /* namespace */

int dyno_cuda_advance(const struct dyno_cuda_advance_job *job, dyno_cuda_stream stream)
{
    if (job->block_tokens == 0 || !job->chosen || !job->table || !job->token || !job->position ||
        !job->slot || !job->slices || !job->sample) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->rows == 0) {
        return 0;
    }
    DYNO_LAUNCH(advance, divide_up(job->rows, threads), threads, 0, stream, *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
