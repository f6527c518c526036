/* Chat templates: results worked out by hand from Jinja's documentation, limits, and mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/template.h"
#include "tests/check_main.h"

enum { NOW_S = 951827696 }; /* Tuesday, 29 February 2000, 12:34:56 UTC */

static dyno_status render(const char *text, const char *variables, char **out,
                          struct dyno_error *error)
{
    json_t *json = json_loads(variables, JSON_ALLOW_NUL, NULL);
    struct dyno_template *template_ = NULL;
    dyno_status status;
    size_t size;

    ck_assert_msg(json != NULL, "%s is no JSON", variables);
    status = dyno_template_open(&template_, text, error);
    if (status == DYNO_OK) {
        status = dyno_template_render(template_, json, NOW_S, 0, out, &size, error);
    }
    dyno_template_close(template_);
    json_decref(json);
    return status;
}

static void expect(const char *text, const char *variables, const char *due)
{
    struct dyno_error error;
    char *out = NULL;

    ck_assert_msg(render(text, variables, &out, &error) == DYNO_OK, "%s: %s", text, error.text);
    ck_assert_msg(strcmp(out, due) == 0, "%s\n gave  '%s'\n, not '%s'", text, out, due);
    free(out);
}

static void refuse(const char *text, dyno_status due, const char *words)
{
    struct dyno_error error = {.text = ""};
    char *out = NULL;
    dyno_status status = render(text, "{\"l\": [1], \"s\": \"x\"}", &out, &error);

    ck_assert_msg(status == due, "%s gave %d (%s), not %d", text, status, error.text, due);
    ck_assert_msg(out == NULL && strstr(error.text, words), "%s: '%s' is not in '%s'", text, words,
                  error.text);
}

START_TEST(tags_take_their_white_space)
{
    expect("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "{}", "a\n  b\nc");
    expect("a \n {%- if true -%} \n b {%- endif -%} \n c", "{}", "abc");
    expect("  {%+ if true %}x{% endif %}\n\ny", "{}", "  x\ny");
    expect("{% if true +%}\nx{% endif %}", "{}", "\nx");
    expect("a {{- 1 -}} b {{ 2 }}\nc", "{}", "a1b 2\nc");
    expect("a\n  {# note #}\nb {#- more -#} c", "{}", "a\nbc");
    expect("x {% raw %} {{ y }} {% endraw %} z", "{}", "x  {{ y }}  z");
    expect("a\r\nb\rc\n\n", "{}", "a\nb\nc\n");
}
END_TEST

START_TEST(operators_bind_as_in_jinja)
{
    expect("{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }}", "{}",
           "7 9 3 -4 2");
    expect("{{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 1.5 + 1 }} {{ 1e20 }} {{ 0.1 }}", "{}",
           "3.5 2.0 1024 2.5 1e+20 0.1");
    expect("{{ 'a' ~ 1 ~ none }} {{ 'a' 'b' + 'c' }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "{}",
           "a1None abc abab [1, 2]");
    expect("{{ not 1 == 2 and 3 in [3] }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 not in [1] }}", "{}",
           "True True False False");
    expect("{{ not x is defined }} {{ 5 if false else 6 }} {{ 'y' if false }}|", "{}", "True 6 |");
    expect("{{ '' or 'b' }} {{ 'a' and 'b' }} {{ 0 or none }}", "{}", "b b None");
    expect("{{ 'a' + 'b' | upper }} {{ -3 | abs }}", "{}", "aB 3");
}
END_TEST

START_TEST(numbers_are_written_as_in_python)
{
    expect("{{ 0x1F }} {{ 0Xff + 1 }} {{ 0b101 }} {{ 0o17 }} {{ 0x_f_f }} {{ 0xffe-1 }}", "{}",
           "31 256 5 15 255 4093");
    expect("{{ 1_000 }} {{ 00 }} {{ 0_0 }} {{ 1_0.5_0e1_0 }} {{ 09.5 }} {{ 0e5 }}", "{}",
           "1000 0 0 105000000000.0 9.5 0.0");
    expect("{{ 0x7fffffffffffffff }}", "{}", "9223372036854775807");
    refuse("{{ 0x8000000000000000 }}", DYNO_BAD_INPUT, "too large");
    refuse("{{ 0x }}", DYNO_BAD_INPUT, "malformed");
    refuse("{{ 0b2 }}", DYNO_BAD_INPUT, "malformed");
    refuse("{{ 0b12 }}", DYNO_BAD_INPUT, "is expected");
    refuse("{{ 012 }}", DYNO_BAD_INPUT, "begins with 0");
    refuse("{{ 1__0 }}", DYNO_BAD_INPUT, "is expected");
    refuse("{{ 1_ }}", DYNO_BAD_INPUT, "is expected");
}
END_TEST

START_TEST(values_are_written_as_python_does)
{
    expect("{{ v }}", "{\"v\": [1, 2.0, true, null, \"it's\", \"a\\\"b\\n\", {\"k\": []}]}",
           "[1, 2.0, True, None, \"it's\", 'a\"b\\n', {'k': []}]");
    expect("{{ (1,) }} {{ (1, 'x') }} {{ () }} {{ {'a': 1, 2: none} }}", "{}",
           "(1,) (1, 'x') () {'a': 1, 2: None}");
    expect("{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 100.0 }} {{ 1.25e-7 }}", "{}",
           "1e+16 1000000000000000.0 0.0001 1e-05 100.0 1.25e-07");
    expect("{{ v|tojson }}", "{\"v\": {\"a\": [1, 2.5, null, true, \"\\u00e9\\n\\\"\\u0001<\"]}}",
           "{\"a\": [1, 2.5, null, true, \"\xC3\xA9\\n\\\"\\u0001<\"]}");
    expect("{{ v|tojson(indent=2) }}", "{\"v\": {\"a\": [1], \"b\": {}, \"c\": []}}",
           "{\n  \"a\": [\n    1\n  ],\n  \"b\": {},\n  \"c\": []\n}");
    expect("{{ v|tojson(ensure_ascii=true) }}", "{\"v\": \"\\ud83d\\ude00\"}",
           "\"\\ud83d\\ude00\"");
    expect("{{ v|tojson(sort_keys=true, separators=(',', ':')) }}", "{\"v\": {\"b\": 1, \"a\": 2}}",
           "{\"a\":2,\"b\":1}");
}
END_TEST

START_TEST(loops_know_where_they_are)
{
    expect("{% for x in 'abc' %}{{ loop.index }}{{ loop.revindex0 }}{{ x }}"
           "{{ ',' if not loop.last }}{% endfor %}",
           "{}", "12a,21b,30c");
    expect("{% for k, v in d.items() if v > 1 %}{{ k }}={{ v }}/{{ loop.length }} {% else %}none"
           "{% endfor %}",
           "{\"d\": {\"a\": 1, \"b\": 2, \"c\": 3}}", "b=2/2 c=3/2 ");
    expect("{% for x in [] %}{% else %}none{% endfor %}", "{}", "none");
    expect("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 4 %}{% break %}"
           "{% endif %}{{ x }}{% endfor %}",
           "{}", "023");
    expect(
        "{% for x in [1, 2, 3] %}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }}"
        "{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}",
        "{}", "-2aTrue 13bTrue 2-aFalse ");
    expect("{% for x in [1, 2] %}{% for y in 'ab' %}{{ loop.depth }}{% endfor %}{% endfor %}", "{}",
           "1111");
}
END_TEST

START_TEST(names_live_in_their_block)
{
    expect("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}",
           "{}", "15151");
    expect("{% set n = namespace(c=0) %}{% for i in 'abc' %}{% set n.c = n.c + 1 %}{% endfor %}"
           "{{ n.c }}",
           "{}", "3");
    expect("{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{}", "2");
    expect("{% set a, b = 1, 'two' %}{{ b }}{{ a }}", "{}", "two1");
    expect("{% set x %}a{{ 1 }}{% endset %}{{ x }}{% set x | upper %}b{% endset %}{{ x }}", "{}",
           "a1B");
    expect("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "{}", "3False");
}
END_TEST

START_TEST(macros_are_called)
{
    expect("{% macro m(a, b='B') %}<{{ a }}{{ b }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}"
           "{{ m(b=3, a=4) }}{{ m()|length }}",
           "{}", "<1B><12><43>3");
    expect("{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
           "{}", "3210");
    expect("{% macro w(t) %}[{{ t }}{{ caller('x') }}]{% endmacro %}"
           "{% call(v) w('a') %}{{ v }}{{ v }}{% endcall %}",
           "{}", "[axx]");
    expect("{% filter upper|replace('B', '_') %}abc{% endfilter %}", "{}", "A_C");
    expect("a{% generation %}b{% endgeneration %}c", "{}", "abc");
}
END_TEST

START_TEST(slices_and_items_are_pythons)
{
    expect("{{ l[1:] }}{{ l[:-1] }}{{ l[::-1] }}{{ l[-1] }}{{ l[5:] }}{{ l[2:0:-1] }}",
           "{\"l\": [1, 2, 3]}", "[2, 3][1, 2][3, 2, 1]3[][3, 2]");
    expect("{{ s[1:3] }}{{ s[-1] }}{{ s[::-1] }}", "{\"s\": \"a\\u00e9b\\u65e5\"}",
           "\xC3\xA9"
           "b\xE6\x97\xA5\xE6\x97\xA5"
           "b\xC3\xA9"
           "a");
    expect("{{ d.a }}{{ d['a'] }}{{ d.x }}{{ d.get('x', 9) }}{{ d.items is defined }}|{{ l.0 }}",
           "{\"d\": {\"a\": 1}, \"l\": [7]}", "119True|7");
}
END_TEST

START_TEST(filters_and_methods_do_their_work)
{
    expect("{{ ' a '|trim }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',', 1) }}|"
           "{{ ' a  b '.split() }}|{{ 'a.b.c'.rsplit('.', 1) }}",
           "{}", "a|a|['a', 'b,c']|['a', 'b']|['a.b', 'c']");
    expect("{{ 'hello wORLD-foo'|title }} {{ \"it's x\".title() }} {{ 'aBC'|capitalize }}", "{}",
           "Hello World-Foo It'S X Abc");
    expect("{{ 'stra\xC3\x9F"
           "e \xC3\xA9'|upper }}",
           "{}", "STRASSE \xC3\x89");
    expect("{{ ['b', 'A', 'c']|sort|join }} {{ [3, 1]|sort(reverse=true) }} {{ 'ab'|list }}", "{}",
           "Abc [3, 1] ['a', 'b']");
    expect("{{ r|selectattr('k', 'equalto', 1)|map(attribute='v')|join(', ') }} "
           "{{ r|rejectattr('k')|list|length }} {{ r|map(attribute='q', default=0)|sum }}",
           "{\"r\": [{\"k\": 1, \"v\": \"a\"}, {\"k\": 0}, {\"k\": 1, \"v\": \"b\"}]}", "a, b 1 0");
    expect("{{ 'a\nb\n\nc'|indent(2) }}|{{ 'a\nb'|indent('>', true) }}", "{}",
           "a\n  b\n\n  c|>a\n>b");
    expect("{{ '12'|int + 1 }} {{ 'x'|int(5) }} {{ '3.9'|int }} {{ '0x1'|int }} {{ 2.5|round }}",
           "{}", "13 5 3 0 2.0");
    expect("{{ {'b': 1, 'a': 2}|dictsort }} {{ [1, 1, 2]|unique|list }} {{ x|default('d') }} "
           "{{ ''|default('d', true) }} {{ [1, 2]|first }}{{ [1, 2]|last }} {{ [4, 2]|min }}",
           "{}", "[('a', 2), ('b', 1)] [1, 2] d d 12 2");
    expect("{{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'|replace('X', '-', 1) }} {{ 'ab'.find('b') }}"
           " {{ 'Ab'.startswith(('x', 'A')) }} {{ 'a\r\nb\n'.splitlines() }}",
           "{}", "a-b- a-bX 1 True ['a', 'b']");
}
END_TEST

/* What CPython 3.11 and Jinja 3.1 print of the same. */
START_TEST(numbers_are_rounded_and_lines_parted_as_python_does)
{
    expect("{{ 5|round }} {{ 5|round(2) }} {{ true|round }} {{ 15|round(-1) }} {{ 25|round(-1) }} "
           "{{ -26|round(-1) }} {{ 4|round(-1) }} {{ 4611686018427387905|round(1) }} "
           "{{ 7|round(-30) }} {{ -7|round(-1) }} {{ -15|round(-1) }} {{ "
           "-9223372036854775807|round(-2) }}",
           "{}", "5 5 1 20 20 -30 0 4611686018427387905 0 -10 -20 -9223372036854775800");
    expect("{{ 5|round(1, 'floor') }} {{ 2.5|round }} {{ 1.115|round(2) }} {{ 2.675|round(2) }} "
           "{{ 12345.678|round(-2) }} {{ 1.23456|round(3, 'ceil') }} {{ -2.5|round(0, 'common') }}",
           "{}", "5.0 2.0 1.11 2.67 12300.0 1.235 -2.0");
    expect(
        "{{ t.splitlines(true) }} {{ s.splitlines() }} {{ ''.splitlines() }}",
        "{\"t\": \"a\\nb\\r\\n\", \"s\": \"a\\u000bb\\u000cc\\u001cd\\u0085e\\u2028f\\u2029\\n\"}",
        "['a\\n', 'b\\r\\n'] ['a', 'b', 'c', 'd', 'e', 'f', ''] []");
    expect("{{ ' a  b c '.rsplit() }} {{ ' a  b c '.rsplit(none, 1) }} {{ ' a b'.rsplit(none, 0) }}"
           " {{ ' '.rsplit() }} {{ 'a b'.rsplit(none, 9) }} {{ ' a  b c '.split(none, 1) }}",
           "{}", "['a', 'b', 'c'] [' a  b', 'c'] [' a b'] [] ['a', 'b'] ['a', 'b c ']");
    expect("{{ s.rsplit(none, 1) }}", "{\"s\": \"\u00E9 \\u2003\u65E5\u672C\"}",
           "['\xC3\xA9', '\xE6\x97\xA5\xE6\x9C\xAC']");
    expect("{{ ''|indent(2, true) }}|{{ '\na'|indent(2, true) }}|{{ t|indent(1) }}|{{ "
           "'a\n\nb'|indent(1, "
           "blank=true) }}",
           "{\"t\": \"a\\r\\n\\r\\nb\\u2028c\\r\"}", "  |  \n  a|a\n\n b\n c|a\n \n b");
    expect("{{ [s] }}",
           "{\"s\": \"\\u00a0\\u00ad\\u0085\\u2028\\ue000\\udb40\\udc01\\u00e9 \\u007f\"}",
           "['\\xa0\\xad\\x85\\u2028\\ue000\\U000e0001\xC3\xA9 \\x7f']");
    expect("{{ -0.0|abs }} {{ -0.5|round(0, 'ceil') }} {{ (-3)|abs }} {{ -1.5|abs }}", "{}",
           "0.0 0.0 3 1.5");
    expect("{{ 1e-400 }} {{ 2e-320 > 0 }}", "{}", "0.0 True");
    refuse("{{ 9223372036854775807|round(-1) }}", DYNO_BAD_INPUT, "does not fit 64 bits");
    refuse("{{ 9223372036854775807|round(-19) }}", DYNO_BAD_INPUT, "does not fit 64 bits");
    refuse("{{ 1.5|round(1, 'up') }}", DYNO_BAD_INPUT, "round by a method other than");
}
END_TEST

START_TEST(the_present_is_an_argument)
{
    expect("{{ strftime_now('%A %d %B %Y, %H:%M:%S %j %-d %p') }}", "{}",
           "Tuesday 29 February 2000, 12:34:56 060 29 PM");
}
END_TEST

START_TEST(mistakes_are_named_with_their_line)
{
    refuse("a\n{{ raise_exception('no ' ~ s) }}", DYNO_BAD_INPUT, "line 2: no x");
    refuse("{{ x.y }}", DYNO_BAD_INPUT, "'x' is undefined");
    refuse("{{ x|int }}", DYNO_BAD_INPUT, "int of what is undefined");
    refuse("{{ (0x5.5)|float(1) }}", DYNO_BAD_INPUT, "float of what is undefined");
    refuse("{{ s + 1 }}", DYNO_BAD_INPUT, "a string and an integer");
    refuse("{{ 1 // 0 }}", DYNO_BAD_INPUT, "division by zero");
    refuse("{{ 9223372036854775807 + 1 }}", DYNO_BAD_INPUT, "64 bits");
    refuse("{{ l.append(2) }}", DYNO_BAD_INPUT, "may not change a list");
    refuse("{% set l.x = 2 %}", DYNO_BAD_INPUT, "only a namespace");
    refuse("{{ s|nonsense }}", DYNO_UNSUPPORTED, "no filter 'nonsense'");
    refuse("{{ s is nonsense }}", DYNO_UNSUPPORTED, "no test 'nonsense'");
    refuse("\n{% include 'x' %}", DYNO_UNSUPPORTED, "line 2: there is no statement 'include'");
    refuse("{% for x in l recursive %}{% endfor %}", DYNO_UNSUPPORTED, "recursive");
    refuse("{{ 1 + }}", DYNO_BAD_INPUT, "an expression is expected");
    refuse("{{ 'a }}", DYNO_BAD_INPUT, "a string has no end");
    refuse("{% if true %}", DYNO_BAD_INPUT, "line 1: endif is expected");
    refuse("{% for x in l %}{% else %}", DYNO_BAD_INPUT, "endfor is expected");
    refuse("{% for x in l %}", DYNO_BAD_INPUT, "endfor is expected");
    refuse("{{ a", DYNO_BAD_INPUT, "{{ has no }}");
    refuse("{# a", DYNO_BAD_INPUT, "has no end");
    refuse("{% raw %}", DYNO_BAD_INPUT, "endraw");
    refuse("{% break %}", DYNO_BAD_INPUT, "belong into a loop");
    refuse("\xFF", DYNO_BAD_INPUT, "not UTF-8");
    refuse("{{ s|trim(a=1) }}", DYNO_BAD_INPUT, "no argument 'a'");
    refuse("{{ [1, 'a']|sort }}", DYNO_BAD_INPUT, "no order");
    refuse("{{ strftime_now('%Q') }}", DYNO_BAD_INPUT, "conversion");
}
END_TEST

START_TEST(hostile_templates_meet_a_limit)
{
    char *deep = calloc(1, 100001);

    refuse("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
           DYNO_FULL, "more than");
    refuse("{{ range(999999999) }}", DYNO_FULL, "more than");
    refuse("{{ 'x' * 99999999999 }}", DYNO_FULL, "more than");
    refuse("{% set n = namespace(t='x') %}{% for i in range(99) %}{% set n.t = n.t + n.t %}"
           "{% endfor %}",
           DYNO_FULL, "more than");
    refuse("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", DYNO_BAD_INPUT, "too deeply");
    refuse("{% set n = namespace(t=[]) %}{% for i in range(5000) %}{% set n.t = [n.t] %}"
           "{% endfor %}{{ n.t|tojson }}",
           DYNO_BAD_INPUT, "too deeply");
    refuse("{% set n = namespace(t=[]) %}{% for i in range(5000) %}{% set n.t = [n.t] %}"
           "{% endfor %}{{ n.t == n.t }}",
           DYNO_BAD_INPUT, "too deeply");
    memset(deep, '(', 100000);
    memcpy(deep, "{{", 2);
    refuse(deep, DYNO_BAD_INPUT, "too deeply");
    memset(deep, '-', 100000);
    memcpy(deep, "{{ ", 3);
    refuse(deep, DYNO_BAD_INPUT, "too deeply");
    for (size_t i = 0; i < 50000; i++) {
        memcpy(deep + 2 * i, "1+", 2);
    }
    memcpy(deep, "{{", 2);
    memcpy(deep + 99996, "1 }}", 4);
    refuse(deep, DYNO_BAD_INPUT, "too deeply");
    free(deep);
}
END_TEST

/* Bytes of texts and names, and 8 for each value: {"l": [1], "s": "x"} is 8 + 1 + 8 + 8 + 1 + 8 + 1
 * = 35; 2^18 steps and 32 for each of them, 2^24 x 5 / 4 at most. */
START_TEST(steps_grow_with_what_is_rendered)
{
    json_t *small = json_pack("{s:[i], s:s}", "l", 1, "s", "x");
    json_t *large = json_object();
    char *text = calloc(1, 1000001);

    ck_assert_uint_eq(dyno_template_steps_max(small), (1 << 18) + 35 * 32);
    refuse("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
           DYNO_FULL, "line 1: more than 263264 steps to render it");
    memset(text, 'x', 100000);
    ck_assert_int_eq(json_object_set_new(large, "s", json_string(text)), 0);
    ck_assert_uint_eq(dyno_template_steps_max(large), (1 << 18) + 100017 * 32);
    memset(text, 'x', 1000000);
    ck_assert_int_eq(json_object_set_new(large, "s", json_string(text)), 0);
    ck_assert_uint_eq(dyno_template_steps_max(large), 20 << 20);
    free(text);
    json_decref(large);
    json_decref(small);
}
END_TEST

START_TEST(a_caller_may_allow_fewer_steps)
{
    struct dyno_template *template_ = NULL;
    struct dyno_error error;
    json_t *none = json_object();
    char *out = NULL;
    size_t size;

    ck_assert_int_eq(
        dyno_template_open(&template_, "{% for a in range(999) %}.{% endfor %}", &error), DYNO_OK);
    ck_assert_int_eq(dyno_template_render(template_, none, NOW_S, 1000, &out, &size, &error),
                     DYNO_FULL);
    ck_assert_str_eq(error.text, "chat template, line 1: more than 1000 steps to render it");
    ck_assert_int_eq(dyno_template_render(template_, none, NOW_S, 100000, &out, &size, &error),
                     DYNO_OK);
    ck_assert_uint_eq(size, 999);
    free(out);
    json_decref(none);
    dyno_template_close(template_);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("template");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, tags_take_their_white_space);
    tcase_add_test(cases, operators_bind_as_in_jinja);
    tcase_add_test(cases, numbers_are_written_as_in_python);
    tcase_add_test(cases, values_are_written_as_python_does);
    tcase_add_test(cases, loops_know_where_they_are);
    tcase_add_test(cases, names_live_in_their_block);
    tcase_add_test(cases, macros_are_called);
    tcase_add_test(cases, slices_and_items_are_pythons);
    tcase_add_test(cases, filters_and_methods_do_their_work);
    tcase_add_test(cases, numbers_are_rounded_and_lines_parted_as_python_does);
    tcase_add_test(cases, the_present_is_an_argument);
    tcase_add_test(cases, mistakes_are_named_with_their_line);
    tcase_add_test(cases, hostile_templates_meet_a_limit);
    tcase_add_test(cases, steps_grow_with_what_is_rendered);
    tcase_add_test(cases, a_caller_may_allow_fewer_steps);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("template", add_cases)
