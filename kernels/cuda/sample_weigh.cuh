/* The second pass of sampling over the logits, a block a chunk: what its tokens weigh, and the list
 * of those among which is decided. */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_WEIGH_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_WEIGH_CUH

#include "kernels/cuda/sample_chunk.cuh"

namespace dyno
{

constexpr unsigned weigh_blocks = blocks_at_once, group_logits = 8;

struct weigh_shared {
    power_table powers;
    unsigned key_count;
    word sum[sample_threads / warp_lanes];
};

/* What is to be done with a chunk's tokens. */
struct weighing {
    struct weigher weigher;
    struct ruler ruler;
    struct listed listed;
    bool lists, adds;    /* candidates; all weights */
    unsigned *key_count; /* of the chunk's candidates */
    uint16_t *candidate; /* [key_count] tokens, from the chunk's first */
};

/* Sums of weights, the bits of each one's 2^52 included until they are done. */
struct weigh_sums {
    word all, above, gap;
};

/* The chunk's candidates, of which `chosen` has a bit each, to the end of its list. */
template <unsigned width>
__device__ __forceinline__ void append(const weighing &weighing, unsigned vector, unsigned chosen)
{
    unsigned at = atomicAdd(weighing.key_count, static_cast<unsigned>(__popc(chosen)));

    for (; chosen > 0; chosen &= chosen - 1) {
        unsigned i = static_cast<unsigned>(__ffs(static_cast<int>(chosen))) - 1;
        unsigned own = (vector + i / width) * sample_threads + threadIdx.x;

        weighing.candidate[at++] = static_cast<uint16_t>(own * width + i % width);
    }
}

/* Lists a group's candidates, and adds up what is above them and between them: with the bits of
 * each one's 2^52, which a thread's sums of a chunk do not reach. */
template <class T, unsigned vectors, unsigned width>
__device__ __forceinline__ void list_group(const weighing &weighing, unsigned vector,
                                           const T (&at)[vectors][width],
                                           const word (&weight)[vectors * width], weigh_sums *sums)
{
    const listed &listed = weighing.listed;
    unsigned chosen = 0;

#pragma unroll
    for (unsigned i = 0; i < vectors * width; i++) {
        float raised = weighing.ruler.raised(at[i / width][i % width]);

        bool is_above = raised > listed.high;
        bool is_between = raised > listed.gap_low && raised < listed.gap_high;

        sums->above += is_above ? weight[i] : 0;
        sums->gap += is_between ? weight[i] : 0;
        chosen |= raised >= listed.low && !is_above && !is_between ? 1U << i : 0;
    }
    if (chosen > 0) {
        append<width>(weighing, vector, chosen);
    }
}

template <class T, unsigned vectors>
__device__ __forceinline__ void weigh_group(const chunk_view &view, const weighing &weighing,
                                            unsigned vector, weigh_sums *sums)
{
    constexpr unsigned width = logits_at_once<T>, logits = vectors * width;
    T at[vectors][width], largest = static_cast<float>(-INFINITY);
    word weight[logits] = {};
    bool lists;

#pragma unroll
    for (unsigned v = 0; v < vectors; v++) {
        load_logits(view, first_token<width>(view, vector + v), at[v]);
    }
#pragma unroll
    for (unsigned i = 0; i < logits; i++) {
        largest = at[i / width][i % width] > largest ? at[i / width][i % width] : largest;
    }
    lists = weighing.lists &&
            __any_sync(all_lanes, weighing.ruler.raised(largest) >= weighing.listed.low);
    if (weighing.adds) {
#pragma unroll
        for (unsigned i = 0; i < logits; i++) {
            weight[i] = weight_of(weighing.weigher, at[i / width][i % width]);
            sums->all += weight[i];
        }
    }
    if (lists) {
        list_group<T, vectors, width>(weighing, vector, at, weight, sums);
    }
}

/* A thread's sums of a chunk; without meaning where not all are added. */
template <class T>
static __device__ weigh_sums weigh_view(const sample_plan &plan, const chunk_view &view,
                                        const weighing &weighing)
{
    constexpr unsigned width = logits_at_once<T>, at_once = width > 1 ? group_logits / width : 1;
    const unsigned vectors = plan.chunk / sample_threads / width;
    weigh_sums sums = {};

    for (unsigned v = 0; v < vectors; v += at_once) {
        weigh_group<T, at_once>(view, weighing, v, &sums);
    }
    return {sums.all & weight_mask, sums.above & weight_mask, sums.gap & weight_mask};
}

/* The block's sum to its place. */
static __device__ void store_sum(word own, word *to, weigh_shared *shared)
{
    word sum = block_sum(own, shared->sum);

    if (threadIdx.x == 0) {
        to[blockIdx.x] = sum;
    }
    __syncthreads();
}

/* The chunk's candidates as keys, from `key` on.  Where all that may be are listed, NaNs leave
 * places. */
template <class T>
static __device__ void store_keys(const chunk_view &view, const weighing &weighing, word *key)
{
    const unsigned count = *weighing.key_count;

    for (unsigned i = threadIdx.x; i < count; i += sample_threads) {
        unsigned token = view.first + weighing.candidate[i];
        word weight = weight_of(weighing.weigher, logit_at<T>(view, token));

        key[i] = weight == no_weight ? no_key : key_of(weight, token);
    }
    for (unsigned i = count + threadIdx.x;
         weighing.listed.low == -INFINITY && i < view.end - view.first; i += sample_threads) {
        key[i] = no_key;
    }
}

/* All of it for a chunk, from logits as T. */
template <class T>
static __device__ void weigh_chunk(const sample_plan &plan, unsigned row, const chunk_view &view,
                                   const weighing &weighing, weigh_shared *shared)
{
    weigh_sums sums = weigh_view<T>(plan, view, weighing);

    store_sum(sums.all, plan.sum, shared);
    if (weighing.lists) {
        store_sum(sums.above, plan.above, shared);
        store_sum(sums.gap, plan.gap, shared);
        store_keys<T>(view, weighing,
                      plan.key + static_cast<size_t>(row) * plan.job.vocab +
                          plan.key_begin[blockIdx.x]);
    }
}

static __global__ void __launch_bounds__(sample_threads, weigh_blocks)
    sample_weigh(sample_plan plan)
{
    __shared__ weigh_shared shared;
    const unsigned row = blockIdx.x / plan.chunks, index = blockIdx.x % plan.chunks;
    const dyno_sampling &sampling = plan.job.row[row].sampling;
    weighing weighing = {};
    chunk_view view = view_of(plan, row, index);
    double largest;

    let_launch_after_start();
    prefetch_view(plan, view);
    make_powers(&shared.powers);
    if (threadIdx.x == 0) {
        shared.key_count = 0;
    }
    __syncthreads();
    wait_for_launch_before();
    prefetch_ahead(plan);
    largest = plan.row_largest[row];
    if (is_settled(sampling, largest)) {
        return;
    }
    mark_lists(&view);
    weighing.weigher = weigher_of(plan, row, &shared.powers);
    weighing.adds = sampling.top_k == 0;
    weighing.lists = is_narrowed(sampling);
    if (weighing.lists) {
        weighing.ruler = ruler_of(sampling);
        weighing.listed = plan.bars[row];
        weighing.key_count = &shared.key_count;
        weighing.candidate = reinterpret_cast<uint16_t *>(marks_of() + plan.chunk);
    }
    if (is_weighed_as_read(*view.row, largest)) {
        weigh_chunk<float>(plan, row, view, weighing, &shared);
    } else {
        weigh_chunk<double>(plan, row, view, weighing, &shared);
    }
}

} /* namespace dyno */

#endif
