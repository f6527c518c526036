/* Thompson's construction, in pieces with one way in and one way out. */
#include "backends/grammar/parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"

void dyno_parts_release(struct dyno_parts *parts)
{
    free(parts->parts);
    *parts = (struct dyno_parts){0};
}

/* Where nothing more fits, every part is the first one, and the set will be refused. */
static uint32_t add(struct dyno_parts *parts, struct dyno_part part)
{
    if (parts->status == DYNO_OK && parts->count == DYNO_PARTS_MAX) {
        parts->status = DYNO_FULL;
    }
    if (parts->status == DYNO_OK &&
        !dyno_array_reserve(&parts->parts, &parts->capacity, parts->count + 1, sizeof part)) {
        parts->status = DYNO_NO_MEMORY;
    }
    if (parts->status != DYNO_OK) {
        return 0;
    }
    parts->parts[parts->count] = part;
    return parts->count++;
}

static uint32_t add_fork(struct dyno_parts *parts, uint32_t next, uint32_t other)
{
    return add(parts, (struct dyno_part){.next = next, .other = other});
}

/* Ends of pieces are forks that lead nowhere yet. */
static void lead(struct dyno_parts *parts, uint32_t end, uint32_t to)
{
    if (parts->status != DYNO_OK) {
        return;
    }
    if (parts->parts[end].next == DYNO_PART_NONE) {
        parts->parts[end].next = to;
    } else {
        parts->parts[end].other = to;
    }
}

struct dyno_piece dyno_piece_empty(struct dyno_parts *parts)
{
    uint32_t at = add_fork(parts, DYNO_PART_NONE, DYNO_PART_NONE);

    return (struct dyno_piece){at, at};
}

struct dyno_piece dyno_piece_byte(struct dyno_parts *parts, uint8_t first, uint8_t last)
{
    uint32_t end = add_fork(parts, DYNO_PART_NONE, DYNO_PART_NONE);
    struct dyno_part part = {.next = end, DYNO_PART_NONE, first, last, true};

    return (struct dyno_piece){add(parts, part), end};
}

struct dyno_piece dyno_piece_join(struct dyno_parts *parts, struct dyno_piece left,
                                  struct dyno_piece right)
{
    lead(parts, left.end, right.begin);
    return (struct dyno_piece){left.begin, right.end};
}

struct dyno_piece dyno_piece_bytes(struct dyno_parts *parts, const char *bytes, size_t size)
{
    struct dyno_piece piece = dyno_piece_empty(parts);

    for (size_t i = 0; i < size && parts->status == DYNO_OK; i++) {
        uint8_t byte = (uint8_t)bytes[i];

        piece = dyno_piece_join(parts, piece, dyno_piece_byte(parts, byte, byte));
    }
    return piece;
}

struct dyno_piece dyno_piece_either(struct dyno_parts *parts, struct dyno_piece left,
                                    struct dyno_piece right)
{
    uint32_t begin = add_fork(parts, left.begin, right.begin);
    uint32_t end = add_fork(parts, DYNO_PART_NONE, DYNO_PART_NONE);

    lead(parts, left.end, end);
    lead(parts, right.end, end);
    return (struct dyno_piece){begin, end};
}

struct dyno_piece dyno_piece_optional(struct dyno_parts *parts, struct dyno_piece piece)
{
    return dyno_piece_either(parts, piece, dyno_piece_empty(parts));
}

struct dyno_piece dyno_piece_any_times(struct dyno_parts *parts, struct dyno_piece piece)
{
    uint32_t end = add_fork(parts, DYNO_PART_NONE, DYNO_PART_NONE);
    uint32_t begin = add_fork(parts, piece.begin, end);

    lead(parts, piece.end, begin);
    return (struct dyno_piece){begin, end};
}

struct dyno_piece dyno_piece_run(struct dyno_parts *parts, uint8_t first, uint8_t last,
                                 uint32_t min, uint32_t max)
{
    struct dyno_piece piece = dyno_piece_empty(parts);
    uint32_t end = add_fork(parts, DYNO_PART_NONE, DYNO_PART_NONE);

    for (uint32_t i = 0; i < max && parts->status == DYNO_OK; i++) {
        if (i >= min) { /* it may stop here */
            uint32_t stop = add_fork(parts, end, DYNO_PART_NONE);

            lead(parts, piece.end, stop);
            piece.end = stop;
        }
        piece = dyno_piece_join(parts, piece, dyno_piece_byte(parts, first, last));
    }
    lead(parts, piece.end, end);
    return (struct dyno_piece){piece.begin, end};
}
