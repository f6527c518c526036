/* KV in tiers, in other workers and in halves, for real and as it is simulated: the same is found,
 * stored, moved and evicted, to the block.  What hangs on time is taken out: one request follows
 * the other, whatever set out has arrived when the loop looks again, and nobody knows what
 * computing takes, so that no tier is slower than it. */
#include "backends/engine/copier.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { REQUESTS = 24 };
enum { HEAD_BYTES = 4096, SLOT_BYTES = 9 * 4096 }; /* of austen-2m, with 16 tokens a block */

#define LOAD                                                                                       \
    "replay --arrival concurrency:1 --requests 24 --input-tokens 24 --output-tokens 3 --db none "  \
    "--set generate.prefix_groups=5 --set generate.prefix_tokens=64 --max-model-len 128 "          \
    "--num-gpu-blocks-override 16 "

static char machine_path[64], kv_path[64];

/* Computing takes long, and copying nothing. */
static const char machine[] =
    "{\"dyno_machine\": 1, \"device\": \"cpu\", \"model\": \"austen-2m\", \"threads\": 1, "
    "\"rows_ns\": [[1, 1000000], [512, 512000000]], \"yields_ns\": [[1, 1000]], \"pair_ns\": 1, "
    "\"context_ns\": 1, \"pass_ns\": 1000, \"copy_byte_ns\": 0.000001, \"copy_ns\": 0, "
    "\"disk_write_byte_ns\": 0.000001, \"disk_write_ns\": 0, "
    "\"disk_read_byte_ns\": 0.000001, \"disk_read_ns\": 0}";

/* A file of its own for each test, which may run in one process. */
static int make_file(char path[64], const char *pattern)
{
    int file;

    (void)snprintf(path, 64, "%s", pattern);
    file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    return file;
}

static void set_up(void)
{
    int file = make_file(machine_path, "/tmp/dyno-live-machine-XXXXXX");

    ck_assert_int_eq(write(file, machine, sizeof machine - 1), (int)sizeof machine - 1);
    (void)close(file);
    file = make_file(kv_path, "/tmp/dyno-live-kv-XXXXXX");
    (void)close(file);
    (void)unlink(kv_path);
}

static void tear_down(void)
{
    (void)unlink(machine_path);
    (void)unlink(kv_path);
}

/* ---- without time ---------------------------------------------------------------------------- */

/* Before the loop waits all copies are made. */
struct settling {
    struct dyno_clock base;
    struct dyno_clock *below;
    const struct dyno_assembly *assembly;
};

static dyno_ns wait_settled(struct dyno_clock *clock, dyno_ns deadline)
{
    const struct settling *settling = (const struct settling *)(void *)clock;
    const struct dyno_assembly *assembly = settling->assembly;
    struct dyno_links *links =
        assembly->tiering.live.links ? assembly->tiering.live.links : assembly->halves.live.links;

    if (links) {
        dyno_copier_settle(links);
    }
    return settling->below->ops->wait_until(settling->below, deadline);
}

static const struct dyno_clock_ops settling_ops = {.name = "settling", .wait_until = wait_settled};

/* The device's operations are its own (backends/engine/threaded.c). */
static void forget_costs(struct dyno_device *device)
{
    if (device) {
        ((struct dyno_device_ops *)(uintptr_t)device->ops)->predict = NULL;
    }
}

static dyno_status settle_before(void *context, struct dyno_assembly *assembly,
                                 struct dyno_error *error)
{
    struct settling *settling = context;

    (void)error;
    *settling = (struct settling){
        .base.ops = &settling_ops, .below = assembly->clock, .assembly = assembly};
    assembly->loop_clock = &settling->base;
    forget_costs(assembly->device);
    forget_costs(assembly->halves.device);
    return DYNO_OK;
}

/* ---- what is compared ------------------------------------------------------------------------ */

struct history {
    struct dyno_sink base;
    struct dyno_request_record records[REQUESTS];
    struct dyno_fleet_totals totals;
};

static dyno_status hear(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    ((struct history *)(void *)sink)->records[record->id] = *record;
    return DYNO_OK;
}

static const struct dyno_sink_ops history_ops = {.name = "history", .request = hear};

static void run(struct history *history, const char *how, const char *options)
{
    struct settling settling;
    struct rig rig;
    char line[1024];
    bool is_live = strcmp(how, "live") == 0;

    memset(history, 0, sizeof *history);
    history->base.ops = &history_ops;
    (void)snprintf(line, sizeof line, LOAD "%s %s%s", options,
                   is_live ? "--device cpu --threads 1" : "--machine ",
                   is_live ? "" : machine_path);
    rig_load(&rig, line);
    if (is_live) {
        rig.assembly.put_before = settle_before;
        rig.assembly.before_context = &settling;
    }
    rig_serve(&rig, &history->base);
    ck_assert_uint_eq(rig.assembly.metrics.completed, REQUESTS);
    history->totals = rig.assembly.totals;
    rig_close(&rig);
}

static void expect_same_tier(const struct dyno_tier_totals *live,
                             const struct dyno_tier_totals *simulated)
{
    ck_assert_uint_eq(live->level, simulated->level);
    ck_assert_uint_eq(live->blocks_total, simulated->blocks_total);
    ck_assert_uint_eq(live->hit_blocks, simulated->hit_blocks);
    ck_assert_uint_eq(live->stored_blocks, simulated->stored_blocks);
    ck_assert_uint_eq(live->loaded_blocks, simulated->loaded_blocks);
    ck_assert_uint_eq(live->stores, simulated->stores);
    ck_assert_uint_eq(live->loads, simulated->loads);
    ck_assert_uint_eq(live->skipped_blocks, simulated->skipped_blocks);
    ck_assert_uint_eq(live->declined_blocks, simulated->declined_blocks);
    ck_assert_uint_eq(live->evicted_blocks, simulated->evicted_blocks);
    ck_assert_uint_eq(live->slow_blocks, simulated->slow_blocks);
    ck_assert_uint_eq(live->lost_blocks, simulated->lost_blocks);
    ck_assert_uint_eq(live->blocks_idle, simulated->blocks_idle);
}

static void expect_same(const struct history *live, const struct history *simulated)
{
    const struct dyno_fleet_totals *real = &live->totals, *pretended = &simulated->totals;

    for (uint32_t i = 0; i < REQUESTS; i++) {
        ck_assert_uint_eq(live->records[i].cached_tokens, simulated->records[i].cached_tokens);
        ck_assert_uint_eq(live->records[i].onboarded_tokens,
                          simulated->records[i].onboarded_tokens);
        ck_assert_uint_eq(live->records[i].pulled_tokens, simulated->records[i].pulled_tokens);
        ck_assert_uint_eq(live->records[i].worker, simulated->records[i].worker);
    }
    ck_assert_uint_eq(real->prompt_blocks_hit, pretended->prompt_blocks_hit);
    ck_assert_uint_eq(real->evicted_blocks, pretended->evicted_blocks);
    ck_assert_uint_eq(real->transfers, pretended->transfers);
    ck_assert(real->transfer_bytes == pretended->transfer_bytes);
    ck_assert_uint_eq(real->tier_count, pretended->tier_count);
    for (uint32_t i = 0; i < real->tier_count; i++) {
        expect_same_tier(&real->tiers[i], &pretended->tiers[i]);
    }
    expect_same_tier(&real->peers, &pretended->peers);
}

/* The last tier of each is used. */
static const char *const worlds[] = {
    "--tier g2=16MiB",
    "--tier g2=512KiB --tier g3=16MiB",
    "--tier g3=16MiB",
    "--tier g2=16MiB --set tiers.store=tinylfu",
    "--tier g2=512KiB --set tiers.evict=lfu",
    "--workers 2 --router round_robin --tier g2=16MiB:node",
    "--disagg always --prefill 1 --decode 1 --tier g2=16MiB",
    "--disagg always --prefill 1 --decode 1",
    "--disagg always --prefill 2 --decode 1 --set disagg.style=pull --tier g2=16MiB",
    "--disagg always --prefill 1 --decode 2 --set disagg.style=both --set disagg.deadline=1min",
    "--disagg always --prefill 2 --decode 1 --set disagg.transfer=layers --tier g2=16MiB",
    "--workers 3 --disagg always --prefill 1 --decode 1 --planner static --tier g2=16MiB",
    "--workers 2 --router round_robin --peers",
    "--workers 3 --router random --peers",
    "--disagg always --prefill 2 --decode 2 --router round_robin --peers",
};

enum { WORLDS = sizeof worlds / sizeof worlds[0] };

START_TEST(what_is_moved_is_what_is_simulated_to_the_block)
{
    static struct history live, simulated;

    run(&live, "live", worlds[_i]);
    run(&simulated, "simulated", worlds[_i]);
    expect_same(&live, &simulated);
    ck_assert_uint_gt(live.totals.transfers, 0);
    if (live.totals.tier_count > 0) {
        ck_assert_uint_gt(live.totals.tiers[live.totals.tier_count - 1].hit_blocks, 0);
    }
    if (strstr(worlds[_i], "--peers")) {
        ck_assert_uint_gt(live.totals.peers.hit_blocks, 0);
    }
}
END_TEST

/* What has to be there at once never is: all of it is asked for, given up, and computed. */
START_TEST(what_does_not_come_in_time_is_computed)
{
    static const char options[] =
        "--workers 2 --router round_robin --peers --set tiers.peer_deadline=1ns";
    static struct history live, simulated;

    run(&live, "live", options);
    run(&simulated, "simulated", options);
    expect_same(&live, &simulated);
    ck_assert_uint_eq(live.totals.peers.hit_blocks, 0);
    ck_assert_uint_gt(live.totals.peers.lost_blocks, 0);
}
END_TEST

static void run_with_file(struct history *history)
{
    char options[256];

    (void)snprintf(options, sizeof options, "--tier g3=16MiB --tier-file %s", kv_path);
    run(history, "live", options);
}

/* Slots of some 4 KiB pages each: whatever block is in one has other bytes now. */
static void write_over(uint32_t slots)
{
    static const char words[] = "written over";
    FILE *file = fopen(kv_path, "r+b");
    long size;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    for (uint32_t i = 0; i < slots; i++) {
        long at = HEAD_BYTES + (long)i * SLOT_BYTES + SLOT_BYTES / 2;

        ck_assert_int_lt(at, size);
        ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(words, sizeof words, 1, file), 1);
    }
    ck_assert_int_eq(fclose(file), 0);
}

/* What one run stored the next one finds; what was written over is lost, and computed again. */
START_TEST(a_file_outlives_the_run_and_its_errors_are_seen)
{
    static struct history first, second, third;

    run_with_file(&first);
    ck_assert_uint_gt(first.totals.tiers[0].stored_blocks, 0);
    run_with_file(&second);
    ck_assert_uint_gt(second.totals.tiers[0].hit_blocks, first.totals.tiers[0].hit_blocks);
    ck_assert_uint_lt(second.totals.tiers[0].stored_blocks, first.totals.tiers[0].stored_blocks);
    ck_assert_uint_eq(second.totals.tiers[0].lost_blocks, 0);
    write_over((uint32_t)first.totals.tiers[0].stored_blocks);
    run_with_file(&third);
    ck_assert_uint_gt(third.totals.tiers[0].lost_blocks, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live simulated");

    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, what_is_moved_is_what_is_simulated_to_the_block, 0, WORLDS);
    tcase_add_test(cases, what_does_not_come_in_time_is_computed);
    tcase_add_test(cases, a_file_outlives_the_run_and_its_errors_are_seen);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_simulated", add_cases)
