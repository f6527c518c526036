/* One pattern of a byte-level tokenizer, which cuts text into pieces: its matches, and what lies
 * between them.
 *
 * Patterns are written for Oniguruma or Rust's regex; they are compiled by PCRE2 after a
 * translation that keeps their meaning: \s is Unicode's White_Space (PCRE2's also has U+180E),
 * \p{Name} a general category or, with a longer name, a script.  What the engines understand
 * differently (\w \b \h \v ^ $, classes in classes) is refused.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_SPLITTER_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_SPLITTER_H

#include <stddef.h>

#include "core/base/status.h"

struct dyno_splitter;      /* shared between threads */
struct dyno_split_scratch; /* one thread's */

/* Compile pattern[size].  Errors: DYNO_BAD_INPUT (no regular expression, or one that matches
 * nothing at all), DYNO_UNSUPPORTED, DYNO_NO_MEMORY. */
dyno_status dyno_splitter_open(struct dyno_splitter **out, const char *pattern, size_t size,
                               struct dyno_error *error);
void dyno_splitter_close(struct dyno_splitter *splitter); /* NULL: no effect */

/* For any splitter, one text at a time.  DYNO_NO_MEMORY. */
dyno_status dyno_split_scratch_open(struct dyno_split_scratch **out, struct dyno_error *error);
void dyno_split_scratch_close(struct dyno_split_scratch *scratch);

/* The end of the piece of text[size] (well-formed UTF-8) that begins at `start` < size. Pieces are
 * asked for in order; *match_start and *match_end carry the next match from one call to the next
 * and are 0 at first.  Errors: DYNO_FULL (the pattern needs more steps than it is given). */
dyno_status dyno_splitter_next(const struct dyno_splitter *splitter,
                               struct dyno_split_scratch *scratch, const char *text, size_t size,
                               size_t start, size_t *match_start, size_t *match_end, size_t *end);

#endif
