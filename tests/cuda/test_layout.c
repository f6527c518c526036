/* Where TMA and wgmma look for elements: arithmetic, which needs no device. */
#include <string.h>

#include "kernels/cuda/hopper_layout.h"
#include "tests/cuda/device.h"
#include "tests/cuda/tests.h"

enum { ROWS = 128, BANK_BYTES = 4, BANKS = 32 };

/* Every chunk of a tile has a place of its own, and eight rows at one chunk lie in all banks. */
static void expect_chunks_apart(uint32_t head_dim)
{
    uint32_t chunks = head_dim * 2 / DYNO_PANEL_CHUNK_BYTES;
    unsigned char *taken = host_array((size_t)ROWS * chunks, 1);

    for (uint32_t row = 0; row < ROWS; row++) {
        for (uint32_t chunk = 0; chunk < chunks; chunk++) {
            uint32_t at = dyno_panel_chunk(head_dim / 64, row, chunk);

            if (at % DYNO_PANEL_CHUNK_BYTES != 0 || at >= ROWS * head_dim * 2 ||
                taken[at / DYNO_PANEL_CHUNK_BYTES]++) {
                fail("layout: chunk %u of row %u lies at %u", chunk, row, at);
            }
        }
    }
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
        uint32_t seen = 0;

        for (uint32_t row = 0; row < 8; row++) {
            seen |= 1U << dyno_panel_chunk(head_dim / 64, row, chunk) / DYNO_PANEL_CHUNK_BYTES %
                              (BANKS * BANK_BYTES / DYNO_PANEL_CHUNK_BYTES);
        }
        if (seen != 0xff) {
            fail("layout: eight rows at chunk %u meet in banks: %02x", chunk, seen);
        }
    }
}

/* By example, from the table of the PTX ISA: bits 0, 16 and 32 in units of 16 bytes, swizzle 1 at
 * bit 62. */
static void expect_descriptors(void)
{
    const uint64_t swizzle = 1ULL << 62;
    const struct {
        uint64_t got, due;
    } cases[] = {
        {dyno_wgmma_descriptor(0x4000, 0x4000, 0x400), swizzle | 0x40ULL << 32 | 0x04000400},
        {dyno_wgmma_rows(0x8000, 2, 0), swizzle | 0x80ULL << 32 | 0x00010800},
        {dyno_wgmma_rows(0x8000, 2, 3), swizzle | 0x80ULL << 32 | 0x00010806},
        {dyno_wgmma_rows(0x8000, 2, 4), swizzle | 0x80ULL << 32 | 0x00010840},
        {dyno_wgmma_turned(0x8000, 2, 0), swizzle | 0x80ULL << 32 | 0x00400800},
        {dyno_wgmma_turned(0x8000, 2, 7), swizzle | 0x80ULL << 32 | 0x00400f00},
        {dyno_wgmma_turned(0x8000, 1, 7), swizzle | 0x40ULL << 32 | 0x00400b80},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (cases[i].got != cases[i].due) {
            fail("layout: descriptor %zu is %llx, not %llx", i, (unsigned long long)cases[i].got,
                 (unsigned long long)cases[i].due);
        }
    }
}

/* What wgmma reads of the operand that a descriptor names, with the swizzle over address bits. */
static uint32_t byte_of(uint64_t descriptor, uint32_t row, uint32_t k, bool turned)
{
    uint32_t begin = (uint32_t)(descriptor & 0x3fff) << 4;
    uint32_t leading = (uint32_t)(descriptor >> 16 & 0x3fff) << 4;
    uint32_t stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4;
    uint32_t at = turned ? begin + row / 64 * leading + row % 64 * 2 + k / 8 * stride + k % 8 * 128
                         : begin + row / 8 * stride + row % 8 * 128 + k * 2;

    return at ^ (at >> 7 & 7) << 4;
}

/* The element that it should be. */
static uint32_t byte_due(uint32_t head_dim, uint32_t row, uint32_t column)
{
    return dyno_panel_chunk(head_dim / 64, row, column / 8) + column % 8 * 2;
}

static void expect_operands(uint32_t head_dim)
{
    for (uint32_t step = 0; step < head_dim / 16; step++) {
        for (uint32_t i = 0; i < ROWS * 16; i++) {
            uint32_t row = i / 16, k = i % 16;
            uint32_t got = byte_of(dyno_wgmma_rows(0, head_dim / 64, step), row, k, false);

            if (got != byte_due(head_dim, row, step * 16 + k)) {
                fail("layout: step %u, row %u, k %u is read at %u", step, row, k, got);
            }
        }
    }
    for (uint32_t step = 0; step < ROWS / 16; step++) {
        for (uint32_t i = 0; i < head_dim * 16; i++) {
            uint32_t column = i / 16, k = i % 16;
            uint32_t got = byte_of(dyno_wgmma_turned(0, head_dim / 64, step), column, k, true);

            if (got != byte_due(head_dim, step * 16 + k, column)) {
                fail("layout: step %u, column %u, k %u is read at %u", step, column, k, got);
            }
        }
    }
}

/* All items are taken once, in ascending turns, and nobody gets more than others by more than what
 * the longest turn has between its ends. */
static void expect_turns(uint32_t blocks, uint32_t turns)
{
    unsigned char *taken = host_array((size_t)blocks * turns, 1);

    for (uint32_t block = 0; block < blocks; block++) {
        uint64_t sum = 0, least = (uint64_t)turns / 2 * (turns / 2 * 2 * blocks - 1);

        for (uint32_t turn = 0; turn < turns; turn++) {
            uint32_t item = dyno_turn_item(blocks, block, turn);

            if (item / blocks != turn || taken[item]++) {
                fail("layout: item %u is taken by block %u in turn %u", item, block, turn);
            }
            sum += item;
        }
        if (turns % 2 == 0 && sum != least) {
            fail("layout: block %u of %u has items of %llu together", block, blocks,
                 (unsigned long long)sum);
        }
    }
}

/* Against a count of the tiles one by one. */
static void expect_tiles(uint32_t first, uint32_t count, uint32_t shared, uint32_t held)
{
    uint32_t tiles = (count * shared + ROWS - 1) / ROWS;

    for (uint32_t seen = 0; seen <= first + count + 1; seen++) {
        uint32_t due = 0, got = dyno_tiles_within(first, count, shared, ROWS, held, seen);

        for (uint32_t tile = 0; tile < tiles; tile++) {
            uint32_t end = (tile + 1) * ROWS < count * shared ? (tile + 1) * ROWS : count * shared;
            uint32_t sees = first + (end - 1) / shared + 1;

            due += (sees < held ? sees : held) <= seen;
        }
        if (got != due) {
            fail("layout: of %u queries from %u, %u tiles see at most %u of %u, not %u", count,
                 first, due, seen, held, got);
        }
    }
}

void test_layout(uint32_t seeds)
{
    (void)seeds;
    for (uint32_t shared = 1; shared <= 8; shared++) {
        expect_tiles(0, 1000, shared, 2000);
        expect_tiles(517, 301, shared, 700);
        expect_tiles(128, 128, shared, 256);
        expect_tiles(3, 1, shared, 16);
        expect_tiles(7, 0, shared, 16);
    }
    expect_chunks_apart(64);
    expect_chunks_apart(128);
    expect_descriptors();
    expect_operands(64);
    expect_operands(128);
    expect_turns(1, 4);
    expect_turns(132, 16);
    expect_turns(7, 3);
}
