/* POST /v1/chat/completions: messages, for a chat template. */
#ifndef DYNO_BACKENDS_OPENAI_CHAT_H
#define DYNO_BACKENDS_OPENAI_CHAT_H

#include "backends/openai/request.h"

struct dyno_openai_chat {
    struct dyno_openai_head head;
    struct dyno_openai_sampling sampling;
    struct dyno_openai_format format;
    struct dyno_openai_tools tools;

    /* As chat templates want them, and owned: [{role, content, ...}], not empty.  `content` is a
     * string (parts are joined by line ends) or null; `developer` has become `system`; arguments of
     * earlier tool calls are objects. */
    json_t *messages;

    /* For the template: names of its own, as {"enable_thinking": false}; NULL: none. */
    const json_t *template_arguments;
};

/* Parse body[size].  On success dyno_openai_chat_release(out); on failure it is untouched. */
dyno_status dyno_openai_chat_read(struct dyno_openai_chat *out, const char *body, size_t size,
                                  const struct dyno_openai_rules *rules,
                                  struct dyno_openai_error *error);
void dyno_openai_chat_release(struct dyno_openai_chat *chat);

#endif
