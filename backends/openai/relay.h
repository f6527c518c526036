/* A request that another server is to answer: read only as far as the way to it depends on it.
 *
 * What the request means is that server's to judge, so that fields which are not known here are
 * passed on; refused is only what could not be passed on as asked.  The body is changed in two
 * ways: `model` is left out, for every server has a name of its own for it, and the answer is asked
 * for as a stream with its usage, so that its tokens can be counted and stamped; but for
 * embeddings, of which there are no streams.
 */
#ifndef DYNO_BACKENDS_OPENAI_RELAY_H
#define DYNO_BACKENDS_OPENAI_RELAY_H

#include "backends/openai/request.h"

enum dyno_openai_relay_kind {
    DYNO_OPENAI_RELAY_CHAT,
    DYNO_OPENAI_RELAY_COMPLETION,
    DYNO_OPENAI_RELAY_RESPONSE,
    DYNO_OPENAI_RELAY_EMBEDDING,
};

struct dyno_openai_relay {
    struct dyno_openai_head head; /* as the client asked; its body is the changed one */
    json_t *model;                /* what head.model lies in; owned */
    uint32_t max_tokens;          /* 0: not said, or not in a way that is known here */
};

/* Parse body[size].  On success dyno_openai_relay_release(out); on failure it is untouched. */
dyno_status dyno_openai_relay_read(struct dyno_openai_relay *out, enum dyno_openai_relay_kind kind,
                                   const char *body, size_t size,
                                   const struct dyno_openai_rules *rules,
                                   struct dyno_openai_error *error);
void dyno_openai_relay_release(struct dyno_openai_relay *relay);

/* What the model will read, as a text that begins alike for requests whose prompts begin alike:
 * tools, instructions, and messages, input or prompt.  Not what a template makes of it. */
void dyno_openai_relay_put_prompt(struct dyno_bytes *out, const struct dyno_openai_relay *relay);

#endif
