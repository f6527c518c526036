/* What a warp does with a tile of 16 tokens when it decodes: scores, weights, and the sum of
 * values.
 *
 * Rows are the queries that share a kv head, 8 or 16.  Tokens are the columns of the product with
 * the keys and what is summed over in the one with the values: m16n8k16, see mma.cuh.
 *
 * Weights meet the values as a rounded part and what the rounding left, so that they count as if
 * in fp32.  Up to 8 queries leave half of the rows empty, and there the second part goes.
 *
 * Keys and values of 8 bits stay so in shared memory and become f16, which holds them exactly, on
 * the way to a product; the dimensions of a product, and the columns of its result, are permuted so
 * that the bytes of a register become two operands.
 */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_DECODE_TILE_CUH
#define DYNO_KERNELS_CUDA_ATTENTION_DECODE_TILE_CUH

#include "kernels/cuda/mma.cuh"

namespace dyno
{

constexpr unsigned tile_tokens = 16, copy_bytes = 16;

/* Weights are relative to a score near the largest, its base, which follows only where the largest
 * has run further ahead than `slack`, so that what was added up is seldom made relative to another.
 * The base's own weight is 2 to the power of `raised`: even a small one is a normal number of f16,
 * and no one is too large for it.  The sums that they are divided by have the factor too. */
constexpr float raised = 6.0F, slack = 8.0F;

#if defined(__CUDACC__)

/* 2 to the power of x, and 0 where that is below the normal numbers. */
__device__ __forceinline__ float power_of_two(float x)
{
    float power;

    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(power) : "f"(x));
    return power;
}

#else

static inline float power_of_two(float x)
{
    return exp2f(x);
}

#endif

template <class T> __device__ __forceinline__ float2 unpack_pair(uint32_t pair)
{
    return {to_float(T{static_cast<uint16_t>(pair)}),
            to_float(T{static_cast<uint16_t>(pair >> 16)})};
}

/* The elements of a product with keys or values that are stored as K. */
template <class K> struct factor {
    using type = K;
};
template <> struct factor<e4m3> {
    using type = f16;
};

/* Row g of a lane, and row g + 8 where there are 16. */
template <unsigned rows, unsigned head_dim> struct state {
    float base[rows / 8], sum[rows / 8], total[head_dim / 8][4];
};

/* Where chunk `chunk` of a row lies in a tile: as tile_chunk, for rows of 4 chunks too, of which
 * two share the width of all banks. */
template <unsigned head_dim, class K>
__device__ __forceinline__ K *chunk_of(K *tile, unsigned row, unsigned chunk)
{
    constexpr unsigned chunks = head_dim * sizeof(K) / copy_bytes;

    if constexpr (chunks % 8 == 0) {
        return tile_chunk<chunks>(tile, row, chunk);
    } else {
        static_assert(chunks == 4, "rows of 64 bytes, or of whole 128");
        return tile + (row * chunks + (chunk ^ (row / 2 & 3))) * (copy_bytes / sizeof(K));
    }
}

/* Scores of tokens 8 c + 2 (lane % 4) and the next: scores[c]. */
template <unsigned head_dim, class K>
__device__ __forceinline__ void
score_words(const K *keys, const uint32_t (&query)[head_dim / 16][4], float (&scores)[2][4])
{
    unsigned matrix = lane_index() / 8, row = matrix / 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned step = 0; step < head_dim / 16; step++) {
        uint32_t b[4];

        load_matrices(b, chunk_of<head_dim>(keys, row, step * 2 + matrix % 2));
        multiply_add(K(), scores[0], query[step], b[0], b[1]);
        multiply_add(K(), scores[1], query[step], b[2], b[3]);
    }
}

/* A matrix has 16 dimensions a token here: a lane's 4 neighbours are both operands of a step. */
template <unsigned head_dim>
__device__ __forceinline__ void
score_bytes(const e4m3 *keys, const uint32_t (&query)[head_dim / 16][4], float (&scores)[2][4])
{
    unsigned matrix = lane_index() / 8, row = matrix / 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned two = 0; two < head_dim / 32; two++) {
        uint32_t held[4];

        load_matrices(held, chunk_of<head_dim>(keys, row, two * 2 + matrix % 2));
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            uint32_t b[2];

            f16_of_e4m3(held[i], b);
            multiply_add(f16(), scores[i / 2], query[two * 2 + i % 2], b[0], b[1]);
        }
    }
}

/* A row's elements of two neighbouring columns of totals, to where their dimensions are: `to` is
 * the columns' first.  With values of 8 bits a lane's are neighbours. */
template <class K>
__device__ __forceinline__ void store_neighbours(const float (&four)[4], float *to)
{
    unsigned near = lane_index() % 4;

    if constexpr (sizeof(K) == 1) {
        store_vector(to + near * 4, vector_of<float>{{four[0], four[2], four[1], four[3]}});
    } else {
        *reinterpret_cast<float2 *>(to + near * 2) = make_float2(four[0], four[1]);
        *reinterpret_cast<float2 *>(to + 8 + near * 2) = make_float2(four[2], four[3]);
    }
}

/* A tile's weights as the left side of the product with its values, in two parts. */
struct weights {
    uint32_t rounded[4], rest[4];
};

template <unsigned rows, class M>
__device__ __forceinline__ void add_product(const weights &weights, uint32_t b0, uint32_t b1,
                                            float (&total)[4])
{
    multiply_add(M(), total, weights.rounded, b0, b1);
    if (rows > 8) {
        multiply_add(M(), total, weights.rest, b0, b1);
    }
}

template <unsigned rows, unsigned head_dim, class K>
__device__ __forceinline__ void add_words(const K *values, const weights &weights,
                                          float (&total)[head_dim / 8][4])
{
    unsigned matrix = lane_index() / 8, row = matrix % 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned pair = 0; pair < head_dim / 16; pair++) {
        uint32_t b[4];

        load_matrices_turned(b, chunk_of<head_dim>(values, row, pair * 2 + matrix / 2));
        add_product<rows, K>(weights, b[0], b[1], total[2 * pair]);
        add_product<rows, K>(weights, b[2], b[3], total[2 * pair + 1]);
    }
}

/* A lane's register has two dimensions of two tokens: bytes 0 and 2 are the tokens of one. */
template <unsigned rows, unsigned head_dim>
__device__ __forceinline__ void add_bytes(const e4m3 *values, const weights &weights,
                                          float (&total)[head_dim / 8][4])
{
    constexpr unsigned even_then_odd = 0x3120;
    unsigned matrix = lane_index() / 8, row = matrix % 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned two = 0; two < head_dim / 32; two++) {
        uint32_t held[4];

        load_matrices_turned(held, chunk_of<head_dim>(values, row, two * 2 + matrix / 2));
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            uint32_t low[2], high[2];
            unsigned column = two * 4 + i * 2;

            f16_of_e4m3(__byte_perm(held[2 * i], 0, even_then_odd), low);
            f16_of_e4m3(__byte_perm(held[2 * i + 1], 0, even_then_odd), high);
            add_product<rows, f16>(weights, low[0], high[0], total[column]);
            add_product<rows, f16>(weights, low[1], high[1], total[column + 1]);
        }
    }
}

/* Scores of row r of a lane that are not seen; `seen` has a bit a token. */
__device__ __forceinline__ void hide(unsigned r, unsigned seen, float (&scores)[2][4])
{
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        unsigned token = i / 2 * 8 + lane_index() % 4 * 2 + i % 2;

        if (!(seen >> token & 1)) {
            scores[i / 2][2 * r + i % 2] = -INFINITY;
        }
    }
}

/* Scores of row r become weights, and the sum too.  Returns what became of what was added up
 * before.
 */
template <unsigned rows, unsigned head_dim>
__device__ __forceinline__ float weigh_row(unsigned r, float (&scores)[2][4],
                                           state<rows, head_dim> *state)
{
    float largest = lanes_max(fmaxf(fmaxf(scores[0][2 * r], scores[0][2 * r + 1]),
                                    fmaxf(scores[1][2 * r], scores[1][2 * r + 1])),
                              4);
    float base = largest > state->base[r] + slack ? largest : state->base[r];
    float finite = base > -INFINITY ? base : 0.0F;
    float kept = power_of_two(state->base[r] - finite), sum = 0.0F;

    state->base[r] = base;
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        float *score = &scores[i / 2][2 * r + i % 2];

        *score = power_of_two(*score - (finite - raised));
        sum += *score;
    }
    state->sum[r] = state->sum[r] * kept + sum;
    return kept;
}

/* Scores become weights, and what was added up before is made relative to the same base. */
template <unsigned rows, unsigned head_dim>
__device__ __forceinline__ void weigh(const float (&scale)[rows / 8], unsigned seen,
                                      float (&scores)[2][4], state<rows, head_dim> *state)
{
    float kept[rows / 8];
    bool same = true;

#pragma unroll
    for (unsigned r = 0; r < rows / 8; r++) {
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            scores[i / 2][2 * r + i % 2] *= scale[r];
        }
        if (seen != all_lanes) {
            hide(r, seen, scores);
        }
        kept[r] = weigh_row(r, scores, state);
        same = same && kept[r] == 1.0F;
    }
    if (__all_sync(all_lanes, same)) {
        return;
    }
#pragma unroll
    for (unsigned d = 0; d < head_dim / 8; d++) {
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            state->total[d][i] *= kept[rows > 8 ? i / 2 : 0];
        }
    }
}

/* In parts of type M; up to 8 rows have the rest of a weight in the row 8 below. */
template <unsigned rows, class M>
__device__ __forceinline__ weights part_weights(const float (&scores)[2][4])
{
    weights weights;

#pragma unroll
    for (unsigned c = 0; c < 2; c++) {
#pragma unroll
        for (unsigned r = 0; r < rows / 8; r++) {
            float low = scores[c][2 * r], high = scores[c][2 * r + 1];
            uint32_t rounded = round_pair(M(), low, high);
            float2 held = unpack_pair<M>(rounded);
            uint32_t rest = round_pair(M(), low - held.x, high - held.y);

            weights.rounded[2 * c + r] = rounded;
            (rows > 8 ? weights.rest[2 * c + r] : weights.rounded[2 * c + 1]) = rest;
        }
    }
    return weights;
}

/* As f16, multiplied by a power of two so that the largest is between 1 and 2: what bf16 holds may
 * be beyond f16.  Returns the inverse of the power. */
template <class T, unsigned head_dim>
__device__ __forceinline__ float fit_query(uint32_t (&pairs)[head_dim / 16][2])
{
    constexpr unsigned mantissa_bits = 23, exponent_max = 253; /* so that both are normal */
    float largest = 0.0F, power;
    unsigned exponent;

#pragma unroll
    for (unsigned i = 0; i < head_dim / 8; i++) {
        float2 two = unpack_pair<T>(pairs[i / 2][i % 2]);

        largest = fmaxf(largest, fmaxf(fabsf(two.x), fabsf(two.y)));
    }
    exponent = __float_as_uint(lanes_max(largest, 4)) >> mantissa_bits;
    exponent = exponent < 1 ? 1 : exponent;
    exponent = exponent > exponent_max ? exponent_max : exponent;
    power = __uint_as_float((exponent_max + 1 - exponent) << mantissa_bits);
#pragma unroll
    for (unsigned i = 0; i < head_dim / 8; i++) {
        float2 two = unpack_pair<T>(pairs[i / 2][i % 2]);

        pairs[i / 2][i % 2] = round_pair(f16(), two.x * power, two.y * power);
    }
    return __uint_as_float(exponent << mantissa_bits);
}

} /* namespace dyno */

#endif
