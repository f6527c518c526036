/* What somebody typed names no control token, whatever stands around it. */
#include "backends/assets/tokenizer/fence.h"

#include <stdlib.h>

#include "core/base/rng.h"
#include "tests/backends/tokenizer/small_vocabulary.h"
#include "tests/check_main.h"

enum { TEXT_MAX = 256, IDS_MAX = 1024 };

static struct dyno_vocabulary_builder builder;
static struct dyno_tokenizer *tokenizer;
static struct dyno_encoder *encoder;

static void set_up(void)
{
    struct dyno_error error;

    small_byte_level(&builder);
    ck_assert_int_eq(dyno_tokenizer_open(&tokenizer, &builder.vocabulary, &error), DYNO_OK);
    ck_assert_int_eq(dyno_encoder_open(&encoder, tokenizer, &error), DYNO_OK);
}

static void tear_down(void)
{
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
    dyno_vocabulary_builder_release(&builder);
}

/* The text with fences; to be freed. */
static char *fenced(const char *text, size_t *size)
{
    char *out = NULL;

    ck_assert_int_eq(dyno_fence(tokenizer, text, strlen(text), &out, size), DYNO_OK);
    ck_assert_uint_eq(strlen(out), *size);
    return out;
}

/* Append the tokens of text[size] to ids. */
static size_t encode(const char *text, size_t size, bool control, uint32_t *ids, size_t count)
{
    struct dyno_token_ids got;
    struct dyno_error error;

    ck_assert_int_eq(dyno_encode(encoder, text, size,
                                 (struct dyno_encode_options){.control = control}, &got, &error),
                     DYNO_OK);
    ck_assert_uint_le(count + got.count, IDS_MAX);
    if (got.count > 0) {
        memcpy(ids + count, got.ids, got.count * sizeof *ids);
    }
    return count + got.count;
}

static void assert_fenced(const char *text, const char *due)
{
    size_t size;
    char *out = fenced(text, &size);

    ck_assert_str_eq(out, due);
    free(out);
}

#define F DYNO_FENCE

START_TEST(fences_stand_where_a_control_token_begins_or_may_begin)
{
    assert_fenced("", "");
    assert_fenced("the <b> and", "the <b> and");
    assert_fenced("a<s>b</s>", "a" F "<s>b" F "</s>");
    assert_fenced("<|x|>y", F "<|x|>y");
    assert_fenced("<tool>", "<tool>"); /* a user may */
    assert_fenced("the <|x", "the " F "<|x");
    assert_fenced("the <| \n\xE2\x80\xA9", "the " F "<| \n\xE2\x80\xA9"); /* before blanks */
    assert_fenced("the <| x", "the <| x");
    assert_fenced("<<", "<" F "<");
}
END_TEST

/* Two texts that are typed around a control token of the template's. */
static void assert_apart(const char *before, const char *after, const char *seed)
{
    static const char token[] = "<|x|>";
    uint32_t due[IDS_MAX], got[IDS_MAX];
    size_t due_count, got_count, left_size, right_size, size;
    char *left = fenced(before, &left_size), *right = fenced(after, &right_size);
    size_t room = left_size + right_size + sizeof token;
    char *whole = malloc(room);

    ck_assert_ptr_nonnull(whole);
    size = (size_t)snprintf(whole, room, "%s%s%s", left, token, right);
    due_count = encode(before, strlen(before), false, due, 0);
    due_count = encode(token, strlen(token), true, due, due_count);
    due_count = encode(after, strlen(after), false, due, due_count);
    got_count = encode(whole, size, true, got, 0);
    ck_assert_msg(due_count == got_count && memcmp(due, got, due_count * sizeof *due) == 0,
                  "%s: '%s' and '%s' are not as typed", seed, before, after);
    free(left);
    free(right);
    free(whole);
}

START_TEST(a_text_between_control_tokens_is_encoded_as_it_was_typed)
{
    assert_apart("<s>", "</s>", "by hand");
    assert_apart("<|x|", "the", "by hand");
    assert_apart("the <|x|><|x|>y", "<s", "by hand");
    assert_apart("<", "|x|>", "by hand");
}
END_TEST

/* _i is the seed.  After `y` nothing can be told: with the token before it it would be <|x|>y. */
START_TEST(what_is_typed_names_no_control_token)
{
    static const char *const parts[] = {"<|x|>", "<|x", "|>",     "<s>",      "</",    "<",
                                        "s>",    ">",   "<tool>", "<tools>",  "the",   " ",
                                        "\n",    "and", "|",      "\xC3\xA9", "<|x|>y"};
    char texts[2][TEXT_MAX], seed[32];
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "fence");
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 2; i++) {
            uint64_t count = dyno_rng_below(&rng, 12);
            size_t size = 0;

            texts[i][0] = '\0';
            for (uint64_t j = 0; j < count; j++) {
                size += (size_t)snprintf(texts[i] + size, TEXT_MAX - size, "%s",
                                         parts[dyno_rng_below(&rng, sizeof parts / sizeof *parts)]);
            }
        }
        (void)snprintf(seed, sizeof seed, "seed %d, round %d", _i, round);
        assert_apart(texts[0], texts[1], seed);
    }
}
END_TEST

START_TEST(nobody_can_type_a_fence)
{
    char *out = NULL;
    size_t size;

    assert_fenced("a" F "b", "a\xEF\xBF\xBD"
                             "b");
    ck_assert_int_eq(dyno_fence(tokenizer, "<s>\xFF", 4, &out, &size), DYNO_BAD_INPUT);
    ck_assert_int_eq(dyno_fence(tokenizer, "\xE2\x80", 2, &out, &size), DYNO_BAD_INPUT);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(without_control_a_fence_is_a_character)
{
    uint32_t with[IDS_MAX], without[IDS_MAX];

    ck_assert_uint_eq(encode("a" F "b", 5, false, without, 0), 5); /* its bytes */
    ck_assert_uint_eq(encode("a" F "b", 5, true, with, 0), 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fence");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, fences_stand_where_a_control_token_begins_or_may_begin);
    tcase_add_test(cases, a_text_between_control_tokens_is_encoded_as_it_was_typed);
    tcase_add_loop_test(cases, what_is_typed_names_no_control_token, 0, 20);
    tcase_add_test(cases, nobody_can_type_a_fence);
    tcase_add_test(cases, without_control_a_fence_is_a_character);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("fence", add_cases)
