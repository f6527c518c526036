/* Where Hopper's TMA and wgmma look for the elements of a tile in shared memory: plain arithmetic,
 * for kernels and for tests on the host.
 *
 * A tile of R rows with head_dim elements of 16 bits lies as head_dim / 64 panels, one after
 * another, of R rows of 128 bytes.  Within a panel the 16-byte chunks of a row are permuted by the
 * swizzle of 128 bytes: TMA writes them so, and wgmma reads them so, if the panel is aligned to
 * 1024 bytes (PTX ISA, "Shared memory matrix layout" of wgmma).
 */
#ifndef DYNO_KERNELS_CUDA_HOPPER_LAYOUT_H
#define DYNO_KERNELS_CUDA_HOPPER_LAYOUT_H

#include <stdint.h>

#if defined(__CUDACC__)
#define DYNO_BOTH_SIDES __host__ __device__ __forceinline__
#else
#define DYNO_BOTH_SIDES inline
#endif

enum {
    DYNO_PANEL_COLUMNS = 64,     /* elements of 16 bits */
    DYNO_PANEL_ROW_BYTES = 128,  /* of DYNO_PANEL_COLUMNS elements */
    DYNO_PANEL_CHUNK_BYTES = 16, /* what the swizzle moves */
    DYNO_PANEL_ATOM_BYTES = 1024 /* 8 rows: the swizzle repeats */
};

/* Byte of a 16-byte chunk of a row, in a tile of `rows` rows. */
static DYNO_BOTH_SIDES uint32_t dyno_panel_chunk(uint32_t rows, uint32_t row, uint32_t chunk)
{
    const uint32_t chunks = DYNO_PANEL_ROW_BYTES / DYNO_PANEL_CHUNK_BYTES;
    uint32_t panel = chunk / chunks, within = (chunk % chunks) ^ (row % chunks);

    return (panel * rows + row) * DYNO_PANEL_ROW_BYTES + within * DYNO_PANEL_CHUNK_BYTES;
}

/* What wgmma is told of an operand in shared memory: its first byte, and the distances, in bytes,
 * between its 8 x 64 atoms; the swizzle is that of 128 bytes.
 *
 *   K contiguous:   `leading` is not used; `stride` lies between groups of 8 rows;
 *   K not so:       `leading` lies between panels, `stride` between groups of 8 rows of k. */
static DYNO_BOTH_SIDES uint64_t dyno_wgmma_descriptor(uint32_t address, uint32_t leading,
                                                      uint32_t stride)
{
    const uint64_t swizzle_128 = 1ULL << 62;
    const uint32_t field = 0x3fff; /* of 16-byte units */

    return swizzle_128 | (uint64_t)(stride >> 4 & field) << 32 |
           (uint64_t)(leading >> 4 & field) << 16 | (address >> 4 & field);
}

/* Of step `step` of 16 along k, in a tile of `rows` rows from `address`: K contiguous (a row is a
 * query or a key, k its dimension). */
static DYNO_BOTH_SIDES uint64_t dyno_wgmma_rows(uint32_t address, uint32_t rows, uint32_t step)
{
    const uint32_t step_bytes = 32, steps = DYNO_PANEL_ROW_BYTES / step_bytes;
    uint32_t panel = step / steps * rows * DYNO_PANEL_ROW_BYTES;

    return dyno_wgmma_descriptor(address + panel + step % steps * step_bytes,
                                 DYNO_PANEL_CHUNK_BYTES, DYNO_PANEL_ATOM_BYTES);
}

/* The same tile turned: k is the row (a token of the values), so that step `step` begins 16 rows
 * further on. */
static DYNO_BOTH_SIDES uint64_t dyno_wgmma_turned(uint32_t address, uint32_t rows, uint32_t step)
{
    return dyno_wgmma_descriptor(address + step * 16 * DYNO_PANEL_ROW_BYTES,
                                 rows * DYNO_PANEL_ROW_BYTES, DYNO_PANEL_ATOM_BYTES);
}

/* Which of a block's items is the `turn`-th: `blocks` blocks share out items that get shorter,
 * there and back, so that who had the longest of one turn has the shortest of the next. */
static DYNO_BOTH_SIDES uint32_t dyno_turn_item(uint32_t blocks, uint32_t block, uint32_t turn)
{
    return turn * blocks + (turn % 2 ? blocks - 1 - block : block);
}

#endif
