/* Policies from shared objects: the example routes, and each way to be wrong is named. */
#include "backends/posix/plugin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/run/dispatch.h"
#include "tests/check_main.h"

/* DYNO_TEST_PLUGINS: the folder the modules are built in. */
static const char *path_of(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s.so", DYNO_TEST_PLUGINS, name);
    return path;
}

static void expect_refusal(const char *path, dyno_status status, const char *words)
{
    const struct dyno_route_policy *policy = NULL;
    struct dyno_error error = {.text = ""};
    void *handle = NULL;

    ck_assert_int_eq(dyno_plugin_open(&policy, &handle, path, &error), status);
    ck_assert_ptr_null(policy);
    ck_assert_ptr_null(handle);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.text, words), "'%s' is not in: %s", words, error.text);
    ck_assert_msg(strstr(error.text, path), "the path is not in: %s", error.text);
}

START_TEST(a_missing_file_is_named)
{
    expect_refusal("/nowhere/policy.so", DYNO_NOT_FOUND, "cannot be read");
    expect_refusal("no_such_policy.so", DYNO_NOT_FOUND, "cannot be read");
}
END_TEST

START_TEST(a_file_that_is_no_shared_object_is_refused)
{
    expect_refusal("CMakeLists.txt", DYNO_BAD_INPUT, "not a shared object");
    expect_refusal("tests", DYNO_BAD_INPUT, "is not a file");
}
END_TEST

START_TEST(each_thing_wrong_is_named)
{
    expect_refusal(path_of("policy_variant_1"), DYNO_BAD_INPUT,
                   "has no function dyno_route_plugin");
    expect_refusal(path_of("policy_variant_2"), DYNO_UNSUPPORTED, "was built for ABI 2");
    expect_refusal(path_of("policy_variant_3"), DYNO_BAD_INPUT, "lacks a name");
    expect_refusal(path_of("policy_variant_4"), DYNO_BAD_INPUT, "lacks a pick function");
    expect_refusal(path_of("policy_variant_5"), DYNO_UNSUPPORTED, "needs 0x40000000");
    expect_refusal(path_of("policy_variant_6"), DYNO_BAD_INPUT, "returned no policy");
}
END_TEST

START_TEST(a_bare_name_is_a_file_of_the_working_directory)
{
    const struct dyno_route_policy *policy = NULL;
    void *handle = NULL;

    ck_assert_int_eq(chdir(DYNO_TEST_PLUGINS), 0);
    ck_assert_int_eq(dyno_plugin_open(&policy, &handle, "policy_example.so", NULL), DYNO_OK);
    ck_assert_str_eq(policy->name, "two_tier");
    dyno_plugin_close(handle);
    dyno_plugin_close(NULL);
}
END_TEST

static struct dyno_dispatch *open_example(void **handle, const char *args, dyno_status expected)
{
    struct dyno_dispatch_config config = {
        .worker_count = 4, .block_tokens = 16, .route.args = args};
    struct dyno_dispatch *dispatch = NULL;

    ck_assert_int_eq(dyno_plugin_open(&config.policy, handle, path_of("policy_example"), NULL),
                     DYNO_OK);
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, NULL), expected);
    return dispatch;
}

static struct dyno_decision_record route(struct dyno_dispatch *dispatch, uint64_t id,
                                         const struct dyno_span *spans, uint32_t span_count)
{
    struct dyno_request request = {
        .id = id, .prompt_tokens = 160, .max_tokens = 1, .spans = spans, .span_count = span_count};
    struct dyno_decision_record record;

    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 1, &record), DYNO_OK);
    return record;
}

/* Worker 2 has 6 of 10 blocks: more than half, so it is followed until it has two more requests
 * than the others, then the least loaded are. */
START_TEST(the_example_routes)
{
    static const struct dyno_span chain[] = {{11, 8}};
    struct dyno_kv_event event = {.worker = 2, .span = 11, .blocks = 6};
    void *handle = NULL;
    struct dyno_dispatch *dispatch = open_example(&handle, "slack=1,share=0.5", DYNO_OK);
    struct dyno_decision_record record;

    ck_assert_int_eq(dyno_dispatch_wants_events(dispatch), 1);
    ck_assert_int_eq(dyno_dispatch_kv_event(dispatch, &event), DYNO_OK);
    ck_assert_uint_eq(route(dispatch, 1, chain, 1).worker, 2);
    record = route(dispatch, 2, chain, 1);
    ck_assert_uint_eq(record.worker, 2);
    ck_assert_uint_eq(record.overlap_blocks, 6);
    ck_assert_double_eq(record.scores[2], -6);
    ck_assert_double_eq(record.scores[3], 0);
    ck_assert_uint_ne(route(dispatch, 3, chain, 1).worker, 2);
    ck_assert_uint_ne(route(dispatch, 4, NULL, 0).worker, 2);
    dyno_dispatch_close(dispatch);
    dyno_plugin_close(handle);
}
END_TEST

START_TEST(the_example_refuses_arguments_that_it_does_not_know)
{
    static const char *const bad[] = {"slack",      "slack=", "share=2",    "slack=-1",
                                      "share=0.5x", "x=1",    "share=0.5,,"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *handle = NULL;

        ck_assert_ptr_null(open_example(&handle, bad[i], DYNO_BAD_INPUT));
        dyno_plugin_close(handle);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("plugin");

    tcase_add_test(cases, a_missing_file_is_named);
    tcase_add_test(cases, a_file_that_is_no_shared_object_is_refused);
    tcase_add_test(cases, each_thing_wrong_is_named);
    tcase_add_test(cases, a_bare_name_is_a_file_of_the_working_directory);
    tcase_add_test(cases, the_example_routes);
    tcase_add_test(cases, the_example_refuses_arguments_that_it_does_not_know);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/plugin", add_cases)
