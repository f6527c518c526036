/* Answers as the OpenAI API writes them: whole ones.  Streams are in stream.h.
 *
 * Writers append to a buffer and never fail by themselves (bytes.h).  Texts are UTF-8; bytes that
 * are none become U+FFFD.  Shapes: the schemas CreateChatCompletionResponse,
 * CreateCompletionResponse, CreateEmbeddingResponse and ListModelsResponse of the API, with the
 * fields that vLLM adds for load generators (`root`, `parent`, `max_model_len`). */
#ifndef DYNO_BACKENDS_OPENAI_RESPONSE_H
#define DYNO_BACKENDS_OPENAI_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/bytes.h"

enum dyno_openai_finish {
    DYNO_OPENAI_UNFINISHED, /* null: more is to come */
    DYNO_OPENAI_STOP,       /* the model's own end, or a stop string */
    DYNO_OPENAI_LENGTH,     /* max_tokens, or the context is full */
    DYNO_OPENAI_TOOL_CALLS,
};

enum { DYNO_OPENAI_ID_MAX = 64 };

/* PREFIX-32 hexadecimal digits ("chatcmpl", "cmpl", "resp", "msg", "call", ...), terminated.  The
 * two numbers are the caller's: unique ones, and unguessable if an id is to be a secret. */
void dyno_openai_id(char out[DYNO_OPENAI_ID_MAX], const char *prefix, uint64_t high, uint64_t low);

/* What an answer says of itself. */
struct dyno_openai_about {
    const char *id;
    const char *model;  /* as served, whatever alias was asked for */
    uint64_t created_s; /* seconds since 1970-01-01 UTC */
};

struct dyno_openai_usage {
    uint32_t prompt_tokens, completion_tokens;
    uint32_t cached_tokens; /* of the prompt's, found in the KV cache */
};

/* One token and how probable it was, logarithms to base e. */
struct dyno_openai_alternative {
    const char *text; /* the token's bytes; need not be UTF-8 */
    size_t size;
    float logprob;
};

struct dyno_openai_token {
    struct dyno_openai_alternative chosen;
    uint32_t characters; /* of the text that are its own: what text_offset counts */
    bool has_logprob;    /* false for the first of a prompt: null is written in completions */
    const struct dyno_openai_alternative *top; /* [top_count], most probable first */
    uint32_t top_count;
};

/* How many characters text[size] has; those that begin in it count.  What text_offset counts in. */
size_t dyno_openai_characters(const char *text, size_t size);

struct dyno_openai_tool_call {
    const char *id, *name;
    const char *arguments; /* [arguments_size]: text of a JSON object */
    size_t arguments_size;
};

/* One finished choice. */
struct dyno_openai_choice {
    uint32_t index;
    enum dyno_openai_finish finish; /* not UNFINISHED */
    const char *text;               /* [text_size]; empty beside tool calls: written as null */
    size_t text_size;
    const struct dyno_openai_tool_call *calls; /* [call_count]; chat only */
    uint32_t call_count;
    const struct dyno_openai_token *tokens; /* [token_count]; NULL: no logprobs were asked for */
    uint32_t token_count;
};

void dyno_openai_put_chat(struct dyno_bytes *out, const struct dyno_openai_about *about,
                          const struct dyno_openai_choice *choices, uint32_t count,
                          const struct dyno_openai_usage *usage);

/* With `echo`, texts and tokens begin with the prompt's. */
void dyno_openai_put_completion(struct dyno_bytes *out, const struct dyno_openai_about *about,
                                const struct dyno_openai_choice *choices, uint32_t count,
                                const struct dyno_openai_usage *usage);

/* vectors[count][dimensions], one after the other, in the order of the inputs; base64 of
 * little-endian floats if asked for. */
void dyno_openai_put_embeddings(struct dyno_bytes *out, const char *model, const float *vectors,
                                uint32_t count, uint32_t dimensions, bool base64,
                                uint64_t prompt_tokens);

struct dyno_openai_model {
    const char *id;
    const char *root;   /* what it was loaded from, or the id again */
    const char *parent; /* NULL: it is nobody's variant */
    uint64_t created_s;
    uint32_t context_tokens; /* max_model_len; 0: not known, and not said */
};

void dyno_openai_put_model(struct dyno_bytes *out, const struct dyno_openai_model *model);
void dyno_openai_put_models(struct dyno_bytes *out, const struct dyno_openai_model *models,
                            uint32_t count);

/* POST /tokenize and /detokenize. */
void dyno_openai_put_tokens(struct dyno_bytes *out, const uint32_t *tokens, uint32_t count,
                            uint32_t context_tokens);
void dyno_openai_put_detokenized(struct dyno_bytes *out, const char *text, size_t size);

#endif
