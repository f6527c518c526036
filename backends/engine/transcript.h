/* The tokens of every request in flight: its prompt, then what was generated.
 *
 * Core never sees a token.  Whoever makes a request leaves its prompt here, under the request's
 * number; the device that computes it reads the prompt and appends what it generates; it is
 * forgotten when the request has ended.  Adding and forgetting are the loop's, from one thread; a
 * device's thread touches only the transcripts of the pass that it computes.
 */
#ifndef DYNO_BACKENDS_ENGINE_TRANSCRIPT_H
#define DYNO_BACKENDS_ENGINE_TRANSCRIPT_H

#include <stdint.h>

#include "backends/engine/errand.h"
#include "backends/engine/generation.h"
#include "core/base/status.h"

struct dyno_transcript {
    uint32_t *tokens; /* [capacity] the first `count` are known */
    uint32_t prompt_tokens, count, capacity;
    uint32_t fillers; /* that the generation was given in place of tokens that nobody computes */
    struct dyno_generation *generation; /* not owned; NULL: the most likely token, unheard */
    struct dyno_errand *errand; /* not owned; NULL: nobody but our own devices can serve it */
};

struct dyno_transcripts;

/* On success *out is closed with dyno_transcripts_close. */
dyno_status dyno_transcripts_open(struct dyno_transcripts **out);
void dyno_transcripts_close(struct dyno_transcripts *transcripts);

/* Request `id` (new) has a prompt of `prompt_tokens`, to be written by the caller into
 * (*out)->tokens, and may generate `tokens_max` more.  DYNO_NO_MEMORY on failure.  *out stays where
 * it is until it is forgotten. */
dyno_status dyno_transcripts_add(struct dyno_transcripts *transcripts, uint64_t id,
                                 uint32_t prompt_tokens, uint32_t tokens_max,
                                 struct dyno_transcript **out);

/* NULL: no such request is in flight. */
struct dyno_transcript *dyno_transcripts_find(const struct dyno_transcripts *transcripts,
                                              uint64_t id);
void dyno_transcripts_forget(struct dyno_transcripts *transcripts, uint64_t id);

#endif
