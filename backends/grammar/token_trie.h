/* A vocabulary by the bytes of its tokens, made once for a model and shared by all grammars.
 *
 * Control tokens, those that nothing makes from text, and those of more than
 * DYNO_TRIE_TOKEN_BYTES_MAX bytes are left out.  SentencePiece's U+2581 is a space.
 *
 * Memory: 12 bytes a node, of which there are two or three to a token, 16 bytes and its own bytes a
 * token (`dyno_token_trie_bytes` says how much that is).
 */
#ifndef DYNO_BACKENDS_GRAMMAR_TOKEN_TRIE_H
#define DYNO_BACKENDS_GRAMMAR_TOKEN_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "backends/assets/vocabulary.h"
#include "core/base/status.h"

enum { DYNO_TRIE_TOKEN_BYTES_MAX = 255 };

struct dyno_token_trie;

struct dyno_token_bytes {
    const char *bytes; /* [size], the trie's; not terminated */
    size_t size;       /* 0: the token is not in the trie */
};

/* Copies what it keeps.  On success *out is the caller's to close.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_token_trie_open(struct dyno_token_trie **out,
                                 const struct dyno_vocabulary *vocabulary,
                                 struct dyno_error *error);
void dyno_token_trie_close(struct dyno_token_trie *trie); /* NULL: no effect */

/* What a token adds to a text: what dyno_grammar_advance is given. */
struct dyno_token_bytes dyno_token_trie_token(const struct dyno_token_trie *trie, uint32_t token);

size_t dyno_token_trie_bytes(const struct dyno_token_trie *trie); /* that it takes */

#endif
