/* Identities: from a trace's blocks to the engine's. */
#include "tests/check_main.h"
#include "tests/traces/support.h"
#include "traces/row.h"

/* A row of `count` trace blocks with identities 1, 2, ..., or `last` for the last one. */
static struct dyno_row row_of(uint32_t input_tokens, uint32_t trace_tokens, uint32_t count,
                              uint64_t last)
{
    struct dyno_row row = {.input_tokens = input_tokens};

    for (uint32_t i = 0; i < count; i++) {
        ck_assert(dyno_row_add_segment(&row, i + 1 == count ? last : i + 1, 0));
    }
    dyno_row_chain(&row, trace_tokens);
    return row;
}

static void ck_blocks(uint32_t input_tokens, uint32_t trace_tokens, uint32_t block_tokens,
                      const char *expected)
{
    uint32_t count = (input_tokens + trace_tokens - 1) / trace_tokens, span_count;
    struct dyno_row row = row_of(input_tokens, trace_tokens, count, count);
    struct dyno_span spans[64];
    char text[256] = "";

    span_count = dyno_row_spans(&row, block_tokens, spans);
    for (uint32_t i = 0; i < span_count; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "",
                       spans[i].blocks);
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%u tokens, %u -> %u: \"%s\", not \"%s\"",
                  input_tokens, trace_tokens, block_tokens, text, expected);
    dyno_row_release(&row);
}

START_TEST(whole_blocks_are_spread_over_the_trace_blocks_they_end_in)
{
    ck_blocks(1300, 512, 16, "32 32 17"); /* 276 tokens left: 17 whole blocks */
    ck_blocks(1024, 512, 512, "1 1");
    ck_blocks(1023, 512, 512, "1");
    ck_blocks(64, 16, 64, "1"); /* trace blocks smaller than the engine's: only the 4th ends one */
    ck_blocks(200, 16, 64, "1 1 1");
    ck_blocks(96, 48, 32, "1 2"); /* neither divides the other: ends at 32 | 64, 96 */
    ck_blocks(100, 48, 32, "1 2");
    ck_blocks(10, 3, 4, "1 1"); /* blocks end at 4 (in [3,6)) and 8 (in [6,9)) */
    ck_blocks(7, 512, 16, "");
}
END_TEST

START_TEST(equal_prefixes_have_equal_identities_and_no_others)
{
    struct dyno_row one = row_of(1536, 512, 3, 9), two = row_of(1536, 512, 3, 8);
    struct dyno_row other = row_of(1024, 512, 2, 9);
    struct dyno_span a[3], b[3], c[2];

    dyno_row_spans(&one, 16, a);
    dyno_row_spans(&two, 16, b);
    dyno_row_spans(&other, 16, c);
    ck_assert_uint_eq(a[0].id, b[0].id);
    ck_assert_uint_eq(a[1].id, b[1].id);
    ck_assert_uint_ne(a[2].id, b[2].id);
    ck_assert_uint_eq(c[0].id, a[0].id);
    ck_assert_uint_ne(c[1].id, a[2].id); /* the same block id after another prefix */
    dyno_row_release(&one);
    dyno_row_release(&two);
    dyno_row_release(&other);
}
END_TEST

START_TEST(a_longer_prompt_shares_the_whole_blocks_of_a_shorter_one)
{
    struct dyno_row one = row_of(700, 512, 2, 2), two = row_of(1000, 512, 2, 2);
    struct dyno_span a[2], b[2];

    ck_assert_uint_eq(dyno_row_spans(&one, 16, a), 2);
    ck_assert_uint_eq(dyno_row_spans(&two, 16, b), 2);
    ck_assert_uint_eq(a[1].id, b[1].id);
    ck_assert_uint_eq(a[1].blocks, 43 - 32); /* 700 / 16 = 43 */
    ck_assert_uint_eq(b[1].blocks, 62 - 32);
    dyno_row_release(&one);
    dyno_row_release(&two);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("row");

    tcase_add_test(tcase, whole_blocks_are_spread_over_the_trace_blocks_they_end_in);
    tcase_add_test(tcase, equal_prefixes_have_equal_identities_and_no_others);
    tcase_add_test(tcase, a_longer_prompt_shares_the_whole_blocks_of_a_shorter_one);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/row", add_cases)
