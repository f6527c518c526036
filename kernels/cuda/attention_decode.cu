/* Attention of one query a sequence, bound by reading keys and values once.
 *
 * A block takes a piece of one sequence's context, one kv head, and up to `group` of the queries
 * that share it.  A token's key lies in the registers of head_dim / 8 neighbouring lanes, 8
 * dimensions each; such a team of lanes goes through tokens of its own with a softmax of its own,
 * `ahead` tokens at a time so that many loads are under way.  At the end the teams of a warp, then
 * the warps, put their states together.  One piece is written as it is; several go through scratch.
 */
#include "kernels/cuda/attention_parts.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, dims = 8, group_max = 8;
constexpr unsigned piece = DYNO_CUDA_DECODE_PIECE;

/* Tokens of a team that are under way together: as many as registers allow. */
template <unsigned group> constexpr unsigned ahead = group > 4 ? 2 : 4;

/* Decoding's own numbers, made by the launcher. */
struct decode {
    dyno_cuda_attention_job job;
    unsigned block_shift;   /* block_tokens is 1 << this */
    unsigned pieces;        /* of the longest context */
    unsigned group, chunks; /* queries of a kv head: `chunks` times `group`, the last filled up;
                             * group is 1, 4 or group_max */
};

/* Partial results: [slices][heads][pieces] of these, then their totals [...][head_dim]. */
struct part {
    float largest, sum;
};

template <class K> struct __align__(8 * sizeof(K)) eight
{
    K at[dims];
};

template <class K> __device__ __forceinline__ eight<K> load_eight(const K *from)
{
    static_assert(sizeof(K) == 1 || sizeof(K) == 2, "8 or 16 bytes");
    union {
        uint2 half;
        uint4 full;
        eight<K> vector;
    } all;

    if (sizeof(K) == 2) {
        all.full = *reinterpret_cast<const uint4 *>(from);
    } else {
        all.half = *reinterpret_cast<const uint2 *>(from);
    }
    return all.vector;
}

template <unsigned group> struct states {
    float largest[group], sum[group], total[group][dims];
};

/* Where the `ahead` tokens of a team lie, from `first` in steps of `step`; no_place: not seen. */
constexpr size_t no_place = ~size_t{0};

template <unsigned count, unsigned lanes>
__device__ __forceinline__ void find_places(const decode &decode, unsigned sequence,
                                            unsigned kv_head, unsigned first, unsigned end,
                                            size_t *place)
{
    constexpr unsigned step = warps * (warp_lanes / lanes);

#pragma unroll
    for (unsigned u = 0; u < count; u++) {
        unsigned token = first + u * step, block = no_block;

        if (token < end) {
            block = block_at(decode.job, sequence, token >> decode.block_shift);
        }
        place[u] = block == no_block ? no_place
                                     : kv_at(decode.job.kv, block,
                                             token & (decode.job.kv.block_tokens - 1), kv_head);
    }
}

/* Scores of `ahead` tokens for every query; -INFINITY where nothing is seen. */
template <class K, unsigned group, unsigned lanes>
__device__ __forceinline__ void score_tokens(const K *keys, const size_t *place,
                                             const float (&query)[group][dims],
                                             float (&score)[group][ahead<group>])
{
    eight<K> key[ahead<group>];

#pragma unroll
    for (unsigned u = 0; u < ahead<group>; u++) {
        if (place[u] != no_place) {
            key[u] = load_eight(keys + place[u]);
        }
    }
#pragma unroll
    for (unsigned u = 0; u < ahead<group>; u++) {
#pragma unroll
        for (unsigned g = 0; g < group; g++) {
            float sum = 0.0F;

#pragma unroll
            for (unsigned i = 0; i < dims; i++) {
                sum += place[u] != no_place ? query[g][i] * to_float(key[u].at[i]) : 0.0F;
            }
            sum = lanes_sum(sum, lanes);
            score[g][u] = place[u] != no_place ? sum : -INFINITY;
        }
    }
}

/* Scores become weights relative to the largest so far, and what was added up is made relative to
 * it. */
template <unsigned group>
__device__ __forceinline__ void weigh(states<group> *states, float (&score)[group][ahead<group>])
{
#pragma unroll
    for (unsigned g = 0; g < group; g++) {
        float largest = states->largest[g], kept;

#pragma unroll
        for (unsigned u = 0; u < ahead<group>; u++) {
            largest = fmaxf(largest, score[g][u]);
        }
        kept = largest > -INFINITY ? exp2f(states->largest[g] - largest) : 1.0F;
        states->largest[g] = largest;
        states->sum[g] *= kept;
#pragma unroll
        for (unsigned i = 0; i < dims; i++) {
            states->total[g][i] *= kept;
        }
#pragma unroll
        for (unsigned u = 0; u < ahead<group>; u++) {
            score[g][u] = score[g][u] > -INFINITY ? exp2f(score[g][u] - largest) : 0.0F;
            states->sum[g] += score[g][u];
        }
    }
}

template <class K, unsigned group>
__device__ __forceinline__ void add_values(const K *values, const size_t *place,
                                           const float (&weight)[group][ahead<group>],
                                           states<group> *states)
{
    eight<K> value[ahead<group>];

#pragma unroll
    for (unsigned u = 0; u < ahead<group>; u++) {
        if (place[u] != no_place) {
            value[u] = load_eight(values + place[u]);
        }
    }
#pragma unroll
    for (unsigned u = 0; u < ahead<group>; u++) {
        if (place[u] == no_place) {
            continue;
        }
#pragma unroll
        for (unsigned i = 0; i < dims; i++) {
            float element = to_float(value[u].at[i]);

#pragma unroll
            for (unsigned g = 0; g < group; g++) {
                states->total[g][i] += weight[g][u] * element;
            }
        }
    }
}

/* a and b, where b lies in the lane `step` away: both lanes get the result. */
template <unsigned group> __device__ void join_lanes(states<group> *states, unsigned step)
{
#pragma unroll
    for (unsigned g = 0; g < group; g++) {
        float other = __shfl_xor_sync(all_lanes, states->largest[g], step);
        float largest = fmaxf(states->largest[g], other);
        float kept = states->largest[g] > -INFINITY ? exp2f(states->largest[g] - largest) : 0.0F;
        float sum = states->sum[g] * kept;

        states->largest[g] = largest;
        states->sum[g] = sum + __shfl_xor_sync(all_lanes, sum, step);
#pragma unroll
        for (unsigned i = 0; i < dims; i++) {
            float total = states->total[g][i] * kept;

            states->total[g][i] = total + __shfl_xor_sync(all_lanes, total, step);
        }
    }
}

template <unsigned group, unsigned head_dim> struct gathered {
    float largest[warps][group], sum[warps][group], total[warps][group][head_dim];
};

/* The first team of each warp writes, for all of its warp. */
template <unsigned group, unsigned head_dim>
__device__ void gather(const states<group> &states, gathered<group, head_dim> *all)
{
    unsigned warp = warp_index(), lane = lane_index();

    if (lane >= head_dim / dims) {
        return;
    }
#pragma unroll
    for (unsigned g = 0; g < group; g++) {
        all->largest[warp][g] = states.largest[g];
        all->sum[warp][g] = states.sum[g];
#pragma unroll
        for (unsigned i = 0; i < dims; i++) {
            all->total[warp][g][lane * dims + i] = states.total[g][i];
        }
    }
}

/* Where the results of one query of this block go. */
struct target {
    unsigned slice, head, piece;
    size_t row;
};

template <class T, unsigned group, unsigned head_dim>
__device__ void put_together(const decode &decode, const gathered<group, head_dim> &all, unsigned g,
                             target target)
{
    const dyno_cuda_attention_job &job = decode.job;
    float largest = -INFINITY, sum = 0.0F, kept[warps];
    size_t index = (static_cast<size_t>(target.slice) * job.heads + target.head) * decode.pieces +
                   target.piece;
    size_t count = static_cast<size_t>(job.slice_count) * job.heads * decode.pieces;
    part *parts = static_cast<part *>(job.scratch);

    for (unsigned w = 0; w < warps; w++) {
        largest = fmaxf(largest, all.largest[w][g]);
    }
    for (unsigned w = 0; w < warps; w++) {
        kept[w] = all.sum[w][g] > 0.0F ? exp2f(all.largest[w][g] - largest) : 0.0F;
        sum += all.sum[w][g] * kept[w];
    }
    if (decode.pieces > 1 && threadIdx.x == 0) {
        parts[index] = {largest, sum};
    }
    for (unsigned d = threadIdx.x; d < head_dim; d += warps * warp_lanes) {
        float total = 0.0F;

        for (unsigned w = 0; w < warps; w++) {
            total += all.total[w][g][d] * kept[w];
        }
        if (decode.pieces > 1) {
            reinterpret_cast<float *>(parts + count)[index * head_dim + d] = total;
        } else {
            static_cast<T *>(job.out)[target.row * job.out_stride + target.head * head_dim + d] =
                of_float<T>(sum > 0.0F ? total / sum * job.kv.value_scale : 0.0F);
        }
    }
}

template <class T, unsigned group>
__device__ void read_queries(const decode &decode, size_t row, unsigned kv_head, unsigned first,
                             unsigned head_dim, float (&query)[group][dims])
{
    const dyno_cuda_attention_job &job = decode.job;
    unsigned shared = job.heads / job.kv.kv_heads, lanes = head_dim / dims;
    const T *from = static_cast<const T *>(job.query) + row * job.query_stride +
                    (kv_head * shared + first) * head_dim + lane_index() % lanes * dims;

#pragma unroll
    for (unsigned g = 0; g < group; g++) {
        eight<T> held = {};

        if (first + g < shared) {
            held = load_eight(from + g * head_dim);
        }
#pragma unroll
        for (unsigned i = 0; i < dims; i++) {
            query[g][i] = to_float(held.at[i]) * (job.scale * log2_e * job.kv.key_scale);
        }
    }
}

/* Grid: pieces, kv heads x chunks, slices. */
template <class T, class K, unsigned group, unsigned head_dim>
__global__ void __launch_bounds__(warps *warp_lanes) attention_decode(decode decode)
{
    __shared__ gathered<group, head_dim> all;
    constexpr unsigned lanes = head_dim / dims, teams = warps * (warp_lanes / lanes);
    const dyno_cuda_attention_job &job = decode.job;
    dyno_cuda_attention_slice slice = job.slices[blockIdx.z];
    unsigned kv_head = blockIdx.y / decode.chunks, first = blockIdx.y % decode.chunks * group;
    span span = seen_by(job, slice.first);
    unsigned begin = blockIdx.x * piece, end = begin + piece < span.end ? begin + piece : span.end;
    const size_t offset = lane_index() % lanes * dims;
    states<group> states = {};
    float query[group][dims];

    if (slice.count == 0 || (begin >= end && blockIdx.x > 0)) {
        return;
    }
    begin = begin > span.begin ? begin : span.begin;
    read_queries<T, group>(decode, slice.row, kv_head, first, head_dim, query);
#pragma unroll
    for (unsigned g = 0; g < group; g++) {
        states.largest[g] = -INFINITY;
    }
    for (unsigned j = begin; j < end; j += teams * ahead<group>) {
        float score[group][ahead<group>];
        size_t place[ahead<group>];

        find_places<ahead<group>, lanes>(decode, slice.sequence, kv_head, j + threadIdx.x / lanes,
                                         end, place);
        score_tokens<K, group, lanes>(static_cast<const K *>(job.kv.keys) + offset, place, query,
                                      score);
        weigh(&states, score);
        add_values(static_cast<const K *>(job.kv.values) + offset, place, score, &states);
    }
    for (unsigned step = lanes; step < warp_lanes; step *= 2) {
        join_lanes(&states, step);
    }
    gather<group, head_dim>(states, &all);
    __syncthreads();
    for (unsigned g = 0; g < group && first + g < job.heads / job.kv.kv_heads; g++) {
        target target = {blockIdx.z, kv_head * (job.heads / job.kv.kv_heads) + first + g,
                         blockIdx.x, slice.row};

        put_together<T>(decode, all, g, target);
    }
}

/* The pieces of one query and head, a block each.  Grid: heads, slices. */
template <class T>
__global__ void __launch_bounds__(warps *warp_lanes) attention_join(decode decode)
{
    const dyno_cuda_attention_job &job = decode.job;
    dyno_cuda_attention_slice slice = job.slices[blockIdx.y];
    unsigned head_dim = job.kv.head_dim, pieces = divide_up(seen_by(job, slice.first).end, piece);
    size_t index = (static_cast<size_t>(blockIdx.y) * job.heads + blockIdx.x) * decode.pieces;
    size_t count = static_cast<size_t>(job.slice_count) * job.heads * decode.pieces;
    const part *parts = static_cast<const part *>(job.scratch) + index;
    const float *totals =
        reinterpret_cast<const float *>(static_cast<const part *>(job.scratch) + count) +
        index * head_dim;
    float largest = -INFINITY, sum = 0.0F;

    if (slice.count == 0) {
        return;
    }
    pieces = pieces < decode.pieces ? pieces : decode.pieces;
    for (unsigned p = 0; p < pieces; p++) {
        largest = fmaxf(largest, parts[p].largest);
    }
    for (unsigned p = 0; p < pieces; p++) {
        sum += parts[p].sum > 0.0F ? parts[p].sum * exp2f(parts[p].largest - largest) : 0.0F;
    }
    for (unsigned d = threadIdx.x; d < head_dim; d += warps * warp_lanes) {
        float total = 0.0F;

        for (unsigned p = 0; p < pieces; p++) {
            total += parts[p].sum > 0.0F ? totals[static_cast<size_t>(p) * head_dim + d] *
                                               exp2f(parts[p].largest - largest)
                                         : 0.0F;
        }
        static_cast<T *>(job.out)[slice.row * job.out_stride + blockIdx.x * head_dim + d] =
            of_float<T>(sum > 0.0F ? total / sum * job.kv.value_scale : 0.0F);
    }
}

decode decode_of(const dyno_cuda_attention_job *job)
{
    unsigned shared = job->heads / job->kv.kv_heads, shift = 0, group = 1;

    while (job->kv.block_tokens >> shift > 1) {
        shift++;
    }
    if (shared > 1) {
        group = shared <= 4 ? 4 : group_max;
    }
    return {*job, shift, divide_up(job->context_max, piece), group, divide_up(shared, group)};
}

template <class T, class K, unsigned group>
void launch_dim(const decode &decode, dim3 grid, cudaStream_t stream)
{
    constexpr unsigned threads = warps * warp_lanes;

    switch (decode.job.kv.head_dim) {
    case 64:
        DYNO_LAUNCH((attention_decode<T, K, group, 64>), grid, threads, 0, stream, decode);
        break;
    default:
        DYNO_LAUNCH((attention_decode<T, K, group, 128>), grid, threads, 0, stream, decode);
    }
}

template <class T, class K> void launch_group(const decode &decode, cudaStream_t stream)
{
    dim3 grid(decode.pieces, decode.job.kv.kv_heads * decode.chunks, decode.job.slice_count);

    switch (decode.group) {
    case 1:
        launch_dim<T, K, 1>(decode, grid, stream);
        break;
    case 4:
        launch_dim<T, K, 4>(decode, grid, stream);
        break;
    default:
        launch_dim<T, K, group_max>(decode, grid, stream);
    }
    if (decode.pieces > 1) {
        DYNO_LAUNCH(attention_join<T>, dim3(decode.job.heads, decode.job.slice_count),
                    warps * warp_lanes, 0, stream, decode);
    }
}

/* Keys and values are of the query's type, or e4m3. */
bool is_supported(const dyno_cuda_attention_job *job)
{
    constexpr unsigned slices_max = 65535;
    const dyno_cuda_kv *kv = &job->kv;
    unsigned bytes = dyno_cuda_kv_bytes(kv->element) * dims;
    auto same = job->element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;

    return attention_is_whole(job) && job->slice_max <= 1 && job->slice_count <= slices_max &&
           (kv->element == same || kv->element == DYNO_CUDA_KV_E4M3) && job->context_max >= 1 &&
           (kv->head_dim == 64 || kv->head_dim == 128) &&
           (kv->block_tokens & (kv->block_tokens - 1)) == 0 && kv->block_stride % dims == 0 &&
           is_aligned(job->query, job->query_stride * 2) &&
           reinterpret_cast<uintptr_t>(kv->keys) % bytes == 0 &&
           reinterpret_cast<uintptr_t>(kv->values) % bytes == 0 &&
           (job->scratch || job->context_max <= piece);
}

} /* namespace */

size_t dyno_cuda_decode_scratch(const struct dyno_cuda_attention_job *job)
{
    size_t pieces = divide_up(job->context_max, piece);

    return pieces <= 1 ? 0
                       : job->slice_count * size_t{job->heads} * pieces *
                             (sizeof(part) + job->kv.head_dim * sizeof(float));
}

int dyno_cuda_attention_decode(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream)
{
    if (!is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slice_count == 0 || job->slice_max == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        if (job->kv.element == DYNO_CUDA_KV_F16) {
            launch_group<f16, f16>(decode_of(job), stream);
        } else {
            launch_group<f16, e4m3>(decode_of(job), stream);
        }
    } else if (job->kv.element == DYNO_CUDA_KV_BF16) {
        launch_group<bf16, bf16>(decode_of(job), stream);
    } else {
        launch_group<bf16, e4m3>(decode_of(job), stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
