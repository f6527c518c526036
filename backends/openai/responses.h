/* POST /v1/responses: items, for a chat template. */
#ifndef DYNO_BACKENDS_OPENAI_RESPONSES_H
#define DYNO_BACKENDS_OPENAI_RESPONSES_H

#include "backends/openai/request.h"

struct dyno_openai_responses {
    struct dyno_openai_head head;
    struct dyno_openai_sampling sampling; /* one choice */
    struct dyno_openai_format format;
    struct dyno_openai_tools tools;

    /* As in chat.h, and owned: the instructions as a system message, then the input. */
    json_t *messages;
    const char *instructions;         /* NULL: none */
    const json_t *metadata;           /* to be said again in the answer; NULL: none */
    const json_t *template_arguments; /* as in chat.h */
};

/* Parse body[size].  On success dyno_openai_responses_release(out); on failure it is untouched. */
dyno_status dyno_openai_responses_read(struct dyno_openai_responses *out, const char *body,
                                       size_t size, const struct dyno_openai_rules *rules,
                                       struct dyno_openai_error *error);
void dyno_openai_responses_release(struct dyno_openai_responses *responses);

#endif
