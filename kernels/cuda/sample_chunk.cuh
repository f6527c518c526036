/* A row's tokens in chunks, for kernels that give a block to each chunk: their logits, and their
 * exact weights.
 *
 * A row whose request changes no logit is read as the floats that are there; the logits of others
 * are made in double, after the lists that name tokens have left their marks in shared memory.
 */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_CHUNK_CUH
#define DYNO_KERNELS_CUDA_SAMPLE_CHUNK_CUH

#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/sample_parts.cuh"

namespace dyno
{

/* Logits are read by vectors of 16 bytes, and made one by one. */
template <class T> constexpr unsigned logits_at_once = 1;
template <> constexpr unsigned logits_at_once<float> = 4;

/* Which logits are listed, by their raised floats (struct ruler): from `low` on, but for those
 * above `high`, and those between `gap_low` and `gap_high`. */
struct listed {
    float low, gap_low, gap_high, high;
};

/* Where the passes over a row leave what they found; all on the device. */
struct sample_plan {
    dyno_cuda_sample_job job;
    unsigned chunks, chunk; /* of a row; tokens of each */
    unsigned blocks;        /* that run at once, of one for each chunk; 0: all */
    word *key;              /* [rows][vocab] of candidates, and no_key; key_count of them */
    word *sum;              /* [rows][chunks] of weights */
    word *above, *gap;      /* [rows][chunks] of those above the listed, and between them */
    double *largest;        /* [rows][chunks] NaN: there are but NaNs */
    double *row_largest;    /* [rows] */
    double *row_steps;      /* [rows] steps_of */
    unsigned *best;         /* [rows][chunks] the token that has the largest logit */
    unsigned *key_begin;    /* [rows][chunks] a chunk's candidates in the row's list */
    unsigned *key_count;    /* [rows] */
    listed *bars;           /* [rows] */
    uint16_t *count;        /* [rows][chunks][buckets] of tokens, from the chunk's largest down */
};

constexpr unsigned sample_threads = 256; /* but for drawing */
constexpr unsigned blocks_at_once = 4;   /* of a multiprocessor, so that loads overlap */
constexpr unsigned buckets = 256;        /* of counts */
constexpr float buckets_octave = 8.0F;

/* Buckets of logits, numbered upward; weights in one differ by 2^(1/8) at most.  A logit's place is
 * its multiple of their width, its bucket that to the nearest; what is added to a bucket makes it
 * the last bits of a float, so that floats, and their bits, compare like buckets. */
struct ruler {
    static constexpr float raise = 0x1.8p23F;
    float scale;

    template <class T> __device__ float raised(T logit) const
    {
        return fmaf(static_cast<float>(logit), scale, raise);
    }
};

/* Of colder rows than that, it tells no weights; it would not be a number. */
constexpr float coldest = 0x1p-90F;

__device__ __forceinline__ ruler ruler_of(const dyno_sampling &sampling)
{
    constexpr float log2_e = 1.44269504F;

    return {buckets_octave * log2_e / fmaxf(static_cast<float>(sampling.temperature), coldest)};
}

/* How many buckets below `top`; too many if one of them is not within 2^22 buckets of 0. */
__device__ __forceinline__ unsigned buckets_below(float top, float raised)
{
    return __float_as_uint(top) - __float_as_uint(raised);
}

/* What a token was named for; from `answered` on, how often in the answer. */
constexpr unsigned marked_seen = 1, marked_biased = 2, marked_answered = 4;

/* The tokens [first, end) of a row. */
struct chunk_view {
    const dyno_cuda_sample_row *row;
    const float *logits; /* of the row */
    unsigned first, end;
    bool is_marked; /* a list names some: shared memory has marks_of */
};

/* [end - first] the launch's dynamic shared memory. */
__device__ __forceinline__ unsigned *marks_of()
{
    DYNO_DYNAMIC_SHARED(marks);

    return reinterpret_cast<unsigned *>(marks);
}

__device__ __forceinline__ bool has_penalties(const dyno_cuda_sample_row &row)
{
    const dyno_sampling &sampling = row.sampling;

    return row.history.count > 0 && ((sampling.repetition > 0.0 && sampling.repetition != 1.0) ||
                                     sampling.presence != 0.0 || sampling.frequency != 0.0);
}

__device__ __forceinline__ bool has_lists(const dyno_cuda_sample_row &row)
{
    return row.sampling.bias_count > 0 || has_penalties(row);
}

__device__ __forceinline__ bool changes_logits(const dyno_cuda_sample_row &row)
{
    return row.sampling.allowed || has_lists(row);
}

static __device__ void mark_tokens(const chunk_view &view)
{
    const dyno_sampling &sampling = view.row->sampling;
    const dyno_sample_history &history = view.row->history;
    unsigned tokens = view.end - view.first, named = has_penalties(*view.row) ? history.count : 0;

    for (unsigned i = threadIdx.x; i < tokens; i += blockDim.x) {
        marks_of()[i] = 0;
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < named; i += blockDim.x) {
        unsigned at = history.tokens[i] - view.first;

        if (at < tokens) {
            atomicOr(&marks_of()[at], marked_seen);
            if (i >= history.prompt_count) {
                atomicAdd(&marks_of()[at], marked_answered);
            }
        }
    }
    for (unsigned i = threadIdx.x; i < sampling.bias_count; i += blockDim.x) {
        unsigned at = sampling.bias[i].token - view.first;

        if (at < tokens) {
            atomicOr(&marks_of()[at], marked_biased);
        }
    }
    __syncthreads();
}

/* Chunk `index` of a row, as it is read. */
static __device__ chunk_view view_of(const sample_plan &plan, unsigned row, unsigned index)
{
    unsigned first = index * plan.chunk, left = plan.job.vocab - first;

    return {plan.job.row + row, plan.job.logits + row * plan.job.stride, first,
            first + (left < plan.chunk ? left : plan.chunk), false};
}

/* A thread's line of the logits toward the second-level cache. */
static __device__ void prefetch_view(const sample_plan &plan, const chunk_view &view)
{
    constexpr unsigned line_logits = 32; /* 128 bytes */
    unsigned token = view.first + threadIdx.x * line_logits;

    if (threadIdx.x < plan.chunk / line_logits && token < view.end) {
        prefetch_line(view.logits + token);
    }
}

/* Those of the block that comes when this one goes: memory is not to wait for its beginning. */
static __device__ void prefetch_ahead(const sample_plan &plan)
{
    const unsigned part = blockIdx.x + plan.blocks;

    if (plan.blocks > 0 && part < gridDim.x) {
        prefetch_view(plan, view_of(plan, part / plan.chunks, part % plan.chunks));
    }
}

/* Makes the marks of its row's lists, for all of the block. */
static __device__ void mark_lists(chunk_view *view)
{
    if (has_lists(*view->row)) {
        view->is_marked = true;
        mark_tokens(*view);
    }
}

__device__ __forceinline__ double penalized(const dyno_sampling &sampling, unsigned mark,
                                            double logit)
{
    if ((mark & marked_seen) && sampling.repetition > 0.0) {
        logit = logit > 0.0 ? logit / sampling.repetition : __dmul_rn(logit, sampling.repetition);
    }
    for (unsigned i = 0; i < mark / marked_answered; i++) {
        logit = __dsub_rn(logit, sampling.frequency);
        logit = i == 0 ? __dsub_rn(logit, sampling.presence) : logit;
    }
    return logit;
}

__device__ __forceinline__ double changed(const chunk_view &view, unsigned token, double logit)
{
    const dyno_sampling &sampling = view.row->sampling;
    unsigned mark = view.is_marked ? marks_of()[token - view.first] : 0;

    if (!is_allowed(sampling, token)) {
        return static_cast<double>(NAN);
    }
    for (unsigned i = 0; (mark & marked_biased) && i < sampling.bias_count; i++) {
        logit += sampling.bias[i].token == token ? sampling.bias[i].bias : 0.0;
    }
    return mark >= marked_seen ? penalized(sampling, mark, logit) : logit;
}

/* One token's. */
template <class T> __device__ __forceinline__ T logit_at(const chunk_view &view, unsigned token);

template <> __device__ __forceinline__ float logit_at<float>(const chunk_view &view, unsigned token)
{
    return view.logits[token];
}

template <>
__device__ __forceinline__ double logit_at<double>(const chunk_view &view, unsigned token)
{
    return changed(view, token, static_cast<double>(view.logits[token]));
}

/* The tokens from `token` on, a multiple of how many are read at once; NaN from the view's end on.
 */
__device__ __forceinline__ void load_logits(const chunk_view &view, unsigned token, float (&at)[4])
{
    const float *from = view.logits + token;

    if (token + 4 <= view.end && reinterpret_cast<uintptr_t>(from) % 16 == 0) {
        float4 vector = *reinterpret_cast<const float4 *>(from);

        at[0] = vector.x;
        at[1] = vector.y;
        at[2] = vector.z;
        at[3] = vector.w;
        return;
    }
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        at[i] = token + i < view.end ? from[i] : NAN;
    }
}

__device__ __forceinline__ void load_logits(const chunk_view &view, unsigned token, double (&at)[1])
{
    at[0] = token < view.end ? logit_at<double>(view, token) : static_cast<double>(NAN);
}

/* Thread t has the vectors t, t + threads, ... of a chunk, or the single logits. */
template <unsigned width>
__device__ __forceinline__ unsigned first_token(const chunk_view &view, unsigned vector)
{
    return view.first + (vector * sample_threads + threadIdx.x) * width;
}

/* Nothing is drawn: the leader is the choice, for it is greedy, or nobody else has any weight. */
__device__ __forceinline__ bool is_settled(const dyno_sampling &sampling, double largest)
{
    return sampling.temperature <= 0.0 || !(fabs(largest) < static_cast<double>(INFINITY));
}

/* e^x by 2^(i / 32) from a table and a polynomial of degree 5 for the rest, which is 2^-6 at most:
 * within 2^-46 of itself; 1 is exact. */
constexpr unsigned power_steps = 32, units_log2 = 44;

/* The halves of 2^(44 + i / 32); from the high one i x 2^15 is taken, so that a whole step x 2^15
 * may be added for its exponent. */
struct power_table {
    unsigned low[power_steps], high[power_steps];
};

constexpr unsigned step_shift = 15;

/* By the first threads of a block; there for all after a barrier. */
static __device__ void make_powers(power_table *table)
{
    if (threadIdx.x < power_steps) {
        double power = exp2(threadIdx.x / static_cast<double>(power_steps) + units_log2);
        word bits = static_cast<word>(__double_as_longlong(power));

        table->low[threadIdx.x] = static_cast<unsigned>(bits);
        table->high[threadIdx.x] = static_cast<unsigned>(bits >> 32) - (threadIdx.x << step_shift);
    }
}

struct weigher {
    const power_table *table;
    double largest, steps; /* steps_of */
    double floor;          /* logits up to it weigh nothing */
    double least;          /* min-p, in units */
};

/* Of the exponent, in a unit of the logit. */
__device__ __forceinline__ double steps_of(const dyno_sampling &sampling)
{
    constexpr double log2_e = 1.4426950408889634;

    return power_steps * log2_e / sampling.temperature;
}

static __device__ weigher weigher_of(const sample_plan &plan, unsigned row,
                                     const power_table *table)
{
    constexpr double below = 31.0, one = 0x1p44; /* e^-31 < 2^-44 */
    const dyno_sampling &sampling = plan.job.row[row].sampling;
    double largest = plan.row_largest[row];

    return {table, largest, plan.row_steps[row], largest - below * sampling.temperature,
            sampling.min_p * one};
}

/* Whether weights may be made from floats as they are read: there is no min-p, and what weighs
 * nothing is a float well apart from the largest logit, and finite. */
__device__ __forceinline__ bool is_weighed_as_read(const dyno_cuda_sample_row &row, double largest)
{
    constexpr double fine = 0x1p-20, most = 0x1p100;

    return !changes_logits(row) && row.sampling.min_p <= 0.0 &&
           row.sampling.temperature > fabs(largest) * fine && row.sampling.temperature < most;
}

/* 2^44 e^((logit - largest) / temperature); the logit is the floor or above. */
__device__ __forceinline__ double units_above(const weigher &weigher, double logit)
{
    constexpr double whole = 0x1.8p52; /* whole numbers are the last bits of a sum with it */
    constexpr double c1 = 0x1.62e42fefa39efp-6, c2 = 0x1.ebfbdff82c58fp-13,
                     c3 = 0x1.c6b08d704a0c0p-20, c4 = 0x1.3b2ab6fba4e77p-27,
                     c5 = 0x1.5d87fe78a6731p-35; /* (ln 2 / 32)^n / n! */
    double below = logit - weigher.largest, sum = fma(below, weigher.steps, whole);
    double rest = fma(below, weigher.steps, whole - sum), power, tail;
    unsigned step = static_cast<unsigned>(__double_as_longlong(sum));
    unsigned high = weigher.table->high[step % power_steps] + (step << step_shift);

    tail = fma(rest, c5, c4);
    tail = fma(rest, tail, c3);
    tail = fma(rest, tail, c2);
    tail = fma(rest, tail, c1) * rest;
    power = __longlong_as_double(static_cast<long long>(static_cast<word>(high) << 32 |
                                                        weigher.table->low[step % power_steps]));
    return fma(power, tail, power);
}

/* Weights come as the bits of 2^52 + weight. */
constexpr word no_weight = 0x433ULL << 52, weight_mask = (1ULL << 52) - 1;

__device__ __forceinline__ word cut_off(double units)
{
    constexpr double unit = 0x1p52;

    return static_cast<word>(__double_as_longlong(__dadd_rd(units, unit)));
}

/* floor(2^44 e^((logit - largest) / temperature)); 0 if that is less than min-p, or NaN. */
__device__ __forceinline__ word weight_of(const weigher &weigher, float logit)
{
    float above = fmaxf(logit, static_cast<float>(weigher.floor)); /* a NaN is below */

    return cut_off(units_above(weigher, static_cast<double>(above)));
}

__device__ __forceinline__ word weight_of(const weigher &weigher, double logit)
{
    double units = 0x1p44;

    if (!(logit > weigher.floor) && logit != weigher.largest) {
        return no_weight;
    }
    if (logit != weigher.largest) {
        units = units_above(weigher, logit);
    }
    return units < weigher.least ? no_weight : cut_off(units);
}

constexpr unsigned token_bits = 20; /* DYNO_SAMPLE_VOCAB_MAX */
constexpr word token_mask = (1ULL << token_bits) - 1;

/* A token's place in the order of all candidates: the heaviest first, equal ones by id.  `weight`
 * comes with the bits of 2^52, which are lost; without any it is nobody's. */
constexpr word no_key = 0;

__device__ __forceinline__ word key_of(word weight, unsigned token)
{
    return (weight - 1) << token_bits | (token_mask - token);
}

} /* namespace dyno */

#endif
