/* Real small models, where they are at hand: the greedy text that llama.cpp gives, and the logits
 * of the double-precision oracle. */
#include <stdio.h>
#include <unistd.h>

#include "backends/cpu/forward.h"
#include "tests/backends/forward_oracle.h"
#include "tests/check_main.h"

#define MODELS "../shared/models/"

enum { LENGTH = 96 };

/* What node-llama-cpp 3.22.1 (llama.cpp) answers at temperature 0 with stories260K.f32.gguf after
 * the token 1, which begins a text. */
static const uint32_t expected[LENGTH] = {
    403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338,
    401, 396, 267, 337, 410, 408, 419, 292, 411, 322, 265, 282, 295, 433, 426, 385,
    328, 432, 358, 394, 261, 370, 432, 352, 266, 268, 388, 426, 338, 391, 266, 267,
    337, 335, 312, 432, 398, 312, 286, 267, 414, 270, 333, 415, 426, 13,  438, 310,
    439, 419, 357, 336, 432, 313, 438, 310, 432, 278, 316, 439, 419, 298, 414, 267,
    265, 282, 295, 433, 426, 436, 317, 286, 296, 418, 269, 279, 292, 416, 439, 413};

static uint32_t largest_of(const float *logits, uint32_t vocab)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < vocab; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* The greedy text after token 1: token by token, `logits` [LENGTH][vocab] of each step. */
static void greedy(const struct dyno_weights *weights, uint32_t *tokens, float *logits)
{
    uint32_t table[LENGTH / 16], vocab = weights->model.vocab;
    struct dyno_team *team = dyno_team_open(2);
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
    struct dyno_error error = {0};

    for (uint32_t i = 0; i < LENGTH / 16; i++) {
        table[i] = LENGTH / 16 - 1 - i;
    }
    ck_assert_msg(dyno_kv_storage_open(&storage, &weights->model, LENGTH / 16, 16, DYNO_ELEMENT_F32,
                                       &error) == DYNO_OK,
                  "%s", error.text);
    ck_assert_msg(
        dyno_forward_open(&forward,
                          &(struct dyno_forward_config){
                              .weights = weights, .storage = storage, .team = team, .rows_max = 1},
                          &error) == DYNO_OK,
        "%s", error.text);
    tokens[0] = 1;
    for (uint32_t i = 0; i < LENGTH; i++) {
        struct dyno_forward_slice slice = {
            .tokens = &tokens[i], .first = i, .count = 1, .table = table, .yields = true};

        dyno_forward_run(forward, &slice, 1, logits + (size_t)i * vocab);
        tokens[i + 1] = largest_of(logits + (size_t)i * vocab, vocab);
    }
    dyno_forward_close(forward);
    dyno_kv_storage_close(storage);
    dyno_team_close(team);
}

/* Opens the model, writes its greedy text, and holds every logit on the way against the oracle. */
static void run_model(const char *path, uint32_t *tokens)
{
    struct dyno_weights *weights;
    struct dyno_error error = {0};
    const double *due;
    float *logits;
    uint32_t vocab;

    ck_assert_msg(dyno_weights_open(&weights, path, &error) == DYNO_OK, "%s", error.text);
    vocab = weights->model.vocab;
    logits = array_of((size_t)LENGTH * vocab, sizeof(float));
    greedy(weights, tokens, logits);
    due = oracle_logits(weights, tokens, LENGTH);
    for (size_t i = 0; i < (size_t)LENGTH * vocab; i++) {
        ck_assert_msg(fabs((double)logits[i] - due[i]) < 1e-3,
                      "%s: logit %zu of step %zu: %g, not %g", path, i % vocab, i / vocab,
                      (double)logits[i], due[i]);
    }
    dyno_weights_close(weights);
}

START_TEST(stories_are_those_of_llama_cpp)
{
    static const char *const paths[] = {MODELS "stories260K/stories260K.f32.gguf",
                                        MODELS "stories260K/stories260K.bin"};

    for (int i = 0; i < 2; i++) {
        uint32_t tokens[LENGTH + 1];

        run_model(paths[i], tokens);
        for (uint32_t t = 0; t < LENGTH; t++) {
            ck_assert_msg(tokens[t + 1] == expected[t], "%s: token %u is %u, not %u", paths[i], t,
                          tokens[t + 1], expected[t]);
        }
    }
}
END_TEST

START_TEST(babyllama_meets_the_oracle)
{
    uint32_t tokens[LENGTH + 1];

    run_model(MODELS "babyllama/tok105-model5000.bin", tokens);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("forward_models");

    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_test(tcase, stories_are_those_of_llama_cpp);
    tcase_add_test(tcase, babyllama_meets_the_oracle);
    suite_add_tcase(suite, tcase);
}

static const char *lacking(void)
{
    return access(MODELS "README.md", R_OK) == 0 ? NULL : "the small models are not at hand";
}

DYNO_CHECK_MAIN_UNLESS("forward_models", add_cases, lacking)
