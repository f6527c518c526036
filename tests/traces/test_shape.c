/* Shaped traces: small ones by hand, and what must hold of any. */

#include "core/base/map.h"
#include "tests/check_main.h"
#include "tests/traces/support.h"
#include "traces/conversations.h"
#include "traces/shape.h"

static const struct dyno_shape_config as_it_is = {
    .until_ns = DYNO_NEVER, .scale = 1, .speedup = 1, .common_min = 2, .seed = 1};

static void read_text(struct dyno_pile *pile, const char *text, uint32_t world, bool is_shared)
{
    const struct dyno_trace_config config = {
        .path = "text", .data = text, .data_size = strlen(text), .trace_block_tokens = 10};
    struct dyno_error error;

    ck_assert_msg(dyno_pile_read(pile, &config, world, is_shared, &error) == DYNO_OK, "%s",
                  error.text);
}

/* Shape a text and compare each row's "time/tokens/session/identities" with `expected`, where
 * sessions and identities are numbered as they appear. */
struct names {
    uint64_t keys[64];
    int count;
};

static int name_of(struct names *names, uint64_t key)
{
    int i = 0;

    while (i < names->count && names->keys[i] != key) {
        i++;
    }
    if (i == names->count) {
        names->keys[names->count++] = key;
    }
    return i;
}

static void ck_rows(const struct dyno_pile *pile, const char *expected)
{
    struct names sessions = {.keys = {0}, .count = 1}, blocks = {.count = 0};
    char text[2048] = "";
    size_t used = 0;

    for (size_t i = 0; i < pile->count; i++) {
        const struct dyno_row *row = &pile->rows[i];

        used += (size_t)snprintf(text + used, sizeof text - used, "%s%g/%u/s%d/", i ? " " : "",
                                 (double)row->at / (double)DYNO_S, row->input_tokens,
                                 name_of(&sessions, row->session));
        for (uint32_t k = 0; k < row->segment_count; k++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%c",
                                     'a' + name_of(&blocks, row->segments[k].id));
        }
        used += (size_t)snprintf(text + used, sizeof text - used, row->wait_count ? "/w%u" : "",
                                 row->wait_count);
    }
    ck_assert_str_eq(text, expected);
}

static void shape(struct dyno_pile *out, const struct dyno_pile *pile,
                  const struct dyno_shape_config *config)
{
    struct dyno_error error;
    uint64_t conversations;

    ck_assert_msg(dyno_shape(out, pile, config, &conversations, &error) == DYNO_OK, "%s",
                  error.text);
}

/* A system prompt (7) that three have, and two conversations of two turns behind it. */
static const char chats[] =
    "{\"timestamp\": 0, \"input_length\": 20, \"output_length\": 1, \"hash_ids\": [7, 1]}\n"
    "{\"timestamp\": 1000, \"input_length\": 20, \"output_length\": 1, \"hash_ids\": [7, 2]}\n"
    "{\"timestamp\": 2000, \"input_length\": 30, \"output_length\": 1, \"hash_ids\": [7, 1, 3]}\n"
    "{\"timestamp\": 4000, \"input_length\": 25, \"output_length\": 1, \"hash_ids\": [7, 2, 4]}\n";

START_TEST(rows_that_share_what_few_have_are_one_conversation)
{
    struct dyno_pile pile = {0};
    struct dyno_conversations found;

    read_text(&pile, chats, 0, false);
    ck_assert_int_eq(dyno_conversations_find(&found, &pile, 2, NULL), DYNO_OK);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_uint_eq(found.first[2], 0);
    ck_assert_uint_eq(found.first[3], 1);
    ck_assert(dyno_conversations_is_common(&found, pile.rows[0].segments[0].id));
    ck_assert(!dyno_conversations_is_common(&found, pile.rows[0].segments[1].id));
    dyno_conversations_release(&found);
    ck_assert_int_eq(dyno_conversations_find(&found, &pile, 4, NULL), DYNO_OK);
    ck_assert_uint_eq(found.count, 1); /* four may have it: it makes them one */
    dyno_conversations_release(&found);
    dyno_pile_release(&pile);
}
END_TEST

START_TEST(a_copy_shares_what_all_share_and_nothing_else)
{
    struct dyno_shape_config config = as_it_is;
    struct dyno_pile pile = {0}, out = {0};

    read_text(&pile, chats, 0, false);
    shape(&out, &pile, &config);
    ck_rows(&out, "0/20/s0/ab 1/20/s0/ac 2/30/s0/abd 4/25/s0/ace");
    dyno_pile_release(&out);
    config.scale = 2;
    shape(&out, &pile, &config);
    ck_rows(&out, "0/20/s0/ab 0/20/s0/ac 1/20/s0/ad 1/20/s0/ae 2/30/s0/abf 2/30/s0/acg 4/25/s0/adh "
                  "4/25/s0/aei");
    dyno_pile_release(&out);
    dyno_pile_release(&pile);
}
END_TEST

START_TEST(a_window_and_a_pace)
{
    struct dyno_shape_config config = as_it_is;
    struct dyno_pile pile = {0}, out = {0};

    read_text(&pile, chats, 0, false);
    config.from_ns = DYNO_S;
    config.until_ns = 4 * DYNO_S;
    config.speedup = 0.5;
    shape(&out, &pile, &config);
    ck_rows(&out, "0/20/s0/ab 2/30/s0/acd");
    dyno_pile_release(&out);
    dyno_pile_release(&pile);
}
END_TEST

/* Turns without a time go with the turn before, and nobody waits for what was left out. */
START_TEST(who_has_no_time_goes_with_whom_it_waits_for)
{
    static const char text[] =
        "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1, \"session_id\": \"x\","
        " \"request_id\": 1}\n"
        "{\"timestamp\": 5000, \"input_length\": 2, \"output_length\": 1, \"session_id\": \"y\"}\n"
        "{\"delay\": 4, \"input_length\": 3, \"output_length\": 1, \"session_id\": \"x\"}\n"
        "{\"delay\": 4, \"input_length\": 4, \"output_length\": 1, \"session_id\": \"y\"}\n"
        "{\"timestamp\": 6000, \"input_length\": 5, \"output_length\": 1, \"wait_for\": [1]}\n"
        "{\"delay\": 4, \"input_length\": 6, \"output_length\": 1, \"wait_for\": [1]}\n";
    struct dyno_shape_config config = as_it_is;
    struct dyno_pile pile = {0}, out = {0};

    read_text(&pile, text, 0, false);
    config.from_ns = 5 * DYNO_S;
    shape(&out, &pile, &config);
    ck_rows(&out, "0/2/s1/ 0/4/s1/ 1/5/s0/");
    dyno_pile_release(&out);
    config.from_ns = 0;
    config.until_ns = 5 * DYNO_S;
    shape(&out, &pile, &config);
    ck_rows(&out, "0/1/s1/ 5/3/s1/ 6/6/s0//w1");
    dyno_pile_release(&out);
    dyno_pile_release(&pile);
}
END_TEST

START_TEST(files_are_told_apart_unless_they_are_of_one_world)
{
    static const char text[] = "{\"timestamp\": 0, \"input_length\": 10, \"output_length\": 1, "
                               "\"hash_ids\": [7], \"session_id\": 1}\n";
    struct dyno_pile pile = {0};

    for (int is_shared = 0; is_shared < 2; is_shared++) {
        read_text(&pile, text, 0, is_shared);
        read_text(&pile, text, 1, is_shared);
        ck_rows(&pile, is_shared ? "0/10/s1/a 0/10/s2/a" : "0/10/s1/a 0/10/s2/b");
        dyno_pile_release(&pile);
    }
}
END_TEST

START_TEST(whole_conversations_are_left_out)
{
    struct dyno_shape_config config = as_it_is;
    struct dyno_pile pile = {0}, out = {0};
    char *text = calloc(1, 1 << 20);
    size_t used = 0;
    uint32_t turns[300] = {0};

    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < 900; i++) {
        used += (size_t)snprintf(text + used, (1 << 20) - used,
                                 "{\"timestamp\": %d, \"input_length\": 1, \"output_length\": 1, "
                                 "\"session_id\": %d}\n",
                                 i, i % 300 + 1);
    }
    read_text(&pile, text, 0, false);
    config.scale = 0.4;
    shape(&out, &pile, &config);
    for (size_t i = 0; i < out.count; i++) {
        turns[out.rows[i].session - 1]++;
    }
    for (int i = 0; i < 300; i++) {
        ck_assert(turns[i] == 0 || turns[i] == 3);
    }
    ck_assert_uint_gt(out.count, 3 * 86); /* 120 of 300, four standard deviations of 8.5 */
    ck_assert_uint_lt(out.count, 3 * 154);
    dyno_pile_release(&out);
    dyno_pile_release(&pile);
    free(text);
}
END_TEST

START_TEST(nothing_left_is_an_error)
{
    struct dyno_shape_config config = as_it_is;
    struct dyno_pile pile = {0}, out = {0};
    struct dyno_error error;
    uint64_t conversations;

    read_text(&pile, chats, 0, false);
    config.from_ns = 60 * DYNO_S;
    ck_assert_int_eq(dyno_shape(&out, &pile, &config, &conversations, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text,
                     "no request is left of 4; expected a wider window or a larger scale");
    dyno_pile_release(&out);
    dyno_pile_release(&pile);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tests = tcase_create("shape");

    tcase_add_test(tests, rows_that_share_what_few_have_are_one_conversation);
    tcase_add_test(tests, a_copy_shares_what_all_share_and_nothing_else);
    tcase_add_test(tests, a_window_and_a_pace);
    tcase_add_test(tests, who_has_no_time_goes_with_whom_it_waits_for);
    tcase_add_test(tests, files_are_told_apart_unless_they_are_of_one_world);
    tcase_add_test(tests, whole_conversations_are_left_out);
    tcase_add_test(tests, nothing_left_is_an_error);
    suite_add_tcase(suite, tests);
}

DYNO_CHECK_MAIN("traces/shape", add_cases)
