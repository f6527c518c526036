/* The main of a Check program: DYNO_CHECK_MAIN("name", add_cases) where add_cases(Suite *) adds the
 * test cases; or DYNO_CHECK_MAIN_UNLESS("name", add_cases, lacking) where lacking() says what they
 * need that is not there, or NULL.  Included after every other header. */
#ifndef DYNO_TESTS_CHECK_MAIN_H
#define DYNO_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { DYNO_CHECK_SKIPPED = 77 }; /* as ctest is told */

/* GCC 12 takes open_memstream's pointer for one to a variable that is gone. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wdangling-pointer"
#endif

/* Check's own sends the parent process a message for every assertion that holds, which is most of
 * the time of a test over random operations.  Only failures are news; a crash is reported without
 * the place of the last success. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                   \
    ((expr)                                                                                        \
         ? (void)0                                                                                 \
         : _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", ##__VA_ARGS__))

static inline int dyno_check_run(const char *name, void (*add_cases)(Suite *suite))
{
    Suite *suite = suite_create(name);
    SRunner *runner;
    int failed;

    add_cases(suite);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define DYNO_CHECK_MAIN(name, add_cases)                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        return dyno_check_run(name, add_cases);                                                    \
    }

#define DYNO_CHECK_MAIN_UNLESS(name, add_cases, lacking)                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        const char *what = lacking();                                                              \
                                                                                                   \
        if (what) {                                                                                \
            (void)printf("skipped: %s\n", what);                                                   \
            return DYNO_CHECK_SKIPPED;                                                             \
        }                                                                                          \
        return dyno_check_run(name, add_cases);                                                    \
    }

#endif
