/* Sampling: hand-worked choices, and frequencies against probabilities. */
#include "kernels/sample.h"

#include <math.h>

#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

static const struct dyno_sample_history nothing;

static uint32_t choose(const struct dyno_sampling *sampling, const float *logits, uint32_t vocab,
                       uint64_t position)
{
    void *scratch = malloc(dyno_sample_scratch(vocab));
    uint32_t token = dyno_sample(sampling, logits, vocab, position, &nothing, scratch);

    free(scratch);
    return token;
}

START_TEST(greedy_takes_the_largest_and_of_equals_the_first)
{
    struct dyno_sampling greedy = {.temperature = 0.0};

    ck_assert_uint_eq(choose(&greedy, (float[]){1, 3, 2}, 3, 0), 1);
    ck_assert_uint_eq(choose(&greedy, (float[]){1, 3, 3}, 3, 7), 1);
    ck_assert_uint_eq(choose(&greedy, (float[]){NAN, -3, -INFINITY}, 3, 7), 1);
    ck_assert_uint_eq(choose(&greedy, (float[]){0}, 1, 7), 0);
}
END_TEST

/* How often each of 4 tokens is drawn in 40000 positions. */
static void frequencies(const struct dyno_sampling *sampling, const float *logits, double *share)
{
    enum { DRAWS = 40000 };

    memset(share, 0, 4 * sizeof(double));
    for (uint64_t position = 0; position < DRAWS; position++) {
        share[choose(sampling, logits, 4, position)] += 1.0 / DRAWS;
    }
}

/* Probabilities 0.1, 0.4, 0.3, 0.2: what is left is drawn in proportion; the deviation of a share
 * of 40000 draws is at most 0.0025. */
static void expect_shares(struct dyno_sampling sampling, const double *due)
{
    float logits[] = {logf(0.1F), logf(0.4F), logf(0.3F), logf(0.2F)};
    double share[4];

    sampling.seed = 42;
    sampling.temperature = sampling.temperature > 0.0 ? sampling.temperature : 1.0;
    frequencies(&sampling, logits, share);
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(due[i] > 0.0 ? fabs(share[i] - due[i]) < 0.01 : share[i] == 0.0,
                      "token %d: %f, not %f", i, share[i], due[i]);
    }
}

START_TEST(draws_follow_the_probabilities)
{
    expect_shares((struct dyno_sampling){0}, (double[]){0.1, 0.4, 0.3, 0.2});
    /* Half the temperature squares them: 0.01, 0.16, 0.09, 0.04 of 0.3. */
    expect_shares((struct dyno_sampling){.temperature = 0.5},
                  (double[]){1.0 / 30, 16.0 / 30, 9.0 / 30, 4.0 / 30});
}
END_TEST

START_TEST(what_is_cut_is_never_drawn)
{
    expect_shares((struct dyno_sampling){.top_k = 2}, (double[]){0.0, 4.0 / 7, 3.0 / 7, 0.0});
    expect_shares((struct dyno_sampling){.top_k = 9}, (double[]){0.1, 0.4, 0.3, 0.2});
    /* 0.4 + 0.3 reach 0.65; of the best three, 0.9 in all, 0.4 + 0.3 reach 0.75 of it. */
    expect_shares((struct dyno_sampling){.top_p = 0.65}, (double[]){0.0, 4.0 / 7, 3.0 / 7, 0.0});
    expect_shares((struct dyno_sampling){.top_p = 0.75},
                  (double[]){0.0, 4.0 / 9, 3.0 / 9, 2.0 / 9});
    expect_shares((struct dyno_sampling){.top_p = 0.75, .top_k = 3},
                  (double[]){0.0, 4.0 / 7, 3.0 / 7, 0.0});
    expect_shares((struct dyno_sampling){.top_p = 1e-9}, (double[]){0.0, 1.0, 0.0, 0.0});
    /* At least half as likely as 0.4. */
    expect_shares((struct dyno_sampling){.min_p = 0.49},
                  (double[]){0.0, 4.0 / 9, 3.0 / 9, 2.0 / 9});
}
END_TEST

START_TEST(top_k_of_equals_keeps_the_first)
{
    struct dyno_sampling sampling = {.temperature = 1.0, .top_k = 2};
    float logits[] = {0, 1, 1, 1};
    double share[4];

    frequencies(&sampling, logits, share);
    ck_assert(share[0] == 0.0 && share[3] == 0.0);
    ck_assert_double_eq_tol(share[1], 0.5, 0.01);
}
END_TEST

/* Logits 2, 2, -1, 0; prompt 0 2, answer 1 1. */
START_TEST(penalties_by_hand)
{
    uint32_t tokens[] = {0, 2, 1, 1};
    struct dyno_sample_history history = {tokens, 2, 4};
    float logits[] = {2.0F, 2.5F, -1.0F, 0.9F};
    void *scratch = malloc(dyno_sample_scratch(4));

    /* 2 / 2 = 1, 2.5 / 2 = 1.25, -2, 0.9 */
    ck_assert_uint_eq(
        dyno_sample(&(struct dyno_sampling){.repetition = 2.0}, logits, 4, 0, &history, scratch),
        1);
    /* 2 / 2.5 = 0.8, 1, -2.5, 0.9; and less 0.2: 0.8 */
    ck_assert_uint_eq(dyno_sample(&(struct dyno_sampling){.repetition = 2.5, .presence = 0.2},
                                  logits, 4, 0, &history, scratch),
                      3);
    /* The answer's token alone: 2.5 - 2 x 0.2 = 2.1, 2.5 - 2 x 0.3 = 1.9 */
    ck_assert_uint_eq(
        dyno_sample(&(struct dyno_sampling){.frequency = 0.2}, logits, 4, 0, &history, scratch), 1);
    ck_assert_uint_eq(
        dyno_sample(&(struct dyno_sampling){.frequency = 0.3}, logits, 4, 0, &history, scratch), 0);
    free(scratch);
}
END_TEST

/* The heap against a plain look for the best, again and again. */
START_TEST(top_k_is_what_looking_k_times_finds)
{
    enum { VOCAB = 50 };
    struct dyno_rng rng;
    float logits[VOCAB];
    bool best[VOCAB] = {0};
    struct dyno_sampling sampling = {.temperature = 3.0};

    dyno_rng_init(&rng, (uint64_t)_i, "top_k");
    for (int i = 0; i < VOCAB; i++) { /* few values, many ties */
        logits[i] = (float)dyno_rng_below(&rng, 8);
    }
    sampling.top_k = 1 + (uint32_t)dyno_rng_below(&rng, VOCAB);
    for (uint32_t k = 0; k < sampling.top_k; k++) {
        int at = -1;

        for (int i = 0; i < VOCAB; i++) {
            at = !best[i] && (at < 0 || logits[i] > logits[at]) ? i : at;
        }
        best[at] = true;
    }
    for (uint64_t position = 0; position < 500; position++) {
        uint32_t token = choose(&sampling, logits, VOCAB, position);

        ck_assert_msg(best[token], "seed %d: token %u is not of the top %u", _i, token,
                      sampling.top_k);
    }
}
END_TEST

/* The definition in plain words: order all, add up, cut, draw. */
struct plain {
    uint32_t token;
    uint64_t weight;
};

static int by_weight(const void *left, const void *right)
{
    const struct plain *a = left, *b = right;

    return a->weight != b->weight ? (a->weight < b->weight ? 1 : -1)
                                  : (a->token > b->token) - (a->token < b->token);
}

static uint64_t plain_sum(const struct plain *list, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += list[i].weight;
    }
    return sum;
}

static uint32_t plain_choice(const struct dyno_sampling *sampling, const float *logits,
                             uint32_t vocab, uint64_t position)
{
    struct plain *list = array_of(vocab, sizeof *list);
    double uniform = dyno_sample_uniform(sampling->seed, position), largest = -(double)INFINITY;
    bool narrowed = sampling->top_k > 0 || (sampling->top_p > 0.0 && sampling->top_p < 1.0);
    uint32_t count = 0, kept = 0;
    uint64_t sum, share, reached = 0;

    for (uint32_t i = 0; i < vocab; i++) {
        largest = (double)logits[i] > largest ? (double)logits[i] : largest;
    }
    for (uint32_t i = 0; i < vocab; i++) {
        double weight = exp(((double)logits[i] - largest) / sampling->temperature);

        if (weight >= 0x1p-44 && weight >= sampling->min_p) {
            list[count++] = (struct plain){i, (uint64_t)(weight * 0x1p44)};
        }
    }
    if (narrowed) {
        qsort(list, count, sizeof *list, by_weight);
        count = sampling->top_k > 0 && sampling->top_k < count ? sampling->top_k : count;
        sum = plain_sum(list, count);
        while (sampling->top_p > 0.0 && sampling->top_p < 1.0 && kept < count &&
               (double)reached < ceil(sampling->top_p * (double)sum)) {
            reached += list[kept++].weight;
        }
        count = kept > 0 ? kept : count;
    }
    sum = plain_sum(list, count);
    share = (uint64_t)((unsigned __int128)sum * (uint64_t)(uniform * 0x1p53) >> 53);
    reached = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = narrowed ? count - 1 - i : i;

        reached += list[at].weight;
        if (reached > share) {
            return list[at].token;
        }
    }
    return UINT32_MAX;
}

START_TEST(selection_draws_what_sorting_draws)
{
    struct dyno_rng rng;
    struct dyno_sampling sampling;
    uint32_t vocab;
    float *logits;

    dyno_rng_init(&rng, (uint64_t)_i, "definition");
    vocab = 1 + (uint32_t)dyno_rng_below(&rng, 1500);
    logits = array_of(vocab, sizeof *logits);
    for (uint32_t i = 0; i < vocab; i++) { /* half the seeds have many equal ones */
        logits[i] = _i % 2 ? (float)dyno_rng_below(&rng, 12) : 6.0F * random_float(&rng);
    }
    sampling = (struct dyno_sampling){
        .seed = (uint64_t)_i,
        .temperature = 0.3 + 3.0 * dyno_rng_unit(&rng),
        .top_k = _i % 3 ? (uint32_t)dyno_rng_below(&rng, vocab + 2) : 0,
        .top_p = _i % 5 ? dyno_rng_unit(&rng) : 1.0,
        .min_p = _i % 7 ? 0.0 : 0.1,
    };
    for (uint64_t position = 0; position < 30; position++) {
        uint32_t due = plain_choice(&sampling, logits, vocab, position);
        uint32_t got = choose(&sampling, logits, vocab, position);

        ck_assert_msg(got == due, "seed %d, position %u: %u, not %u", _i, (unsigned)position, got,
                      due);
    }
}
END_TEST

START_TEST(only_what_is_allowed_is_chosen)
{
    uint64_t allowed[2] = {1U << 3 | 1U << 5, 1U << 2};
    struct dyno_sampling sampling = {.allowed = allowed};
    float logits[67] = {[1] = 9, [3] = 1, [5] = 2, [66] = 2};
    bool drawn[67] = {0};

    ck_assert_uint_eq(choose(&sampling, logits, 67, 0), 5);
    sampling.temperature = 1.0;
    for (uint64_t position = 0; position < 300; position++) {
        drawn[choose(&sampling, logits, 67, position)] = true;
    }
    for (uint32_t i = 0; i < 67; i++) {
        ck_assert_msg(drawn[i] == (i == 3 || i == 5 || i == 66), "token %u", i);
    }
    logits[3] = logits[5] = logits[66] = NAN;
    ck_assert_uint_eq(choose(&sampling, logits, 67, 0), 3);
}
END_TEST

START_TEST(bias_is_added_before_penalties)
{
    const struct dyno_logit_bias bias[] = {{2, 1.5}, {2, 1.0}, {1, -(double)INFINITY}};
    struct dyno_sampling sampling = {.bias = bias, .bias_count = 3};
    struct dyno_sample_history history = {(uint32_t[]){2}, 1, 1};
    float logits[] = {1.0F, 8.0F, -1.0F};
    void *scratch = malloc(dyno_sample_scratch(3));

    ck_assert_uint_eq(choose(&sampling, logits, 3, 0), 2); /* 1, none, 1.5 */
    sampling.repetition = 2.0;                             /* 1.5 / 2, not -1 x 2 + 2.5 */
    ck_assert_uint_eq(dyno_sample(&sampling, logits, 3, 0, &history, scratch), 0);
    sampling.repetition = 1.4; /* 1.5 / 1.4 = 1.07, but -1 x 1.4 + 2.5 = 1.1 */
    ck_assert_uint_eq(dyno_sample(&sampling, logits, 3, 0, &history, scratch), 2);
    logits[0] = 1.08F;
    ck_assert_uint_eq(dyno_sample(&sampling, logits, 3, 0, &history, scratch), 0);
    free(scratch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("sample");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, greedy_takes_the_largest_and_of_equals_the_first);
    tcase_add_test(tcase, draws_follow_the_probabilities);
    tcase_add_test(tcase, what_is_cut_is_never_drawn);
    tcase_add_test(tcase, top_k_of_equals_keeps_the_first);
    tcase_add_test(tcase, penalties_by_hand);
    tcase_add_loop_test(tcase, top_k_is_what_looking_k_times_finds, 0, 30);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, selection_draws_what_sorting_draws, 0, 60);
    tcase_add_test(tcase, only_what_is_allowed_is_chosen);
    tcase_add_test(tcase, bias_is_added_before_penalties);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("sample", add_cases)
