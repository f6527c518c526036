/* Sampling.  Tokens are never put in order: where top-k and top-p cut, and which token a drawn
 * share falls on, is found by selection (kernels/sample_cut.h). */
#include "kernels/sample.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/isa.h"
#include "kernels/sample_cut.h"

#define ONE 0x1p44 /* the weight of the most likely token */

size_t dyno_sample_scratch(uint32_t vocab)
{
    return vocab * (sizeof(double) + sizeof(uint32_t)) + dyno_cut_scratch(vocab) + vocab +
           sizeof(uint64_t);
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

/* The tokens that are not allowed become NaN: nothing below changes a NaN. */
static void read_logits(const struct dyno_sampling *sampling, const float *logits, uint32_t vocab,
                        double *logit)
{
    for (uint32_t i = 0; i < vocab; i++) {
        logit[i] = (double)logits[i];
    }
    for (uint32_t i = 0; sampling->allowed && i < vocab; i++) {
        if (!(sampling->allowed[i / 64] >> (i % 64) & 1)) {
            logit[i] = (double)NAN;
        }
    }
    for (uint32_t i = 0; i < sampling->bias_count; i++) {
        assert(sampling->bias[i].token < vocab);
        logit[sampling->bias[i].token] += sampling->bias[i].bias;
    }
}

static bool has_penalties(const struct dyno_sampling *sampling,
                          const struct dyno_sample_history *history)
{
    bool repeated = sampling->repetition > 0.0 && sampling->repetition != 1.0;

    return history->count > 0 &&
           (repeated || sampling->presence != 0.0 || sampling->frequency != 0.0);
}

/* The choice is greedy, and no logit is changed before. */
static bool takes_largest(const struct dyno_sampling *sampling,
                          const struct dyno_sample_history *history)
{
    return sampling->temperature <= 0.0 && !sampling->allowed && sampling->bias_count == 0 &&
           !has_penalties(sampling, history);
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

static uint32_t first_allowed(const struct dyno_sampling *sampling, uint32_t vocab)
{
    uint32_t token = 0;

    while (sampling->allowed && !(sampling->allowed[token / 64] >> (token % 64) & 1)) {
        token++;
        assert(token < vocab);
    }
    return token;
}

static uint32_t largest_of(const double *logit, uint32_t vocab, uint32_t first)
{
    uint32_t best = first;

    for (uint32_t i = first; i < vocab; i++) {
        if (logit[i] > logit[best] || (isnan(logit[best]) && !isnan(logit[i]))) {
            best = i;
        }
    }
    return best;
}

/* Logits become weights, in the same place; those below min-p, those of less than one unit, and
 * NaNs are no candidates. */
static struct dyno_weighted weigh(const struct dyno_sampling *sampling, double *logit,
                                  uint32_t vocab, uint32_t best, uint32_t *token)
{
    const double below = -31.0; /* e^-31 is less than a unit */
    uint64_t *weight = (uint64_t *)(void *)logit;
    double largest = logit[best];
    uint32_t count = 0;

    for (uint32_t i = 0; i < vocab; i++) {
        double power = (logit[i] - largest) / sampling->temperature, share = 0.0;
        uint64_t units;

        if (i == best) {
            share = 1.0;
        } else if (power > below) {
            share = exp(power);
        }
        units = share >= sampling->min_p ? (uint64_t)(share * ONE) : 0;
        memcpy(&weight[i], &units, sizeof units);
        token[count] = i;
        count += units > 0;
    }
    return (struct dyno_weighted){weight, token, count};
}

static uint64_t sum_of(const struct dyno_weighted *list)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        sum += list->weight[list->token[i]];
    }
    return sum;
}

static void keep(struct dyno_weighted *list, struct dyno_cut cut)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        uint64_t weight = list->weight[list->token[i]];

        if (weight > cut.weight || (weight == cut.weight && cut.ties > 0)) {
            cut.ties -= weight == cut.weight;
            list->token[kept++] = list->token[i];
        }
    }
    list->count = kept;
}

/* Keep the `top_k` most likely, and of these the fewest that have the share `top_p`. */
static void keep_top(const struct dyno_sampling *sampling, struct dyno_weighted *list,
                     void *scratch)
{
    if (sampling->top_k > 0 && sampling->top_k < list->count) {
        keep(list, dyno_cut_at_count(*list, sampling->top_k, scratch));
    }
    if (sampling->top_p > 0.0 && sampling->top_p < 1.0) {
        uint64_t sum = sum_of(list), due = (uint64_t)ceil(sampling->top_p * (double)sum);

        due = due < 1 ? 1 : due;
        keep(list, dyno_cut_at_sum(*list, due < sum ? due : sum, scratch));
    }
}

/* The first by id whose sum with those before it is more than `share`. */
static uint32_t draw_by_id(const struct dyno_weighted *list, uint64_t share)
{
    uint64_t reached = 0;
    uint32_t i = 0;

    for (; i + 1 < list->count; i++) {
        reached += list->weight[list->token[i]];
        if (reached > share) {
            break;
        }
    }
    return list->token[i];
}

/* From the least likely up, so the cut lies behind the heaviest that have the rest of the sum. */
static uint32_t draw_by_weight(const struct dyno_weighted *list, uint64_t rest, void *scratch)
{
    struct dyno_cut cut = dyno_cut_at_sum(*list, rest, scratch);
    uint32_t i = 0;

    for (;; i++) {
        cut.ties -= list->weight[list->token[i]] == cut.weight;
        if (cut.ties == 0) {
            return list->token[i];
        }
    }
}

static uint32_t draw(const struct dyno_sampling *sampling, double *logit, uint32_t vocab,
                     uint32_t best, double uniform)
{
    uint32_t *token = (uint32_t *)(void *)(logit + vocab);
    char *behind = (char *)(token + vocab);
    void *scratch = behind + (uintptr_t)behind % sizeof(uint64_t);
    bool narrowed = sampling->top_k > 0 || (sampling->top_p > 0.0 && sampling->top_p < 1.0);
    struct dyno_weighted list = weigh(sampling, logit, vocab, best, token);
    uint64_t sum, share;

    if (narrowed) {
        keep_top(sampling, &list, scratch);
    }
    sum = sum_of(&list);
    share = (uint64_t)((unsigned __int128)sum * (uint64_t)(uniform * 0x1p53) >> 53);
    return narrowed ? draw_by_weight(&list, sum - share, scratch) : draw_by_id(&list, share);
}

uint32_t dyno_sample(const struct dyno_sampling *sampling, const float *logits, uint32_t vocab,
                     uint64_t position, const struct dyno_sample_history *history, void *scratch)
{
    double *logit = scratch;
    uint32_t best;

    assert(vocab > 0 && vocab <= DYNO_SAMPLE_VOCAB_MAX);
    if (takes_largest(sampling, history)) {
        return dyno_isa_best()->largest(logits, vocab);
    }
    read_logits(sampling, logits, vocab, logit);
    if (has_penalties(sampling, history)) {
        penalize(sampling, history, vocab, logit, (unsigned char *)(logit + vocab));
    }
    best = largest_of(logit, vocab, first_allowed(sampling, vocab));
    if (sampling->temperature <= 0.0 || isnan(logit[best])) {
        return best;
    }
    return draw(sampling, logit, vocab, best, dyno_sample_uniform(sampling->seed, position));
}
