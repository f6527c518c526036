#include "backends/engine/scoring.h"

#include <stddef.h>

#include "backends/engine/generation.h"

bool dyno_transcript_is_scored(const struct dyno_transcript *transcript)
{
    return transcript->generation && transcript->generation->ops->score &&
           transcript->count == transcript->prompt_tokens;
}

struct scoring {
    const struct dyno_transcript *transcript;
    uint32_t first, vocab;
    const float *logits;
};

static void score_some(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct scoring *scoring = argument;
    struct dyno_generation *generation = scoring->transcript->generation;

    (void)worker;
    for (uint32_t i = first; i < last; i++) {
        generation->ops->score(generation, scoring->first + i,
                               scoring->logits + (size_t)i * scoring->vocab, scoring->vocab,
                               scoring->transcript);
    }
}

void dyno_transcript_score(const struct dyno_transcript *transcript, struct dyno_team *team,
                           uint32_t first, uint32_t count, const float *logits, uint32_t vocab)
{
    struct scoring scoring = {
        .transcript = transcript, .first = first, .vocab = vocab, .logits = logits};
    uint32_t end = transcript->prompt_tokens - 1;

    if (first < end) {
        dyno_team_run(team, count < end - first ? count : end - first, 1, score_some, &scoring);
    }
}
