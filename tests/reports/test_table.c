/* The page on the terminal, letter by letter. */
#include "reports/summary.h"
#include "tests/reports/fixture.h"

#include <fcntl.h>
#include <pty.h>

#include "tests/check_main.h"

/* The table as text; freed by the caller. */
static char *table_of(const struct dyno_report *report)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    dyno_report_table(report, out);
    fclose(out);
    return text;
}

/* clang-format off */
static const char whole_page[] =
    "llama-3.1-8b on 2 x h100, tp 2, vllm, kv router\n"
    "────────────────────────"
    "───────────────────────\n"
    "warning: 1 request was rejected, being longer with its answer than the model's context or a "
    "worker's KV cache\n"
    "\n"
    "Requests        3 completed, 1 rejected, 0 cancelled, 0 failed\n"
    "                8,000 input tokens (mean 2,000), 33 output tokens (mean 8)\n"
    "                10.0 s simulated\n"
    "\n"
    "Latency, ms          mean      p50      p90      p95      p99      max        n\n"
    "  TTFT              300.0    199.8    600.0    600.0    600.0    600.0        3\n"
    "  ITL               100.0    100.0    100.0    100.0    100.0    100.0       30\n"
    "  TPOT              100.0    100.0    100.0    100.0    100.0    100.0        3\n"
    "  E2E               1,300    1,204    1,598    1,598    1,598    1,600        3\n"
    "\n"
    "Where time goes  mean, ms   of e2e\n"
    "  ingest             2.00    0.2 %\n"
    "  queue             248.0   19.1 %\n"
    "  prefill           50.00    3.8 %\n"
    "  decode            1,000   76.9 %\n"
    "\n"
    "Throughput      0.300 requests/s, 600.0 input tokens/s, 3.30 output tokens/s\n"
    "\n"
    "Goodput         0.200 requests/s (0.050 per GPU), 50.0 % of requests\n"
    "                within ttft <= 250ms\n"
    "\n"
    "KV cache        hit rate 25.0 % of prompt tokens, 24.8 % of whole prompt blocks\n"
    "                bound    31.2 % of the trace's blocks in an endless cache\n"
    "                in use   25.0 % of 2,000 blocks, 1,234 evicted, 1 preemption\n"
    "\n"
    "Fleet           2 workers on 4 GPUs, 0.011 GPU-hours\n"
    "                busy 75.0 %, MFU 5.0 %, MBU 50.0 %\n";
/* clang-format on */

START_TEST(the_page_is_as_written_here)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.metrics.slo.ttft_ns = 250 * DYNO_MS;
    fixture.metrics.within_slo = 2;
    text = table_of(&fixture.report);
    ck_assert_str_eq(text, whole_page);
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(every_warning_stands_above_the_numbers)
{
    static const char warnings[] =
        "warning: cut short with 1,200 requests in flight; these are the numbers of what had "
        "ended\n"
        "warning: 2 requests were rejected and count towards no latency\n"
        "warning: 1 request was rejected, being longer with its answer than the model's context or "
        "a worker's KV cache\n"
        "warning: 1 request failed and counts towards no latency\n"
        "warning: 3 bad lines of the trace were skipped\n"
        "\nRequests";
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.report.interrupted = true;
    fixture.report.requests_unfinished = 1200;
    fixture.report.lines_skipped = 3;
    fixture.metrics.rejected = 3;
    fixture.metrics.rejected_full = fixture.metrics.rejected_timeout = 1;
    fixture.metrics.failed = 1;
    text = table_of(&fixture.report);
    ck_assert_msg(strstr(text, warnings), "%s", text);
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_clean_run_without_objectives_has_no_warning_and_no_goodput)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    fixture.metrics.rejected = 0;
    text = table_of(&fixture.report);
    ck_assert_ptr_null(strstr(text, "warning"));
    ck_assert_ptr_null(strstr(text, "Goodput"));
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_run_in_which_nothing_happened_says_so_without_nan)
{
    static const char *const expected[] = {
        "0 completed, 0 rejected, 0 cancelled, 0 failed\n",
        "  TTFT                n/a      n/a      n/a      n/a      n/a      n/a        0\n",
        "  queue               n/a      n/a\n",
        "n/a requests/s, n/a input tokens/s, n/a output tokens/s\n",
        "hit rate n/a of prompt tokens, n/a of whole prompt blocks\n",
        "busy n/a, MFU n/a, MBU n/a\n",
    };
    struct fixture fixture;
    char *text;

    memset(&fixture, 0, sizeof fixture);
    fixture_histograms(&fixture.metrics);
    fixture.metrics.first_arrival_ns = DYNO_NEVER;
    fixture.report.metrics = &fixture.metrics;
    fixture.report.totals = &fixture.totals;
    text = table_of(&fixture.report);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_msg(strstr(text, expected[i]), "\"%s\" is not in:\n%s", expected[i], text);
    }
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(time_held_back_by_the_client_is_shown_apart)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    dyno_histogram_add(&fixture.metrics.client_wait, 400 * DYNO_MS, 1);
    text = table_of(&fixture.report);
    ck_assert_msg(strstr(text, "  before sending    100.0 not in e2e\n"), "%s", text);
    free(text);
    fixture_release(&fixture);
}
END_TEST

/* Half of the fleet was up: half of the GPU-hours were paid, and what was up was twice as busy. */
START_TEST(a_planned_fleet_pays_for_what_was_up)
{
    struct fixture fixture;
    struct dyno_figures whole, planned;
    struct dyno_plan_regret regret = {.gpu_hours = 0.25, .good_share = 0.01, .ttft_p99_s = -3};
    struct dyno_plan_report plan = {.policy = "sla",
                                    .decisions = 3,
                                    .starts = 1,
                                    .drains = 2,
                                    .workers_max = 2,
                                    .worker_gpus = 1,
                                    .regret = &regret};
    const uint64_t decode[DYNO_PLAN_REASONS] = {60, 1, 2, [DYNO_PLAN_BUDGET] = 7};
    const uint64_t prefill[DYNO_PLAN_REASONS] = {70};
    char *text;

    fixture_init(&fixture);
    whole = dyno_figures_of(&fixture.report);
    plan.worker_s = whole.duration_s * fixture.totals.workers / 2;
    fixture.report.plan = &plan;
    planned = dyno_figures_of(&fixture.report);
    ck_assert_double_eq_tol(planned.gpu_hours, whole.gpu_hours / 2, 1e-12);
    ck_assert_double_eq_tol(planned.busy_fraction, whole.busy_fraction * 2, 1e-12);
    ck_assert_double_eq_tol(planned.mfu, whole.mfu * 2, 1e-12);
    plan.worker_s = 2 * 15.0; /* all along, also before the first request came */
    text = table_of(&fixture.report);
    ck_assert_msg(strstr(text, "sla: 3 decisions, 1 start (0 failed), 2 drained\n"), "%s", text);
    ck_assert_msg(strstr(text, "on average 2.00 workers up, at most 2\n"), "%s", text);
    ck_assert_msg(strstr(text, "regret 0.250 GPU-hours, 1.0 % of requests, TTFT p99 -3.00 s"), "%s",
                  text);
    free(text);

    plan.has_roles = true;
    plan.changes = 2;
    plan.looks[DYNO_ROLE_SERVE] = decode;
    plan.looks[DYNO_ROLE_PREFILL] = prefill;
    text = table_of(&fixture.report);
    ck_assert_msg(strstr(text, "2 drained, 2 changes of role\n"), "%s", text);
    ck_assert_msg(strstr(text, "looks at decode: 60 held, 1 up, 2 down, 7 budget\n"), "%s", text);
    ck_assert_msg(strstr(text, "looks at prefill: 70 held\n"), "%s", text);
    free(text);
    fixture_release(&fixture);
}
END_TEST

START_TEST(only_a_terminal_gets_bold_letters)
{
    struct fixture fixture;
    int inside, terminal;
    char text[64] = "";
    FILE *out;

    fixture_init(&fixture);
    if (openpty(&inside, &terminal, NULL, NULL, NULL) != 0) {
        fputs("skipped: no pseudo-terminals here\n", stderr);
        fixture_release(&fixture);
        return;
    }
    fcntl(terminal, F_SETFL, O_NONBLOCK); /* what does not fit is lost: the title is enough */
    out = fdopen(terminal, "w");
    dyno_report_table(&fixture.report, out);
    fclose(out);
    terminal_text(inside, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\033[1mllama-3.1-8b on 2 x h100"));
    fixture_release(&fixture);
}
END_TEST

/* A client's report of a server, with a lag of so long and so much computing. */
struct asked {
    struct fixture fixture;
    struct dyno_histogram lag;
    struct dyno_client_report client;
};

static void asked_init(struct asked *asked, dyno_ns lag, double cpu_fraction)
{
    static const struct dyno_failure failures[] = {{"HTTP 503: busy", 1200}, {"HTTP 500", 1}};

    fixture_init(&asked->fixture);
    ck_assert_int_eq(dyno_histogram_init(&asked->lag), DYNO_OK);
    dyno_histogram_add(&asked->lag, lag, 3);
    asked->client = (struct dyno_client_report){.lag = &asked->lag,
                                                .ttft_sent = &asked->lag,
                                                .cpu_fraction = cpu_fraction,
                                                .connections = 8,
                                                .failures = failures,
                                                .failure_count = 2,
                                                .failures_left_out = 5};
    asked->fixture.report.client = &asked->client;
    asked->fixture.report.device = "server";
    asked->fixture.metrics.rejected = 0;
    asked->fixture.metrics.failed = 1206;
}

static void asked_release(struct asked *asked)
{
    dyno_histogram_release(&asked->lag);
    fixture_release(&asked->fixture);
}

START_TEST(a_server_is_seen_from_its_client)
{
    static const char *const parts[] = {
        "warning: 1,206 requests failed and count towards no latency\n"
        "         1,200 x HTTP 503: busy\n"
        "         1 x HTTP 500\n"
        "         5 x other reasons\n\n",
        "                10.0 s in real time\n",
        "  sending            2.00    0.2 %\n"
        "  until headers     248.0   19.1 %\n"
        "  until token       50.00    3.8 %\n"
        "  decode            1,000   76.9 %\n",
        "\n\nPrefix cache    hit rate 25.0 % of prompt tokens, as the server says\n"
        "\nClient          computed 12.5 % of the time, 8 connections\n"
        "                sent 0.250 ms late, p99 0.250 ms, at most 0.250 ms\n"
        "                TTFT from sending 0.250 ms, p50 0.250, p90 0.250, p99 0.250\n",
    };
    struct asked asked;
    char *text;

    asked_init(&asked, 250 * DYNO_US, 0.125);
    text = table_of(&asked.fixture.report);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(text, parts[i]), "not in it: %s\n%s", parts[i], text);
    }
    ck_assert_ptr_null(strstr(text, "KV cache"));
    ck_assert_ptr_null(strstr(text, "Fleet"));
    ck_assert_ptr_null(strstr(text, "client-limited"));
    free(text);
    asked_release(&asked);
}
END_TEST

/* The mean TTFT is 300 ms, a twentieth of it 15 ms. */
START_TEST(a_client_that_was_the_limit_is_called_so)
{
    static const struct {
        dyno_ns lag;
        double cpu_fraction;
        const char *words; /* NULL: it was not */
    } cases[] = {
        {14 * DYNO_MS, 0.89, NULL},
        {14 * DYNO_MS, 0.91, "warning: client-limited: its thread had no time left"},
        {17 * DYNO_MS, 0.5, "warning: client-limited: it sent requests late"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked asked;
        char *text;

        asked_init(&asked, cases[i].lag, cases[i].cpu_fraction);
        text = table_of(&asked.fixture.report);
        ck_assert_msg(cases[i].words ? strstr(text, cases[i].words) != NULL
                                     : strstr(text, "client-limited") == NULL,
                      "case %zu: %s", i, text);
        free(text);
        asked_release(&asked);
    }
}
END_TEST

/* Half of the time in passes, a fifth and a tenth of the time's operations and bytes: 0.3 of the
 * time at the roofline.  1,000 W x (0.1 + 0.9 x 0.3) is 370 W; of 2 GPUs over the run. */
START_TEST(energy_is_idle_and_the_share_at_the_roofline)
{
    struct fixture fixture;
    struct dyno_cost_report cost = {
        .watts_max = 1000, .idle_share = 0.1, .gpu_hour_price = 2, .kwh_price = 0.5};
    struct dyno_figures figures;
    double seconds;

    fixture_init(&fixture);
    seconds = dyno_figures_of(&fixture.report).duration_s;
    fixture.report.cost = &cost;
    fixture.totals.busy_ns = (unsigned __int128)(seconds * 1e9 / 2) * fixture.totals.workers;
    fixture.report.flops_peak = fixture.report.bytes_peak = 1000;
    fixture.report.model_flops = 200 * seconds;
    fixture.report.model_bytes = 100 * seconds;
    figures = dyno_figures_of(&fixture.report);
    ck_assert_double_eq_tol(figures.gpu_watts, 370, 1e-6);
    ck_assert_double_eq_tol(figures.energy_kwh, figures.gpu_hours * 0.370, 1e-9);
    ck_assert_double_eq_tol(figures.cost, figures.gpu_hours * 2.185, 1e-9);
    cost.gpu_hour_price = cost.kwh_price = 0; /* energy has no price: no cost is known */
    figures = dyno_figures_of(&fixture.report);
    ck_assert_double_eq_tol(figures.gpu_watts, 370, 1e-6);
    ck_assert(isnan(figures.cost) && isnan(figures.cost_per_million));
    fixture.report.model_bytes = 400 * seconds; /* never more than the time in passes */
    ck_assert_double_eq_tol(dyno_figures_of(&fixture.report).gpu_watts, 550, 1e-6);
    fixture_release(&fixture);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("table");

    tcase_add_test(tc, the_page_is_as_written_here);
    tcase_add_test(tc, every_warning_stands_above_the_numbers);
    tcase_add_test(tc, a_clean_run_without_objectives_has_no_warning_and_no_goodput);
    tcase_add_test(tc, a_run_in_which_nothing_happened_says_so_without_nan);
    tcase_add_test(tc, a_planned_fleet_pays_for_what_was_up);
    tcase_add_test(tc, time_held_back_by_the_client_is_shown_apart);
    tcase_add_test(tc, only_a_terminal_gets_bold_letters);
    tcase_add_test(tc, a_server_is_seen_from_its_client);
    tcase_add_test(tc, a_client_that_was_the_limit_is_called_so);
    tcase_add_test(tc, energy_is_idle_and_the_share_at_the_roofline);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/table", add_cases)
