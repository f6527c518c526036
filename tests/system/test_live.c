/* The loop under the wall clock with a device that computes in threads of its own: the promises
 * that hold in simulation hold here. */
#include "tests/system/live_promises.h"

START_TEST(every_request_ends_once_with_the_tokens_it_must_have)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, world_draw, 7000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_run_that_is_cut_waits_for_its_passes_and_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world};

    run_cut(&live, &world, world_draw, 9000 + (uint64_t)_i);
}
END_TEST

/* One prompt of three whole blocks after the other, each asked twice: the second one comes in the
 * turn in which the first one's blocks set out for a lower tier, and computes the last of them
 * anew. */
static void make_pairs(struct world *world)
{
    enum { REQUESTS = 16, BLOCKS = 3, BLOCK_TOKENS = 4 };

    *world = (struct world){.seed = 1,
                            .worker = dyno_engine_table[0].config,
                            .dispatch = {.policy = dyno_route_table[0],
                                         .route.args = "",
                                         .worker_count = 1,
                                         .router_count = 1,
                                         .block_tokens = BLOCK_TOKENS},
                            .sample_every_ns = DYNO_S,
                            .request_count = REQUESTS,
                            .tiers = {.count = 1,
                                      .tiers = {{.level = 2,
                                                 .store = &dyno_store_policies[0],
                                                 .evict = &dyno_kv_evict_table[0],
                                                 .pool_count = 1,
                                                 .pool_blocks = 100}},
                                      .endpoint_of = {{WORLD_WORKERS_MAX}},
                                      .block_bytes = 1000}};
    world->worker.block_tokens = BLOCK_TOKENS;
    world->worker.blocks = 100;
    world->worker.seqs_max = 1;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        world->spans[i][0] = (struct dyno_span){.id = 1 + i / 2, .blocks = BLOCKS};
        world->requests[i] = (struct dyno_request){.id = i,
                                                   .spans = world->spans[i],
                                                   .span_count = 1,
                                                   .prompt_tokens = BLOCKS * BLOCK_TOKENS,
                                                   .max_tokens = 1};
        world->answers[i] = 1;
    }
}

/* What is on its way is not written, as ThreadSanitizer would see. */
START_TEST(a_block_that_is_copied_is_not_written)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world};

    make_pairs(&world);
    run_live(&live, &result);
    for (uint32_t i = 0; i < world.request_count; i++) {
        ck_assert_uint_eq(live.ends[i], 1);
        check_record(&live, i);
        ck_assert_uint_eq(live.records[i].cached_tokens, i % 2 * 2 * world.worker.block_tokens);
    }
    ck_assert_uint_eq(live.cached, world.request_count / 2 * world.worker.block_tokens);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_request_ends_once_with_the_tokens_it_must_have, 0, 24);
    tcase_add_loop_test(cases, a_run_that_is_cut_waits_for_its_passes_and_ends_every_request, 0,
                        12);
    tcase_add_test(cases, a_block_that_is_copied_is_not_written);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live", add_cases)
