/* A vocabulary for a model that knows no language: a token for every byte, so that any text can be
 * encoded, then words that nobody wrote, and an end token last. */
#ifndef DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_TOKENS_H
#define DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_TOKENS_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_RANDOM_TOKEN_MAX = 32, DYNO_RANDOM_TOKENS_MIN = 257 };

#define DYNO_RANDOM_END "<|end|>"

/* Token `id` of `vocab` >= DYNO_RANDOM_TOKENS_MIN, in the alphabet of byte-level vocabularies, none
 * of whose characters JSON escapes but '"' and '\\'.  Returns its bytes. */
size_t dyno_random_token(char out[DYNO_RANDOM_TOKEN_MAX], uint32_t id, uint32_t vocab);

#endif
