/* How often the intervals of `dyno tune` hold the truth. */
#include "tests/check_main.h"
#include "tests/cli/tune_worlds.h"

START_TEST(intervals_hold_the_truth_as_often_as_promised)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.1, .requests = 4000};
    uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

    count_covered(&world, 40, 200, arms, differences);
    for (uint32_t i = 0; i < METRICS; i++) { /* 95 % of 40 are 38; fewer than 33 are 1 in 10,000 */
        ck_assert_msg(arms[i] >= 33, "metric %u of an arm: %u of 40", i, arms[i]);
        ck_assert_msg(differences[i] >= 33, "metric %u, difference: %u of 40", i, differences[i]);
    }
}
END_TEST

/* Half of the first arm's requests do not wait: the mean of five seeds' medians is above theirs. */
START_TEST(intervals_over_seeds_hold_the_truth_too)
{
    static const struct paired_world world = {
        .rate = 0.5, .slowdown = 1.1, .requests = 600, .seeds = 10};
    uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

    count_covered(&world, 40, 100, arms, differences);
    for (uint32_t i = 0; i < METRICS; i++) {
        ck_assert_msg(arms[i] >= 33, "metric %u of an arm: %u of 40", i, arms[i]);
        ck_assert_msg(differences[i] >= 33, "metric %u, difference: %u of 40", i, differences[i]);
    }
}
END_TEST

START_TEST(arms_that_are_one_do_not_differ)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.0, .requests = 1000};
    struct dyno_tune_sure sure;

    ck_assert_int_eq(compare(&world, 1, 200, &sure), DYNO_OK);
    for (uint32_t i = 0; i < METRICS; i++) {
        ck_assert_double_eq(sure.difference[0][i].value, 0.0);
        ck_assert_double_eq(sure.difference[0][i].low, 0.0);
        ck_assert_double_eq(sure.difference[0][i].high, 0.0);
    }
}
END_TEST

/* A server that is up for as long as 2,000 requests take, one every two seconds in the mean: of as
 * many requests its GPU-hours are 2,000 x 2 / 3,600; of as much time they are always the same. */
START_TEST(totals_may_be_those_of_as_many_requests)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.1, .requests = 2000};
    struct dyno_tune_aims aims;
    uint32_t covered = 0;

    ck_assert_int_eq(make_aims(&aims, "fleet.gpu_hours<99h"), DYNO_OK);
    aims.is_by_requests = true;
    for (uint32_t i = 0; i < 40; i++) {
        struct dyno_tune_sure sure;
        const struct dyno_estimate *hours;

        ck_assert_int_eq(compare_by(&aims, &world, 1 + i, 100, &sure), DYNO_OK);
        hours = &sure.side[1][METRICS];
        covered += hours->low <= 4000.0 / 3600 && 4000.0 / 3600 <= hours->high;
    }
    ck_assert_msg(covered >= 33, "%u of 40", covered);
}
END_TEST

enum { LOOKS = 40, ROWS = 2 * LOOKS };

/* 2,000 requests of a second each and a planner that looks every 50 s: a run as if its fleet had
 * `weight` GPUs a worker of the first kind, of which more are up as time goes on, and one a worker
 * of the second. */
static void plan_run(struct dyno_arm_run *run, struct dyno_plan_record *plans, uint32_t weight,
                     bool is_by_role, bool is_by_model)
{
    enum { REQUESTS = 2000 };

    run->records = calloc(REQUESTS, sizeof *run->records);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct dyno_request_record *record = &run->records[run->record_count++];

        record->id = i;
        record->output_tokens = 10;
        record->scheduled_ns = record->arrival_ns = record->ready_ns = i * DYNO_S;
        record->admitted_ns = record->first_token_ns = record->last_token_ns = i * DYNO_S;
    }
    run->with.scenario.fleet.tp = 1;
    run->with.scenario.cost.gpu_hour_price = 2.5;
    run->plans = plans;
    for (uint32_t i = 0; i < LOOKS; i++) {
        dyno_ns at = (i + 1) * 50 * DYNO_S;
        uint32_t some = 1 + i * 7 % 5, others = 2 + i % 2;

        if (is_by_role || is_by_model) {
            plans[run->plan_count++] = (struct dyno_plan_record){
                .at = at, .role = is_by_role ? "decode" : "serve", .ready = some * weight};
            plans[run->plan_count++] =
                (struct dyno_plan_record){.at = at,
                                          .role = is_by_role ? "prefill" : "serve",
                                          .model = is_by_model,
                                          .draining = others};
        } else {
            plans[run->plan_count++] = (struct dyno_plan_record){
                .at = at, .role = "serve", .ready = 4 * some, .starting = others};
        }
    }
    put_metric(run, "fleet.gpu_hours", 8.0);
    put_metric(run, "cost.total", 20.0);
    put_metric(run, "cost.per_million_output_tokens", 1000.0);
    put_metric(run, "fleet.gpus", 22.0);
}

/* A fleet that is told of: one kind of workers alone, or two roles of one model, or two models. */
struct told {
    bool is_by_role, is_by_model;
    uint32_t seeds; /* all alike; 0: one */
    double kwh_price;
    const char *limits;
};

/* What is known of its GPU-hours and costs. */
static struct dyno_tune_sure sure_of_gpus(const struct told *told)
{
    uint32_t seeds = told->seeds > 0 ? told->seeds : 1;
    struct dyno_arm_run *items = calloc(2 * (size_t)seeds, sizeof *items);
    struct dyno_plan_record(*plans)[ROWS] = calloc(2 * (size_t)seeds, sizeof *plans);
    struct dyno_arm_runs runs = {
        .arms = 2, .seeds = seeds, .items = items, .same_traffic = seeds == 1};
    struct dyno_tune_aims aims = {.goal_count = 0};
    struct dyno_tune_sure out;
    struct dyno_error error;

    ck_assert_int_eq(
        dyno_tune_aims_goals(&aims, "gpu_hours,cost.total,cost.per_million_output_tokens", &error),
        DYNO_OK);
    ck_assert(!told->limits || dyno_tune_aims_limits(&aims, told->limits, &error) == DYNO_OK);
    for (uint32_t i = 0; i < 2 * seeds; i++) {
        plan_run(&items[i], plans[i], told->is_by_model ? 1 : 4, told->is_by_role,
                 told->is_by_model);
        items[i].with.scenario.cost.kwh_price = told->kwh_price;
        if (told->is_by_model) {
            put_metric(&items[i], "models.a.gpu_hours", 6.0);
            put_metric(&items[i], "models.b.gpu_hours", 2.0);
            items[i].with.scenario.fleet.models = "name=a:tp=4:workers=9,name=b:workers=9";
        }
    }
    ck_assert_int_eq(dyno_tune_sure_compute(&out, &runs, &aims, 200, &error), DYNO_OK);
    for (uint32_t i = 0; i < 2 * seeds; i++) {
        free(items[i].records);
    }
    free(items);
    free(plans);
    return out;
}

START_TEST(gpus_are_those_of_all_roles_and_models)
{
    struct dyno_tune_sure plain = sure_of_gpus(&(struct told){.seeds = 1});
    struct dyno_tune_sure roles = sure_of_gpus(&(struct told){.is_by_role = true});
    struct dyno_tune_sure models = sure_of_gpus(&(struct told){.is_by_model = true});

    ck_assert_double_lt(plain.side[1][0].low, 7.9);
    ck_assert_double_gt(plain.side[1][0].high, 8.1);
    ck_assert_double_eq(plain.side[1][0].low, roles.side[1][0].low);
    ck_assert_double_eq(plain.side[1][0].high, roles.side[1][0].high);
    ck_assert_double_eq(plain.side[1][0].low, models.side[1][0].low);
    ck_assert_double_eq(plain.side[1][0].high, models.side[1][0].high);
    models = sure_of_gpus(&(struct told){
        .is_by_model = true, .limits = "models.a.gpu_hours<99h,models.b.gpu_hours<99h"});
    /* Of a 4 to 20 GPUs are up, of b 2 or 3. */
    ck_assert_double_lt(models.side[1][3].low, 5.9);
    ck_assert_double_gt(models.side[1][3].high, 6.1);
    ck_assert_double_lt(models.side[1][4].high, 2.1);
    ck_assert_double_gt(models.side[1][4].low, 1.9);
}
END_TEST

START_TEST(costs_are_as_sure_as_the_hours_that_are_paid)
{
    struct dyno_tune_sure hours = sure_of_gpus(&(struct told){.seeds = 1});
    struct dyno_tune_sure energy = sure_of_gpus(&(struct told){.kwh_price = 0.2});
    double below = hours.side[1][0].value - hours.side[1][0].low;
    double above = hours.side[1][0].high - hours.side[1][0].value;

    ck_assert_double_eq_tol(hours.side[1][1].low, 20.0 - 2.5 * below, 1e-9);
    ck_assert_double_eq_tol(hours.side[1][1].high, 20.0 + 2.5 * above, 1e-9);
    ck_assert_double_eq_tol(hours.side[1][2].low, 1000.0 - 2.5 * below / 0.02, 1e-6);
    ck_assert_double_eq_tol(hours.side[1][2].high, 1000.0 + 2.5 * above / 0.02, 1e-6);
    ck_assert_double_eq(energy.side[1][0].low, hours.side[1][0].low);
    ck_assert(isnan(energy.side[1][1].low) && isnan(energy.side[1][2].high));
}
END_TEST

START_TEST(hours_are_of_one_run_however_many_seeds)
{
    struct dyno_tune_sure one = sure_of_gpus(&(struct told){.seeds = 1});
    struct dyno_tune_sure three = sure_of_gpus(&(struct told){.seeds = 3});
    double width = one.side[1][0].high - one.side[1][0].low;

    ck_assert(!three.by_seeds);
    ck_assert_double_gt(three.side[1][0].high - three.side[1][0].low, width / 3.0);
    ck_assert_double_lt(three.side[1][0].high - three.side[1][0].low, width / 1.3);
}
END_TEST

/* One client asks 1,000 times, one after the other; a token takes an exponential time, of mean 1 s
 * in the first arm and 1.1 s in the second. */
static void ask_in_turn(struct dyno_arm_run *run, uint64_t seed, double mean)
{
    enum { REQUESTS = 1000 };
    struct dyno_rng rng;
    double at = 0.0;

    dyno_rng_init(&rng, seed, "closed loop");
    run->records = calloc(REQUESTS, sizeof *run->records);
    run->with.scenario.fleet.tp = 1;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct dyno_request_record *record = &run->records[run->record_count++];

        *record = (struct dyno_request_record){
            .id = i, .outcome = DYNO_COMPLETED, .output_tokens = 1, .prompt_tokens = 1};
        record->scheduled_ns = record->arrival_ns = (dyno_ns)(at * 1e9);
        at += mean * dyno_rng_exponential(&rng);
        record->admitted_ns = record->first_token_ns = record->last_token_ns = (dyno_ns)(at * 1e9);
    }
    put_metric(run, "throughput.output_tokens_per_s", REQUESTS / at);
    put_metric(run, "fleet.gpus", 1.0);
}

/* As many come in one cell of them as in another; how long that takes is what is not known. */
START_TEST(throughput_of_a_closed_loop_is_as_sure_as_its_pace)
{
    uint32_t held = 0, differences = 0;

    for (uint64_t world = 1; world <= 40; world++) {
        struct dyno_arm_run *items = calloc(2, sizeof *items);
        struct dyno_arm_runs runs = {
            .arms = 2, .seeds = 1, .items = items, .same_traffic = true, .by_order = true};
        struct dyno_tune_aims aims = {.goal_count = 0};
        struct dyno_tune_sure sure;
        struct dyno_error error;

        ck_assert_int_eq(dyno_tune_aims_goals(&aims, "output_tokens_per_s", &error), DYNO_OK);
        ask_in_turn(&items[0], world, 1.0);
        ask_in_turn(&items[1], world, 1.1);
        ck_assert_int_eq(dyno_tune_sure_compute(&sure, &runs, &aims, 200, &error), DYNO_OK);
        held += sure.side[0][0].low <= 1.0 && sure.side[0][0].high >= 1.0;
        differences += sure.difference[0][0].low <= 1 / 1.1 - 1.0 &&
                       sure.difference[0][0].high >= 1 / 1.1 - 1.0;
        free(items[0].records);
        free(items[1].records);
        free(items);
    }
    ck_assert_msg(held >= 33, "%u of 40", held); /* as above */
    ck_assert_msg(differences >= 33, "%u of 40 differences", differences);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_sure");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, intervals_hold_the_truth_as_often_as_promised);
    tcase_add_test(tcase, intervals_over_seeds_hold_the_truth_too);
    tcase_add_test(tcase, arms_that_are_one_do_not_differ);
    tcase_add_test(tcase, totals_may_be_those_of_as_many_requests);
    tcase_add_test(tcase, gpus_are_those_of_all_roles_and_models);
    tcase_add_test(tcase, costs_are_as_sure_as_the_hours_that_are_paid);
    tcase_add_test(tcase, hours_are_of_one_run_however_many_seeds);
    tcase_add_test(tcase, throughput_of_a_closed_loop_is_as_sure_as_its_pace);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_sure", add_cases)
