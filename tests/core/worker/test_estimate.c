/* SGLang's share of answers set aside, read from inside: it falls, it is raised, it begins anew. */
#include "core/worker/fleet.h"
#include "tests/check_main.h"
#include "tests/core/worker/rig.h"

static struct rig rig;

static dyno_ns ms(uint64_t count)
{
    return count * DYNO_MS;
}

static double ratio(void)
{
    const struct dyno_local *local = (const void *)rig.workers;

    return (double)dyno_estimate_ratio(local, &local->workers[0]) * 0x1p-32;
}

/* Move to `at`, where passes that start there are formed. */
static void run_to(dyno_ns at)
{
    rig_to(&rig, at);
    rig_finish_turn(&rig);
}

static void open_sglang(uint32_t tokens, double first)
{
    rig_init(&rig, tokens);
    rig.config.worker = dyno_engine_find("sglang")->config;
    rig.config.worker.async_scheduling = false;
    rig.config.worker.blocks = tokens;
    rig.config.worker.batch_tokens_max = 512;
    rig.config.worker.seqs_max = 4;
    rig.config.worker.steps_max = 1;
    rig.config.worker.new_token_ratio = first;
    rig_open(&rig);
}

/* 0.7 falls to 0.14 x 0.7 = 0.098 in 600 decode steps and no further; after the pause it is 0.7. */
START_TEST(the_share_falls_for_600_steps_and_begins_anew_after_a_pause)
{
    open_sglang(2000, 0.7);
    rig_ask(&rig, 0, 0, 10, 800);
    run_to(ms(1));
    ck_assert_double_eq_tol(ratio(), 0.7, 1e-9);
    run_to(ms(151));
    ck_assert_double_eq_tol(ratio(), 0.7 - 0.602 * 150 / 600, 1e-6);
    run_to(ms(601));
    ck_assert_double_eq_tol(ratio(), 0.098, 1e-6);
    run_to(ms(700));
    ck_assert_double_eq_tol(ratio(), 0.098, 1e-6);
    rig_run(&rig);
    ck_assert_double_eq_tol(ratio(), 0.7, 1e-9);
    rig_close(&rig);
}
END_TEST

/* 1000 tokens: A's 300, B's 200 and C's 400, computed one after the other in 0-3 ms, leave 100, 33
 * steps of three, to 36 ms.  There the longest prompt goes, C.  A may generate 700, B 400, and each
 * has 34 out: 2 x (34 + 20) / 1101 from then on.  The step that begins there leaves it at that, the
 * next one lowers it. */
START_TEST(after_a_retraction_the_share_is_what_the_others_have_shown_to_need)
{
    double step = 0.01 * 0.86 / 600;

    open_sglang(1000, 0.01);
    rig_submit(&rig, 0, 0, (struct dyno_request){.id = 0, .prompt_tokens = 300, .max_tokens = 700},
               700);
    rig_submit(&rig, ms(1), 0,
               (struct dyno_request){.id = 1, .prompt_tokens = 200, .max_tokens = 400}, 400);
    rig_submit(&rig, ms(2), 0,
               (struct dyno_request){.id = 2, .prompt_tokens = 400, .max_tokens = 80}, 80);
    run_to(ms(36));
    ck_assert_double_eq_tol(ratio(), 108.0 / 1101, 1e-9);
    run_to(ms(37));
    ck_assert_double_eq_tol(ratio(), 108.0 / 1101, 1e-9);
    run_to(ms(38));
    ck_assert_double_eq_tol(ratio(), 108.0 / 1101 - step, 1e-9);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[2].preemptions, 1);
    rig_close(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("estimate");

    tcase_add_test(cases, the_share_falls_for_600_steps_and_begins_anew_after_a_pause);
    tcase_add_test(cases, after_a_retraction_the_share_is_what_the_others_have_shown_to_need);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/estimate", add_cases)
