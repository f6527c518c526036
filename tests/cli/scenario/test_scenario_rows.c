/* The rows of a scenario: each is well formed, and what is printed reads back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/file.h"
#include "cli/scenario/scenario.h"
#include "tests/check_main.h"

/* A scenario and its options. */
struct fixture {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_error error;
};

static struct fixture fixture, back; /* what is printed, and what is read back */

static void open_rows(struct fixture *rows)
{
    ck_assert_int_eq(dyno_options_open(&rows->options, dyno_scenario_rows, dyno_scenario_row_count,
                                       &rows->scenario, &rows->error),
                     DYNO_OK);
}

static void open_fixture(void)
{
    open_rows(&fixture);
    open_rows(&back);
}

static void close_fixture(void)
{
    dyno_options_close(&fixture.options);
    dyno_options_close(&back.options);
}

static dyno_status set(const struct dyno_option *row, const char *text)
{
    static const struct dyno_option_origin origin = {.source = DYNO_SOURCE_SET};

    return dyno_options_set(&fixture.options, row, text, &origin, &fixture.error);
}

/* Print the one scenario and read it into the other. */
static void print_and_read(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    dyno_scenario_print(&fixture.options, stream);
    fclose(stream);
    ck_assert_msg(dyno_scenario_text_read(&back.options, "printed", text, size, &back.error) ==
                      DYNO_OK,
                  "%s\n%s", back.error.text, text);
    free(text);
}

START_TEST(every_row_is_well_formed)
{
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];
        char accepts[512];

        ck_assert_msg(strchr(row->name, '.') && strlen(row->name) < DYNO_OPTION_NAME_MAX, "%s",
                      row->name);
        ck_assert_ptr_eq(dyno_options_find(&fixture.options, row->name), row);
        if (row->flag) {
            ck_assert_ptr_eq(dyno_options_find_flag(&fixture.options, row->flag), row);
        }
        ck_assert_msg(row->value || row->type == DYNO_OPTION_BOOL, "%s has no value word",
                      row->name);
        ck_assert_msg(row->type != DYNO_OPTION_U32 || row->max <= UINT32_MAX, "%s", row->name);
        ck_assert_msg(row->help[strlen(row->help) - 1] != '.', "%s", row->name);
        dyno_option_describe(row, accepts, sizeof(accepts));
        ck_assert_uint_lt(strlen(accepts), 256);
    }
}
END_TEST

START_TEST(every_row_belongs_to_a_section_and_sections_do_not_mix)
{
    const struct dyno_scenario_section *section = dyno_scenario_sections;

    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const char *name = dyno_scenario_rows[i].name;
        size_t length = strcspn(name, ".");

        if (strlen(section->name) != length || strncmp(section->name, name, length) != 0) {
            section++;
        }
        ck_assert_msg(section->name && strlen(section->name) == length &&
                          strncmp(section->name, name, length) == 0,
                      "%s is out of place", name);
    }
    ck_assert_ptr_null(section[1].name);
}
END_TEST

START_TEST(every_default_is_printed_as_it_is_written)
{
    char text[DYNO_OPTION_TEXT_MAX];

    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        ck_assert_str_eq(dyno_options_print(&fixture.options, &dyno_scenario_rows[i], text),
                         dyno_scenario_rows[i].initial);
    }
}
END_TEST

/* A value of each row that is not its default. */
static const char *other_value(const struct dyno_option *row)
{
    char now[DYNO_OPTION_TEXT_MAX];

    switch (row->type) {
    case DYNO_OPTION_BOOL:
        return strcmp(row->initial, "true") == 0 ? "false" : "true";
    case DYNO_OPTION_U32:
    case DYNO_OPTION_U64:
        return row->max >= 4096 && row->min <= 4096 ? "4096" : "17";
    case DYNO_OPTION_DOUBLE:
        return "0.3333333333333333";
    case DYNO_OPTION_DURATION:
        return "1234567us";
    case DYNO_OPTION_BYTES:
        return "12345678B";
    case DYNO_OPTION_CHOICE:
        dyno_options_print(&fixture.options, row, now);
        for (uint32_t i = 0;; i++) {
            const char *word = row->choices ? row->choices[i] : row->choice(i);

            if (strcmp(word, now) != 0 && strcmp(word, "profile") != 0) {
                return word;
            }
        }
    default:
        return "it's \"a: #b\" \\ \xc3\xa9 \xe2\x80\xa8 {x}, -";
    }
}

START_TEST(what_is_printed_reads_back_for_every_row)
{
    char one[DYNO_OPTION_TEXT_MAX], two[DYNO_OPTION_TEXT_MAX];

    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];

        ck_assert_msg(set(row, other_value(row)) == DYNO_OK, "%s", fixture.error.text);
        ck_assert_msg(!dyno_options_is_initial(&fixture.options, row), "%s", row->name);
    }
    print_and_read();
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];

        ck_assert_str_eq(dyno_options_print(&fixture.options, row, one),
                         dyno_options_print(&back.options, row, two));
        ck_assert_int_eq(dyno_options_origin(&back.options, row)->source, DYNO_SOURCE_FILE);
    }
}
END_TEST

START_TEST(hard_texts_survive_the_printed_file)
{
    static const char *const texts[] = {
        "-",
        "~",
        "null",
        "a: b",
        "a #b",
        "'",
        "\"",
        "a:",
        ":memory:",
        "none ",
        "{}",
        "[1]",
        "&a",
        "*a",
        "!x",
        "%y",
        "@",
        "`",
        "|",
        "> ",
        "- ",
        "? x",
        "a'b",
        "\\n",
        "\xc2\xa0",
        "\xef\xbb\xbfx",
        "\xf0\x9f\x9a\x80",
        "yes",
        "0x1",
        "a\\",
        "\xef\xbf\xbe",
        "\xe2\x80\xa9",
        "..",
        "--- a",
        "=",
        ",",
        "",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(set(dyno_options_find(&fixture.options, "router.args"), texts[i]),
                         DYNO_OK);
        print_and_read();
        ck_assert_str_eq(back.scenario.router.args, texts[i]);
    }
}
END_TEST

START_TEST(a_file_name_of_any_bytes_cannot_spoil_the_printed_file)
{
    struct dyno_option_origin origin = {
        .source = DYNO_SOURCE_FILE, .where = "a\nfleet: {}\xff.yaml", .line = 1, .column = 1};

    ck_assert_int_eq(dyno_options_set(&fixture.options,
                                      dyno_options_find(&fixture.options, "fleet.workers"), "7",
                                      &origin, &fixture.error),
                     DYNO_OK);
    print_and_read();
    ck_assert_uint_eq(back.scenario.fleet.workers, 7);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *rows = tcase_create("rows");

    tcase_add_checked_fixture(rows, open_fixture, close_fixture);
    tcase_add_test(rows, every_row_is_well_formed);
    tcase_add_test(rows, every_row_belongs_to_a_section_and_sections_do_not_mix);
    tcase_add_test(rows, every_default_is_printed_as_it_is_written);
    tcase_add_test(rows, what_is_printed_reads_back_for_every_row);
    tcase_add_test(rows, hard_texts_survive_the_printed_file);
    tcase_add_test(rows, a_file_name_of_any_bytes_cannot_spoil_the_printed_file);
    suite_add_tcase(suite, rows);
}

DYNO_CHECK_MAIN("scenario rows", add_cases)
