/* Chunks.  The common one is three copies: head, text, and an end that is one of two constants. */
#include "backends/openai/stream.h"

#include <stdlib.h>
#include <string.h>

#include "backends/openai/json_text.h"
#include "backends/openai/response_parts.h"

enum { HEAD_MAX = 1 << 20, PLAIN_TEXT_MAX = 4096 };

/* Copy a literal to `at`; the place after it. */
#define COPY(at, literal) ((char *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static const char chat_text[] = ",\"delta\":{\"content\":\"";
static const char chat_end[] = "\"},\"finish_reason\":null}]}\n\n";
static const char chat_end_null[] = "\"},\"finish_reason\":null}],\"usage\":null}\n\n";
static const char text_text[] = ",\"text\":\"";
static const char text_end[] = "\",\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char text_end_null[] =
    "\",\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";

enum { ENDS_MAX = sizeof chat_text + sizeof text_end_null };

dyno_status dyno_openai_stream_open(struct dyno_openai_stream *out,
                                    const struct dyno_openai_about *about, bool is_chat,
                                    bool include_usage)
{
    struct dyno_bytes head;

    dyno_bytes_init(&head, HEAD_MAX);
    dyno_bytes_put_text(&head, "data: ");
    dyno_openai_put_about(&head, about, is_chat ? "chat.completion.chunk" : "text_completion");
    dyno_bytes_put_text(&head, ",\"choices\":[");
    if (head.status != DYNO_OK) {
        dyno_bytes_release(&head);
        return DYNO_NO_MEMORY;
    }
    *out = (struct dyno_openai_stream){head.data, (uint32_t)head.size, is_chat, include_usage};
    return DYNO_OK;
}

void dyno_openai_stream_close(struct dyno_openai_stream *stream)
{
    free(stream->head);
    stream->head = NULL;
}

static bool is_plain(const struct dyno_openai_delta *delta)
{
    return delta->index < 10 && !delta->first && delta->finish == DYNO_OPENAI_UNFINISHED &&
           delta->text_size <= PLAIN_TEXT_MAX && delta->call_count == 0 && !delta->tokens;
}

/* A chunk of text and nothing else. */
static void put_plain(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                      const struct dyno_openai_delta *delta)
{
    char *begin = dyno_bytes_reserve(out, stream->head_size + sizeof "{\"index\":0" + ENDS_MAX +
                                              delta->text_size * DYNO_JSON_ESCAPE_MAX);
    char *at = begin;

    if (!begin) {
        return;
    }
    memcpy(at, stream->head, stream->head_size);
    at = COPY(at + stream->head_size, "{\"index\":");
    *at++ = (char)('0' + delta->index);
    at = stream->is_chat ? COPY(at, chat_text) : COPY(at, text_text);
    at += dyno_json_escape(at, delta->text, delta->text_size);
    if (stream->is_chat) {
        at = stream->include_usage ? COPY(at, chat_end_null) : COPY(at, chat_end);
    } else {
        at = stream->include_usage ? COPY(at, text_end_null) : COPY(at, text_end);
    }
    out->size += (size_t)(at - begin);
}

static void put_call_parts(struct dyno_bytes *out, const struct dyno_openai_delta *delta)
{
    dyno_bytes_put_text(out, "\"tool_calls\":[");
    for (uint32_t i = 0; i < delta->call_count; i++) {
        dyno_bytes_put_text(out, i > 0 ? ",{\"index\":" : "{\"index\":");
        dyno_bytes_put_u64(out, delta->calls[i].index);
        dyno_bytes_put_text(out, ",");
        dyno_openai_put_call(out, &delta->calls[i].call);
        dyno_bytes_put_text(out, "}");
    }
    dyno_bytes_put_text(out, "]");
}

static void put_content(struct dyno_bytes *out, const struct dyno_openai_delta *delta)
{
    dyno_bytes_put_text(out, "\"content\":");
    if (delta->text_size == 0 && delta->call_count > 0) {
        dyno_bytes_put_text(out, "null");
    } else {
        dyno_json_put_string(out, delta->text, delta->text_size);
    }
}

/* The role comes with a content, as clients expect; the last chunk may have nothing at all. */
static void put_chat_delta(struct dyno_bytes *out, const struct dyno_openai_delta *delta)
{
    bool has_content = delta->first || delta->text_size > 0;

    dyno_bytes_put_text(out, ",\"delta\":{");
    if (delta->first) {
        dyno_bytes_put_text(out, "\"role\":\"assistant\",");
    }
    if (has_content) {
        put_content(out, delta);
    }
    if (delta->call_count > 0) {
        dyno_bytes_put_text(out, has_content ? "," : "");
        put_call_parts(out, delta);
    }
    dyno_bytes_put_text(out, "}");
    if (delta->tokens) {
        dyno_bytes_put_text(out, ",\"logprobs\":");
        dyno_openai_put_chat_logprobs(out, delta->tokens, delta->token_count);
    }
}

static void put_text_delta(struct dyno_bytes *out, const struct dyno_openai_delta *delta)
{
    dyno_bytes_put_text(out, ",\"text\":");
    dyno_json_put_string(out, delta->text, delta->text_size);
    dyno_bytes_put_text(out, ",\"logprobs\":");
    if (delta->tokens) {
        dyno_openai_put_text_logprobs(out, delta->tokens, delta->token_count, delta->text_offset);
    } else {
        dyno_bytes_put_text(out, "null");
    }
}

static void put_any(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                    const struct dyno_openai_delta *delta)
{
    dyno_bytes_put(out, stream->head, stream->head_size);
    dyno_bytes_put_text(out, "{\"index\":");
    dyno_bytes_put_u64(out, delta->index);
    if (stream->is_chat) {
        put_chat_delta(out, delta);
    } else {
        put_text_delta(out, delta);
    }
    dyno_bytes_put_text(out, ",\"finish_reason\":");
    dyno_openai_put_finish(out, delta->finish);
    dyno_bytes_put_text(out, stream->include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

void dyno_openai_stream_put(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                            const struct dyno_openai_delta *delta)
{
    if (is_plain(delta)) {
        put_plain(stream, out, delta);
    } else {
        put_any(stream, out, delta);
    }
}

void dyno_openai_stream_put_usage(const struct dyno_openai_stream *stream, struct dyno_bytes *out,
                                  const struct dyno_openai_usage *usage)
{
    if (stream->include_usage) {
        dyno_bytes_put(out, stream->head, stream->head_size);
        dyno_bytes_put_text(out, "],\"usage\":");
        dyno_openai_put_usage(out, usage);
        dyno_bytes_put_text(out, "}\n\n");
    }
}

void dyno_openai_stream_put_done(struct dyno_bytes *out)
{
    dyno_bytes_put_text(out, "data: [DONE]\n\n");
}

void dyno_openai_stream_put_error(struct dyno_bytes *out, const struct dyno_openai_error *error)
{
    dyno_bytes_put_text(out, "data: ");
    dyno_openai_error_put(out, error);
    dyno_bytes_put_text(out, "\n\n");
}

void dyno_openai_stream_put_ping(struct dyno_bytes *out)
{
    dyno_bytes_put_text(out, ": ping\n\n");
}
