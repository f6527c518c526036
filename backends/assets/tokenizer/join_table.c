#include "backends/assets/tokenizer/join_table.h"

#include <stdlib.h>
#include <string.h>

enum { BITS_MIN = 8 };

void dyno_join_table_release(struct dyno_join_table *table)
{
    free(table->slots);
    free(table->marks);
    memset(table, 0, sizeof *table);
}

/* There is a free slot, and no join of this pair. */
static void place(struct dyno_join_table *table, struct dyno_join join)
{
    uint64_t hash = dyno_join_hash(join.left, join.right);
    size_t at = (size_t)(hash >> (64 - table->bits)), mark = (size_t)(hash >> (62 - table->bits));

    while (table->slots[at].left != UINT32_MAX) {
        at = (at + 1) & (((size_t)1 << table->bits) - 1);
    }
    table->slots[at] = join;
    table->marks[mark / 64] |= (uint64_t)1 << mark % 64;
    table->count++;
}

static dyno_status grow(struct dyno_join_table *table)
{
    struct dyno_join_table wide = {.bits = table->slots ? table->bits + 1 : BITS_MIN};

    wide.slots = malloc(sizeof *wide.slots << wide.bits);
    wide.marks = calloc((size_t)1 << wide.bits >> 4, sizeof *wide.marks);
    if (!wide.slots || !wide.marks) {
        dyno_join_table_release(&wide);
        return DYNO_NO_MEMORY;
    }
    memset(wide.slots, 0xff, sizeof *wide.slots << wide.bits);
    for (size_t i = 0; table->slots && i < (size_t)1 << table->bits; i++) {
        if (table->slots[i].left != UINT32_MAX) {
            place(&wide, table->slots[i]);
        }
    }
    dyno_join_table_release(table);
    *table = wide;
    return DYNO_OK;
}

dyno_status dyno_join_table_put(struct dyno_join_table *table, struct dyno_join join)
{
    if (dyno_join_table_find(table, join.left, join.right) != UINT32_MAX) {
        return DYNO_OK;
    }
    if (!table->slots || 2 * (size_t)(table->count + 1) > (size_t)1 << table->bits) {
        DYNO_TRY(grow(table));
    }
    place(table, join);
    return DYNO_OK;
}
