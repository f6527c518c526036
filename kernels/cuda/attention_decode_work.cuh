/* How decoding is shared out: contexts are cut into pieces, and blocks go through items, each a
 * piece with a kv head and up to 8 or 16 of its queries.
 *
 * Lengths are known on the device only, so blocks count the pieces of all slices themselves, 32
 * slices at a time; where a few sequences are long, no block is started for what the others lack.
 */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_DECODE_WORK_CUH
#define DYNO_KERNELS_CUDA_ATTENTION_DECODE_WORK_CUH

#include "kernels/cuda/attention_parts.cuh"

namespace dyno
{

constexpr unsigned piece = DYNO_CUDA_DECODE_PIECE;

/* Decoding's own numbers, made by the launcher. */
struct decode {
    dyno_cuda_attention_job job;
    unsigned block_shift;  /* block_tokens is 1 << this */
    unsigned pieces;       /* of the longest context */
    unsigned rows, chunks; /* queries of a kv head: `chunks` times `rows`, the last filled up; rows
                            * is 8 or rows_max */
};

/* What is to be joined, [slices][heads][pieces]: totals, [...][head_dim], and then these. */
struct part {
    float base, sum;
};

__host__ __device__ __forceinline__ size_t parts_count(const dyno_cuda_attention_job &job)
{
    return job.slice_count * size_t{job.heads} * divide_up(job.context_max, piece);
}

struct parts {
    float *totals;
    part *parts;
};

__device__ __forceinline__ parts parts_of(const decode &decode, unsigned slice, unsigned head)
{
    const dyno_cuda_attention_job &job = decode.job;
    float *totals = static_cast<float *>(job.scratch);
    size_t first = (size_t{slice} * job.heads + head) * decode.pieces;

    return {totals + first * job.kv.head_dim,
            reinterpret_cast<part *>(totals + parts_count(job) * job.kv.head_dim) + first};
}

/* The pieces of a sequence that its query sees. */
struct pieces {
    unsigned begin, end;
};

__device__ __forceinline__ pieces pieces_of(const decode &decode,
                                            const dyno_cuda_attention_slice &slice)
{
    span seen = seen_by(decode.job, slice.first);
    unsigned end = divide_up(seen.end, piece);

    if (slice.count == 0) {
        return {0, 0};
    }
    end = end < decode.pieces ? end : decode.pieces;
    return {seen.begin / piece < end ? seen.begin / piece : end - 1, end};
}

/* A place among the pieces of all slices, in order.  Lane l has slice first + l, and how many
 * pieces there are up to its last. */
struct cursor {
    unsigned first, before, through; /* before: pieces of the slices before `first` */
    dyno_cuda_attention_slice slice;
};

__device__ __forceinline__ void read_slices(const decode &decode, cursor *cursor)
{
    unsigned own = cursor->first + lane_index(), count = 0;

    cursor->slice = {};
    if (own < decode.job.slice_count) {
        pieces pieces;

        cursor->slice = decode.job.slices[own];
        pieces = pieces_of(decode, cursor->slice);
        count = pieces.end - pieces.begin;
    }
    for (unsigned step = 1; step < warp_lanes; step *= 2) {
        unsigned lower = __shfl_up_sync(all_lanes, count, step);

        count += lane_index() >= step ? lower : 0;
    }
    cursor->through = cursor->before + count;
}

/* What a block is about at a time. */
struct place {
    dyno_cuda_attention_slice slice;
    unsigned index, piece, pieces;  /* the slice's, and of how many that it sees */
    unsigned kv_head, first, count; /* queries from `first` on, of those that share the kv head */
    span seen;                      /* of the piece */
};

/* The slice that has piece `wanted` of all, which is not before the last one; false if there is
 * none. */
__device__ __forceinline__ bool find_piece(const decode &decode, unsigned wanted, cursor *cursor,
                                           place *place)
{
    unsigned lane, through, before;
    pieces pieces;

    for (;;) {
        unsigned last = __shfl_sync(all_lanes, cursor->through, warp_lanes - 1);

        if (wanted < last) {
            break;
        }
        cursor->first += warp_lanes;
        cursor->before = last;
        if (cursor->first >= decode.job.slice_count) {
            return false;
        }
        read_slices(decode, cursor);
    }
    lane = __ffs(static_cast<int>(__ballot_sync(all_lanes, wanted < cursor->through))) - 1;
    through = __shfl_sync(all_lanes, cursor->through, lane);
    place->index = cursor->first + lane;
    place->slice.sequence = __shfl_sync(all_lanes, cursor->slice.sequence, lane);
    place->slice.first = __shfl_sync(all_lanes, cursor->slice.first, lane);
    place->slice.count = __shfl_sync(all_lanes, cursor->slice.count, lane);
    place->slice.row = __shfl_sync(all_lanes, cursor->slice.row, lane);
    pieces = pieces_of(decode, place->slice);
    before = through - (pieces.end - pieces.begin);
    place->piece = pieces.begin + (wanted - before);
    place->pieces = pieces.end - pieces.begin;
    return true;
}

/* An item is a piece with a kv head and up to `rows` of its queries. */
__device__ __forceinline__ bool find_item(const decode &decode, unsigned item, cursor *cursor,
                                          place *place)
{
    const dyno_cuda_attention_job &job = decode.job;
    unsigned shared = job.heads / job.kv.kv_heads, each = job.kv.kv_heads * decode.chunks, begin;

    if (!find_piece(decode, item / each, cursor, place)) {
        return false;
    }
    place->kv_head = item % each / decode.chunks;
    place->first = item % decode.chunks * decode.rows;
    place->count = shared - place->first < decode.rows ? shared - place->first : decode.rows;
    begin = place->piece * piece;
    place->seen = seen_by(job, place->slice.first);
    place->seen.begin = place->seen.begin > begin ? place->seen.begin : begin;
    place->seen.end = place->seen.end < begin + piece ? place->seen.end : begin + piece;
    return true;
}

} /* namespace dyno */

#endif
