/* The tokens of a prompt as answers tell them: what they are called, how likely they were, and
 * where in the text they begin. */
#include "backends/door/said.h"

#include <math.h>

#include "tests/check_main.h"

enum { BEGIN, ONCE, A, BLOCK, FIRST_BYTE, SECOND_BYTE, ACCENTED, TOKENS };

/* SentencePiece's: a token that begins every text, words, and the two bytes of an é. */
static struct dyno_tokenizer *open_tokenizer(void)
{
    static const struct dyno_token tokens[TOKENS] = {
        [BEGIN] = {.bytes = "<s>", .size = 3, .kind = DYNO_TOKEN_CONTROL},
        [ONCE] = {.bytes = "\xe2\x96\x81Once", .size = 7, .kind = DYNO_TOKEN_PLAIN},
        [A] = {.bytes = "\xe2\x96\x81"
                        "a",
               .size = 4,
               .kind = DYNO_TOKEN_PLAIN},
        [BLOCK] = {.bytes = "\xe2\x96\x81", .size = 3, .kind = DYNO_TOKEN_PLAIN},
        [FIRST_BYTE] = {.bytes = "\xc3", .size = 1, .kind = DYNO_TOKEN_BYTE},
        [SECOND_BYTE] = {.bytes = "\xa9", .size = 1, .kind = DYNO_TOKEN_BYTE},
        [ACCENTED] = {.bytes = "\xc3\xa9", .size = 2, .kind = DYNO_TOKEN_PLAIN}};
    const struct dyno_vocabulary vocabulary = {.kind = DYNO_TOKENIZER_SPM,
                                               .tokens = tokens,
                                               .token_count = TOKENS,
                                               .prefix_space = true,
                                               .bos = BEGIN,
                                               .eos = UINT32_MAX,
                                               .unknown = A};
    struct dyno_tokenizer *tokenizer;
    struct dyno_error error;

    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    return tokenizer;
}

/* Of a prompt ids[count], told as text: how many characters are each token's. */
static void expect_characters(const uint32_t *ids, uint32_t count, const char *text,
                              bool show_control, const uint32_t *due)
{
    static const struct dyno_logprob tops[] = {{A, -0.5}, {ONCE, -INFINITY}};
    struct dyno_answer_token tokens[8];
    struct dyno_tokenizer *tokenizer = open_tokenizer();
    struct dyno_said said = {.tokens = NULL};
    const struct dyno_openai_token *all;

    for (uint32_t i = 0; i < count; i++) {
        tokens[i] = (struct dyno_answer_token){.id = ids[i],
                                               .logprob = {ids[i], i == 0 ? (double)NAN : -1.0 - i},
                                               .top_count = i == 0 ? 0 : 2};
    }
    ck_assert_int_eq(dyno_said_add_prompt(&said, tokenizer,
                                          &(struct dyno_answer_prompt){tokens, count, tops}, text,
                                          strlen(text), show_control),
                     DYNO_OK);
    ck_assert_uint_eq(said.token_count, count);
    all = dyno_said_tokens(&said);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(all[i].characters == due[i], "token %u of '%s': %u characters, not %u", i,
                      text, all[i].characters, due[i]);
        ck_assert(all[i].has_logprob == (i > 0));
        ck_assert_uint_eq(all[i].top_count, i == 0 ? 0 : 2);
        if (i > 0) {
            ck_assert_float_eq(all[i].chosen.logprob, -1.0F - (float)i);
            ck_assert_uint_eq(all[i].top[0].size, 4);
            ck_assert_float_eq(all[i].top[1].logprob, -9999.0F);
        }
    }
    dyno_said_release(&said);
    dyno_tokenizer_close(tokenizer);
}

/* What begins every text is not in it, nor is the space before its first word. */
START_TEST(tokens_have_the_characters_that_the_text_has_of_them)
{
    static const uint32_t ids[] = {BEGIN, ONCE, A, BLOCK, ACCENTED};

    expect_characters(ids, 5, "Once a \xc3\xa9", false, (const uint32_t[]){0, 4, 2, 1, 1});
    expect_characters(ids, 5, "<s> Once a \xc3\xa9", true, (const uint32_t[]){3, 5, 2, 1, 1});
    expect_characters(ids, 1, "", false, (const uint32_t[]){0});
}
END_TEST

START_TEST(a_character_is_of_the_token_that_ends_it)
{
    static const uint32_t ids[] = {ONCE, FIRST_BYTE, SECOND_BYTE, A};

    expect_characters(ids, 4, "Once\xc3\xa9 a", false, (const uint32_t[]){4, 0, 1, 2});
}
END_TEST

/* The text may be another one than its tokens make: no offset lies behind it, and what follows it
 * begins at its end. */
START_TEST(tokens_end_where_the_text_ends)
{
    static const uint32_t ids[] = {BEGIN, ONCE, ACCENTED, A};

    expect_characters(ids, 4, "Once", false, (const uint32_t[]){0, 4, 0, 0});
    expect_characters(ids, 4, "Oncee\xcc\x81 a", false, (const uint32_t[]){0, 4, 1, 3});
    expect_characters(ids, 1, "Once", false, (const uint32_t[]){4});
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("said");

    tcase_add_test(cases, tokens_have_the_characters_that_the_text_has_of_them);
    tcase_add_test(cases, a_character_is_of_the_token_that_ends_it);
    tcase_add_test(cases, tokens_end_where_the_text_ends);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("door/said", add_cases)
