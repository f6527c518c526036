/* The last pass of sampling, a block a row: the list of candidates is cut as top-k and top-p say,
 * and one is drawn; or one is drawn from all tokens by id.
 *
 * Candidates are keys, all different: whoever comes first has the larger.  Where a sum or a number
 * of them is reached, from the first on, is looked for in buckets of weights; what is in the bucket
 * where it happens is then added up one by one, or, as long as it is too much, sieved again.
 */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_DRAW_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_DRAW_CUH

#include "kernels/cuda/sample_chunk.cuh"

namespace dyno
{

constexpr unsigned draw_threads = 512, near_max = draw_threads;
constexpr unsigned fraction_bits = 5, octaves = 45, sieve_buckets = octaves << fraction_bits;

/* Amounts are of candidates: how many, or what they weigh. */
struct sieve {
    unsigned count[sieve_buckets], low[sieve_buckets], high[sieve_buckets];
};

struct draw_shared {
    sieve weights, keys;
    word near[near_max];
    unsigned near_count, bucket;
    word need, key; /* what a search has left to find, and where it ended */
    word above;     /* by which need was exceeded there */
    word partial[draw_threads / warp_lanes], partials[3][draw_threads / warp_lanes];
    power_table powers;
};

/* A row's list. */
struct candidates {
    const word *key;
    unsigned count;
};

/* Calls body with each key of a list that is somebody's; several are read at once. */
template <class Body> __device__ __forceinline__ void each_key(candidates candidates, Body body)
{
    constexpr unsigned at_once = 8;

    for (unsigned first = threadIdx.x; first < candidates.count; first += at_once * draw_threads) {
        word key[at_once];

#pragma unroll
        for (unsigned i = 0; i < at_once; i++) {
            unsigned at = first + i * draw_threads;

            key[i] = at < candidates.count ? candidates.key[at] : no_key;
        }
#pragma unroll
        for (unsigned i = 0; i < at_once; i++) {
            if (key[i] != no_key) {
                body(key[i]);
            }
        }
    }
}

enum draw_amount { DRAW_COUNTS, DRAW_SUMS };

__device__ __forceinline__ word weight_of_key(word key)
{
    return (key >> token_bits) + 1;
}

__device__ __forceinline__ unsigned weight_bucket(word weight)
{
    constexpr unsigned mantissa = 52, bias = 1023;
    word bits = static_cast<word>(__double_as_longlong(static_cast<double>(weight)));

    return static_cast<unsigned>(bits >> (mantissa - fraction_bits)) - (bias << fraction_bits);
}

/* The least weight of a bucket. */
__device__ __forceinline__ word weight_bound(unsigned bucket)
{
    constexpr unsigned mantissa = 52, bias = 1023;
    word bits = static_cast<word>(bucket + (bias << fraction_bits)) << (mantissa - fraction_bits);

    return static_cast<word>(ceil(__longlong_as_double(static_cast<long long>(bits))));
}

/* 64 bits in two words: shared memory has atomics of 32. */
__device__ __forceinline__ void add_to(sieve *sieve, unsigned bucket, draw_amount amount,
                                       word weight)
{
    unsigned low = static_cast<unsigned>(weight);

    if (amount == DRAW_COUNTS) {
        atomicAdd(&sieve->count[bucket], 1U);
    }
    unsigned before = atomicAdd(&sieve->low[bucket], low);
    unsigned high = static_cast<unsigned>(weight >> 32) + (before + low < before ? 1 : 0);

    if (high > 0) {
        atomicAdd(&sieve->high[bucket], high);
    }
}

static __device__ void clear(sieve *sieve)
{
    __syncthreads();
    for (unsigned i = threadIdx.x; i < sieve_buckets; i += draw_threads) {
        sieve->count[i] = sieve->low[i] = sieve->high[i] = 0;
    }
    __syncthreads();
}

__device__ __forceinline__ word amount_in(const sieve &sieve, unsigned bucket, draw_amount amount)
{
    return amount == DRAW_COUNTS ? sieve.count[bucket]
                                 : static_cast<word>(sieve.high[bucket]) << 32 | sieve.low[bucket];
}

/* The sum over the threads before this one. */
static __device__ word sum_before(word own, draw_shared *shared)
{
    word until = own, before = 0;

    for (unsigned step = 1; step < warp_lanes; step *= 2) {
        word other = __shfl_up_sync(all_lanes, until, step);

        until += lane_index() >= step ? other : 0;
    }
    __syncthreads();
    if (lane_index() == warp_lanes - 1) {
        shared->partial[warp_index()] = until;
    }
    __syncthreads();
    for (unsigned i = 0; i < warp_index(); i++) {
        before += shared->partial[i];
    }
    return before + until - own;
}

/* Where shared->need is reached, from the last bucket down, and what is left of it there. */
static __device__ unsigned find_bucket(const sieve &sieve, draw_amount amount, draw_shared *shared)
{
    constexpr unsigned each = divide_up(sieve_buckets, draw_threads);
    const unsigned begin = threadIdx.x * each;
    word own = 0, before, need = shared->need;

    for (unsigned i = begin; i < begin + each && i < sieve_buckets; i++) {
        own += amount_in(sieve, sieve_buckets - 1 - i, amount);
    }
    before = sum_before(own, shared);
    if (before < need && need <= before + own) {
        unsigned at = sieve_buckets - 1 - begin;

        while (before + amount_in(sieve, at, amount) < need) {
            before += amount_in(sieve, at--, amount);
        }
        shared->need = need - before;
        shared->bucket = at;
    }
    __syncthreads();
    return shared->bucket;
}

/* Keys from first to last. */
struct key_range {
    word first, last;
};

/* Narrows a range of too many keys to that of one of its buckets. */
static __device__ void narrow(candidates candidates, key_range *range, draw_amount amount,
                              draw_shared *shared)
{
    const key_range all = *range;
    unsigned shift = 0, bucket;

    while ((range->last - range->first) >> shift >= sieve_buckets) {
        shift++;
    }
    clear(&shared->keys);
    each_key(candidates, [&](word key) {
        if (all.first <= key && key <= all.last) {
            add_to(&shared->keys, static_cast<unsigned>((key - all.first) >> shift), amount,
                   weight_of_key(key));
        }
    });
    __syncthreads();
    bucket = find_bucket(shared->keys, amount, shared);
    range->first += static_cast<word>(bucket) << shift;
    if ((range->last - range->first) >> shift > 0) {
        range->last = range->first + ((1ULL << shift) - 1);
    }
}

/* The keys of a range, if they are few, into shared->near; else false. */
static __device__ bool gather(candidates candidates, key_range range, draw_shared *shared)
{
    if (threadIdx.x == 0) {
        shared->near_count = 0;
    }
    __syncthreads();
    each_key(candidates, [&](word key) {
        if (range.first <= key && key <= range.last) {
            unsigned at = atomicAdd(&shared->near_count, 1U);

            if (at < near_max) {
                shared->near[at] = key;
            }
        }
    });
    __syncthreads();
    return shared->near_count <= near_max;
}

/* Of the keys gathered the one that reaches shared->need; a warp adds up what a key and those
 * before it amount to. */
static __device__ void find_key(draw_amount amount, draw_shared *shared)
{
    const unsigned count = shared->near_count;

    for (unsigned k = warp_index(); k < count; k += draw_threads / warp_lanes) {
        word key = shared->near[k], own = amount == DRAW_COUNTS ? 1 : weight_of_key(key);
        word until = 0;

        for (unsigned i = lane_index(); i < count; i += warp_lanes) {
            word other = shared->near[i];

            until += other < key ? 0 : amount == DRAW_COUNTS ? 1 : weight_of_key(other);
        }
        until = lanes_sum(until);
        if (lane_index() == 0 && until >= shared->need && until - own < shared->need) {
            shared->key = key;
            shared->above = until - shared->need;
        }
    }
    __syncthreads();
}

/* The key with which `need` is reached, from the first on; by shared->above it is exceeded. */
static __device__ word search(candidates candidates, draw_amount amount, word need,
                              draw_shared *shared)
{
    key_range range = {0, ~0ULL};
    unsigned bucket;

    __syncthreads();
    if (threadIdx.x == 0) {
        shared->need = need;
    }
    __syncthreads();
    bucket = find_bucket(shared->weights, amount, shared);
    range.first = (weight_bound(bucket) - 1) << token_bits;
    if (bucket < (octaves - 1) << fraction_bits) {
        range.last = ((weight_bound(bucket + 1) - 1) << token_bits) - 1;
    }
    while (!gather(candidates, range, shared)) {
        narrow(candidates, &range, amount, shared);
    }
    find_key(amount, shared);
    return shared->key;
}

/* What the candidates up to a key weigh. */
static __device__ word sum_until(candidates candidates, word last, draw_shared *shared)
{
    word sum = 0;

    __syncthreads();
    each_key(candidates, [&](word key) { sum += key >= last ? weight_of_key(key) : 0; });
    sum = block_sum(sum, shared->partial);
    __syncthreads();
    return sum;
}

/* The candidates by weight, of which there are none before; returns how many they are. */
static __device__ word sift(candidates candidates, draw_amount amount, draw_shared *shared)
{
    word count = 0;

    each_key(candidates, [&](word key) {
        word weight = weight_of_key(key);

        add_to(&shared->weights, weight_bucket(weight), amount, weight);
        count++;
    });
    count = block_sum(count, shared->partial);
    __syncthreads();
    return count;
}

/* What the row's chunks have summed up: all weights, and where the list has none, before it and in
 * its midst. */
struct row_sums {
    word all, above, gap;
};

static __device__ row_sums sums_of_chunks(const sample_plan &plan, unsigned row,
                                          draw_shared *shared)
{
    row_sums own = {0, 0, 0};

    for (unsigned c = threadIdx.x; c < plan.chunks; c += draw_threads) {
        size_t at = static_cast<size_t>(row) * plan.chunks + c;

        own.all += plan.sum[at];
        own.above += plan.above[at];
        own.gap += plan.gap[at];
    }
    own.all = block_sum(own.all, shared->partials[0]);
    own.above = block_sum(own.above, shared->partials[1]);
    own.gap = block_sum(own.gap, shared->partials[2]);
    return own;
}

static __device__ word sum_of_chunks(const sample_plan &plan, unsigned row, draw_shared *shared)
{
    word own = 0;

    for (unsigned c = threadIdx.x; c < plan.chunks; c += draw_threads) {
        own += plan.sum[static_cast<size_t>(row) * plan.chunks + c];
    }
    return block_sum(own, shared->partials[0]);
}

/* From the least likely of those that are kept up.  Where there is a gap in the list, the cut lies
 * behind it, and the drawn token before it. */
static __device__ void draw_by_weight(const sample_plan &plan, unsigned row, draw_shared *shared)
{
    const dyno_cuda_sample_row *from = plan.job.row + row;
    const dyno_sampling &sampling = from->sampling;
    candidates candidates = {plan.key + static_cast<size_t>(row) * plan.job.vocab,
                             plan.key_count[row]};
    const row_sums sums = sums_of_chunks(plan, row, shared);
    word sum, key, count = sift(candidates, sampling.top_k > 0 ? DRAW_COUNTS : DRAW_SUMS, shared);

    if (sampling.top_k > 0) {
        key = sampling.top_k < count ? search(candidates, DRAW_COUNTS, sampling.top_k, shared)
                                     : no_key;
        sum = sum_until(candidates, key, shared);
    } else {
        sum = sums.all;
    }
    if (sampling.top_p > 0.0 && sampling.top_p < 1.0) {
        word due = due_of(sampling.top_p, sum);

        search(candidates, DRAW_SUMS, due - sums.above - sums.gap, shared);
        sum = due + shared->above;
    }
    sum -= drawn_share(sum, sampling.seed, from->position);
    key = search(candidates, DRAW_SUMS, sum - sums.above, shared);
    if (threadIdx.x == 0) {
        plan.job.token[row] = static_cast<unsigned>(token_mask - (key & token_mask));
    }
}

/* The chunk in which a share of the row's sum lies, and what of it is left there. */
static __device__ unsigned find_chunk(const sample_plan &plan, unsigned row, word share,
                                      draw_shared *shared)
{
    const word *sum = plan.sum + static_cast<size_t>(row) * plan.chunks;
    const unsigned each = divide_up(plan.chunks, draw_threads), begin = threadIdx.x * each;
    word own = 0, before;

    for (unsigned c = begin; c < begin + each && c < plan.chunks; c++) {
        own += sum[c];
    }
    before = sum_before(own, shared);
    if (before <= share && share < before + own) {
        unsigned c = begin;

        while (before + sum[c] <= share) {
            before += sum[c++];
        }
        shared->bucket = c;
        shared->need = share - before;
    }
    __syncthreads();
    return shared->bucket;
}

/* Each thread has a stretch of the chunk's tokens, one after another. */
template <class T>
static __device__ void draw_from(const chunk_view &view, const weigher &weigher, unsigned *token,
                                 draw_shared *shared)
{
    constexpr unsigned width = logits_at_once<T>;
    const unsigned each = divide_up(divide_up(view.end - view.first, width), draw_threads) * width;
    const unsigned begin = view.first + threadIdx.x * each;
    word own = 0, before, share = shared->need;
    T at[width];

    for (unsigned i = begin; i < begin + each && i < view.end; i += width) {
        load_logits(view, i, at);
#pragma unroll
        for (unsigned j = 0; j < width; j++) {
            own += weight_of(weigher, at[j]) & weight_mask;
        }
    }
    before = sum_before(own, shared);
    if (before > share || share >= before + own) {
        return;
    }
    for (unsigned i = begin; before <= share; i += width) {
        load_logits(view, i, at);
#pragma unroll
        for (unsigned j = 0; j < width; j++) {
            *token = before <= share ? i + j : *token;
            before += weight_of(weigher, at[j]) & weight_mask;
        }
    }
}

static __device__ void draw_by_id(const sample_plan &plan, unsigned row, double largest,
                                  draw_shared *shared)
{
    const dyno_cuda_sample_row *from = plan.job.row + row;
    word sum = sum_of_chunks(plan, row, shared);
    word share = drawn_share(sum, from->sampling.seed, from->position);
    unsigned chunk = find_chunk(plan, row, share, shared);
    chunk_view view = view_of(plan, row, chunk);
    weigher weigher = weigher_of(plan, row, &shared->powers);

    mark_lists(&view);
    if (is_weighed_as_read(*from, largest)) {
        draw_from<float>(view, weigher, plan.job.token + row, shared);
    } else {
        draw_from<double>(view, weigher, plan.job.token + row, shared);
    }
}

static __global__ void __launch_bounds__(draw_threads) sample_draw(sample_plan plan)
{
    __shared__ draw_shared shared;
    const unsigned row = blockIdx.x;
    const dyno_sampling &sampling = plan.job.row[row].sampling;
    double largest;

    let_launch_after_start();
    make_powers(&shared.powers);
    clear(&shared.weights);
    wait_for_launch_before();
    largest = plan.row_largest[row];
    if (is_settled(sampling, largest)) {
        return;
    }
    if (is_narrowed(sampling)) {
        draw_by_weight(plan, row, &shared);
    } else {
        draw_by_id(plan, row, largest, &shared);
    }
}

} /* namespace dyno */

#endif
