/* Of attention_hopper.cu: the items of a block, its shared memory, and the warp group that fetches.
 */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_HOPPER_FETCH_CUH
#define DYNO_KERNELS_CUDA_ATTENTION_HOPPER_FETCH_CUH

#include "kernels/cuda/attention_parts.cuh"
#include "kernels/cuda/hopper.cuh"

#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
#pragma nv_diag_suppress 177 /* nothing of it is used for other architectures */
#endif

namespace dyno
{
namespace hopper
{

constexpr unsigned tile_rows = 128, tile_tokens = 128, group_rows = 64, width = 8;
constexpr unsigned groups = tile_rows / group_rows, threads = (1 + groups) * group_threads;
constexpr unsigned warps_of_rows = groups * group_threads / warp_lanes;
constexpr unsigned fetchers = group_threads - warp_lanes; /* of queries */
constexpr unsigned stages = 2, query_stages = 2;
constexpr unsigned hidden_tokens = 8; /* of a bit of storage::hidden */

/* A tile of rows. */
struct item {
    dyno_cuda_attention_slice slice;
    unsigned kv_head, first_row, rows; /* rows of the slice, and of these the tile's first */
    unsigned end;                      /* positions that some row sees */
    unsigned tiles;                    /* of these; 0: there is no further item */
};

/* Full: something has come.  Free: it has been used. */
struct pair_of_barriers {
    uint64_t full, free;
};

/* Of the dynamic shared memory. */
template <class T, unsigned head_dim> struct __align__(DYNO_PANEL_ATOM_BYTES) storage
{
    T query[query_stages][tile_rows * head_dim];
    T keys[stages][tile_tokens * head_dim], values[stages][tile_tokens * head_dim];
    pair_of_barriers of_query[query_stages], of_keys[stages], of_values[stages];
    uint64_t found[query_stages]; /* barriers: the item is there; it is free when its queries are */
    item items[query_stages];
    unsigned hidden[stages]; /* a bit for 8 tokens that lie in no block */
};

/* Where one is in a ring of `count` stages. */
template <unsigned count> struct ring {
    unsigned stage = 0, parity = 0;

    __device__ __forceinline__ void step()
    {
        stage++;
        if (stage == count) {
            stage = 0;
            parity ^= 1;
        }
    }
};

/* Items in order of how many tiles of positions they see, the most first, so that blocks end at
 * about one time.  A cursor only goes on; a warp has it. */
struct cursor {
    unsigned level;                 /* tiles of the items that it is at */
    unsigned slice = 0, before = 0; /* items before that slice's of that level */
    unsigned turn = 0;
};

__device__ __forceinline__ cursor cursor_of(const dyno_cuda_attention_job &job)
{
    cursor cursor;
    unsigned most = 0;

    for (unsigned i = lane_index(); i < job.slice_count; i += warp_lanes) {
        const dyno_cuda_attention_slice slice = job.slices[i];
        unsigned end = seen_by(job, slice.first + slice.count - 1).end;

        most = slice.count > 0 && end > most ? end : most;
    }
    cursor.level = divide_up(lanes_max(most), tile_tokens);
    return cursor;
}

/* Tiles of a slice's rows that see at most `level` tiles of positions. */
__device__ __forceinline__ unsigned tiles_within(const dyno_cuda_attention_job &job,
                                                 const dyno_cuda_attention_slice &slice,
                                                 unsigned level)
{
    unsigned held = seen_by(job, ~0U - 1).end;

    return dyno_tiles_within(slice.first, slice.count, job.heads / job.kv.kv_heads, tile_rows, held,
                             level * tile_tokens);
}

__device__ __forceinline__ unsigned items_at(const dyno_cuda_attention_job &job, unsigned slice,
                                             unsigned level)
{
    unsigned tiles = 0;

    if (slice < job.slice_count) {
        const dyno_cuda_attention_slice own = job.slices[slice];

        tiles = tiles_within(job, own, level) - tiles_within(job, own, level - 1);
    }
    return tiles * job.kv.kv_heads;
}

/* Item `at` of a slice's at a level. */
__device__ __forceinline__ item item_of(const dyno_cuda_attention_job &job, unsigned slice,
                                        unsigned level, unsigned at)
{
    unsigned shared = job.heads / job.kv.kv_heads, last;
    item item;

    item.slice = job.slices[slice];
    item.rows = item.slice.count * shared;
    item.kv_head = at % job.kv.kv_heads;
    item.first_row = (tiles_within(job, item.slice, level) - 1 - at / job.kv.kv_heads) * tile_rows;
    last = min(item.first_row + tile_rows, item.rows) - 1;
    item.end = seen_by(job, item.slice.first + last / shared).end;
    item.tiles = level;
    return item;
}

/* The block's next item, found by a whole warp; its tiles are 0 if there is none. */
__device__ __forceinline__ item next_item(const dyno_cuda_attention_job &job, cursor *cursor)
{
    unsigned wanted = dyno_turn_item(gridDim.x, blockIdx.x, cursor->turn++);
    item none = {};

    while (cursor->level > 0) {
        unsigned own = items_at(job, cursor->slice + lane_index(), cursor->level), sum = own;
        unsigned found;

        for (unsigned step = 1; step < warp_lanes; step *= 2) {
            unsigned other = __shfl_up_sync(all_lanes, sum, step);

            sum += lane_index() >= step ? other : 0;
        }
        found = __ballot_sync(all_lanes, wanted - cursor->before < sum);
        if (found != 0) {
            unsigned lane = __ffs(static_cast<int>(found)) - 1;

            cursor->before += __shfl_sync(all_lanes, sum - own, lane);
            cursor->slice += lane;
            return item_of(job, cursor->slice, cursor->level, wanted - cursor->before);
        }
        cursor->before += __shfl_sync(all_lanes, sum, warp_lanes - 1);
        cursor->slice += warp_lanes;
        if (cursor->slice >= job.slice_count) {
            cursor->slice = 0;
            cursor->level--;
        }
    }
    return none;
}

constexpr unsigned dimensions = 5; /* of the tensors that keys and values are for TMA */

/* Keys and values come in boxes of the tokens of one block, one a lane. */
struct box {
    unsigned tokens; /* of a box */
    unsigned token;  /* its first, of the tile */
    bool mine;       /* this lane has one */
};

__device__ __forceinline__ box box_of(const dyno_cuda_attention_job &job)
{
    unsigned tokens = min(job.kv.block_tokens, tile_tokens), count = tile_tokens / tokens;

    return {tokens, lane_index() % count * tokens, lane_index() < count};
}

/* The block that holds a position of the item's, as the table has it; job.kv.blocks, of which TMA
 * makes zeros, behind its end. */
__device__ __forceinline__ unsigned block_of(const dyno_cuda_attention_job &job, const item &item,
                                             unsigned token)
{
    return token < item.end ? job.table[size_t{item.slice.sequence} * job.table_width +
                                        token / job.kv.block_tokens]
                            : job.kv.blocks;
}

/* Bits of storage::hidden for a box in no block; every lane gets those of all. */
__device__ __forceinline__ unsigned hidden_by(const box &box, bool hidden)
{
    unsigned bits = box.tokens / hidden_tokens, own = ((2U << (bits - 1)) - 1)
                                                      << box.token / hidden_tokens;

    return __any_sync(all_lanes, hidden) ? __reduce_or_sync(all_lanes, hidden ? own : 0) : 0;
}

/* `bytes` of the tile come by TMA, this lane's box among them if `mine`. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void fetch_tile(const CUtensorMap *map, const box &box, bool mine,
                                           unsigned bytes, T *tile, uint64_t *full,
                                           const unsigned (&at)[dimensions])
{
    if (lane_index() == 0) {
        barrier_expect(full, bytes);
    }
    __syncwarp();
    if (mine) {
        fetch_box(map, tile + box.token * head_dim, full, at);
    }
}

/* The tokens of a box in which the item ends.  What lies behind the end is anything, and will be
 * multiplied by 0: it becomes zeros. */
template <class T, unsigned head_dim>
__device__ void fetch_end(const dyno_cuda_attention_job &job, const item &item, const box &box,
                          unsigned end, unsigned block, unsigned token, T *tile)
{
    constexpr unsigned chunks = head_dim / width, panels = head_dim / DYNO_PANEL_COLUMNS;
    const T *values = static_cast<const T *>(job.kv.values);
    unsigned lane = __ffs(static_cast<int>(__ballot_sync(all_lanes, end > 0))) - 1;
    unsigned first = __shfl_sync(all_lanes, box.token, lane);

    end = __shfl_sync(all_lanes, end, lane);
    block = __shfl_sync(all_lanes, block, lane);
    token = __shfl_sync(all_lanes, token, lane);
#pragma unroll 1 /* it is rare, and registers are few */
    for (unsigned i = lane_index(); i < box.tokens * chunks; i += warp_lanes) {
        unsigned row = i / chunks, chunk = i % chunks;
        bool seen = row < end && block < job.kv.blocks;
        size_t at = kv_at(job.kv, block, token + row, item.kv_head) + chunk * width;

        copy_async(tile + dyno_panel_chunk(panels, first + row, chunk) / sizeof(T),
                   values + (seen ? at : 0), seen);
    }
    copies_commit();
    copies_wait<0>();
    shared_is_written();
    __syncwarp();
}

/* The block's next item; its tiles are 0 if there is none. */
template <class T, unsigned head_dim>
__device__ __forceinline__ item item_when_found(storage<T, head_dim> *held,
                                                const ring<query_stages> &at)
{
    barrier_wait(&held->found[at.stage], at.parity);
    return held->items[at.stage];
}

/* One warp. */
template <class T, unsigned head_dim>
__device__ void fetch_tokens(const dyno_cuda_attention_job &job, const CUtensorMap *keys,
                             const CUtensorMap *values, storage<T, head_dim> *held)
{
    constexpr unsigned row_bytes = head_dim * sizeof(T), bytes = tile_tokens * row_bytes;
    const box box = box_of(job);
    ring<query_stages> items;
    ring<stages> ring;

    for (;; items.step()) {
        const item item = item_when_found(held, items);
        unsigned token = (item.tiles - 1) * tile_tokens + box.token;
        unsigned next = block_of(job, item, token);

        if (item.tiles == 0) {
            break;
        }
        for (unsigned tile = item.tiles; tile-- > 0; ring.step(), token -= tile_tokens) {
            unsigned block = min(next, job.kv.blocks), stage = ring.stage;
            unsigned hidden = hidden_by(box, token < item.end && next >= job.kv.blocks);
            unsigned left = token < item.end ? item.end - token : 0;
            unsigned end =
                box.mine && left < box.tokens ? left : 0; /* of the box, if it is in it */
            bool ends = __any_sync(all_lanes, end > 0);
            unsigned within = token % job.kv.block_tokens;
            const unsigned at[dimensions] = {
                0, 0, 0, (item.kv_head * job.kv.block_tokens + within) / DYNO_PANEL_ATOM_ROWS,
                block};

            barrier_wait(&held->of_keys[stage].free, ring.parity ^ 1);
            if (lane_index() == 0) {
                held->hidden[stage] = hidden;
            }
            fetch_tile<T, head_dim>(keys, box, box.mine, bytes, held->keys[stage],
                                    &held->of_keys[stage].full, at);
            barrier_wait(&held->of_values[stage].free, ring.parity ^ 1);
            if (ends) {
                fetch_end<T, head_dim>(job, item, box, end, block, within, held->values[stage]);
            }
            fetch_tile<T, head_dim>(values, box, box.mine && end == 0,
                                    bytes - (ends ? box.tokens * row_bytes : 0),
                                    held->values[stage], &held->of_values[stage].full, at);
            next = tile > 0 ? block_of(job, item, token - tile_tokens) : 0;
        }
    }
}

template <class T, unsigned head_dim>
__device__ void fetch_rows(const dyno_cuda_attention_job &job, const item &item, T *to)
{
    constexpr unsigned chunks = head_dim / width, panels = head_dim / DYNO_PANEL_COLUMNS;
    unsigned shared = job.heads / job.kv.kv_heads;

    for (unsigned i = threadIdx.x - warp_lanes; i < tile_rows * chunks; i += fetchers) {
        unsigned row = i / chunks, chunk = i % chunks, r = item.first_row + row;
        bool seen = r < item.rows;
        const T *from = static_cast<const T *>(job.query);

        if (seen) {
            from += (item.slice.row + r / shared) * job.query_stride +
                    (item.kv_head * shared + r % shared) * head_dim + chunk * width;
        }
        copy_async(to + dyno_panel_chunk(panels, row, chunk) / sizeof(T), from, seen);
    }
    copies_commit();
    copies_wait<0>();
    shared_is_written();
}

/* The other three warps of the group, of which the first finds the items, for all: the next one
 * while the block is about the last. */
template <class T, unsigned head_dim>
__device__ void fetch_queries(const dyno_cuda_attention_job &job, storage<T, head_dim> *held)
{
    bool finds = warp_index() == 1;
    cursor cursor = {};
    ring<query_stages> ring;

    if (finds) {
        cursor = cursor_of(job);
    }
    for (bool more = true; more; ring.step()) {
        pair_of_barriers *barriers = &held->of_query[ring.stage];
        item item = {};

        if (finds) {
            item = next_item(job, &cursor);
        }
        barrier_wait(&barriers->free, ring.parity ^ 1);
        if (finds && lane_index() == 0) {
            held->items[ring.stage] = item;
            barrier_arrive(&held->found[ring.stage]);
        }
        item = item_when_found(held, ring);
        more = item.tiles > 0;
        if (more) {
            fetch_rows<T, head_dim>(job, item, held->query[ring.stage]);
        }
        barrier_arrive(&barriers->full);
    }
}

} /* namespace hopper */
} /* namespace dyno */

#endif
