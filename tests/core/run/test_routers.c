/* Several routers over one fleet: what each knows and when, and the herd. */
#include "core/base/rng.h"
#include "core/route/route.h"
#include "core/run/dispatch_routers.h"
#include "tests/check_main.h"

static struct dyno_dispatch *dispatch;
static uint64_t next_id;

static void open_routers(const char *policy, uint32_t routers, uint32_t workers, dyno_ns delay)
{
    struct dyno_dispatch_config config = {.policy = dyno_route_find(policy),
                                          .route = {.prefill_load_scale = 1,
                                                    .overlap_credit = 1,
                                                    .track_prefill_tokens = 1,
                                                    .track_active_blocks = 1,
                                                    .session_replicas = 16,
                                                    .args = ""},
                                          .seed = 1,
                                          .worker_count = workers,
                                          .block_tokens = 16,
                                          .guess_ttl_ns = 1000,
                                          .guess_blocks_max = 1024,
                                          .router_count = routers,
                                          .sync_delay_ns = delay};

    next_id = 0;
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, NULL), DYNO_OK);
}

static struct dyno_decision_record decide(dyno_ns now, uint64_t session, uint32_t tokens,
                                          const struct dyno_span *span)
{
    struct dyno_request request = {.id = next_id++,
                                   .session = session,
                                   .prompt_tokens = tokens,
                                   .max_tokens = 1,
                                   .span_count = span != NULL,
                                   .spans = span};
    struct dyno_decision_record record = {.worker = DYNO_NO_WORKER};

    ck_assert_int_eq(dyno_dispatch_pick(dispatch, now, &request, 1, &record), DYNO_OK);
    return record;
}

/* Requests on a worker as router `i` knows them, and as they are. */
static void expect_known(uint32_t i, uint32_t on_0, uint32_t on_1)
{
    const struct dyno_dispatch *router = dispatch->routers->list[i];

    ck_assert_uint_eq(dyno_dispatch_inflight(router, 0), on_0);
    ck_assert_uint_eq(dyno_dispatch_inflight(router, 1), on_1);
}

static void expect_true(uint32_t on_0, uint32_t on_1)
{
    ck_assert_uint_eq(dyno_dispatch_inflight(dispatch, 0), on_0);
    ck_assert_uint_eq(dyno_dispatch_inflight(dispatch, 1), on_1);
}

/* Two requests are on worker 0, and everybody knows.  Then four come at once, one to each of four
 * routers: worker 1 looks best to all four.  A hundred later all know that it has four, and the
 * next four go to worker 0: six there, where a single router would have made it five and five. */
START_TEST(routers_that_hear_of_each_other_late_run_as_a_herd)
{
    open_routers("least_loaded", 4, 2, 100);
    dyno_dispatch_worker_gone(dispatch, 1);
    ck_assert_uint_eq(decide(0, 0, 16, NULL).worker, 0);
    ck_assert_uint_eq(decide(0, 0, 16, NULL).worker, 0);
    dyno_dispatch_worker_back(dispatch, 1);
    for (uint32_t i = 0; i < 4; i++) {
        struct dyno_decision_record record = decide(100, 0, 16, NULL);

        ck_assert_uint_eq(record.router, (i + 2) % 4);
        ck_assert_uint_eq(record.worker, 1);
    }
    expect_true(2, 4);
    for (uint32_t i = 0; i < 4; i++) {
        expect_known(i, 2, 1); /* its own of the four */
    }
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(decide(200, 0, 16, NULL).worker, 0);
    }
    expect_true(6, 4);
    dyno_dispatch_close(dispatch);
    open_routers("least_loaded", 1, 2, 100);
    dyno_dispatch_worker_gone(dispatch, 1);
    (void)decide(0, 0, 16, NULL);
    (void)decide(0, 0, 16, NULL);
    dyno_dispatch_worker_back(dispatch, 1);
    for (uint32_t i = 0; i < 8; i++) {
        (void)decide(100, 0, 16, NULL);
    }
    expect_true(5, 5);
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Booked at 0, first token at 10, end at 20: router 1 hears of each 100 later, router 0 at once. */
START_TEST(what_one_router_does_reaches_the_others_after_the_delay)
{
    const struct dyno_dispatch *other;

    open_routers("round_robin", 2, 2, 100);
    other = dispatch->routers->list[1];
    ck_assert_uint_eq(decide(0, 0, 160, NULL).worker, 0); /* router 0's, id 0 */
    dyno_dispatch_tick(dispatch, 10);
    dyno_dispatch_first_token(dispatch, 0);
    dyno_dispatch_tick(dispatch, 20);
    dyno_dispatch_ended(dispatch, 0);
    expect_known(0, 0, 0);
    (void)decide(99, 0, 16, NULL);
    ck_assert_uint_eq(dyno_dispatch_worker_of(other, 0), DYNO_NO_WORKER);
    (void)decide(100, 0, 16, NULL);
    ck_assert_uint_eq(dyno_dispatch_worker_of(other, 0), 0);
    ck_assert_uint_eq(dyno_dispatch_booked_tokens(other, 0), 160);
    (void)decide(110, 0, 16, NULL);
    ck_assert_uint_eq(dyno_dispatch_booked_tokens(other, 0), 0);
    ck_assert_uint_eq(dyno_dispatch_worker_of(other, 0), 0);
    (void)decide(120, 0, 16, NULL);
    ck_assert_uint_eq(dyno_dispatch_worker_of(other, 0), DYNO_NO_WORKER);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(routers_that_never_tell_know_only_their_own)
{
    open_routers("least_loaded", 2, 2, DYNO_NEVER);
    for (uint32_t i = 0; i < 40; i++) {
        (void)decide(i * DYNO_S, 0, 16, NULL);
    }
    for (uint32_t i = 0; i < 2; i++) {
        expect_known(i, 10, 10);
    }
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Cache events reach all alike; what one guesses of its own decisions is its own. */
START_TEST(caches_are_known_to_all_and_guesses_to_none)
{
    struct dyno_span span = {.id = 9, .blocks = 4};
    struct dyno_kv_event event = {.at = 5, .span = 9, .worker = 1, .blocks = 4};

    open_routers("kv", 2, 2, DYNO_NEVER);
    ck_assert(dyno_dispatch_wants_events(dispatch));
    ck_assert_int_eq(dyno_dispatch_kv_event(dispatch, &event), DYNO_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct dyno_decision_record record = decide(10, 0, 160, &span);

        ck_assert_uint_eq(record.router, i);
        ck_assert_uint_eq(record.worker, 1);
        ck_assert_uint_eq(record.overlap_blocks, 4);
    }
    dyno_dispatch_close(dispatch);
    open_routers("kv_approx", 2, 1, 0);
    ck_assert(!dyno_dispatch_wants_events(dispatch));
    ck_assert_uint_eq(decide(10, 0, 160, &span).overlap_blocks, 0);
    ck_assert_uint_eq(decide(11, 0, 160, &span).overlap_blocks, 0);
    ck_assert_uint_eq(decide(12, 0, 160, &span).overlap_blocks, 4);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(a_session_may_be_one_routers)
{
    uint32_t of[64], seen = 0;

    open_routers("least_loaded", 4, 2, DYNO_NEVER);
    dispatch->routers->by_session = true;
    for (uint32_t i = 0; i < 64; i++) {
        of[i] = decide(i, 1 + i, 16, NULL).router;
        seen |= 1u << of[i];
    }
    ck_assert_uint_eq(seen, 15);
    for (uint32_t i = 0; i < 64; i++) {
        ck_assert_uint_eq(decide(100, 1 + i, 16, NULL).router, of[i]);
    }
    for (uint32_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(decide(200, 0, 16, NULL).router, i % 4); /* no session: by turns */
    }
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Who decided where a request decodes decides who computes its prompt, whoever's turn it would be;
 * and the others hear of that as late. */
START_TEST(a_dispatch_that_follows_has_the_leaders_routers)
{
    struct dyno_dispatch *leader;

    open_routers("least_loaded", 3, 2, 100);
    leader = dispatch;
    for (uint32_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(decide(0, 0, 16, NULL).router, i % 3);
    }
    open_routers("least_loaded", 3, 2, 100);
    dyno_dispatch_follow(dispatch, leader);
    for (uint32_t i = 0; i < 6; i++) {
        next_id = 5 - i;
        ck_assert_uint_eq(decide(10, 0, 16, NULL).router, (5 - i) % 3);
    }
    for (uint32_t i = 0; i < 3; i++) {
        expect_known(i, 1, 1); /* its own two */
    }
    expect_true(3, 3);
    next_id = 6; /* which nobody has in his books */
    ck_assert_uint_eq(decide(110, 0, 16, NULL).router, 0);
    for (uint32_t i = 1; i < 3; i++) {
        expect_known(i, 3, 3); /* all that is older */
    }
    dyno_dispatch_close(dispatch);
    dyno_dispatch_close(leader);
}
END_TEST

/* Whatever happens, and after that the delay: everybody knows what is so.  Before, nobody believes
 * in more than what was ever there. */
START_TEST(in_the_end_all_know_the_same)
{
    struct dyno_rng rng;
    bool live[400] = {false};
    dyno_ns now = 0;

    dyno_rng_init(&rng, (uint64_t)_i, "routers");
    open_routers(_i % 2 ? "kv" : "least_loaded", 1 + (uint32_t)_i % 5, 2, 1 + (dyno_ns)_i * 10);
    while (next_id < 300) {
        struct dyno_span span = {.id = 1 + dyno_rng_below(&rng, 5), .blocks = 3};
        uint64_t id = dyno_rng_below(&rng, next_id + 1);

        now += dyno_rng_below(&rng, 30);
        dyno_dispatch_tick(dispatch, now);
        switch (dyno_rng_below(&rng, 4)) {
        case 0:
            dyno_dispatch_first_token(dispatch, id);
            break;
        case 1:
            dyno_dispatch_ended(dispatch, id);
            live[id] = false;
            break;
        default:
            live[next_id] = true;
            (void)decide(now, 0, 50 + (uint32_t)dyno_rng_below(&rng, 50), &span);
            break;
        }
    }
    now += 10 * DYNO_S;
    live[next_id] = true;
    (void)decide(now, 0, 60, NULL);
    dyno_dispatch_tick(dispatch, now);
    dyno_dispatch_ended(dispatch, next_id - 1); /* by now nobody else knew of it */
    live[next_id - 1] = false;
    for (uint32_t i = 0; dispatch->routers && i < dispatch->routers->count; i++) {
        const struct dyno_dispatch *router = dispatch->routers->list[i];

        for (uint32_t worker = 0; worker < 2; worker++) {
            ck_assert_uint_eq(router->inflight[worker], dispatch->inflight[worker]);
            ck_assert_uint_eq(router->prefill_tokens[worker], dispatch->prefill_tokens[worker]);
        }
        for (uint64_t id = 0; id < next_id; id++) {
            ck_assert(live[id] == (dyno_dispatch_worker_of(router, id) != DYNO_NO_WORKER));
            ck_assert_uint_eq(dyno_dispatch_worker_of(router, id),
                              dyno_dispatch_worker_of(dispatch, id));
        }
    }
    dyno_dispatch_close(dispatch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("routers");

    tcase_add_test(cases, routers_that_hear_of_each_other_late_run_as_a_herd);
    tcase_add_test(cases, what_one_router_does_reaches_the_others_after_the_delay);
    tcase_add_test(cases, routers_that_never_tell_know_only_their_own);
    tcase_add_test(cases, caches_are_known_to_all_and_guesses_to_none);
    tcase_add_test(cases, a_session_may_be_one_routers);
    tcase_add_test(cases, a_dispatch_that_follows_has_the_leaders_routers);
    tcase_add_loop_test(cases, in_the_end_all_know_the_same, 0, 40);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/run/routers", add_cases)
