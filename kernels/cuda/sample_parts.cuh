/* What the kernels of sampling share: the logit of a token after mask, bias and penalties, the
 * order of logits, and the drawn share. */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_PARTS_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_PARTS_CUH

#include <cmath>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/sample.h"

namespace dyno
{

using word = unsigned long long;

constexpr unsigned no_token = ~0U;

__device__ __forceinline__ bool is_nan(double value)
{
    return value != value;
}

__device__ __forceinline__ bool is_allowed(const dyno_sampling &sampling, unsigned token)
{
    return !sampling.allowed || (sampling.allowed[token / 64] >> (token % 64) & 1);
}

/* Only the most likely tokens are candidates, and the draw is in the order of their weights. */
__device__ __forceinline__ bool is_narrowed(const dyno_sampling &sampling)
{
    return sampling.top_k > 0 || (sampling.top_p > 0.0 && sampling.top_p < 1.0);
}

/* Whether (logit, id) comes before (other, other_id); a NaN comes last, and among them the lowest
 * id that is allowed, for the others have no id. */
__device__ __forceinline__ bool comes_before(double logit, unsigned id, double other,
                                             unsigned other_id)
{
    if (is_nan(logit) || is_nan(other)) {
        return is_nan(other) && (!is_nan(logit) || id < other_id);
    }
    return logit > other || (logit == other && id < other_id);
}

__device__ __forceinline__ word mixed(word z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* dyno_sample_uniform in whole units of 2^-53. */
__device__ __forceinline__ word uniform_units(word seed, word position)
{
    constexpr word golden = 0x9e3779b97f4a7c15ULL;

    return mixed(mixed(seed + golden) + (position + 1) * golden) >> 11;
}

/* floor(sum x uniform(seed, position)) */
__device__ __forceinline__ word drawn_share(word sum, word seed, word position)
{
    word uniform = uniform_units(seed, position);

    return __umul64hi(sum, uniform) << 11 | sum * uniform >> 53;
}

/* The sum over the lanes up to this one. */
template <class T> __device__ __forceinline__ T lanes_sum_until(T value)
{
    for (unsigned step = 1; step < warp_lanes; step *= 2) {
        T before = __shfl_up_sync(all_lanes, value, step);

        value += lane_index() >= step ? before : T{0};
    }
    return value;
}

/* What top-p keeps of `sum`: its share rounded up, at least 1 and at most all. */
__device__ __forceinline__ word due_of(double top_p, word sum)
{
    word due = static_cast<word>(ceil(__dmul_rn(top_p, static_cast<double>(sum))));

    due = due < 1 ? 1 : due;
    return due < sum ? due : sum;
}

/* What is asked of every job. */
static inline bool sample_is_whole(const dyno_cuda_sample_job *job)
{
    return job->vocab >= 1 && job->vocab <= DYNO_SAMPLE_VOCAB_MAX && job->stride >= job->vocab &&
           job->row && job->logits && job->scratch && job->token &&
           reinterpret_cast<uintptr_t>(job->scratch) % sizeof(double) == 0;
}

} /* namespace dyno */

#endif
