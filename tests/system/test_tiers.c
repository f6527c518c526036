/* The promises of docs/architecture.md where KV may lie in lower tiers, over random worlds.
 * Every failure names the seed; repeat it with DYNO_SEED=n CK_FORK=no. */
#include "tests/system/world_promises.h"

enum { WORLDS_A_TEST = WORLDS(25), TESTS = 8, PEER_TESTS = 4, PEER_WORLDS = 40 };

static void draw(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world->worker.prefix_cache = true;
    world_draw_tiers(&world->tiers, seed, world->dispatch.worker_count, world->worker.block_tokens);
}

/* The same where workers pull from one another too, or do nothing else. */
static void draw_peers(struct world *world, uint64_t seed)
{
    draw(world, seed);
    world->tiers.peers = true;
    world->tiers.pull_deadline_ns = seed % 2 * (seed / 2 % 5 + 1) * 3 * DYNO_MS;
    world->tiers.count = seed % 3 == 0 ? 0 : world->tiers.count;
}

static bool may_merge(const struct world *world)
{
    for (uint32_t i = 0; i < world->tiers.count; i++) {
        if (world->tiers.tiers[i].store->counts) {
            return false;
        }
    }
    if (world->dispatch.router_count > 1 && world->dispatch.sync_delay_ns != DYNO_NEVER) {
        return false; /* they hear that a request ended after its spans' names are free again */
    }
    return world->dispatch.event_loss == 0.0 &&
           (world->dispatch.policy->needs & DYNO_ROUTE_NEEDS_GUESSED) == 0;
}

static void expect_same(const struct world *world, const struct world_digest *a,
                        const struct world_digest *b)
{
    ck_assert_msg(
        a->hash == b->hash && a->unfinished == b->unfinished,
        "seed %llu (%s, %s, %u tiers): histories differ: completed %llu/%llu, preemptions "
        "%llu/%llu, evicted %llu/%llu, hits %llu/%llu, from g2 %llu/%llu, gaps %llu/%llu, "
        "end %llu/%llu",
        (unsigned long long)world->seed, world->worker.engine, world->dispatch.policy->name,
        world->tiers.count, (unsigned long long)a->completed, (unsigned long long)b->completed,
        (unsigned long long)a->preemptions, (unsigned long long)b->preemptions,
        (unsigned long long)a->evicted, (unsigned long long)b->evicted, (unsigned long long)a->hits,
        (unsigned long long)b->hits, (unsigned long long)a->totals.tiers[0].hit_blocks,
        (unsigned long long)b->totals.tiers[0].hit_blocks, (unsigned long long)a->gaps,
        (unsigned long long)b->gaps, (unsigned long long)a->end_ns, (unsigned long long)b->end_ns);
}

static const struct world_kind with_tiers = {draw, may_merge, expect_same};
static const struct world_kind with_peers = {draw_peers, may_merge, expect_same};

START_TEST(leaping_equals_stepping_with_tiers)
{
    in_worlds(_i, WORLDS_A_TEST, &with_tiers, leaping_equals_stepping);
}
END_TEST

START_TEST(every_request_with_tiers_ends_exactly_once)
{
    in_worlds(_i, WORLDS_A_TEST, &with_tiers, every_request_ends_once);
}
END_TEST

START_TEST(long_spans_change_nothing_that_can_be_seen_with_tiers)
{
    in_worlds(_i, WORLDS_A_TEST, &with_tiers, long_spans_change_nothing);
}
END_TEST

/* What a router is told of many pools is what asking each of them would say. */
START_TEST(an_index_of_pools_says_what_they_would)
{
    for (uint64_t seed = first_seed(_i, WORLDS_A_TEST); seed < last_seed(_i, WORLDS_A_TEST);
         seed++) {
        static struct world world;
        struct world_digest asked, indexed;

        draw(&world, seed);
        world.trie = seed % 2 == 0 && may_merge(&world);
        asked = world_run(&world, 1u << 20);
        world.tiers.pools_few = 1;
        indexed = world_run(&world, 1u << 20);
        expect_same(&world, &asked, &indexed);
    }
}
END_TEST

/* ---- workers that pull from one another ------------------------------------------------------ */

START_TEST(leaping_equals_stepping_with_peers)
{
    in_worlds(_i, WORLDS_A_TEST, &with_peers, leaping_equals_stepping);
}
END_TEST

START_TEST(every_request_with_peers_ends_exactly_once)
{
    in_worlds(_i, WORLDS_A_TEST, &with_peers, every_request_ends_once);
}
END_TEST

START_TEST(long_spans_change_nothing_that_can_be_seen_with_peers)
{
    in_worlds(_i, WORLDS_A_TEST, &with_peers, long_spans_change_nothing);
}
END_TEST

START_TEST(the_worlds_with_peers_reach_the_corners)
{
    uint64_t hitting = 0, slow = 0, both = 0, preempting = 0, giving_up = 0;

    for (uint64_t seed = 0; seed < PEER_WORLDS; seed++) {
        static struct world world;
        const struct dyno_fleet_totals *totals;
        struct world_digest digest;

        draw_peers(&world, seed);
        digest = world_run(&world, 1u << 20);
        totals = &digest.totals;
        ck_assert_uint_eq(totals->peers.level, 1);
        hitting += totals->peers.hit_blocks > 0;
        slow += totals->peers.slow_blocks > 0;
        both += totals->peers.hit_blocks > 0 && totals->tier_count > 0 &&
                totals->tiers[0].hit_blocks > 0;
        preempting += digest.preemptions > 0 && totals->peers.loads > 0;
        giving_up += digest.cancelled > 0 && totals->peers.loads > 0;
    }
    ck_assert_uint_gt(hitting, 10);
    ck_assert_uint_gt(slow, 15);
    ck_assert_uint_gt(both, 2);
    ck_assert_uint_gt(preempting, 1);
    ck_assert_uint_gt(giving_up, 3);
}
END_TEST

/* The worlds must be worth it. */
START_TEST(the_worlds_with_tiers_reach_the_corners)
{
    uint64_t preempting = 0, evicting = 0, hitting = 0, giving_up = 0, slow = 0, full = 0, deep = 0,
             declining = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        static struct world world;
        const struct dyno_tier_totals *tiers;
        struct world_digest digest;

        draw(&world, seed);
        digest = world_run(&world, 1u << 20);
        tiers = digest.totals.tiers;
        preempting += digest.preemptions > 0 && tiers[0].loads > 0;
        evicting += tiers[0].evicted_blocks > 0;
        hitting += tiers[0].hit_blocks > 0;
        giving_up += digest.cancelled > 0 && tiers[0].loads > 0;
        slow += tiers[0].slow_blocks > 0;
        full += tiers[0].skipped_blocks > 0;
        declining += tiers[0].declined_blocks > 0;
        deep += world.tiers.count > 1 && tiers[1].hit_blocks > 0;
    }
    ck_assert_uint_gt(hitting, 20);
    ck_assert_uint_gt(preempting, 2);
    ck_assert_uint_gt(evicting, 20);
    ck_assert_uint_gt(giving_up, 5);
    ck_assert_uint_gt(slow, 20);
    ck_assert_uint_gt(full, 10);
    ck_assert_uint_gt(deep, 5);
    ck_assert_uint_gt(declining, 20);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("tiers");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, leaping_equals_stepping_with_tiers, 0, TESTS);
    tcase_add_loop_test(cases, every_request_with_tiers_ends_exactly_once, 0, TESTS);
    tcase_add_loop_test(cases, long_spans_change_nothing_that_can_be_seen_with_tiers, 0, TESTS);
    tcase_add_loop_test(cases, an_index_of_pools_says_what_they_would, 0, TESTS);
    tcase_add_test(cases, the_worlds_with_tiers_reach_the_corners);
    tcase_add_loop_test(cases, leaping_equals_stepping_with_peers, 0, PEER_TESTS);
    tcase_add_loop_test(cases, every_request_with_peers_ends_exactly_once, 0, PEER_TESTS);
    tcase_add_loop_test(cases, long_spans_change_nothing_that_can_be_seen_with_peers, 0, 1);
    tcase_add_test(cases, the_worlds_with_peers_reach_the_corners);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/tiers", add_cases)
