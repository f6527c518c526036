/* Streams of tokens: the text never depends on how it was cut, no character is split, and no part
 * of a stop string is shown.  The oracle looks at the whole text at once. */
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "core/base/rng.h"
#include "core/base/utf8.h"
#include "tests/backends/tokenizer/small_vocabulary.h"
#include "tests/check_main.h"

static struct dyno_tokenizer *open_small(bool spm)
{
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;

    if (spm) {
        small_spm(&builder, true);
    } else {
        small_byte_level(&builder);
    }
    ck_assert_msg(dyno_tokenizer_open(&tokenizer, &builder.vocabulary, &error) == DYNO_OK, "%s",
                  error.text);
    dyno_vocabulary_builder_release(&builder);
    return tokenizer;
}

static struct dyno_detokenizer *open_stream(const struct dyno_tokenizer *tokenizer,
                                            const struct dyno_detokenizer_options *options)
{
    struct dyno_detokenizer *detokenizer = NULL;
    struct dyno_error error;

    ck_assert_msg(dyno_detokenizer_open(&detokenizer, tokenizer, options, &error) == DYNO_OK, "%s",
                  error.text);
    return detokenizer;
}

static void expect_piece(struct dyno_text_piece piece, const char *due)
{
    ck_assert_msg(piece.size == strlen(due) && memcmp(piece.bytes, due, piece.size) == 0,
                  "'%.*s', not '%s'", (int)piece.size, piece.bytes, due);
}

START_TEST(characters_are_whole)
{
    const struct dyno_detokenizer_options options = {0};
    struct dyno_tokenizer *tokenizer = open_small(false);
    struct dyno_detokenizer *stream = open_stream(tokenizer, &options);

    expect_piece(dyno_detokenizer_push(stream, 0xE6), ""); /* E6 97 A5 */
    expect_piece(dyno_detokenizer_push(stream, 0x97), "");
    expect_piece(dyno_detokenizer_push(stream, 0xA5), "\xE6\x97\xA5");
    expect_piece(dyno_detokenizer_push(stream, 0xE6), "");
    expect_piece(dyno_detokenizer_push(stream, 257), DYNO_UTF8_REPLACEMENT "the");
    expect_piece(dyno_detokenizer_push(stream, 0xFF), DYNO_UTF8_REPLACEMENT);
    expect_piece(dyno_detokenizer_push(stream, 0xF0), "");
    expect_piece(dyno_detokenizer_push(stream, 0x9F), "");
    expect_piece(dyno_detokenizer_finish(stream), DYNO_UTF8_REPLACEMENT);
    dyno_detokenizer_close(stream);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(control_tokens_are_shown_if_asked)
{
    struct dyno_detokenizer_options options = {0};
    struct dyno_tokenizer *tokenizer = open_small(false);
    struct dyno_detokenizer *stream = open_stream(tokenizer, &options);

    expect_piece(dyno_detokenizer_push(stream, 269), "");
    expect_piece(dyno_detokenizer_push(stream, 273), "<tool>");
    expect_piece(dyno_detokenizer_push(stream, 99999), "");
    dyno_detokenizer_close(stream);
    options.show_control = true;
    stream = open_stream(tokenizer, &options);
    expect_piece(dyno_detokenizer_push(stream, 269), "<s>");
    dyno_detokenizer_close(stream);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(the_first_space_is_sentencepieces)
{
    struct dyno_detokenizer_options options = {0};
    struct dyno_tokenizer *tokenizer = open_small(true);
    struct dyno_detokenizer *stream = open_stream(tokenizer, &options);

    expect_piece(dyno_detokenizer_push(stream, 1), "");
    expect_piece(dyno_detokenizer_push(stream, 266), "ab");
    expect_piece(dyno_detokenizer_push(stream, 265), " a");
    expect_piece(dyno_detokenizer_push(stream, 3 + 0xC3), "");
    expect_piece(dyno_detokenizer_push(stream, 3 + 0xA9), "\xC3\xA9");
    dyno_detokenizer_restart(stream);
    expect_piece(dyno_detokenizer_push(stream, 268), " ");
    dyno_detokenizer_close(stream);
    options.keep_space = true;
    stream = open_stream(tokenizer, &options);
    expect_piece(dyno_detokenizer_push(stream, 266), " ab");
    dyno_detokenizer_close(stream);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(stop_strings_are_held_back)
{
    const char *stops[] = {"</end>", "\n\nUser", "aaab"};
    struct dyno_detokenizer_options options = {.stops = stops, .stop_count = 3};
    struct dyno_tokenizer *tokenizer = open_small(false);
    struct dyno_detokenizer *stream = open_stream(tokenizer, &options);

    expect_piece(dyno_detokenizer_push(stream, 'x'), "x");
    expect_piece(dyno_detokenizer_push(stream, '<'), "");
    expect_piece(dyno_detokenizer_push(stream, '/'), "");
    expect_piece(dyno_detokenizer_push(stream, 'x'), "</x");
    expect_piece(dyno_detokenizer_push(stream, 263), "");  /* aa */
    expect_piece(dyno_detokenizer_push(stream, 263), "a"); /* aaaa: the last three may stop */
    expect_piece(dyno_detokenizer_push(stream, 'b'), "");
    ck_assert_str_eq(dyno_detokenizer_stop(stream), "aaab");
    expect_piece(dyno_detokenizer_push(stream, 'x'), "");
    expect_piece(dyno_detokenizer_finish(stream), "");
    dyno_detokenizer_restart(stream);
    expect_piece(dyno_detokenizer_push(stream, '<'), "");
    expect_piece(dyno_detokenizer_finish(stream), "<");
    ck_assert_ptr_null(dyno_detokenizer_stop(stream));
    dyno_detokenizer_close(stream);
    options.include_stop = true;
    stream = open_stream(tokenizer, &options);
    expect_piece(dyno_detokenizer_push(stream, 264), "a");
    expect_piece(dyno_detokenizer_push(stream, 'b'), "aaab");
    dyno_detokenizer_close(stream);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

/* How much of the whole text is shown: up to the stop that ends first, the longest of those. */
static size_t shown_of(const char *text, size_t size, const char *const *stops, uint32_t count,
                       bool include)
{
    for (size_t end = 1; end <= size; end++) {
        size_t longest = 0;

        for (uint32_t i = 0; i < count; i++) {
            size_t length = strlen(stops[i]);

            if (length <= end && length > longest &&
                memcmp(text + end - length, stops[i], length) == 0) {
                longest = length;
            }
        }
        if (longest > 0) {
            return include ? end : end - longest;
        }
    }
    return size;
}

/* A byte where it is good for trouble: parts of stops, of characters, and what is no character. */
static uint32_t random_id(struct dyno_rng *rng)
{
    static const uint32_t ids[] = {'a',  'b',  'c', 263,  264,  0xC3, 0xA9, 0xE6,
                                   0x97, 0xA5, 265, 0xFF, 0xF0, 0x9F, 269};

    return ids[dyno_rng_below(rng, sizeof ids / sizeof *ids)];
}

START_TEST(streams_agree_with_the_whole_text)
{
    static const char *const all[] = {
        "ab", "aab", "abc", "\xC3\xA9", "a\xE6\x97\xA5", "cc", DYNO_UTF8_REPLACEMENT "a", "bcb"};
    struct dyno_tokenizer *tokenizer = open_small(false);
    struct dyno_error error;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "detokenizer");
    for (int round = 0; round < 300; round++) {
        const char *stops[3] = {all[dyno_rng_below(&rng, 8)], all[dyno_rng_below(&rng, 8)],
                                all[dyno_rng_below(&rng, 8)]};
        const struct dyno_detokenizer_options options = {.stops = stops,
                                                         .stop_count =
                                                             (uint32_t)dyno_rng_below(&rng, 4),
                                                         .include_stop = dyno_rng_below(&rng, 2)};
        struct dyno_detokenizer *stream = open_stream(tokenizer, &options);
        uint32_t ids[40], count = (uint32_t)dyno_rng_below(&rng, 40);
        size_t whole_size, due, shown = 0;
        char *whole;

        for (uint32_t i = 0; i < count; i++) {
            ids[i] = random_id(&rng);
        }
        ck_assert(dyno_decode(tokenizer, ids, count, false, &whole, &whole_size, &error) ==
                  DYNO_OK);
        due = shown_of(whole, whole_size, stops, options.stop_count, options.include_stop);
        for (uint32_t i = 0; i <= count; i++) {
            struct dyno_text_piece piece =
                i < count ? dyno_detokenizer_push(stream, ids[i]) : dyno_detokenizer_finish(stream);

            ck_assert(dyno_utf8_valid(piece.bytes, piece.size, NULL) == piece.size);
            ck_assert_msg(shown + piece.size <= due &&
                              memcmp(whole + shown, piece.bytes, piece.size) == 0,
                          "seed %d, round %d", _i, round);
            shown += piece.size;
        }
        ck_assert_msg(shown == due, "seed %d, round %d: %zu, not %zu", _i, round, shown, due);
        free(whole);
        dyno_detokenizer_close(stream);
    }
    dyno_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(wrong_stops_are_refused)
{
    static const char *const wrong[] = {"", "\xC3"};
    struct dyno_tokenizer *tokenizer = open_small(false);
    struct dyno_detokenizer *stream = NULL;
    struct dyno_error error;

    for (size_t i = 0; i < 2; i++) {
        const struct dyno_detokenizer_options options = {.stops = &wrong[i], .stop_count = 1};

        ck_assert(dyno_detokenizer_open(&stream, tokenizer, &options, &error) == DYNO_BAD_INPUT);
        ck_assert(strstr(error.text, "stop string 0") != NULL);
    }
    ck_assert(dyno_detokenizer_open(&stream, tokenizer,
                                    &(struct dyno_detokenizer_options){.stop_count = 65},
                                    &error) == DYNO_BAD_INPUT);
    ck_assert_ptr_null(stream);
    dyno_tokenizer_close(tokenizer);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("detokenizer");

    tcase_add_test(cases, characters_are_whole);
    tcase_add_test(cases, control_tokens_are_shown_if_asked);
    tcase_add_test(cases, the_first_space_is_sentencepieces);
    tcase_add_test(cases, stop_strings_are_held_back);
    tcase_add_loop_test(cases, streams_agree_with_the_whole_text, 0, 10);
    tcase_add_test(cases, wrong_stops_are_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("detokenizer", add_cases)
