/* The ledger of a leap against the plainest model of it: a loop over steps that takes every step's
 * blocks when it starts. */
#include <string.h>

#include "core/base/rng.h"
#include "core/worker/fleet.h"
#include "tests/check_main.h"

enum { SIZE_MAX_TOKENS = 24, EVENTS_MAX = 4096, SEEDS = 400 };

struct event {
    dyno_ns at;
    uint64_t span;
    uint64_t blocks; /* as wide as the others: events are compared as bytes */
};

struct events {
    struct event list[EVENTS_MAX];
    uint32_t count;
};

/* A worker in the middle of a decode pass, with nothing behind it but a cache. */
struct bench {
    struct dyno_local local;
    struct dyno_worker worker;
    struct dyno_kv_listener listener;
    struct events events;
    uint32_t takers[SIZE_MAX_TOKENS];
};

static void changed(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks)
{
    struct events *events = context;

    (void)worker;
    ck_assert_uint_lt(events->count, EVENTS_MAX);
    events->list[events->count++] = (struct event){.at = at, .span = span, .blocks = blocks};
}

/* Step s of the pass takes takers[(step + s) mod size] blocks; `free` blocks are free, and `idle`
 * ones lie idle, half a dozen to a span, the oldest span first. */
static void open_bench(struct bench *bench, uint32_t size, const uint32_t *takers, uint64_t step,
                       uint32_t free, uint32_t idle)
{
    struct dyno_kv_cache *cache = &bench->worker.cache;

    memset(bench, 0, sizeof *bench);
    bench->listener = (struct dyno_kv_listener){.context = &bench->events, .changed = changed};
    bench->local.kv_listener = bench->listener;
    bench->local.config.listener.kv_times = true;
    bench->local.config.worker.block_tokens = size;
    bench->worker.step = step;
    bench->worker.phase = (uint32_t)(step % size);
    ck_assert_int_eq(dyno_takers_init(&bench->worker.takers, size), DYNO_OK);
    for (uint32_t i = 0; i < size; i++) {
        bench->takers[i] = takers[i];
        bench->worker.decode_count += takers[i];
        for (uint32_t k = 0; k < takers[i]; k++) {
            dyno_takers_add(&bench->worker.takers, i);
        }
    }
    ck_assert_int_eq(dyno_kv_cache_init(cache, 0, free + idle, &bench->listener), DYNO_OK);
    dyno_kv_take(cache, idle, 0);
    for (uint32_t done = 0; done < idle; done += 6) {
        uint32_t count = idle - done < 6 ? idle - done : 6;
        struct dyno_kv_link link = {.span = done + 1, .blocks = count, .run = DYNO_KV_NO_RUN};

        ck_assert_int_eq(dyno_kv_seal(cache, &link, 1, 0, 0, count, 0), DYNO_OK);
        dyno_kv_let_go(cache, &link, 1, count);
    }
    bench->events.count = 0;
}

static void close_bench(struct bench *bench)
{
    dyno_kv_cache_check(&bench->worker.cache);
    dyno_kv_cache_release(&bench->worker.cache);
    dyno_takers_release(&bench->worker.takers);
}

static dyno_ns boundary(const void *context, uint32_t step)
{
    return *(const dyno_ns *)context + 100 * (dyno_ns)step;
}

/* ---- the plain model ------------------------------------------------------------------------- */

static uint32_t plain_need(const struct bench *bench, uint32_t step)
{
    uint32_t size = bench->local.config.worker.block_tokens;

    return bench->takers[(bench->worker.step + step) % size];
}

static uint64_t plain_demand(const struct bench *bench, uint32_t from, uint32_t count)
{
    uint64_t demand = 0;

    for (uint32_t step = from; step < from + count; step++) {
        demand += plain_need(bench, step);
    }
    return demand;
}

static uint32_t plain_steps(const struct bench *bench, uint32_t steps_max)
{
    uint64_t left = dyno_kv_available(&bench->worker.cache);
    uint32_t steps = 1;

    while (steps < steps_max && plain_need(bench, steps) <= left) {
        left -= plain_need(bench, steps++);
    }
    return steps;
}

/* Whole rounds of as many steps as a block has tokens, or, where not even one fits, every step. */
static void check_steps(const struct bench *bench, uint32_t steps_max, uint64_t seed)
{
    uint64_t available = dyno_kv_available(&bench->worker.cache);
    uint64_t rounds = available / bench->worker.decode_count;
    uint64_t sure = 1 + rounds * bench->local.config.worker.block_tokens;
    uint32_t plain = plain_steps(bench, steps_max);
    uint32_t steps = dyno_ledger_steps(&bench->worker, steps_max);

    ck_assert_msg(steps <= plain && (rounds > 0 || steps == plain) &&
                      (rounds == 0 || steps == (sure < steps_max ? sure : steps_max)),
                  "seed %llu: steps of at most %u", (unsigned long long)seed, steps_max);
}

static uint32_t plain_next_eviction(const struct bench *bench)
{
    uint64_t left = bench->worker.cache.free;
    uint32_t step = bench->worker.steps_taken;

    if (bench->worker.cache.idle == 0) {
        return bench->worker.pass_steps; /* nothing to evict */
    }
    while (step < bench->worker.pass_steps && plain_need(bench, step) <= left) {
        left -= plain_need(bench, step++);
    }
    return step;
}

static void plain_take(struct bench *bench, uint32_t to, dyno_ns start)
{
    for (uint32_t step = bench->worker.steps_taken; step < to; step++) {
        dyno_kv_take(&bench->worker.cache, plain_need(bench, step), boundary(&start, step));
    }
}

/* ---- by hand --------------------------------------------------------------------------------- */

/* Blocks of 4 tokens.  Of 5 sequences 2 take a block at phase 0, 1 at phase 1, none at phase 2 and
 * 2 at phase 3; the worker has done 6 steps, so the pass starts at phase 2: 0, 2, 2, 1, 0, 2, 2 ...
 */
static const uint32_t five[] = {2, 1, 0, 2};

START_TEST(the_demand_of_a_few_steps_by_hand)
{
    static struct bench bench;

    open_bench(&bench, 4, five, 6, 10, 0);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 0, 0), 0);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 0, 1), 0);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 0, 3), 4);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 1, 2), 4);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 2, 4), 5);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 1, 10), 14);
    ck_assert_uint_eq(dyno_ledger_demand(&bench.worker, 3, 4000000), 5000000);
    close_bench(&bench);
}
END_TEST

/* The first step, step 0, is served already.  Steps 1 to 9 take 2, 2, 1, 0, 2, 2, 1, 0, 2: 10
 * blocks last for steps 1 to 8, which makes 9 with the first; 9 blocks end before step 7, so 7
 * steps. */
START_TEST(how_many_steps_fit_by_hand)
{
    static struct bench bench;

    open_bench(&bench, 4, five, 6, 10, 0);
    ck_assert_uint_eq(dyno_ledger_steps(&bench.worker, 1000), 9);
    ck_assert_uint_eq(dyno_ledger_steps(&bench.worker, 5), 5);
    ck_assert_uint_eq(dyno_ledger_steps(&bench.worker, 1), 1);
    close_bench(&bench);
    open_bench(&bench, 4, five, 6, 4, 5); /* idle blocks count like free ones */
    ck_assert_uint_eq(dyno_ledger_steps(&bench.worker, 1000), 5); /* 9 / 5: a round */
    close_bench(&bench);
    open_bench(&bench, 4, five, 6, 0, 0);
    ck_assert_uint_eq(dyno_ledger_steps(&bench.worker, 1000), 1);
    close_bench(&bench);
}
END_TEST

/* Phases from the pass's start: 0, 2, 2, 1, 0, 2.  3 free blocks serve steps 0 and 1 and one half
 * of step 2: that one evicts, at its start.  With 4 free step 3 does; with 5 step 5; with 7 step 6.
 */
START_TEST(the_first_step_that_evicts_by_hand)
{
    static const struct {
        uint32_t free, step;
    } cases[] = {{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 3}, {5, 5}, {6, 5}, {7, 6}, {100, 50}};
    static struct bench bench;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_bench(&bench, 4, five, 6, cases[i].free, 200);
        bench.worker.pass_steps = 50;
        ck_assert_uint_eq(dyno_ledger_next_eviction(&bench.local, &bench.worker), cases[i].step);
        close_bench(&bench);
    }
}
END_TEST

/* 3 free blocks and 8 idle ones, 6 of span 1 and 2 of span 7.  Step 1 takes 2 free ones.  Step 2,
 * at 1200, takes the last free one and evicts one: span 1 has 5 left.  Step 3, at 1300: 4.  Step 4
 * nothing.  Step 5, at 1500: 2 (one event for both).  Nothing is told before somebody looks. */
START_TEST(blocks_are_taken_when_somebody_looks_and_told_of_as_of_their_step)
{
    static const struct event due[] = {{1200, 1, 5}, {1300, 1, 4}, {1500, 1, 2}};
    static struct bench bench;
    const dyno_ns start = 1000;

    open_bench(&bench, 4, five, 6, 3, 8);
    bench.worker.pass_steps = 20;
    ck_assert_uint_eq(bench.worker.cache.own, 0);
    dyno_ledger_take(&bench.local, &bench.worker, 2, boundary, &start);
    ck_assert_uint_eq(bench.events.count, 0);
    ck_assert_uint_eq(bench.worker.cache.own, 2);
    ck_assert_uint_eq(dyno_ledger_next_eviction(&bench.local, &bench.worker), 2);
    dyno_ledger_take(&bench.local, &bench.worker, 6, boundary, &start);
    dyno_ledger_take(&bench.local, &bench.worker, 4, boundary, &start); /* was looked at before */
    ck_assert_uint_eq(bench.worker.steps_taken, 6);
    ck_assert_uint_eq(bench.worker.blocks_held, 7);
    ck_assert_uint_eq(bench.worker.cache.own, 7);
    ck_assert_uint_eq(bench.worker.cache.idle, 4);
    ck_assert_uint_eq(bench.worker.cache.evicted_blocks, 4);
    ck_assert_uint_eq(bench.events.count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(bench.events.list[i].at, due[i].at);
        ck_assert_uint_eq(bench.events.list[i].span, due[i].span);
        ck_assert_uint_eq(bench.events.list[i].blocks, due[i].blocks);
    }
    close_bench(&bench);
}
END_TEST

/* ---- at random ------------------------------------------------------------------------------- */

struct draw {
    struct dyno_rng rng;
    uint32_t size, free, idle;
    uint32_t takers[SIZE_MAX_TOKENS];
    uint64_t step;
};

static uint32_t below(struct draw *draw, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(&draw->rng, bound);
}

static void make_draw(struct draw *draw, uint64_t seed)
{
    memset(draw, 0, sizeof *draw);
    dyno_rng_init(&draw->rng, seed, "ledger");
    draw->size = 1 + below(draw, SIZE_MAX_TOKENS);
    draw->free = below(draw, 60);
    draw->idle = below(draw, 2) ? below(draw, 300) : 0;
    draw->step = below(draw, 1000);
    draw->takers[below(draw, draw->size)] = 1; /* somebody decodes */
    for (uint32_t i = below(draw, 12); i > 0; i--) {
        draw->takers[below(draw, draw->size)]++;
    }
}

/* Failures name the seed. */
static void check_sums(uint64_t seed)
{
    static struct bench bench;
    struct draw draw;

    make_draw(&draw, seed);
    open_bench(&bench, draw.size, draw.takers, draw.step, draw.free, draw.idle);
    bench.worker.pass_steps = 1 + below(&draw, 400);
    for (int i = 0; i < 20; i++) {
        uint32_t from = below(&draw, 200), count = below(&draw, 200);
        uint32_t steps_max = 1 + below(&draw, 400);

        ck_assert_msg(
            dyno_ledger_demand(&bench.worker, from, count) == plain_demand(&bench, from, count),
            "seed %llu: the demand of %u steps from %u", (unsigned long long)seed, count, from);
        check_steps(&bench, steps_max, seed);
        bench.worker.steps_taken = below(&draw, bench.worker.pass_steps);
        ck_assert_msg(dyno_ledger_next_eviction(&bench.local, &bench.worker) ==
                          plain_next_eviction(&bench),
                      "seed %llu: the eviction after step %u", (unsigned long long)seed,
                      bench.worker.steps_taken);
    }
    close_bench(&bench);
}

START_TEST(demand_steps_and_evictions_agree_with_the_plain_model)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_sums(seed);
    }
}
END_TEST

/* Take the same steps in a few looks, and one by one. */
static void take_both_ways(uint64_t seed, bool heard, struct bench *lazy, struct bench *plain)
{
    const dyno_ns start = 5000;
    struct draw draw;
    uint32_t steps;

    make_draw(&draw, seed);
    open_bench(lazy, draw.size, draw.takers, draw.step, draw.free, draw.idle);
    open_bench(plain, draw.size, draw.takers, draw.step, draw.free, draw.idle);
    if (!heard) {
        lazy->local.kv_listener.changed = lazy->listener.changed = NULL;
    }
    lazy->worker.steps_taken = plain->worker.steps_taken = 1; /* the first was served */
    steps = dyno_ledger_steps(&lazy->worker, 300);
    lazy->worker.pass_steps = steps;
    while (lazy->worker.steps_taken < steps) {
        uint32_t to = lazy->worker.steps_taken + below(&draw, 40);

        dyno_ledger_take(&lazy->local, &lazy->worker, to < steps ? to : steps, boundary, &start);
    }
    plain_take(plain, steps, start);
}

static void check_same_cache(uint64_t seed, const struct bench *lazy, const struct bench *plain)
{
    const struct dyno_kv_cache *left = &lazy->worker.cache, *right = &plain->worker.cache;

    ck_assert_msg(left->free == right->free && left->idle == right->idle &&
                      left->own == right->own && left->evicted_blocks == right->evicted_blocks,
                  "seed %llu: the caches differ", (unsigned long long)seed);
    ck_assert_msg(lazy->worker.blocks_held == right->own, "seed %llu: the count of blocks held",
                  (unsigned long long)seed);
}

START_TEST(taking_lazily_leaves_the_same_cache_and_tells_the_same_events)
{
    static struct bench lazy, plain;
    uint64_t evicted = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        take_both_ways(seed, true, &lazy, &plain);
        check_same_cache(seed, &lazy, &plain);
        ck_assert_msg(lazy.events.count == plain.events.count &&
                          memcmp(lazy.events.list, plain.events.list,
                                 plain.events.count * sizeof plain.events.list[0]) == 0,
                      "seed %llu: the events differ", (unsigned long long)seed);
        evicted += plain.worker.cache.evicted_blocks;
        close_bench(&lazy);
        close_bench(&plain);
    }
    ck_assert_uint_gt(evicted, SEEDS); /* the test was worth it */
}
END_TEST

START_TEST(with_nobody_listening_the_same_blocks_go)
{
    static struct bench lazy, plain;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        take_both_ways(seed, false, &lazy, &plain);
        check_same_cache(seed, &lazy, &plain);
        ck_assert_uint_eq(lazy.events.count, 0);
        close_bench(&lazy);
        close_bench(&plain);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("ledger");

    tcase_add_test(cases, the_demand_of_a_few_steps_by_hand);
    tcase_add_test(cases, how_many_steps_fit_by_hand);
    tcase_add_test(cases, the_first_step_that_evicts_by_hand);
    tcase_add_test(cases, blocks_are_taken_when_somebody_looks_and_told_of_as_of_their_step);
    tcase_add_test(cases, demand_steps_and_evictions_agree_with_the_plain_model);
    tcase_add_test(cases, taking_lazily_leaves_the_same_cache_and_tells_the_same_events);
    tcase_add_test(cases, with_nobody_listening_the_same_blocks_go);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/ledger", add_cases)
