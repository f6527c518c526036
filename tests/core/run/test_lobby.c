/* The lobby: those who wait, how many may, and for how long. */
#include "core/base/rng.h"
#include "core/run/lobby.h"
#include "tests/check_main.h"

static struct dyno_lobby lobby;

static void set_up(struct dyno_lobby_config config)
{
    lobby = (struct dyno_lobby){0};
    ck_assert_int_eq(dyno_lobby_init(&lobby, &config), DYNO_OK);
}

static dyno_status enter(uint64_t id, dyno_ns now, uint32_t tokens)
{
    struct dyno_span span = {.id = 7 + id, .blocks = 2};

    return dyno_lobby_enter(&lobby, now,
                            &(struct dyno_request){.id = id,
                                                   .tenant = (uint32_t)id % 3,
                                                   .prompt_tokens = tokens,
                                                   .span_count = 1,
                                                   .spans = &span});
}

/* A copy with its spans. */
static uint64_t give(struct dyno_lobby_seat *seat)
{
    uint64_t id = seat->request.id;

    ck_assert_uint_eq(seat->request.spans[0].id, 7 + id);
    dyno_lobby_give(&lobby, seat);
    return id;
}

START_TEST(who_came_first_is_let_in_first_unless_a_policy_says_otherwise)
{
    set_up((struct dyno_lobby_config){.count_max = 10, .wait_ns = 10});
    for (uint64_t id = 0; id < 4; id++) {
        ck_assert_int_eq(enter(id, id, 1), DYNO_OK);
    }
    ck_assert_uint_eq(dyno_lobby_next(&lobby), 10);
    ck_assert_uint_eq(give(dyno_lobby_find(&lobby, 2)), 2);
    ck_assert_ptr_null(dyno_lobby_find(&lobby, 2));
    ck_assert_uint_eq(give(dyno_lobby_take(&lobby)), 0);
    ck_assert_uint_eq(dyno_lobby_next(&lobby), 11);
    ck_assert_uint_eq(give(dyno_lobby_first(&lobby)), 1);
    ck_assert_uint_eq(give(dyno_lobby_take(&lobby)), 3);
    ck_assert_uint_eq(lobby.count, 0);
    ck_assert_uint_eq(dyno_lobby_next(&lobby), DYNO_NEVER);
    ck_assert_uint_eq(lobby.totals.waited, 4);
    ck_assert_uint_eq(lobby.totals.count_peak, 4);
    dyno_lobby_release(&lobby);
    set_up((struct dyno_lobby_config){.admit.policy = dyno_admit_find("lcfs"), .count_max = 10});
    for (uint64_t id = 0; id < 3; id++) {
        ck_assert_int_eq(enter(id, id, 1), DYNO_OK);
    }
    ck_assert_uint_eq(dyno_lobby_next(&lobby), DYNO_NEVER); /* they wait without end */
    ck_assert_uint_eq(give(dyno_lobby_take(&lobby)), 2);
    ck_assert_uint_eq(give(dyno_lobby_first(&lobby)), 0);
    ck_assert_uint_eq(give(dyno_lobby_take(&lobby)), 1);
    dyno_lobby_release(&lobby);
}
END_TEST

/* Three at most, with 100 tokens at most; what has gone makes room. */
START_TEST(no_more_wait_than_may)
{
    set_up((struct dyno_lobby_config){.count_max = 3, .tokens_max = 100});
    ck_assert_int_eq(enter(0, 0, 60), DYNO_OK);
    ck_assert_int_eq(enter(1, 0, 41), DYNO_REJECTED);
    ck_assert_int_eq(enter(2, 0, 40), DYNO_OK);
    ck_assert_uint_eq(give(dyno_lobby_take(&lobby)), 0);
    ck_assert_int_eq(enter(3, 0, 1), DYNO_OK);
    ck_assert_int_eq(enter(4, 0, 1), DYNO_OK);
    ck_assert_int_eq(enter(5, 0, 1), DYNO_REJECTED);
    ck_assert_uint_eq(lobby.totals.tokens_peak, 100);
    dyno_lobby_release(&lobby);
    set_up((struct dyno_lobby_config){.count_max = 0});
    ck_assert_int_eq(enter(0, 0, 1), DYNO_REJECTED);
    dyno_lobby_release(&lobby);
}
END_TEST

/* Against a plain list: whoever goes by whichever way goes once, and the longest wait is known. */
START_TEST(nobody_is_lost_or_doubled)
{
    dyno_ns since[300];
    bool waits[301] = {false};
    uint32_t count = 0;
    uint64_t next = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "lobby");
    set_up((struct dyno_lobby_config){.admit = {.policy = &dyno_admit_table[_i % 5], .quantum = 9},
                                      .count_max = 20,
                                      .wait_ns = 1000});
    for (dyno_ns now = 1; next < 300; now++) {
        struct dyno_lobby_seat *seat = NULL;
        uint64_t id = dyno_rng_below(&rng, next + 1), oldest = 0;

        switch (dyno_rng_below(&rng, 5)) {
        case 0:
            seat = count > 0 ? dyno_lobby_take(&lobby) : NULL;
            break;
        case 1:
            seat = dyno_lobby_find(&lobby, id);
            ck_assert(!!seat == waits[id]);
            break;
        case 2:
            seat = count > 15 ? dyno_lobby_first(&lobby) : NULL;
            break;
        default:
            if (enter(next, now, 1 + (uint32_t)dyno_rng_below(&rng, 30)) == DYNO_OK) {
                since[next] = now;
                waits[next++] = true;
                count++;
            }
            break;
        }
        if (seat) {
            ck_assert(waits[seat->request.id]);
            waits[seat->request.id] = false;
            (void)give(seat);
            count--;
        }
        ck_assert_uint_eq(lobby.count, count);
        while (oldest < next && !waits[oldest]) {
            oldest++;
        }
        ck_assert_uint_eq(dyno_lobby_next(&lobby), count ? since[oldest] + 1000 : DYNO_NEVER);
    }
    dyno_lobby_release(&lobby);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("lobby");

    tcase_add_test(cases, who_came_first_is_let_in_first_unless_a_policy_says_otherwise);
    tcase_add_test(cases, no_more_wait_than_may);
    tcase_add_loop_test(cases, nobody_is_lost_or_doubled, 0, 20);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/run/lobby", add_cases)
