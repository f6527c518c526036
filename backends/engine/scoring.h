/* How likely a request's prompt was, for devices that compute it: which pieces are scored, and the
 * telling (generation.h's `score`), which a team shares. */
#ifndef DYNO_BACKENDS_ENGINE_SCORING_H
#define DYNO_BACKENDS_ENGINE_SCORING_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/engine/transcript.h"
#include "kernels/team.h"

/* Whether somebody wants to know what comes out at the prompt's positions.  Nothing is told twice:
 * once it has an answer, what is computed again is not scored. */
bool dyno_transcript_is_scored(const struct dyno_transcript *transcript);

/* Tell logits[count][vocab] of positions [first, first + count) of the prompt, but not its last,
 * whose own token follows elsewhere where it yields none here.  From the thread that runs the
 * team's other work. */
void dyno_transcript_score(const struct dyno_transcript *transcript, struct dyno_team *team,
                           uint32_t first, uint32_t count, const float *logits, uint32_t vocab);

#endif
