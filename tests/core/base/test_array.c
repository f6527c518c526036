/* Arrays that grow keep what they have, and grow seldom. */
#include "core/base/array.h"

#include "tests/check_main.h"

START_TEST(items_stay_what_they_were)
{
    uint64_t *items = NULL;
    uint32_t capacity = 0, grown = 0;

    for (uint32_t count = 0; count < 10000; count++) {
        uint32_t before = capacity;

        ck_assert(dyno_array_reserve(&items, &capacity, count + 1, sizeof *items));
        ck_assert_uint_gt(capacity, count);
        grown += capacity != before;
        items[count] = 3 * (uint64_t)count;
    }
    for (uint32_t i = 0; i < 10000; i++) {
        ck_assert_uint_eq(items[i], 3 * (uint64_t)i);
    }
    ck_assert_uint_eq(grown, 11); /* 16, 32, ... 16384 */
    free(items);
}
END_TEST

START_TEST(room_that_is_there_is_left_alone)
{
    char *items = NULL, *first;
    uint32_t capacity = 0;

    ck_assert(dyno_array_reserve(&items, &capacity, 0, 1));
    ck_assert(items == NULL && capacity == 0);
    ck_assert(dyno_array_reserve(&items, &capacity, 100, 1));
    ck_assert_uint_eq(capacity, 128);
    first = items;
    ck_assert(dyno_array_reserve(&items, &capacity, 128, 1));
    ck_assert(items == first && capacity == 128);
    free(items);
}
END_TEST

START_TEST(what_no_capacity_could_say_is_refused)
{
    char *items = NULL, *first;
    uint32_t capacity = 0;

    ck_assert(dyno_array_reserve(&items, &capacity, 1, 1));
    first = items;
    ck_assert(!dyno_array_reserve(&items, &capacity, (size_t)UINT32_MAX + 1, 1));
    ck_assert(items == first && capacity == 16);
    free(items);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("array");

    tcase_add_test(cases, items_stay_what_they_were);
    tcase_add_test(cases, room_that_is_there_is_left_alone);
    tcase_add_test(cases, what_no_capacity_could_say_is_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/array", add_cases)
