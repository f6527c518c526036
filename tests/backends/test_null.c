/* The null device: every step takes the stated time, whatever is in it. */
#include "backends/null/null.h"

#include <string.h>

#include "tests/check_main.h"

static uint32_t answer(void *context, uint64_t id)
{
    (void)id;
    return *(const uint32_t *)context;
}

static struct dyno_device *open_null(dyno_ns step_ns, uint32_t *tokens)
{
    struct dyno_device *device = NULL;

    ck_assert_int_eq(dyno_null_open(&device, 3, step_ns, answer, tokens), DYNO_OK);
    return device;
}

/* A prompt of `tokens` tokens on worker 2, then a decode pass over `context` tokens; the answer has
 * 5 tokens. */
static void check_times(dyno_ns step_ns, uint32_t tokens, uint64_t context)
{
    uint32_t answer_tokens = 5;
    struct dyno_device *device = open_null(step_ns, &answer_tokens);
    struct dyno_slice slice = {.tokens = tokens, .yields = true};
    struct dyno_completion completion;

    device->ops->open(device, 2, 0, 0, 0, 100);
    device->ops->submit(
        device, 100,
        &(struct dyno_pass){.worker = 2, .steps_max = 1, .slice_count = 1, .slices = &slice});
    ck_assert_uint_eq(device->ops->next(device), 100 + step_ns);
    ck_assert(device->ops->reap(device, 100 + step_ns, &completion));
    ck_assert_uint_eq(completion.worker, 2);
    device->ops->submit(device, 100 + step_ns,
                        &(struct dyno_pass){.worker = 2,
                                            .steps_max = 1000,
                                            .decode = true,
                                            .decode_count = 1,
                                            .decode_context = context});
    ck_assert(device->ops->reap(device, 100 + 5 * step_ns, &completion));
    ck_assert_uint_eq(completion.at, 100 + 5 * step_ns);
    ck_assert_uint_eq(completion.steps, 4);
    ck_assert_uint_eq(completion.ended_count, 1);
    device->ops->close(device);
}

START_TEST(every_step_takes_the_stated_time)
{
    check_times(1, 1, 2);
    check_times(10000, 1, 2);
    check_times(10000, 100000, 100001);
    check_times(3600 * DYNO_S, 8, 9);
}
END_TEST

START_TEST(it_says_what_it_is)
{
    uint32_t tokens = 1;
    struct dyno_device *device = open_null(1, &tokens);

    ck_assert_str_eq(device->ops->name, "null");
    ck_assert_uint_gt(strlen(device->ops->help), 0);
    ck_assert_uint_eq(device->ops->next(device), DYNO_NEVER);
    device->ops->close(device);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("null");

    tcase_add_test(cases, every_step_takes_the_stated_time);
    tcase_add_test(cases, it_says_what_it_is);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/null", add_cases)
