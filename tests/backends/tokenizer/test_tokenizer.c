/* Small vocabularies: ids worked out by hand, joins against an obvious oracle, texts that are hard
 * on a tokenizer, and vocabularies that are wrong. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/byte_alphabet.h"
#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "core/base/rng.h"
#include "core/base/utf8.h"
#include "tests/backends/tokenizer/small_vocabulary.h"
#include "tests/check_main.h"

static struct dyno_tokenizer *open_and_release(struct dyno_vocabulary_builder *builder)
{
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;

    ck_assert_msg(
        dyno_tokenizer_open(&tokenizer, dyno_vocabulary_builder_finish(builder), &error) == DYNO_OK,
        "%s", error.text);
    dyno_vocabulary_builder_release(builder);
    return tokenizer;
}

static void expect(const struct dyno_tokenizer *tokenizer, const char *text,
                   struct dyno_encode_options options, const uint32_t *due, size_t count)
{
    struct dyno_encoder *encoder;
    struct dyno_token_ids got;
    struct dyno_error error;

    ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
    for (int round = 0; round < 2; round++) { /* the second time from the cache */
        ck_assert_msg(dyno_encode(encoder, text, strlen(text), options, &got, &error) == DYNO_OK,
                      "%s", error.text);
        for (size_t i = 0; i < got.count && i < count; i++) {
            ck_assert_msg(got.ids[i] == due[i], "'%s': token %zu is %u, not %u", text, i,
                          got.ids[i], due[i]);
        }
        ck_assert_msg(got.count == count, "'%s': %zu tokens, not %zu", text, got.count, count);
    }
    dyno_encoder_close(encoder);
}

#define EXPECT(tokenizer, text, options, ...)                                                      \
    expect(tokenizer, text, options, (const uint32_t[]){__VA_ARGS__},                              \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static const struct dyno_encode_options plain = {0}, with_control = {.control = true},
                                        around = {.around = true};

START_TEST(every_byte_has_a_letter)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        char text[8], back[8];
        size_t size = dyno_utf8_put(text, dyno_byte_alphabet_point((unsigned char)byte)), count;

        ck_assert(dyno_byte_alphabet_read(text, size, back, &count));
        ck_assert(count == 1 && (unsigned char)back[0] == byte);
    }
    ck_assert_uint_eq(dyno_byte_alphabet_point(' '), 0x120);
    ck_assert_uint_eq(dyno_byte_alphabet_point(0), 0x100);
    ck_assert_uint_eq(dyno_byte_alphabet_point(173), 0x143);
}
END_TEST

/* Ids: 256 th, 257 the, 258 " the", 259 an, 260 and, 261 " and", 262 two spaces, 263 aa, 264 aaaa,
 * 265 é, 266 12, 267 123, 268 " t"; 269 <s>, 270 </s>, 271 <|x|>, 272 <|x|>y, 273 <tool>, 274
 * <tools>.
 */
START_TEST(merges_come_in_their_order)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "the and", plain, 257, 261);
    EXPECT(tokenizer, " the", plain, 258);
    EXPECT(tokenizer, "   the", plain, 262, 258);
    EXPECT(tokenizer, "aaaaaaa", plain, 264, 263, 'a');
    EXPECT(tokenizer, "1234", plain, 267, '4');
    EXPECT(tokenizer, " tan", plain, 268, 259);
    EXPECT(tokenizer, "\xC3\xA9\xC3", plain, 265, 0xEF, 0xBF, 0xBD);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(a_piece_that_is_a_token_is_taken_whole_if_so)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    for (int whole = 0; whole < 2; whole++) {
        small_byte_level(&builder);
        small_token(&builder, "xyz", 3, 0, DYNO_TOKEN_PLAIN); /* no merge makes it */
        builder.vocabulary.ignore_merges = whole;
        tokenizer = open_and_release(&builder);
        if (whole) {
            EXPECT(tokenizer, "xyz", plain, 275);
        } else {
            EXPECT(tokenizer, "xyz", plain, 'x', 'y', 'z');
        }
        dyno_tokenizer_close(tokenizer);
    }
}
END_TEST

START_TEST(added_tokens_come_first_and_longest)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "<tools><tool>", plain, 274, 273);
    EXPECT(tokenizer, "<s>", plain, '<', 's', '>');
    EXPECT(tokenizer, "<s>the<|x|>y<|x|>", with_control, 269, 257, 272, 271);
    EXPECT(tokenizer, "<|x|", with_control, '<', '|', 'x', '|');
    ck_assert_uint_eq(dyno_tokenizer_special(tokenizer, "</s>", 4), 270);
    ck_assert_uint_eq(dyno_tokenizer_special(tokenizer, "the", 3), UINT32_MAX);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(added_tokens_take_blanks_and_stand_alone_if_so)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    builder.tokens[271].strip_left = builder.tokens[271].strip_right = true;
    builder.tokens[273].single_word = true;
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "a \n<|x|>\xC2\xA0 b", with_control, 'a', 271, 'b');
    EXPECT(tokenizer, "<tool>", plain, 273);
    EXPECT(tokenizer, "-<tool>.", plain, '-', 273, '.');
    EXPECT(tokenizer, "x<tool>", plain, 'x', '<', 't', 'o', 'o', 'l', '>');
    EXPECT(tokenizer, "<tool>\xC3\xA9", plain, '<', 't', 'o', 'o', 'l', '>', 265);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(texts_begin_and_end_as_the_vocabulary_says)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    builder.vocabulary.add_bos = builder.vocabulary.add_eos = true;
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "the", around, 269, 257, 270);
    EXPECT(tokenizer, "", around, 269, 270);
    EXPECT(tokenizer, "the", plain, 257);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

/* SentencePiece: 259 ▁, 260 a, 261 b, 262 c, 263 ab, 264 bc, 265 ▁a, 266 ▁ab, 267 abc, 268 ▁▁,
 * 269 xy, of which x and y are no tokens. */
START_TEST(scores_decide_and_bytes_fill_in)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_spm(&builder, true);
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "abc", plain, 266, 262);       /* ab before bc; then ▁ab before abc */
    EXPECT(tokenizer, "bc a", plain, 259, 264, 265); /* the prefix is ▁ */
    EXPECT(tokenizer, " ab", plain, 259, 266);       /* ▁▁ab: ab, then ▁ab */
    EXPECT(tokenizer, "c  ", plain, 259, 262, 268); /* ▁▁ has the lower score, and nothing else */
    EXPECT(tokenizer, "xy", plain, 259, 269);       /* joined though neither is a token */
    EXPECT(tokenizer, "x", plain, 259, 3 + 'x');    /* a byte */
    EXPECT(tokenizer, "\xC3\xA9", plain, 259, 3 + 0xC3, 3 + 0xA9);
    EXPECT(tokenizer, "a<s>a", with_control, 265, 1, 265);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(unknown_characters_are_one_token_each_or_fused)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    for (int fuse = 0; fuse < 2; fuse++) {
        small_spm(&builder, false);
        builder.vocabulary.fuse_unknown = fuse;
        tokenizer = open_and_release(&builder);
        if (fuse) {
            EXPECT(tokenizer, "a!?b", plain, 265, 0, 261);
        } else {
            EXPECT(tokenizer, "a!?b", plain, 265, 0, 0, 261);
        }
        dyno_tokenizer_close(tokenizer);
    }
}
END_TEST

START_TEST(the_prefix_is_where_the_vocabulary_wants_it)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_spm(&builder, true);
    builder.vocabulary.prefix_first_only = builder.vocabulary.prefix_unless_space = true;
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "a<s>a", with_control, 265, 1, 260);
    EXPECT(tokenizer, " a", plain, 265);
    dyno_tokenizer_close(tokenizer);
    small_spm(&builder, true);
    builder.vocabulary.prefix_space = false;
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "a", plain, 260);
    dyno_tokenizer_close(tokenizer);
    small_spm(&builder, true);
    builder.vocabulary.split_words = true;
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "c  a", plain, 259, 262, 259, 265); /* no ▁▁ */
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(text_is_normalised_if_so)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    builder.vocabulary.nfc = true;
    builder.vocabulary.pattern = "";
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "e\xCC\x81", plain, 265);
    /* Dot below (class 220) goes before dot above (230): a + U+0307 U+0323 is U+1EA1 U+0307. */
    EXPECT(tokenizer, "a\xCC\x87\xCC\xA3", plain, 0xE1, 0xBA, 0xA1, 0xCC, 0x87);
    EXPECT(tokenizer, "\xE1\x84\x80\xE1\x85\xA1", plain, 0xEA, 0xB0, 0x80); /* Hangul ga */
    dyno_tokenizer_close(tokenizer);
}
END_TEST

/* A vocabulary of random merges over a, b, c and d. */
static void random_merges(struct dyno_vocabulary_builder *builder, struct dyno_rng *rng)
{
    char texts[64][32] = {"a", "b", "c", "d"};
    uint32_t count = 4;

    small_byte_level(builder);
    builder->vocabulary.pattern = "";
    builder->vocabulary.merge_count = 0;
    for (int i = 0; i < 40; i++) {
        const char *left = texts[dyno_rng_below(rng, count)];
        const char *right = texts[dyno_rng_below(rng, count)];

        if (strlen(left) + strlen(right) < 16) {
            char both[32];

            (void)small_merge(builder, left, right);
            (void)snprintf(both, sizeof both, "%s%s", left, right);
            memcpy(texts[count++], both, sizeof both);
        }
    }
    (void)dyno_vocabulary_builder_finish(builder);
}

/* Search all pairs for the first merge in the list, leftmost; do it; again. */
static size_t join_slowly(const struct dyno_vocabulary *vocabulary, uint32_t *ids, size_t count)
{
    for (;;) {
        uint32_t best = UINT32_MAX;
        size_t place = 0;

        for (size_t i = 0; i + 1 < count; i++) {
            for (uint32_t m = 0; m < vocabulary->merge_count && m < best; m++) {
                if (vocabulary->merges[m].left == ids[i] &&
                    vocabulary->merges[m].right == ids[i + 1]) {
                    best = m;
                    place = i;
                }
            }
        }
        if (best == UINT32_MAX) {
            return count;
        }
        ids[place] = vocabulary->merges[best].result;
        memmove(ids + place + 1, ids + place + 2, (count - place - 2) * sizeof *ids);
        count--;
    }
}

START_TEST(joins_agree_with_a_slow_search)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_encoder *encoder;
    struct dyno_token_ids got;
    struct dyno_error error;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "joins");
    random_merges(&builder, &rng);
    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &builder.vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
    for (int round = 0; round < 40; round++) {
        uint32_t ids[300];
        char text[300];
        size_t size = 1 + dyno_rng_below(&rng, round % 2 ? 299 : 12), count;

        for (size_t i = 0; i < size; i++) {
            text[i] = (char)('a' + dyno_rng_below(&rng, 4));
            ids[i] = (unsigned char)text[i];
        }
        count = join_slowly(&builder.vocabulary, ids, size);
        ck_assert(dyno_encode(encoder, text, size, plain, &got, &error) == DYNO_OK);
        ck_assert_msg(got.count == count && memcmp(got.ids, ids, count * sizeof *ids) == 0,
                      "seed %d, round %d: %.*s", _i, round, (int)size, text);
    }
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
    dyno_vocabulary_builder_release(&builder);
}
END_TEST

/* A megabyte that is hard on a pattern, on joining or on ordering marks comes back as it was. */
START_TEST(hard_texts_come_back)
{
    enum { SIZE = 1 << 20 };
    static const char *const units[] = {"a",
                                        " ",
                                        "\n",
                                        " \n",
                                        "1",
                                        "\xCC\x81",
                                        "\xCC\xA3\xCC\x87",
                                        "a\xCC\x81",
                                        "\xE2\x96\x81",
                                        "'",
                                        "\xE6\x97\xA5",
                                        "<",
                                        "<|x|"};
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;
    struct dyno_encoder *encoder;
    struct dyno_token_ids got;
    struct dyno_error error;
    const char *unit = units[_i / 2];
    char *text = malloc(SIZE), *back;
    size_t size = 0, back_size;

    while (size + strlen(unit) <= SIZE) {
        memcpy(text + size, unit, strlen(unit));
        size += strlen(unit);
    }
    if (_i % 2) {
        small_spm(&builder, true);
    } else {
        small_byte_level(&builder);
        builder.vocabulary.nfc = strcmp(unit, "a\xCC\x81") != 0 && strlen(unit) < 4;
    }
    tokenizer = open_and_release(&builder);
    ck_assert(dyno_encoder_open(&encoder, tokenizer, &error) == DYNO_OK);
    ck_assert_msg(dyno_encode(encoder, text, size, with_control, &got, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert(dyno_decode(tokenizer, got.ids, got.count, true, &back, &back_size, &error) ==
              DYNO_OK);
    if (_i / 2 != 8) { /* SentencePiece writes U+2581 as a space */
        ck_assert_uint_eq(back_size, size);
        ck_assert_msg(memcmp(back, text, size) == 0, "'%s' came back otherwise", unit);
    }
    free(back);
    free(text);
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

struct worker {
    const struct dyno_tokenizer *tokenizer;
    uint64_t sum;
};

static void *encode_often(void *argument)
{
    struct worker *worker = argument;
    struct dyno_encoder *encoder = NULL;
    struct dyno_token_ids got;
    char text[64];

    if (dyno_encoder_open(&encoder, worker->tokenizer, NULL) != DYNO_OK) {
        return NULL;
    }
    for (int i = 0; i < 2000; i++) {
        int size = snprintf(text, sizeof text, "the %d and <tool> %x  the", i, i * 7919);

        if (dyno_encode(encoder, text, (size_t)size, plain, &got, NULL) == DYNO_OK) {
            for (size_t k = 0; k < got.count; k++) {
                worker->sum = 31 * worker->sum + got.ids[k];
            }
        }
    }
    dyno_encoder_close(encoder);
    return NULL;
}

START_TEST(threads_share_a_tokenizer)
{
    enum { THREADS = 4 };
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;
    struct worker workers[THREADS] = {0};
    pthread_t threads[THREADS];

    small_byte_level(&builder);
    tokenizer = open_and_release(&builder);
    for (int i = 0; i < THREADS; i++) {
        workers[i].tokenizer = tokenizer;
        ck_assert(pthread_create(&threads[i], NULL, encode_often, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert(pthread_join(threads[i], NULL) == 0);
        ck_assert(workers[i].sum != 0 && workers[i].sum == workers[0].sum);
    }
    dyno_tokenizer_close(tokenizer);
}
END_TEST

static void refuse(struct dyno_vocabulary_builder *builder, dyno_status due, const char *words)
{
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error = {.text = ""};
    dyno_status status = dyno_tokenizer_open(&tokenizer, &builder->vocabulary, &error);

    ck_assert_msg(status == due && !tokenizer, "%d, not %d: %s", status, due, error.text);
    ck_assert_msg(strstr(error.text, words) != NULL, "'%s' is not in '%s'", words, error.text);
    dyno_vocabulary_builder_release(builder);
}

START_TEST(wrong_vocabularies_are_refused)
{
    struct dyno_vocabulary_builder builder;

    small_byte_level(&builder);
    builder.tokens['q'].size = 0;
    refuse(&builder, DYNO_BAD_INPUT, "byte 0x71");
    small_byte_level(&builder);
    builder.merges[3].left = 5000;
    refuse(&builder, DYNO_BAD_INPUT, "merge 3");
    small_byte_level(&builder);
    builder.merges[3].result = 'a';
    refuse(&builder, DYNO_BAD_INPUT, "merge 3");
    small_byte_level(&builder);
    builder.vocabulary.bos = 5000;
    refuse(&builder, DYNO_BAD_INPUT, "the first token 5000");
    small_byte_level(&builder);
    builder.vocabulary.add_eos = true;
    builder.vocabulary.eos = UINT32_MAX;
    refuse(&builder, DYNO_BAD_INPUT, "the last token");
    small_spm(&builder, true);
    builder.tokens[263].score = NAN;
    refuse(&builder, DYNO_BAD_INPUT, "score of token 263");
    small_spm(&builder, false);
    builder.vocabulary.unknown = UINT32_MAX;
    refuse(&builder, DYNO_BAD_INPUT, "no <0xNN>");
}
END_TEST

START_TEST(patterns_that_mean_something_else_are_refused)
{
    static const struct {
        const char *pattern;
        dyno_status due;
        const char *words;
    } cases[] = {{"a*", DYNO_BAD_INPUT, "no text at all"},
                 {"(a", DYNO_BAD_INPUT, "no regular expression"},
                 {"\\w+", DYNO_UNSUPPORTED, "escape \\w"},
                 {"^a", DYNO_UNSUPPORTED, "^ or $"},
                 {"[a[b]]", DYNO_UNSUPPORTED, "class in a class"},
                 {"[a-z&&b]", DYNO_UNSUPPORTED, "intersection"},
                 {"(*UTF)a", DYNO_UNSUPPORTED, "verb"},
                 {"\\p{Nonsense}", DYNO_BAD_INPUT, "no regular expression"},
                 {"\\pL", DYNO_UNSUPPORTED, "\\p without"},
                 {"a\\", DYNO_UNSUPPORTED, "backslash"}};
    struct dyno_vocabulary_builder builder;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_byte_level(&builder);
        builder.vocabulary.pattern = cases[i].pattern;
        refuse(&builder, cases[i].due, cases[i].words);
    }
}
END_TEST

/* Several patterns cut one after the other; U+180E is no space. */
START_TEST(patterns_cut_in_turn)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;

    small_byte_level(&builder);
    builder.vocabulary.pattern = "\\s+\ne";
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "the and", plain, 256, 'e', ' ', 260);
    dyno_tokenizer_close(tokenizer);
    small_byte_level(&builder);
    builder.vocabulary.pattern = "\\s";
    tokenizer = open_and_release(&builder);
    EXPECT(tokenizer, "aa aa", plain, 263, ' ', 263);
    EXPECT(tokenizer, "\xE1\xA0\x8E", plain, 0xE1, 0xA0, 0x8E);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("tokenizer");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_byte_has_a_letter);
    tcase_add_test(cases, merges_come_in_their_order);
    tcase_add_test(cases, a_piece_that_is_a_token_is_taken_whole_if_so);
    tcase_add_test(cases, added_tokens_come_first_and_longest);
    tcase_add_test(cases, added_tokens_take_blanks_and_stand_alone_if_so);
    tcase_add_test(cases, texts_begin_and_end_as_the_vocabulary_says);
    tcase_add_test(cases, scores_decide_and_bytes_fill_in);
    tcase_add_test(cases, unknown_characters_are_one_token_each_or_fused);
    tcase_add_test(cases, the_prefix_is_where_the_vocabulary_wants_it);
    tcase_add_test(cases, text_is_normalised_if_so);
    tcase_add_loop_test(cases, joins_agree_with_a_slow_search, 0, 20);
    tcase_add_loop_test(cases, hard_texts_come_back, 0, 26);
    tcase_add_test(cases, threads_share_a_tokenizer);
    tcase_add_test(cases, wrong_vocabularies_are_refused);
    tcase_add_test(cases, patterns_that_mean_something_else_are_refused);
    tcase_add_test(cases, patterns_cut_in_turn);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("tokenizer", add_cases)
