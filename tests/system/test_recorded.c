/* A run that is recorded and replayed gives what it gave: yesterday's traffic is tomorrow's. */
#include <stdio.h>
#include <unistd.h>

#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { REQUESTS_MAX = 4096 };

/* How every request ended, by number. */
struct listener {
    struct dyno_sink sink;
    struct dyno_request_record records[REQUESTS_MAX];
    uint64_t count;
};

static dyno_status hear(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct listener *listener = (struct listener *)sink;

    ck_assert_uint_lt(record->id, REQUESTS_MAX);
    listener->records[record->id] = *record;
    listener->count++;
    return DYNO_OK;
}

static const struct dyno_sink_ops listener_ops = {.name = "listener", .request = hear};

static struct listener first, second;
static char path[256];

static void setup(void)
{
    const char *folder = getenv("TMPDIR");
    int file;

    (void)snprintf(path, sizeof path, "%s/dyno-recorded-XXXXXX", folder ? folder : "/tmp");
    file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    first = second = (struct listener){.sink = {.ops = &listener_ops}};
}

static void teardown(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

/* Run `line`, recorded into the file at `path`. */
static struct dyno_fleet_totals run_recorded(const char *line)
{
    struct rig rig;
    struct dyno_fleet_totals totals;
    struct dyno_recording_config config = {
        .path = path, .started_at_ns = 1764254917 * DYNO_S + 1, .engine_block_tokens = 16};
    struct dyno_recording *recording;
    struct dyno_recording_counts counts;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_recording_open(&recording, &config, &error) == DYNO_OK, "%s", error.text);
    first.sink.next = dyno_recording_sink(recording);
    rig_run_recorded(&rig, line, &first.sink, recording);
    totals = rig.assembly.totals;
    rig_close(&rig);
    dyno_recording_close(recording, &counts);
    ck_assert_uint_eq(counts.lost, 0);
    ck_assert_uint_eq(counts.recorded, first.count);
    return totals;
}

/* Time 0 of a trace is its first request; of the run that was recorded it may be before. */
static void ck_same(uint64_t id, dyno_ns shift)
{
    struct dyno_request_record one = first.records[id], two = second.records[id];

    ck_assert_msg(one.outcome == two.outcome && one.worker == two.worker &&
                      one.prompt_tokens == two.prompt_tokens &&
                      one.output_tokens == two.output_tokens &&
                      one.cached_tokens == two.cached_tokens,
                  "request %llu: worker %u and %u, %u and %u cached tokens, %u and %u tokens out",
                  (unsigned long long)id, one.worker, two.worker, one.cached_tokens,
                  two.cached_tokens, one.output_tokens, two.output_tokens);
    ck_assert_msg(one.arrival_ns == two.arrival_ns + shift &&
                      one.first_token_ns == two.first_token_ns + shift &&
                      one.last_token_ns == two.last_token_ns + shift,
                  "request %llu: came at %llu and %llu ns, first tokens at %llu and %llu ns",
                  (unsigned long long)id, (unsigned long long)one.arrival_ns,
                  (unsigned long long)(two.arrival_ns + shift),
                  (unsigned long long)one.first_token_ns,
                  (unsigned long long)(two.first_token_ns + shift));
}

static const char *const worlds[][2] = {
    {"--trace traces/samples/chat-prefix.jsonl", "--workers 4 --router kv"},
    {"--trace traces/samples/chat-prefix.jsonl", "--workers 2 --router round_robin"},
    {"--trace traces/samples/agent-sessions.jsonl", "--workers 2 --router kv"},
    {"--trace traces/samples/azure-like.csv --requests 1000", "--workers 2 --router least_loaded"},
    {"--arrival poisson:8 --requests 500 --input-tokens uniform:10,900 "
     "--set generate.prefix_groups=5 --set generate.prefix_tokens=1000 "
     "--set generate.session_turns=3 --set generate.think_time=exponential:2",
     "--workers 3 --router lmetric"},
};

/* Every stamp of every request, and every block that was found. */
START_TEST(a_recorded_run_replayed_is_the_same_run)
{
    struct dyno_fleet_totals totals, again;
    struct rig rig;
    char line[1024];

    (void)snprintf(line, sizeof line, "replay %s %s", worlds[_i][0], worlds[_i][1]);
    totals = run_recorded(line);
    (void)snprintf(line, sizeof line, "replay --trace %s %s", path, worlds[_i][1]);
    rig_run(&rig, line, &second.sink);
    again = rig.assembly.totals;
    ck_assert_uint_gt(first.count, 100);
    ck_assert_uint_eq(first.count, second.count);
    for (uint64_t id = 0; id < first.count; id++) {
        ck_same(id, first.records[0].arrival_ns);
    }
    ck_assert_uint_eq(totals.prompt_blocks, again.prompt_blocks);
    ck_assert_uint_eq(totals.prompt_blocks_hit, again.prompt_blocks_hit);
    ck_assert_uint_eq(totals.evicted_blocks, again.evicted_blocks);
    rig_close(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("recorded");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_recorded_run_replayed_is_the_same_run, 0,
                        sizeof worlds / sizeof *worlds);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("system/recorded", add_cases)
