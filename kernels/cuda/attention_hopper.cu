/* Attention of a prompt's chunk by TMA and wgmma, after FlashAttention-3 (Shah et al., 2024).
 *
 * A block stays, and takes items in turn: a tile of 128 rows (a row is a query and one of the heads
 * that share a kv head) against all positions that its rows see, 128 at a time, the last first.
 * Of its three warp groups
 *
 *   one fetches: a warp boxes of keys and values by TMA, block by block of the cache, as room for
 *     them gets free; three warps the rows' queries of the next item;
 *   two compute, 64 rows each: the scores of one tile are under way while the weights of the tile
 *     before meet its values, and the groups take turns, so that one's exponentials lie beside the
 *     other's products.
 *
 * They meet at barriers in shared memory only.  What a row becomes depends on no other row: tiles
 * of positions begin at multiples of 128, and one in which a row sees nothing leaves it as it was.
 */
#include "kernels/cuda/attention_hopper_fetch.cuh"
#include "kernels/cuda/hopper_host.cuh"

namespace
{

using namespace dyno;
using namespace dyno::hopper;

constexpr unsigned columns = tile_tokens / 8; /* groups of 8 */
constexpr int registers_to_fetch = 56, registers_to_compute = 224;

/* A thread's rows: first + lane / 4, and 8 further. */
struct rows {
    unsigned end[2]; /* positions that they see */
    unsigned all;    /* that every row of the group sees */
    float largest[2], sum[2];
};

__device__ __forceinline__ rows rows_of(const dyno_cuda_attention_job &job, const item &item,
                                        unsigned group)
{
    unsigned shared = job.heads / job.kv.kv_heads, first = item.first_row + group * group_rows;
    rows rows;

#pragma unroll
    for (unsigned half = 0; half < 2; half++) {
        unsigned r = first + threadIdx.x % group_threads / warp_lanes * 16 + half * 8;

        rows.end[half] = seen_by(job, item.slice.first + (r + lane_index() / 4) / shared).end;
        rows.largest[half] = -INFINITY;
        rows.sum[half] = 0.0F;
    }
    rows.all = seen_by(job, item.slice.first + first / shared).end;
    return rows;
}

template <class T, unsigned head_dim>
__device__ __forceinline__ void begin_scores(const T *query, const T *keys, float (&scores)[64])
{
    constexpr unsigned panels = head_dim / DYNO_PANEL_COLUMNS;
    uint32_t rows = shared_address(query), tokens = shared_address(keys);

    registers_fence(scores);
    products_begin();
#pragma unroll
    for (unsigned step = 0; step < head_dim / 16; step++) {
        multiply_shared(T(), scores, dyno_wgmma_rows(rows, panels, step),
                        dyno_wgmma_rows(tokens, panels, step), step > 0);
    }
    products_commit();
}

template <class T, unsigned head_dim>
__device__ __forceinline__ void begin_values(const uint32_t (&weights)[32], const T *values,
                                             float (&total)[head_dim / 2])
{
    constexpr unsigned panels = head_dim / DYNO_PANEL_COLUMNS;
    uint32_t tokens = shared_address(values);

    registers_fence(total);
    products_begin();
#pragma unroll
    for (unsigned step = 0; step < tile_tokens / 16; step++) {
        multiply_weights(T(), total, weights + 4 * step, dyno_wgmma_turned(tokens, panels, step));
    }
    products_commit();
}

__device__ __forceinline__ void hide(const rows &rows, unsigned first, unsigned hidden,
                                     float (&scores)[64])
{
#pragma unroll
    for (unsigned i = 0; i < 64; i++) {
        unsigned token = first + i / 4 * 8 + lane_index() % 4 * 2 + i % 2;

        if (token >= rows.end[i % 4 / 2] || hidden >> i / 4 & 1) {
            scores[i] = -INFINITY;
        }
    }
}

/* Scores become weights relative to the largest so far; `kept` is what became of the earlier ones.
 */
__device__ __forceinline__ void weigh(rows &rows, float scale, float (&scores)[64],
                                      float (&kept)[2])
{
#pragma unroll
    for (unsigned half = 0; half < 2; half++) {
        float largest = rows.largest[half], sum = 0.0F, base;

#pragma unroll
        for (unsigned c = 0; c < columns; c++) {
            largest = fmaxf(largest, fmaxf(scores[4 * c + 2 * half], scores[4 * c + 2 * half + 1]));
        }
        largest = lanes_max(largest, 4);
        base = largest > -INFINITY ? largest * scale : 0.0F;
        kept[half] = exp2_fast(rows.largest[half] * scale - base);
#pragma unroll
        for (unsigned c = 0; c < columns; c++) {
#pragma unroll
            for (unsigned i = 4 * c + 2 * half; i < 4 * c + 2 * half + 2; i++) {
                scores[i] = exp2_fast(scores[i] * scale - base);
                sum += scores[i];
            }
        }
        rows.largest[half] = largest;
        rows.sum[half] = rows.sum[half] * kept[half] + sum;
    }
}

template <class T>
__device__ __forceinline__ void round_weights(const float (&scores)[64], uint32_t (&weights)[32])
{
#pragma unroll
    for (unsigned i = 0; i < 32; i++) {
        weights[i] = pack_pair_fast(T(), scores[2 * i], scores[2 * i + 1]);
    }
}

template <unsigned count>
__device__ __forceinline__ void rescale(float (&total)[count], const float (&kept)[2])
{
#pragma unroll
    for (unsigned i = 0; i < count; i++) {
        total[i] *= kept[i % 4 / 2];
    }
}

template <unsigned count> __device__ __forceinline__ void clear(float (&total)[count])
{
#pragma unroll
    for (unsigned i = 0; i < count; i++) {
        total[i] = 0.0F;
    }
}

/* Of four lanes that have four words each, lane l gets word l of all. */
__device__ __forceinline__ void turn_words(uint32_t (&word)[4])
{
#pragma unroll
    for (unsigned step = 1; step <= 2; step *= 2) {
        bool upper = lane_index() & step;

#pragma unroll
        for (unsigned pair = 0; pair < 2; pair++) {
            unsigned low = step == 1 ? 2 * pair : pair, high = low + step;
            uint32_t got = __shfl_xor_sync(all_lanes, upper ? word[low] : word[high], step);

            word[low] = upper ? got : word[low];
            word[high] = upper ? word[high] : got;
        }
    }
}

template <class T, unsigned head_dim>
__device__ void write_rows(const dyno_cuda_attention_job &job, const item &item, unsigned group,
                           const float (&sums)[2], const float (&total)[head_dim / 2])
{
    unsigned shared = job.heads / job.kv.kv_heads;

#pragma unroll
    for (unsigned half = 0; half < 2; half++) {
        unsigned r = item.first_row + group * group_rows +
                     threadIdx.x % group_threads / warp_lanes * 16 + half * 8 + lane_index() / 4;
        float sum = lanes_sum(sums[half], 4), scale = sum > 0.0F ? 1.0F / sum : 0.0F;
        T *to = static_cast<T *>(job.out) + (item.slice.row + r / shared) * job.out_stride +
                (item.kv_head * shared + r % shared) * head_dim + lane_index() % 4 * width;

#pragma unroll
        for (unsigned d = 0; d < head_dim / 8; d += 4) {
            uint32_t word[4];

#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
                const float *pair = &total[4 * (d + i) + 2 * half];

                word[i] = pack_pair_fast(T(), pair[0] * scale, pair[1] * scale);
            }
            turn_words(word);
            if (r < item.rows) {
                *reinterpret_cast<uint4 *>(to + d * 8) =
                    make_uint4(word[0], word[1], word[2], word[3]);
            }
        }
    }
}

/* The warp has read what it will read. */
__device__ __forceinline__ void used(uint64_t *free)
{
    __syncwarp();
    if (lane_index() == 0) {
        barrier_arrive(free);
    }
}

/* Where a group is: keys are a tile ahead of values. */
struct place {
    ring<query_stages> query;
    ring<stages> keys, values;
    unsigned group, first; /* position of the tile whose scores are under way */
};

/* The group's item, its tiles 0 if there is none, once its queries are there. */
template <class T, unsigned head_dim>
__device__ __forceinline__ const item &item_at(storage<T, head_dim> *held,
                                               const ring<query_stages> &at)
{
    barrier_wait(&held->of_query[at.stage].full, at.parity);
    return held->items[at.stage];
}

/* Scores of a tile, once its keys are there. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void begin_tile(storage<T, head_dim> *held, const place &place,
                                           float (&scores)[64])
{
    begin_scores<T, head_dim>(held->query[place.query.stage] + place.group * group_rows * head_dim,
                              held->keys[place.keys.stage], scores);
}

/* Scores have been waited for.  Who tells that the stage has been used is who reads its bits. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void weigh_tile(storage<T, head_dim> *held, place &place, float scale,
                                           rows &rows, float (&scores)[64], float (&kept)[2])
{
    unsigned hidden =
        __shfl_sync(all_lanes, lane_index() == 0 ? held->hidden[place.keys.stage] : 0, 0);

    used(&held->of_keys[place.keys.stage].free);
    place.keys.step();
    if (place.first + tile_tokens > rows.all || hidden != 0) {
        hide(rows, place.first, hidden, scores);
    }
    weigh(rows, scale, scores, kept);
}

/* One after another through the tiles of all items, so that the first scores of an item are under
 * way while the last weights of the item before meet their values. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void compute_items(const dyno_cuda_attention_job &job,
                                              storage<T, head_dim> *held, place place)
{
    const float scale = job.scale * log2_e;
    float total[head_dim / 2] = {}, scores[64], kept[2];
    uint32_t weights[32];
    rows rows;

    {
        const item &item = item_at(held, place.query);

        if (item.tiles == 0) {
            return;
        }
        rows = rows_of(job, item, place.group);
        place.first = (item.tiles - 1) * tile_tokens;
    }
    barrier_wait(&held->of_keys[place.keys.stage].full, place.keys.parity);
    begin_tile(held, place, scores);
    products_wait<0>();
    registers_fence(scores);
    weigh_tile(held, place, scale, rows, scores, kept);
    round_weights<T>(scores, weights);
    for (;;) {
        const ring<query_stages> query = place.query;
        const float sum[2] = {rows.sum[0], rows.sum[1]};
        bool turns = place.first == 0;

        if (turns) {
            place.query.step();
            place.first = item_at(held, place.query).tiles * tile_tokens;
            if (place.first == 0) {
                place.query = query;
                break;
            }
            rows = rows_of(job, held->items[place.query.stage], place.group);
        }
        place.first -= tile_tokens;
        barrier_wait(&held->of_keys[place.keys.stage].full, place.keys.parity);
        threads_wait(1 + place.group, groups * group_threads);
        begin_tile(held, place, scores);
        barrier_wait(&held->of_values[place.values.stage].full, place.values.parity);
        begin_values<T, head_dim>(weights, held->values[place.values.stage], total);
        threads_arrive(1 + (place.group + 1) % groups, groups * group_threads);
        products_wait<1>();
        registers_fence(scores);
        weigh_tile(held, place, scale, rows, scores, kept);
        products_wait<0>();
        registers_fence(total);
        registers_fence(scores);
        used(&held->of_values[place.values.stage].free);
        place.values.step();
        if (turns) {
            write_rows<T, head_dim>(job, held->items[query.stage], place.group, sum, total);
            used(&held->of_query[query.stage].free);
            clear(total);
        } else {
            rescale(total, kept);
        }
        round_weights<T>(scores, weights);
    }
    barrier_wait(&held->of_values[place.values.stage].full, place.values.parity);
    begin_values<T, head_dim>(weights, held->values[place.values.stage], total);
    products_wait<0>();
    registers_fence(total);
    write_rows<T, head_dim>(job, held->items[place.query.stage], place.group, rows.sum, total);
}

template <class T, unsigned head_dim>
__device__ __forceinline__ void compute(const dyno_cuda_attention_job &job, unsigned group,
                                        storage<T, head_dim> *held)
{
    place place;

    place.group = group;
    if (group == groups - 1) {
        threads_arrive(1, groups * group_threads);
    }
    compute_items(job, held, place);
    if (group == 0) {
        threads_wait(1, groups * group_threads);
    }
}

template <class T, unsigned head_dim> __device__ void set_barriers(storage<T, head_dim> *held)
{
    for (unsigned i = 0; i < query_stages; i++) {
        barrier_init(&held->of_query[i].full, fetchers);
        barrier_init(&held->of_query[i].free, warps_of_rows);
        barrier_init(&held->found[i], 1);
    }
    for (unsigned i = 0; i < stages; i++) {
        barrier_init(&held->of_keys[i].full, 1);
        barrier_init(&held->of_keys[i].free, warps_of_rows);
        barrier_init(&held->of_values[i].full, 1);
        barrier_init(&held->of_values[i].free, warps_of_rows);
    }
    barriers_are_set();
}

/* Grid: as many blocks as run at a time. */
template <class T, unsigned head_dim>
__global__ void __launch_bounds__(threads, 1)
    attention_hopper(const __grid_constant__ dyno_cuda_attention_job job,
                     const __grid_constant__ CUtensorMap keys,
                     const __grid_constant__ CUtensorMap values)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDACC__)
    DYNO_DYNAMIC_SHARED(dynamic);
    auto *held = reinterpret_cast<storage<T, head_dim> *>(
        dynamic + (-shared_address(dynamic) & (DYNO_PANEL_ATOM_BYTES - 1)));
    unsigned group = __shfl_sync(all_lanes, threadIdx.x / group_threads, 0);

    if (threadIdx.x == 0) {
        map_prefetch(&keys);
        map_prefetch(&values);
        set_barriers(held);
    }
    __syncthreads();
    if (group == 0) {
        registers_less<registers_to_fetch>();
        if (warp_index() == 0) {
            fetch_tokens<T, head_dim>(job, &keys, &values, held);
        } else {
            fetch_queries<T, head_dim>(job, held);
        }
    } else {
        registers_more<registers_to_compute>();
        compute<T, head_dim>(job, group - 1, held);
    }
#endif
}

/* Keys or values as a tensor whose boxes come as whole rows of atoms (hopper_layout.h): blocks,
 * groups of 8 tokens of all kv heads, panels, tokens of a group, dimensions of a panel. */
bool make_map(const dyno_cuda_kv *kv, void *array, CUtensorMap *map)
{
    static const auto encode = map_encoder();
    const cuuint64_t row = 2ULL * kv->head_dim;
    const cuuint32_t groups_of_block = kv->block_tokens / DYNO_PANEL_ATOM_ROWS;
    const cuuint32_t groups_of_tile = tile_tokens / DYNO_PANEL_ATOM_ROWS;
    const cuuint32_t panels = kv->head_dim / DYNO_PANEL_COLUMNS;
    const cuuint64_t size[dimensions] = {DYNO_PANEL_COLUMNS, DYNO_PANEL_ATOM_ROWS, panels,
                                         cuuint64_t{groups_of_block} * kv->kv_heads, kv->blocks};
    const cuuint64_t stride[dimensions - 1] = {row, DYNO_PANEL_ROW_BYTES,
                                               row * DYNO_PANEL_ATOM_ROWS, 2 * kv->block_stride};
    const cuuint32_t box[dimensions] = {DYNO_PANEL_COLUMNS, DYNO_PANEL_ATOM_ROWS, panels,
                                        min(groups_of_block, groups_of_tile), 1};
    const cuuint32_t step[dimensions] = {1, 1, 1, 1, 1};
    auto type = kv->element == DYNO_CUDA_KV_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                                : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;

    return encode && encode(map, type, dimensions, array, size, stride, box, step,
                            CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                            CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

template <class T, unsigned head_dim>
int launch_dim(const dyno_cuda_attention_job *job, unsigned blocks, const CUtensorMap *keys,
               const CUtensorMap *values, cudaStream_t stream)
{
    constexpr int bytes = sizeof(storage<T, head_dim>) + DYNO_PANEL_ATOM_BYTES;

    if (DYNO_CUDA_CHECK(cudaFuncSetAttribute(attention_hopper<T, head_dim>,
                                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) {
        return DYNO_CUDA_FAILED;
    }
    DYNO_LAUNCH((attention_hopper<T, head_dim>), blocks, threads, bytes, stream, *job, *keys,
                *values);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

bool is_supported(const dyno_cuda_attention_job *job)
{
    constexpr unsigned rows_max = 1U << 30;
    const dyno_cuda_kv *kv = &job->kv;
    auto same = job->element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;

    return attention_is_whole(job) && job->slice_max <= rows_max / job->heads && job->window == 0 &&
           kv->element == same && (kv->head_dim == 64 || kv->head_dim == 128) &&
           kv->block_tokens >= hidden_tokens && (kv->block_tokens & (kv->block_tokens - 1)) == 0 &&
           kv->block_stride % width == 0 && is_aligned(job->query, job->query_stride * 2) &&
           is_aligned(job->out, job->out_stride * 2) && is_aligned(kv->keys, 0) &&
           is_aligned(kv->values, 0);
}

} /* namespace */

int dyno_cuda_attention_prefill_wgmma(const struct dyno_cuda_attention_job *job,
                                      dyno_cuda_stream stream)
{
    static const unsigned processors = hopper_processors();
    CUtensorMap keys, values;

    if (processors == 0 || !is_supported(job) || !make_map(&job->kv, job->kv.keys, &keys) ||
        !make_map(&job->kv, job->kv.values, &values)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slice_count == 0 || job->slice_max == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        return job->kv.head_dim == 64
                   ? launch_dim<f16, 64>(job, processors, &keys, &values, stream)
                   : launch_dim<f16, 128>(job, processors, &keys, &values, stream);
    }
    return job->kv.head_dim == 64 ? launch_dim<bf16, 64>(job, processors, &keys, &values, stream)
                                  : launch_dim<bf16, 128>(job, processors, &keys, &values, stream);
}
