/* Text for answers that nobody computes: plain words, the same for the same request and place. */
#ifndef DYNO_BACKENDS_DOOR_FILLER_TEXT_H
#define DYNO_BACKENDS_DOOR_FILLER_TEXT_H

#include <stdint.h>

#include "backends/assets/tokenizer/detokenizer.h"

/* The text of token `index` of the answer to request `id`; static. */
struct dyno_text_piece dyno_filler_text(uint64_t id, uint32_t index);

#endif
