/* Seeded mutations of templates through the fuzz harness: a fuzzer of a few seconds. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_template.c"
#include "tests/fuzz/template_seeds.h"

enum { TEXT_MAX = 4000, MUTATIONS = 400 };

static const char *const pieces[] = {
    "{{",     "}}",   "{%",   "%}",       "-",         "{#",          "#}",   "(",
    ")",      "[",    "]",    "|",        ".",         "'",           "\\u",  " if ",
    " else ", " is ", " in ", "not ",     "999999999", "**",          "loop", "for x in l",
    "endfor", "~",    ":",    "range(9)", "\xff",      "\xe6\x97\xa5"};

static size_t mutate(struct dyno_rng *rng, char *text, size_t size)
{
    size_t at = dyno_rng_below(rng, size + 1);
    const char *piece = pieces[dyno_rng_below(rng, sizeof pieces / sizeof *pieces)];
    size_t more = strlen(piece), gone = dyno_rng_below(rng, size - at + 1);

    if (dyno_rng_below(rng, 2) && size + more < TEXT_MAX) {
        memmove(text + at + more, text + at, size - at);
        memcpy(text + at, piece, more);
        return size + more;
    }
    gone = gone > 10 ? 10 : gone;
    memmove(text + at, text + at + gone, size - at - gone);
    return size - gone;
}

START_TEST(no_bytes_crash_a_template)
{
    struct dyno_rng rng;
    char text[TEXT_MAX];

    dyno_rng_init(&rng, (uint64_t)_i, "fuzz");
    for (int i = 0; i < MUTATIONS; i++) {
        const char *seed = template_seeds[dyno_rng_below(&rng, TEMPLATE_SEEDS)];
        size_t size = strlen(seed);

        memcpy(text, seed, size);
        for (uint64_t times = dyno_rng_below(&rng, 8); times > 0; times--) {
            size = mutate(&rng, text, size);
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
    }
}
END_TEST

/* The harness would find little if its seeds were refused. */
START_TEST(the_seeds_are_good)
{
    for (size_t i = 0; i < TEMPLATE_SEEDS; i++) {
        fuzz_rendered_count = 0;
        (void)LLVMFuzzerTestOneInput((const uint8_t *)template_seeds[i], strlen(template_seeds[i]));
        ck_assert_msg(fuzz_rendered_count == 1, "%s: %s", template_seeds[i], fuzz_error.text);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fuzz");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, the_seeds_are_good);
    tcase_add_loop_test(cases, no_bytes_crash_a_template, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("template/fuzz", add_cases)
