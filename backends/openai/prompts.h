/* Inputs that are text or tokens, one or several.  Only for the files of this folder and for what
 * reads their structs. */
#ifndef DYNO_BACKENDS_OPENAI_PROMPTS_H
#define DYNO_BACKENDS_OPENAI_PROMPTS_H

#include <stddef.h>
#include <stdint.h>

/* One prompt: text, or tokens. */
struct dyno_openai_prompt {
    const char *text; /* [text_size], UTF-8; NULL: it is tokens */
    size_t text_size;
    const uint32_t *tokens; /* [token_count]; NULL: it is text */
    size_t token_count;
};

struct dyno_openai_prompts {
    struct dyno_openai_prompt *list; /* [count], not empty; owned */
    size_t count;
    uint32_t *tokens; /* those of all prompts; owned */
};

void dyno_openai_prompts_release(struct dyno_openai_prompts *prompts);

#endif
