/* The first pass of sampling, a block a chunk: its largest logit, and how many tokens there are in
 * each bucket from it down. */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_SURVEY_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_SURVEY_CUH

#include "kernels/cuda/sample_chunk.cuh"

namespace dyno
{

constexpr unsigned survey_blocks = blocks_at_once;

struct survey_shared {
    double largest[sample_threads / warp_lanes];
    unsigned best;
    unsigned count[buckets];
};

/* For all of the block. */
template <class T> __device__ T block_largest(T own, double *partial)
{
    T largest = lanes_max(own);

    if (lane_index() == 0) {
        partial[warp_index()] = static_cast<double>(largest);
    }
    __syncthreads();
    return lanes_max(static_cast<T>(partial[lane_index() % (sample_threads / warp_lanes)]));
}

/* The lowest token that is allowed, where all are NaN. */
static __device__ void find_allowed(const chunk_view &view, survey_shared *shared)
{
    for (unsigned token = view.first + threadIdx.x; token < view.end; token += sample_threads) {
        if (is_allowed(view.row->sampling, token)) {
            atomicMin(&shared->best, token);
            break;
        }
    }
}

/* A thread's logits of a chunk: those that nothing changes are kept, others made again each time.
 */
template <unsigned logits> struct kept_logits {
    using type = float;
    static constexpr unsigned width = logits_at_once<float>, vectors = logits / width;
    static constexpr unsigned unrolled = vectors;
    float at[vectors][width];

    __device__ explicit kept_logits(const chunk_view &view)
    {
#pragma unroll
        for (unsigned v = 0; v < vectors; v++) {
            load_logits(view, first_token<width>(view, v), at[v]);
        }
    }
    __device__ void get(unsigned v, float (&to)[width]) const
    {
#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            to[i] = at[v][i];
        }
    }
};

template <unsigned logits> struct made_logits {
    using type = double;
    static constexpr unsigned width = logits_at_once<double>, vectors = logits / width;
    static constexpr unsigned unrolled = 1;
    const chunk_view &view;

    __device__ explicit made_logits(const chunk_view &of) : view(of)
    {
    }
    __device__ void get(unsigned v, double (&to)[width]) const
    {
        load_logits(view, first_token<width>(view, v), to);
    }
};

template <class Logits>
static __device__ void count_logits(const Logits &logits, ruler ruler, float top, unsigned *count)
{
#pragma unroll Logits::unrolled
    for (unsigned v = 0; v < Logits::vectors; v++) {
        typename Logits::type at[Logits::width];

        logits.get(v, at);
#pragma unroll
        for (unsigned i = 0; i < Logits::width; i++) {
            unsigned below = buckets_below(top, ruler.raised(at[i]));

            if (below < buckets) {
                atomicAdd(&count[below], 1U);
            }
        }
    }
}

/* The lowest token of this thread that has the largest logit. */
template <class Logits>
static __device__ unsigned token_of(const Logits &logits, const chunk_view &view,
                                    typename Logits::type largest)
{
    typename Logits::type at[Logits::width];
    unsigned best = no_token;

#pragma unroll Logits::unrolled
    for (unsigned v = Logits::vectors; v-- > 0;) {
        logits.get(v, at);
#pragma unroll
        for (unsigned i = Logits::width; i-- > 0;) {
            best = at[i] == largest ? first_token<Logits::width>(view, v) + i : best;
        }
    }
    return best;
}

/* The lowest token of the largest logit into shared->best; returns that logit, -INFINITY where
 * there are but NaNs. */
template <class Logits>
static __device__ double find_best(const Logits &logits, const chunk_view &view,
                                   survey_shared *shared)
{
    typename Logits::type at[Logits::width], largest, own = static_cast<float>(-INFINITY);

#pragma unroll Logits::unrolled
    for (unsigned v = 0; v < Logits::vectors; v++) {
        logits.get(v, at);
#pragma unroll
        for (unsigned i = 0; i < Logits::width; i++) {
            own = at[i] > own ? at[i] : own;
        }
    }
    largest = block_largest(own, shared->largest);
    if (own == largest) {
        atomicMin(&shared->best, token_of(logits, view, largest));
    }
    __syncthreads();
    return static_cast<double>(largest);
}

template <class Logits>
static __device__ void survey_view(const sample_plan &plan, const chunk_view &view,
                                   const Logits &logits, survey_shared *shared)
{
    const dyno_sampling &sampling = view.row->sampling;
    const bool counts = sampling.temperature > 0.0 && is_narrowed(sampling);
    const ruler ruler = ruler_of(sampling);
    double largest = find_best(logits, view, shared);
    bool is_none = shared->best == no_token;

    if (!is_none && counts) {
        count_logits(logits, ruler, ruler.raised(largest), shared->count);
    }
    __syncthreads();
    if (is_none) {
        find_allowed(view, shared);
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        plan.largest[blockIdx.x] = is_none ? static_cast<double>(NAN) : largest;
        plan.best[blockIdx.x] = shared->best;
    }
    if (counts) {
        plan.count[static_cast<size_t>(blockIdx.x) * buckets + threadIdx.x] =
            static_cast<uint16_t>(shared->count[threadIdx.x]);
    }
}

template <unsigned logits>
static __global__ void __launch_bounds__(sample_threads, survey_blocks)
    sample_survey(sample_plan plan)
{
    __shared__ survey_shared shared;
    const unsigned row = blockIdx.x / plan.chunks, index = blockIdx.x % plan.chunks;
    chunk_view view = view_of(plan, row, index);

    let_launch_after_start();
    shared.count[threadIdx.x] = 0;
    if (threadIdx.x == 0) {
        shared.best = no_token;
    }
    wait_for_launch_before();

    const kept_logits<logits> kept(
        view); /* before the row is looked at, for that takes time, too */

    prefetch_ahead(plan);
    if (changes_logits(*view.row)) {
        mark_lists(&view);
        survey_view(plan, view, made_logits<logits>(view), &shared);
    } else {
        survey_view(plan, view, kept, &shared);
    }
}

} /* namespace dyno */

#endif
