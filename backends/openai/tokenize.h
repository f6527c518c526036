/* POST /tokenize and POST /detokenize, as vLLM has them. */
#ifndef DYNO_BACKENDS_OPENAI_TOKENIZE_H
#define DYNO_BACKENDS_OPENAI_TOKENIZE_H

#include "backends/openai/request.h"

/* A prompt, or messages and what else a chat template is given. */
struct dyno_openai_tokenize {
    json_t *body;       /* owned */
    const char *model;  /* NULL: whichever is served */
    const char *prompt; /* [prompt_size], UTF-8; NULL: it is messages */
    size_t prompt_size;
    json_t *messages; /* as in chat.h, owned; NULL: it is a prompt */
    struct dyno_openai_tools tools;
    const json_t *template_arguments; /* as in chat.h */
    bool add_special_tokens;    /* those that begin a text; what is not said is true for a prompt,
                                 * false for messages, whose template writes them */
    bool add_generation_prompt; /* messages: with the beginning of an answer */
};

struct dyno_openai_detokenize {
    const char *model; /* NULL: whichever is served */
    uint32_t *tokens;  /* [count], owned; may be empty and then NULL */
    size_t count;
    json_t *body; /* owned */
};

/* Parse body[size].  On success release `out`; on failure it is untouched. */
dyno_status dyno_openai_tokenize_read(struct dyno_openai_tokenize *out, const char *body,
                                      size_t size, const struct dyno_openai_rules *rules,
                                      struct dyno_openai_error *error);
void dyno_openai_tokenize_release(struct dyno_openai_tokenize *tokenize);
dyno_status dyno_openai_detokenize_read(struct dyno_openai_detokenize *out, const char *body,
                                        size_t size, const struct dyno_openai_rules *rules,
                                        struct dyno_openai_error *error);
void dyno_openai_detokenize_release(struct dyno_openai_detokenize *detokenize);

#endif
