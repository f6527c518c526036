/* From the bytes of a token to its id: a hash table that compares the bytes themselves. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_PIECE_TABLE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_PIECE_TABLE_H

#include <stdbool.h>
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

/* The id of a token with these bytes (size > 0), or DYNO_TOKEN_NONE.  `tokens` is what ids index.
 */
uint32_t dyno_piece_table_find(const struct dyno_piece_table *table,
                               const struct dyno_token *tokens, const char *bytes, size_t size);

/* Add tokens[id]; where there is one with its bytes, that one stays. */
dyno_status dyno_piece_table_put(struct dyno_piece_table *table, const struct dyno_token *tokens,
                                 uint32_t id);

/* All of bytes[size], 0 < size < 8, in one word: two reads that overlap, for a copy of varying size
 * is a call. */
static inline uint64_t dyno_piece_tail(const char *bytes, size_t size)
{
    uint32_t low, high;
    uint16_t first, last;

    if (size >= sizeof low) {
        memcpy(&low, bytes, sizeof low);
        memcpy(&high, bytes + size - sizeof high, sizeof high);
        return (uint64_t)high << 32 | low;
    }
    if (size == 1) {
        return (unsigned char)*bytes;
    }
    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + size - sizeof last, sizeof last);
    return (uint64_t)last << 16 | first;
}

/* A well-mixed number of bytes[size], size > 0; the same on every machine of one byte order. */
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
    if (size > 0) {
        hash ^= dyno_piece_tail(bytes, size);
    }
    hash *= 0xff51afd7ed558ccdU;
    hash = (hash ^ hash >> 32) * 0xc4ceb9fe1a85ec53U;
    return hash ^ hash >> 29;
}

/* Whether left[size] and right[size] are the same, size > 0. */
static inline bool dyno_piece_same(const char *left, const char *right, size_t size)
{
    uint64_t a, b;

    if (size < sizeof a) {
        return dyno_piece_tail(left, size) == dyno_piece_tail(right, size);
    }
    for (size_t at = 0; at + sizeof a < size; at += sizeof a) {
        memcpy(&a, left + at, sizeof a);
        memcpy(&b, right + at, sizeof b);
        if (a != b) {
            return false;
        }
    }
    memcpy(&a, left + size - sizeof a, sizeof a);
    memcpy(&b, right + size - sizeof b, sizeof b);
    return a == b;
}

#endif
