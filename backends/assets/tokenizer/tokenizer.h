/* Text to token ids and back.
 *
 * A tokenizer is made from a vocabulary, is not changed after that and may be shared by threads. An
 * encoder is one thread's: buffers, and a cache of the pieces that it has met.
 *
 * Text is bytes that should be UTF-8.  What is not is replaced before anything else: each maximal
 * part that begins a character without ending it, and each byte that begins none, becomes U+FFFD.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/vocabulary.h"
#include "core/base/status.h"

enum { DYNO_TEXT_BYTES_MAX = 1 << 28 }; /* a text to encode is no longer */

struct dyno_tokenizer;
struct dyno_encoder;

/* What is made of a text besides its pieces. */
struct dyno_encode_options {
    bool control; /* the texts of CONTROL tokens become those tokens: for rendered templates, in
                     which what a user typed is fenced (fence.h) */
    bool around;  /* the tokens that the vocabulary puts before and after a text */
};

struct dyno_token_ids {
    const uint32_t *ids; /* [count] */
    size_t count;
};

/* Copies what it keeps.  On success *out is the caller's to close; on failure it is untouched.
 * Errors: DYNO_BAD_INPUT (a merge or a special id that is no token, a character that no token could
 * stand for, a score that is no number, a pattern that is no regular expression),
 * DYNO_UNSUPPORTED (the pattern), DYNO_NO_MEMORY. */
dyno_status dyno_tokenizer_open(struct dyno_tokenizer **out,
                                const struct dyno_vocabulary *vocabulary, struct dyno_error *error);
void dyno_tokenizer_close(struct dyno_tokenizer *tokenizer); /* NULL: no effect */

uint32_t dyno_tokenizer_count(const struct dyno_tokenizer *tokenizer); /* ids are below it */
uint32_t dyno_tokenizer_bos(const struct dyno_tokenizer *tokenizer);   /* UINT32_MAX: none */
uint32_t dyno_tokenizer_eos(const struct dyno_tokenizer *tokenizer);

/* What `id` stands for; the tokenizer's.  Size 0: no such token. */
struct dyno_token dyno_tokenizer_token(const struct dyno_tokenizer *tokenizer, uint32_t id);

/* The id of the CONTROL or ADDED token written text[size], or UINT32_MAX: chat templates and stop
 * tokens name tokens so. */
uint32_t dyno_tokenizer_special(const struct dyno_tokenizer *tokenizer, const char *text,
                                size_t size);

/* An encoder for a tokenizer, which must outlive it. */
dyno_status dyno_encoder_open(struct dyno_encoder **out, const struct dyno_tokenizer *tokenizer,
                              struct dyno_error *error);
void dyno_encoder_close(struct dyno_encoder *encoder); /* NULL: no effect */

/* The tokens of text[size].  *out is valid until the encoder's next call.  Errors: DYNO_FULL (a
 * text longer than DYNO_TEXT_BYTES_MAX; a pattern that needs too many steps), DYNO_NO_MEMORY. */
dyno_status dyno_encode(struct dyno_encoder *encoder, const char *text, size_t size,
                        struct dyno_encode_options options, struct dyno_token_ids *out,
                        struct dyno_error *error);

#endif
