/* The promises of docs/architecture.md where requests are served in halves, over random worlds.
 * Every failure names the seed; repeat it with DYNO_SEED=n CK_FORK=no. */
#include "tests/system/world_draw_halves.h"
#include "tests/system/world_promises.h"

enum { WORLDS_A_TEST = WORLDS(50), TESTS = 20 };

static void draw(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world_draw_halves(world);
}

static bool may_merge(const struct world *world)
{
    unsigned needs = world->dispatch.policy->needs | world->halves.dispatch.policy->needs;

    if (world->dispatch.router_count > 1 && world->dispatch.sync_delay_ns != DYNO_NEVER) {
        return false; /* they hear that a request ended after its spans' names are free again */
    }
    return world->dispatch.event_loss == 0.0 && (needs & DYNO_ROUTE_NEEDS_GUESSED) == 0;
}

static void expect_same(const struct world *world, const struct world_digest *a,
                        const struct world_digest *b)
{
    ck_assert_msg(a->hash == b->hash && a->unfinished == b->unfinished,
                  "seed %llu (%s, %s, %s): histories differ: completed %llu/%llu, preemptions "
                  "%llu/%llu, evicted %llu/%llu, in halves %llu/%llu, gaps %llu/%llu, "
                  "end %llu/%llu",
                  (unsigned long long)world->seed, world->worker.engine, world->halves.policy->name,
                  world->halves.dispatch.policy->name, (unsigned long long)a->completed,
                  (unsigned long long)b->completed, (unsigned long long)a->preemptions,
                  (unsigned long long)b->preemptions, (unsigned long long)a->evicted,
                  (unsigned long long)b->evicted, (unsigned long long)a->in_halves,
                  (unsigned long long)b->in_halves, (unsigned long long)a->gaps,
                  (unsigned long long)b->gaps, (unsigned long long)a->end_ns,
                  (unsigned long long)b->end_ns);
}

static const struct world_kind in_halves = {draw, may_merge, expect_same};

START_TEST(leaping_equals_stepping_in_halves)
{
    in_worlds(_i, WORLDS_A_TEST, &in_halves, leaping_equals_stepping);
}
END_TEST

/* Both roles have lower tiers, whose transfers share links with hand-offs. */
START_TEST(leaping_equals_stepping_in_halves_with_tiers)
{
    for (uint64_t seed = first_seed(_i, WORLDS_A_TEST); seed < last_seed(_i, WORLDS_A_TEST);
         seed++) {
        static struct world world;
        struct world_digest leap, step;

        draw(&world, seed);
        world.worker.prefix_cache = world.halves.worker.prefix_cache = true;
        world_draw_tiers(&world.tiers, seed, world.dispatch.worker_count + world.halves.workers,
                         world.worker.block_tokens);
        leap = world_run(&world, 1u << 20);
        step = world_run(&world, 1);
        expect_same(&world, &leap, &step);
        world.duration_max_ns = leap.end_ns / 2;
        leap = world_run(&world, 1u << 20);
        step = world_run(&world, 1);
        expect_same(&world, &leap, &step);
    }
}
END_TEST

START_TEST(every_request_in_halves_ends_exactly_once)
{
    in_worlds(_i, WORLDS_A_TEST, &in_halves, every_request_ends_once);
}
END_TEST

START_TEST(long_spans_change_nothing_that_can_be_seen_in_halves)
{
    in_worlds(_i, WORLDS_A_TEST, &in_halves, long_spans_change_nothing);
}
END_TEST

/* Where no prompt goes elsewhere, prefill workers change nothing but the size of the fleet. */
START_TEST(never_in_halves_is_as_if_there_were_no_other_workers)
{
    for (uint64_t seed = first_seed(_i, WORLDS_A_TEST); seed < last_seed(_i, WORLDS_A_TEST);
         seed++) {
        static struct world world;
        struct world_digest with, without;

        draw(&world, seed);
        world.halves.policy = &dyno_handoff_table[1];
        world.sample_every_ns = 0;
        with = world_run(&world, 1u << 20);
        world.halves.workers = 0;
        without = world_run(&world, 1u << 20);
        expect_same(&world, &with, &without);
    }
}
END_TEST

/* The worlds must be worth it. */
START_TEST(the_worlds_in_halves_reach_the_corners)
{
    uint64_t preempting = 0, evicting = 0, hitting = 0, giving_up = 0, moving = 0, whole = 0,
             waiting = 0, pulling = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        static struct world world;
        struct world_digest digest;

        draw(&world, seed);
        digest = world_run(&world, 1u << 20);
        preempting += digest.preemptions > 0 && digest.totals.transfers > 0;
        evicting += digest.evicted > 0 && digest.totals.transfers > 0;
        hitting += digest.hits > 0 && digest.totals.transfers > 0;
        giving_up += digest.cancelled > 0 && digest.totals.transfers > 0;
        moving += digest.totals.transfers > 0;
        whole += digest.in_halves > 0 && digest.in_halves < digest.completed;
        waiting += digest.totals.transfers_given_up > 0;
        pulling += world.halves.style == DYNO_HANDOFF_PULL && digest.totals.transfers > 0;
    }
    ck_assert_uint_gt(moving, 40);
    ck_assert_uint_gt(preempting, 10);
    ck_assert_uint_gt(evicting, 10);
    ck_assert_uint_gt(hitting, 10);
    ck_assert_uint_gt(giving_up, 10);
    ck_assert_uint_gt(whole, 10);
    ck_assert_uint_gt(waiting, 5);
    ck_assert_uint_gt(pulling, 10);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("halves");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, leaping_equals_stepping_in_halves, 0, TESTS);
    tcase_add_loop_test(cases, leaping_equals_stepping_in_halves_with_tiers, 0, TESTS / 5);
    tcase_add_loop_test(cases, every_request_in_halves_ends_exactly_once, 0, TESTS);
    tcase_add_loop_test(cases, long_spans_change_nothing_that_can_be_seen_in_halves, 0, TESTS);
    tcase_add_loop_test(cases, never_in_halves_is_as_if_there_were_no_other_workers, 0, TESTS / 4);
    tcase_add_test(cases, the_worlds_in_halves_reach_the_corners);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/halves", add_cases)
