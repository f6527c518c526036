#include "traces/pile.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"

enum { PILE_MIN = 1024 };

void dyno_pile_release(struct dyno_pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        dyno_row_release(&pile->rows[i]);
    }
    free(pile->rows);
    *pile = (struct dyno_pile){0};
}

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the rows of a trace");
}

static void *copy_of(const void *items, size_t count, size_t size)
{
    void *copy = malloc(count * size + 1);

    if (copy && count > 0) {
        memcpy(copy, items, count * size);
    }
    return copy;
}

static dyno_status grow(struct dyno_pile *pile, struct dyno_error *error)
{
    size_t capacity = pile->capacity ? 2 * pile->capacity : PILE_MIN;
    struct dyno_row *rows;

    if (pile->count < pile->capacity) {
        return DYNO_OK;
    }
    rows = realloc(pile->rows, capacity * sizeof *rows);
    if (!rows) {
        return no_memory(error);
    }
    pile->rows = rows;
    pile->capacity = capacity;
    return DYNO_OK;
}

dyno_status dyno_pile_add(struct dyno_pile *pile, const struct dyno_row *row,
                          struct dyno_error *error)
{
    struct dyno_row copy = *row;

    DYNO_TRY(grow(pile, error));
    copy.segments = copy_of(row->segments, row->segment_count, sizeof *row->segments);
    copy.segment_capacity = row->segment_count;
    copy.waits = copy_of(row->waits, row->wait_count, sizeof *row->waits);
    copy.wait_capacity = row->wait_count;
    if (!copy.segments || !copy.waits) {
        dyno_row_release(&copy);
        return no_memory(error);
    }
    pile->rows[pile->count++] = copy;
    if (row->segment_count > 0 && row->segments[0].end > pile->block_tokens) {
        pile->block_tokens = row->segments[0].end;
    }
    return DYNO_OK;
}

uint64_t dyno_key_in_world(uint64_t key, uint32_t world)
{
    return key == 0 || world == 0 ? key : dyno_chain(key, world);
}

static void move_to_world(struct dyno_row *row, uint32_t world, bool is_shared)
{
    row->session = dyno_key_in_world(row->session, world);
    row->name = dyno_key_in_world(row->name, world);
    row->parent = dyno_key_in_world(row->parent, world);
    for (uint32_t i = 0; i < row->segment_count && !is_shared; i++) {
        row->segments[i].id = dyno_key_in_world(row->segments[i].id, world);
    }
    for (uint32_t i = 0; i < row->wait_count; i++) {
        row->waits[i] = dyno_key_in_world(row->waits[i], world);
    }
}

dyno_status dyno_pile_read(struct dyno_pile *pile, const struct dyno_trace_config *config,
                           uint32_t world, bool is_shared, struct dyno_error *error)
{
    struct dyno_rows *rows;
    struct dyno_row row = {0};
    dyno_status status;
    bool got = true;

    DYNO_TRY(dyno_reader_open(&rows, config, error));
    while ((status = rows->ops->read(rows, &row, &got, error)) == DYNO_OK && got) {
        move_to_world(&row, world, is_shared);
        status = dyno_pile_add(pile, &row, error);
        if (status != DYNO_OK) {
            break;
        }
    }
    dyno_row_release(&row);
    dyno_rows_close(rows);
    return status;
}

static int by_time(const void *left, const void *right)
{
    const struct dyno_row *a = left, *b = right;

    return a->at != b->at ? (a->at > b->at) - (a->at < b->at)
                          : (a->place > b->place) - (a->place < b->place);
}

void dyno_pile_sort(struct dyno_pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        pile->rows[i].place = i;
    }
    if (pile->count > 0) {
        qsort(pile->rows, pile->count, sizeof *pile->rows, by_time);
    }
}
