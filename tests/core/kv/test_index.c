/* The fleet index against a table that remembers everything, and the cases its nodes turn on. */
#include "core/kv/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { WORKERS_MAX = 4096, SPANS = 48, CHAIN_MAX = 12 };

static struct dyno_kv_index *index_of(uint32_t workers)
{
    struct dyno_kv_index *index = NULL;

    ck_assert_int_eq(dyno_kv_index_open(&index, workers), DYNO_OK);
    return index;
}

static void set(struct dyno_kv_index *index, uint64_t span, uint32_t worker, uint32_t blocks)
{
    ck_assert_int_eq(dyno_kv_index_set(index, span, worker, blocks), DYNO_OK);
}

/* What the index must say, from a plain table held[span][worker]. */
struct oracle {
    uint32_t workers;
    uint32_t *held; /* [SPANS][workers]; span identities are 1 + row */
};

static uint32_t oracle_overlap(const struct oracle *oracle, const struct dyno_span *spans,
                               uint32_t count, uint32_t worker)
{
    uint32_t overlap = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t held = oracle->held[(spans[i].id - 1) * oracle->workers + worker];

        if (held < spans[i].blocks) {
            return overlap + held;
        }
        overlap += spans[i].blocks;
    }
    return overlap;
}

static size_t oracle_spans(const struct oracle *oracle)
{
    size_t count = 0;

    for (uint32_t row = 0; row < SPANS; row++) {
        int any = 0;

        for (uint32_t worker = 0; worker < oracle->workers; worker++) {
            any |= oracle->held[row * oracle->workers + worker] != 0;
        }
        count += (size_t)any;
    }
    return count;
}

static void compare(const struct dyno_kv_index *index, const struct oracle *oracle,
                    const struct dyno_span *spans, uint32_t count)
{
    static uint32_t overlap[WORKERS_MAX], touched[WORKERS_MAX];
    uint32_t found, next = 0;

    memset(overlap, 0xff, sizeof overlap);
    found = dyno_kv_index_match(index, spans, count, overlap, touched);
    for (uint32_t worker = 0; worker < oracle->workers; worker++) {
        uint32_t expected = oracle_overlap(oracle, spans, count, worker);

        if (!expected) {
            ck_assert_msg(overlap[worker] == UINT32_MAX, "worker %u was touched", worker);
            continue;
        }
        ck_assert_msg(next < found && touched[next] == worker, "worker %u is missing", worker);
        ck_assert_msg(overlap[worker] == expected, "worker %u: %u, not %u", worker, overlap[worker],
                      expected);
        next++;
    }
    ck_assert_uint_eq(next, found);
}

/* A chain of random spans with random lengths: the index need not know that chains are chains. */
static uint32_t random_chain(struct dyno_rng *rng, struct dyno_span spans[CHAIN_MAX])
{
    uint32_t count = (uint32_t)dyno_rng_below(rng, CHAIN_MAX + 1);

    for (uint32_t i = 0; i < count; i++) {
        spans[i].id = 1 + dyno_rng_below(rng, dyno_rng_below(rng, 4) ? 6 : SPANS);
        spans[i].blocks = 1 + (uint32_t)dyno_rng_below(rng, 4);
    }
    return count;
}

/* Mostly full spans, sometimes a part, sometimes nothing; popular spans are held widely. */
static void random_change(struct dyno_kv_index *index, struct oracle *oracle, struct dyno_rng *rng)
{
    uint64_t span = 1 + dyno_rng_below(rng, dyno_rng_below(rng, 2) ? 6 : SPANS);
    uint32_t worker = (uint32_t)dyno_rng_below(rng, oracle->workers);
    uint32_t kind = (uint32_t)dyno_rng_below(rng, 8);
    uint32_t blocks = kind < 5 ? 4 : kind < 6 ? 1 + (uint32_t)dyno_rng_below(rng, 4) : 0;

    set(index, span, worker, blocks);
    oracle->held[(span - 1) * oracle->workers + worker] = blocks;
}

static void random_drop(struct dyno_kv_index *index, struct oracle *oracle, struct dyno_rng *rng)
{
    uint32_t worker = (uint32_t)dyno_rng_below(rng, oracle->workers);

    dyno_kv_index_drop_worker(index, worker);
    for (uint32_t row = 0; row < SPANS; row++) {
        oracle->held[row * oracle->workers + worker] = 0;
    }
}

static void churn(uint64_t seed, uint32_t workers, uint32_t changes)
{
    struct dyno_kv_index *index = index_of(workers);
    struct oracle oracle = {.workers = workers};
    struct dyno_span spans[CHAIN_MAX];
    struct dyno_rng rng;

    oracle.held = calloc((size_t)SPANS * workers, sizeof *oracle.held);
    ck_assert_ptr_nonnull(oracle.held);
    dyno_rng_init(&rng, seed, "index churn");
    for (uint32_t i = 0; i < changes; i++) {
        random_change(index, &oracle, &rng);
        if (dyno_rng_below(&rng, 400) == 0) {
            random_drop(index, &oracle, &rng);
        }
        if (dyno_rng_below(&rng, 1 + changes / 300) == 0) {
            compare(index, &oracle, spans, random_chain(&rng, spans));
            ck_assert_uint_eq(dyno_kv_index_spans(index), oracle_spans(&oracle));
        }
    }
    for (uint32_t worker = 0; worker < workers; worker++) {
        dyno_kv_index_drop_worker(index, worker);
    }
    ck_assert_uint_eq(dyno_kv_index_spans(index), 0);
    free(oracle.held);
    dyno_kv_index_close(index);
}

START_TEST(random_churn_agrees_with_a_plain_table)
{
    static const uint32_t fleets[] = {1, 2, 8, 63, 64, 65, 130, 600};

    for (size_t i = 0; i < sizeof fleets / sizeof *fleets; i++) {
        churn((uint64_t)_i, fleets[i], 3000 + 10 * fleets[i]);
    }
}
END_TEST

START_TEST(four_thousand_workers_agree_with_a_plain_table)
{
    churn(7, 4096, 60000);
}
END_TEST

START_TEST(overlap_ends_at_the_first_gap)
{
    struct dyno_kv_index *index = index_of(3);
    struct dyno_span chain[] = {{10, 32}, {20, 32}, {30, 16}};
    uint32_t overlap[3] = {0}, touched[3];

    set(index, 10, 0, 32); /* worker 0: all of the first, half of the second, all of the third */
    set(index, 20, 0, 16);
    set(index, 30, 0, 16);
    set(index, 20, 1, 32); /* worker 1: not the first */
    set(index, 10, 2, 32); /* worker 2: everything */
    set(index, 20, 2, 32);
    set(index, 30, 2, 40);
    ck_assert_uint_eq(dyno_kv_index_match(index, chain, 3, overlap, touched), 2);
    ck_assert_uint_eq(touched[0], 0);
    ck_assert_uint_eq(touched[1], 2);
    ck_assert_uint_eq(overlap[0], 48);
    ck_assert_uint_eq(overlap[1], 0);
    ck_assert_uint_eq(overlap[2], 80);
    ck_assert_uint_eq(dyno_kv_index_blocks(index, 30, 2), 40);
    ck_assert_uint_eq(dyno_kv_index_blocks(index, 30, 1), 0);
    ck_assert_uint_eq(dyno_kv_index_blocks(index, 99, 1), 0);
    dyno_kv_index_close(index);
}
END_TEST

START_TEST(an_empty_index_or_chain_matches_nobody)
{
    struct dyno_kv_index *index = index_of(2);
    struct dyno_span chain[] = {{10, 1}};
    uint32_t overlap[2] = {7, 7}, touched[2];

    ck_assert_uint_eq(dyno_kv_index_match(index, chain, 1, overlap, touched), 0);
    set(index, 10, 1, 1);
    ck_assert_uint_eq(dyno_kv_index_match(index, chain, 0, overlap, touched), 0);
    ck_assert_uint_eq(overlap[0], 7);
    ck_assert_uint_eq(overlap[1], 7);
    dyno_kv_index_close(index);
}
END_TEST

START_TEST(setting_twice_or_removing_the_absent_changes_nothing)
{
    struct dyno_kv_index *index = index_of(100);

    set(index, 10, 99, 5);
    set(index, 10, 99, 5);
    set(index, 10, 98, 0);
    set(index, 11, 98, 0);
    ck_assert_uint_eq(dyno_kv_index_spans(index), 1);
    ck_assert_uint_eq(dyno_kv_index_blocks(index, 10, 99), 5);
    set(index, 10, 99, 0);
    set(index, 10, 99, 0);
    ck_assert_uint_eq(dyno_kv_index_spans(index), 0);
    dyno_kv_index_close(index);
}
END_TEST

/* Every worker climbs through the lengths of one span in turn: the common length changes each time,
 * and everyone ends with a length of their own. */
START_TEST(the_common_length_may_change_and_vanish)
{
    enum { WORKERS = 200 };
    struct dyno_kv_index *index = index_of(WORKERS);

    for (uint32_t blocks = 1; blocks <= 5; blocks++) {
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            set(index, 10, worker, blocks);
            ck_assert_uint_eq(dyno_kv_index_blocks(index, 10, worker), blocks);
            ck_assert_uint_eq(dyno_kv_index_blocks(index, 10, WORKERS - 1),
                              worker == WORKERS - 1 ? blocks : blocks - 1);
        }
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        set(index, 10, worker, 1000 + worker);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        ck_assert_uint_eq(dyno_kv_index_blocks(index, 10, worker), 1000 + worker);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        set(index, 10, worker, 0);
        ck_assert_uint_eq(dyno_kv_index_blocks(index, 10, WORKERS - 1),
                          worker == WORKERS - 1 ? 0 : 1000 + WORKERS - 1);
    }
    ck_assert_uint_eq(dyno_kv_index_spans(index), 0);
    dyno_kv_index_close(index);
}
END_TEST

/* Spans come and go, 500 at a time, each held by all 100 workers at some moment. */
START_TEST(memory_is_bounded_by_what_is_held)
{
    enum { WORKERS = 100, LIVE = 500, TOTAL = 20000 };
    struct dyno_kv_index *index = index_of(WORKERS);
    size_t bytes_early = 0;

    for (uint64_t span = 1; span <= TOTAL; span++) {
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            set(index, span, worker, 1 + (uint32_t)(worker + span) % 3);
            if (span > LIVE) {
                set(index, span - LIVE, worker, 0);
            }
        }
        if (span == 3 * LIVE) {
            bytes_early = dyno_kv_index_bytes(index);
        }
    }
    ck_assert_uint_eq(dyno_kv_index_spans(index), LIVE);
    ck_assert_uint_eq(dyno_kv_index_bytes(index), bytes_early);
    dyno_kv_index_close(index);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("index");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, overlap_ends_at_the_first_gap);
    tcase_add_test(cases, an_empty_index_or_chain_matches_nobody);
    tcase_add_test(cases, setting_twice_or_removing_the_absent_changes_nothing);
    tcase_add_test(cases, the_common_length_may_change_and_vanish);
    tcase_add_test(cases, memory_is_bounded_by_what_is_held);
    tcase_add_loop_test(cases, random_churn_agrees_with_a_plain_table, 0, 5);
    tcase_add_test(cases, four_thousand_workers_agree_with_a_plain_table);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/kv/index", add_cases)
