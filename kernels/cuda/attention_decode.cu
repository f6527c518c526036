/* Attention of one query a sequence on tensor cores, bound by reading keys and values once.
 *
 * A block takes a piece of one sequence's context, one kv head, and up to 16 of the queries that
 * share it: they are the rows of the products.  Each warp goes through tiles of 16 tokens of its
 * own, with a softmax of its own, and keeps the next ones on their way into its part of shared
 * memory, so that nobody waits for another before the end, where the warps put their states
 * together.  One piece is written as it is; several go through scratch.
 */
#include "kernels/cuda/attention_decode_join.cuh"
#include "kernels/cuda/attention_decode_tile.cuh"
#include "kernels/cuda/attention_decode_work.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, threads = warps * warp_lanes, blocks_least = 2;
constexpr unsigned rows_max = 16;

/* Tiles of a warp that have a place in shared memory: as many as let two blocks share that of a
 * Hopper multiprocessor, and three where elements are small. */
template <class K, unsigned rows, unsigned head_dim>
constexpr unsigned stages = rows > 8 && sizeof(K) * head_dim > 128 ? 2 : 3;

template <class K, unsigned rows, unsigned head_dim> struct __align__(16) tiles
{
    K keys[stages<K, rows, head_dim>][tile_tokens * head_dim];
    K values[stages<K, rows, head_dim>][tile_tokens * head_dim];
};

/* Elements between the totals of two rows: no more than two of eight rows at a column share a bank.
 */
template <unsigned head_dim> constexpr unsigned total_stride = head_dim + 4;

/* Of a block. */
template <class K, unsigned rows, unsigned head_dim> struct storage {
    tiles<K, rows, head_dim> under_way[warps];
    float totals[warps][rows * total_stride<head_dim>];
};

constexpr unsigned step_tokens = warps * tile_tokens; /* from one tile of a warp to its next */
static_assert(piece / step_tokens <= warp_lanes, "a lane has the block of a tile");

/* Position of the first token of this warp's tile. */
__device__ __forceinline__ unsigned tile_begin(const place &place, unsigned tile)
{
    return place.piece * piece + tile * step_tokens + warp_index() * tile_tokens;
}

__device__ __forceinline__ unsigned entry_at(const decode &decode, unsigned sequence,
                                             unsigned token)
{
    return decode.job
        .table[size_t{sequence} * decode.job.table_width + (token >> decode.block_shift)];
}

/* Entries of the table for a warp's tiles of a piece, where none lies in several blocks: lane l has
 * that of tile l. */
__device__ __forceinline__ unsigned read_entries(const decode &decode, const place &place)
{
    unsigned first = tile_begin(place, lane_index());
    bool seen = lane_index() < piece / step_tokens && first < place.seen.end &&
                first + tile_tokens > place.seen.begin;

    return seen && decode.job.kv.block_tokens >= tile_tokens
               ? entry_at(decode, place.slice.sequence, first)
               : no_block;
}

/* The block of the token of a tile that this lane looks after: lane % tile_tokens. */
__device__ __forceinline__ unsigned own_block(const decode &decode, const place &place,
                                              unsigned entries, unsigned tile)
{
    unsigned token = tile_begin(place, tile) + lane_index() % tile_tokens;
    unsigned block = __shfl_sync(all_lanes, entries, tile);
    bool seen = token >= place.seen.begin && token < place.seen.end;

    if (decode.job.kv.block_tokens < tile_tokens && seen) {
        block = entry_at(decode, place.slice.sequence, token);
    }
    return seen && block < decode.job.kv.blocks ? block : no_block;
}

/* Starts the copies of a tile; `own` is own_block's.  Returns a bit a token: whether it is seen,
 * twice.  `lane` is where the chunk of a row that this lane copies lies in the kv head's first row
 * of block 0. */
template <class K, unsigned head_dim>
__device__ __forceinline__ unsigned fetch_tile(const decode &decode, size_t lane, unsigned first,
                                               unsigned own, K *keys, K *values)
{
    constexpr unsigned chunks = head_dim * sizeof(K) / copy_bytes;
    constexpr unsigned rows_at_once = warp_lanes / chunks;
    const dyno_cuda_kv &kv = decode.job.kv;
    const K *from_keys = static_cast<const K *>(kv.keys) + lane;
    const K *from_values = static_cast<const K *>(kv.values) + lane;
    unsigned chunk = lane_index() % chunks, row = lane_index() / chunks;
    unsigned seen = __ballot_sync(all_lanes, own != no_block), in_block = kv.block_tokens - 1;

    if (seen == all_lanes && kv.block_tokens >= tile_tokens) { /* all of it in one block */
        size_t at = own * kv.block_stride + ((first & in_block) + row) * head_dim;

#pragma unroll
        for (unsigned i = 0; i < tile_tokens / rows_at_once; i++) {
            unsigned to = i * rows_at_once + row, step = i * rows_at_once * head_dim;

            copy_async(chunk_of<head_dim>(keys, to, chunk), from_keys + at + step, true);
            copy_async(chunk_of<head_dim>(values, to, chunk), from_values + at + step, true);
        }
        return seen;
    }
#pragma unroll 1
    for (unsigned to = row; to < tile_tokens; to += rows_at_once) {
        unsigned block = __shfl_sync(all_lanes, own, to);
        bool is_seen = block != no_block;
        size_t at =
            is_seen ? block * kv.block_stride + ((first + to) & in_block) * size_t{head_dim} : 0;

        copy_async(chunk_of<head_dim>(keys, to, chunk), from_keys + at, is_seen);
        copy_async(chunk_of<head_dim>(values, to, chunk), from_values + at, is_seen);
    }
    return seen;
}

/* The query of row `g`, zeros if there is none: the pairs of dimensions that a lane has of each
 * step, in the order of an operand.  See mma.cuh, and score_bytes for keys of 8 bits. */
template <class T, class K, unsigned head_dim>
__device__ __forceinline__ void read_query(const decode &decode, const place &place, unsigned g,
                                           uint32_t (&pairs)[head_dim / 16][2])
{
    const dyno_cuda_attention_job &job = decode.job;
    unsigned shared = job.heads / job.kv.kv_heads, near = lane_index() % 4;
    const T *from = static_cast<const T *>(job.query) + place.slice.row * job.query_stride +
                    (place.kv_head * shared + place.first + g) * head_dim;

#pragma unroll
    for (unsigned step = 0; step < head_dim / 16; step++) {
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            unsigned d = step * 16 + (sizeof(K) == 2 ? i * 8 + near * 2 : near * 4 + i * 2);

            pairs[step][i] = g < place.count ? *reinterpret_cast<const uint32_t *>(from + d) : 0;
        }
    }
}

/* Queries as the left side of the product with keys; scale: of a row's scores. */
template <class T, class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ void load_queries(const decode &decode, const place &place,
                                             uint32_t (&a)[head_dim / 16][4],
                                             float (&scale)[rows / 8])
{
    const dyno_cuda_attention_job &job = decode.job;

#pragma unroll
    for (unsigned r = 0; r < 2; r++) {
        uint32_t pairs[head_dim / 16][2] = {};

        if (r < rows / 8) {
            read_query<T, K, head_dim>(decode, place, lane_index() / 4 + r * 8, pairs);
            scale[r] = job.scale * log2_e * job.kv.key_scale;
            if (sizeof(K) == 1) {
                scale[r] *= fit_query<T, head_dim>(pairs);
            }
        }
#pragma unroll
        for (unsigned i = 0; i < head_dim / 8; i++) {
            a[i / 2][r + i % 2 * 2] = pairs[i / 2][i % 2];
        }
    }
}

/* What the warps of a block leave for each other, beside their totals. */
template <unsigned rows> struct left {
    float base[warps][rows], sum[warps][rows];
};

template <class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ void leave(const state<rows, head_dim> &state, unsigned count,
                                      left<rows> *left, float *totals)
{
#pragma unroll
    for (unsigned r = 0; r < rows / 8; r++) {
        unsigned g = lane_index() / 4 + r * 8;
        float sum = lanes_sum(state.sum[r], 4);

        if (lane_index() % 4 == 0) {
            left->base[warp_index()][g] = state.base[r];
            left->sum[warp_index()][g] = sum;
        }
        if (g >= count) {
            continue;
        }
#pragma unroll
        for (unsigned d = 0; d < head_dim / 8; d += 2) {
            float four[4];

#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
                four[i] = state.total[d + i / 2][2 * r + i % 2] +
                          (rows > 8 ? 0.0F : state.total[d + i / 2][2 + i % 2]);
            }
            store_neighbours<K>(four, totals + g * total_stride<head_dim> + d * 8);
        }
    }
}

/* Four dimensions from d on of query g, over all warps. */
template <class T, class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ void
put_together(const decode &decode, const place &place, const left<rows> &left,
             const storage<K, rows, head_dim> &held, unsigned g, unsigned d)
{
    const dyno_cuda_attention_job &job = decode.job;
    unsigned head = place.kv_head * (job.heads / job.kv.kv_heads) + place.first + g;
    parts parts = parts_of(decode, place.index, head);
    float largest = -INFINITY, sum = 0.0F;
    vector_of<float> total = {};

#pragma unroll
    for (unsigned w = 0; w < warps; w++) {
        largest = fmaxf(largest, left.base[w][g]);
    }
#pragma unroll
    for (unsigned w = 0; w < warps; w++) {
        vector_of<float> own = load_vector(&held.totals[w][g * total_stride<head_dim> + d]);
        float kept = left.sum[w][g] > 0.0F ? power_of_two(left.base[w][g] - largest) : 0.0F;

        sum += left.sum[w][g] * kept;
#pragma unroll
        for (unsigned i = 0; i < total.count; i++) {
            total.at[i] += own.at[i] * kept;
        }
    }
    if (place.pieces == 1) {
        T *to = static_cast<T *>(job.out) + place.slice.row * job.out_stride + head * head_dim + d;
        float scale = sum > 0.0F ? job.kv.value_scale / sum : 0.0F;

#pragma unroll
        for (unsigned i = 0; i < total.count; i++) {
            to[i] = of_float<T>(total.at[i] * scale);
        }
        return;
    }
    if (d == 0) {
        parts.parts[place.piece] = {largest, sum};
    }
    store_vector(parts.totals + place.piece * head_dim + d, total);
}

/* The tiles of a warp that are on their way, oldest first: bits of the tokens seen, and what is to
 * be fetched next. */
template <class K, unsigned rows, unsigned head_dim> struct flight {
    unsigned seen[stages<K, rows, head_dim>], tile, stage;
};

/* Tile `tile` of the piece, if it has one; a group of copies in any case. */
template <class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ unsigned fetch_next(const decode &decode, const place &place,
                                               unsigned entries, tiles<K, rows, head_dim> *tiles,
                                               flight<K, rows, head_dim> *flight)
{
    size_t lane = size_t{place.kv_head} * decode.job.kv.block_tokens * head_dim +
                  lane_index() * (copy_bytes / sizeof(K)) % head_dim;
    unsigned first = tile_begin(place, flight->tile), seen = 0;

    if (first < place.seen.end) {
        seen = fetch_tile<K, head_dim>(decode, lane, first,
                                       own_block(decode, place, entries, flight->tile),
                                       tiles->keys[flight->stage], tiles->values[flight->stage]);
    }
    copies_commit();
    flight->tile++;
    flight->stage = flight->stage + 1 < stages<K, rows, head_dim> ? flight->stage + 1 : 0;
    return seen;
}

/* The first tiles of a piece. */
template <class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ void take_off(const decode &decode, const place &place, unsigned entries,
                                         tiles<K, rows, head_dim> *tiles,
                                         flight<K, rows, head_dim> *flight)
{
    flight->tile = (place.seen.begin - place.piece * piece) / step_tokens;
    flight->stage = 0;
#pragma unroll
    for (unsigned i = 0; i < stages<K, rows, head_dim> - 1; i++) {
        flight->seen[i] = fetch_next(decode, place, entries, tiles, flight);
    }
}

/* All tiles of this warp, of which the first are on their way; `entries` is read_entries'. */
template <class T, class K, unsigned rows, unsigned head_dim>
__device__ __forceinline__ void
attend(const decode &decode, const place &place, unsigned entries, tiles<K, rows, head_dim> *tiles,
       flight<K, rows, head_dim> *flight, state<rows, head_dim> *state)
{
    constexpr unsigned ahead = stages<K, rows, head_dim> - 1;
    unsigned tile = flight->tile - ahead, stage = 0;
    uint32_t query[head_dim / 16][4];
    float scale[rows / 8];

    load_queries<T, K, rows, head_dim>(decode, place, query, scale);
    for (; tile_begin(place, tile) < place.seen.end; tile++) {
        float scores[2][4] = {};

        copies_wait<ahead - 1>();
        __syncwarp();
        flight->seen[ahead] = fetch_next(decode, place, entries, tiles, flight);
        if constexpr (sizeof(K) == 1) {
            score_bytes<head_dim>(tiles->keys[stage], query, scores);
        } else {
            score_words<head_dim>(tiles->keys[stage], query, scores);
        }
        weigh<rows, head_dim>(scale, flight->seen[0], scores, state);
        weights weights = part_weights<rows, typename factor<K>::type>(scores);
        if constexpr (sizeof(K) == 1) {
            add_bytes<rows, head_dim>(tiles->values[stage], weights, state->total);
        } else {
            add_words<rows, head_dim>(tiles->values[stage], weights, state->total);
        }
        stage = stage < ahead ? stage + 1 : 0;
#pragma unroll
        for (unsigned i = 0; i < ahead; i++) {
            flight->seen[i] = flight->seen[i + 1];
        }
    }
    __syncwarp(); /* nobody reads a tile any more */
}

/* Items in turn, as many blocks as there are; which block has an item does not matter to it.  The
 * next one's tiles are on their way while the warps' totals are put together. */
template <class T, class K, unsigned rows, unsigned head_dim>
__global__ void __launch_bounds__(threads, blocks_least) attention_decode(decode decode)
{
    DYNO_DYNAMIC_SHARED(dynamic);
    constexpr unsigned width = vector_of<float>::count, vectors = head_dim / width;
    __shared__ left<rows> left;
    auto *held = reinterpret_cast<storage<K, rows, head_dim> *>(dynamic);
    auto *tiles = &held->under_way[warp_index()];
    unsigned item = blockIdx.x, entries = no_block;
    flight<K, rows, head_dim> flight;
    cursor cursor = {};
    place place, next;
    bool found;

    read_slices(decode, &cursor);
    found = find_item(decode, item, &cursor, &next);
    if (found) {
        entries = read_entries(decode, next);
        take_off(decode, next, entries, tiles, &flight);
    }
    while (found) {
        state<rows, head_dim> state = {};

        place = next;
#pragma unroll
        for (unsigned r = 0; r < rows / 8; r++) {
            state.base[r] = -INFINITY;
        }
        attend<T>(decode, place, entries, tiles, &flight, &state);
        item += gridDim.x;
        found = find_item(decode, item, &cursor, &next);
        entries = found ? read_entries(decode, next) : no_block;
        leave<K>(state, place.count, &left, held->totals[warp_index()]);
        if (found) {
            take_off(decode, next, entries, tiles, &flight);
        }
        __syncthreads();
        for (unsigned i = threadIdx.x; i < place.count * vectors; i += threads) {
            put_together<T>(decode, place, left, *held, i / vectors, i % vectors * width);
        }
        __syncthreads();
    }
    copies_wait<0>();
}

template <class K, unsigned rows, unsigned head_dim>
constexpr size_t shared_bytes = sizeof(storage<K, rows, head_dim>) + sizeof(left<rows>);

/* Up to 8 queries have three tiles under way, for which GPUs of 99 KiB a block (8.6, 8.9) have no
 * room: there they take the rows of 16, which have two. */
bool has_room_for_three(const dyno_cuda_attention_job *job)
{
    return dyno_cuda_kv_bytes(job->kv.element) == 1 || job->kv.head_dim != 128 ||
           block_can_share(shared_bytes<bf16, 8, 128>);
}

decode decode_of(const dyno_cuda_attention_job *job)
{
    unsigned shared = job->heads / job->kv.kv_heads, shift = 0;
    unsigned rows = shared <= 8 && has_room_for_three(job) ? 8 : rows_max;

    while (job->kv.block_tokens >> shift > 1) {
        shift++;
    }
    return {*job, shift, divide_up(job->context_max, piece), rows, divide_up(shared, rows)};
}

constexpr uint64_t items_max = 1U << 31;

uint64_t items_of(const decode &decode)
{
    return uint64_t{decode.pieces} * decode.job.slice_count * decode.job.kv.kv_heads *
           decode.chunks;
}

/* As many blocks as run at once, or as there are items; 0 if the device does not say. */
template <class T, class K, unsigned rows, unsigned head_dim>
unsigned blocks_of(const decode &decode, size_t bytes)
{
    const auto items = static_cast<unsigned>(items_of(decode));
    int device, multiprocessors, each;
    unsigned blocks;

    if (DYNO_CUDA_CHECK(cudaGetDevice(&device)) ||
        DYNO_CUDA_CHECK(
            cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device)) ||
        DYNO_CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
            &each, attention_decode<T, K, rows, head_dim>, threads, bytes))) {
        return 0;
    }
    blocks = static_cast<unsigned>(multiprocessors) * static_cast<unsigned>(each);
    return items < blocks ? items : blocks;
}

template <class T, unsigned head_dim> void launch_join(const decode &decode, cudaStream_t stream)
{
    unsigned heads = decode.job.heads, slices = decode.job.slice_count;

    if (decode.pieces > teams<head_dim>) {
        DYNO_LAUNCH_AFTER((attention_join<T, head_dim>), dim3(heads, slices), join_threads, 0,
                          stream, decode);
    } else if (decode.pieces > 1) {
        DYNO_LAUNCH_AFTER((attention_join_few<T, head_dim>),
                          divide_up(heads * slices, teams<head_dim>), join_threads, 0, stream,
                          decode);
    }
}

template <class T, class K, unsigned rows, unsigned head_dim>
int launch_dim(const decode &decode, cudaStream_t stream)
{
    constexpr int bytes = sizeof(storage<K, rows, head_dim>);
    unsigned blocks;

    if (DYNO_CUDA_CHECK(cudaFuncSetAttribute(attention_decode<T, K, rows, head_dim>,
                                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) {
        return DYNO_CUDA_FAILED;
    }
    blocks = blocks_of<T, K, rows, head_dim>(decode, bytes);
    if (blocks == 0) {
        return DYNO_CUDA_FAILED;
    }
    DYNO_LAUNCH((attention_decode<T, K, rows, head_dim>), blocks, threads, bytes, stream, decode);
    launch_join<T, head_dim>(decode, stream);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

template <class T, class K, unsigned rows>
int launch_rows(const decode &decode, cudaStream_t stream)
{
    return decode.job.kv.head_dim == 64 ? launch_dim<T, K, rows, 64>(decode, stream)
                                        : launch_dim<T, K, rows, 128>(decode, stream);
}

template <class T, class K>
int launch_decode(const dyno_cuda_attention_job *job, cudaStream_t stream)
{
    decode decode = decode_of(job);

    return decode.rows == rows_max ? launch_rows<T, K, rows_max>(decode, stream)
                                   : launch_rows<T, K, 8>(decode, stream);
}

/* Keys and values are of the query's type, or e4m3. */
bool is_supported(const dyno_cuda_attention_job *job)
{
    constexpr unsigned slices_max = 65535;
    const dyno_cuda_kv *kv = &job->kv;
    unsigned width = copy_bytes / dyno_cuda_kv_bytes(kv->element);
    auto same = job->element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;

    return attention_is_whole(job) && job->slice_max <= 1 && job->slice_count <= slices_max &&
           (kv->element == same || kv->element == DYNO_CUDA_KV_E4M3) && job->context_max >= 1 &&
           (kv->head_dim == 64 || kv->head_dim == 128) &&
           (kv->block_tokens & (kv->block_tokens - 1)) == 0 && kv->block_stride % width == 0 &&
           is_aligned(job->query, job->query_stride * 2) && is_aligned(kv->keys, 0) &&
           is_aligned(kv->values, 0) && (job->scratch || job->context_max <= piece);
}

} /* namespace */

size_t dyno_cuda_decode_scratch(const struct dyno_cuda_attention_job *job)
{
    return job->context_max <= piece
               ? 0
               : parts_count(*job) * (sizeof(part) + job->kv.head_dim * sizeof(float));
}

int dyno_cuda_attention_decode(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream)
{
    if (!is_supported(job) || items_of(decode_of(job)) > items_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slice_count == 0 || job->slice_max == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        return job->kv.element == DYNO_CUDA_KV_F16 ? launch_decode<f16, f16>(job, stream)
                                                   : launch_decode<f16, e4m3>(job, stream);
    }
    return job->kv.element == DYNO_CUDA_KV_BF16 ? launch_decode<bf16, bf16>(job, stream)
                                                : launch_decode<bf16, e4m3>(job, stream);
}
