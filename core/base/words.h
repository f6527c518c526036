/* Words that users typed: what they may have meant, and how to show them in a sentence. */
#ifndef DYNO_CORE_BASE_WORDS_H
#define DYNO_CORE_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A search for the known word nearest to a mistyped one: start, offer every known word, ask.
 * Distance is the number of letters added, left out, changed or swapped with their neighbour; of
 * equally near words the first offered is kept.  Letters compare without case, and '-' equals '_'.
 */
struct dyno_nearest {
    const char *word;
    const char *best; /* one of those offered */
    uint32_t distance;
};

void dyno_nearest_start(struct dyno_nearest *nearest, const char *word);
void dyno_nearest_offer(struct dyno_nearest *nearest, const char *known); /* NULL: no effect */
/* The nearest word if it is near enough to be meant (a third of the letters wrong at most), or
 * NULL. */
const char *dyno_nearest_word(const struct dyno_nearest *nearest);

enum { DYNO_QUOTE_MAX = 96 };

/* `text` in single quotes for an error message: control bytes become '?', a long text is cut with
 * "...".  Returns `out`. */
const char *dyno_quote(char out[DYNO_QUOTE_MAX], const char *text);

/* Well-formed UTF-8 without control characters. */
bool dyno_text_is_clean(const char *text);

/* Make it so: every byte of what is none becomes '?'. */
void dyno_text_clean(char *text);

#endif
