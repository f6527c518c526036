/* What two processes tell each other: what is written is read, and what nobody writes is refused,
 * without a byte beyond it being looked at. */
#include "backends/ucx/wire.h"

#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { ROWS = 64, PIECES = 4, BLOCK_TOKENS = 8, BLOCKS = 32, VOCAB = 100, POSITIONS = 200 };

static const struct dyno_ucx_limits limits = {.rows_max = ROWS,
                                              .positions = POSITIONS,
                                              .vocab = VOCAB,
                                              .blocks = BLOCKS,
                                              .block_tokens = BLOCK_TOKENS};

struct question {
    uint32_t tokens[PIECES][POSITIONS], table[PIECES][POSITIONS / BLOCK_TOKENS];
    struct dyno_transcript transcripts[PIECES];
    struct dyno_engine_piece pieces[PIECES];
    uint32_t count;
    struct dyno_ucx_bytes bytes;
};

static void draw(struct question *question, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "wire");
    *question = (struct question){.count = 1 + (uint32_t)dyno_rng_below(&rng, PIECES)};
    for (uint32_t i = 0; i < question->count; i++) {
        uint32_t first = (uint32_t)dyno_rng_below(&rng, POSITIONS - ROWS / PIECES);

        for (uint32_t j = 0; j < POSITIONS; j++) {
            question->tokens[i][j] = (uint32_t)dyno_rng_below(&rng, VOCAB);
        }
        for (uint32_t j = 0; j < POSITIONS / BLOCK_TOKENS; j++) {
            question->table[i][j] = (uint32_t)dyno_rng_below(&rng, BLOCKS);
        }
        question->pieces[i] =
            (struct dyno_engine_piece){.transcript = &question->transcripts[i],
                                       .tokens = question->tokens[i],
                                       .first = first,
                                       .count = 1 + (uint32_t)dyno_rng_below(&rng, ROWS / PIECES),
                                       .table = question->table[i],
                                       .yields = dyno_rng_below(&rng, 2) == 1};
        question->pieces[i].cached = (uint32_t)dyno_rng_below(&rng, question->pieces[i].count + 1);
    }
    dyno_ucx_put_step(&question->bytes, question->pieces, question->count, BLOCK_TOKENS);
    ck_assert(!question->bytes.failed);
}

static dyno_status read_back(struct dyno_ucx_piece *pieces, uint32_t *count, const void *bytes,
                             size_t size, struct dyno_error *error)
{
    void *copy = malloc(size > 0 ? size : 1); /* of just this: what is read beyond it is seen */
    dyno_status status;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    status = dyno_ucx_read_step(pieces, count, copy, size, &limits, error);
    free(copy);
    return status;
}

START_TEST(what_is_written_is_read)
{
    struct question question;
    struct dyno_ucx_piece pieces[ROWS];
    struct dyno_error error;
    uint32_t count;

    draw(&question, 100 + (uint64_t)_i);
    ck_assert_uint_le(question.bytes.size, dyno_ucx_step_max(&limits));
    ck_assert_int_eq(
        dyno_ucx_read_step(pieces, &count, question.bytes.at, question.bytes.size, &limits, &error),
        DYNO_OK);
    ck_assert_uint_eq(count, question.count);
    for (uint32_t i = 0; i < count; i++) {
        const struct dyno_engine_piece *due = &question.pieces[i];
        uint32_t blocks = (due->first + due->count + BLOCK_TOKENS - 1) / BLOCK_TOKENS;

        ck_assert_uint_eq(pieces[i].first, due->first);
        ck_assert_uint_eq(pieces[i].count, due->count);
        ck_assert_uint_eq(pieces[i].cached, due->cached);
        ck_assert_int_eq(pieces[i].wanted, due->yields ? DYNO_UCX_TOKEN : DYNO_UCX_NOTHING);
        ck_assert_mem_eq(pieces[i].tokens, due->tokens + due->first, 4 * due->count);
        ck_assert_mem_eq(pieces[i].table, due->table, 4 * blocks);
    }
    free(question.bytes.at);
}
END_TEST

START_TEST(a_step_that_is_cut_is_refused)
{
    struct question question;
    struct dyno_ucx_piece pieces[ROWS];
    struct dyno_error error;
    uint32_t count;

    draw(&question, 100 + (uint64_t)_i);
    for (size_t size = 0; size < question.bytes.size; size++) {
        ck_assert_int_eq(read_back(pieces, &count, question.bytes.at, size, &error),
                         DYNO_BAD_INPUT);
    }
    dyno_ucx_put_u32(&question.bytes, 0);
    ck_assert_int_eq(read_back(pieces, &count, question.bytes.at, question.bytes.size, &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "4 bytes behind its last piece"));
    free(question.bytes.at);
}
END_TEST

/* One number of it is another: it is refused, or whatever it says now is within the limits. */
START_TEST(a_step_with_any_number_changed_stays_within_limits)
{
    static const uint32_t hostile[] = {0,      1,     ROWS,       POSITIONS,
                                       BLOCKS, VOCAB, 0x7fffffff, UINT32_MAX};
    struct question question;
    struct dyno_ucx_piece pieces[ROWS];
    struct dyno_error error;

    draw(&question, 100 + (uint64_t)_i);
    for (size_t at = 0; at < question.bytes.size; at += 4) {
        for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
            uint32_t was, count, rows = 0;

            memcpy(&was, question.bytes.at + at, 4);
            memcpy(question.bytes.at + at, &hostile[i], 4);
            if (dyno_ucx_read_step(pieces, &count, question.bytes.at, question.bytes.size, &limits,
                                   &error) == DYNO_OK) {
                for (uint32_t j = 0; j < count; j++) {
                    rows += pieces[j].count;
                    ck_assert_uint_le(pieces[j].first + pieces[j].count, POSITIONS);
                }
                ck_assert_uint_le(rows, ROWS);
            } else {
                ck_assert_int_eq(error.status, DYNO_BAD_INPUT);
            }
            memcpy(question.bytes.at + at, &was, 4);
        }
    }
    free(question.bytes.at);
}
END_TEST

static void refused(const uint32_t *words, size_t count, const char *why)
{
    struct dyno_ucx_piece pieces[ROWS];
    struct dyno_error error;
    uint32_t piece_count;

    ck_assert_int_eq(read_back(pieces, &piece_count, words, 4 * count, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
}

START_TEST(each_thing_that_can_be_wrong_with_a_step_is_named)
{
    static const uint32_t none[] = {0}, many[] = {ROWS + 1};
    static const uint32_t no_tokens[] = {1, 0, 0, 0, 0};
    static const uint32_t too_far[] = {1, POSITIONS - 1, 2, 0, 0};
    static const uint32_t cached[] = {1, 0, 1, 2, 0};
    static const uint32_t odd_wish[] = {1, 0, 1, 0, 4, 0, 0};
    static const uint32_t no_token[] = {1, 0, 1, 0, 1, VOCAB, 0};
    static const uint32_t no_block[] = {1, 0, 1, 0, 1, 0, BLOCKS};

    refused(none, 1, "a step has 0 pieces; expected 1 to 64");
    refused(many, 1, "a step has 65 pieces");
    refused(no_tokens, 5, "a piece of 0 tokens, 0 of them cached, from 0 on");
    refused(too_far, 5, "a piece of 2 tokens, 0 of them cached, from 199 on");
    refused(cached, 5, "a piece of 1 tokens, 2 of them cached");
    refused(odd_wish, 7, "asks for 4");
    refused(no_token, 7, "token 100, and there are 100");
    refused(no_block, 7, "block 32, and there are 32");
}
END_TEST

START_TEST(a_hello_that_nobody_says_is_refused_by_what_is_wrong)
{
    const struct dyno_ucx_hello good = {.magic = DYNO_UCX_MAGIC,
                                        .version = DYNO_UCX_VERSION,
                                        .transport = 1,
                                        .workers = 1,
                                        .ranks = 1,
                                        .blocks = 1,
                                        .block_tokens = 1,
                                        .rows_max = 1};
    struct dyno_ucx_hello hello = good;
    struct dyno_error error;

    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_OK);
    memcpy(&hello.magic, "GET / HT", 8);
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "is not a dyno of this kind of machine"));
    hello = good;
    hello.version = 7;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "speaks version 7"));
    hello = good;
    hello.transport = 0;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    hello = good;
    hello.workers = DYNO_UCX_WORKERS_MAX + 1;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    hello = good;
    hello.rows_max = UINT32_MAX;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    hello = good;
    hello.beat_ms = 9;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "every 9 ms: 0 for none, or 10 to 3600000"));
    hello.beat_ms = 10;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_OK);
    hello.tells_layers = 1;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_OK);
    hello.tells_layers = 2;
    ck_assert_int_eq(dyno_ucx_hello_check(&hello, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "layers are told of (1) or not (0), not 2"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("wire");

    tcase_add_loop_test(cases, what_is_written_is_read, 0, 50);
    tcase_add_loop_test(cases, a_step_that_is_cut_is_refused, 0, 5);
    tcase_add_loop_test(cases, a_step_with_any_number_changed_stays_within_limits, 0, 20);
    tcase_add_test(cases, each_thing_that_can_be_wrong_with_a_step_is_named);
    tcase_add_test(cases, a_hello_that_nobody_says_is_refused_by_what_is_wrong);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/ucx_wire", add_cases)
