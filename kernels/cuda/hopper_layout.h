/* Where Hopper's TMA and wgmma look for the elements of a tile in shared memory: plain arithmetic,
 * for kernels and for tests on the host.
 *
 * A tile's unit is an atom: 8 rows of 64 elements of 16 bits, 1024 bytes.  Its rows' 16-byte chunks
 * are permuted by the swizzle of 128 bytes: TMA writes them so, and wgmma reads them so, if the
 * atom is aligned to its size (PTX ISA, "Shared memory matrix layout" of wgmma).  Rows of head_dim
 * elements have head_dim / 64 panels; the atoms of the panels of 8 rows lie one after another, then
 * those of the next 8 rows, so that any multiple of 8 whole rows is one piece.
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
    DYNO_PANEL_ATOM_ROWS = 8,
    DYNO_PANEL_ATOM_BYTES = 1024,
};

/* Byte of a 16-byte chunk of a row, in a tile of `panels` panels. */
static DYNO_BOTH_SIDES uint32_t dyno_panel_chunk(uint32_t panels, uint32_t row, uint32_t chunk)
{
    const uint32_t chunks = DYNO_PANEL_ROW_BYTES / DYNO_PANEL_CHUNK_BYTES;
    uint32_t atom = row / DYNO_PANEL_ATOM_ROWS * panels + chunk / chunks;
    uint32_t within = row % DYNO_PANEL_ATOM_ROWS;

    return atom * DYNO_PANEL_ATOM_BYTES + within * DYNO_PANEL_ROW_BYTES +
           ((chunk % chunks) ^ within) * DYNO_PANEL_CHUNK_BYTES;
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

/* A tile lies below byte 2^18 of shared memory, so that a step's offset, added to the descriptor,
 * stays in its field; it is a constant where loops are unrolled.
 *
 * Of step `step` of 16 along k, in a tile of `panels` panels from `address`: K contiguous (a row is
 * a query or a key, k its dimension). */
static DYNO_BOTH_SIDES uint64_t dyno_wgmma_rows(uint32_t address, uint32_t panels, uint32_t step)
{
    const uint32_t step_bytes = 32, steps = DYNO_PANEL_ROW_BYTES / step_bytes;
    uint32_t panel = step / steps * DYNO_PANEL_ATOM_BYTES;

    return dyno_wgmma_descriptor(address, DYNO_PANEL_CHUNK_BYTES, panels * DYNO_PANEL_ATOM_BYTES) +
           (panel + step % steps * step_bytes) / DYNO_PANEL_CHUNK_BYTES;
}

/* The same tile turned: k is the row (a token of the values), so that step `step` begins 16 rows
 * further on. */
static DYNO_BOTH_SIDES uint64_t dyno_wgmma_turned(uint32_t address, uint32_t panels, uint32_t step)
{
    const uint32_t atoms = 16 / DYNO_PANEL_ATOM_ROWS;

    return dyno_wgmma_descriptor(address, DYNO_PANEL_ATOM_BYTES, panels * DYNO_PANEL_ATOM_BYTES) +
           step * atoms * panels * DYNO_PANEL_ATOM_BYTES / DYNO_PANEL_CHUNK_BYTES;
}

/* Of a slice of `count` queries from position `first`, a row being a query and one of `shared`
 * heads: how many of its tiles of `tile_rows` rows, from the first, see at most `seen` positions.
 * No row sees more than `held`. */
static DYNO_BOTH_SIDES uint32_t dyno_tiles_within(uint32_t first, uint32_t count, uint32_t shared,
                                                  uint32_t tile_rows, uint32_t held, uint32_t seen)
{
    if (seen >= first + count || seen >= held) {
        return (count * shared + tile_rows - 1) / tile_rows;
    }
    return seen > first ? (seen - first) * shared / tile_rows : 0;
}

/* Which of a block's items is the `turn`-th: `blocks` blocks share out items that get shorter,
 * there and back, so that who had the longest of one turn has the shortest of the next. */
static DYNO_BOTH_SIDES uint32_t dyno_turn_item(uint32_t blocks, uint32_t block, uint32_t turn)
{
    return turn * blocks + (turn % 2 ? blocks - 1 - block : block);
}

#endif
