/* The promises that hold of random worlds of every kind (docs/architecture.md). */
#ifndef DYNO_TESTS_SYSTEM_WORLD_PROMISES_H
#define DYNO_TESTS_SYSTEM_WORLD_PROMISES_H

#include "tests/check_main.h"
#include "tests/system/seeds.h"
#include "tests/system/world.h"

struct world_kind {
    void (*draw)(struct world *world, uint64_t seed);
    bool (*may_merge)(const struct world *world); /* with a trie it is the same history */
    /* Fails with the seed and what is telling of this kind. */
    void (*expect_same)(const struct world *world, const struct world_digest *a,
                        const struct world_digest *b);
};

static inline void leaping_equals_stepping(const struct world_kind *kind, uint64_t seed)
{
    static struct world world;
    struct world_digest leap, step, some;

    kind->draw(&world, seed);
    world.trie = seed % 2 == 0 && kind->may_merge(&world);
    leap = world_run(&world, 1u << 20);
    step = world_run(&world, 1);
    some = world_run(&world, 3);
    kind->expect_same(&world, &leap, &step);
    kind->expect_same(&world, &leap, &some);
}

/* Also where the run is cut, whether it leaps or not. */
static inline void every_request_ends_once(const struct world_kind *kind, uint64_t seed)
{
    static struct world world;
    struct world_digest whole, cut, step;

    kind->draw(&world, seed);
    whole = world_run(&world, 1u << 20);
    ck_assert_msg(whole.records == world.request_count, "seed %llu", (unsigned long long)seed);
    world.duration_max_ns = whole.end_ns / 2;
    cut = world_run(&world, 1u << 20);
    step = world_run(&world, 1);
    ck_assert_msg(cut.records <= world.request_count && cut.records >= cut.unfinished, "seed %llu",
                  (unsigned long long)seed);
    kind->expect_same(&world, &cut, &step);
}

static inline void long_spans_change_nothing(const struct world_kind *kind, uint64_t seed)
{
    static struct world world;
    struct world_digest fine, merged;

    kind->draw(&world, seed);
    if (!kind->may_merge(&world)) {
        return;
    }
    fine = world_run(&world, 1u << 20);
    world.trie = true;
    merged = world_run(&world, 1u << 20);
    kind->expect_same(&world, &fine, &merged);
}

/* Hold a promise over the worlds of test number `test`. */
static inline void in_worlds(int test, uint64_t worlds, const struct world_kind *kind,
                             void (*promise)(const struct world_kind *kind, uint64_t seed))
{
    for (uint64_t seed = first_seed(test, worlds); seed < last_seed(test, worlds); seed++) {
        promise(kind, seed);
    }
}

#endif
