/* Admission: every policy by hand, and the fairness of deficit round robin over random queues. */
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/route/admit.h"
#include "tests/check_main.h"

static struct dyno_admit *admit;

static void set_up(const char *policy, uint32_t quantum, const char *classes)
{
    struct dyno_admit_config config = {.policy = dyno_admit_find(policy), .quantum = quantum};

    ck_assert_ptr_nonnull(config.policy);
    if (classes) {
        ck_assert_int_eq(dyno_admit_classes_parse(&config.classes, classes, NULL), DYNO_OK);
    }
    ck_assert_int_eq(dyno_admit_open(&admit, &config), DYNO_OK);
}

static void enter(uint32_t place, uint32_t tenant, int32_t priority, uint32_t cost)
{
    struct dyno_admit_request request = {.tenant = tenant, .priority = priority, .cost = cost};

    ck_assert_int_eq(dyno_admit_enter(admit, place, &request), DYNO_OK);
}

/* Who is let in, in this order, up to the end of the list. */
static void expect(const char *places)
{
    char text[128] = "";

    for (size_t used = 0, i = 0; i < (strlen(places) + 1) / 2; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%x", i > 0 ? " " : "",
                                 dyno_admit_take(admit));
    }
    ck_assert_str_eq(text, places);
    dyno_admit_close(admit);
}

START_TEST(fcfs_lets_in_who_came_first)
{
    set_up("fcfs", 0, NULL);
    enter(7, 0, 0, 1);
    enter(3, 0, -5, 9);
    enter(5, 0, 0, 4);
    expect("7 3 5");
}
END_TEST

/* A place that is used again stands where its new request came. */
START_TEST(lcfs_lets_in_who_came_last)
{
    set_up("lcfs", 0, NULL);
    enter(7, 0, 0, 1);
    enter(3, 0, 0, 9);
    dyno_admit_leave(admit, 7);
    enter(5, 0, 0, 4);
    enter(7, 0, 0, 4);
    expect("7 5 3");
}
END_TEST

/* Tokens over weight: 300/4 = 75, 100/2 = 50, 60/1 = 60, 200/4 = 50, which came later. */
START_TEST(wspt_lets_in_the_shortest_for_its_weight)
{
    set_up("wspt", 0, "-1:4,0:2,1:1");
    enter(0, 0, -3, 300);
    enter(1, 0, 0, 100);
    enter(2, 0, 9, 60);
    enter(3, 0, -1, 200);
    expect("1 3 2 0");
}
END_TEST

/* Quantum 100.  Tenant 1 (places 0 to 2, of 60 each): 100 lets one in, 40 are left; tenant 2 (3 and
 * 4, of 100 each): one; tenant 1 has 140: the other two; tenant 2: the last. */
START_TEST(fair_gives_each_tenant_its_quantum_in_turn)
{
    set_up("fair", 100, NULL);
    for (uint32_t place = 0; place < 3; place++) {
        enter(place, 1, 0, 60);
    }
    enter(3, 2, 0, 100);
    enter(4, 2, 0, 100);
    expect("0 3 1 2 4");
}
END_TEST

/* A tenant with nobody left waiting does not keep what it did not use: 2 comes back after 1 went,
 * and begins with a quantum of 100 as before, not with 140. */
START_TEST(what_is_not_used_is_kept_only_while_somebody_waits)
{
    set_up("fair", 100, NULL);
    enter(0, 2, 0, 60);
    ck_assert_uint_eq(dyno_admit_take(admit), 0);
    enter(1, 2, 0, 120);
    enter(2, 1, 0, 100);
    expect("2 1");
}
END_TEST

/* Ten tokens each, weights 1, 2 and 4, quantum 10, in the order in which the classes came. */
START_TEST(priority_shares_by_weight)
{
    set_up("priority", 10, "-1:4,0:2,1:1");
    for (uint32_t i = 0; i < 4; i++) {
        enter(i, 0, 1 + (int32_t)i, 10); /* all of the last class */
    }
    for (uint32_t i = 4; i < 8; i++) {
        enter(i, 0, 0, 10);
    }
    for (uint32_t i = 8; i < 14; i++) {
        enter(i, 0, -1 - (int32_t)i, 10); /* all of the first */
    }
    expect("0 4 5 8 9 a b 1 6 7 c d 2 3");
}
END_TEST

/* Prompts of a thousand quanta: 999 reach 999 before 1000 reach 1000, though these came first; and
 * it takes no thousand rounds. */
START_TEST(a_quantum_may_be_far_below_a_prompt)
{
    set_up("fair", 1, NULL);
    enter(0, 1, 0, 4000001000U);
    enter(1, 2, 0, 4000000999U);
    enter(2, 2, 0, 1);
    expect("1 0 2");
}
END_TEST

/* Whoever leaves was in no way served: the turn goes on to the next. */
START_TEST(who_leaves_is_not_charged)
{
    set_up("fair", 100, NULL);
    enter(0, 1, 0, 90);
    enter(1, 1, 0, 90);
    enter(2, 2, 0, 90);
    enter(3, 1, 0, 10);
    dyno_admit_leave(admit, 0);
    ck_assert_uint_eq(dyno_admit_take(admit), 1);
    ck_assert_uint_eq(dyno_admit_take(admit), 3); /* 90 + 10 */
    enter(4, 3, 0, 1);
    dyno_admit_leave(admit, 2);
    enter(5, 2, 0, 1);
    expect("4 5");
}
END_TEST

/* Prompts of 100, quantum 100.  Tenant 1's first is found to have taken 300 more: it owes them, and
 * has paid them off, and 100 more, in its fourth turn from then; tenant 2 lets one in each time. */
START_TEST(what_is_charged_later_is_paid_off_first)
{
    struct dyno_admit_request one = {.tenant = 1, .cost = 1}, nobody = {.tenant = 9, .cost = 1};

    set_up("fair", 100, NULL);
    enter(0, 1, 0, 100);
    enter(1, 1, 0, 100);
    for (uint32_t place = 2; place < 8; place++) {
        enter(place, 2, 0, 100);
    }
    ck_assert_uint_eq(dyno_admit_take(admit), 0);
    dyno_admit_charge(admit, &one, 300);
    dyno_admit_charge(admit, &nobody, 300); /* of whom nobody waits: forgotten */
    expect("2 3 4 5 1 6 7");
}
END_TEST

/* ---- over random queues ---------------------------------------------------------------------- */

enum { CLASSES = 4, STEPS = 600, COST_MAX = 500 };

/* All classes always have somebody waiting; over every stretch from one of a few marks on, what two
 * of them were let in with differs by at most quantum + cost_max/w + cost_max/w, over weights. */
START_TEST(what_classes_get_stays_within_the_bound)
{
    static const uint32_t weights[CLASSES] = {7, 3, 2, 1};
    enum { MARKS = 8 };
    uint64_t served[CLASSES] = {0}, marked[MARKS][CLASSES] = {{0}};
    uint32_t quantum, costs[CLASSES * 4];
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "admit");
    quantum = 1 + (uint32_t)dyno_rng_below(&rng, 2 * COST_MAX);
    set_up("priority", quantum, "0:7,1:3,2:2,3:1");
    for (uint32_t place = 0; place < CLASSES * 4; place++) {
        costs[place] = 1 + (uint32_t)dyno_rng_below(&rng, COST_MAX);
        enter(place, 0, (int32_t)(place % CLASSES), costs[place]);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t place = dyno_admit_take(admit);

        served[place % CLASSES] += costs[place];
        costs[place] = 1 + (uint32_t)dyno_rng_below(&rng, COST_MAX);
        enter(place, 0, (int32_t)(place % CLASSES), costs[place]);
        if (dyno_rng_below(&rng, 20) == 0) {
            memcpy(marked[dyno_rng_below(&rng, MARKS)], served, sizeof served);
        }
        for (uint32_t pair = 0; pair < MARKS * CLASSES * CLASSES; pair++) {
            uint32_t a = pair % CLASSES, b = pair / CLASSES % CLASSES;
            const uint64_t *since = marked[pair / CLASSES / CLASSES];
            double of_a = (double)(served[a] - since[a]) / weights[a];
            double of_b = (double)(served[b] - since[b]) / weights[b];
            double bound = quantum + (double)COST_MAX / weights[a] + (double)COST_MAX / weights[b];

            ck_assert_msg(of_a - of_b <= bound, "queue %d, step %u: %g and %g", _i, step, of_a,
                          of_b);
        }
    }
    dyno_admit_close(admit);
}
END_TEST

/* Whatever comes and goes, each of those who wait is let in once. */
START_TEST(everybody_is_let_in_once)
{
    bool waits[64] = {false};
    uint32_t count = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "coming and going");
    set_up(dyno_admit_table[_i % 5].name, 1 + (uint32_t)dyno_rng_below(&rng, 300), "0:5,2:1");
    for (uint32_t step = 0; step < 2000; step++) {
        uint32_t place = (uint32_t)dyno_rng_below(&rng, 64);

        if (dyno_rng_below(&rng, 3) == 0 && count > 0) {
            place = dyno_admit_take(admit);
            ck_assert_msg(waits[place], "queue %d, step %u", _i, step);
            waits[place] = false;
            count--;
        } else if (waits[place] && dyno_rng_below(&rng, 2) == 0) {
            dyno_admit_leave(admit, place);
            waits[place] = false;
            count--;
        } else if (!waits[place]) {
            enter(place, (uint32_t)dyno_rng_below(&rng, 5), (int32_t)dyno_rng_below(&rng, 4),
                  1 + (uint32_t)dyno_rng_below(&rng, 400));
            waits[place] = true;
            count++;
        }
    }
    for (; count > 0; count--) {
        uint32_t place = dyno_admit_take(admit);

        ck_assert(waits[place]);
        waits[place] = false;
    }
    dyno_admit_close(admit);
}
END_TEST

/* ---- classes --------------------------------------------------------------------------------- */

START_TEST(a_class_reaches_up_to_the_next_one)
{
    struct dyno_admit_classes classes;

    ck_assert_int_eq(dyno_admit_classes_parse(&classes, "-10:1000,0:2,5:1", NULL), DYNO_OK);
    ck_assert_uint_eq(classes.count, 3);
    ck_assert_int_eq(classes.of[0].priority, -10);
    ck_assert_uint_eq(classes.of[0].weight, 1000);
    ck_assert_uint_eq(dyno_admit_class_of(&classes, INT32_MIN), 0);
    ck_assert_uint_eq(dyno_admit_class_of(&classes, -1), 0);
    ck_assert_uint_eq(dyno_admit_class_of(&classes, 0), 1);
    ck_assert_uint_eq(dyno_admit_class_of(&classes, 4), 1);
    ck_assert_uint_eq(dyno_admit_class_of(&classes, INT32_MAX), 2);
}
END_TEST

START_TEST(classes_that_cannot_be_are_refused)
{
    static const char *const bad[] = {"",     "0",    "0:",      "0:0",     "0:1001",
                                      "a:1",  "0:1,", ",0:1",    "0:1,0:2", "1:1,0:1",
                                      "0:1 ", " 0:1", "0:1;1:1", "0: 1",    "0:1,2147483648:1"};
    struct dyno_admit_classes classes = {.count = 77};
    struct dyno_error error;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(dyno_admit_classes_parse(&classes, bad[i], &error) == DYNO_BAD_INPUT, "'%s'",
                      bad[i]);
        ck_assert_ptr_nonnull(strstr(error.text, "PRIORITY:WEIGHT"));
    }
    ck_assert_int_eq(dyno_admit_classes_parse(&classes,
                                              "0:1,1:1,2:1,3:1,4:1,5:1,6:1,7:1,8:1,9:1,10:1,11:1,"
                                              "12:1,13:1,14:1,15:1,16:1",
                                              &error),
                     DYNO_BAD_INPUT);
    ck_assert_uint_eq(classes.count, 77); /* untouched */
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("admit");

    tcase_add_test(cases, fcfs_lets_in_who_came_first);
    tcase_add_test(cases, lcfs_lets_in_who_came_last);
    tcase_add_test(cases, wspt_lets_in_the_shortest_for_its_weight);
    tcase_add_test(cases, fair_gives_each_tenant_its_quantum_in_turn);
    tcase_add_test(cases, what_is_not_used_is_kept_only_while_somebody_waits);
    tcase_add_test(cases, priority_shares_by_weight);
    tcase_add_test(cases, a_quantum_may_be_far_below_a_prompt);
    tcase_add_test(cases, who_leaves_is_not_charged);
    tcase_add_test(cases, what_is_charged_later_is_paid_off_first);
    tcase_add_loop_test(cases, what_classes_get_stays_within_the_bound, 0, 50);
    tcase_add_loop_test(cases, everybody_is_let_in_once, 0, 50);
    tcase_add_test(cases, a_class_reaches_up_to_the_next_one);
    tcase_add_test(cases, classes_that_cannot_be_are_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/route/admit", add_cases)
