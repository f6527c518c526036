/* Causal attention over keys and values in blocks, on the device.
 *
 * Queries come as slices, each of one sequence: `count` queries at positions [first, first +
 * count), of which query i sees the positions
 *
 *   [max(0, first + i - window + 1), first + i],   all from 0 if window is 0
 *
 * A slice of one query is a step of decoding; one of more, with first > 0, is a chunk of a prompt
 * after a cached prefix.  Any mix of lengths is one launch.  The definition is dyno_attention_ref
 * (kernels/attention.h) of the stored keys and values.  What a query becomes depends on it and on
 * what it sees only: not on the other slices, or on where its blocks lie.
 *
 * A table entry that is not below kv.blocks and a position beyond table_width blocks count as not
 * seen; nothing is read there.  A query that sees nothing becomes zeros.
 */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_H
#define DYNO_KERNELS_CUDA_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/kv.h"
#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dyno_cuda_attention_slice {
    uint32_t sequence;     /* row of the table */
    uint32_t first, count; /* positions */
    uint32_t row;          /* of the first query, in query and out */
};

struct dyno_cuda_attention_job {
    enum dyno_element element;                      /* F16 or BF16: of query and out */
    uint32_t heads;                                 /* a multiple of kv.kv_heads */
    uint32_t window;                                /* 0: all */
    float scale;                                    /* 1 / sqrt(head_dim) */
    uint32_t slice_count, slice_max;                /* slice_max: no slice has more queries */
    uint32_t context_max;                           /* no query has a position of this or more */
    const struct dyno_cuda_attention_slice *slices; /* [slice_count], on the device */
    const uint32_t *table;                          /* [sequences][table_width], likewise */
    uint32_t table_width;
    const void *query;                 /* [rows][query_stride], heads x head_dim of each */
    void *out;                         /* [rows][out_stride], likewise; not query */
    uint64_t query_stride, out_stride; /* elements */
    struct dyno_cuda_kv kv;
    void *scratch; /* dyno_cuda_decode_scratch; NULL where it is 0 */
};

/* Any shape with head_dim up to 256; a block a query and head.  Within 2^-13 (1 + S) V of the
 * definition and the rounding of the result, S and V as in kernels/attention.h. */
int dyno_cuda_attention_plain(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream);

/* Decoding, on tensor cores: slices of one query.  The queries that share a kv head look at a key
 * together; contexts are cut into pieces of DYNO_CUDA_DECODE_PIECE positions, whichever the batch,
 * and a second kernel puts the pieces together.  head_dim is 64 or 128; keys and values are of the
 * query's type, or e4m3; block_tokens is a power of two; query, block_stride, scratch and the
 * arrays are aligned to 16 bytes.  The same tolerance.
 *
 * Bound by memory: 2 x kv_heads x head_dim elements a position. */
int dyno_cuda_attention_decode(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream);

enum { DYNO_CUDA_DECODE_PIECE = 512 };

/* Bytes of scratch that dyno_cuda_attention_decode needs. */
size_t dyno_cuda_decode_scratch(const struct dyno_cuda_attention_job *job);

/* A prompt's chunks on tensor cores: tiles of 64 rows (a query and one of the heads that share its
 * kv head) against 64 positions.  Keys and values are of the query's type, or e4m3; head_dim is 64
 * or 128; query, out, block_stride and the arrays are aligned to 8 elements.  Weights are rounded
 * to the element before they meet the values: within 2^-8 V (F16: 2^-11 V) in addition.
 *
 * Bound by arithmetic: 4 x head_dim operations a query, head and position seen. */
int dyno_cuda_attention_prefill(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream);

/* Its rungs, of which it takes the last that does not refuse the job: mma.sync, for all of the
 * above; TMA and wgmma, on compute capability 9.0, for keys and values of the query's type in
 * blocks of 8 tokens or a larger power of two, without a window. */
int dyno_cuda_attention_prefill_mma(const struct dyno_cuda_attention_job *job,
                                    dyno_cuda_stream stream);
int dyno_cuda_attention_prefill_wgmma(const struct dyno_cuda_attention_job *job,
                                      dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif
