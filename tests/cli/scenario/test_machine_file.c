/* Measured machines as files: what is written is read again, and what is wrong is named. */
#include "cli/scenario/machine_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/check_main.h"

static char path[] = "/tmp/dyno-machine-XXXXXX";

static void set_up(void)
{
    int file = mkstemp(path);

    ck_assert_int_ge(file, 0);
    (void)close(file);
}

static void tear_down(void)
{
    (void)unlink(path);
    memset(path + strlen(path) - 6, 'X', 6);
}

static const struct dyno_machine machine = {
    .model = "a \"model\"",
    .device = "cpu",
    .threads = 3,
    .ranks = 2,
    .kv_tokens = 100000,
    .rows = {.count = 2, .at = {1, 64}, .ns = {100e3, 900e3}},
    .yields = {.count = 1, .at = {1}, .ns = {10e3}},
    .idle = {.count = 2, .at = {1, 512}, .ns = {300e3, 800e3}},
    .behind = {.count = 2, .at = {1, 256}, .ns = {20e3, 90e3}},
    .pair_ns = 2.5,
    .context_ns = 5,
    .context_far_ns = 7,
    .context_near = 900,
    .pass_ns = 30e3,
    .copy_byte_ns = 0.125,
    .copy_ns = 8e3,
    .disk_write_byte_ns = 1.5,
    .disk_write_ns = 70e3,
    .disk_read_byte_ns = 0.75,
    .disk_read_ns = 60e3,
    .far_byte_ns = 0.5,
    .far_ns = 9e3,
    .far_pass_ns = 80e3,
};

START_TEST(what_is_written_is_read_again)
{
    struct dyno_machine read = {.threads = 0};
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_machine_write(&machine, path, &error), DYNO_OK);
    ck_assert_msg(dyno_machine_read(&read, path, &error) == DYNO_OK, "%s", error.text);
    ck_assert_mem_eq(&read, &machine, sizeof machine);
}
END_TEST

static dyno_status read_text(struct dyno_machine *out, const char *text, struct dyno_error *error)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
    return dyno_machine_read(out, path, error);
}

#define BEGIN                                                                                      \
    "{\"dyno_machine\": 1, \"device\": \"cpu\", \"model\": \"m\", \"threads\": 1, "                \
    "\"rows_ns\": [[1, 9]], \"yields_ns\": [[1, 4]], \"pair_ns\": 1, \"context_ns\": 1, "          \
    "\"pass_ns\": 3"

START_TEST(a_file_of_before_pauses_were_measured_has_none)
{
    struct dyno_machine read = {.threads = 0};
    struct dyno_error error = {0};

    ck_assert_msg(read_text(&read, BEGIN "}", &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(read.idle.count, 0);
    ck_assert_uint_eq(read.behind.count, 0);
    ck_assert_double_eq(read.pass_ns, 3);
}
END_TEST

START_TEST(pauses_and_devices_that_cannot_be_are_refused_by_name)
{
    struct dyno_machine read = {.threads = 0};
    struct dyno_error error = {0};

    ck_assert_int_eq(read_text(&read, BEGIN ", \"idle_ns\": 5}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "idle_ns: expected 1 to 32 pairs"));
    ck_assert_int_eq(read_text(&read, BEGIN ", \"idle_ns\": [[1, -2]]}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "idle: at 1 the time is -2 ns"));
    ck_assert_int_eq(read_text(&read, BEGIN ", \"behind_ns\": {}}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "behind_ns: expected 1 to 32 pairs"));
    ck_assert_int_eq(
        read_text(&read, "{\"dyno_machine\": 1, \"device\": \"tpu\", \"model\": \"m\"}", &error),
        DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "device: expected cpu or cuda"));
    ck_assert_int_eq(read_text(&read, BEGIN ", \"context_near\": 0}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "context_near: expected a whole number from 1"));
    ck_assert_int_eq(read_text(&read, BEGIN ", \"context_near\": 9}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "context_far_ns: expected a number"));
    ck_assert_uint_eq(read.threads, 0);
}
END_TEST

START_TEST(ranks_are_one_unless_the_file_says_otherwise)
{
    struct dyno_machine read = {.threads = 0};
    struct dyno_error error = {0};

    ck_assert_msg(read_text(&read, BEGIN "}", &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(read.ranks, 1);
    ck_assert_msg(read_text(&read, BEGIN ", \"tp\": 4}", &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(read.ranks, 4);
    ck_assert_int_eq(read_text(&read, BEGIN ", \"tp\": 0}", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "tp: expected a whole number from 1 to 1024"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("machine file");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, what_is_written_is_read_again);
    tcase_add_test(cases, a_file_of_before_pauses_were_measured_has_none);
    tcase_add_test(cases, pauses_and_devices_that_cannot_be_are_refused_by_name);
    tcase_add_test(cases, ranks_are_one_unless_the_file_says_otherwise);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/machine_file", add_cases)
