/* How far a simulation and a machine's own runs are from each other, by hand. */
#include "cli/machine/validation.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"

enum { REQUESTS = 4, RUNS = 4 };

/* A request that arrives at 1 s, whose first token comes after `ttft_ms` and further ones after
 * `gap_ms` each. */
static struct dyno_request_record a_request(uint64_t id, double ttft_ms, double gap_ms,
                                            uint32_t tokens)
{
    struct dyno_request_record record = {
        .id = id, .outcome = DYNO_COMPLETED, .output_tokens = tokens, .arrival_ns = DYNO_S};

    record.first_token_ns = record.arrival_ns + (dyno_ns)(ttft_ms * 1e6);
    record.last_token_ns = record.first_token_ns + (dyno_ns)(gap_ms * 1e6) * (tokens - 1);
    return record;
}

/* Three live runs and a simulated one of the same four requests. */
struct runs {
    struct dyno_request_record records[RUNS][REQUESTS];
    struct dyno_listener heard[RUNS];
};

static void fill(struct runs *runs, const double ttft_ms[RUNS])
{
    memset(runs, 0, sizeof *runs);
    for (uint32_t run = 0; run < RUNS; run++) {
        for (uint32_t i = 0; i < REQUESTS; i++) {
            runs->records[run][i] = a_request(10 + i, ttft_ms[run] * (i + 1), 2, 5);
        }
        runs->heard[run].records = runs->records[run];
        runs->heard[run].record_count = REQUESTS;
    }
}

static struct dyno_validation compared(const struct runs *runs, uint32_t repeats)
{
    struct dyno_validation found = {.repeats = 0};

    ck_assert_int_eq(dyno_validation_compare(&found, runs->heard, repeats, &runs->heard[RUNS - 1]),
                     DYNO_OK);
    ck_assert_uint_eq(found.repeats, repeats);
    return found;
}

/* The middle of 8, 10 and 16 is 10: a simulation of 9 is a tenth below, whatever the others say. */
START_TEST(a_simulation_is_held_against_the_median_of_live_runs)
{
    struct runs runs;
    struct dyno_validation found = {0};
    const struct dyno_validation_measure *ttft = &found.measures[0], *tpot = &found.measures[1];

    fill(&runs, (const double[]){10, 8, 16, 9});
    found = compared(&runs, 3);
    ck_assert_uint_eq(ttft->requests, REQUESTS);
    ck_assert_double_eq_tol(ttft->error.median, 10, 1e-9);
    ck_assert_double_eq_tol(ttft->error.p90, 10, 1e-9);
    ck_assert_double_eq_tol(ttft->error.bias, -10, 1e-9);
    ck_assert_double_eq_tol(tpot->error.median, 0, 1e-9);
    ck_assert_double_eq_tol(tpot->figures[1].real, 2, 1e-9);
}
END_TEST

/* 10 against the middle of 8 and 16: -16.7 %; 8 against 13: -38.5 %; 16 against 9: +77.8 %. */
START_TEST(the_machine_is_held_against_itself_run_by_run)
{
    struct runs runs;
    struct dyno_validation found;

    fill(&runs, (const double[]){10, 8, 16, 9});
    found = compared(&runs, 3);
    ck_assert_uint_eq(found.measures[0].machine.count, 3 * REQUESTS);
    ck_assert_double_eq_tol(found.measures[0].machine.median, 100 * (1 - 8.0 / 13), 1e-9);
    ck_assert_double_eq_tol(found.measures[0].machine.p90, 100 * (16.0 / 9 - 1), 1e-9);
    ck_assert_double_eq_tol(found.measures[1].machine.p90, 0, 1e-9);
    found = compared(&runs, 2); /* 10 against 8: +25 %; 8 against 10: -20 % */
    ck_assert_double_eq_tol(found.measures[0].machine.p90, 25, 1e-9);
    ck_assert_double_eq_tol(found.measures[0].machine.bias, 2.5, 1e-9);
    found = compared(&runs, 1);
    ck_assert_uint_eq(found.measures[0].machine.count, 0);
}
END_TEST

/* Each run's own mean and percentiles: of 1, 2, 3, 4 times so many milliseconds. */
START_TEST(figures_are_of_whole_runs)
{
    struct runs runs;
    struct dyno_validation found = {0};
    const struct dyno_validation_figure *mean = &found.measures[0].figures[0],
                                        *p90 = &found.measures[0].figures[2];

    fill(&runs, (const double[]){10, 8, 16, 9});
    found = compared(&runs, 3);
    ck_assert_double_eq_tol(mean->real, 25, 1e-9);
    ck_assert_double_eq_tol(mean->least, 20, 1e-9);
    ck_assert_double_eq_tol(mean->most, 40, 1e-9);
    ck_assert_double_eq_tol(mean->simulated, 22.5, 1e-9);
    ck_assert_double_eq_tol(p90->real, 37, 1e-9);
    ck_assert_double_eq_tol(p90->simulated, 33.3, 1e-9);
}
END_TEST

/* One did not complete live, one has no second token, one was never heard of in the simulation. */
START_TEST(only_requests_of_every_run_are_compared)
{
    struct runs runs;
    struct dyno_validation found;

    fill(&runs, (const double[]){10, 10, 10, 10});
    runs.records[1][0].outcome = DYNO_CANCELLED_BY_CLIENT;
    runs.records[2][1] = a_request(11, 20, 2, 1);
    memmove(&runs.records[3][2], &runs.records[3][3], sizeof runs.records[3][3]);
    runs.heard[3].record_count = 3;
    found = compared(&runs, 3);
    ck_assert_uint_eq(found.requests, REQUESTS);
    ck_assert_uint_eq(found.measures[0].requests, 2);
    ck_assert_uint_eq(found.measures[1].requests, 1);
    ck_assert_uint_eq(found.measures[2].requests, 2);
    runs.heard[0].record_count = 0;
    found = compared(&runs, 3);
    ck_assert_uint_eq(found.measures[0].requests, 0);
}
END_TEST

static char *printed(const struct dyno_validation *validation)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    dyno_validation_print(validation, out);
    (void)fclose(out);
    return text;
}

START_TEST(the_table_says_both_or_that_one_is_not_known)
{
    struct runs runs;
    struct dyno_validation found;
    char *text;

    fill(&runs, (const double[]){10, 8, 16, 9});
    found = compared(&runs, 3);
    found.passes[DYNO_PASS_DECODE] = (struct dyno_pass_class){
        .passes = 2, .steps = 20, .real_ns = 4e6, .predicted_ns = 5e6, .error = 20};
    text = printed(&found);
    ck_assert_ptr_nonnull(
        strstr(text, "one request's error: median 10.0 %, p90 10.0 %, mean -10.0"));
    ck_assert_ptr_nonnull(strstr(text, "another live run's:  median 38.5 %, p90 77.8 %"));
    ck_assert_ptr_nonnull(strstr(text, "20.000 to 40.000"));
    ck_assert_ptr_nonnull(strstr(text, "200.0          250.0     +25.0 %     +20.0 %"));
    ck_assert_ptr_null(strstr(text, "prompt, after"));
    ck_assert_ptr_null(strstr(text, "did not complete"));
    free(text);
    runs.records[1][0].outcome = DYNO_FAILED;
    found = compared(&runs, 3);
    text = printed(&found);
    ck_assert_ptr_nonnull(strstr(text, "1 of 4 requests did not complete in every run"));
    free(text);
    found = compared(&runs, 1);
    text = printed(&found);
    ck_assert_ptr_nonnull(strstr(text, "--repeats 3"));
    ck_assert_ptr_null(strstr(text, "another"));
    free(text);
}
END_TEST

/* ---- what was moved -------------------------------------------------------------------------- */

/* Of 100 prompt blocks `own` + `below` are hit; each of those is brought up, and as many go down;
 * and three prompts of 10 blocks of 1,000 bytes are handed over. */
static struct dyno_fleet_totals moved(uint64_t own, uint64_t below)
{
    return (struct dyno_fleet_totals){.prompt_blocks = 100,
                                      .prompt_blocks_hit = own + below,
                                      .transfers = 3 + 2,
                                      .transfer_bytes = (30 + 2 * below) * 1000,
                                      .tier_block_bytes = 1000,
                                      .tier_count = 1,
                                      .tiers = {{.level = 2,
                                                 .hit_blocks = below,
                                                 .loaded_blocks = below,
                                                 .stored_blocks = below,
                                                 .slow_blocks = 7,
                                                 .loads = 1,
                                                 .stores = 1}}};
}

START_TEST(tiers_and_hand_offs_are_told_apart)
{
    struct dyno_fleet_totals live[3] = {moved(30, 20), moved(30, 24), moved(30, 22)};
    struct dyno_fleet_totals simulated = moved(31, 22);
    struct dyno_validation_moved found;
    const struct dyno_validation_figure *figures;

    dyno_validation_moved(&found, live, 3, &simulated);
    ck_assert_uint_eq(found.tier_count, 2);
    ck_assert_uint_eq(found.tiers[0].level, 1);
    ck_assert_double_eq(found.tiers[0].figures[DYNO_TIER_HIT_PERCENT].real, 30);
    ck_assert_double_eq(found.tiers[0].figures[DYNO_TIER_HIT_PERCENT].simulated, 31);
    ck_assert_uint_eq(found.tiers[1].level, 2);
    figures = found.tiers[1].figures;
    ck_assert_double_eq(figures[DYNO_TIER_HIT_PERCENT].real, 22);
    ck_assert_double_eq(figures[DYNO_TIER_HIT_PERCENT].least, 20);
    ck_assert_double_eq(figures[DYNO_TIER_HIT_PERCENT].most, 24);
    ck_assert_double_eq(figures[DYNO_TIER_ONBOARDED_BLOCKS].real, 22);
    ck_assert_double_eq_tol(figures[DYNO_TIER_STORED_MB].most, 0.024, 1e-12);
    ck_assert_double_eq(figures[DYNO_TIER_SLOW_BLOCKS].simulated, 7);
    ck_assert_double_eq(found.handoffs[DYNO_HANDOFF_COUNT].real, 3);
    ck_assert_double_eq_tol(found.handoffs[DYNO_HANDOFF_MB].simulated, 0.03, 1e-12);
}
END_TEST

/* Of 50 blocks that were hit, 5 came from another worker, in one transfer. */
START_TEST(what_peers_sent_is_neither_own_nor_handed_over)
{
    struct dyno_fleet_totals live = moved(30, 20), simulated;
    struct dyno_validation_moved found;

    live.peers =
        (struct dyno_tier_totals){.level = 1, .hit_blocks = 5, .loaded_blocks = 5, .loads = 1};
    live.transfers += 1;
    live.transfer_bytes += 5000;
    simulated = live;
    dyno_validation_moved(&found, &live, 1, &simulated);
    ck_assert_uint_eq(found.tier_count, 3);
    ck_assert(found.tiers[2].is_peers);
    ck_assert_double_eq(found.tiers[0].figures[DYNO_TIER_HIT_PERCENT].real, 25);
    ck_assert_double_eq(found.tiers[2].figures[DYNO_TIER_HIT_PERCENT].real, 5);
    ck_assert_double_eq_tol(found.tiers[2].figures[DYNO_TIER_ONBOARDED_MB].real, 0.005, 1e-12);
    ck_assert_double_eq(found.handoffs[DYNO_HANDOFF_COUNT].real, 3);
    ck_assert_double_eq_tol(found.handoffs[DYNO_HANDOFF_MB].real, 0.03, 1e-12);
}
END_TEST

/* ---- what was planned ------------------------------------------------------------------------ */

static struct dyno_plan_record look(double seconds, uint32_t before, uint32_t desired,
                                    uint32_t waiting)
{
    return (struct dyno_plan_record){.at = (dyno_ns)(seconds * 1e9),
                                     .role = "serve",
                                     .reason = "up",
                                     .before = before,
                                     .asked = desired,
                                     .desired = desired,
                                     .ready = before,
                                     .waiting = waiting};
}

/* Looks every second, of which the real ones are a little late, and the third one is missed.  At
 * the second one the queue is longer for real, and one more worker is wanted a look before it is in
 * the simulation. */
START_TEST(planners_are_compared_look_by_look)
{
    struct dyno_plan_record real[] = {look(1.001, 1, 1, 0), look(2.002, 1, 2, 5),
                                      look(4.001, 2, 2, 1), look(5.001, 2, 1, 0)};
    struct dyno_plan_record pretended[] = {look(1, 1, 1, 0), look(2, 1, 1, 4), look(3, 1, 2, 5),
                                           look(4, 2, 2, 1), look(5, 2, 1, 0)};
    struct dyno_listener live[2] = {{.plans = real, .plan_count = 4},
                                    {.plans = real, .plan_count = 4}};
    struct dyno_listener simulated = {.plans = pretended, .plan_count = 5};
    struct dyno_validation_plan found;

    dyno_validation_plan(&found, live, 2, &simulated, DYNO_S);
    ck_assert_double_eq(found.looks.real, 4);
    ck_assert_double_eq(found.looks.simulated, 5);
    ck_assert_double_eq(found.decisions.real, 2);
    ck_assert_double_eq(found.decisions.simulated, 2);
    ck_assert_uint_eq(found.simulated.looks, 8); /* two live runs, the same four ticks each */
    ck_assert_uint_eq(found.simulated.looks_same, 6);
    ck_assert_uint_eq(found.simulated.decisions, 4);
    ck_assert_uint_eq(found.simulated.decisions_same, 2);
    ck_assert_uint_eq(found.simulated.alike, 6);
    ck_assert_uint_eq(found.simulated.alike_same, 6);
    ck_assert_uint_eq(found.live.looks, 4);
    ck_assert_uint_eq(found.live.looks_same, 4);
    ck_assert(found.differs);
    ck_assert_uint_eq(found.differs_run, 0);
    ck_assert_uint_eq(found.real.waiting, 5);
    ck_assert_uint_eq(found.pretended.at, 2 * DYNO_S);
}
END_TEST

START_TEST(where_nobody_plans_nothing_is_told)
{
    struct dyno_listener none = {.plan_count = 0};
    struct dyno_validation_plan found;
    json_t *json;

    dyno_validation_plan(&found, &none, 1, &none, DYNO_S);
    json = dyno_validation_plan_json(&found);
    ck_assert(json_is_null(json));
    ck_assert(!found.differs);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("validation");

    tcase_add_test(cases, a_simulation_is_held_against_the_median_of_live_runs);
    tcase_add_test(cases, the_machine_is_held_against_itself_run_by_run);
    tcase_add_test(cases, figures_are_of_whole_runs);
    tcase_add_test(cases, only_requests_of_every_run_are_compared);
    tcase_add_test(cases, the_table_says_both_or_that_one_is_not_known);
    tcase_add_test(cases, tiers_and_hand_offs_are_told_apart);
    tcase_add_test(cases, what_peers_sent_is_neither_own_nor_handed_over);
    tcase_add_test(cases, planners_are_compared_look_by_look);
    tcase_add_test(cases, where_nobody_plans_nothing_is_told);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/validation", add_cases)
