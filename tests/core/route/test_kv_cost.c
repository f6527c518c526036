/* The published cost function and lmetric, by numbers worked out by hand.
 *
 * Blocks of 16 tokens; the prompt has 160 tokens, 10 blocks.  Three workers:
 *
 *   worker  overlap  queued prefill  active blocks  shared with active  in flight
 *     0        0          0                0               0                0
 *     1        8        320               40               6                2
 *     2        4         32               12               4                1
 *
 * prefill: (0 + 160) / 16 = 10;  (320 + 32 + 128) / 16 = 30;  (32 + 96 + 64) / 16 = 12
 * todo at credit 1: 10 - 0 = 10;  30 - 8 = 22;  12 - 4 = 8
 * decode: 0 + 10 - 0 = 10;  40 + 10 - 6 = 44;  12 + 10 - 4 = 18
 */
#include "tests/check_main.h"
#include "tests/core/route/fleet.h"

static void three_workers(struct fleet *fleet)
{
    fleet_init(fleet, 3, 1);
    memcpy(fleet->overlap, (uint32_t[]){0, 8, 4}, 3 * sizeof(uint32_t));
    memcpy(fleet->prefill_tokens, (uint64_t[]){0, 320, 32}, 3 * sizeof(uint64_t));
    memcpy(fleet->active_blocks, (uint64_t[]){0, 40, 12}, 3 * sizeof(uint64_t));
    memcpy(fleet->active_overlap, (uint32_t[]){0, 6, 4}, 3 * sizeof(uint32_t));
    memcpy(fleet->inflight, (uint32_t[]){0, 2, 1}, 3 * sizeof(uint32_t));
}

static void expect(struct fleet *fleet, const char *policy, double a, double b, double c,
                   uint32_t chosen)
{
    ck_assert_uint_eq(fleet_pick(fleet, dyno_route_find(policy), NULL), chosen);
    ck_assert_int_eq(fleet->scored, 1);
    ck_assert_double_eq_tol(fleet->costs[0], a, 1e-12);
    ck_assert_double_eq_tol(fleet->costs[1], b, 1e-12);
    ck_assert_double_eq_tol(fleet->costs[2], c, 1e-12);
}

START_TEST(the_default_cost_is_prefill_left_plus_blocks_in_use)
{
    struct fleet fleet;

    three_workers(&fleet);
    expect(&fleet, "kv", 20, 66, 26, 0);
    expect(&fleet, "kv_approx", 20, 66, 26, 0);
}
END_TEST

/* Todo: 10 - 0, 22 - 30 cannot be less than 0, 8 - 3.5. */
START_TEST(what_lies_in_tiers_need_not_be_computed)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.view.tier_credit = (const double[]){0, 30, 3.5};
    expect(&fleet, "kv", 20, 44, 22.5, 0);
    expect(&fleet, "lmetric", 110, 0, 4.5 * 19, 1);
}
END_TEST

START_TEST(prefill_load_scale_weighs_the_prefill)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.prefill_load_scale = 8;
    expect(&fleet, "kv", 90, 220, 82, 2);
    fleet.config.prefill_load_scale = 0;
    expect(&fleet, "kv", 10, 44, 18, 0);
}
END_TEST

/* Credit 1.5: todo = 10, 30 - 12 = 18, 12 - 6 = 6. */
START_TEST(overlap_credit_scales_what_a_hit_is_worth)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.overlap_credit = 1.5;
    expect(&fleet, "kv", 20, 62, 24, 0);
    fleet.config.overlap_credit = 0;
    expect(&fleet, "kv", 20, 74, 30, 0);
}
END_TEST

/* Decay 2, least queue 0: worker 1: 1 / (1 + 2 * 20 / 10) = 1/5, credit 1.6; worker 2:
 * 1 / (1 + 2 * 2 / 10) = 5/7, credit 20/7. */
START_TEST(overlap_decay_discounts_hits_behind_a_queue)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.overlap_decay = 2;
    expect(&fleet, "kv", 20, 30 - 1.6 + 44, 12 - 20.0 / 7 + 18, 0);
    fleet.eligible[0] = 0; /* the least queue is now worker 2's 32: 18 blocks ahead, and none */
    expect(&fleet, "kv", fleet.costs[0], 30 - 8 / (1 + 2 * 18 / 10.0) + 44, 8 + 18, 2);
}
END_TEST

START_TEST(requests_in_flight_can_weigh_too)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.decode_request_weight = 2.5;
    expect(&fleet, "kv", 20, 71, 28.5, 0);
}
END_TEST

START_TEST(what_is_not_tracked_is_zero)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.track_prefill_tokens = 0; /* only the credit is left, never below 0 */
    expect(&fleet, "kv", 10, 44, 18, 0);
    fleet.config.track_prefill_tokens = 1;
    fleet.config.track_active_blocks = 0;
    expect(&fleet, "kv", 10, 22, 8, 2);
    expect(&fleet, "lmetric", 10, 22, 8, 2);
}
END_TEST

/* 10 * 11, 22 * 45, 8 * 19. */
START_TEST(lmetric_multiplies_prefill_left_and_blocks_in_use)
{
    struct fleet fleet;

    three_workers(&fleet);
    expect(&fleet, "lmetric", 110, 990, 152, 0);
}
END_TEST

/* A prompt of 150 tokens has 10 blocks but 9.375 blocks of tokens. */
START_TEST(a_partial_last_block_is_a_part_to_prefill_and_whole_to_keep)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.request.prompt_tokens = 150;
    expect(&fleet, "kv", 9.375 + 10, (320 + 150) / 16.0 - 8 + 44, (32 + 150) / 16.0 - 4 + 18, 0);
}
END_TEST

/* An index may know more blocks than the prompt has tokens for. */
START_TEST(more_overlap_than_prompt_costs_no_less_than_nothing)
{
    struct fleet fleet;

    three_workers(&fleet);
    fleet.overlap[2] = 12; /* (32 + 192) / 16 - 12 = 2 */
    fleet.eligible[0] = 0;
    expect(&fleet, "kv", 20, 66, 2 + 18, 2);
    fleet.overlap[2] = 20; /* (32 + 320) / 16 - 20 = 2: the credit takes off just what it adds */
    expect(&fleet, "kv", 20, 66, 2 + 18, 2);
    fleet.config.overlap_credit = 2;
    expect(&fleet, "kv", 20, 58, 18, 2);
}
END_TEST

START_TEST(a_warm_temperature_spreads_the_choice)
{
    uint32_t counts[3] = {0};
    struct fleet fleet;

    three_workers(&fleet);
    fleet.config.temperature = 0.5;
    for (uint32_t i = 0; i < 100000; i++) {
        counts[fleet_pick(&fleet, dyno_route_find("kv"), NULL)]++;
    }
    /* weights 1, e^-2, e^(-12/46): 0.5247, 0.0710, 0.4042 */
    ck_assert_uint_lt(counts[0] > 52474 ? counts[0] - 52474 : 52474 - counts[0], 700);
    ck_assert_uint_lt(counts[1] > 7102 ? counts[1] - 7102 : 7102 - counts[1], 400);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("kv cost");

    tcase_add_test(cases, the_default_cost_is_prefill_left_plus_blocks_in_use);
    tcase_add_test(cases, what_lies_in_tiers_need_not_be_computed);
    tcase_add_test(cases, prefill_load_scale_weighs_the_prefill);
    tcase_add_test(cases, overlap_credit_scales_what_a_hit_is_worth);
    tcase_add_test(cases, overlap_decay_discounts_hits_behind_a_queue);
    tcase_add_test(cases, requests_in_flight_can_weigh_too);
    tcase_add_test(cases, what_is_not_tracked_is_zero);
    tcase_add_test(cases, lmetric_multiplies_prefill_left_and_blocks_in_use);
    tcase_add_test(cases, a_partial_last_block_is_a_part_to_prefill_and_whole_to_keep);
    tcase_add_test(cases, more_overlap_than_prompt_costs_no_less_than_nothing);
    tcase_add_test(cases, a_warm_temperature_spreads_the_choice);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/route/kv_cost", add_cases)
