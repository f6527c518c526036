/* The main of a Check program: DYNO_CHECK_MAIN("name", add_cases) where add_cases(Suite *) adds the
 * test cases.  Included after every other header. */
#ifndef DYNO_TESTS_CHECK_MAIN_H
#define DYNO_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

#define DYNO_CHECK_MAIN(name, add_cases)                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *suite = suite_create(name);                                                         \
        SRunner *runner;                                                                           \
        int failed;                                                                                \
                                                                                                   \
        add_cases(suite);                                                                          \
        runner = srunner_create(suite);                                                            \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        failed = srunner_ntests_failed(runner);                                                    \
        srunner_free(runner);                                                                      \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                               \
    }

#endif
