/* Seam: how the tokens of one request are chosen, and who hears of them.
 *
 * A request that comes from a client brings one with its transcript; one that comes from a trace
 * has none: the most likely token is taken and nobody hears of it.  The device calls it while the
 * request's sequence is open, one call at a time but for `score`; those of different requests, from
 * different threads at once.
 */
#ifndef DYNO_BACKENDS_ENGINE_GENERATION_H
#define DYNO_BACKENDS_ENGINE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/sample.h"

struct dyno_transcript;
struct dyno_generation;

struct dyno_generation_ops {
    /* The token behind transcript->tokens[0, count).  logits: [vocab], not to be kept; scratch:
     * dyno_sample_scratch(vocab) bytes (kernels/sample.h). */
    uint32_t (*choose)(struct dyno_generation *generation, const float *logits, uint32_t vocab,
                       const struct dyno_transcript *transcript, void *scratch);
    /* How the next token is chosen, where `choose` would do dyno_sample and nothing else, without
     * bias, mask and penalties: true, and *out is that.  A device that can do it by itself then
     * does not call `choose`.  Once it is true *out stays the same, for the device may choose the
     * tokens after that one too before it asks again.  NULL: `choose` is always called. */
    bool (*plain)(const struct dyno_generation *generation, struct dyno_sampling *out);
    /* In the place of `choose`, for one who wants no token but what the model made of the prompt:
     * state[size] is the hidden state of its last position behind the final norm, not to be kept.
     * DYNO_TOKEN_FILLER is taken next and must end the sequence.  NULL: tokens are chosen. */
    void (*embed)(struct dyno_generation *generation, const float *state, uint32_t size);
    /* The model's logits behind transcript->tokens[position], of which the next token is the
     * prompt's own: told of every position of the prompt but the last, in any order, of several at
     * once from different threads, and all before the first token is chosen.  Of what is computed
     * again, before that the same is told again, and after it nothing.  logits: [vocab], not to be
     * kept.  A prompt that is scored must not be found in a cache, for nothing can be told of what
     * is not computed.  Not every device scores: whoever lets requests in is told whether his do.
     * NULL: nobody wants to know. */
    void (*score)(struct dyno_generation *generation, uint32_t position, const float *logits,
                  uint32_t vocab, const struct dyno_transcript *transcript);
    /* `token` is the sequence's next; true: it ends there.  A device that computes nothing yields
     * DYNO_TOKEN_FILLER, and does not listen; nor does it call the three above. */
    bool (*took)(struct dyno_generation *generation, uint32_t token);
};

enum { DYNO_TOKEN_FILLER = UINT32_MAX };

struct dyno_generation {
    const struct dyno_generation_ops *ops;
};

#endif
