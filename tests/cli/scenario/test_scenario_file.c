/* Scenario files: what is read, and where in the file a mistake is. */
#include "cli/scenario/file.h"

#include <stdlib.h>
#include <string.h>

#include "cli/scenario/scenario.h"
#include "tests/check_main.h"

struct fixture {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_error error;
};

static struct fixture fixture;

static void open_fixture(void)
{
    ck_assert_int_eq(dyno_options_open(&fixture.options, dyno_scenario_rows,
                                       dyno_scenario_row_count, &fixture.scenario, &fixture.error),
                     DYNO_OK);
}

static void close_fixture(void)
{
    dyno_options_close(&fixture.options);
}

static dyno_status read_text(const char *text)
{
    return dyno_scenario_text_read(&fixture.options, "s.yaml", text, strlen(text), &fixture.error);
}

static void expect_read(const char *text)
{
    ck_assert_msg(read_text(text) == DYNO_OK, "%s: %s", text, fixture.error.text);
}

static void expect_refused(const char *text, const char *sentence)
{
    ck_assert_msg(read_text(text) == DYNO_BAD_INPUT, "taken: %s", text);
    ck_assert_str_eq(fixture.error.text, sentence);
}

START_TEST(sections_may_be_written_in_every_way_of_yaml)
{
    expect_read("router: {policy: kv, kv: {overlap_credit: 0.5}}");
    ck_assert_str_eq(fixture.scenario.router.policy, "kv");
    ck_assert(fixture.scenario.router.overlap_credit == 0.5);
    expect_read("%YAML 1.1\n---\n# a comment\nfleet:\n    workers: 8   # eight\n    gpu: \"h200\"\n"
                "slo:\n  ttft: '2s'\n...\n");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 8);
    ck_assert_str_eq(fixture.scenario.fleet.gpu, "h200");
    ck_assert_uint_eq(fixture.scenario.slo.ttft_ns, 2 * DYNO_S);
    expect_read("router.kv.overlap_credit: 2\nrouter:\n  kv.overlap_decay: 3\n");
    ck_assert(fixture.scenario.router.overlap_credit == 2);
    ck_assert(fixture.scenario.router.overlap_decay == 3);
    expect_read("fleet: {workers: 9}\r\nrun: {seed: 2}\r\n");
    ck_assert_uint_eq(fixture.scenario.run.seed, 2);
}
END_TEST

START_TEST(a_list_is_a_text_with_commas_where_an_option_has_several)
{
    expect_read("fleet: {endpoints: [http://a:1, 'http://b:2']}");
    ck_assert_str_eq(fixture.scenario.fleet.endpoints, "http://a:1,http://b:2");
    expect_read("fleet:\n  endpoints:\n  - http://a:1\n");
    ck_assert_str_eq(fixture.scenario.fleet.endpoints, "http://a:1");
    expect_read("fleet: {endpoints: 'http://a:1,http://b:2'}");
    ck_assert_str_eq(fixture.scenario.fleet.endpoints, "http://a:1,http://b:2");
    expect_refused("fleet: {endpoints: [a, [b]]}",
                   "s.yaml:1:24: fleet.endpoints: each of the list is a text");
    expect_refused("fleet: {endpoints: [a, ]\n", "s.yaml:2:1: not YAML: did not find expected ',' "
                                                 "or '}'");
    expect_refused("fleet: {endpoints: &x [a]}",
                   "s.yaml:1:20: anchors are not supported; write the value out");
    ck_assert_int_eq(read_text("fleet: {endpoints: []}"), DYNO_BAD_INPUT);
    ck_assert_int_eq(read_text("fleet: {workers: [1]}"), DYNO_BAD_INPUT);
}
END_TEST

START_TEST(an_empty_file_is_all_defaults)
{
    expect_read("");
    expect_read("# nothing but a comment\n\n");
    expect_read("{}");
    ck_assert_uint_eq(fixture.scenario.fleet.workers, 1);
}
END_TEST

START_TEST(a_wrong_value_is_named_with_line_and_column)
{
    expect_refused("fleet:\n  workers: 0\n",
                   "s.yaml:2:12: fleet.workers: '0' is not a whole number from 1 to 1000000");
    expect_refused("slo: {ttft: 2}",
                   "s.yaml:1:13: slo.ttft: '2' has no unit: give a duration from 1ns to 8760h "
                   "(units: ns, us, ms, s, min, h), or 'none'");
    expect_refused("kv:\n  prefix_cache: maybe\n",
                   "s.yaml:2:17: kv.prefix_cache: 'maybe' is not true or false");
    expect_refused("router:\n\n    policy:   kvv # oops\n",
                   "s.yaml:3:15: router.policy: 'kvv' is not one of round_robin, random, "
                   "least_loaded, power_of_two, session, kv, kv_approx, lmetric, plugin; did you "
                   "mean 'kv'?");
}
END_TEST

START_TEST(an_unknown_key_suggests_the_nearest)
{
    expect_refused("fleet:\n  wrokers: 8\n",
                   "s.yaml:2:3: unknown key 'fleet.wrokers'; did you mean 'fleet.workers'?");
    expect_refused("flete:\n  workers: 8\n",
                   "s.yaml:1:1: unknown key 'flete'; did you mean 'fleet'?");
    expect_refused("router: {vk: {overlap_credit: 1}}",
                   "s.yaml:1:10: unknown key 'router.vk'; did you mean 'router.kv'?");
    expect_refused("run: {workers: 8}",
                   "s.yaml:1:7: unknown key 'run.workers'; did you mean 'fleet.workers'?");
    expect_refused("something: 1", "s.yaml:1:1: unknown key 'something'; 'dyno help scenario' "
                                   "lists them");
    expect_refused("workers: 8", "s.yaml:1:1: unknown key 'workers'; did you mean "
                                 "'fleet.workers'?");
    expect_refused("fleet: {'': 8}", "s.yaml:1:9: unknown key 'fleet.'; did you mean 'fleet.tp'?");
}
END_TEST

START_TEST(a_key_given_twice_is_refused_with_both_places)
{
    expect_refused("fleet:\n  workers: 8\n  workers: 9\n",
                   "s.yaml:3:3: key 'fleet.workers' stands here again; it was given in line 2");
    expect_refused("fleet: {workers: 8}\nfleet: {tp: 2}\n",
                   "s.yaml:2:1: key 'fleet' stands here again; it was given in line 1");
    expect_refused("fleet.workers: 8\nfleet: {workers: 8}\n",
                   "s.yaml:2:9: key 'fleet.workers' stands here again; it was given in line 1");
}
END_TEST

START_TEST(a_value_of_the_wrong_kind_says_what_is_right)
{
    expect_refused("router: {kv: {}}\n", "s.yaml:1:15: router.kv has no keys: give some, as in "
                                         "'{overlap_credit: 1}'");
    expect_refused("fleet: 8\n", "s.yaml:1:8: fleet is a section: give keys with values, as in "
                                 "'fleet: {gpu: h100}'");
    expect_refused("fleet: [workers]\n", "s.yaml:1:8: fleet is a section: give keys with values, "
                                         "as in 'fleet: {gpu: h100}'");
    expect_refused("fleet:\n  workers: [8]\n", "s.yaml:2:12: fleet.workers is a value, not a list: "
                                               "give a whole number from 1 to 1000000");
    expect_refused("fleet:\n  workers:\n    count: 8\n",
                   "s.yaml:3:5: fleet.workers is a value, not a section: give a whole number from "
                   "1 to 1000000");
    expect_refused("fleet:\n  workers:\n  tp: 2\n",
                   "s.yaml:2:11: fleet.workers has no value; leave the key out for the default, "
                   "'1'");
    expect_refused("fleet: {workers: ~}", "s.yaml:1:18: fleet.workers has no value; leave the key "
                                          "out for the default, '1'");
    expect_refused("[fleet]", "s.yaml:1:1: a scenario is a mapping of sections, as in 'fleet: "
                              "{workers: 8}'");
    expect_refused("fleet", "s.yaml:1:1: a scenario is a mapping of sections, as in 'fleet: "
                            "{workers: 8}'");
    expect_refused("? [fleet]\n: 8\n", "s.yaml:1:3: a key is a word, not a list or a mapping");
}
END_TEST

START_TEST(what_yaml_has_beyond_values_is_refused)
{
    expect_refused("fleet: &f {workers: 8}\n",
                   "s.yaml:1:8: anchors are not supported; write the value out");
    expect_refused("fleet: {workers: *n}\n",
                   "s.yaml:1:18: aliases are not supported; write the value out");
    expect_refused("fleet: {workers: !!int 8}\n",
                   "s.yaml:1:18: tags are not supported; the option knows its own type");
    expect_refused("fleet: {workers: 8}\n---\nfleet: {workers: 9}\n",
                   "s.yaml:2:1: a second document begins; a scenario file holds one");
    expect_refused("router: {args: \"a\\0b\"}\n",
                   "s.yaml:1:16: router.args: the value has a zero byte in it");
}
END_TEST

START_TEST(what_is_not_yaml_is_named_with_line_and_column)
{
    expect_refused("fleet:\n\tworkers: 8\n",
                   "s.yaml:2:1: not YAML: found character that cannot start any token");
    expect_refused("fleet: {workers: 8\n",
                   "s.yaml:2:1: not YAML: did not find expected ',' or '}'");
    expect_refused("fleet: \"h\n", "s.yaml:2:1: not YAML: found unexpected end of stream");
    expect_refused("a: \xff\n", "s.yaml: byte 4: not YAML: invalid leading UTF-8 octet");
    expect_refused("a: \x01\n", "s.yaml: byte 4: not YAML: control characters are not allowed");
}
END_TEST

START_TEST(depth_is_bounded)
{
    char *deep = malloc(100001);

    memset(deep, '[', 100000);
    deep[100000] = '\0';
    expect_refused(deep, "s.yaml:1:1: a scenario is a mapping of sections, as in 'fleet: {workers: "
                         "8}'");
    memset(deep, '{', 100000);
    expect_refused(deep, "s.yaml:1:2: a key is a word, not a list or a mapping");
    free(deep);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *file = tcase_create("file");

    tcase_add_checked_fixture(file, open_fixture, close_fixture);
    tcase_add_test(file, sections_may_be_written_in_every_way_of_yaml);
    tcase_add_test(file, an_empty_file_is_all_defaults);
    tcase_add_test(file, a_list_is_a_text_with_commas_where_an_option_has_several);
    tcase_add_test(file, a_wrong_value_is_named_with_line_and_column);
    tcase_add_test(file, an_unknown_key_suggests_the_nearest);
    tcase_add_test(file, a_key_given_twice_is_refused_with_both_places);
    tcase_add_test(file, a_value_of_the_wrong_kind_says_what_is_right);
    tcase_add_test(file, what_yaml_has_beyond_values_is_refused);
    tcase_add_test(file, what_is_not_yaml_is_named_with_line_and_column);
    tcase_add_test(file, depth_is_bounded);
    suite_add_tcase(suite, file);
}

DYNO_CHECK_MAIN("scenario file", add_cases)
