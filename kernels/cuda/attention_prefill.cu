/* Attention of a prompt's chunk on tensor cores, after FlashAttention-2 (Dao, 2023).
 *
 * A block has a tile of 64 rows, 16 a warp; a row is a query and one of the heads that share a kv
 * head, so that they share its keys and values too.  Tiles of 64 positions pass through two stages
 * of shared memory: while one is used, the next is on its way.  A warp's scores stay in registers
 * and become, rounded, the left side of the product with the values.
 */
#include "kernels/cuda/attention_parts.cuh"
#include "kernels/cuda/mma.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, threads = warps * warp_lanes;
constexpr unsigned tile_rows = 16 * warps, tile_tokens = 64, stages = 2, width = 8;

/* Of the dynamic shared memory. */
template <class T, unsigned head_dim> struct __align__(16) storage
{
    T query[tile_rows * head_dim];
    T keys[stages][tile_tokens * head_dim], values[stages][tile_tokens * head_dim];
    unsigned seen[stages][tile_tokens / warp_lanes]; /* a bit a token */
};

/* What a block is about. */
struct tile {
    dyno_cuda_attention_slice slice;
    unsigned shared;                   /* heads of a kv head */
    unsigned kv_head, first_row, rows; /* rows of the slice, and of these the tile's first */
    unsigned begin, end;               /* positions that some row sees; begin: of a tile */
};

/* Query rows of warp `warp`, dimensions of a step of 16, as the left side of a product. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void load_query(const T *tile, unsigned step, uint32_t (&a)[4])
{
    unsigned matrix = lane_index() / 8, row = warp_index() * 16 + matrix % 2 * 8 + lane_index() % 8;

    load_matrices(a, tile_chunk<head_dim / width>(tile, row, step * 2 + matrix / 2));
}

template <class T, unsigned head_dim>
__device__ void fetch_query(const dyno_cuda_attention_job &job, const tile &tile, T *to)
{
    constexpr unsigned chunks = head_dim / width;

    for (unsigned i = threadIdx.x; i < tile_rows * chunks; i += threads) {
        unsigned row = i / chunks, chunk = i % chunks, r = tile.first_row + row;
        bool seen = r < tile.rows;
        unsigned head = tile.kv_head * tile.shared + r % tile.shared;
        const T *from = static_cast<const T *>(job.query);

        if (seen) {
            from += (tile.slice.row + r / tile.shared) * job.query_stride + head * head_dim +
                    chunk * width;
        }
        copy_async(tile_chunk<chunks>(to, row, chunk), from, seen);
    }
}

/* 8 elements of a token to shared memory: e4m3 goes through registers. */
template <class T> __device__ __forceinline__ void fetch_chunk(T *to, const T *from, bool seen)
{
    copy_async(to, from, seen);
}

template <class T> __device__ __forceinline__ void fetch_chunk(T *to, const e4m3 *from, bool seen)
{
    union {
        uint2 words;
        e4m3 at[width];
    } held = {make_uint2(0, 0)};
    vector_of<T> converted;

    if (seen) {
        held.words = *reinterpret_cast<const uint2 *>(from);
    }
#pragma unroll
    for (unsigned i = 0; i < width; i++) {
        converted.at[i] = of_float<T>(to_float(held.at[i]));
    }
    store_vector(to, converted);
}

template <class T, class K, unsigned head_dim>
__device__ void fetch_tokens(const dyno_cuda_attention_job &job, const tile &tile, unsigned first,
                             unsigned stage, storage<T, head_dim> *storage)
{
    constexpr unsigned chunks = head_dim / width;
    const K *keys = static_cast<const K *>(job.kv.keys);
    const K *values = static_cast<const K *>(job.kv.values);
    unsigned chunk = threadIdx.x % chunks;

    for (unsigned row = threadIdx.x / chunks; row < tile_tokens; row += threads / chunks) {
        unsigned token = first + row, block = no_block;
        size_t at = 0;

        if (token < tile.end) {
            block = block_at(job, tile.slice.sequence, token / job.kv.block_tokens);
        }
        if (block != no_block) {
            at = kv_at(job.kv, block, token % job.kv.block_tokens, tile.kv_head) + chunk * width;
        }
        fetch_chunk(tile_chunk<chunks>(storage->keys[stage], row, chunk), keys + at,
                    block != no_block);
        fetch_chunk(tile_chunk<chunks>(storage->values[stage], row, chunk), values + at,
                    block != no_block);
    }
    if (threadIdx.x < tile_tokens) {
        unsigned token = first + threadIdx.x;
        bool seen = token < tile.end &&
                    block_at(job, tile.slice.sequence, token / job.kv.block_tokens) != no_block;
        unsigned votes = __ballot_sync(all_lanes, seen);

        if (lane_index() == 0) {
            storage->seen[stage][warp_index()] = votes;
        }
    }
}

constexpr unsigned columns = tile_tokens / 8; /* groups of 8 */

template <class T, unsigned head_dim>
__device__ __forceinline__ void score(const T *keys, const uint32_t (&query)[head_dim / 16][4],
                                      float (&scores)[columns][4])
{
    unsigned matrix = lane_index() / 8, row = matrix / 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned pair = 0; pair < columns / 2; pair++) {
#pragma unroll
        for (unsigned step = 0; step < head_dim / 16; step++) {
            uint32_t b[4];

            load_matrices(
                b, tile_chunk<head_dim / width>(keys, pair * 16 + row, step * 2 + matrix % 2));
            multiply_add(T(), scores[2 * pair], query[step], b[0], b[1]);
            multiply_add(T(), scores[2 * pair + 1], query[step], b[2], b[3]);
        }
    }
}

/* A thread's two rows are 8 apart: positions that they see, and their running softmax. */
struct row {
    span seen;
    float largest, sum;
};

__device__ __forceinline__ void hide(const row (&rows)[2], unsigned first, const unsigned *seen,
                                     float (&scores)[columns][4])
{
#pragma unroll
    for (unsigned c = 0; c < columns; c++) {
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            unsigned at = c * 8 + lane_index() % 4 * 2 + i % 2, token = first + at;
            const span &span = rows[i / 2].seen;

            if (token < span.begin || token >= span.end ||
                !(seen[at / warp_lanes] >> at % warp_lanes & 1)) {
                scores[c][i] = -INFINITY;
            }
        }
    }
}

/* Scores become weights relative to the largest so far; `kept` is what became of the earlier ones.
 */
__device__ __forceinline__ void weigh(row (&rows)[2], float scale, float (&scores)[columns][4],
                                      float (&kept)[2])
{
#pragma unroll
    for (unsigned r = 0; r < 2; r++) {
        float largest = -INFINITY, sum = 0.0F;

#pragma unroll
        for (unsigned c = 0; c < columns; c++) {
            largest = fmaxf(largest, fmaxf(scores[c][2 * r], scores[c][2 * r + 1]));
        }
        largest = fmaxf(rows[r].largest, lanes_max(largest, 4) * scale);
        kept[r] = largest > -INFINITY ? exp2f(rows[r].largest - largest) : 1.0F;
#pragma unroll
        for (unsigned c = 0; c < columns; c++) {
#pragma unroll
            for (unsigned i = 2 * r; i < 2 * r + 2; i++) {
                scores[c][i] = largest > -INFINITY ? exp2f(scores[c][i] * scale - largest) : 0.0F;
                sum += scores[c][i];
            }
        }
        rows[r].largest = largest;
        rows[r].sum = rows[r].sum * kept[r] + sum;
    }
}

template <class T, unsigned head_dim>
__device__ __forceinline__ void add_values(const T *values, const float (&weights)[columns][4],
                                           const float (&kept)[2], float (&total)[head_dim / 8][4])
{
    unsigned matrix = lane_index() / 8, row = matrix % 2 * 8 + lane_index() % 8;

#pragma unroll
    for (unsigned d = 0; d < head_dim / 8; d++) {
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            total[d][i] *= kept[i / 2];
        }
    }
#pragma unroll
    for (unsigned step = 0; step < tile_tokens / 16; step++) {
        uint32_t a[4];

#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            a[i] = pack_pair<T>(weights[2 * step + i / 2][i % 2 * 2],
                                weights[2 * step + i / 2][i % 2 * 2 + 1]);
        }
#pragma unroll
        for (unsigned pair = 0; pair < head_dim / 16; pair++) {
            uint32_t b[4];

            load_matrices_turned(
                b, tile_chunk<head_dim / width>(values, step * 16 + row, pair * 2 + matrix / 2));
            multiply_add(T(), total[2 * pair], a, b[0], b[1]);
            multiply_add(T(), total[2 * pair + 1], a, b[2], b[3]);
        }
    }
}

template <class T, unsigned head_dim>
__device__ void write_rows(const dyno_cuda_attention_job &job, const tile &tile, row (&rows)[2],
                           const float (&total)[head_dim / 8][4])
{
#pragma unroll
    for (unsigned half = 0; half < 2; half++) {
        unsigned r = tile.first_row + warp_index() * 16 + half * 8 + lane_index() / 4;
        unsigned head = tile.kv_head * tile.shared + r % tile.shared;
        float sum = lanes_sum(rows[half].sum, 4);
        float scale = sum > 0.0F ? job.kv.value_scale / sum : 0.0F;
        T *to = static_cast<T *>(job.out) + (tile.slice.row + r / tile.shared) * job.out_stride +
                head * head_dim;

        if (r >= tile.rows) {
            continue;
        }
#pragma unroll
        for (unsigned d = 0; d < head_dim / 8; d++) {
            *reinterpret_cast<uint32_t *>(to + d * 8 + lane_index() % 4 * 2) =
                pack_pair<T>(total[d][2 * half] * scale, total[d][2 * half + 1] * scale);
        }
    }
}

/* The longest tiles first: they are the last of a slice. */
__device__ tile tile_of(const dyno_cuda_attention_job &job)
{
    tile tile;
    unsigned last;

    tile.slice = job.slices[blockIdx.z];
    tile.shared = job.heads / job.kv.kv_heads;
    tile.kv_head = blockIdx.y;
    tile.first_row = (gridDim.x - 1 - blockIdx.x) * tile_rows;
    tile.rows = tile.slice.count * tile.shared;
    last = tile.first_row + tile_rows < tile.rows ? tile.first_row + tile_rows : tile.rows;
    last = last > 0 ? (last - 1) / tile.shared : 0;
    tile.end = seen_by(job, tile.slice.first + last).end;
    tile.begin = seen_by(job, tile.slice.first + tile.first_row / tile.shared).begin;
    tile.begin = tile.begin / tile_tokens * tile_tokens;
    return tile;
}

/* Whether every row of the block sees all tokens of a tile, so that nothing has to be hidden. */
__device__ __forceinline__ bool all_see(const row (&rows)[2], unsigned first, const unsigned *seen)
{
    unsigned end = first + tile_tokens;
    bool own = rows[0].seen.begin <= first && rows[1].seen.begin <= first &&
               rows[0].seen.end >= end && rows[1].seen.end >= end;

    return __all_sync(all_lanes, own) && seen[0] == all_lanes && seen[1] == all_lanes;
}

/* Grid: tiles of a slice's rows, kv heads, slices. */
template <class T, class K, unsigned head_dim>
__global__ void __launch_bounds__(threads) attention_prefill(dyno_cuda_attention_job job)
{
    DYNO_DYNAMIC_SHARED(dynamic);
    auto *held = reinterpret_cast<storage<T, head_dim> *>(dynamic);
    const tile tile = tile_of(job);
    const float scale = job.scale * log2_e * job.kv.key_scale;
    uint32_t query[head_dim / 16][4];
    float total[head_dim / 8][4] = {};
    row rows[2];

    if (tile.first_row >= tile.rows) {
        return;
    }
    for (unsigned half = 0; half < 2; half++) {
        unsigned r = tile.first_row + warp_index() * 16 + half * 8 + lane_index() / 4;

        rows[half] = {seen_by(job, tile.slice.first + r / tile.shared), -INFINITY, 0.0F};
    }
    fetch_query<T, head_dim>(job, tile, held->query);
    fetch_tokens<T, K, head_dim>(job, tile, tile.begin, 0, held);
    copies_commit();
    copies_wait<0>();
    __syncthreads();
#pragma unroll
    for (unsigned step = 0; step < head_dim / 16; step++) {
        load_query<T, head_dim>(held->query, step, query[step]);
    }
    for (unsigned first = tile.begin, stage = 0; first < tile.end;
         first += tile_tokens, stage = 1 - stage) {
        float scores[columns][4] = {}, kept[2];

        if (first + tile_tokens < tile.end) {
            fetch_tokens<T, K, head_dim>(job, tile, first + tile_tokens, 1 - stage, held);
        }
        copies_commit();
        score<T, head_dim>(held->keys[stage], query, scores);
        if (!all_see(rows, first, held->seen[stage])) {
            hide(rows, first, held->seen[stage], scores);
        }
        weigh(rows, scale, scores, kept);
        add_values<T, head_dim>(held->values[stage], scores, kept, total);
        copies_wait<0>();
        __syncthreads();
    }
    write_rows<T, head_dim>(job, tile, rows, total);
}

template <class T, class K, unsigned head_dim>
int launch_dim(const dyno_cuda_attention_job *job, cudaStream_t stream)
{
    constexpr int bytes = sizeof(storage<T, head_dim>);
    unsigned shared = job->heads / job->kv.kv_heads;
    dim3 grid(divide_up(job->slice_max * shared, tile_rows), job->kv.kv_heads, job->slice_count);

    if (DYNO_CUDA_CHECK(cudaFuncSetAttribute(attention_prefill<T, K, head_dim>,
                                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) {
        return DYNO_CUDA_FAILED;
    }
    DYNO_LAUNCH((attention_prefill<T, K, head_dim>), grid, threads, bytes, stream, *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

template <class T, class K>
int launch_prefill(const dyno_cuda_attention_job *job, cudaStream_t stream)
{
    return job->kv.head_dim == 64 ? launch_dim<T, K, 64>(job, stream)
                                  : launch_dim<T, K, 128>(job, stream);
}

bool is_supported(const dyno_cuda_attention_job *job)
{
    constexpr unsigned slices_max = 65535, rows_max = 1U << 30;
    const dyno_cuda_kv *kv = &job->kv;
    unsigned bytes = dyno_cuda_kv_bytes(kv->element) * width;
    auto same = job->element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;

    return attention_is_whole(job) && job->slice_count <= slices_max &&
           job->slice_max <= rows_max / job->heads &&
           (kv->element == same || kv->element == DYNO_CUDA_KV_E4M3) &&
           (kv->head_dim == 64 || kv->head_dim == 128) && kv->block_stride % width == 0 &&
           is_aligned(job->query, job->query_stride * 2) &&
           is_aligned(job->out, job->out_stride * 2) &&
           reinterpret_cast<uintptr_t>(kv->keys) % bytes == 0 &&
           reinterpret_cast<uintptr_t>(kv->values) % bytes == 0;
}

} /* namespace */

int dyno_cuda_attention_prefill(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream)
{
    int status = dyno_cuda_attention_prefill_wgmma(job, stream);

    return status == DYNO_CUDA_REFUSED ? dyno_cuda_attention_prefill_mma(job, stream) : status;
}

int dyno_cuda_attention_prefill_mma(const struct dyno_cuda_attention_job *job,
                                    dyno_cuda_stream stream)
{
    if (!is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slice_count == 0 || job->slice_max == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        return job->kv.element == DYNO_CUDA_KV_F16 ? launch_prefill<f16, f16>(job, stream)
                                                   : launch_prefill<f16, e4m3>(job, stream);
    }
    return job->kv.element == DYNO_CUDA_KV_BF16 ? launch_prefill<bf16, bf16>(job, stream)
                                                : launch_prefill<bf16, e4m3>(job, stream);
}
