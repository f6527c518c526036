/* Facts of two recorded production traces, where they are at hand.  Not in the project's tree:
 * without them this says "skipped". */
#include <unistd.h>

#include "tests/check_main.h"
#include "tests/traces/support.h"

static const char mooncake[] = "../shared/traces/mooncake_conversation.jsonl";
static const char azure[] = "../shared/traces/azure2023_conv.csv";

static void summarise(const char *path, uint32_t sort_window, struct dyno_trace_summary *summary)
{
    const struct dyno_trace_config config = {.path = path, .sort_window = sort_window};
    struct dyno_error error;

    ck_assert_msg(dyno_trace_summarise(summary, &config, &error) == DYNO_OK, "%s", error.text);
}

static void ck_rounds_to(double value, const char *text, int digits)
{
    char rounded[64];

    (void)snprintf(rounded, sizeof rounded, "%.*f", digits, value);
    ck_assert_str_eq(rounded, text);
}

START_TEST(mooncake_conversation_has_the_known_facts)
{
    struct dyno_trace_summary summary;
    const struct dyno_trace_counts *counts = &summary.counts;
    uint64_t references;
    const uint64_t *hits;
    size_t distinct;

    summarise(mooncake, _i ? 1024 : 0, &summary);
    ck_assert_str_eq(summary.format, "mooncake");
    ck_assert_uint_eq(counts->requests, 12031);
    ck_rounds_to(summary.input.mean, "12035.06", 2);
    ck_rounds_to(summary.output.mean, "342.62", 2);
    ck_assert_uint_eq(summary.input.max, 126195);
    ck_assert_uint_eq(summary.output.max, 2000);
    ck_assert_uint_eq(counts->block_refs, 288500);
    ck_assert_uint_eq(counts->block_refs_distinct, 182790);
    ck_rounds_to(100 * (double)counts->block_refs_seen / (double)counts->block_refs, "36.641", 3);
    ck_assert_uint_eq(summary.span_ns, 3536999 * DYNO_MS);
    dyno_reuse_curve(summary.reuse, &hits, &distinct, &references);
    ck_assert_uint_eq(distinct, 182790);
    ck_assert_uint_eq(references, 288500);
    ck_assert_uint_eq(hits[distinct], counts->block_refs_seen);
    dyno_trace_summary_release(&summary);
}
END_TEST

START_TEST(azure_2023_conversation_has_the_known_facts)
{
    struct dyno_trace_summary summary;

    summarise(azure, _i ? 1024 : 0, &summary);
    ck_assert_str_eq(summary.format, "azure");
    ck_assert_uint_eq(summary.counts.requests, 19366);
    ck_assert_uint_eq(summary.counts.block_refs, 0);
    ck_assert_uint_eq(summary.span_ns, 3501721937000ULL);
    dyno_trace_summary_release(&summary);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("facts");

    tcase_add_loop_test(tcase, mooncake_conversation_has_the_known_facts, 0, 2);
    tcase_add_loop_test(tcase, azure_2023_conversation_has_the_known_facts, 0, 2);
    suite_add_tcase(suite, tcase);
}

static const char *lacking(void)
{
    return access(mooncake, R_OK) == 0 && access(azure, R_OK) == 0
               ? NULL
               : "the recorded traces are not here";
}

DYNO_CHECK_MAIN_UNLESS("traces/facts", add_cases, lacking)
