/* Keys: who is let in, how often, and which files are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/door/keys.h"
#include "tests/check_main.h"

static struct dyno_error error;

static dyno_status open_text(struct dyno_keys **out, const char *text)
{
    char path[] = "/tmp/dyno-keys-XXXXXX";
    int file = mkstemp(path);
    dyno_status status;

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(file), 0);
    error = (struct dyno_error){.status = DYNO_OK};
    status = dyno_keys_open(out, path, &error);
    ck_assert_int_eq(unlink(path), 0);
    return status;
}

static enum dyno_key_verdict judge(struct dyno_keys *keys, const char *header, dyno_ns now,
                                   uint32_t *tenant)
{
    dyno_ns wait_ns = 0;

    return dyno_keys_judge(keys, header, true, now, tenant, &wait_ns);
}

START_TEST(a_key_of_the_file_is_good_and_no_other)
{
    struct dyno_keys *keys;
    uint32_t tenant = 0;

    ck_assert_msg(open_text(&keys, "# ours\n\nalpha-secret name=alpha\r\nbeta-secret-2\n") ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 0, &tenant), DYNO_KEY_GOOD);
    ck_assert_uint_eq(tenant, 1);
    ck_assert_str_eq(dyno_keys_name(keys, 1), "alpha");
    ck_assert_int_eq(judge(keys, "bearer  beta-secret-2", 0, &tenant), DYNO_KEY_GOOD);
    ck_assert_uint_eq(tenant, 2);
    ck_assert_str_eq(dyno_keys_name(keys, 2), "2");
    ck_assert_int_eq(judge(keys, NULL, 0, &tenant), DYNO_KEY_MISSING);
    ck_assert_int_eq(judge(keys, "", 0, &tenant), DYNO_KEY_MISSING);
    ck_assert_int_eq(judge(keys, "Basic alpha-secret", 0, &tenant), DYNO_KEY_MISSING);
    ck_assert_int_eq(judge(keys, "Bearer ", 0, &tenant), DYNO_KEY_WRONG);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secre", 0, &tenant), DYNO_KEY_WRONG);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret2", 0, &tenant), DYNO_KEY_WRONG);
    dyno_keys_close(keys);
}
END_TEST

START_TEST(a_rate_lets_a_minutes_worth_in_and_then_its_share)
{
    struct dyno_keys *keys;
    uint32_t tenant;
    dyno_ns wait_ns = 0;

    ck_assert_int_eq(open_text(&keys, "alpha-secret rate=3/min\n"), DYNO_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 5 * DYNO_S, &tenant), DYNO_KEY_GOOD);
    }
    ck_assert_int_eq(
        dyno_keys_judge(keys, "Bearer alpha-secret", true, 5 * DYNO_S, &tenant, &wait_ns),
        DYNO_KEY_TOO_OFTEN);
    ck_assert_uint_eq(wait_ns, 20 * DYNO_S);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 25 * DYNO_S - 1, &tenant),
                     DYNO_KEY_TOO_OFTEN);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 25 * DYNO_S, &tenant), DYNO_KEY_GOOD);
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 25 * DYNO_S, &tenant), DYNO_KEY_TOO_OFTEN);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 1000 * DYNO_S, &tenant), DYNO_KEY_GOOD);
    }
    ck_assert_int_eq(judge(keys, "Bearer alpha-secret", 1000 * DYNO_S, &tenant),
                     DYNO_KEY_TOO_OFTEN);
    ck_assert_int_eq(
        dyno_keys_judge(keys, "Bearer alpha-secret", false, 1000 * DYNO_S, &tenant, &wait_ns),
        DYNO_KEY_GOOD); /* it only looks */
    dyno_keys_close(keys);
}
END_TEST

/* What is wrong with a file, in words that do not tell the key. */
static const struct {
    const char *text, *why;
} bad_files[] = {
    {"", "no key"},
    {"# nothing\n", "no key"},
    {"short\n", "line 1: a key has"},
    {"alpha-secret\nalpha-secret\n", "line 2: the key is there twice"},
    {"alpha-secret speed=9\n", "only name=NAME and rate=N/min"},
    {"alpha-secret rate=9\n", "a rate is N/min"},
    {"alpha-secret rate=0/min\n", "a whole number"},
    {"alpha-secret rate=-1/min\n", "a whole number"},
    {"alpha-secret name=\n", "a name has"},
};

START_TEST(a_bad_file_is_refused_and_the_key_not_told)
{
    struct dyno_keys *keys = NULL;

    ck_assert_int_eq(open_text(&keys, bad_files[_i].text), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, bad_files[_i].why) != NULL, "'%s' has no '%s'", error.text,
                  bad_files[_i].why);
    ck_assert_ptr_null(strstr(error.text, "alpha-secret"));
    ck_assert_ptr_null(keys);
}
END_TEST

START_TEST(a_long_line_and_a_missing_file_are_refused)
{
    static char text[2000];
    struct dyno_keys *keys = NULL;

    memset(text, 'a', sizeof text - 1);
    ck_assert_int_eq(open_text(&keys, text), DYNO_BAD_INPUT);
    ck_assert_int_eq(dyno_keys_open(&keys, "/nowhere/keys", &error), DYNO_NOT_FOUND);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("keys");

    tcase_add_test(cases, a_key_of_the_file_is_good_and_no_other);
    tcase_add_test(cases, a_rate_lets_a_minutes_worth_in_and_then_its_share);
    tcase_add_loop_test(cases, a_bad_file_is_refused_and_the_key_not_told, 0,
                        (int)(sizeof bad_files / sizeof bad_files[0]));
    tcase_add_test(cases, a_long_line_and_a_missing_file_are_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/door_keys", add_cases)
