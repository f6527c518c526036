/* Policies against observations made by hand. */
#include "tests/check_main.h"

#include <math.h>
#include <string.h>

#include "core/plan/plan.h"

enum { WORKERS = 16 };

static struct dyno_plan_worker workers[WORKERS];

static struct dyno_plan_config config(void)
{
    return (struct dyno_plan_config){.workers_min = 1,
                                     .workers_max = 10,
                                     .queue_up = 4,
                                     .queue_down = 0.5,
                                     .use_up = 0.8,
                                     .use_down = 0.4,
                                     .headroom = 0.8,
                                     .cooldown_ns = 60 * DYNO_S,
                                     .sequences_max = 100,
                                     .kv_tokens = 1e6};
}

/* `ready` workers that all say the same. */
static struct dyno_plan_observation look(dyno_ns at, uint32_t ready, uint32_t running,
                                         uint32_t waiting)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct dyno_plan_worker){
            .known = true, .warm = true, .running = running, .waiting = waiting};
    }
    return (struct dyno_plan_observation){.now_ns = at,
                                          .ready = ready,
                                          .workers = workers,
                                          .input_tokens = 1000,
                                          .output_tokens = 100};
}

/* A step takes 10 ms, a prompt token 0.1 ms, a token 0.05 ms: whoever looks, learns it. */
static void teach(struct dyno_plan *plan)
{
    for (int i = 1; i <= 40; i++) {
        double steps = 100, prefill = 1000.0 * i, decode = 100.0 * (1 + i * i % 37);

        dyno_capacity_learn(&plan->capacity,
                            &(struct dyno_capacity_work){
                                .busy_s = 0.010 * steps + 0.0001 * prefill + 0.00005 * decode,
                                .steps = steps,
                                .prefill_tokens = prefill,
                                .decode_tokens = decode});
    }
}

static struct dyno_plan open_named(const char *name, const struct dyno_plan_config *with,
                                   uint32_t desired)
{
    struct dyno_plan plan;

    dyno_plan_init(&plan, dyno_plan_find(name), with, desired);
    return plan;
}

START_TEST(costs_are_found_again)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan = open_named("sla", &with, 1);
    struct dyno_capacity_costs costs;

    ck_assert(!dyno_capacity_costs(&plan.capacity, &costs));
    teach(&plan);
    ck_assert(dyno_capacity_costs(&plan.capacity, &costs));
    ck_assert_double_eq_tol(costs.base_s, 0.010, 1e-6);
    ck_assert_double_eq_tol(costs.prefill_s, 0.0001, 1e-8);
    ck_assert_double_eq_tol(costs.decode_s, 0.00005, 1e-8);
    /* 100 sequences of 1000 and 100 tokens: a step of 10 + 100 * (1 + 0.05) = 115 ms. */
    ck_assert_double_eq_tol(dyno_capacity_step_s(&costs, 100, 1000, 100), 0.115, 1e-6);
    ck_assert_double_eq_tol(dyno_capacity_rate(&costs, 100, 1000, 100), 1 / 0.115, 1e-3);
    ck_assert_double_eq_tol(dyno_capacity_sequences(&costs, 1000, 100, 0.0625, 100), 50, 1e-2);
}
END_TEST

START_TEST(costs_are_never_negative)
{
    struct dyno_capacity capacity = {0};
    struct dyno_capacity_costs costs;

    for (int i = 1; i <= 20; i++) { /* the more tokens the faster: noise */
        dyno_capacity_learn(&capacity, &(struct dyno_capacity_work){.busy_s = 2.0 - 0.01 * i,
                                                                    .steps = 100,
                                                                    .decode_tokens = 100.0 * i});
    }
    ck_assert(dyno_capacity_costs(&capacity, &costs));
    ck_assert_double_ge(costs.decode_s, 0.0);
    ck_assert_double_gt(costs.base_s, 0.0);
}
END_TEST

/* 20 a second; a worker does 1 / 0.115 a second at 100 sequences, 4/5 of it counts. */
START_TEST(throughput_is_rate_over_capacity)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan = open_named("throughput", &with, 1);
    struct dyno_plan_observation seen = look(DYNO_S, 1, 10, 0);

    teach(&plan);
    seen.forecast_rate = 20;
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 3); /* 20 / (0.8 * 8.696) = 2.87 */
    seen.now_ns += DYNO_S;
    seen.forecast_rate = 1e9;
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 10);
}
END_TEST

/* ITL is base / (1 - busy): at 0.3 requests a second of 1000 + 100 tokens, busy is 0.0315. */
START_TEST(sla_takes_the_fewest_that_meet_the_objective)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan;
    struct dyno_plan_observation seen = look(DYNO_S, 1, 10, 0);
    struct dyno_capacity_costs costs = {0.010, 0.0001, 0.00005};
    double ttft_s, itl_s;

    ck_assert(dyno_plan_predict(&seen, &costs, 4, 2, &ttft_s, &itl_s));
    ck_assert_double_eq_tol(itl_s, 0.010 / (1 - 2 * 0.105), 1e-12);
    ck_assert_double_eq_tol(ttft_s, itl_s + 0.1 * (1 + 0.2 / 1.6), 1e-12);
    ck_assert(!dyno_plan_predict(&seen, &costs, 40, 2, &ttft_s, &itl_s));

    with.itl_s = 0.0125; /* busy at most 0.2: 1.9048 requests a second each */
    plan = open_named("sla", &with, 1);
    teach(&plan);
    seen.forecast_rate = 7;
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 4); /* 3.68 */
    with.ttft_s = 0.114;                                        /* 3.65 is not enough any more */
    with.itl_s = 0;
    plan = open_named("sla", &with, 1);
    teach(&plan);
    ck_assert_uint_ge(dyno_plan_tick(&plan, &seen).desired, 6);
}
END_TEST

START_TEST(load_goes_up_at_once_and_down_after_the_cooldown)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan = open_named("load", &with, 3);
    struct dyno_plan_observation seen = look(DYNO_S, 3, 100, 9);

    ck_assert_int_eq(dyno_plan_tick(&plan, &seen).reason, DYNO_PLAN_UP);
    ck_assert_uint_eq(plan.desired, 4);
    seen.starting = 1; /* it waits for what it asked for */
    ck_assert_int_eq(dyno_plan_tick(&plan, &seen).reason, DYNO_PLAN_WAITING);
    ck_assert_uint_eq(plan.desired, 4);
    seen = look(10 * DYNO_S, 4, 1, 0);
    ck_assert_int_eq(dyno_plan_tick(&plan, &seen).reason, DYNO_PLAN_COOLING);
    seen.now_ns = 69 * DYNO_S;
    ck_assert_int_eq(dyno_plan_tick(&plan, &seen).reason, DYNO_PLAN_COOLING);
    seen.now_ns = 70 * DYNO_S;
    ck_assert_int_eq(dyno_plan_tick(&plan, &seen).reason, DYNO_PLAN_DOWN);
    ck_assert_uint_eq(plan.desired, 3);
}
END_TEST

/* Two workers at 45 % would be one at 90 %, which would ask for two: it does not begin. */
START_TEST(load_does_not_go_where_it_would_come_back_from)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan;
    struct dyno_plan_observation seen = look(DYNO_S, 2, 45, 0);

    with.use_down = 0.5;
    with.cooldown_ns = 0;
    plan = open_named("load", &with, 2);
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 2);
}
END_TEST

START_TEST(every_policy_comes_down_to_the_minimum_without_traffic)
{
    for (uint32_t i = 1; dyno_plan_table[i]; i++) {
        for (uint32_t least = 0; least < 3; least++) {
            struct dyno_plan_config with = config();
            struct dyno_plan plan;

            with.workers_min = least;
            with.itl_s = 0.0125;
            plan = open_named(dyno_plan_table[i]->name, &with, 8);
            teach(&plan);
            for (dyno_ns at = 0; at < 3600; at += 10) {
                struct dyno_plan_observation seen = look(at * DYNO_S, plan.desired, 0, 0);

                dyno_plan_tick(&plan, &seen);
            }
            ck_assert_msg(plan.desired == least, "%s: %u, not %u", dyno_plan_table[i]->name,
                          plan.desired, least);
        }
    }
}
END_TEST

START_TEST(a_request_that_waits_for_any_worker_is_worth_one)
{
    for (uint32_t i = 0; dyno_plan_table[i]; i++) {
        struct dyno_plan_config with = config();
        struct dyno_plan plan;
        struct dyno_plan_observation seen = look(DYNO_S, 0, 0, 0);

        with.workers_min = 0;
        plan = open_named(dyno_plan_table[i]->name, &with, 0);
        seen.lobby = 1;
        ck_assert_uint_ge(dyno_plan_tick(&plan, &seen).desired, 1);
    }
}
END_TEST

/* With all metrics missing nobody moves; with some missing nobody goes down. */
START_TEST(what_is_unknown_is_no_reason_to_go_down)
{
    for (uint32_t i = 0; dyno_plan_table[i]; i++) {
        struct dyno_plan_config with = config();
        struct dyno_plan plan;
        struct dyno_plan_observation seen = look(DYNO_S, 5, 0, 0);

        with.cooldown_ns = 0;
        plan = open_named(dyno_plan_table[i]->name, &with, 5);
        teach(&plan);
        workers[0] = (struct dyno_plan_worker){0};
        for (int j = 0; j < 10; j++, seen.now_ns += DYNO_S) {
            ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 5);
        }
        memset(workers, 0, sizeof workers);
        seen.forecast_rate = seen.ahead_rate = 1e6;
        for (int j = 0; j < 10; j++, seen.now_ns += DYNO_S) {
            ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 5);
        }
    }
}
END_TEST

/* The same load for ever, and one that trembles by a tenth: after the first steps nobody moves. */
START_TEST(a_constant_load_makes_no_policy_swing)
{
    for (uint32_t i = 0; dyno_plan_table[i]; i++) {
        struct dyno_plan_config with = config();
        struct dyno_plan plan;
        uint32_t changes = 0, before;

        with.itl_s = 0.0125;
        with.ttft_s = 0.5;
        plan = open_named(dyno_plan_table[i]->name, &with, 1);
        teach(&plan);
        for (uint32_t at = 0; at < 2000; at++) {
            uint32_t running = 100 * 3 / (plan.desired + 1); /* the work is shared */
            struct dyno_plan_observation seen =
                look(at * 10 * DYNO_S, plan.desired, running > 100 ? 100 : running, 0);

            seen.forecast_rate = seen.ahead_rate = 6.0 + 0.6 * ((double)(at * 7 % 11) / 5.0 - 1.0);
            before = plan.desired;
            dyno_plan_tick(&plan, &seen);
            changes += at > 100 && plan.desired != before;
        }
        if (!(plan.policy->needs & DYNO_PLAN_NEEDS_FUTURE)) { /* it knows what it follows */
            ck_assert_msg(changes == 0, "%s: %u changes", dyno_plan_table[i]->name, changes);
        }
    }
}
END_TEST

/* An idle fleet, no costs yet, and requests to come: nobody is sent away for want of knowledge. */
START_TEST(clairvoyant_goes_down_only_by_measured_costs)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plan = open_named("clairvoyant", &with, 4);
    struct dyno_plan_observation seen = look(DYNO_S, 4, 0, 0);

    seen.ahead_rate = 1.0;
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 4);
    teach(&plan);
    seen.now_ns += DYNO_S;
    ck_assert_uint_eq(dyno_plan_tick(&plan, &seen).desired, 1);
}
END_TEST

START_TEST(nobody_leaves_the_limits)
{
    for (uint32_t i = 0; dyno_plan_table[i]; i++) {
        struct dyno_plan_config with = config();
        struct dyno_plan plan = open_named(dyno_plan_table[i]->name, &with, 30);
        struct dyno_plan_observation seen = look(DYNO_S, 10, 100, 1000);

        teach(&plan);
        seen.forecast_rate = seen.ahead_rate = 1e12;
        for (int j = 0; j < 100; j++, seen.now_ns += 10 * DYNO_S) {
            ck_assert_uint_le(dyno_plan_tick(&plan, &seen).desired, 10);
        }
    }
}
END_TEST

/* Two pools behind `budget`, asked for `rates` by policy `name`, which have `had`. */
struct shared {
    struct dyno_plan_config with;
    struct dyno_plan plans[2];
    struct dyno_plan_verdict verdicts[2];
};

static struct shared share(const char *name, uint32_t first, uint32_t second)
{
    struct shared shared = {.with = config()};

    shared.plans[0] = open_named(name, &shared.with, first);
    shared.plans[1] = open_named(name, &shared.with, second);
    return shared;
}

static void tick_shared(struct shared *shared, dyno_ns at, uint32_t budget, const double rates[2],
                        const uint32_t waiting[2])
{
    struct dyno_plan *plans[] = {&shared->plans[0], &shared->plans[1]};
    struct dyno_plan_observation seen[2];

    for (int i = 0; i < 2; i++) {
        seen[i] = look(at, shared->plans[i].desired, 60, 0);
        seen[i].forecast_rate = rates[i];
        seen[i].lobby = waiting[i];
    }
    dyno_plan_tick_shared(plans, seen, 2, budget, shared->verdicts);
}

static void expect_shared(const struct shared *shared, uint32_t first, uint32_t second,
                          const char *why_first, const char *why_second)
{
    ck_assert_uint_eq(shared->verdicts[0].desired, first);
    ck_assert_uint_eq(shared->verdicts[1].desired, second);
    ck_assert_str_eq(dyno_plan_reason_name(shared->verdicts[0].reason), why_first);
    ck_assert_str_eq(dyno_plan_reason_name(shared->verdicts[1].reason), why_second);
}

static const uint32_t nobody[2] = {0, 0};

/* A worker counts for 0.8 * 8.696 = 6.957 a second: 60 and 20 a second take 9 and 3. */
START_TEST(pools_that_need_too_much_are_short_in_proportion)
{
    struct shared shared = share("throughput", 4, 4);

    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    tick_shared(&shared, DYNO_S, 16, (double[]){60, 20}, nobody);
    expect_shared(&shared, 9, 4, "up", "cooling");

    shared = share("throughput", 1, 1);
    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    tick_shared(&shared, DYNO_S, 8, (double[]){60, 20}, nobody);
    expect_shared(&shared, 6, 2, "up", "up");
    ck_assert_uint_eq(shared.verdicts[0].asked, 9);
    ck_assert_uint_eq(shared.verdicts[1].asked, 3);
    tick_shared(&shared, 2 * DYNO_S, 8, (double[]){60, 20}, nobody);
    expect_shared(&shared, 6, 2, "budget", "budget");
}
END_TEST

/* A pool keeps its least, whatever the others need. */
START_TEST(nobody_is_shared_out_of_its_least)
{
    struct shared shared = share("throughput", 1, 1);

    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    tick_shared(&shared, DYNO_S, 3, (double[]){60, 1}, nobody);
    expect_shared(&shared, 2, 1, "up", "held");

    shared = share("throughput", 1, 1);
    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    tick_shared(&shared, DYNO_S, 2, (double[]){60, 60}, nobody);
    expect_shared(&shared, 1, 1, "budget", "budget");
}
END_TEST

/* 13 and 41 a second take 2 and 6. */
START_TEST(who_is_to_have_more_waits_until_the_other_gives)
{
    struct shared shared = share("throughput", 6, 2);

    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    tick_shared(&shared, DYNO_S, 8, (double[]){13, 41}, nobody);
    expect_shared(&shared, 6, 2, "cooling", "budget");
    tick_shared(&shared, 31 * DYNO_S, 8, (double[]){20, 41}, nobody); /* 3 for a while */
    expect_shared(&shared, 6, 2, "cooling", "budget");
    tick_shared(&shared, 61 * DYNO_S, 8, (double[]){13, 41}, nobody);
    expect_shared(&shared, 3, 5, "down", "up"); /* to the most asked for meanwhile */
}
END_TEST

/* A step says that more is wanted, but not how much more than somebody else. */
START_TEST(thresholds_take_nothing_from_those_who_hold)
{
    struct shared shared = share("load", 5, 3);

    tick_shared(&shared, DYNO_S, 8, (double[]){1, 1}, (uint32_t[]){0, 9});
    expect_shared(&shared, 5, 3, "held", "budget");
    tick_shared(&shared, 2 * DYNO_S, 9, (double[]){1, 1}, (uint32_t[]){0, 9});
    expect_shared(&shared, 5, 4, "held", "up");
}
END_TEST

/* Workers of one GPU beside workers of four; 60 and 20 a second take 9 and 3: 9 and 12 GPUs. */
static struct shared share_models(const char *name, uint32_t first, uint32_t second)
{
    struct shared shared = share(name, first, second);

    shared.plans[0].config.weight = 1;
    shared.plans[1].config.weight = 4;
    teach(&shared.plans[0]);
    teach(&shared.plans[1]);
    return shared;
}

/* Of 16 GPUs for 21: 9 * 16 / 21 = 6.86 and 3 * 16 / 21 = 2.29, so 6 and 2, which are 14 GPUs; of
 * the two that are left each lacks something of its share, but a worker of four does not fit. */
START_TEST(models_share_gpus_in_whole_workers)
{
    struct shared shared = share_models("throughput", 1, 1);

    tick_shared(&shared, DYNO_S, 21, (double[]){60, 20}, nobody);
    expect_shared(&shared, 9, 3, "up", "up");
    shared = share_models("throughput", 1, 1);
    tick_shared(&shared, DYNO_S, 16, (double[]){60, 20}, nobody);
    expect_shared(&shared, 8, 2, "up", "up");
    ck_assert_uint_eq(shared.verdicts[1].asked, 3);
    tick_shared(&shared, 2 * DYNO_S, 16, (double[]){60, 20}, nobody);
    expect_shared(&shared, 8, 2, "budget", "budget");
}
END_TEST

/* Of 11 GPUs: 4.7 and 1.57, so 4 and 1, 8 GPUs; the three that are left do not make a worker of
 * four, which lacks more (2.3 GPUs), and so the first gets them. */
START_TEST(what_does_not_make_a_worker_goes_to_who_can_use_it)
{
    struct shared shared = share_models("throughput", 1, 1);

    tick_shared(&shared, DYNO_S, 11, (double[]){60, 20}, nobody);
    expect_shared(&shared, 7, 1, "up", "budget");
}
END_TEST

/* 60 and 1 a second: 9 and 1 workers, 13 GPUs.  Of 6 the shares are 4.15 and 0.46; the second keeps
 * its least, and the first goes back to what that leaves. */
START_TEST(a_model_keeps_its_least_beside_a_larger_one)
{
    struct shared shared = share_models("throughput", 1, 1);

    tick_shared(&shared, DYNO_S, 6, (double[]){60, 1}, nobody);
    expect_shared(&shared, 2, 1, "up", "held");
}
END_TEST

/* A model that had none has one as soon as somebody asks for it, whatever the others would have;
 * also where only thresholds say what that is. */
START_TEST(who_is_waited_for_gets_a_worker_of_the_others)
{
    struct shared shared = share_models("throughput", 8, 0);

    shared.plans[1].config.workers_min = 0;
    tick_shared(&shared, DYNO_S, 8, (double[]){1000, 0.001}, (uint32_t[]){0, 1});
    expect_shared(&shared, 8, 0, "cooling", "budget");
    tick_shared(&shared, 61 * DYNO_S, 8, (double[]){1000, 0.001}, (uint32_t[]){0, 1});
    expect_shared(&shared, 4, 1, "budget", "up");

    shared = share("load", 8, 0);
    shared.plans[1].config.weight = 4;
    shared.plans[1].config.workers_min = 0;
    tick_shared(&shared, DYNO_S, 8, (double[]){1, 1}, (uint32_t[]){0, 1});
    tick_shared(&shared, 61 * DYNO_S, 8, (double[]){1, 1}, (uint32_t[]){0, 1});
    expect_shared(&shared, 4, 1, "budget", "up");
}
END_TEST

/* 60, 20 and none a second: 9, 3 and 1 workers.  That nobody has asked the third model yet, so that
 * its costs are not known, is no reason to go by thresholds, by which the first would keep its six:
 * of 8 the shares are 5.5, 1.8 and 0.6; who lacks most gets what is left. */
START_TEST(who_needs_no_more_than_its_least_need_not_know_costs)
{
    struct dyno_plan_config with = config();
    struct dyno_plan plans[] = {open_named("throughput", &with, 6),
                                open_named("throughput", &with, 1),
                                open_named("throughput", &with, 1)};
    struct dyno_plan *all[] = {&plans[0], &plans[1], &plans[2]};
    struct dyno_plan_verdict verdicts[3];
    struct dyno_plan_observation seen[3];
    const double rates[] = {60, 20, 0};

    teach(&plans[0]);
    teach(&plans[1]);
    for (int at = 1; at <= 61; at += 60) {
        for (int i = 0; i < 3; i++) {
            seen[i] = look((dyno_ns)at * DYNO_S, plans[i].desired, 60, 0);
            seen[i].forecast_rate = rates[i];
        }
        dyno_plan_tick_shared(all, seen, 3, 8, verdicts);
    }
    ck_assert_uint_eq(plans[0].desired, 5);
    ck_assert_uint_eq(plans[1].desired, 2);
    ck_assert_uint_eq(plans[2].desired, 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("plan");

    tcase_add_test(cases, costs_are_found_again);
    tcase_add_test(cases, costs_are_never_negative);
    tcase_add_test(cases, throughput_is_rate_over_capacity);
    tcase_add_test(cases, sla_takes_the_fewest_that_meet_the_objective);
    tcase_add_test(cases, load_goes_up_at_once_and_down_after_the_cooldown);
    tcase_add_test(cases, load_does_not_go_where_it_would_come_back_from);
    tcase_add_test(cases, every_policy_comes_down_to_the_minimum_without_traffic);
    tcase_add_test(cases, a_request_that_waits_for_any_worker_is_worth_one);
    tcase_add_test(cases, what_is_unknown_is_no_reason_to_go_down);
    tcase_add_test(cases, a_constant_load_makes_no_policy_swing);
    tcase_add_test(cases, clairvoyant_goes_down_only_by_measured_costs);
    tcase_add_test(cases, nobody_leaves_the_limits);
    tcase_add_test(cases, pools_that_need_too_much_are_short_in_proportion);
    tcase_add_test(cases, nobody_is_shared_out_of_its_least);
    tcase_add_test(cases, who_is_to_have_more_waits_until_the_other_gives);
    tcase_add_test(cases, thresholds_take_nothing_from_those_who_hold);
    tcase_add_test(cases, models_share_gpus_in_whole_workers);
    tcase_add_test(cases, what_does_not_make_a_worker_goes_to_who_can_use_it);
    tcase_add_test(cases, a_model_keeps_its_least_beside_a_larger_one);
    tcase_add_test(cases, who_is_waited_for_gets_a_worker_of_the_others);
    tcase_add_test(cases, who_needs_no_more_than_its_least_need_not_know_costs);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/plan", add_cases)
