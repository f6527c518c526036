/* Prompts for requests that come without text: a source in front of another one.
 *
 * A trace knows which prompts begin alike, not what they say.  This makes the tokens: those of a
 * span's block are a function of the span's identity, the block and the place in it, those behind
 * the spans of the request's number.  So prompts that share identities share tokens, a prefix cache
 * really hits, and both worlds have the same equalities.
 */
#ifndef DYNO_BACKENDS_ENGINE_PROMPTS_H
#define DYNO_BACKENDS_ENGINE_PROMPTS_H

#include "backends/engine/transcript.h"
#include "core/run/source.h"

struct dyno_prompts_config {
    struct dyno_source *source;           /* who asks; closed with the new one */
    struct dyno_transcripts *transcripts; /* where prompts are left; not owned */
    uint32_t block_tokens;                /* of the engine */
    uint32_t vocab;                       /* tokens are below it */
    uint32_t context_max; /* requests whose prompt does not fit leave none: they will be refused */
};

/* On success *out owns config->source and is closed through its ops; on failure it is still the
 * caller's.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_prompts_open(struct dyno_source **out, const struct dyno_prompts_config *config);

#endif
