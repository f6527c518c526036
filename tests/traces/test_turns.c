/* Conversations that are generated: how many turns they have, when those come, what they add. */
#include <math.h>

#include "tests/check_main.h"
#include "tests/traces/support.h"
#include "traces/turns.h"

static struct dyno_generator_config conversations(const char *turns, uint64_t requests)
{
    return (struct dyno_generator_config){.seed = 3,
                                          .requests = requests,
                                          .arrival = "constant:1",
                                          .input_tokens = "100",
                                          .output_tokens = "10",
                                          .session_turns = turns};
}

static void haul_generated(struct haul *haul, const struct dyno_generator_config *config,
                           dyno_ns service)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;

    haul_init(haul);
    haul->status = dyno_generator_open(&source, config, &pacing, &haul->answers, &haul->error);
    ck_assert_msg(haul->status == DYNO_OK, "%s", haul->error.text);
    haul_all(haul, source, service);
    ck_assert(source->ops->finished(source));
    source->ops->close(source);
}

static void ck_sent(const struct haul *haul, size_t index, double at_s, uint64_t session,
                    uint32_t prompt_tokens)
{
    const struct dyno_request *request = &haul->items[index].request;

    ck_assert_uint_eq(request->arrival_ns, (uint64_t)(at_s * 1e9));
    ck_assert_uint_eq(request->session, session);
    ck_assert_uint_eq(request->prompt_tokens, prompt_tokens);
}

START_TEST(turns_come_as_often_as_their_shares_say)
{
    enum { DRAWS = 20000 };
    struct dyno_turns turns;
    uint32_t ones = 0;

    ck_assert_int_eq(dyno_turns_init(&turns, "1:3,4:1", (uint64_t)_i, NULL), DYNO_OK);
    ck_assert_uint_eq(turns.most, 4);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t drawn = dyno_turns_draw(&turns);

        ck_assert(drawn == 1 || drawn == 4);
        ones += drawn == 1;
    }
    ck_assert_double_lt(fabs((double)ones / DRAWS - 0.75), 0.015); /* five deviations */
}
END_TEST

START_TEST(each_conversation_has_its_own_number_of_turns)
{
    struct dyno_generator_config config = conversations("1:1,3:1", 3000);
    uint32_t turns[3001] = {0}, last = 0, threes = 0;
    struct haul haul;

    config.think_time = "0.25";
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < haul.count; i++) {
        last = (uint32_t)haul.items[i].request.session;
        turns[last]++;
    }
    for (uint32_t i = 1; i < last; i++) {
        ck_assert(turns[i] == 1 || turns[i] == 3);
        threes += turns[i] == 3;
    }
    ck_assert_double_lt(fabs((double)threes / (last - 1) - 0.5), 0.065); /* five deviations */
    haul_release(&haul);
}
END_TEST

/* One begins every second, and goes on 2.5 s and 5 s later. */
START_TEST(turns_with_a_gap_come_so_long_after_the_turn_before)
{
    static const struct {
        double at;
        uint64_t session;
        uint32_t turn;
    } want[] = {{0, 1, 0},   {1, 2, 0}, {2, 3, 0}, {2.5, 1, 1}, {3, 4, 0}, {3.5, 2, 1}, {4, 5, 0},
                {4.5, 3, 1}, {5, 1, 2}, {5, 6, 0}, {5.5, 4, 1}, {6, 2, 2}, {6, 7, 0}};
    enum { WANTED = sizeof want / sizeof want[0] };
    struct dyno_generator_config config = conversations("3", WANTED);
    struct haul haul;

    config.turn_gap = "2.5";
    haul_generated(&haul, &config, DYNO_MS);
    ck_assert_uint_eq(haul.count, WANTED);
    for (size_t i = 0; i < WANTED; i++) {
        ck_sent(&haul, i, want[i].at, want[i].session, 100 + 110 * want[i].turn);
    }
    haul_release(&haul);
}
END_TEST

START_TEST(a_turn_with_a_gap_waits_for_an_answer_that_takes_longer)
{
    struct dyno_generator_config config = conversations("3", 3);
    struct haul haul;

    config.arrival = "constant:0.001"; /* one alone */
    config.turn_gap = "2.5";
    haul_generated(&haul, &config, 4 * DYNO_S);
    ck_sent(&haul, 0, 0, 1, 100);
    ck_sent(&haul, 1, 4, 1, 210);
    ck_sent(&haul, 2, 8, 1, 320);
    haul_release(&haul);
}
END_TEST

START_TEST(conversations_end_where_generation_does)
{
    struct dyno_generator_config config = conversations("3", 0);
    struct haul haul;

    config.duration_ns = 10 * DYNO_S;
    config.turn_gap = "7";
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.count, 30); /* ten begin, and all go on to their end */
    ck_sent(&haul, 29, 23, 10, 320);
    haul_release(&haul);
}
END_TEST

START_TEST(later_turns_may_add_another_length)
{
    struct dyno_generator_config config = conversations("3", 3);
    struct haul haul;

    config.turn_tokens = "7";
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.items[0].request.prompt_tokens, 100);
    ck_assert_uint_eq(haul.items[1].request.prompt_tokens, 100 + 10 + 7);
    ck_assert_uint_eq(haul.items[2].request.prompt_tokens, 100 + 2 * (10 + 7));
    haul_release(&haul);
}
END_TEST

/* Text that conversations share is found by all of them, and a conversation's own by it alone. */
START_TEST(turns_with_a_gap_share_what_turns_share)
{
    struct dyno_generator_config config = conversations("3", 9);
    struct haul haul;

    config.prefix_groups = 1;
    config.prefix_tokens = "32";
    config.turn_gap = "1.5";
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < haul.count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct taken *a = &haul.items[i], *b = &haul.items[k];

            ck_assert_uint_eq(a->spans[0].id, b->spans[0].id);
            ck_assert_int_eq(a->spans[1].id == b->spans[1].id,
                             a->request.session == b->request.session);
        }
    }
    haul_release(&haul);
}
END_TEST

static void ck_refused_as(const struct dyno_generator_config *config, const char *says)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct dyno_error error;

    ck_assert_msg(dyno_generator_open(&source, config, &pacing, NULL, &error) == DYNO_BAD_INPUT,
                  "not refused, which should say %s", says);
    ck_assert_msg(strstr(error.text, says) != NULL, "\"%s\" lacks \"%s\"", error.text, says);
}

START_TEST(turns_that_cannot_be_are_refused)
{
    static const char *const turns[] = {"",    "0",     "-1",   "1.5",     "65537",   "two",
                                        "1:",  ":1",    "1:0",  "0:1",     "65537:1", "1:1,",
                                        "1,2", "1:1;2", "1:-1", "1:1,2:x", "1:1e10"};
    struct dyno_generator_config config = conversations("2", 5);

    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        config.session_turns = turns[i];
        ck_refused_as(&config, "expected a number of turns from 1 to 65536, or pairs TURNS:SHARE");
    }
    config.session_turns = "2";
    config.turn_tokens = "none";
    ck_refused_as(&config, "turn_tokens is 'none'");
    config.turn_tokens = NULL;
    config.turn_gap = "soon";
    ck_refused_as(&config, "turn_gap is 'soon'");
    config.turn_gap = "5";
    config.think_time = "5";
    ck_refused_as(&config, "think_time and turn_gap contradict each other");
    config.think_time = "0";
    config.arrival = "concurrency:4";
    ck_refused_as(&config, "turn_gap counts from when a turn was asked, and a closed loop has no");
}
END_TEST

/* Gaps of 2.5 s behind begins at 1 s, 2 s, ...: told by a clock of 2 s. */
START_TEST(what_came_since_the_last_tick_comes_at_once)
{
    struct dyno_generator_config config = conversations("2", 6);
    struct haul haul;

    config.turn_gap = "2.5";
    config.tick_ns = 2 * DYNO_S;
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.count, 6);
    ck_sent(&haul, 0, 0, 1, 100); /* 0 s */
    ck_sent(&haul, 1, 0, 2, 100); /* 1 s */
    ck_sent(&haul, 2, 2, 3, 100); /* 2 s */
    ck_sent(&haul, 3, 2, 1, 210); /* 2.5 s */
    ck_sent(&haul, 4, 2, 4, 100); /* 3 s */
    ck_sent(&haul, 5, 2, 2, 210); /* 3.5 s */
    haul_release(&haul);
    config.turn_gap = NULL;
    config.arrival = "concurrency:4";
    ck_refused_as(&config, "tick is of a clock that tells when requests come");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("turns");

    tcase_add_loop_test(tcase, turns_come_as_often_as_their_shares_say, 0, 5);
    tcase_add_test(tcase, each_conversation_has_its_own_number_of_turns);
    tcase_add_test(tcase, turns_with_a_gap_come_so_long_after_the_turn_before);
    tcase_add_test(tcase, a_turn_with_a_gap_waits_for_an_answer_that_takes_longer);
    tcase_add_test(tcase, what_came_since_the_last_tick_comes_at_once);
    tcase_add_test(tcase, conversations_end_where_generation_does);
    tcase_add_test(tcase, later_turns_may_add_another_length);
    tcase_add_test(tcase, turns_with_a_gap_share_what_turns_share);
    tcase_add_test(tcase, turns_that_cannot_be_are_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/turns", add_cases)
