/* The table, and the policies that look at no cache. */
#include "tests/check_main.h"
#include "tests/core/route/fleet.h"

enum { DRAWS = 120000 };

static void *open_state(struct fleet *fleet, const struct dyno_route_policy *policy)
{
    void *state = NULL;

    if (policy->open) {
        ck_assert_int_eq(policy->open(&state, &fleet->config, fleet->view.worker_count), 0);
    }
    return state;
}

static void close_state(const struct dyno_route_policy *policy, void *state)
{
    if (policy->close) {
        policy->close(state);
    }
}

static void count_picks(struct fleet *fleet, const char *name, uint32_t *counts)
{
    const struct dyno_route_policy *policy = dyno_route_find(name);
    void *state = open_state(fleet, policy);

    memset(counts, 0, FLEET_MAX * sizeof *counts);
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint32_t worker = fleet_pick(fleet, policy, state);

        ck_assert_uint_lt(worker, fleet->view.worker_count);
        counts[worker]++;
    }
    close_state(policy, state);
}

/* Within five standard deviations of DRAWS * share. */
static void expect_share(uint32_t count, double share)
{
    double difference = count - share * DRAWS;

    ck_assert_msg(difference * difference <= 25 * DRAWS * share * (1 - share) + 0.25,
                  "%u of %u, not %g", count, (unsigned)DRAWS, share);
}

START_TEST(every_policy_is_found_by_its_name)
{
    static const char *const names[] = {"round_robin", "random", "least_loaded", "power_of_two",
                                        "session",     "kv",     "kv_approx",    "lmetric"};
    size_t count = 0;

    for (; dyno_route_table[count]; count++) {
        ck_assert_str_eq(dyno_route_table[count]->name, names[count]);
        ck_assert_ptr_eq(dyno_route_find(names[count]), dyno_route_table[count]);
        ck_assert_uint_eq(dyno_route_table[count]->abi, DYNO_ROUTE_ABI);
        ck_assert_ptr_nonnull(dyno_route_table[count]->help);
    }
    ck_assert_uint_eq(count, sizeof names / sizeof *names);
    ck_assert_ptr_null(dyno_route_find("kv_"));
    ck_assert_ptr_null(dyno_route_find(""));
}
END_TEST

START_TEST(every_policy_refuses_when_nobody_is_eligible)
{
    for (size_t i = 0; dyno_route_table[i]; i++) {
        struct fleet fleet;
        void *state;

        fleet_init(&fleet, 5, 1);
        memset(fleet.eligible, 0, 5);
        fleet.request.session = 3;
        state = open_state(&fleet, dyno_route_table[i]);
        ck_assert_uint_eq(fleet_pick(&fleet, dyno_route_table[i], state), DYNO_ROUTE_NONE);
        close_state(dyno_route_table[i], state);
    }
}
END_TEST

START_TEST(every_policy_finds_the_only_eligible_worker)
{
    for (size_t i = 0; dyno_route_table[i]; i++) {
        struct fleet fleet;
        void *state;

        fleet_init(&fleet, FLEET_MAX, 1);
        memset(fleet.eligible, 0, FLEET_MAX);
        fleet.eligible[41] = 1;
        fleet.inflight[41] = 1000;
        state = open_state(&fleet, dyno_route_table[i]);
        for (uint64_t session = 0; session < 5; session++) {
            fleet.request.session = session;
            ck_assert_uint_eq(fleet_pick(&fleet, dyno_route_table[i], state), 41);
        }
        close_state(dyno_route_table[i], state);
    }
}
END_TEST

START_TEST(round_robin_takes_turns_and_skips_the_ineligible)
{
    static const uint32_t expected[] = {0, 1, 3, 0, 1, 3, 0, 1, 2, 3, 0};
    const struct dyno_route_policy *policy = dyno_route_find("round_robin");
    struct fleet fleet;
    void *state;

    fleet_init(&fleet, 4, 1);
    fleet.eligible[2] = 0;
    state = open_state(&fleet, policy);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        fleet.eligible[2] = i >= 8;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), expected[i]);
    }
    close_state(policy, state);
}
END_TEST

START_TEST(random_is_uniform_over_the_eligible)
{
    uint32_t counts[FLEET_MAX];
    struct fleet fleet;

    fleet_init(&fleet, 5, 2);
    fleet.eligible[1] = 0;
    count_picks(&fleet, "random", counts);
    for (uint32_t worker = 0; worker < 5; worker++) {
        expect_share(counts[worker], worker == 1 ? 0 : 0.25);
    }
    fleet_init(&fleet, FLEET_MAX, 3); /* few among many: blind tries mostly fail */
    memset(fleet.eligible, 0, FLEET_MAX);
    fleet.eligible[0] = fleet.eligible[63] = 1;
    count_picks(&fleet, "random", counts);
    expect_share(counts[0], 0.5);
    expect_share(counts[63], 0.5);
}
END_TEST

START_TEST(least_loaded_takes_the_fewest_in_flight_and_ties_evenly)
{
    uint32_t counts[FLEET_MAX];
    struct fleet fleet;

    fleet_init(&fleet, 4, 4);
    memcpy(fleet.inflight, (uint32_t[]){3, 2, 2, 1}, 4 * sizeof(uint32_t));
    fleet.eligible[3] = 0;
    count_picks(&fleet, "least_loaded", counts);
    expect_share(counts[0], 0);
    expect_share(counts[1], 0.5);
    expect_share(counts[2], 0.5);
}
END_TEST

/* Weights 1, e^-1, e^-2 at T = 0.5, as loads 1, 2, 3 are normalised to 0, 1/2, 1. */
START_TEST(least_loaded_has_a_temperature)
{
    uint32_t counts[FLEET_MAX];
    struct fleet fleet;

    fleet_init(&fleet, 3, 5);
    memcpy(fleet.inflight, (uint32_t[]){1, 2, 3}, 3 * sizeof(uint32_t));
    fleet.config.temperature = 0.5;
    count_picks(&fleet, "least_loaded", counts);
    expect_share(counts[0], 0.6652409557748219);
    expect_share(counts[1], 0.24472847105479764);
    expect_share(counts[2], 0.09003057317038046);
}
END_TEST

/* Loads 0, 1, 1, 2: of the 12 ordered pairs, worker 0 wins all 6 it is in; 1 beats 2 when first (1)
 * and 3 always (2), and so does 2; 3 never wins. */
START_TEST(power_of_two_takes_the_lighter_of_two_different_workers)
{
    uint32_t counts[FLEET_MAX];
    struct fleet fleet;

    fleet_init(&fleet, 4, 6);
    memcpy(fleet.inflight, (uint32_t[]){0, 1, 1, 2}, 4 * sizeof(uint32_t));
    count_picks(&fleet, "power_of_two", counts);
    expect_share(counts[0], 6 / 12.0);
    expect_share(counts[1], 3 / 12.0);
    expect_share(counts[2], 3 / 12.0);
    expect_share(counts[3], 0);
    fleet_init(&fleet, 6, 7); /* the same four among six */
    memcpy(fleet.inflight, (uint32_t[]){9, 0, 1, 9, 1, 2}, 6 * sizeof(uint32_t));
    fleet.eligible[0] = fleet.eligible[3] = 0;
    count_picks(&fleet, "power_of_two", counts);
    expect_share(counts[1], 6 / 12.0);
    expect_share(counts[2], 3 / 12.0);
    expect_share(counts[4], 3 / 12.0);
    expect_share(counts[5], 0);
}
END_TEST

START_TEST(only_a_worker_that_leaves_loses_its_sessions_and_gets_them_back)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");
    uint32_t home[1000], moved = 0, to[FLEET_MAX] = {0};
    struct fleet fleet;
    void *state;

    fleet_init(&fleet, 8, 8);
    state = open_state(&fleet, policy);
    for (uint64_t session = 1; session < 1000; session++) {
        fleet.request.session = session;
        home[session] = fleet_pick(&fleet, policy, state);
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), home[session]);
    }
    fleet.eligible[3] = 0;
    for (uint64_t session = 1; session < 1000; session++) {
        uint32_t worker;

        fleet.request.session = session;
        worker = fleet_pick(&fleet, policy, state);
        ck_assert_uint_ne(worker, 3);
        ck_assert(home[session] == 3 || worker == home[session]);
        moved += home[session] == 3;
        to[worker] += home[session] == 3;
    }
    ck_assert_uint_gt(moved, 60); /* 125 expected */
    for (uint32_t worker = 0; worker < 8; worker++) {
        ck_assert(worker == 3 || to[worker] > 0); /* to all the others, not to one neighbour */
    }
    fleet.eligible[3] = 1;
    for (uint64_t session = 1; session < 1000; session++) {
        fleet.request.session = session;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), home[session]);
    }
    close_state(policy, state);
}
END_TEST

START_TEST(without_a_session_equal_prefixes_meet_and_others_go_to_the_least_loaded)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");
    uint32_t seen[FLEET_MAX] = {0}, workers = 0;
    struct fleet fleet;
    void *state;

    fleet_init(&fleet, 8, 9);
    state = open_state(&fleet, policy);
    for (uint64_t prefix = 1; prefix <= 100; prefix++) {
        uint32_t worker;

        fleet.request.prefix = prefix;
        worker = fleet_pick(&fleet, policy, state);
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), worker);
        workers += seen[worker]++ == 0;
    }
    ck_assert_uint_eq(workers, 8);
    fleet.request.prefix = 0;
    memcpy(fleet.inflight, (uint32_t[]){5, 5, 5, 4, 5, 5, 5, 5}, 8 * sizeof(uint32_t));
    ck_assert_uint_eq(fleet_pick(&fleet, policy, state), 3);
    close_state(policy, state);
}
END_TEST

/* Home has 5 in flight.  Others idle: at most ceil(5/4 * 6/8) = 1 each, so home is passed over.
 * Others have 5 too: ceil(5/4 * 41/8) = 7, so it is not. */
START_TEST(a_popular_prefix_is_shared_out_but_a_session_is_not)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");
    struct fleet fleet;
    uint32_t home;
    void *state;

    fleet_init(&fleet, 8, 9);
    state = open_state(&fleet, policy);
    fleet.request.prefix = 12345;
    home = fleet_pick(&fleet, policy, state);
    fleet.inflight[home] = 5;
    ck_assert_uint_ne(fleet_pick(&fleet, policy, state), home);
    for (uint32_t worker = 0; worker < 8; worker++) {
        fleet.inflight[worker] = 5;
    }
    ck_assert_uint_eq(fleet_pick(&fleet, policy, state), home);
    fleet.request.session = 7;
    home = fleet_pick(&fleet, policy, state);
    fleet.inflight[home] = 1000;
    ck_assert_uint_eq(fleet_pick(&fleet, policy, state), home);
    close_state(policy, state);
}
END_TEST

START_TEST(a_ring_shares_sessions_about_evenly)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");
    uint32_t counts[FLEET_MAX] = {0};
    struct fleet fleet;
    void *state;

    fleet_init(&fleet, 8, 10);
    fleet.config.session_replicas = 256;
    state = open_state(&fleet, policy);
    for (uint64_t session = 1; session <= 80000; session++) {
        fleet.request.session = session;
        counts[fleet_pick(&fleet, policy, state)]++;
    }
    for (uint32_t worker = 0; worker < 8; worker++) {
        ck_assert_uint_gt(counts[worker], 8000);
        ck_assert_uint_lt(counts[worker], 12000);
    }
    close_state(policy, state);
}
END_TEST

START_TEST(a_ring_has_a_largest_size)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");
    struct fleet fleet;
    void *state = NULL;

    fleet_init(&fleet, 8, 11);
    fleet.config.session_replicas = UINT32_MAX;
    ck_assert_int_eq(policy->open(&state, &fleet.config, 8), -1);
    fleet.config.session_replicas = 0; /* at least one point a worker */
    state = open_state(&fleet, policy);
    fleet.request.session = 1;
    ck_assert_uint_lt(fleet_pick(&fleet, policy, state), 8);
    close_state(policy, state);
}
END_TEST

/* Its worker goes, and comes back: a session that is sticky stays where it went meanwhile, until
 * that goes too.  Who is only busy loses nobody. */
START_TEST(a_sticky_session_stays_where_it_had_to_go)
{
    const struct dyno_route_policy *policy = dyno_route_find("session");

    for (int sticky = 0; sticky < 2; sticky++) {
        uint32_t first, second, third;
        struct fleet fleet;
        void *state;

        fleet_init(&fleet, 5, 1);
        fleet.config.session_sticky = sticky;
        fleet.request.session = 77;
        state = open_state(&fleet, policy);
        first = fleet_pick(&fleet, policy, state);
        fleet.eligible[first] = 0; /* busy */
        ck_assert_uint_ne(fleet_pick(&fleet, policy, state), first);
        fleet.eligible[first] = 1;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), first);
        fleet.eligible[first] = 0;
        policy->worker_gone(state, first);
        second = fleet_pick(&fleet, policy, state);
        ck_assert_uint_ne(second, first);
        fleet.eligible[first] = 1;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), sticky ? second : first);
        fleet.eligible[second] = 0; /* busy: the next from its point on, for once */
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), first);
        fleet.eligible[second] = 1;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), sticky ? second : first);
        fleet.eligible[first] = fleet.eligible[second] = 0;
        policy->worker_gone(state, second);
        third = fleet_pick(&fleet, policy, state);
        fleet.eligible[first] = fleet.eligible[second] = 1;
        ck_assert_uint_eq(fleet_pick(&fleet, policy, state), sticky ? third : first);
        close_state(policy, state);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("policies");

    tcase_add_test(cases, every_policy_is_found_by_its_name);
    tcase_add_test(cases, every_policy_refuses_when_nobody_is_eligible);
    tcase_add_test(cases, every_policy_finds_the_only_eligible_worker);
    tcase_add_test(cases, round_robin_takes_turns_and_skips_the_ineligible);
    tcase_add_test(cases, a_sticky_session_stays_where_it_had_to_go);
    tcase_add_test(cases, random_is_uniform_over_the_eligible);
    tcase_add_test(cases, least_loaded_takes_the_fewest_in_flight_and_ties_evenly);
    tcase_add_test(cases, least_loaded_has_a_temperature);
    tcase_add_test(cases, power_of_two_takes_the_lighter_of_two_different_workers);
    tcase_add_test(cases, only_a_worker_that_leaves_loses_its_sessions_and_gets_them_back);
    tcase_add_test(cases, without_a_session_equal_prefixes_meet_and_others_go_to_the_least_loaded);
    tcase_add_test(cases, a_popular_prefix_is_shared_out_but_a_session_is_not);
    tcase_add_test(cases, a_ring_shares_sessions_about_evenly);
    tcase_add_test(cases, a_ring_has_a_largest_size);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/route/policies", add_cases)
