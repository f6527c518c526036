/* From the bytes of a token to its id: a hash table that compares the bytes themselves. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_PIECE_TABLE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_PIECE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backends/assets/vocabulary.h"
#include "core/base/status.h"

#define DYNO_TOKEN_NONE UINT32_MAX

struct dyno_piece_table {
    uint32_t *slots; /* [mask + 1]: ids, or DYNO_TOKEN_NONE */
    size_t mask;
    uint32_t count;
};

void dyno_piece_table_release(struct dyno_piece_table *table);

/* The id of a token with these bytes, or DYNO_TOKEN_NONE.  `tokens` is what ids index. */
uint32_t dyno_piece_table_find(const struct dyno_piece_table *table,
                               const struct dyno_token *tokens, const char *bytes, size_t size);

/* Add tokens[id]; where there is one with its bytes, that one stays. */
dyno_status dyno_piece_table_put(struct dyno_piece_table *table, const struct dyno_token *tokens,
                                 uint32_t id);

/* A well-mixed number of bytes[size]; the same on every machine of one byte order. */
static inline uint64_t dyno_piece_hash(const char *bytes, size_t size)
{
    uint64_t hash = size * 0x9e3779b97f4a7c15U, word;

    while (size >= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * 0xff51afd7ed558ccdU;
        hash ^= hash >> 32;
        bytes += sizeof word;
        size -= sizeof word;
    }
    word = 0;
    if (size > 0) {
        memcpy(&word, bytes, size);
    }
    hash = (hash ^ word) * 0xff51afd7ed558ccdU;
    hash = (hash ^ hash >> 32) * 0xc4ceb9fe1a85ec53U;
    return hash ^ hash >> 29;
}

#endif
