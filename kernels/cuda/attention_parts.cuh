/* What the attention kernels share. */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_PARTS_CUH
#define DYNO_KERNELS_CUDA_ATTENTION_PARTS_CUH

#include "kernels/cuda/attention.h"
#include "kernels/cuda/number.cuh"

namespace dyno
{

constexpr unsigned no_block = ~0U;
constexpr float log2_e = 1.44269504088896341F;

/* Positions [begin, end) that a query at `position` sees of a table's. */
struct span {
    unsigned begin, end;
};

__device__ __forceinline__ span seen_by(const dyno_cuda_attention_job &job, unsigned position)
{
    unsigned long long held =
        static_cast<unsigned long long>(job.table_width) * job.kv.block_tokens;
    unsigned end = position + 1;

    return {job.window > 0 && end > job.window ? end - job.window : 0,
            end > held ? static_cast<unsigned>(held) : end};
}

/* The physical block of a sequence's block `index`, or no_block. */
__device__ __forceinline__ unsigned block_at(const dyno_cuda_attention_job &job, unsigned sequence,
                                             unsigned index)
{
    unsigned block = job.table[static_cast<size_t>(sequence) * job.table_width + index];

    return block < job.kv.blocks ? block : no_block;
}

/* Index of dimension 0 of a token's key, and of its value. */
__device__ __forceinline__ size_t kv_at(const dyno_cuda_kv &kv, unsigned block, unsigned token,
                                        unsigned kv_head)
{
    return block * kv.block_stride +
           (static_cast<size_t>(kv_head) * kv.block_tokens + token) * kv.head_dim;
}

/* What is asked of every job. */
bool attention_is_whole(const dyno_cuda_attention_job *job);

} /* namespace dyno */

#endif
