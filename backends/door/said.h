/* Tokens of an answer with their texts and how likely they were, as answers of the API tell them.
 */
#ifndef DYNO_BACKENDS_DOOR_SAID_H
#define DYNO_BACKENDS_DOOR_SAID_H

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/door/answer.h"
#include "backends/openai/response.h"

/* Zero-initialise first. */
struct dyno_said {
    struct dyno_openai_token *tokens; /* [token_capacity] */
    uint32_t token_count, token_capacity;
    struct dyno_openai_alternative *others; /* [other_capacity], those of the first token first */
    uint32_t other_count, other_capacity;
};

void dyno_said_release(struct dyno_said *said);
void dyno_said_clear(struct dyno_said *said); /* the memory is kept */

/* Add tokens[index] of `news`.  DYNO_NO_MEMORY. */
dyno_status dyno_said_add(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                          const struct dyno_answer_news *news, uint32_t index);

/* Add the tokens of `prompt`, which are tokens of text[size]: as it was sent, or if `show_control`
 * as they are written, control tokens among them.  Offsets into it are those of the tokens' own
 * text; where the tokenizer has made another text of it (a normal form), they are near those.
 * DYNO_NO_MEMORY. */
dyno_status dyno_said_add_prompt(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                                 const struct dyno_answer_prompt *prompt, const char *text,
                                 size_t size, bool show_control);

/* The tokens added; valid until the next add. */
const struct dyno_openai_token *dyno_said_tokens(struct dyno_said *said);

#endif
