/* The indexed heap against a plain array that is searched from end to end. */
#include "core/base/heap.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { IDS = 60 };

/* The oracle: which ids are in, and their keys. */
struct naive {
    bool present[IDS];
    uint64_t key[IDS];
};

static uint32_t naive_count(const struct naive *naive)
{
    uint32_t count = 0;

    for (int id = 0; id < IDS; id++) {
        count += naive->present[id];
    }
    return count;
}

/* Smallest key, ties by the smaller id; IDS when empty. */
static uint32_t naive_top(const struct naive *naive)
{
    uint32_t best = IDS;

    for (uint32_t id = 0; id < IDS; id++) {
        if (naive->present[id] && (best == IDS || naive->key[id] < naive->key[best])) {
            best = id;
        }
    }
    return best;
}

static void expect_same(const struct dyno_heap *heap, const struct naive *naive)
{
    uint32_t top = naive_top(naive);

    ck_assert_uint_eq(heap->count, naive_count(naive));
    if (top == IDS) {
        ck_assert_uint_eq(dyno_heap_key(heap), UINT64_MAX);
        return;
    }
    ck_assert(dyno_heap_top(heap).id == top && dyno_heap_top(heap).key == naive->key[top] &&
              dyno_heap_key(heap) == naive->key[top]);
}

static void one_operation(struct dyno_heap *heap, struct naive *naive, struct dyno_rng *rng)
{
    uint32_t id = (uint32_t)dyno_rng_below(rng, IDS);

    if (dyno_rng_below(rng, 3) > 0) {
        naive->key[id] = dyno_rng_below(rng, 20); /* few keys: many ties */
        naive->present[id] = true;
        dyno_heap_set(heap, id, naive->key[id]);
    } else {
        naive->present[id] = false;
        dyno_heap_remove(heap, id);
    }
    ck_assert_int_eq(dyno_heap_has(heap, id), naive->present[id]);
}

START_TEST(agrees_with_a_naive_search_over_random_operations)
{
    struct dyno_heap heap = {0};
    struct naive naive = {0};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "heap");
    ck_assert_int_eq(dyno_heap_reserve(&heap, IDS), DYNO_OK);
    for (int i = 0; i < 2000; i++) {
        one_operation(&heap, &naive, &rng);
        expect_same(&heap, &naive);
    }
    while (heap.count > 0) {
        naive.present[naive_top(&naive)] = false;
        dyno_heap_remove(&heap, dyno_heap_top(&heap).id);
        expect_same(&heap, &naive);
    }
    dyno_heap_release(&heap);
}
END_TEST

START_TEST(ties_leave_by_the_smaller_id)
{
    struct dyno_heap heap = {0};

    ck_assert_int_eq(dyno_heap_reserve(&heap, IDS), DYNO_OK);
    for (uint32_t id = IDS; id-- > 0;) {
        dyno_heap_set(&heap, id, 7);
    }
    for (uint32_t id = 0; id < IDS; id++) {
        ck_assert_uint_eq(dyno_heap_top(&heap).id, id);
        dyno_heap_remove(&heap, id);
    }
    dyno_heap_release(&heap);
}
END_TEST

START_TEST(growing_keeps_what_is_there)
{
    struct dyno_heap heap = {0};

    for (uint32_t id = 0; id < 1000; id++) {
        ck_assert_int_eq(dyno_heap_reserve(&heap, id + 1), DYNO_OK);
        dyno_heap_set(&heap, id, 1000 - id);
    }
    ck_assert_int_eq(dyno_heap_reserve(&heap, 10), DYNO_OK); /* never shrinks */
    for (uint32_t id = 1000; id-- > 0;) {
        ck_assert_uint_eq(dyno_heap_top(&heap).id, id);
        dyno_heap_remove(&heap, id);
    }
    dyno_heap_release(&heap);
}
END_TEST

START_TEST(an_absent_id_is_no_trouble)
{
    struct dyno_heap heap = {0};

    ck_assert(!dyno_heap_has(&heap, 0));
    dyno_heap_remove(&heap, 5);
    ck_assert_int_eq(dyno_heap_reserve(&heap, 4), DYNO_OK);
    dyno_heap_remove(&heap, 3);
    dyno_heap_remove(&heap, 4000000000U);
    ck_assert_uint_eq(heap.count, 0);
    dyno_heap_release(&heap);
    ck_assert_ptr_null(heap.items);
}
END_TEST

START_TEST(the_largest_key_is_a_key)
{
    struct dyno_heap heap = {0};

    ck_assert_int_eq(dyno_heap_reserve(&heap, 2), DYNO_OK);
    dyno_heap_set(&heap, 1, UINT64_MAX);
    dyno_heap_set(&heap, 0, 0);
    ck_assert_uint_eq(dyno_heap_top(&heap).id, 0);
    dyno_heap_remove(&heap, 0);
    ck_assert_uint_eq(dyno_heap_top(&heap).id, 1);
    dyno_heap_release(&heap);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("heap");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_a_naive_search_over_random_operations, 0, 20);
    tcase_add_test(tc, ties_leave_by_the_smaller_id);
    tcase_add_test(tc, growing_keeps_what_is_there);
    tcase_add_test(tc, an_absent_id_is_no_trouble);
    tcase_add_test(tc, the_largest_key_is_a_key);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/heap", add_cases)
