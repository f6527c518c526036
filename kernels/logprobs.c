/* Log probabilities: the largest logit, the sum of what is left of it, and a short list kept in
 * order by insertion. */
#include "kernels/logprobs.h"

#include <assert.h>
#include <math.h>

/* A NaN is as unlikely as can be. */
static double logit_of(float logit)
{
    return isnan(logit) ? -(double)INFINITY : (double)logit;
}

/* A logprob is (logit - largest) - log_of_sum: in this order nothing overflows or is swallowed. */
struct total {
    double largest, log_of_sum;
};

static struct total total_of(const float *logits, uint32_t vocab)
{
    struct total total = {.largest = logit_of(logits[0])};
    double sum = 0.0; /* of what is finite: the largest alone is 1 */

    for (uint32_t i = 1; i < vocab; i++) {
        total.largest = logit_of(logits[i]) > total.largest ? logit_of(logits[i]) : total.largest;
    }
    for (uint32_t i = 0; isfinite(total.largest) && i < vocab; i++) {
        sum += exp(logit_of(logits[i]) - total.largest);
    }
    total.log_of_sum = sum > 0.0 ? log(sum) : 0.0;
    return total;
}

static double logprob_of(const float *logits, uint32_t token, struct total total)
{
    double logit = logit_of(logits[token]);

    return isinf(total.largest) || isinf(logit) ? -(double)INFINITY
                                                : logit - total.largest - total.log_of_sum;
}

uint32_t dyno_logprobs(const float *logits, uint32_t vocab, uint32_t token,
                       struct dyno_logprob *chosen, struct dyno_logprob *top, uint32_t top_count)
{
    struct total total = total_of(logits, vocab);
    uint32_t count = 0;

    assert(token < vocab);
    *chosen = (struct dyno_logprob){token, logprob_of(logits, token, total)};
    for (uint32_t i = 0; top_count > 0 && i < vocab; i++) {
        double logit = logit_of(logits[i]);
        uint32_t at;

        if (count == top_count && !(logit > logit_of(logits[top[count - 1].token]))) {
            continue;
        }
        at = count < top_count ? count++ : count - 1;
        for (; at > 0 && logit > logit_of(logits[top[at - 1].token]); at--) {
            top[at] = top[at - 1];
        }
        top[at].token = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        top[i].logprob = logprob_of(logits, top[i].token, total);
    }
    return count;
}
