/* Every seam is used twice: the same binary runs the same trace under the virtual clock and under
 * the wall clock, on the null device.  What does not depend on time must agree request by request;
 * the test waits for the wall clock but never judges by it. */
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { REQUESTS = 300 };

struct ends {
    struct dyno_sink base;
    struct dyno_request_record records[REQUESTS];
    uint32_t times[REQUESTS];
};

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct ends *ends = (struct ends *)sink;

    ends->records[record->id] = *record;
    ends->times[record->id]++;
    return DYNO_OK;
}

static const struct dyno_sink_ops ends_ops = {.name = "ends", .request = on_request};

static void replay(struct ends *ends, const char *clock, const char *router)
{
    struct rig rig;
    char line[512];

    memset(ends, 0, sizeof *ends);
    ends->base.ops = &ends_ops;
    (void)snprintf(line, sizeof line,
                   "replay --arrival poisson:1000 --input-tokens uniform:10,2000 --output-tokens "
                   "exponential:50 --requests %d --set generate.prefix_groups=8 --device null "
                   "--workers 4 --clock %s --router %s --db :memory:",
                   REQUESTS, clock, router);
    rig_run(&rig, line, &ends->base);
    ck_assert_uint_eq(rig.assembly.metrics.completed, REQUESTS);
    ck_assert_uint_eq(rig.assembly.result.unfinished, 0);
    dyno_local_check(rig.assembly.workers);
    rig_close(&rig);
}

/* Round robin does not look at time, so even the workers agree. */
START_TEST(both_clocks_serve_the_same_requests)
{
    static struct ends virtual_ends, wall_ends;

    replay(&virtual_ends, "virtual", "round_robin");
    replay(&wall_ends, "wall", "round_robin");
    for (int i = 0; i < REQUESTS; i++) {
        const struct dyno_request_record *simulated = &virtual_ends.records[i];
        const struct dyno_request_record *real = &wall_ends.records[i];

        ck_assert_uint_eq(virtual_ends.times[i], 1);
        ck_assert_uint_eq(wall_ends.times[i], 1);
        ck_assert_uint_eq(simulated->worker, real->worker);
        ck_assert_uint_eq(simulated->prompt_tokens, real->prompt_tokens);
        ck_assert_uint_eq(simulated->output_tokens, real->output_tokens);
        ck_assert_uint_le(real->arrival_ns, real->first_token_ns);
        ck_assert_uint_le(real->first_token_ns, real->last_token_ns);
    }
}
END_TEST

START_TEST(the_kv_router_serves_under_the_wall_clock)
{
    static struct ends ends;

    replay(&ends, "wall", "kv");
    for (int i = 0; i < REQUESTS; i++) {
        ck_assert_uint_eq(ends.times[i], 1);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("two clocks");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, both_clocks_serve_the_same_requests);
    tcase_add_test(cases, the_kv_router_serves_under_the_wall_clock);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/two clocks", add_cases)
