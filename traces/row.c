/* Rows: growing their lists, chaining identities, regrouping them into the engine's blocks. */
#include "traces/row.h"

#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/map.h"

/* What the first block of every prompt is chained to. */
static const uint64_t chain_root = 0x64796e6f; /* "dyno" */

void dyno_row_release(struct dyno_row *row)
{
    free(row->segments);
    free(row->waits);
    *row = (struct dyno_row){0};
}

void dyno_row_clear(struct dyno_row *row)
{
    *row = (struct dyno_row){.segments = row->segments,
                             .segment_capacity = row->segment_capacity,
                             .waits = row->waits,
                             .wait_capacity = row->wait_capacity};
}

bool dyno_row_reserve_segments(struct dyno_row *row, uint32_t count)
{
    return dyno_array_reserve(&row->segments, &row->segment_capacity, count, sizeof *row->segments);
}

bool dyno_row_add_segment(struct dyno_row *row, uint64_t id, uint32_t end)
{
    if (!dyno_row_reserve_segments(row, row->segment_count + 1)) {
        return false;
    }
    row->segments[row->segment_count++] = (struct dyno_segment){.id = id, .end = end};
    return true;
}

bool dyno_row_add_wait(struct dyno_row *row, uint64_t name)
{
    if (!dyno_array_reserve(&row->waits, &row->wait_capacity, row->wait_count + 1,
                            sizeof *row->waits)) {
        return false;
    }
    row->waits[row->wait_count++] = name;
    return true;
}

void dyno_row_chain(struct dyno_row *row, uint32_t block_tokens)
{
    uint64_t parent = chain_root, end = 0;

    for (uint32_t i = 0; i < row->segment_count; i++) {
        struct dyno_segment *segment = &row->segments[i];

        end += block_tokens;
        segment->id = parent = dyno_chain(parent, segment->id);
        segment->end = end < row->input_tokens ? (uint32_t)end : row->input_tokens;
    }
}

uint32_t dyno_row_spans(const struct dyno_row *row, uint32_t block_tokens, struct dyno_span *spans)
{
    const struct dyno_segment *segments = row->segments;
    bool is_power = (block_tokens & (block_tokens - 1)) == 0; /* mostly, and shifting is faster */
    int shift = __builtin_ctz(block_tokens);
    uint32_t count = 0, blocks_before = 0;

    for (uint32_t i = 0; i < row->segment_count; i++) {
        uint32_t blocks = is_power ? segments[i].end >> shift : segments[i].end / block_tokens;

        spans[count].id = segments[i].id; /* to be written over where no block ends */
        spans[count].blocks = blocks - blocks_before;
        count += blocks > blocks_before;
        blocks_before = blocks;
    }
    return count;
}
