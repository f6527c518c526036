/* Byte-pair encoding of one piece: neighbouring symbols become one, smallest rank first, then the
 * leftmost, until no two may.  A few symbols are searched again for each join; many are kept in a
 * heap, so that a piece of n symbols costs n log n. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_JOINER_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_JOINER_H

#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/heap.h"

/* One thread's scratch; zero-initialise. */
struct dyno_joiner {
    uint32_t *symbols;                /* [capacity]; what the piece became */
    uint32_t *previous, *next, *join; /* [chain_capacity]: of a symbol in the chain */
    size_t capacity, chain_capacity;
    struct dyno_heap heap; /* first symbols of pairs by rank */
};

void dyno_joiner_release(struct dyno_joiner *joiner);

/* Make symbols[*count] of piece[size], which is well-formed UTF-8 if the tokenizer is
 * SentencePiece's.  A symbol is a token, a symbol behind the tokens, or DYNO_TOKEN_NONE: a byte or
 * a character that is neither. */
dyno_status dyno_joiner_run(struct dyno_joiner *joiner, const struct dyno_tokenizer *tokenizer,
                            const char *piece, size_t size, size_t *count);

#endif
