/* POST /v1/completions: prompts, as text or tokens. */
#ifndef DYNO_BACKENDS_OPENAI_COMPLETION_H
#define DYNO_BACKENDS_OPENAI_COMPLETION_H

#include "backends/openai/prompts.h"
#include "backends/openai/request.h"

/* Every prompt has sampling.choices choices; choice j of prompt i has the index i * choices + j.
 * A prompt of text may be empty.  sampling.max_tokens is always set (16 where it is not said), and
 * may be 0 where `echo` is set: then only the prompt is scored.  There are at most
 * DYNO_OPENAI_COMPLETIONS_MAX choices. */
struct dyno_openai_completion {
    struct dyno_openai_head head;
    struct dyno_openai_sampling sampling;
    struct dyno_openai_prompts prompts;
    struct dyno_openai_format format;
    bool echo; /* answer with the prompt and what follows it; logprobs are of both */
};

enum { DYNO_OPENAI_COMPLETIONS_MAX = 4096 };

/* Parse body[size].  On success dyno_openai_completion_release(out); on failure it is untouched. */
dyno_status dyno_openai_completion_read(struct dyno_openai_completion *out, const char *body,
                                        size_t size, const struct dyno_openai_rules *rules,
                                        struct dyno_openai_error *error);
void dyno_openai_completion_release(struct dyno_openai_completion *completion);

#endif
