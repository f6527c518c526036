/* What is decided without the pattern is what the pattern says, on texts of few different bytes, in
 * which every alternative and every end of a piece comes up often. */
#include "backends/assets/tokenizer/ascii_pieces.h"

#include <stdio.h>
#include <string.h>

#include "backends/assets/tokenizer/patterns.h"
#include "backends/assets/tokenizer/splitter.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

enum { TEXTS = 3000, TEXT_MAX = 64, LONGEST_BYTES = 4 };

static const char *const families[] = {"gpt-2", "llama-bpe", "qwen2"};

/* White space that is no blank, U+00A0, U+3000 and U+0085; a letter, a mark, a digit and a long s
 * beyond ASCII; control characters. */
static const char *const bits[] = {"a",
                                   "s",
                                   "T",
                                   "re",
                                   "VE",
                                   "ll",
                                   "D",
                                   "m",
                                   "Z",
                                   "z",
                                   "0",
                                   "9",
                                   "12",
                                   "'",
                                   "'",
                                   "'s",
                                   "'S",
                                   "-",
                                   "/",
                                   "@",
                                   "[",
                                   "`",
                                   "{",
                                   "~",
                                   ":",
                                   " ",
                                   " ",
                                   "  ",
                                   "\t",
                                   "\v",
                                   "\f",
                                   "\r",
                                   "\n",
                                   "\n\n",
                                   "\x01",
                                   "\x1C",
                                   "\x7F",
                                   "\xC2\xA0",
                                   "\xE3\x80\x80",
                                   "\xC2\x85",
                                   "\xC3\xA9",
                                   "\xCC\x81",
                                   "\xD9\xA1",
                                   "\xC5\xBF",
                                   "\xE2\x80\x99",
                                   "\xF0\x9F\x98\x80"};

static struct dyno_splitter *open_splitter(const char *pattern)
{
    struct dyno_splitter *splitter = NULL;
    struct dyno_error error;

    ck_assert_msg(dyno_splitter_open(&splitter, pattern, strlen(pattern), &error) == DYNO_OK, "%s",
                  error.text);
    return splitter;
}

/* The pattern alone: in parentheses it is none that is known. */
static struct dyno_splitter *open_plain(const char *pattern)
{
    struct dyno_splitter *splitter;
    char wrapped[512];

    ck_assert_int_lt(snprintf(wrapped, sizeof wrapped, "(?:%s)", pattern), (int)sizeof wrapped);
    ck_assert_ptr_null(dyno_ascii_rule_of(wrapped, strlen(wrapped)));
    splitter = open_splitter(wrapped);
    return splitter;
}

static size_t random_text(struct dyno_rng *rng, char *text)
{
    size_t size = 0, most = 1 + dyno_rng_below(rng, TEXT_MAX - LONGEST_BYTES);
    size_t reach = dyno_rng_below(rng, 2) ? 37 : sizeof bits / sizeof *bits; /* ASCII, or all */

    while (size < most) {
        for (const char *bit = bits[dyno_rng_below(rng, reach)]; *bit; bit++) {
            text[size++] = *bit;
        }
    }
    return size;
}

/* How many pieces were decided. */
static uint32_t compare(const struct dyno_splitter *fast, const struct dyno_splitter *plain,
                        const struct dyno_ascii_rule *rule, struct dyno_split_scratch *scratch,
                        const char *text, size_t size)
{
    size_t starts[2] = {0, 0}, ends[2] = {0, 0}, end[2];
    uint32_t decided = 0;

    for (size_t start = 0; start < size; start = end[0]) {
        ck_assert(dyno_splitter_next(fast, scratch, text, size, start, &starts[0], &ends[0],
                                     &end[0]) == DYNO_OK);
        ck_assert(dyno_splitter_next(plain, scratch, text, size, start, &starts[1], &ends[1],
                                     &end[1]) == DYNO_OK);
        ck_assert_msg(end[0] == end[1], "'%.*s': the piece at %zu ends at %zu, not %zu", (int)size,
                      text, start, end[0], end[1]);
        decided += dyno_ascii_piece_end(rule, text, size, start) > 0;
    }
    return decided;
}

/* _i: the family. */
START_TEST(pieces_are_those_of_the_pattern)
{
    const char *pattern = dyno_pattern_of(families[_i])->pattern;
    const struct dyno_ascii_rule *rule = dyno_ascii_rule_of(pattern, strlen(pattern));
    struct dyno_splitter *fast = open_splitter(pattern), *plain = open_plain(pattern);
    struct dyno_split_scratch *scratch;
    struct dyno_error error;
    struct dyno_rng rng;
    char text[TEXT_MAX];
    uint32_t decided = 0;

    ck_assert_ptr_nonnull(rule);
    ck_assert(dyno_split_scratch_open(&scratch, &error) == DYNO_OK);
    dyno_rng_init(&rng, (uint64_t)_i, "pieces");
    for (int i = 0; i < TEXTS; i++) {
        size_t size = random_text(&rng, text);

        decided += compare(fast, plain, rule, scratch, text, size);
    }
    ck_assert_uint_gt(decided, TEXTS);
    dyno_split_scratch_close(scratch);
    dyno_splitter_close(plain);
    dyno_splitter_close(fast);
}
END_TEST

/* By hand, from the patterns: what ends where, and what only the pattern can say. */
START_TEST(ends_are_those_worked_out_by_hand)
{
    static const struct {
        const char *family, *text;
        size_t end;
    } cases[] = {
        {"qwen2", "the cat", 3},
        {"qwen2", " cat.", 4},
        {"qwen2", "\tcat", 4},
        {"qwen2", "\ncat", 1},
        {"qwen2", "(cat)", 4},
        {"qwen2", "12", 1},
        {"qwen2", " 12", 1},
        {"qwen2", "   a", 2},
        {"qwen2", " \n \n  a", 4},
        {"qwen2", "   ", 3},
        {"qwen2", "?!\n\nx", 4},
        {"qwen2", " ?!x", 3},
        {"qwen2", "'LLx", 3},
        {"qwen2", "'lx", 3},
        {"qwen2", "''s", 2},
        {"qwen2", "ab\xC3\xA9", 0},
        {"qwen2", "ab ", 2},
        {"qwen2", " \xC2\xA0", 0},
        {"qwen2", "1\xD9\xA1", 1},
        {"qwen2", "?\xC3\xA9", 0},
        {"qwen2", "?\n\xC3\xA9", 2},
        {"llama-bpe", "1234", 3},
        {"llama-bpe", "12\xD9\xA1", 0},
        {"llama-bpe", "123\xD9\xA1", 3},
        {"gpt-2", "'Sx", 1},
        {"gpt-2", "'sx", 2},
        {"gpt-2", " 1234", 5},
        {"gpt-2", "?!\n", 2},
        {"gpt-2", "\tcat", 1},
        {"gpt-2", " \n cat", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *pattern = dyno_pattern_of(cases[i].family)->pattern;
        size_t end = dyno_ascii_piece_end(dyno_ascii_rule_of(pattern, strlen(pattern)),
                                          cases[i].text, strlen(cases[i].text), 0);

        ck_assert_msg(end == cases[i].end, "%s: '%s' ends at %zu, not %zu", cases[i].family,
                      cases[i].text, end, cases[i].end);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("pieces");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, ends_are_those_worked_out_by_hand);
    tcase_add_loop_test(cases, pieces_are_those_of_the_pattern, 0,
                        sizeof families / sizeof *families);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("tokenizer/ascii_pieces", add_cases)
