/* The JSON summary: its keys, its numbers, and how it reaches a file. */
#include "tests/reports/fixture.h"

#include <jansson.h>
#include <math.h>

#include "reports/summary.h"
#include "tests/check_main.h"

/* What dyno_report_json writes to a new file; freed by the caller. */
static char *json_of(const struct dyno_report *report)
{
    struct dyno_error error = {0};
    char path[PATH_MAX];
    const char *folder = folder_make();
    char *text;

    path_in(path, folder, "out.json");
    ck_assert_msg(dyno_report_json(report, path, &error) == DYNO_OK, "%s", error.text);
    text = file_text(path);
    ck_assert_int_eq(folder_count(folder), 1); /* nothing beside it */
    folder_remove(folder);
    return text;
}

/* clang-format off */
static const char whole_summary[] =
    "{\n"
    "  \"trace\": {\n"
    "    \"requests\": 4,\n"
    "    \"input_tokens\": 8000,\n"
    "    \"output_tokens\": 44,\n"
    "    \"lines_skipped\": 0,\n"
    "    \"failed_dropped\": 0\n"
    "  },\n"
    "  \"requests\": {\n"
    "    \"completed\": 3,\n"
    "    \"rejected\": 1,\n"
    "    \"cancelled\": 0,\n"
    "    \"failed\": 0\n"
    "  },\n"
    "  \"ttft_ms\": {\n"
    "    \"count\": 3,\n"
    "    \"mean\": 300.0,\n"
    "    \"std\": 216.024689947,\n"
    "    \"min\": 100.0,\n"
    "    \"p50\": 199.753728,\n"
    "    \"p90\": 600.0,\n"
    "    \"p95\": 600.0,\n"
    "    \"p99\": 600.0,\n"
    "    \"max\": 600.0\n"
    "  },\n"
    "  \"itl_ms\": {\n"
    "    \"count\": 30,\n"
    "    \"mean\": 100.0,\n"
    "    \"std\": 0.0,\n"
    "    \"min\": 100.0,\n"
    "    \"p50\": 100.0,\n"
    "    \"p90\": 100.0,\n"
    "    \"p95\": 100.0,\n"
    "    \"p99\": 100.0,\n"
    "    \"max\": 100.0\n"
    "  },\n"
    "  \"tpot_ms\": {\n"
    "    \"count\": 3,\n"
    "    \"mean\": 100.0,\n"
    "    \"std\": 0.0,\n"
    "    \"min\": 100.0,\n"
    "    \"p50\": 100.0,\n"
    "    \"p90\": 100.0,\n"
    "    \"p95\": 100.0,\n"
    "    \"p99\": 100.0,\n"
    "    \"max\": 100.0\n"
    "  },\n"
    "  \"e2e_ms\": {\n"
    "    \"count\": 3,\n"
    "    \"mean\": 1300.0,\n"
    "    \"std\": 216.024689947,\n"
    "    \"min\": 1100.0,\n"
    "    \"p50\": 1203.765248,\n"
    "    \"p90\": 1598.029824,\n"
    "    \"p95\": 1598.029824,\n"
    "    \"p99\": 1598.029824,\n"
    "    \"max\": 1600.0\n"
    "  },\n"
    "  \"phases_ms\": {\n"
    "    \"client_wait\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 0.0,\n"
    "      \"std\": 0.0,\n"
    "      \"min\": 0.0,\n"
    "      \"p50\": 0.0,\n"
    "      \"p90\": 0.0,\n"
    "      \"p95\": 0.0,\n"
    "      \"p99\": 0.0,\n"
    "      \"max\": 0.0\n"
    "    },\n"
    "    \"ingest\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 2.0,\n"
    "      \"std\": 0.0,\n"
    "      \"min\": 2.0,\n"
    "      \"p50\": 2.0,\n"
    "      \"p90\": 2.0,\n"
    "      \"p95\": 2.0,\n"
    "      \"p99\": 2.0,\n"
    "      \"max\": 2.0\n"
    "    },\n"
    "    \"queue\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 248.0,\n"
    "      \"std\": 216.024689947,\n"
    "      \"min\": 48.0,\n"
    "      \"p50\": 148.373504,\n"
    "      \"p90\": 547.356672,\n"
    "      \"p95\": 547.356672,\n"
    "      \"p99\": 547.356672,\n"
    "      \"max\": 548.0\n"
    "    },\n"
    "    \"prefill\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 50.0,\n"
    "      \"std\": 0.0,\n"
    "      \"min\": 50.0,\n"
    "      \"p50\": 50.0,\n"
    "      \"p90\": 50.0,\n"
    "      \"p95\": 50.0,\n"
    "      \"p99\": 50.0,\n"
    "      \"max\": 50.0\n"
    "    },\n"
    "    \"transfer\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 0.0,\n"
    "      \"std\": 0.0,\n"
    "      \"min\": 0.0,\n"
    "      \"p50\": 0.0,\n"
    "      \"p90\": 0.0,\n"
    "      \"p95\": 0.0,\n"
    "      \"p99\": 0.0,\n"
    "      \"max\": 0.0\n"
    "    },\n"
    "    \"decode\": {\n"
    "      \"count\": 3,\n"
    "      \"mean\": 1000.0,\n"
    "      \"std\": 0.0,\n"
    "      \"min\": 1000.0,\n"
    "      \"p50\": 1000.0,\n"
    "      \"p90\": 1000.0,\n"
    "      \"p95\": 1000.0,\n"
    "      \"p99\": 1000.0,\n"
    "      \"max\": 1000.0\n"
    "    }\n"
    "  },\n"
    "  \"throughput\": {\n"
    "    \"requests_per_s\": 0.3,\n"
    "    \"input_tokens_per_s\": 600.0,\n"
    "    \"output_tokens_per_s\": 3.3\n"
    "  },\n"
    "  \"goodput\": null,\n"
    "  \"kv\": {\n"
    "    \"token_hit_rate\": 0.25,\n"
    "    \"block_hit_rate\": 0.248,\n"
    "    \"unbounded_hit_rate\": 0.3125,\n"
    "    \"unbounded_token_hit_rate\": null,\n"
    "    \"belady_hit_rate\": null,\n"
    "    \"evicted_blocks\": 1234,\n"
    "    \"preemptions\": 1\n"
    "  },\n"
    "  \"transfers\": {\n"
    "    \"count\": 0,\n"
    "    \"bytes\": 0,\n"
    "    \"wait_ms\": 0.0,\n"
    "    \"given_up\": 0,\n"
    "    \"sent_again\": 0\n"
    "  },\n"
    "  \"fleet\": {\n"
    "    \"workers\": 2,\n"
    "    \"gpus\": 4,\n"
    "    \"gpu_hours\": 0.0111111111111,\n"
    "    \"busy_fraction\": 0.75,\n"
    "    \"mfu\": 0.05,\n"
    "    \"mbu\": 0.5,\n"
    "    \"kv_use\": 0.25\n"
    "  },\n"
    "  \"duration_s\": 10.0,\n"
    "  \"extrapolated\": {\n"
    "    \"count\": 0\n"
    "  }\n"
    "}\n";
/* clang-format on */

START_TEST(the_summary_is_as_written_here)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    text = json_of(&fixture.report);
    ck_assert_str_eq(text, whole_summary);
    free(text);
    fixture_release(&fixture);
}
END_TEST

/* 2 of 4 requests in 10 s on 4 GPUs. */
START_TEST(goodput_counts_every_request_that_ended)
{
    static const char expected[] = "  \"goodput\": {\n"
                                   "    \"requests_per_s\": 0.2,\n"
                                   "    \"fraction\": 0.5,\n"
                                   "    \"per_gpu\": 0.05\n"
                                   "  },\n";
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.metrics.slo.e2e_ns = 1300 * DYNO_MS;
    fixture.metrics.within_slo = 2;
    text = json_of(&fixture.report);
    ck_assert_msg(strstr(text, expected), "%s", text);
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_fleet_that_was_busy_and_never_sampled_has_no_known_kv_use)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.totals.block_ns_used = 0;
    text = json_of(&fixture.report);
    ck_assert_ptr_nonnull(strstr(text, "\"kv_use\": null"));
    free(text);
    fixture_release(&fixture);
}
END_TEST

static void no_number_but_zero(const char *key, const json_t *value)
{
    const char *name;
    json_t *inner;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, name, inner)
        {
            no_number_but_zero(name, inner);
        }
        return;
    }
    ck_assert_msg(json_is_null(value) || json_number_value(value) == 0, "%s", key);
}

START_TEST(what_is_undefined_is_null_and_the_keys_stay)
{
    struct fixture fixture;
    json_t *root;
    char *text;

    memset(&fixture, 0, sizeof fixture);
    fixture_histograms(&fixture.metrics);
    fixture.metrics.first_arrival_ns = DYNO_NEVER;
    fixture.report = (struct dyno_report){.metrics = &fixture.metrics,
                                          .totals = &fixture.totals,
                                          .unbounded_hit_rate = -1,
                                          .belady_hit_rate = NAN};
    text = json_of(&fixture.report);
    root = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(root);
    no_number_but_zero("the summary", root);
    ck_assert(json_is_null(json_object_get(json_object_get(root, "ttft_ms"), "p99")));
    ck_assert(json_is_null(json_object_get(json_object_get(root, "throughput"), "requests_per_s")));
    ck_assert(json_is_null(json_object_get(json_object_get(root, "kv"), "unbounded_hit_rate")));
    json_decref(root);
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_file_that_was_there_is_replaced_whole)
{
    struct fixture fixture;
    char path[PATH_MAX];
    const char *folder = folder_make();
    char *text;
    FILE *file;

    fixture_init(&fixture);
    file = fopen(path_in(path, folder, "out.json"), "w");
    for (int i = 0; i < 10000; i++) {
        fputs("longer than any summary\n", file);
    }
    fclose(file);
    ck_assert_int_eq(dyno_report_json(&fixture.report, path, NULL), DYNO_OK);
    text = file_text(path);
    ck_assert_str_eq(text, whole_summary);
    ck_assert_int_eq(folder_count(folder), 1);
    free(text);
    folder_remove(folder);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_link_is_written_through_not_replaced)
{
    struct fixture fixture;
    char path[PATH_MAX], link[PATH_MAX];
    const char *folder = folder_make();
    struct stat there;
    char *text;

    fixture_init(&fixture);
    ck_assert_int_eq(symlink("real.json", path_in(link, folder, "link.json")), 0);
    ck_assert_int_eq(dyno_report_json(&fixture.report, link, NULL), DYNO_OK);
    ck_assert_int_eq(lstat(link, &there), 0);
    ck_assert(S_ISLNK(there.st_mode));
    text = file_text(path_in(path, folder, "real.json"));
    ck_assert_str_eq(text, whole_summary);
    free(text);
    folder_remove(folder);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_missing_folder_is_refused_by_name_and_nothing_is_left)
{
    struct dyno_error error = {0};
    struct fixture fixture;
    char path[PATH_MAX];
    const char *folder = folder_make();

    fixture_init(&fixture);
    path_in(path, folder, "none/out.json");
    ck_assert_int_eq(dyno_report_json(&fixture.report, path, &error), DYNO_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "none/out.json"));
    ck_assert_ptr_nonnull(strstr(error.text, "No such file or directory"));
    ck_assert_int_eq(folder_count(folder), 0);
    folder_remove(folder);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_full_device_is_an_error_not_a_short_file)
{
    struct dyno_error error = {0};
    struct fixture fixture;

    if (access("/dev/full", W_OK) != 0) {
        fputs("skipped: no /dev/full here\n", stderr);
        return;
    }
    fixture_init(&fixture);
    ck_assert_int_eq(dyno_report_json(&fixture.report, "/dev/full", &error), DYNO_IO);
    ck_assert_msg(strstr(error.text, "No space left on device"), "%s", error.text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_dash_is_standard_output)
{
    struct fixture fixture;
    char path[PATH_MAX];
    const char *folder = folder_make();
    char *text;

    fixture_init(&fixture);
    ck_assert_ptr_nonnull(freopen(path_in(path, folder, "stdout"), "w", stdout));
    ck_assert_int_eq(dyno_report_json(&fixture.report, "-", NULL), DYNO_OK);
    text = file_text(path);
    ck_assert_str_eq(text, whole_summary);
    free(text);
    folder_remove(folder);
    fixture_release(&fixture);
}
END_TEST

START_TEST(host_facts_have_a_file_of_their_own)
{
    struct dyno_host_facts facts = {
        .wall_s = 1.5, .requests_per_wall_s = INFINITY, .peak_rss_bytes = 1048576};
    char path[PATH_MAX];
    const char *folder = folder_make();
    char *text;

    ck_assert_int_eq(dyno_host_json(&facts, path_in(path, folder, "host.json"), NULL), DYNO_OK);
    text = file_text(path);
    ck_assert_str_eq(text, "{\n"
                           "  \"wall_s\": 1.5,\n"
                           "  \"requests_per_wall_s\": null,\n"
                           "  \"peak_rss_bytes\": 1048576\n"
                           "}\n");
    free(text);
    folder_remove(folder);
}
END_TEST

/* docs/metrics.md names every number: by its whole path, or by its last key where all of a group
 * share it ("p99"). */
START_TEST(every_metric_is_in_the_documentation)
{
    struct dyno_summary summary;
    struct dyno_client_report client = {.cpu_fraction = 0.5};
    struct dyno_plan_regret regret = {0};
    const uint64_t looks[DYNO_PLAN_REASONS] = {0};
    struct dyno_plan_report plan = {
        .worker_s = 1, .regret = &regret, .has_roles = true, .looks = {looks, looks}};
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.report.plan = &plan;
    fixture.metrics.slo.ttft_ns = DYNO_S;
    client.lag = client.ttft_sent = &fixture.metrics.ttft;
    fixture.report.client = &client;
    dyno_summary_fill(&summary, &fixture.report);
    text = file_text("docs/metrics.md");
    for (uint32_t i = 0; i < summary.row_count; i++) {
        char quoted[DYNO_SUMMARY_NAME_MAX + 2];
        const char *name = summary.rows[i].name;
        const char *last = strrchr(name, '.');
        bool latency = strstr(name, "_ms");
        int group = latency ? (int)(last - name) : (int)strlen(name);

        snprintf(quoted, sizeof quoted, "`%.*s`", group, name);
        ck_assert_msg(strstr(text, quoted), "%s is not in docs/metrics.md", quoted);
        if (latency) {
            snprintf(quoted, sizeof quoted, "`%s`", last + 1);
            ck_assert_msg(strstr(text, quoted), "%s is not in docs/metrics.md", quoted);
        }
    }
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_client_leaves_its_own_numbers_and_the_reasons_of_failures)
{
    static const char *const parts[] = {
        "\"cpu_fraction\": 0.5,\n    \"connections\": 8,\n    \"limited\": 1,\n"
        "    \"failures\": [\n      {\n        \"why\": \"HTTP \\\"503\\\"\",\n"
        "        \"count\": 12\n      }\n    ]\n",
        "\"token_hit_rate\": null,",
        "\"busy_fraction\": null,",
    };
    static const struct dyno_failure failure = {"HTTP \"503\"", 12};
    struct dyno_client_report client = {
        .cpu_fraction = 0.5, .connections = 8, .failures = &failure, .failure_count = 1};
    struct fixture fixture;
    char path[PATH_MAX];
    const char *folder = folder_make();
    char *text;

    fixture_init(&fixture);
    fixture.metrics.cached_tokens = 0;
    client.lag = &fixture.metrics.ttft; /* as late as that: the client was the limit */
    fixture.report.client = &client;
    ck_assert_int_eq(dyno_report_json(&fixture.report, path_in(path, folder, "out.json"), NULL),
                     DYNO_OK);
    text = file_text(path);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(text, parts[i]), "not in it: %s\n%s", parts[i], text);
    }
    free(text);
    folder_remove(folder);
    fixture_release(&fixture);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("json");

    tcase_add_test(tc, the_summary_is_as_written_here);
    tcase_add_test(tc, goodput_counts_every_request_that_ended);
    tcase_add_test(tc, a_fleet_that_was_busy_and_never_sampled_has_no_known_kv_use);
    tcase_add_test(tc, what_is_undefined_is_null_and_the_keys_stay);
    tcase_add_test(tc, a_file_that_was_there_is_replaced_whole);
    tcase_add_test(tc, a_link_is_written_through_not_replaced);
    tcase_add_test(tc, a_missing_folder_is_refused_by_name_and_nothing_is_left);
    tcase_add_test(tc, a_full_device_is_an_error_not_a_short_file);
    tcase_add_test(tc, a_dash_is_standard_output);
    tcase_add_test(tc, host_facts_have_a_file_of_their_own);
    tcase_add_test(tc, a_client_leaves_its_own_numbers_and_the_reasons_of_failures);
    tcase_add_test(tc, every_metric_is_in_the_documentation);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/json", add_cases)
