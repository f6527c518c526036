/* Prompts for requests that come without text, as JSON values.
 *
 * A trace knows which prompts begin alike, not what they say.  Here a prompt is a row of pieces
 * (words, or token ids), each a function of the seed and of the identity that it stands under: a
 * shared identity gives the same pieces, so that the server's prefix cache really hits, and another
 * seed gives other prompts.  What stands behind the identities depends on the request's number.
 *
 * Words are common English ones, which most vocabularies have as one token each; with a tokenizer
 * only those that it has, so that the count is exact.
 */
#ifndef DYNO_BACKENDS_LOAD_PROMPT_H
#define DYNO_BACKENDS_LOAD_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/request.h"

/* Bytes that grow; zero-initialised at first. */
struct dyno_load_text {
    char *at;
    size_t size, capacity;
};

/* Room for `more` bytes beyond size.  DYNO_NO_MEMORY. */
dyno_status dyno_load_text_reserve(struct dyno_load_text *text, size_t more);
dyno_status dyno_load_text_add(struct dyno_load_text *text, const char *bytes, size_t size);
void dyno_load_text_release(struct dyno_load_text *text);

struct dyno_tokenizer;
struct dyno_prompt_maker;

struct dyno_prompt_config {
    bool as_tokens;                         /* a list of token ids, not a text */
    const struct dyno_tokenizer *tokenizer; /* NULL: not known; not kept */
    uint32_t vocabulary;   /* as_tokens without a tokenizer: ids are below it, from an eighth of it
                              up (special tokens are often the first); >= 16 */
    bool subtracts_around; /* the server puts the tokenizer's tokens around a text: make it shorter
                              by as many */
    uint64_t seed;
    uint32_t block_tokens; /* of the spans' blocks */
};

/* On success *out is closed with dyno_prompt_maker_close.  Errors: DYNO_BAD_INPUT (the tokenizer
 * has too few of the words as one token each), DYNO_NO_MEMORY. */
dyno_status dyno_prompt_maker_open(struct dyno_prompt_maker **out,
                                   const struct dyno_prompt_config *config,
                                   struct dyno_error *error);
void dyno_prompt_maker_close(struct dyno_prompt_maker *maker); /* NULL: no effect */

/* Add the request's prompt to `out`: "word word", or [1,2].  DYNO_NO_MEMORY. */
dyno_status dyno_prompt_write(const struct dyno_prompt_maker *maker,
                              const struct dyno_request *request, struct dyno_load_text *out);

#endif
