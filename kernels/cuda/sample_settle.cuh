/* The second step of sampling, a block a row: the row's largest logit, and which tokens are listed.
 *
 * The counts bound what the tokens of a bucket weigh together, so also in which buckets top-p cuts,
 * and from which the token is drawn.  Those are listed, and all else is but added up.
 */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_SETTLE_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_SETTLE_CUH

#include "kernels/cuda/sample_chunk.cuh"

namespace dyno
{

/* The largest logit of a row and the token that has it. */
struct leader {
    double largest;
    unsigned best;
};

/* Buckets from the row's largest logit down: the cut lies in those from cut_first to cut_last, and
 * the drawn token in those from draw_first to draw_last; cut_last `buckets`: nobody knows. */
struct windows {
    unsigned draw_first, draw_last, cut_first, cut_last;
};

struct settle_shared {
    double partial[sample_threads / warp_lanes], other[sample_threads / warp_lanes];
    double largest;
    unsigned best;
    struct windows windows;
};

static __device__ leader leader_of(const sample_plan &plan, unsigned row, settle_shared *shared)
{
    const size_t base = static_cast<size_t>(row) * plan.chunks;
    leader own = {static_cast<double>(NAN), no_token};

    if (warp_index() == 0) {
        for (unsigned c = lane_index(); c < plan.chunks; c += warp_lanes) {
            double largest = plan.largest[base + c];
            unsigned best = plan.best[base + c];

            own = comes_before(largest, best, own.largest, own.best) ? leader{largest, best} : own;
        }
        for (unsigned step = warp_lanes / 2; step > 0; step /= 2) {
            double largest = __shfl_xor_sync(all_lanes, own.largest, step);
            unsigned best = __shfl_xor_sync(all_lanes, own.best, step);

            own = comes_before(largest, best, own.largest, own.best) ? leader{largest, best} : own;
        }
        if (lane_index() == 0) {
            shared->largest = own.largest;
            shared->best = own.best;
        }
    }
    __syncthreads();
    return {shared->largest, shared->best};
}

/* The tokens in this thread's bucket of the row's; a chunk's begin at its own largest. */
static __device__ unsigned count_of(const sample_plan &plan, unsigned row, ruler ruler, float top)
{
    const size_t base = static_cast<size_t>(row) * plan.chunks;
    unsigned sum = 0;

#pragma unroll 16
    for (unsigned c = 0; c < plan.chunks; c++) {
        unsigned below = buckets_below(top, ruler.raised(plan.largest[base + c]));

        if (below <= threadIdx.x) {
            sum += plan.count[(base + c) * buckets + threadIdx.x - below];
        }
    }
    return sum;
}

/* The sum over the threads up to this one, and of all; `partial` is used by nobody else. */
static __device__ double sum_until_thread(double value, double *partial, double *total)
{
    double until = lanes_sum_until(value);

    if (lane_index() == warp_lanes - 1) {
        partial[warp_index()] = until;
    }
    __syncthreads();
    *total = 0.0;
    for (unsigned i = 0; i < sample_threads / warp_lanes; i++) {
        until += i < warp_index() ? partial[i] : 0.0;
        *total += partial[i];
    }
    return until;
}

/* What the tokens of this thread's bucket weigh, in shares of the largest weight, at least and at
 * most. */
struct mass {
    double least, most;
};

static __device__ mass mass_of(unsigned count, const dyno_sampling &sampling, double largest)
{
    constexpr float octave = buckets_octave;
    const double floor = sampling.min_p > 0.0
                             ? largest + static_cast<double>(octave) * log2(sampling.min_p)
                             : static_cast<double>(-INFINITY);
    const double low = rint(largest) - threadIdx.x - 0.5; /* below the floor, weights are 0 */
    const double share = static_cast<double>(exp2f(static_cast<float>(low - largest) / octave));
    const double step = static_cast<double>(exp2f(1.0F / octave));

    return {low > floor ? count * share : 0.0, low + 2.0 > floor ? count * share * step : 0.0};
}

__device__ __forceinline__ double uniform_of(word seed, word position)
{
    return static_cast<double>(uniform_units(seed, position)) * 0x1p-53;
}

/* Where top-p cuts, and what is drawn, whatever the weights are within their buckets. */
static __device__ void find_windows(const mass &own, const dyno_cuda_sample_row &row,
                                    unsigned vocab, settle_shared *shared)
{
    constexpr double careful = 1.01, few = 0x1p-34, below_all = 0x1p-31; /* 32 octaves, or so */
    const dyno_sampling &sampling = row.sampling;
    const double left = 1.0 - sampling.top_p, kept = 1.0 - uniform_of(sampling.seed, row.position);
    double least, most;
    double least_until = sum_until_thread(own.least, shared->partial, &least);
    double most_until = sum_until_thread(own.most, shared->other, &most);

    most += vocab * below_all;
    if (most - most_until <= left * least / careful - few) {
        atomicMin(&shared->windows.cut_last, threadIdx.x);
    }
    if (least - least_until <= left * most * careful + few) {
        atomicMin(&shared->windows.cut_first, threadIdx.x);
    }
    if (most_until >= kept * sampling.top_p * least / careful - few) {
        atomicMin(&shared->windows.draw_first, threadIdx.x);
    }
    if (least_until >= kept * (sampling.top_p * most + 1.0) * careful + few) {
        atomicMin(&shared->windows.draw_last, threadIdx.x);
    }
}

/* Tokens of one weight may lie on both sides of a bucket's border, and the id decides between them:
 * so one more bucket counts, and many where weights are few units. */
static __device__ unsigned with_ties(unsigned last, bool is_coarse)
{
    constexpr unsigned fine = 14 * static_cast<unsigned>(buckets_octave), octave_more = 9;

    last += last > fine ? octave_more : is_coarse ? 1 : 0;
    return last < buckets ? last : buckets;
}

/* Two floats on both sides of a border differ in weight as long as weights are 2^30 units. */
static __device__ bool are_windows_exact(const dyno_cuda_sample_row &row, unsigned last)
{
    constexpr unsigned fine = 14 * static_cast<unsigned>(buckets_octave);

    return !changes_logits(row) && row.sampling.min_p <= 0.0 && row.sampling.top_k == 0 &&
           last <= fine;
}

static __device__ windows windows_of(const sample_plan &plan, unsigned row, ruler ruler,
                                     double largest, settle_shared *shared)
{
    constexpr double place_max = 1e5; /* beyond it, floats are too coarse to tell */
    const dyno_cuda_sample_row &from = plan.job.row[row];
    const double place = largest * static_cast<double>(ruler.scale);
    windows windows;
    double all;

    if (threadIdx.x == 0) {
        shared->windows = {buckets, buckets, buckets, buckets};
    }
    __syncthreads();
    if (fabs(place) < place_max && from.sampling.temperature > static_cast<double>(coldest)) {
        unsigned count = count_of(plan, row, ruler, ruler.raised(largest));

        if (from.sampling.top_k == 0) {
            find_windows(mass_of(count, from.sampling, place), from, plan.job.vocab, shared);
        } else if (sum_until_thread(count, shared->partial, &all) >= from.sampling.top_k) {
            atomicMin(&shared->windows.cut_last, threadIdx.x);
        }
    }
    __syncthreads();
    windows = shared->windows;
    if (!are_windows_exact(from, windows.cut_last)) {
        return {0, 0, 0, with_ties(windows.cut_last, changes_logits(from))};
    }
    windows.draw_last = windows.draw_last < windows.cut_last ? windows.draw_last : windows.cut_last;
    windows.draw_first =
        windows.draw_first < windows.draw_last ? windows.draw_first : windows.draw_last;
    return windows;
}

__device__ __forceinline__ bool is_listed(const windows &windows, unsigned bucket)
{
    return (windows.draw_first <= bucket && bucket <= windows.draw_last) ||
           (windows.cut_first <= bucket && bucket <= windows.cut_last);
}

static __device__ listed listed_of(const windows &windows, float top)
{
    const float high =
        top - static_cast<float>(windows.draw_first < windows.cut_first ? windows.draw_first
                                                                        : windows.cut_first);
    listed listed = {-INFINITY, INFINITY, -INFINITY, INFINITY};

    if (windows.cut_last < buckets) {
        listed.low = top - static_cast<float>(windows.cut_last);
        listed.high = windows.draw_first + windows.cut_first > 0 ? high : INFINITY;
        if (windows.draw_last + 1 < windows.cut_first) {
            listed.gap_low = top - static_cast<float>(windows.cut_first);
            listed.gap_high = top - static_cast<float>(windows.draw_last);
        }
    }
    return listed;
}

/* Where the candidates of each chunk begin in the row's list. */
static __device__ void part_list(const sample_plan &plan, unsigned row, ruler ruler, float top,
                                 const windows &windows)
{
    const size_t base = static_cast<size_t>(row) * plan.chunks;

    for (unsigned c = warp_index(); c < plan.chunks; c += sample_threads / warp_lanes) {
        unsigned below = buckets_below(top, ruler.raised(plan.largest[base + c])), sum = 0;

#pragma unroll
        for (unsigned i = lane_index(); i < buckets; i += warp_lanes) {
            unsigned count = plan.count[(base + c) * buckets + i];
            bool is_in = below < buckets && below + i < buckets && is_listed(windows, below + i);

            sum += is_in ? count : 0;
        }
        sum = lanes_sum(sum);
        if (lane_index() == 0) {
            plan.key_begin[base + c] = sum;
        }
    }
    __syncthreads();
    if (warp_index() == 0) {
        unsigned before = 0;

        for (unsigned first = 0; first < plan.chunks; first += warp_lanes) {
            unsigned c = first + lane_index();
            unsigned own = c < plan.chunks ? plan.key_begin[base + c] : 0;
            unsigned until = before + lanes_sum_until(own);

            if (c < plan.chunks) {
                plan.key_begin[base + c] = until - own;
            }
            before = __shfl_sync(all_lanes, until, warp_lanes - 1);
        }
        if (lane_index() == 0) {
            plan.key_count[row] = before;
        }
    }
}

static __device__ void list_all(const sample_plan &plan, unsigned row)
{
    for (unsigned c = threadIdx.x; c < plan.chunks; c += sample_threads) {
        plan.key_begin[static_cast<size_t>(row) * plan.chunks + c] = c * plan.chunk;
    }
    if (threadIdx.x == 0) {
        plan.key_count[row] = plan.job.vocab;
    }
}

static __global__ void __launch_bounds__(sample_threads) sample_settle(sample_plan plan)
{
    __shared__ settle_shared shared;
    const unsigned row = blockIdx.x;
    const dyno_sampling &sampling = plan.job.row[row].sampling;
    leader leader;

    let_launch_after_start();
    wait_for_launch_before();
    leader = leader_of(plan, row, &shared);
    if (threadIdx.x == 0) {
        plan.row_largest[row] = leader.largest;
        plan.row_steps[row] = steps_of(sampling);
        if (is_settled(sampling, leader.largest)) {
            plan.job.token[row] = leader.best;
        }
    }
    if (!is_settled(sampling, leader.largest) && is_narrowed(sampling)) {
        const ruler ruler = ruler_of(sampling);
        const float top = ruler.raised(leader.largest);
        const windows windows = windows_of(plan, row, ruler, leader.largest, &shared);

        if (windows.cut_last < buckets) {
            part_list(plan, row, ruler, top, windows);
        } else {
            list_all(plan, row);
        }
        if (threadIdx.x == 0) {
            plan.bars[row] = listed_of(windows, top);
        }
    }
}

} /* namespace dyno */

#endif
