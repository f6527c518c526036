/* An answer whose prompt is scored: how likely each of its tokens was behind those before it. */
#include <math.h>
#include <stdlib.h>

#include "backends/door/answer_parts.h"
#include "backends/engine/transcript.h"

bool dyno_answer_open_scores(struct dyno_answer *answer)
{
    const struct dyno_answer_config *config = &answer->config;
    size_t count = config->prompt_tokens;

    if (!config->scores) {
        return true;
    }
    answer->prompt_scores = calloc(count, sizeof *answer->prompt_scores);
    answer->prompt_tops = calloc(count * config->top_logprobs + 1, sizeof *answer->prompt_tops);
    if (!answer->prompt_scores || !answer->prompt_tops) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        answer->prompt_scores[i] =
            (struct dyno_answer_token){.id = config->prompt[i],
                                       .logprob = {.token = config->prompt[i], .logprob = NAN},
                                       .top_first = i * config->top_logprobs};
    }
    answer->scores = (struct dyno_answer_prompt){.tokens = answer->prompt_scores,
                                                 .count = config->prompt_tokens,
                                                 .tops = answer->prompt_tops};
    return true;
}

/* Every position has a place of its own, so that several may be scored at once, and again. */
void dyno_answer_score(struct dyno_generation *generation, uint32_t position, const float *logits,
                       uint32_t vocab, const struct dyno_transcript *transcript)
{
    struct dyno_answer *answer = (void *)generation; /* its first member */
    struct dyno_answer_token *score = &answer->prompt_scores[position + 1];

    score->top_count =
        dyno_logprobs(logits, vocab, transcript->tokens[position + 1], &score->logprob,
                      answer->prompt_tops + score->top_first, answer->config.top_logprobs);
}

bool dyno_answer_is_scored(const struct dyno_answer *answer)
{
    for (uint32_t i = 1; i < answer->scores.count; i++) {
        if (isnan(answer->prompt_scores[i].logprob.logprob)) {
            return false;
        }
    }
    return true;
}
