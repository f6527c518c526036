/* What a router is told of blocks that lie elsewhere, by hand: a prompt of 160 tokens in blocks of
 * 16, of which nine may be found. */
#include "core/worker/tiers.h"
#include "tests/check_main.h"

enum { BLOCK_TOKENS = 16, SPAN = 7, WORKERS = 3 };

static const struct dyno_span span = {.id = SPAN, .blocks = 10};
static const struct dyno_request prompt = {.spans = &span, .span_count = 1, .prompt_tokens = 160};

/* With a tier that all share, in which the first `below` blocks of the prompt lie; 0: no tier. */
static void expect(uint32_t below, struct dyno_tier_credits credits,
                   const uint32_t overlap[WORKERS], const double expected[WORKERS])
{
    static const uint32_t pool_of[WORKERS], endpoint = WORKERS;
    static const uint8_t eligible[WORKERS] = {1, 1, 1};
    struct dyno_tiers_config config = {
        .tiers = {{.level = 2,
                   .pool_count = 1,
                   .pool_blocks = 32,
                   .pool_of = pool_of,
                   .endpoint_of = &endpoint}},
        .tier_count = below > 0,
        .place_count = WORKERS,
        .block_bytes = 1,
        .stores_kv = true,
        .peers = true,
    };
    struct dyno_kept_block kept[WORKERS * 10];
    struct dyno_tiers *tiers = NULL;
    double credit[WORKERS];

    ck_assert_int_eq(dyno_tiers_open(&tiers, &config), DYNO_OK);
    for (uint32_t i = 0; i < below; i++) {
        kept[i] =
            (struct dyno_kept_block){.name = {.span = SPAN, .index = i, .depth = i}, .place = i};
    }
    if (below > 0) {
        ck_assert_int_eq(dyno_tiers_adopt(tiers, 0, 0, kept, below), DYNO_OK);
    }
    dyno_tiers_credit(tiers, &prompt, BLOCK_TOKENS, &credits, 0, WORKERS, eligible, overlap,
                      credit);
    for (uint32_t i = 0; i < WORKERS; i++) {
        ck_assert_double_eq_tol(credit[i], expected[i], 1e-9);
    }
    dyno_tiers_close(tiers);
}

START_TEST(what_a_peer_holds_counts_beyond_what_is_there)
{
    struct dyno_tier_credits credits = {.peers = 0.5};

    expect(0, credits, (uint32_t[]){4, 2, 0}, (double[]){0.0, 1.0, 2.0});
    expect(0, credits, (uint32_t[]){4, 6, 4}, (double[]){1.0, 0.0, 1.0});
    expect(0, credits, (uint32_t[]){4, 4, 4}, (double[]){0.0, 0.0, 0.0});
    expect(0, credits, (uint32_t[]){0, 0, 0}, (double[]){0.0, 0.0, 0.0});
}
END_TEST

START_TEST(the_last_token_is_computed_in_any_case)
{
    expect(0, (struct dyno_tier_credits){.peers = 0.5}, (uint32_t[]){10, 0, 8},
           (double[]){0.0, 4.5, 0.5});
}
END_TEST

/* Six blocks lie below, the first worker holds eight. */
START_TEST(whoever_counts_more_comes_first)
{
    expect(6, (struct dyno_tier_credits){.tiers = {0.75}, .peers = 0.5}, (uint32_t[]){8, 1, 7},
           (double[]){0.0, 5 * 0.75 + 2 * 0.5, 0.5});
    expect(6, (struct dyno_tier_credits){.tiers = {0.75}, .peers = 1.0}, (uint32_t[]){4, 1, 0},
           (double[]){2 * 0.75, 3 * 1.0 + 2 * 0.75, 4 * 1.0 + 2 * 0.75});
    expect(6, (struct dyno_tier_credits){.tiers = {0.75}}, (uint32_t[]){8, 1, 7},
           (double[]){0.0, 5 * 0.75, 0.0});
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("tier credit");

    tcase_add_test(cases, what_a_peer_holds_counts_beyond_what_is_there);
    tcase_add_test(cases, the_last_token_is_computed_in_any_case);
    tcase_add_test(cases, whoever_counts_more_comes_first);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/tier_credit", add_cases)
