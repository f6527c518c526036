/* KV in lower tiers, and in the memory of other workers, on devices that compute: blocks are copied
 * down and up and across by a thread of their own, and every token of every answer must be the one
 * that follows from what came back. */
#include "core/route/table.h"
#include "tests/system/live_promises.h"
#include "tests/system/world_draw_halves.h"

/* In a quarter of them requests are served in halves besides. */
static void draw(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world->plan = (struct world_plan){0};
    world->dispatch.router_count = 1;
    world->worker.prefix_cache = true;
    if (seed % 4 == 0) {
        world_draw_halves_live(world);
    }
    world_draw_tiers(&world->tiers, seed, world->dispatch.worker_count + world->halves.workers,
                     world->worker.block_tokens);
    world->tiers.block_bytes = 1000;
}

/* Where workers pull from one another too, or in a third of them do nothing else; in a quarter some
 * of them die. */
static void draw_peers(struct world *world, uint64_t seed)
{
    draw(world, seed);
    world->tiers.peers = true;
    world->tiers.pull_deadline_ns = seed % 2 * (seed / 2 % 5 + 1) * 3 * DYNO_MS;
    world->tiers.count = seed % 3 == 0 ? 0 : world->tiers.count;
    if (seed % 4 == 1) {
        dyno_ns last = world->requests[world->request_count - 1].arrival_ns;

        world->faults.count = 2;
        world->faults.migrations_max = 1000;
        for (uint32_t i = 0; i < 2; i++) {
            dyno_ns at = (1 + i) * last / 3;
            uint32_t worker = (uint32_t)(seed / 4 + i) % world->dispatch.worker_count;

            world->faults.list[i] = (struct dyno_chaos_fault){.kind = DYNO_FAULT_DEATH,
                                                              .first = worker,
                                                              .last = worker,
                                                              .at = at,
                                                              .until = at + 20 * DYNO_MS};
        }
    }
}

START_TEST(every_request_ends_once_with_the_tokens_it_must_have)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, draw, 13000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_run_that_is_cut_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world};

    run_cut(&live, &world, draw, 14000 + (uint64_t)_i);
}
END_TEST

START_TEST(what_is_lost_is_computed_again)
{
    struct world world;
    struct live live = {.world = &world, .is_lossy = true};

    run_through(&live, &world, draw, 15000 + (uint64_t)_i);
}
END_TEST

static uint64_t tier_hits(const struct live *live, uint64_t *stored, uint64_t *slow)
{
    uint64_t hits = 0;

    for (uint32_t i = 0; i < live->totals.tier_count; i++) {
        hits += live->totals.tiers[i].hit_blocks;
        *stored += live->totals.tiers[i].stored_blocks;
        *slow += live->totals.tiers[i].slow_blocks;
    }
    return hits;
}

START_TEST(blocks_come_back_where_nobody_knows_what_computing_takes)
{
    uint64_t hits = 0, stored = 0, slow = 0, lost = 0;

    for (uint64_t seed = 13000; seed < 13012; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world};

        draw(&world, seed);
        run_live(&live, &result);
        hits += tier_hits(&live, &stored, &slow);
    }
    for (uint64_t seed = 15000; seed < 15008; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world, .is_lossy = true};

        draw(&world, seed);
        run_live(&live, &result);
        for (uint32_t i = 0; i < live.totals.tier_count; i++) {
            lost += live.totals.tiers[i].lost_blocks;
        }
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_gt(stored, 0);
    ck_assert_uint_gt(hits, 0);
    ck_assert_uint_eq(slow, 0);
}
END_TEST

/* Links that are said to take a second for a byte: nothing is stored, so nothing is found. */
START_TEST(a_tier_that_is_slower_than_computing_is_not_used)
{
    for (uint64_t seed = 13000; seed < 13006; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world,
                            .copies = {.ns_per_byte = 1e9},
                            .passes = {.base_ns = 1000.0, .row_ns = 100.0}};
        uint64_t stored = 0, slow = 0;

        draw(&world, seed);
        run_live(&live, &result);
        expect_all(&live, &result);
        ck_assert_uint_eq(tier_hits(&live, &stored, &slow), 0);
        ck_assert_uint_eq(stored, 0);
    }
}
END_TEST

/* ---- from other workers ---------------------------------------------------------------------- */

START_TEST(what_is_pulled_from_another_worker_is_what_was_computed_there)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, draw_peers, 21000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_run_with_peers_that_is_cut_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world};

    run_cut(&live, &world, draw_peers, 22000 + (uint64_t)_i);
}
END_TEST

START_TEST(workers_do_pull_from_one_another)
{
    uint64_t hits = 0;

    for (uint64_t seed = 21000; seed < 21009; seed += 3) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world};

        draw_peers(&world, seed);
        run_live(&live, &result);
        hits += live.totals.peers.hit_blocks;
    }
    ck_assert_uint_gt(hits, 0);
}
END_TEST

/* ---- from one that computes ------------------------------------------------------------------ */

enum { BLOCK_TOKENS = 4, LATE_MS = 30000 };
enum { FIRST_BLOCKS = 8, SECOND_BLOCKS = 2, THIRD_BLOCKS = 5 }; /* of prompts */

/* Two workers in turn, two clients: a prompt on the first one and another on the second; a third
 * one on the first, and when that has begun, `asked` on the second, of which the first one has
 * something. */
static void make_two(struct world *world, uint64_t asked)
{
    static const uint32_t blocks[] = {FIRST_BLOCKS, SECOND_BLOCKS, THIRD_BLOCKS};

    *world = (struct world){.seed = 1,
                            .worker = dyno_engine_table[0].config,
                            .dispatch = {.policy = &dyno_route_round_robin,
                                         .route.args = "",
                                         .worker_count = 2,
                                         .router_count = 1,
                                         .block_tokens = BLOCK_TOKENS},
                            .sample_every_ns = DYNO_S,
                            .concurrency = 2,
                            .request_count = 4,
                            .tiers = {.peers = true, .block_bytes = 1000}};
    world->worker.block_tokens = BLOCK_TOKENS;
    world->worker.blocks = 100;
    world->worker.seqs_max = 4;
    for (uint32_t i = 0; i < world->request_count; i++) {
        uint64_t span = i < 3 ? i : asked;

        world->spans[i][0] = (struct dyno_span){.id = 1 + span, .blocks = blocks[span]};
        world->requests[i] = (struct dyno_request){.id = i,
                                                   .spans = world->spans[i],
                                                   .span_count = 1,
                                                   .prompt_tokens = blocks[span] * BLOCK_TOKENS,
                                                   .max_tokens = 1};
        world->answers[i] = 1;
    }
}

static void nap(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void await(struct live *live, const atomic_bool *happened)
{
    for (uint32_t i = 0; !*happened && !live->was_late; i++) {
        nap(1);
        live->was_late = i == LATE_MS;
    }
}

/* Whether a step is of that worker's prompt of so many blocks. */
static bool is_prompt(const struct dyno_engine_piece *pieces, uint32_t worker, uint32_t of,
                      uint32_t blocks)
{
    return worker == of && pieces[0].first + pieces[0].count == blocks * BLOCK_TOKENS;
}

/* The third prompt is not computed before the fourth one is. */
static void hold_third(struct live *live, uint32_t worker, const struct dyno_engine_piece *pieces,
                       uint32_t piece_count)
{
    ck_assert_uint_eq(piece_count, 1);
    if (is_prompt(pieces, worker, 1, SECOND_BLOCKS)) {
        await(live, &live->has_begun);
    } else if (is_prompt(pieces, worker, 0, THIRD_BLOCKS)) {
        live->has_begun = true;
        await(live, &live->has_ended);
    } else if (is_prompt(pieces, worker, 1, FIRST_BLOCKS)) {
        live->has_ended = true;
    }
}

START_TEST(a_peer_sends_while_it_computes)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world, .before = hold_third};

    make_two(&world, 0);
    run_live(&live, &result);
    expect_all(&live, &result);
    ck_assert(!live.was_late);
    ck_assert_uint_eq(live.records[3].pulled_tokens, (FIRST_BLOCKS - 1) * BLOCK_TOKENS);
}
END_TEST

/* The third prompt takes long. */
static void delay_third(struct live *live, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count)
{
    ck_assert_uint_eq(piece_count, 1);
    if (is_prompt(pieces, worker, 1, SECOND_BLOCKS)) {
        await(live, &live->has_begun);
    } else if (is_prompt(pieces, worker, 0, THIRD_BLOCKS)) {
        live->has_begun = true;
        nap(20);
    }
}

/* If it set out before, the digest of the answer would be another one. */
START_TEST(what_a_peer_is_computing_is_waited_for)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world, .before = delay_third};

    make_two(&world, 2);
    run_live(&live, &result);
    expect_all(&live, &result);
    ck_assert(!live.was_late);
    ck_assert_uint_eq(live.records[3].worker, 1);
    ck_assert_uint_eq(live.records[3].pulled_tokens, (THIRD_BLOCKS - 1) * BLOCK_TOKENS);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live tiers");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_request_ends_once_with_the_tokens_it_must_have, 0, 40);
    tcase_add_loop_test(cases, a_run_that_is_cut_ends_every_request, 0, 16);
    tcase_add_loop_test(cases, what_is_lost_is_computed_again, 0, 40);
    tcase_add_test(cases, blocks_come_back_where_nobody_knows_what_computing_takes);
    tcase_add_test(cases, a_tier_that_is_slower_than_computing_is_not_used);
    tcase_add_loop_test(cases, what_is_pulled_from_another_worker_is_what_was_computed_there, 0,
                        32);
    tcase_add_loop_test(cases, a_run_with_peers_that_is_cut_ends_every_request, 0, 8);
    tcase_add_test(cases, workers_do_pull_from_one_another);
    tcase_add_test(cases, a_peer_sends_while_it_computes);
    tcase_add_test(cases, what_a_peer_is_computing_is_waited_for);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_tiers", add_cases)
