/* Choosing the next token from its logits.
 *
 * In this order: the mask of allowed tokens, logit bias, penalties (repetition, then frequency and
 * presence), temperature, min-p, top-k, top-p, and one draw.  This is the definition and the only
 * version.  The draw is a function of the seed and the position alone, so a sequence comes out the
 * same in whatever batch it is computed.
 *
 * Logits are changed in double.  A token's weight is e^((logit - largest) / temperature) in whole
 * units of 2^-44, cut off: sums of weights are exact, so what is kept and drawn depends on no order
 * of addition, and a token less than 6e-14 times as likely as the most likely is never drawn.  A
 * uniform share of the sum is drawn: without top-k and top-p the tokens follow each other by id,
 * with them from the least likely to the most likely, equal ones from the highest id.
 *
 * Time is O(vocab), and that of exp where there is a temperature.
 */
#ifndef DYNO_KERNELS_SAMPLE_H
#define DYNO_KERNELS_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_SAMPLE_VOCAB_MAX = (1 << 20) - 1 };

struct dyno_logit_bias {
    uint32_t token; /* below vocab */
    double bias;    /* is added to the logit; -INFINITY bars the token */
};

/* All zero is greedy: the largest logit, ties to the lowest id. */
struct dyno_sampling {
    uint64_t seed;
    double temperature; /* logits are divided by it; 0: greedy, nothing below counts */
    uint32_t top_k;     /* the k most likely, ties to the lowest id; 0: all */
    double top_p;       /* the fewest of them that have this share of their sum; 0 or 1: all */
    double min_p;       /* those at least this likely, the most likely being 1; 0: all */

    /* Of tokens that occurred.  `repetition` counts prompt and answer: a positive logit is divided
     * by it, a negative one multiplied; 0 or 1: none (Keskar et al., 2019).  The others count the
     * answer only: the logit is lowered by presence, and by frequency for each occurrence. */
    double repetition, presence, frequency;

    const struct dyno_logit_bias *bias; /* [bias_count]; a token named twice gets both */
    uint32_t bias_count;

    /* One bit a token, bit `token % 64` of word `token / 64`; bits beyond vocab are not read.  The
     * others are never chosen.  At least one is set.  NULL: all are allowed. */
    const uint64_t *allowed;
};

/* What came before: `prompt_count` tokens of prompt, then the answer so far. */
struct dyno_sample_history {
    const uint32_t *tokens;
    uint32_t prompt_count, count;
};

/* Bytes of scratch, aligned as malloc's, for dyno_sample. */
size_t dyno_sample_scratch(uint32_t vocab);

/* The token that follows `position` tokens.  `logits` is not written; every token of the history is
 * below vocab, which is from 1 to DYNO_SAMPLE_VOCAB_MAX.  A NaN is never chosen, unless there is
 * nothing else; then it is the lowest id that is allowed. */
uint32_t dyno_sample(const struct dyno_sampling *sampling, const float *logits, uint32_t vocab,
                     uint64_t position, const struct dyno_sample_history *history, void *scratch);

/* Uniform in [0, 1), 53 bits, from (seed, position): two rounds of SplitMix64's finisher (Steele,
 * Lea and Flood, 2014). */
double dyno_sample_uniform(uint64_t seed, uint64_t position);

#endif
