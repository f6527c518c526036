/* A device in front of one that computes nothing: it says which request got how many tokens.
 *
 * A device that pretends tells core of ends and times, which is all that core asks.  A client wants
 * to hear tokens: this one keeps the decode set of every worker, and gives every generation
 * (generation.h) as many fillers as the steps of a pass yielded, when the pass is reaped.
 */
#ifndef DYNO_BACKENDS_ENGINE_FILLER_H
#define DYNO_BACKENDS_ENGINE_FILLER_H

#include "backends/engine/transcript.h"
#include "core/base/status.h"
#include "core/worker/device.h"

/* `ends_only`: workers that compute prompts for others to pull.  The token that such a prompt
 * yields goes no further, for the worker that decodes yields it again, unless it is the request's
 * last. On success *out owns `device` and is closed through its ops; on failure `device` is still
 * the caller's.  Requests without a transcript, or whose transcript has no generation, are passed
 * by. Errors: DYNO_NO_MEMORY. */
dyno_status dyno_filler_open(struct dyno_device **out, struct dyno_device *device,
                             uint32_t worker_count, uint32_t seqs_max,
                             const struct dyno_transcripts *transcripts, bool ends_only);

#endif
