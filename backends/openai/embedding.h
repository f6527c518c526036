/* POST /v1/embeddings: inputs to be turned into vectors. */
#ifndef DYNO_BACKENDS_OPENAI_EMBEDDING_H
#define DYNO_BACKENDS_OPENAI_EMBEDDING_H

#include "backends/openai/prompts.h"
#include "backends/openai/request.h"

struct dyno_openai_embedding {
    struct dyno_openai_head head; /* never a stream */
    struct dyno_openai_prompts inputs;
    uint32_t dimensions; /* 0: as many as the model has */
    bool base64;         /* little-endian floats in base64, else numbers */
};

/* Parse body[size].  On success dyno_openai_embedding_release(out); on failure it is untouched. */
dyno_status dyno_openai_embedding_read(struct dyno_openai_embedding *out, const char *body,
                                       size_t size, const struct dyno_openai_rules *rules,
                                       struct dyno_openai_error *error);
void dyno_openai_embedding_release(struct dyno_openai_embedding *embedding);

#endif
