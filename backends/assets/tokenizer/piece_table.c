#include "backends/assets/tokenizer/piece_table.h"

#include <stdlib.h>

enum { SLOTS_MIN = 1024 };

void dyno_piece_table_release(struct dyno_piece_table *table)
{
    free(table->slots);
    memset(table, 0, sizeof *table);
}

static bool has_bytes(const struct dyno_token *token, const char *bytes, size_t size)
{
    return token->size == size && dyno_piece_same(token->bytes, bytes, size);
}

/* The slot of these bytes, or the free one where they would go. */
static size_t place_of(const struct dyno_piece_table *table, const struct dyno_token *tokens,
                       const char *bytes, size_t size)
{
    size_t place = dyno_piece_hash(bytes, size) & table->mask;

    while (table->slots[place] != DYNO_TOKEN_NONE &&
           !has_bytes(&tokens[table->slots[place]], bytes, size)) {
        place = (place + 1) & table->mask;
    }
    return place;
}

uint32_t dyno_piece_table_find(const struct dyno_piece_table *table,
                               const struct dyno_token *tokens, const char *bytes, size_t size)
{
    return table->slots ? table->slots[place_of(table, tokens, bytes, size)] : DYNO_TOKEN_NONE;
}

static dyno_status grow(struct dyno_piece_table *table, const struct dyno_token *tokens)
{
    struct dyno_piece_table wide = {.count = table->count};

    wide.mask = table->slots ? 2 * table->mask + 1 : SLOTS_MIN - 1;
    wide.slots = malloc((wide.mask + 1) * sizeof *wide.slots);
    if (!wide.slots) {
        return DYNO_NO_MEMORY;
    }
    memset(wide.slots, 0xff, (wide.mask + 1) * sizeof *wide.slots);
    for (size_t i = 0; table->slots && i <= table->mask; i++) {
        uint32_t id = table->slots[i];

        if (id != DYNO_TOKEN_NONE) {
            wide.slots[place_of(&wide, tokens, tokens[id].bytes, tokens[id].size)] = id;
        }
    }
    free(table->slots);
    *table = wide;
    return DYNO_OK;
}

dyno_status dyno_piece_table_put(struct dyno_piece_table *table, const struct dyno_token *tokens,
                                 uint32_t id)
{
    size_t place;

    if (!table->slots || 2 * (size_t)(table->count + 1) > table->mask + 1) {
        DYNO_TRY(grow(table, tokens));
    }
    place = place_of(table, tokens, tokens[id].bytes, tokens[id].size);
    if (table->slots[place] == DYNO_TOKEN_NONE) {
        table->slots[place] = id;
        table->count++;
    }
    return DYNO_OK;
}
