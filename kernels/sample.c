/* Sampling.  Candidates are put in order only as far as top-k and top-p need: a heap yields the
 * most likely ones first. */
#include "kernels/sample.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Tokens that may still be chosen, and how likely they are: weight = e^((logit - largest) / T). */
struct candidates {
    double *weight;  /* [vocab], of each token */
    uint32_t *token; /* [count] */
    uint32_t count;
};

size_t dyno_sample_scratch(uint32_t vocab)
{
    return vocab * (sizeof(double) + sizeof(uint32_t)) + vocab;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

double dyno_sample_uniform(uint64_t seed, uint64_t position)
{
    uint64_t golden = 0x9e3779b97f4a7c15ULL;

    return (double)(mix(mix(seed + golden) + (position + 1) * golden) >> 11) * 0x1p-53;
}

static void penalize(const struct dyno_sampling *sampling,
                     const struct dyno_sample_history *history, uint32_t vocab, double *logit,
                     unsigned char *seen)
{
    enum { ANYWHERE = 1, IN_ANSWER = 2 };

    memset(seen, 0, vocab);
    for (uint32_t i = 0; i < history->count; i++) {
        uint32_t token = history->tokens[i];

        assert(token < vocab);
        if (!(seen[token] & ANYWHERE) && sampling->repetition > 0.0) {
            logit[token] = logit[token] > 0.0 ? logit[token] / sampling->repetition
                                              : logit[token] * sampling->repetition;
        }
        seen[token] |= ANYWHERE;
    }
    for (uint32_t i = history->prompt_count; i < history->count; i++) {
        uint32_t token = history->tokens[i];

        logit[token] -= sampling->frequency;
        logit[token] -= seen[token] & IN_ANSWER ? 0.0 : sampling->presence;
        seen[token] |= IN_ANSWER;
    }
}

static uint32_t largest_of(const double *logit, uint32_t vocab)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < vocab; i++) {
        if (logit[i] > logit[best] || (isnan(logit[best]) && !isnan(logit[i]))) {
            best = i;
        }
    }
    return best;
}

/* Logits become weights; those below min-p, and NaNs, are no candidates. */
static void weigh(const struct dyno_sampling *sampling, uint32_t vocab, uint32_t best,
                  struct candidates *candidates)
{
    double *weight = candidates->weight, largest = weight[best];

    for (uint32_t i = 0; i < vocab; i++) {
        weight[i] = i == best ? 1.0 : exp((weight[i] - largest) / sampling->temperature);
        if (weight[i] >= sampling->min_p && weight[i] > 0.0) {
            candidates->token[candidates->count++] = i;
        }
    }
}

static bool comes_before(const double *weight, uint32_t a, uint32_t b)
{
    return a < b ? weight[a] >= weight[b] : weight[a] > weight[b];
}

/* The subtree below `at` of the heap token[0 ... count) is in order but for its root. */
static void sift(const double *weight, uint32_t *token, uint32_t count, uint32_t at)
{
    uint32_t moved = token[at];

    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && comes_before(weight, token[child + 1], token[child])) {
            child++;
        }
        if (!comes_before(weight, token[child], moved)) {
            break;
        }
        token[at] = token[child];
    }
    token[at] = moved;
}

/* Keep the `top_k` most likely, and of these the fewest that have the share `top_p`.  What the heap
 * yields is put behind it, so the kept ones end up at the end of the array, the most likely last;
 * they are returned as a part of it. */
static struct candidates keep_top(const struct dyno_sampling *sampling,
                                  const struct candidates *all)
{
    uint32_t limit =
        sampling->top_k > 0 && sampling->top_k < all->count ? sampling->top_k : all->count;
    uint32_t *token = all->token, heap = all->count, kept = 0;
    double sum = 0.0, share = 0.0;

    for (uint32_t i = heap / 2; i-- > 0;) {
        sift(all->weight, token, heap, i);
    }
    for (uint32_t i = 0; limit == all->count && i < all->count; i++) {
        sum += all->weight[token[i]];
    }
    while (kept < limit) {
        uint32_t first = token[0];

        token[0] = token[--heap];
        sift(all->weight, token, heap, 0);
        token[heap] = first;
        kept++;
        share += all->weight[first];
        if (limit == all->count && sampling->top_p > 0.0 && share >= sampling->top_p * sum) {
            return (struct candidates){all->weight, token + heap, kept};
        }
    }
    sum = share;
    share = 0.0;
    for (uint32_t i = 0; sampling->top_p > 0.0 && i < kept; i++) {
        share += all->weight[token[all->count - 1 - i]];
        if (share >= sampling->top_p * sum) {
            kept = i + 1;
        }
    }
    return (struct candidates){all->weight, token + all->count - kept, kept};
}

/* In the order of the array: the first whose sum with those before reaches the drawn share. */
static uint32_t draw(const struct candidates *candidates, double uniform)
{
    double sum = 0.0, reached = 0.0;

    for (uint32_t i = 0; i < candidates->count; i++) {
        sum += candidates->weight[candidates->token[i]];
    }
    for (uint32_t i = 0; i + 1 < candidates->count; i++) {
        reached += candidates->weight[candidates->token[i]];
        if (reached > uniform * sum) {
            return candidates->token[i];
        }
    }
    return candidates->token[candidates->count - 1];
}

uint32_t dyno_sample(const struct dyno_sampling *sampling, const float *logits, uint32_t vocab,
                     uint64_t position, const struct dyno_sample_history *history, void *scratch)
{
    struct candidates candidates = {.weight = scratch};
    bool narrowed = sampling->top_k > 0 || (sampling->top_p > 0.0 && sampling->top_p < 1.0);
    uint32_t best;

    assert(vocab > 0);
    candidates.token = (uint32_t *)(void *)(candidates.weight + vocab);
    for (uint32_t i = 0; i < vocab; i++) {
        candidates.weight[i] = (double)logits[i];
    }
    penalize(sampling, history, vocab, candidates.weight,
             (unsigned char *)(candidates.token + vocab));
    best = largest_of(candidates.weight, vocab);
    if (sampling->temperature <= 0.0) {
        return best;
    }
    weigh(sampling, vocab, best, &candidates);
    if (narrowed) {
        candidates = keep_top(sampling, &candidates);
    }
    return draw(&candidates, dyno_sample_uniform(sampling->seed, position));
}
