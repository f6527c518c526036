/* Answers in chunks, as server-sent events: chat completions and completions.
 *
 * What does not change from chunk to chunk (id, object, created, model) is written once a
 * request; a chunk of plain text is that, the escaped text and a constant end, copied behind each
 * other: 262 instructions a token (tests/bench/bench_openai.c).
 *
 * A stream is: put for every choice, the first with `first`, the last with `finish`; put_usage if
 * it was asked for; put_done.  After an error: put_error, and no more.
 */
#ifndef DYNO_BACKENDS_OPENAI_STREAM_H
#define DYNO_BACKENDS_OPENAI_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/bytes.h"
#include "backends/openai/error.h"
#include "backends/openai/response.h"
#include "core/base/status.h"

struct dyno_openai_stream {
    char *head; /* [head_size]: a chunk as far as the index of its choice */
    uint32_t head_size;
    bool is_chat, include_usage;
};

/* `is_chat`: chat completions, else completions.  On success dyno_openai_stream_close.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_openai_stream_open(struct dyno_openai_stream *out,
                                    const struct dyno_openai_about *about, bool is_chat,
                                    bool include_usage);
void dyno_openai_stream_close(struct dyno_openai_stream *stream);

/* A part of a tool call.  The first part of a call has its id and name, and may have arguments; any
 * further one has arguments alone (id and name NULL). */
struct dyno_openai_call_part {
    uint32_t index; /* of the call in its choice */
    struct dyno_openai_tool_call call;
};

/* What one chunk adds to one choice.  Zero what it does not have. */
struct dyno_openai_delta {
    uint32_t index;                 /* of the choice */
    bool first;                     /* chat: the role goes with it, so it has the first token */
    enum dyno_openai_finish finish; /* UNFINISHED, but for the last */
    const char *text;               /* [text_size] */
    size_t text_size;
    size_t text_offset; /* completions with logprobs: characters of text before this chunk's */
    const struct dyno_openai_call_part *calls; /* [call_count]; chat only */
    uint32_t call_count;
    const struct dyno_openai_token *tokens; /* [token_count]; NULL: no logprobs were asked for */
    uint32_t token_count;
};

void dyno_openai_stream_put(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                            const struct dyno_openai_delta *delta);

/* The chunk with no choices, if include_usage; else nothing. */
void dyno_openai_stream_put_usage(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                                  const struct dyno_openai_usage *usage);

void dyno_openai_stream_put_done(struct dyno_bytes *out);

/* What clients raise as an error in the middle of a stream. */
void dyno_openai_stream_put_error(struct dyno_bytes *out, const struct dyno_openai_error *error);

/* A comment, which clients skip: what keeps a quiet connection open. */
void dyno_openai_stream_put_ping(struct dyno_bytes *out);

#endif
