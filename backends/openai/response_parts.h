/* Pieces that whole answers and chunks are both made of.  Only for the files of this folder. */
#ifndef DYNO_BACKENDS_OPENAI_RESPONSE_PARTS_H
#define DYNO_BACKENDS_OPENAI_RESPONSE_PARTS_H

#include "backends/openai/bytes.h"
#include "backends/openai/response.h"

/* {"id":...,"object":...,"created":...,"model":... and no end. */
void dyno_openai_put_about(struct dyno_bytes *out, const struct dyno_openai_about *about,
                           const char *object);

void dyno_openai_put_finish(struct dyno_bytes *out, enum dyno_openai_finish finish);
void dyno_openai_put_usage(struct dyno_bytes *out, const struct dyno_openai_usage *usage);

/* The members of a tool call: id and type, if it has an id; function. */
void dyno_openai_put_call(struct dyno_bytes *out, const struct dyno_openai_tool_call *call);

/* {"content":[{token, logprob, bytes, top_logprobs}],"refusal":null} */
void dyno_openai_put_chat_logprobs(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                   uint32_t count);

/* The array that is `content` above, and the same without its brackets. */
void dyno_openai_put_token_list(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                uint32_t count);
void dyno_openai_put_token_items(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                 uint32_t count);

/* {"tokens","token_logprobs","top_logprobs","text_offset"}; `offset` is the first token's, counted
 * in characters. */
void dyno_openai_put_text_logprobs(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                   uint32_t count, size_t offset);

#endif
