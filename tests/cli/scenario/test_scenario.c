/* Scenarios: layers, what follows from them, contradictions, and that what is printed reads back.
 */
#include "cli/scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/scenario/settle.h"
#include "core/worker/config.h"
#include "tests/check_main.h"

enum { ARGUMENTS_MAX = 40 };

struct fixture {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_error error;
    enum dyno_scenario_ask ask;
    char file[64]; /* a scenario file of the test's own, or empty */
};

static struct fixture fixture;

static void open_fixture(void)
{
    memset(&fixture, 0, sizeof(fixture));
}

static void close_fixture(void)
{
    dyno_options_close(&fixture.options);
    if (fixture.file[0]) {
        unlink(fixture.file);
    }
}

/* Load a command line given as words parted by one space; "@" stands for the test's file. */
static dyno_status load(const char *line)
{
    char words[1024], *argv[ARGUMENTS_MAX] = {"replay"}, *rest = words;
    int argc = 1;

    dyno_options_close(&fixture.options);
    snprintf(words, sizeof(words), "%s", line);
    while (*line && rest) {
        argv[argc] = strsep(&rest, " ");
        if (strcmp(argv[argc], "@") == 0) {
            argv[argc] = fixture.file;
        }
        argc++;
    }
    return dyno_scenario_load(&fixture.scenario, &fixture.options, argc, argv, &fixture.ask,
                              &fixture.error);
}

static void expect_loaded(const char *line)
{
    ck_assert_msg(load(line) == DYNO_OK, "%s: %s", line, fixture.error.text);
}

static void expect_refused(const char *line, const char *sentence)
{
    ck_assert_msg(load(line) == DYNO_BAD_INPUT, "%s: taken", line);
    ck_assert_str_eq(fixture.error.text, sentence);
    ck_assert_ptr_null(fixture.options.states);
}

static void write_file(const char *text)
{
    FILE *file;
    int descriptor;

    snprintf(fixture.file, sizeof(fixture.file), "dyno-test-XXXXXX");
    descriptor = mkstemp(fixture.file);
    ck_assert_int_ge(descriptor, 0);
    file = fdopen(descriptor, "w");
    fputs(text, file);
    fclose(file);
}

static const char *origin_of(const char *name, char out[128])
{
    const struct dyno_option *row = dyno_options_find(&fixture.options, name);

    ck_assert_msg(row != NULL, "no option %s", name);
    dyno_option_origin_words(dyno_options_origin(&fixture.options, row), out, 128);
    return out;
}

static const char *value_of(const char *name)
{
    static char text[DYNO_OPTION_TEXT_MAX];

    return dyno_options_print(&fixture.options, dyno_options_find(&fixture.options, name), text);
}

START_TEST(the_command_lines_of_the_readme_load)
{
    expect_loaded("--trace t.jsonl --format mooncake --model llama-3.1-8b --gpu h100 --workers 8 "
                  "--router kv --json out.json");
    ck_assert_str_eq(fixture.scenario.trace.path, "t.jsonl");
    ck_assert_str_eq(fixture.scenario.router.policy, "kv");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 8);
    ck_assert_uint_eq(fixture.scenario.kv.block_tokens, 16);
    ck_assert_uint_eq(fixture.scenario.router.session_replicas, 64);
    ck_assert(fixture.scenario.router.overlap_credit == 1);
    ck_assert_uint_eq(fixture.scenario.router.guess_ttl_ns, 120 * DYNO_S);
    ck_assert_uint_eq(fixture.scenario.router.guess_blocks_max, 1 << 20);

    expect_loaded("--arrival concurrency:64 --input-tokens 1024 --output-tokens 512 --requests 640 "
                  "--model qwen3-32b --gpu h100 --tp 2 --engine vllm --json -");
    ck_assert_str_eq(fixture.scenario.generate.arrival, "concurrency:64");
    ck_assert_uint_eq(fixture.scenario.trace.requests, 640);
    ck_assert_str_eq(fixture.scenario.output.json, "-");
    ck_assert_uint_eq(fixture.scenario.trace.concurrency, 0);

    expect_loaded("--arrival poisson:2000 --duration 60s --slo ttft=2s,tpot=50ms --block-size 16 "
                  "--num-gpu-blocks-override 2588 --max-num-batched-tokens 2048 --max-num-seqs 256 "
                  "--gpu-memory-utilization 0.9 --seed 7 --set batch.steps_max=1 "
                  "--set model.weights=fp8 --set kv.prefix_cache=false");
    ck_assert_uint_eq(fixture.scenario.slo.ttft_ns, 2 * DYNO_S);
    ck_assert_uint_eq(fixture.scenario.slo.tpot_ns, 50 * DYNO_MS);
    ck_assert_uint_eq(fixture.scenario.kv.blocks, 2588);
    ck_assert_uint_eq(fixture.scenario.batch.batch_tokens_max, 2048);
    ck_assert_uint_eq(fixture.scenario.batch.steps_max, 1);
    ck_assert_str_eq(fixture.scenario.model.weights, "fp8");
    ck_assert(!fixture.scenario.kv.prefix_cache);
    ck_assert_uint_eq(fixture.scenario.run.seed, 7);
}
END_TEST

START_TEST(the_command_line_goes_over_the_file_and_the_file_over_the_defaults)
{
    char words[128], expected[160];

    write_file("fleet:\n  workers: 4\n  tp: 2\n  gpu: h200\n");
    expect_loaded("--workers 6 @ --set fleet.tp=8 --trace t");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 6);
    ck_assert_uint_eq(fixture.scenario.fleet.tp, 8);
    ck_assert_str_eq(fixture.scenario.fleet.gpu, "h200");
    ck_assert_str_eq(fixture.scenario.model.name, "llama-3.1-8b");
    ck_assert_str_eq(origin_of("fleet.workers", words), "--workers");
    ck_assert_str_eq(origin_of("fleet.tp", words), "--set");
    snprintf(expected, sizeof(expected), "%s:4", fixture.file);
    ck_assert_str_eq(origin_of("fleet.gpu", words), expected);
    ck_assert_str_eq(origin_of("model.name", words), "default");
}
END_TEST

START_TEST(of_two_on_the_command_line_the_later_wins)
{
    expect_loaded("--trace t --workers 2 --set fleet.workers=3");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 3);
    expect_loaded("--trace t --set fleet.workers=3 --workers 2");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 2);
    expect_loaded("--trace t --workers 2 --workers=5");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 5);
    expect_loaded("--trace t --decisions --no-decisions");
    ck_assert(!fixture.scenario.output.decisions);
    expect_loaded("--trace t --no-decisions --decisions=yes");
    ck_assert(fixture.scenario.output.decisions);
}
END_TEST

START_TEST(what_is_left_to_the_engine_takes_its_profile)
{
    for (const struct dyno_engine_profile *row = dyno_engine_table; row->name; row++) {
        char line[128], words[128], expected[128];

        snprintf(line, sizeof(line), "--trace t --max-num-seqs 33 --engine %s", row->name);
        expect_loaded(line);
        ck_assert_uint_eq(fixture.scenario.batch.seqs_max, 33);
        ck_assert_uint_eq(fixture.scenario.batch.batch_tokens_max, row->config.batch_tokens_max);
        ck_assert_uint_eq(fixture.scenario.kv.block_tokens, row->config.block_tokens);
        ck_assert(fixture.scenario.batch.watermark == row->config.watermark);
        ck_assert(fixture.scenario.batch.new_token_ratio == row->config.new_token_ratio);
        ck_assert_str_eq(fixture.scenario.batch.chunked_prefill,
                         row->config.chunked_prefill ? "true" : "false");
        ck_assert_str_eq(fixture.scenario.batch.admission,
                         dyno_admission_word(row->config.admission));
        ck_assert_str_eq(fixture.scenario.batch.queue_order,
                         row->config.queue_order == DYNO_QUEUE_LPM ? "lpm" : "fcfs");
        ck_assert_str_eq(fixture.scenario.kv.hit_when,
                         row->config.hit_when_scheduled ? "scheduled" : "completed");
        snprintf(expected, sizeof(expected), "engine profile %s", row->name);
        ck_assert_str_eq(origin_of("kv.block_tokens", words), expected);
        ck_assert_str_eq(origin_of("batch.seqs_max", words), "--max-num-seqs");
    }
}
END_TEST

START_TEST(a_closed_loop_over_a_trace_may_be_said_either_way)
{
    char words[128];

    expect_loaded("--trace t --arrival concurrency:64");
    ck_assert_uint_eq(fixture.scenario.trace.concurrency, 64);
    ck_assert_ptr_null(fixture.scenario.generate.arrival);
    ck_assert_str_eq(origin_of("trace.concurrency", words), "--arrival");
    expect_loaded("--trace t --concurrency 64");
    ck_assert_uint_eq(fixture.scenario.trace.concurrency, 64);
    expect_loaded("--trace t --concurrency 64 --arrival concurrency:64");
    expect_refused("--trace t --concurrency 64 --arrival concurrency:32",
                   "--arrival and --concurrency contradict each other: both say how many requests "
                   "are in flight");
    expect_refused("--trace t --arrival concurrency:0",
                   "--arrival: 'concurrency:0' is not concurrency:N with a whole N from 1 to "
                   "10000000");
    write_file("trace: {concurrency: 64}\n");
    expect_loaded("@ --trace t --arrival concurrency:32");
    ck_assert_uint_eq(fixture.scenario.trace.concurrency, 32);
}
END_TEST

START_TEST(a_plugin_takes_the_place_of_a_policy)
{
    expect_loaded("--trace t --policy ./x.so");
    ck_assert_str_eq(fixture.scenario.router.policy, "plugin");
    ck_assert_str_eq(fixture.scenario.router.plugin, "./x.so");
    expect_refused("--trace t --policy ./x.so --router kv",
                   "--router and --policy contradict each other: a policy is built in or a shared "
                   "object");
    expect_refused("--trace t --router plugin",
                   "--router: the policy 'plugin' needs a shared object: give --policy FILE");
    write_file("router: {policy: plugin, plugin: ./x.so}\n");
    expect_loaded("--trace t @");
    ck_assert_str_eq(fixture.scenario.router.plugin, "./x.so");
    expect_loaded("--trace t @ --router kv");
    ck_assert_str_eq(fixture.scenario.router.policy, "kv");
    ck_assert_ptr_null(fixture.scenario.router.plugin);
}
END_TEST

START_TEST(a_policy_in_a_file_gives_way_to_a_plugin_on_the_command_line)
{
    write_file("router: {policy: kv}\n");
    expect_loaded("--trace t @ --policy ./x.so");
    ck_assert_str_eq(fixture.scenario.router.policy, "plugin");
}
END_TEST

START_TEST(contradictions_name_both_sides)
{
    expect_refused("", "nothing to replay: give --trace FILE, or --arrival LAW (poisson:20 or "
                       "concurrency:64, say) to generate requests");
    expect_refused("--trace t --arrival poisson:20",
                   "--trace and --arrival contradict each other: a trace has its own arrivals; "
                   "beside it only concurrency:N, a closed loop, may be given");
    expect_refused("--trace t --set generate.session_turns=3",
                   "--set generate.session_turns has no meaning beside --trace");
    expect_refused("--arrival poisson:20",
                   "the generator has no end: give --requests N or --duration TIME");
    expect_refused("--arrival poisson:20 --requests 9 --format azure",
                   "--format has no meaning beside --arrival");
    expect_refused("--arrival poisson:20 --requests 9 --concurrency 4",
                   "--concurrency has no meaning beside --arrival");
    expect_refused("--trace t --concurrency 4 --speedup 2",
                   "--concurrency and --speedup contradict each other: a closed loop does not "
                   "follow timestamps");
    expect_refused("--arrival concurrency:4 --requests 9 --max-concurrency 2",
                   "--arrival and --max-concurrency contradict each other: a closed loop always "
                   "has as many in flight");
    expect_refused("--trace t --json t", "--trace and --json name the same file");
    expect_refused("--trace t --json - --host-json -", "--json and --host-json name the same file");
    expect_refused("--trace - -",
                   "the scenario and the trace cannot both come from standard input");
    expect_loaded("--trace - --json -");
}
END_TEST

START_TEST(a_wrong_command_line_is_refused_in_one_sentence)
{
    expect_refused("--wrokers 3", "unknown option '--wrokers'; did you mean '--workers'?");
    expect_refused("-workers 3", "unknown option '-workers'; did you mean '--workers'?");
    expect_refused("--", "unknown option '--'; 'dyno replay --help' lists them");
    expect_refused("--xyzzy", "unknown option '--xyzzy'; 'dyno replay --help' lists them");
    expect_refused("--kv.blocks=3", "unknown option '--kv.blocks=3'; did you mean "
                                    "'--set kv.blocks=N'?");
    expect_refused("--workers", "--workers needs a value: a whole number from 1 to 1000000");
    expect_refused("--trace --workers 3", "--trace needs a value: FILE");
    expect_refused("--slo", "--slo needs a value: ttft=TIME,tpot=TIME,...");
    expect_refused("--help=1", "--help takes no value");
    expect_refused("--no-decisions=1", "--no-decisions=1 takes no value");
    expect_refused("--workers 0", "--workers: '0' is not a whole number from 1 to 1000000");
    expect_refused("--set kv.bloks=3", "--set: unknown option 'kv.bloks'; did you mean "
                                       "'kv.blocks'?");
    expect_refused("--set router.ttl=3s", "--set: unknown option 'router.ttl'; did you mean "
                                          "'router.approx.ttl'?");
    expect_refused("--set kv.blocks",
                   "--set: 'kv.blocks' is not NAME=VALUE, such as kv.block_tokens=16");
    expect_refused("--set kv.blocks=x",
                   "--set kv.blocks: 'x' is not a whole number from 1 to 4294967294, or 'auto'");
    expect_refused("--slo ttft=2",
                   "--slo ttft: '2' has no unit: give a duration from 1ns to 8760h (units: ns, us, "
                   "ms, s, min, h), or 'none'");
    expect_refused("--slo tftt=2s",
                   "--slo: 'tftt' is not one of ttft, tpot, itl, e2e; did you mean 'ttft'?");
    expect_refused("--slo ttft=2s,", "--slo: '' is not KEY=TIME, such as ttft=2s,tpot=50ms");
    expect_refused("a.yaml b.yaml", "one scenario file at most: 'b.yaml' comes after 'a.yaml'");
    expect_refused("t.jsonl", "'t.jsonl' looks like a trace, not a scenario file; give it as "
                              "--trace t.jsonl");
}
END_TEST

START_TEST(a_file_that_does_not_exist_is_named)
{
    ck_assert_int_eq(load("no-such-file.yaml"), DYNO_NOT_FOUND);
    ck_assert_str_eq(fixture.error.text, "no-such-file.yaml: the scenario file cannot be opened: "
                                         "No such file or directory");
}
END_TEST

START_TEST(help_and_print_need_nothing_to_replay)
{
    expect_loaded("--help");
    ck_assert_int_eq(fixture.ask, DYNO_ASK_HELP);
    expect_loaded("-h --print-scenario");
    ck_assert_int_eq(fixture.ask, DYNO_ASK_HELP);
    expect_loaded("--print-scenario");
    ck_assert_int_eq(fixture.ask, DYNO_ASK_PRINT);
    expect_loaded("--trace t");
    ck_assert_int_eq(fixture.ask, DYNO_ASK_RUN);
}
END_TEST

START_TEST(settling_twice_changes_nothing)
{
    static const char *const lines[] = {"--trace t --arrival concurrency:64 --policy ./x.so",
                                        "--arrival poisson:20 --requests 9 --engine sglang"};
    char one[DYNO_OPTION_TEXT_MAX];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *before = NULL, *after = NULL;
        size_t size;
        FILE *stream = open_memstream(&before, &size);

        expect_loaded(lines[i]);
        dyno_scenario_print(&fixture.options, stream);
        fclose(stream);
        ck_assert_int_eq(dyno_scenario_settle(&fixture.scenario, &fixture.options, &fixture.error),
                         DYNO_OK);
        stream = open_memstream(&after, &size);
        dyno_scenario_print(&fixture.options, stream);
        fclose(stream);
        ck_assert_str_eq(before, after);
        free(before);
        free(after);
    }
    snprintf(one, sizeof(one), "%s", value_of("engine.profile"));
    ck_assert_str_eq(one, "sglang");
}
END_TEST

START_TEST(the_database_gets_every_option_with_its_origin)
{
    struct dyno_run_option_row *rows;

    expect_loaded("--trace t --slo ttft=2s");
    rows = dyno_scenario_option_rows(&fixture.options);
    ck_assert_ptr_nonnull(rows);
    for (uint32_t i = 0; i < fixture.options.count; i++) {
        ck_assert_str_eq(rows[i].name, dyno_scenario_rows[i].name);
        ck_assert_str_eq(rows[i].value, value_of(rows[i].name));
        if (strcmp(rows[i].name, "slo.ttft") == 0) {
            ck_assert_str_eq(rows[i].value, "2s");
            ck_assert_str_eq(rows[i].origin, "--slo ttft");
        }
    }
    dyno_scenario_option_rows_free(rows, fixture.options.count);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *layers = tcase_create("layers");

    tcase_add_checked_fixture(layers, open_fixture, close_fixture);
    tcase_add_test(layers, the_command_lines_of_the_readme_load);
    tcase_add_test(layers, the_command_line_goes_over_the_file_and_the_file_over_the_defaults);
    tcase_add_test(layers, of_two_on_the_command_line_the_later_wins);
    tcase_add_test(layers, what_is_left_to_the_engine_takes_its_profile);
    tcase_add_test(layers, a_closed_loop_over_a_trace_may_be_said_either_way);
    tcase_add_test(layers, a_plugin_takes_the_place_of_a_policy);
    tcase_add_test(layers, a_policy_in_a_file_gives_way_to_a_plugin_on_the_command_line);
    tcase_add_test(layers, contradictions_name_both_sides);
    tcase_add_test(layers, a_wrong_command_line_is_refused_in_one_sentence);
    tcase_add_test(layers, a_file_that_does_not_exist_is_named);
    tcase_add_test(layers, help_and_print_need_nothing_to_replay);
    tcase_add_test(layers, settling_twice_changes_nothing);
    tcase_add_test(layers, the_database_gets_every_option_with_its_origin);
    suite_add_tcase(suite, layers);
}

DYNO_CHECK_MAIN("scenario", add_cases)
