/* The curve of reuse against caches that are played through one by one. */
#include "traces/reuse.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

enum { PROMPTS = 400, BLOCKS_MAX = 12, DISTINCT_MAX = 4096 };

/* Prompts as paths down a tree: what two share is always their beginning. */
struct prompts {
    struct dyno_span blocks[PROMPTS][BLOCKS_MAX];
    uint32_t count[PROMPTS];
};

static void draw(struct prompts *prompts, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "prompts");
    for (int i = 0; i < PROMPTS; i++) {
        uint64_t id = 1;

        prompts->count[i] = (uint32_t)dyno_rng_below(&rng, BLOCKS_MAX + 1);
        for (uint32_t k = 0; k < prompts->count[i]; k++) {
            id = dyno_chain(id, dyno_rng_below(&rng, k < 2 ? 3 : 2));
            prompts->blocks[i][k] = (struct dyno_span){.id = id, .blocks = 1};
        }
    }
}

/* A cache of some blocks, newest first. */
struct cache {
    uint64_t ids[DISTINCT_MAX];
    size_t count, size;
};

static size_t find(const struct cache *cache, uint64_t id)
{
    size_t i = 0;

    while (i < cache->count && cache->ids[i] != id) {
        i++;
    }
    return i;
}

static void touch(struct cache *cache, uint64_t id)
{
    size_t at = find(cache, id);

    if (at == cache->count && cache->count < cache->size) {
        cache->count++;
    } else if (at == cache->count) {
        at--;
    }
    memmove(cache->ids + 1, cache->ids, at * sizeof *cache->ids);
    cache->ids[0] = id;
}

static uint64_t play(const struct prompts *prompts, size_t size)
{
    struct cache cache = {.size = size};
    uint64_t hits = 0;

    for (int i = 0; i < PROMPTS; i++) {
        uint32_t k = 0;

        while (k < prompts->count[i] && find(&cache, prompts->blocks[i][k].id) < cache.count) {
            k++;
        }
        hits += k;
        for (k = prompts->count[i]; k > 0; k--) {
            touch(&cache, prompts->blocks[i][k - 1].id);
        }
    }
    return hits;
}

START_TEST(every_size_hits_as_often_as_a_cache_of_that_size)
{
    static struct prompts prompts;
    struct dyno_reuse *reuse;
    const uint64_t *hits;
    uint64_t references, expected = 0;
    size_t size;

    draw(&prompts, (uint64_t)_i + 1);
    ck_assert_int_eq(dyno_reuse_open(&reuse, NULL), DYNO_OK);
    for (int i = 0; i < PROMPTS; i++) {
        ck_assert_int_eq(
            dyno_reuse_note(reuse, prompts.blocks[i], prompts.count[i], DISTINCT_MAX, NULL),
            DYNO_OK);
        expected += prompts.count[i];
    }
    ck_assert(!dyno_reuse_is_cut(reuse));
    dyno_reuse_curve(reuse, &hits, &size, &references);
    ck_assert_uint_eq(references, expected);
    ck_assert_uint_eq(hits[0], 0);
    for (size_t c = 1; c <= size; c += 1 + c / 7) {
        ck_assert_uint_eq(hits[c], play(&prompts, c));
    }
    ck_assert_uint_eq(hits[size], play(&prompts, size));
    dyno_reuse_close(reuse);
}
END_TEST

/* More uses than places: blocks are moved together many times, and nothing changes. */
START_TEST(two_prompts_that_alternate_need_both_or_nothing)
{
    struct dyno_span one[3] = {{.id = 1}, {.id = 2}, {.id = 3}}, two[2] = {{.id = 8}, {.id = 9}};
    struct dyno_reuse *reuse;
    const uint64_t *hits;
    uint64_t references;
    size_t size;
    const int rounds = 20000;

    ck_assert_int_eq(dyno_reuse_open(&reuse, NULL), DYNO_OK);
    for (int i = 0; i < rounds; i++) {
        ck_assert_int_eq(dyno_reuse_note(reuse, one, 3, 5, NULL), DYNO_OK);
        ck_assert_int_eq(dyno_reuse_note(reuse, two, 2, 5, NULL), DYNO_OK);
    }
    dyno_reuse_curve(reuse, &hits, &size, &references);
    ck_assert_uint_eq(size, 5);
    ck_assert_uint_eq(references, 5 * (uint64_t)rounds);
    /* Newest first, 8 9 1 2 3 when the longer one comes, and 1 2 3 8 9 when the other does. */
    ck_assert_uint_eq(hits[2], 0);
    ck_assert_uint_eq(hits[3], (uint64_t)(rounds - 1));
    ck_assert_uint_eq(hits[4], 3 * (uint64_t)(rounds - 1));
    ck_assert_uint_eq(hits[5], 5 * (uint64_t)(rounds - 1));
    dyno_reuse_close(reuse);
}
END_TEST

START_TEST(too_many_blocks_void_it_and_none_are_none)
{
    struct dyno_span blocks[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    struct dyno_reuse *reuse;
    const uint64_t *hits;
    uint64_t references;
    size_t size;

    ck_assert_int_eq(dyno_reuse_open(&reuse, NULL), DYNO_OK);
    dyno_reuse_curve(reuse, &hits, &size, &references);
    ck_assert_uint_eq(size + references + hits[0], 0);
    ck_assert_int_eq(dyno_reuse_note(reuse, blocks, 3, 2, NULL), DYNO_OK);
    ck_assert(dyno_reuse_is_cut(reuse));
    dyno_reuse_close(reuse);
    dyno_reuse_close(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tests = tcase_create("reuse");

    tcase_add_loop_test(tests, every_size_hits_as_often_as_a_cache_of_that_size, 0, 8);
    tcase_add_test(tests, two_prompts_that_alternate_need_both_or_nothing);
    tcase_add_test(tests, too_many_blocks_void_it_and_none_are_none);
    suite_add_tcase(suite, tests);
}

DYNO_CHECK_MAIN("traces/reuse", add_cases)
