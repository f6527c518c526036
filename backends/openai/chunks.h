/* Chunks of a streamed answer, put together to the answer that is told as a whole.
 *
 * Texts are joined (content, reasoning, a completion's text, arguments of calls), lists of log
 * probabilities go on, parts of a tool call find each other by their index, and of everything else
 * the last word counts.  Members that are not known here are kept: what an engine adds to the API
 * comes through.  A chunk is somebody else's: whatever it holds, it is taken or refused.
 */
#ifndef DYNO_BACKENDS_OPENAI_CHUNKS_H
#define DYNO_BACKENDS_OPENAI_CHUNKS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/status.h"

enum {
    DYNO_OPENAI_CHUNK_CHOICES_MAX = 4096, /* choices of one answer */
    DYNO_OPENAI_CHUNK_CALLS_MAX = 1024,   /* tool calls of one choice */
};

/* Add `chunk`, an object, to `whole`, an object that is empty at first.  Errors: DYNO_BAD_INPUT (a
 * choice without an index), DYNO_FULL (too many), DYNO_NO_MEMORY. */
dyno_status dyno_openai_chunks_add(json_t *whole, const json_t *chunk);

/* Nothing follows: `whole` becomes a chat.completion or a text_completion.  DYNO_NO_MEMORY. */
dyno_status dyno_openai_chunks_finish(json_t *whole, bool is_chat);

#endif
