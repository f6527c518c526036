/* Text for answers that nobody computes: plain words, the same for the same request and place. */
#ifndef DYNO_BACKENDS_DOOR_FILLER_TEXT_H
#define DYNO_BACKENDS_DOOR_FILLER_TEXT_H

#include <stdint.h>

#include "backends/assets/tokenizer/detokenizer.h"

/* Which words an answer with stops[count] (none empty) may have: a bit each.  A word that has the
 * last byte of a stop string is left out, so that none can be met, not over several words either:
 * the answer is as long as a simulated GPU makes it and is still what was asked for. */
uint32_t dyno_filler_words(const char *const *stops, uint32_t count);

/* The text of token `index` of the answer to request `id`, of those `words`; empty if there are
 * none.  Static. */
struct dyno_text_piece dyno_filler_text(uint32_t words, uint64_t id, uint32_t index);

#endif
