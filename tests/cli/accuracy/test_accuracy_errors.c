/* The mean of errors that come in clusters, and how often its interval holds the truth. */
#include <math.h>

#include "cli/accuracy/accuracy.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

enum { WORLDS = 1000, CLUSTERS = 12, POINTS = 20 };

/* An error: half of it is its cluster's, half its own; their mean size is 3 %. */
static void draw(struct dyno_errors *errors, struct dyno_rng *rng)
{
    for (uint64_t cluster = 0; cluster < CLUSTERS; cluster++) {
        double size = 0.03 * dyno_rng_exponential(rng);

        for (int i = 0; i < POINTS; i++) {
            double own = 0.5 + dyno_rng_unit(rng);
            double sign = i % 2 ? 1.0 : -1.0;

            ck_assert(dyno_errors_add(errors, 1.0 + sign * size * own, 1.0, cluster));
        }
    }
}

START_TEST(figures_are_those_of_a_pencil)
{
    static const double off[] = {0.1, -0.2, 0.3, -0.4};
    struct dyno_errors errors = {0};
    struct dyno_error_figures figures;
    char text[DYNO_MAPE_TEXT_MAX];

    for (uint64_t i = 0; i < 4; i++) {
        ck_assert(dyno_errors_add(&errors, 2.0 * (1.0 + off[i]), 2.0, i < 3 ? i : 0));
    }
    figures = dyno_errors_figures(&errors);
    ck_assert_double_eq_tol(figures.mape, 25.0, 1e-9);
    ck_assert_double_eq_tol(figures.bias, -5.0, 1e-9);
    ck_assert_double_eq_tol(figures.median, 20.0, 1e-9);
    ck_assert_double_eq_tol(figures.p90, 40.0, 1e-9);
    ck_assert(isnan(figures.mape_low)); /* three clusters say nothing of others */
    ck_assert_str_eq(dyno_mape_text(text, &figures), "25.0");
    dyno_errors_release(&errors);

    /* Four clusters of one: t(3) = 3.182 standard errors of 0.129/2. */
    for (uint64_t i = 0; i < 4; i++) {
        ck_assert(dyno_errors_add(&errors, 1.0 + off[i], 1.0, i));
    }
    figures = dyno_errors_figures(&errors);
    ck_assert_double_eq_tol(figures.mape_high, 25.0 * exp(3.18245 * 0.0645497 / 0.25), 1e-3);
    ck_assert_double_eq_tol(figures.mape_low * figures.mape_high, 625.0, 1e-6);
    ck_assert_str_eq(dyno_mape_text(text, &figures), "25.0 (11.0 to 56.9)");
    dyno_errors_release(&errors);
}
END_TEST

/* 1,000 intervals with a true coverage of 95 % hold it 950 times, give or take 7; sizes that are
 * exponential and only a dozen clusters cost some of that. */
START_TEST(intervals_of_a_mean_error_cover)
{
    struct dyno_rng rng;
    uint32_t covered = 0;

    dyno_rng_init(&rng, 1, "errors");
    for (int world = 0; world < WORLDS; world++) {
        struct dyno_errors errors = {0};
        struct dyno_error_figures figures;

        draw(&errors, &rng);
        figures = dyno_errors_figures(&errors);
        covered += figures.mape_low <= 3.0 && 3.0 <= figures.mape_high;
        dyno_errors_release(&errors);
    }
    (void)printf("%u of %d intervals cover\n", covered, WORLDS);
    ck_assert_uint_ge(covered, 900);
    ck_assert_uint_le(covered, 990);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("errors");

    tcase_add_test(cases, figures_are_those_of_a_pencil);
    tcase_add_test(cases, intervals_of_a_mean_error_cover);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/accuracy_errors", add_cases)
