/* A model that goes on from text: weights, tokenizer, chat template, and memory for one sequence.
 *
 * It remembers the tokens it has computed, so that a prompt which begins with them (a chat that
 * grows by one message) pays for its end only.
 */
#ifndef DYNO_CLI_MODEL_WRITER_H
#define DYNO_CLI_MODEL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/template/chat.h"
#include "backends/assets/weights.h"
#include "core/base/status.h"
#include "kernels/sample.h"

struct dyno_writer;

enum dyno_writer_end {
    DYNO_END_MODEL,   /* the model ended its text */
    DYNO_END_STOP,    /* a stop string */
    DYNO_END_LENGTH,  /* tokens_max */
    DYNO_END_CONTEXT, /* no room in the model's context */
    DYNO_END_HEARER,  /* `say` returned false */
};

struct dyno_writer_ask {
    const char *prompt; /* [prompt_size] */
    size_t prompt_size;
    bool rendered; /* from a chat template: special tokens written in it are meant */
    uint32_t tokens_max;
    struct dyno_sampling sampling;
    const char *const *stops; /* [stop_count]; not part of the answer */
    uint32_t stop_count;
    /* Hears the answer as it comes, in whole characters, nothing that is taken back; after every
     * token, though `size` may be 0, and with 0 between parts of a long prompt.  False: enough.
     */
    bool (*say)(void *listener, const char *bytes, size_t size);
    void *listener;
};

struct dyno_writer_answer {
    uint32_t prompt_tokens, reused_tokens, output_tokens;
    double prompt_s, output_s; /* computing what was not reused and the first token; the others */
    enum dyno_writer_end end;
};

/* What computes. */
struct dyno_writer_engine {
    bool on_gpu;      /* the first GPU; else the CPU */
    bool narrow;      /* there, weights of 8 bits stay so */
    uint32_t threads; /* 0: one for each core */
};

/* Open the model at `path`, and the tokenizer at `tokenizer` (NULL: where the model is, for a
 * llama2.c .bin file the tokenizer.bin beside it).  On success *out is the caller's; on failure it
 * is untouched.  Errors: those of dyno_weights_open, dyno_tokenizer_file_open and
 * dyno_cuda_solo_open, DYNO_BAD_INPUT where the two contradict each other. */
dyno_status dyno_writer_open(struct dyno_writer **out, const char *path, const char *tokenizer,
                             const struct dyno_writer_engine *engine, struct dyno_error *error);
void dyno_writer_close(struct dyno_writer *writer); /* NULL: no effect */

/* Tokens that prompt and answer may have together. */
uint32_t dyno_writer_context(const struct dyno_writer *writer);

/* How the model's makers suggest to choose tokens; the writer's. */
const struct dyno_suggested_sampling *dyno_writer_suggested(const struct dyno_writer *writer);

/* The messages in the model's chat template, ready for an answer; *out is the caller's to free.  A
 * template that asks for the date gets today's.  Errors: DYNO_UNSUPPORTED (the model has no
 * template), those of dyno_template_open and dyno_chat_render. */
dyno_status dyno_writer_render(struct dyno_writer *writer, const struct dyno_chat_message *messages,
                               uint32_t count, char **out, size_t *out_size,
                               struct dyno_error *error);

/* Go on from the prompt.  Errors: DYNO_BAD_INPUT (an empty prompt, a stop string that is no text),
 * DYNO_FULL (a prompt that leaves no room in the context; nothing was said), those of
 * dyno_cuda_solo_run. */
dyno_status dyno_writer_run(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                            struct dyno_writer_answer *answer, struct dyno_error *error);

#endif
