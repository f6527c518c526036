/* Token ids to text, one at a time.
 *
 * What comes out is well-formed UTF-8 and never taken back: the beginning of a character is held
 * until its end is there, and what may become a stop string until it is or cannot be.  Bytes that
 * are no text become U+FFFD (see tokenizer.h); those of a token that is not a character's end at
 * the close of the text too.
 *
 * The text does not depend on how it is cut into tokens.  Of several stop strings the one counts
 * that ends first, of those that end together the longest.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_DETOKENIZER_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_DETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "core/base/status.h"

enum { DYNO_STOPS_MAX = 64, DYNO_STOP_BYTES_MAX = 1 << 12 };

struct dyno_detokenizer;

struct dyno_detokenizer_options {
    const char *const *stops; /* [stop_count]: UTF-8, not empty; copied */
    uint32_t stop_count;
    bool include_stop; /* the stop string is the end of the text */
    bool show_control; /* CONTROL tokens are shown as they are written */
    bool keep_space;   /* SentencePiece's space before the first word stays: the text continues
                          another */
};

struct dyno_text_piece {
    const char *bytes; /* [size], not terminated; valid until the next call */
    size_t size;
};

/* On success *out is the caller's to close; the tokenizer must outlive it.  Errors: DYNO_BAD_INPUT
 * (an empty stop string, one that is too long or no UTF-8, too many), DYNO_NO_MEMORY. */
dyno_status dyno_detokenizer_open(struct dyno_detokenizer **out,
                                  const struct dyno_tokenizer *tokenizer,
                                  const struct dyno_detokenizer_options *options,
                                  struct dyno_error *error);
void dyno_detokenizer_close(struct dyno_detokenizer *detokenizer); /* NULL: no effect */

/* The text that `id` lets out.  Nothing once a stop string was met.  An id that is no token has no
 * text. */
struct dyno_text_piece dyno_detokenizer_push(struct dyno_detokenizer *detokenizer, uint32_t id);

/* The text that was held, for nothing follows. */
struct dyno_text_piece dyno_detokenizer_finish(struct dyno_detokenizer *detokenizer);

/* The stop string that was met, as given; NULL: none. */
const char *dyno_detokenizer_stop(const struct dyno_detokenizer *detokenizer);

/* Forget everything: the next id begins a new text. */
void dyno_detokenizer_restart(struct dyno_detokenizer *detokenizer);

/* The text of ids[count] at once, without stops; *out is the caller's to free, terminated. */
dyno_status dyno_decode(const struct dyno_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                        bool show_control, char **out, size_t *out_size, struct dyno_error *error);

#endif
