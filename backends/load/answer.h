/* What one chunk of a streamed answer says: a chat.completion.chunk or a text_completion of the
 * OpenAI interface, or an error in its place. */
#ifndef DYNO_BACKENDS_LOAD_ANSWER_H
#define DYNO_BACKENDS_LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DYNO_ANSWER_MESSAGE_MAX = 160 };

struct dyno_answer_chunk {
    bool is_done;     /* the word [DONE] */
    bool has_choices; /* at least one */
    bool has_text;    /* of a choice: text, content, reasoning, or part of a tool call */
    bool is_finished; /* a finish_reason */
    bool has_error;
    bool has_usage, has_cached;
    uint32_t prompt_tokens, output_tokens, cached_tokens; /* of the usage */
    char message[DYNO_ANSWER_MESSAGE_MAX]; /* of the error: printable, cut; may be empty */
};

/* Read data[size]; false: it is no JSON object. */
bool dyno_answer_read(struct dyno_answer_chunk *out, const char *data, size_t size);

#endif
