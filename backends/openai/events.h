/* Answers of POST /v1/responses: the events of a stream, and whole ones.
 *
 *   response.created, response.in_progress                              [dyno_openai_events_begin]
 *   response.output_item.added, response.content_part.added             [.._text, the first of a
 * message] response.output_text.delta                                          [.._text, every one]
 *   response.output_text.done, .content_part.done, .output_item.done    [.._call or .._end, after
 * text] response.output_item.added, .function_call_arguments.delta, .function_call_arguments.done,
 * .output_item.done                    [.._call] response.completed or response.incomplete [.._end]
 *   response.failed                                                     [.._fail, instead of what
 * is left]
 *
 * Every event has a line `event:` and a sequence number; there is no [DONE].  The text of an answer
 * is said again at its end, so it is kept until then: at most DYNO_OPENAI_EVENTS_MAX bytes.
 *
 * A whole answer is the same calls in the same order, with a buffer that is emptied, and then
 * dyno_openai_events_put_whole.
 */
#ifndef DYNO_BACKENDS_OPENAI_EVENTS_H
#define DYNO_BACKENDS_OPENAI_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/bytes.h"
#include "backends/openai/error.h"
#include "backends/openai/response.h"
#include "backends/openai/responses.h"

enum { DYNO_OPENAI_EVENTS_MAX = 64 << 20 };

struct dyno_openai_events {
    char id[DYNO_OPENAI_ID_MAX];
    struct dyno_bytes echo;   /* members of the response that say the request again */
    struct dyno_bytes output; /* finished items, with commas between them */
    struct dyno_bytes delta;  /* what every delta of the open message begins with */
    struct dyno_bytes text;   /* of the open message, escaped */
    struct dyno_bytes tokens; /* of the open message: logprobs, with commas between them */
    uint64_t created_s;
    uint32_t sequence;   /* of the next event */
    uint32_t item_count; /* items that were begun */
    bool in_message;
};

/* `about` and `request` are read now and not kept.  On success dyno_openai_events_close.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_openai_events_open(struct dyno_openai_events *out,
                                    const struct dyno_openai_about *about,
                                    const struct dyno_openai_responses *request);
void dyno_openai_events_close(struct dyno_openai_events *events);

void dyno_openai_events_begin(struct dyno_openai_events *events, struct dyno_bytes *out);

/* tokens[count] of this text, or NULL: no logprobs were asked for. */
void dyno_openai_events_text(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const char *text, size_t size, const struct dyno_openai_token *tokens,
                             uint32_t count);
/* A call that is whole; or one whose arguments come in pieces: begin, any number of them, end with
 * all of it. */
void dyno_openai_events_call_begin(struct dyno_openai_events *events, struct dyno_bytes *out,
                                   const struct dyno_openai_tool_call *call);
void dyno_openai_events_call_arguments(struct dyno_openai_events *events, struct dyno_bytes *out,
                                       const char *text, size_t size);
void dyno_openai_events_call_end(struct dyno_openai_events *events, struct dyno_bytes *out,
                                 const struct dyno_openai_tool_call *call);
void dyno_openai_events_call(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const struct dyno_openai_tool_call *call);

/* LENGTH makes the response incomplete; anything else completes it. */
void dyno_openai_events_end(struct dyno_openai_events *events, struct dyno_bytes *out,
                            enum dyno_openai_finish finish, const struct dyno_openai_usage *usage,
                            uint64_t completed_s);
void dyno_openai_events_fail(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const struct dyno_openai_error *error);

/* The response itself, after dyno_openai_events_end with the same arguments. */
void dyno_openai_events_put_whole(const struct dyno_openai_events *events, struct dyno_bytes *out,
                                  enum dyno_openai_finish finish,
                                  const struct dyno_openai_usage *usage, uint64_t completed_s);

#endif
