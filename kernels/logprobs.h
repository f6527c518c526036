/* How likely tokens are by the model itself: the logarithm of the softmax of the raw logits, before
 * mask, bias, penalties, temperature and cuts (what OpenAI's `logprobs` and vLLM's default
 * `raw_logprobs` say).  In double.
 */
#ifndef DYNO_KERNELS_LOGPROBS_H
#define DYNO_KERNELS_LOGPROBS_H

#include <stdint.h>

struct dyno_logprob {
    uint32_t token;
    double logprob; /* <= 0; -INFINITY for a logit of -INFINITY or NaN */
};

/* Of `token`, which is below vocab, into *chosen; of the `top_count` most likely into
 * top[top_count], the most likely first, ties to the lowest id.  Returns how many those are: no
 * more than vocab.  O(vocab x top_count) at worst, O(vocab) where most tokens are unlikely.  If no
 * logit is finite, all are -INFINITY. */
uint32_t dyno_logprobs(const float *logits, uint32_t vocab, uint32_t token,
                       struct dyno_logprob *chosen, struct dyno_logprob *top, uint32_t top_count);

#endif
