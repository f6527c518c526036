/* The simulated GPU: a paced device whose passes take what sim/timing says and whose sequences end
 * where the table of answers says. */
#include "sim/gpu.h"

#include <string.h>

#include "sim/answers.h"
#include "tests/check_main.h"

enum { PROMPT = 700, ANSWER = 500 };

static struct dyno_timing *timing;
static struct dyno_answers *answers;
static struct dyno_device *device;

static void set_up(void)
{
    struct dyno_timing_config config = {.model = *dyno_model_find("llama-3.1-8b"),
                                        .gpu = *dyno_gpu_find("h100"),
                                        .weights = DYNO_BF16,
                                        .kv = DYNO_BF16,
                                        .tp = 1,
                                        .seqs_max = 256,
                                        .batch_tokens_max = 8192};
    struct dyno_error error = {0};

    dyno_timing_defaults(&config.parameters, &config.gpu);
    ck_assert_msg(dyno_timing_open(&timing, &config, &error) == DYNO_OK, "%s", error.text);
    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
    ck_assert_int_eq(dyno_sim_gpu_open(&device, 2, timing, answers), DYNO_OK);
}

static void tear_down(void)
{
    device->ops->close(device);
    dyno_answers_close(answers);
    dyno_timing_close(timing);
}

static struct dyno_pass prompt_pass(uint32_t worker)
{
    static const struct dyno_slice slice = {.tokens = PROMPT, .yields = true};

    return (struct dyno_pass){.worker = worker, .steps_max = 1, .slice_count = 1, .slices = &slice};
}

static struct dyno_pass decode_pass(uint32_t steps_max, uint64_t context)
{
    return (struct dyno_pass){
        .steps_max = steps_max, .decode = true, .decode_count = 1, .decode_context = context};
}

static struct dyno_completion reap(void)
{
    struct dyno_completion completion;

    ck_assert(device->ops->reap(device, device->ops->next(device), &completion));
    return completion;
}

/* Open a sequence, compute its prompt from `start` on, and return when that ends. */
static dyno_ns prefill(dyno_ns start)
{
    struct dyno_pass pass = prompt_pass(0);

    ck_assert_int_eq(answers->ops->expect(answers, 7, ANSWER), DYNO_OK);
    device->ops->open(device, 0, 0, 7, 0, ANSWER);
    device->ops->submit(device, start, &pass);
    return reap().at;
}

START_TEST(a_pass_takes_what_the_timing_says)
{
    const dyno_ns start = 12345;
    struct dyno_pass prompt = prompt_pass(0), decode = decode_pass(1, PROMPT + 1);
    struct dyno_pass_cost cost;
    struct dyno_completion completion;
    dyno_ns end;

    dyno_timing_cost(timing, &prompt, &cost);
    end = prefill(start);
    ck_assert_uint_eq(end, start + (cost.first >> DYNO_TICK_BITS));
    dyno_timing_cost(timing, &decode, &cost);
    device->ops->submit(device, end + 1, &decode); /* a gap: nothing is carried */
    completion = reap();
    ck_assert_uint_eq(completion.at, end + 1 + (cost.first >> DYNO_TICK_BITS));
    ck_assert_uint_eq(completion.first, cost.first);
    ck_assert_uint_eq(completion.growth, cost.growth);
    ck_assert_uint_gt(cost.growth, 0); /* one more token of KV is read each step */
}
END_TEST

/* Decode the whole answer with at most `steps_max` steps a pass; when it ends. */
static dyno_ns decode_all(uint32_t steps_max, uint32_t *passes)
{
    dyno_ns at = prefill(0);
    struct dyno_completion completion = {0};

    for (uint64_t done = 1; completion.ended_count == 0; done += completion.steps) {
        struct dyno_pass pass = decode_pass(steps_max, PROMPT + done);

        device->ops->submit(device, at, &pass);
        completion = reap();
        at = completion.at;
        (*passes)++;
        if (completion.ended_count > 0) {
            ck_assert_uint_eq(done + completion.steps, ANSWER);
        }
    }
    device->ops->shut(device, 0, 0);
    return at;
}

/* Against the same work in a fresh device, one step at a time. */
START_TEST(a_leap_ends_where_single_steps_end)
{
    uint32_t leaps = 0, steps = 0;
    dyno_ns leaping = decode_all(UINT32_MAX, &leaps), stepping;

    tear_down();
    set_up();
    stepping = decode_all(1, &steps);
    ck_assert_uint_eq(leaping, stepping);
    ck_assert_uint_eq(steps, ANSWER - 1);
    ck_assert_uint_lt(leaps, steps / 10);
}
END_TEST

START_TEST(a_sequence_without_a_known_answer_ends_with_its_first_token)
{
    struct dyno_pass pass = prompt_pass(1);
    struct dyno_completion completion;

    device->ops->open(device, 1, 0, 99, 0, 50);
    device->ops->submit(device, 0, &pass);
    completion = reap();
    ck_assert_uint_eq(completion.worker, 1);
    ck_assert_uint_eq(completion.ended_count, 1);
}
END_TEST

START_TEST(it_says_what_it_is)
{
    ck_assert_str_eq(device->ops->name, "sim");
    ck_assert_uint_gt(strlen(device->ops->help), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("gpu");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_pass_takes_what_the_timing_says);
    tcase_add_test(cases, a_leap_ends_where_single_steps_end);
    tcase_add_test(cases, a_sequence_without_a_known_answer_ends_with_its_first_token);
    tcase_add_test(cases, it_says_what_it_is);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/gpu", add_cases)
