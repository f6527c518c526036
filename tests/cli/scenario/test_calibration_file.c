/* Calibrations as files: there and back, and refusals with line and column. */
#include "cli/scenario/calibration_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/check_main.h"

static char path[] = "calibration-XXXXXX";

static void open_scratch(void)
{
    int file = mkstemp(path);

    ck_assert_int_ge(file, 0);
    (void)close(file);
}

static void close_scratch(void)
{
    (void)unlink(path);
}

static dyno_status read_text(struct dyno_calibration *calibration, const char *text,
                             struct dyno_error *error)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
    return dyno_calibration_read(calibration, path, error);
}

static void assert_refused(const char *text, const char *sentence)
{
    static struct dyno_calibration calibration;
    struct dyno_error error = {0};

    ck_assert_int_eq(read_text(&calibration, text, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strncmp(error.text, path, strlen(path)) == 0 &&
                      strcmp(error.text + strlen(path), sentence) == 0,
                  "said: %s", error.text);
}

START_TEST(what_is_written_is_read)
{
    static struct dyno_calibration written, read;
    struct dyno_error error = {0};

    (void)snprintf(written.gpu, sizeof written.gpu, "h200");
    (void)snprintf(written.source, sizeof written.source, "a \"quoted\" \\ source");
    (void)snprintf(written.data, sizeof written.data, "00ff");
    (void)snprintf(written.weights, sizeof written.weights, "fp8");
    (void)snprintf(written.kv, sizeof written.kv, "bf16");
    written.parameters.sustained_share = 0.75; /* the first row */
    written.given[0] = true;
    written.standard_error[0] = 0.01;
    written.samples[0] = 12;
    written.correlation[0][2] = written.correlation[2][0] = -0.25;
    written.correlation[1][2] = written.correlation[2][1] = 0.125;
    written.ranges[DYNO_AXIS_TOKENS] = (struct dyno_calibration_range){1, 4096};
    ck_assert_int_eq(dyno_calibration_write(&written, path, &error), DYNO_OK);
    ck_assert_msg(dyno_calibration_read(&read, path, &error) == DYNO_OK, "%s", error.text);
    ck_assert_mem_eq(&written, &read, sizeof read);
}
END_TEST

START_TEST(a_number_alone_is_a_value)
{
    static struct dyno_calibration calibration;
    struct dyno_error error = {0};

    ck_assert_int_eq(read_text(&calibration, "parameters:\n  host_us: 900\n", &error), DYNO_OK);
    ck_assert_double_eq(calibration.parameters.host_us, 900);
}
END_TEST

START_TEST(wrong_files_are_refused_with_their_place)
{
    assert_refused("parameters:\n  host_us: -4\n", ":2:12: host_us is not between 0 and 1e+06 us");
    assert_refused("parameters:\n  hos_us: 4\n", ":2:11: unknown key 'parameters.hos_us'");
    assert_refused("parameters: {host_us: {error: 4}}\n",
                   ":1:31: a parameter has value, standard_error and samples, not 'error'");
    assert_refused("parameters: {host_us: fast}\n", ":1:23: a number is expected, not 'fast'");
    assert_refused("correlations: {host_us: {ingest: 0.5}}\n",
                   ":1:34: not two parameters: 'host_us.ingest'");
    assert_refused("correlations: {host_us: {host_us: 0.5}}\n",
                   ":1:35: not two parameters: 'host_us.host_us'");
    assert_refused("correlations: {host_us: 0.5}\n", ":1:25: not two parameters: 'host_us'");
    assert_refused("correlations: {host_us: {ingest_us: 1.5}}\n",
                   ":1:37: a correlation is not between -1 and 1: 'host_us.ingest_us'");
    assert_refused("fast\n", ":1:1: a mapping is expected, not 'fast'");
    assert_refused("a: [[[[[1]]]]]\n", ":1:7: nested too deeply");
    assert_refused("gpu: [\n", ":2:1: not YAML: 'did not find expected node content'");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("calibration file");

    tcase_add_checked_fixture(tc, open_scratch, close_scratch);
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, a_number_alone_is_a_value);
    tcase_add_test(tc, wrong_files_are_refused_with_their_place);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cli/calibration_file", add_cases)
