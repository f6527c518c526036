/* Seeded mutations of templates through the fuzz harness: a fuzzer of a few seconds. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_template.c"

enum { TEXT_MAX = 2000, MUTATIONS = 400 };

static const char *const seeds[] = {
    "{%- for m in messages %}{{- '<|' + m.role + '|>' + (m.content or '')|trim }}{%- endfor -%}",
    ("{% set ns = namespace(i=0) %}{% for x in l|sort(reverse=true) if x != 2 %}{% set ns.i = ns.i "
     "+ x %}{{ loop.index }}{% else %}n{% endfor %}{{ ns.i }}"),
    "{% macro f(a, b=2) %}{{ a ~ b }}{{ caller() }}{% endmacro %}{% call f(1) %}x{% endcall %}",
    "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|join(', ') }}",
    "{{ tools|tojson(indent=2) }}{{ l[::-1] }}{{ 'a,b'.split(',')[0] }}{% raw %}{{{% endraw %}",
    "{% if n is odd and not e %}{{ n ** 3 // 2 % 5 }}{% elif f < 0 %}{% endif %}{# c -#} x",
    "{% filter upper|indent(2) %}a\nb{% endfilter %}{{ strftime_now('%d %b %Y') }}{{ (1, 'x') }}",
};

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
        const char *seed = seeds[dyno_rng_below(&rng, sizeof seeds / sizeof *seeds)];
        size_t size = strlen(seed);

        memcpy(text, seed, size);
        for (uint64_t times = dyno_rng_below(&rng, 8); times > 0; times--) {
            size = mutate(&rng, text, size);
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fuzz");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, no_bytes_crash_a_template, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("template/fuzz", add_cases)
