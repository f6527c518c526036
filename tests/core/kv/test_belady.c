/* The bound by perfect foresight against an exhaustive search, LRU, and hand-computed cases. */
#include "core/kv/belady.h"

#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { BLOCK_TOKENS = 16, REQUESTS_MAX = 40, DEPTH_MAX = 4, BLOCKS_MAX = 64 };

/* A workload: requests whose chains are paths of one tree. */
struct work {
    uint32_t count;
    uint32_t span_counts[REQUESTS_MAX];
    struct dyno_span spans[REQUESTS_MAX][DEPTH_MAX];
};

/* The same, block by block: blocks[i] are the dense numbers of request i's blocks. */
struct flat {
    uint32_t block_count;
    uint32_t counts[REQUESTS_MAX];
    uint32_t blocks[REQUESTS_MAX][DEPTH_MAX * 4];
};

static struct dyno_belady_result bound_of(const struct work *work, uint64_t capacity)
{
    struct dyno_belady *belady = NULL;
    struct dyno_belady_result result;

    ck_assert_int_eq(dyno_belady_open(&belady, capacity, BLOCK_TOKENS, 1000), DYNO_OK);
    for (uint32_t i = 0; i < work->count; i++) {
        ck_assert_int_eq(dyno_belady_add(belady, work->spans[i], work->span_counts[i], 100),
                         DYNO_OK);
    }
    ck_assert_int_eq(dyno_belady_finish(belady, &result), DYNO_OK);
    dyno_belady_close(belady);
    ck_assert(result.computed);
    ck_assert_uint_eq(result.requests, work->count);
    ck_assert_uint_eq(result.prompt_tokens, 100 * work->count);
    return result;
}

/* Paths down a tree with `fan` children a node; a path may end inside its last span. */
static void random_work(struct work *work, uint64_t seed, uint32_t requests, uint32_t depth,
                        uint32_t fan, uint32_t blocks_max)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "belady work");
    work->count = requests;
    for (uint32_t i = 0; i < requests; i++) {
        uint64_t id = 1;

        work->span_counts[i] = (uint32_t)dyno_rng_below(&rng, depth + 1);
        for (uint32_t k = 0; k < work->span_counts[i]; k++) {
            uint32_t blocks = blocks_max;

            id = id * 8 + dyno_rng_below(&rng, fan) + 1;
            if (k + 1 == work->span_counts[i]) {
                blocks = 1 + (uint32_t)dyno_rng_below(&rng, blocks_max);
            }
            work->spans[i][k] = (struct dyno_span){.id = id, .blocks = blocks};
        }
    }
}

static uint32_t block_number(struct flat *flat, uint64_t names[BLOCKS_MAX], uint64_t name)
{
    uint32_t number = 0;

    while (number < flat->block_count && names[number] != name) {
        number++;
    }
    if (number == flat->block_count) {
        ck_assert_uint_lt(number, BLOCKS_MAX);
        names[flat->block_count++] = name;
    }
    return number;
}

static void flatten(const struct work *work, struct flat *flat)
{
    uint64_t names[BLOCKS_MAX];

    memset(flat, 0, sizeof *flat);
    for (uint32_t i = 0; i < work->count; i++) {
        for (uint32_t k = 0; k < work->span_counts[i]; k++) {
            for (uint32_t b = 0; b < work->spans[i][k].blocks; b++) {
                flat->blocks[i][flat->counts[i]++] =
                    block_number(flat, names, work->spans[i][k].id * 16 + b);
            }
        }
    }
}

static uint32_t leading_hits(const struct flat *flat, uint32_t request, uint64_t cached)
{
    uint32_t hits = 0;

    while (hits < flat->counts[request] && (cached >> flat->blocks[request][hits] & 1)) {
        hits++;
    }
    return hits;
}

/* The most hits from `request` on, over everything that a cache could keep. */
static uint32_t best_hits(const struct flat *flat, uint32_t request_count, uint32_t request,
                          uint64_t cached, uint32_t capacity, int8_t *memo)
{
    uint32_t hits, best = 0;
    uint64_t offer = cached;

    if (request == request_count) {
        return 0;
    }
    if (memo[request << flat->block_count | cached] >= 0) {
        return (uint32_t)memo[request << flat->block_count | cached];
    }
    hits = leading_hits(flat, request, cached);
    for (uint32_t b = 0; b < flat->counts[request]; b++) {
        offer |= (uint64_t)1 << flat->blocks[request][b];
    }
    for (uint64_t kept = offer;; kept = (kept - 1) & offer) { /* all subsets */
        if ((uint32_t)__builtin_popcountll(kept) <= capacity) {
            uint32_t later = best_hits(flat, request_count, request + 1, kept, capacity, memo);

            best = later > best ? later : best;
        }
        if (kept == 0) {
            break;
        }
    }
    memo[request << flat->block_count | cached] = (int8_t)(hits + best);
    return hits + best;
}

START_TEST(no_cache_of_that_size_does_better_and_one_does_as_well)
{
    static int8_t memo[8 << 12];
    struct work work;
    struct flat flat;

    random_work(&work, (uint64_t)_i, 7, 2, 2, 2);
    flatten(&work, &flat);
    ck_assert_uint_le(flat.block_count, 12);
    for (uint32_t capacity = 0; capacity < 6; capacity++) {
        memset(memo, -1, sizeof memo);
        ck_assert_uint_eq(bound_of(&work, capacity).hit_tokens,
                          best_hits(&flat, work.count, 0, 0, capacity, memo) * BLOCK_TOKENS);
    }
}
END_TEST

/* Least recently used blocks go first, a prompt's deepest before its first. */
static uint32_t lru_hits(const struct flat *flat, uint32_t request_count, uint32_t capacity)
{
    uint32_t used_at[BLOCKS_MAX] = {0}, clock = 1, hits = 0;
    uint64_t cached = 0;

    for (uint32_t i = 0; i < request_count; i++) {
        hits += leading_hits(flat, i, cached);
        for (uint32_t b = flat->counts[i]; b-- > 0;) {
            cached |= (uint64_t)1 << flat->blocks[i][b];
            used_at[flat->blocks[i][b]] = clock++;
        }
        while ((uint32_t)__builtin_popcountll(cached) > capacity) {
            uint32_t oldest = (uint32_t)__builtin_ctzll(cached);

            for (uint32_t b = oldest + 1; b < flat->block_count; b++) {
                if ((cached >> b & 1) && used_at[b] < used_at[oldest]) {
                    oldest = b;
                }
            }
            cached &= ~((uint64_t)1 << oldest);
        }
    }
    return hits;
}

START_TEST(never_below_lru_and_unbounded_when_there_is_room)
{
    struct work work;
    struct flat flat;
    uint64_t before = 0;

    random_work(&work, (uint64_t)_i, REQUESTS_MAX, 3, 2, 4);
    flatten(&work, &flat);
    for (uint32_t capacity = 0; capacity <= BLOCKS_MAX; capacity++) {
        struct dyno_belady_result result = bound_of(&work, capacity);

        ck_assert_uint_ge(result.hit_tokens, lru_hits(&flat, work.count, capacity) * BLOCK_TOKENS);
        ck_assert_uint_ge(result.hit_tokens, before);
        ck_assert_uint_le(result.hit_tokens, result.unbounded_hit_tokens);
        before = result.hit_tokens;
    }
    ck_assert_uint_eq(before, bound_of(&work, BLOCKS_MAX).unbounded_hit_tokens);
    ck_assert_uint_eq(before, lru_hits(&flat, work.count, BLOCKS_MAX) * BLOCK_TOKENS);
}
END_TEST

/* Prompts A B A C B A of two blocks each.  Room for two: A always comes sooner than B, so A is kept
 * and hit twice.  A third block of room keeps one of B's, a fourth both; with one, half of A. */
START_TEST(foresight_keeps_what_comes_soonest)
{
    struct work work = {.count = 6,
                        .span_counts = {1, 1, 1, 1, 1, 1},
                        .spans = {{{.id = 1, .blocks = 2}},
                                  {{.id = 2, .blocks = 2}},
                                  {{.id = 1, .blocks = 2}},
                                  {{.id = 3, .blocks = 2}},
                                  {{.id = 2, .blocks = 2}},
                                  {{.id = 1, .blocks = 2}}}};

    ck_assert_uint_eq(bound_of(&work, 2).hit_tokens, 4 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 3).hit_tokens, 5 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 4).hit_tokens, 6 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 1).hit_tokens, 2 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 0).hit_tokens, 0);
    ck_assert_uint_eq(bound_of(&work, 4).unbounded_hit_tokens, 6 * BLOCK_TOKENS);
}
END_TEST

/* 8 blocks, then 3 of them, then 5, then all 8: 3 + 5 + 8 hits without bound.  With room for 4: the
 * first 3 are hit twice more, and the fourth too. */
START_TEST(a_span_shared_in_part_counts_in_part)
{
    struct work work = {.count = 4,
                        .span_counts = {1, 1, 1, 1},
                        .spans = {{{.id = 9, .blocks = 8}},
                                  {{.id = 9, .blocks = 3}},
                                  {{.id = 9, .blocks = 5}},
                                  {{.id = 9, .blocks = 8}}}};

    ck_assert_uint_eq(bound_of(&work, 100).unbounded_hit_tokens, 16 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 100).hit_tokens, 16 * BLOCK_TOKENS);
    ck_assert_uint_eq(bound_of(&work, 4).hit_tokens, (3 + 4 + 4) * BLOCK_TOKENS);
}
END_TEST

START_TEST(too_many_spans_are_reported_as_not_computed)
{
    struct dyno_belady *belady = NULL;
    struct dyno_belady_result result = {.computed = true};
    struct dyno_span spans[3] = {{1, 1}, {2, 1}, {3, 1}};

    ck_assert_int_eq(dyno_belady_open(&belady, 10, BLOCK_TOKENS, 5), DYNO_OK);
    ck_assert_int_eq(dyno_belady_add(belady, spans, 3, 48), DYNO_OK);
    ck_assert_int_eq(dyno_belady_add(belady, spans, 3, 48), DYNO_OK);
    ck_assert_int_eq(dyno_belady_add(belady, spans, 1, 48), DYNO_OK);
    ck_assert_int_eq(dyno_belady_finish(belady, &result), DYNO_OK);
    ck_assert(!result.computed);
    dyno_belady_close(belady);
}
END_TEST

START_TEST(nothing_recorded_is_nothing_hit)
{
    struct work work = {.count = 2, .span_counts = {0, 0}};

    ck_assert_uint_eq(bound_of(&work, 10).hit_tokens, 0);
    work.count = 0;
    ck_assert_uint_eq(bound_of(&work, 10).hit_tokens, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("belady");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, foresight_keeps_what_comes_soonest);
    tcase_add_test(cases, a_span_shared_in_part_counts_in_part);
    tcase_add_test(cases, too_many_spans_are_reported_as_not_computed);
    tcase_add_test(cases, nothing_recorded_is_nothing_hit);
    tcase_add_loop_test(cases, no_cache_of_that_size_does_better_and_one_does_as_well, 0, 30);
    tcase_add_loop_test(cases, never_below_lru_and_unbounded_when_there_is_room, 0, 30);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/kv/belady", add_cases)
