/* Options: every type is read, refused and printed by its row alone. */
#include "core/base/options.h"

#include <string.h>

#include "core/base/time.h"
#include "tests/check_main.h"

struct things {
    bool flag;
    uint32_t small;
    uint64_t large;
    double real;
    dyno_ns time;
    uint64_t room;
    const char *text;
    const char *maybe;
    const char *choice;
    uint32_t profile;
    double share;
    dyno_ns limit;
    const char *table;
};

static const char *const choices[] = {"virtual", "wall", NULL};

static const char *from_table(uint32_t index)
{
    static const char *const words[] = {"kv", "random"};

    return index < 2 ? words[index] : NULL;
}

#define AT(field) offsetof(struct things, field)

static const struct dyno_option rows[] = {
    {"a.flag", "flag", NULL, "help", "false", NULL, DYNO_OPTION_BOOL, AT(flag), 0, 0, 0, 0, false,
     NULL, NULL, NULL},
    {"a.small", "small", "N", "help", "3", NULL, DYNO_OPTION_U32, AT(small), 1, 64, 0, 0, false,
     NULL, NULL, NULL},
    {"a.large", NULL, "N", "help", "0", NULL, DYNO_OPTION_U64, AT(large), 0, UINT64_MAX, 0, 0,
     false, NULL, NULL, NULL},
    {"a.real", NULL, "X", "help", "0.5", NULL, DYNO_OPTION_DOUBLE, AT(real), 0, 0, 0.25, 1, false,
     NULL, NULL, NULL},
    {"a.time", NULL, "TIME", "help", "1s", NULL, DYNO_OPTION_DURATION, AT(time), DYNO_MS,
     3600 * DYNO_S, 0, 0, false, NULL, NULL, NULL},
    {"a.room", NULL, "BYTES", "help", "1MiB", NULL, DYNO_OPTION_BYTES, AT(room), 1,
     UINT64_C(1) << 40, 0, 0, false, NULL, NULL, NULL},
    {"b.text", "text", "TEXT", "help", "one", NULL, DYNO_OPTION_TEXT, AT(text), 1, 0, 0, 0, false,
     NULL, NULL, NULL},
    {"b.maybe", NULL, "TEXT", "help", "none", "none", DYNO_OPTION_TEXT, AT(maybe), 1, 0, 0, 0,
     false, NULL, NULL, NULL},
    {"b.choice", NULL, "WORD", "help", "virtual", NULL, DYNO_OPTION_CHOICE, AT(choice), 0, 0, 0, 0,
     false, choices, NULL, NULL},
    {"b.profile", NULL, "N", "help", "profile", "profile", DYNO_OPTION_U32, AT(profile), 1, 64, 0,
     0, false, NULL, NULL, NULL},
    {"b.share", NULL, "X", "help", "auto", "auto", DYNO_OPTION_DOUBLE, AT(share), 0, 0, 0, 1, false,
     NULL, NULL, NULL},
    {"b.limit", NULL, "TIME", "help", "never", "never", DYNO_OPTION_DURATION, AT(limit), DYNO_MS,
     DYNO_S, 0, 0, false, NULL, NULL, NULL},
    {"b.table", NULL, "WORD", "help", "kv", NULL, DYNO_OPTION_CHOICE, AT(table), 0, 0, 0, 0, false,
     NULL, from_table, "else.where"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

struct fixture {
    struct things things;
    struct dyno_options options;
    struct dyno_error error;
};

static struct fixture fixture;

static void open_fixture(void)
{
    memset(&fixture, 0, sizeof(fixture));
    ck_assert_int_eq(
        dyno_options_open(&fixture.options, rows, ROWS, &fixture.things, &fixture.error), DYNO_OK);
}

static void close_fixture(void)
{
    dyno_options_close(&fixture.options);
    dyno_options_close(&fixture.options); /* a second time has no effect */
}

static dyno_status set(const char *name, const char *text)
{
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_SET};
    const struct dyno_option *row = dyno_options_find(&fixture.options, name);

    ck_assert_msg(row != NULL, "no option %s", name);
    return dyno_options_set(&fixture.options, row, text, &origin, &fixture.error);
}

static void expect_refusal(const char *name, const char *text, const char *sentence)
{
    ck_assert_msg(set(name, text) == DYNO_BAD_INPUT, "%s took '%s'", name, text);
    ck_assert_str_eq(fixture.error.text, sentence);
}

START_TEST(every_default_is_what_its_row_says)
{
    const struct things *things = &fixture.things;

    ck_assert(!things->flag);
    ck_assert_uint_eq(things->small, 3);
    ck_assert_uint_eq(things->large, 0);
    ck_assert(things->real == 0.5);
    ck_assert_uint_eq(things->time, DYNO_S);
    ck_assert_uint_eq(things->room, 1 << 20);
    ck_assert_str_eq(things->text, "one");
    ck_assert_ptr_null(things->maybe);
    ck_assert_str_eq(things->choice, "virtual");
    ck_assert_uint_eq(things->profile, 0);
    ck_assert(things->share == -1);
    ck_assert_uint_eq(things->limit, 0);
    ck_assert_str_eq(things->table, "kv");
    for (uint32_t i = 0; i < ROWS; i++) {
        ck_assert(dyno_options_is_initial(&fixture.options, &rows[i]));
        ck_assert_int_eq(dyno_options_origin(&fixture.options, &rows[i])->source,
                         DYNO_SOURCE_DEFAULT);
    }
}
END_TEST

START_TEST(a_default_its_own_row_refuses_does_not_open)
{
    struct dyno_option bad = rows[1];
    struct dyno_options options;
    struct things things;
    struct dyno_error error;

    bad.initial = "65";
    ck_assert_int_eq(dyno_options_open(&options, &bad, 1, &things, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "a.small: '65' is not a whole number from 1 to 64");
    ck_assert_ptr_null(options.states);
}
END_TEST

START_TEST(what_is_printed_is_what_is_read)
{
    static const struct {
        const char *name, *given, *printed;
    } values[] = {
        {"a.flag", "yes", "true"},
        {"a.flag", "off", "false"},
        {"a.small", "64", "64"},
        {"a.large", "18446744073709551615", "18446744073709551615"},
        {"a.real", "1e0", "1"},
        {"a.real", "0.3333333333333333", "0.3333333333333333"},
        {"a.time", "0.25s", "250ms"},
        {"a.time", "60min", "1h"},
        {"a.room", "1.5GiB", "1536MiB"},
        {"a.room", "3000000B", "3MB"},
        {"b.text", "a 'b' \xc3\xa9", "a 'b' \xc3\xa9"},
        {"b.maybe", "x", "x"},
        {"b.maybe", "none", "none"},
        {"b.choice", "wall", "wall"},
        {"b.profile", "7", "7"},
        {"b.profile", "profile", "profile"},
        {"b.share", "0", "0"},
        {"b.share", "auto", "auto"},
        {"b.limit", "1ms", "1ms"},
        {"b.limit", "0", "never"},
        {"b.table", "random", "random"},
    };
    char printed[DYNO_OPTION_TEXT_MAX], again[DYNO_OPTION_TEXT_MAX];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct dyno_option *row = dyno_options_find(&fixture.options, values[i].name);

        ck_assert_msg(set(values[i].name, values[i].given) == DYNO_OK, "%s", fixture.error.text);
        ck_assert_str_eq(dyno_options_print(&fixture.options, row, printed), values[i].printed);
        ck_assert_int_eq(set(values[i].name, printed), DYNO_OK);
        ck_assert_str_eq(dyno_options_print(&fixture.options, row, again), values[i].printed);
    }
}
END_TEST

START_TEST(what_a_row_does_not_accept_is_refused_in_one_sentence)
{
    expect_refusal("a.flag", "maybe", "--set a.flag: 'maybe' is not true or false");
    expect_refusal("a.small", "0", "--set a.small: '0' is not a whole number from 1 to 64");
    expect_refusal("a.small", "-1", "--set a.small: '-1' is not a whole number from 1 to 64");
    expect_refusal("a.small", "", "--set a.small: '' is not a whole number from 1 to 64");
    expect_refusal("a.small", "3x", "--set a.small: '3x' is not a whole number from 1 to 64");
    expect_refusal("a.small", "4294967297",
                   "--set a.small: '4294967297' is not a whole number from 1 to 64");
    expect_refusal("a.large", "18446744073709551616",
                   "--set a.large: '18446744073709551616' is not a whole number from 0 to "
                   "18446744073709551615");
    expect_refusal("a.real", "nan", "--set a.real: 'nan' is not a number from 0.25 to 1");
    expect_refusal("a.real", "1e999", "--set a.real: '1e999' is not a number from 0.25 to 1");
    expect_refusal("a.real", "0", "--set a.real: '0' is not a number from 0.25 to 1");
    expect_refusal("a.time", "2",
                   "--set a.time: '2' has no unit: give a duration from 1ms to 1h (units: ns, us, "
                   "ms, s, min, h)");
    expect_refusal("a.time", "0",
                   "--set a.time: '0' is not a duration from 1ms to 1h (units: ns, us, ms, s, min, "
                   "h)");
    expect_refusal("a.room", "80",
                   "--set a.room: '80' has no unit: give a size from 1B to 1TiB (units: B, kB, MB, "
                   "GB, TB, KiB, MiB, GiB, TiB)");
    expect_refusal("b.text", "",
                   "--set b.text: '' is not a text of 1 to 4095 bytes, UTF-8 without control "
                   "characters");
    expect_refusal("b.text", "a\tb",
                   "--set b.text: 'a?b' is not a text of 1 to 4095 bytes, UTF-8 without control "
                   "characters");
    expect_refusal("b.choice", "wal",
                   "--set b.choice: 'wal' is not one of virtual, wall; did you mean 'wall'?");
    expect_refusal("b.choice", "xyzzy", "--set b.choice: 'xyzzy' is not one of virtual, wall");
    expect_refusal("b.profile", "profiel",
                   "--set b.profile: 'profiel' is not a whole number from 1 to 64, or 'profile'; "
                   "did you mean 'profile'?");
    expect_refusal("b.profile", "0",
                   "--set b.profile: '0' is not a whole number from 1 to 64, or 'profile'");
    expect_refusal("b.share", "-1", "--set b.share: '-1' is not a number from 0 to 1, or 'auto'");
    expect_refusal("b.table", "kvx",
                   "--set b.table: 'kvx' is not one of kv, random; did you mean 'kv'?");
}
END_TEST

START_TEST(a_refusal_leaves_the_value_and_its_origin)
{
    const struct dyno_option *row = dyno_options_find(&fixture.options, "b.text");

    ck_assert_int_eq(set("b.text", "two"), DYNO_OK);
    ck_assert_int_eq(set("b.text", ""), DYNO_BAD_INPUT);
    ck_assert_str_eq(fixture.things.text, "two");
    ck_assert_int_eq(dyno_options_origin(&fixture.options, row)->source, DYNO_SOURCE_SET);
}
END_TEST

START_TEST(a_text_too_long_is_refused)
{
    static char text[DYNO_OPTION_TEXT_MAX + 1];

    memset(text, 'x', DYNO_OPTION_TEXT_MAX);
    ck_assert_int_eq(set("b.text", text), DYNO_BAD_INPUT);
    text[DYNO_OPTION_TEXT_MAX - 1] = '\0';
    ck_assert_int_eq(set("b.text", text), DYNO_OK);
}
END_TEST

START_TEST(an_option_keeps_its_own_copy_of_a_text)
{
    char text[] = "mine";

    ck_assert_int_eq(set("b.text", text), DYNO_OK);
    text[0] = 'X';
    ck_assert_str_eq(fixture.things.text, "mine");
}
END_TEST

START_TEST(an_origin_says_where_in_words)
{
    static const struct {
        struct dyno_option_origin origin;
        const char *words, *place;
    } origins[] = {
        {{DYNO_SOURCE_DEFAULT, NULL, 0, 0}, "default", "a.small"},
        {{DYNO_SOURCE_PROFILE, "vllm", 0, 0}, "engine profile vllm", "a.small"},
        {{DYNO_SOURCE_FILE, "f.yaml", 3, 12}, "f.yaml:3", "f.yaml:3:12: a.small"},
        {{DYNO_SOURCE_SET, NULL, 0, 0}, "--set", "--set a.small"},
        {{DYNO_SOURCE_FLAG, "small", 0, 0}, "--small", "--small"},
    };
    char words[64], place[64];

    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        ck_assert_int_eq(
            dyno_options_set(&fixture.options, &rows[1], "5", &origins[i].origin, &fixture.error),
            DYNO_OK);
        dyno_option_origin_words(dyno_options_origin(&fixture.options, &rows[1]), words,
                                 sizeof(words));
        ck_assert_str_eq(words, origins[i].words);
        dyno_option_place(&rows[1], &origins[i].origin, place, sizeof(place));
        ck_assert_str_eq(place, origins[i].place);
    }
}
END_TEST

START_TEST(a_value_set_back_to_the_default_counts_as_default)
{
    ck_assert_int_eq(set("a.time", "2s"), DYNO_OK);
    ck_assert(!dyno_options_is_initial(&fixture.options, &rows[4]));
    ck_assert_int_eq(set("a.time", "1000ms"), DYNO_OK);
    ck_assert(dyno_options_is_initial(&fixture.options, &rows[4]));
    ck_assert_int_eq(set("b.maybe", "x"), DYNO_OK);
    ck_assert(!dyno_options_is_initial(&fixture.options, &rows[7]));
}
END_TEST

START_TEST(an_unknown_name_suggests_its_neighbour)
{
    const struct dyno_options *options = &fixture.options;

    ck_assert_ptr_null(dyno_options_find(options, "a.smal"));
    ck_assert_str_eq(dyno_options_suggest(options, "a.smal"), "a.small");
    ck_assert_str_eq(dyno_options_suggest(options, "b.time"),
                     "a.time"); /* right key, wrong section */
    ck_assert_str_eq(dyno_options_suggest(options, "small"), "a.small");
    ck_assert_ptr_null(dyno_options_suggest(options, "quite.elsewhere"));
    ck_assert_ptr_eq(dyno_options_find(options, "else.where"),
                     dyno_options_find(options, "b.table"));
    ck_assert_ptr_null(dyno_options_find(options, "else.wher"));
    ck_assert_ptr_eq(dyno_options_find_flag(options, "text"), &rows[6]);
    ck_assert_ptr_null(dyno_options_find_flag(options, "real"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *options = tcase_create("options");

    tcase_add_checked_fixture(options, open_fixture, close_fixture);
    tcase_add_test(options, every_default_is_what_its_row_says);
    tcase_add_test(options, a_default_its_own_row_refuses_does_not_open);
    tcase_add_test(options, what_is_printed_is_what_is_read);
    tcase_add_test(options, what_a_row_does_not_accept_is_refused_in_one_sentence);
    tcase_add_test(options, a_refusal_leaves_the_value_and_its_origin);
    tcase_add_test(options, a_text_too_long_is_refused);
    tcase_add_test(options, an_option_keeps_its_own_copy_of_a_text);
    tcase_add_test(options, an_origin_says_where_in_words);
    tcase_add_test(options, a_value_set_back_to_the_default_counts_as_default);
    tcase_add_test(options, an_unknown_name_suggests_its_neighbour);
    suite_add_tcase(suite, options);
}

DYNO_CHECK_MAIN("options", add_cases)
