/* Chat templates that are rendered, where mutations begin: among them they have each statement,
 * operator, filter, test, function and method once.  The variables are fuzz_template.c's. */
#ifndef DYNO_TESTS_FUZZ_TEMPLATE_SEEDS_H
#define DYNO_TESTS_FUZZ_TEMPLATE_SEEDS_H

static const char *const template_seeds[] = {
    "{%- for m in messages %}{{- '<|' + m.role + '|>' + (m.content or '')|trim }}{%- endfor -%}",
    ("{% set ns = namespace(i=0) %}{% for x in l|sort(reverse=true) if x != 2 %}{% set ns.i = ns.i "
     "+ x %}{{ loop.index }}{% else %}n{% endfor %}{{ ns.i }}"),
    "{% macro f(a, b=2) %}{{ a ~ b }}{{ caller() }}{% endmacro %}{% call f(1) %}x{% endcall %}",
    "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|join(', ') }}",
    "{{ tools|tojson(indent=2) }}{{ l[::-1] }}{{ 'a,b'.split(',')[0] }}{% raw %}{{{% endraw %}",
    "{% if n is odd and not e %}{{ n ** 3 // 2 % 5 }}{% elif f < 0 %}{% endif %}{# c -#} x",
    "{% filter upper|indent(2) %}a\nb{% endfilter %}{{ strftime_now('%d %b %Y') }}{{ (1, 'x') }}",
    ("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}"
     "{{ loop.previtem|default('-') }}{{ loop.nextitem|d('-') }}{{ loop.cycle('a', 'b') }}"
     "{{ loop.changed(x > 1) }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.first }}{{ loop.last }}"
     "{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{% endfor %}"),
    ("{% with a = 1, b = [2, 3] %}{% set x %}s{{ a }}{% endset %}{% set y | upper %}t{% endset %}"
     "{% set p, q = 1, 'two' %}{{ x ~ y ~ p ~ q ~ b }}{% endwith %}{% generation %}g"
     "{% endgeneration %}{% set n = dict(a=1) %}{{ n.a }}"),
    ("{{ 1 + 2 * 3 - 4 / 5 }}{{ -7 // 2 }}{{ +7 % 3 }}{{ 2 ** 10 }}{{ 1.5e3 }}{{ 1 < 2 <= 2 > 1 >= "
     "0 != 1 == 1 }}{{ 1 in [1] }}{{ 2 not in [1] }}{{ not false or true and none }}"
     "{{ 'a' if true else 'b' }}{{ 'y' if false }}{{ 'ab' * 2 }}{{ [1] + [2] }}{{ 'a' 'b' }}"),
    ("{{ {'a': 1, 2: none, 'c': [true, false, 1.5, 'q\\'\\n\\t\\u00e9\\x41']} }}{{ () }}{{ (1,) }}"
     "{{ 1e16 }}{{ 0.00001 }}{{ \"it's\" }}{{ 1_000 }}"),
    ("{{ l[1:] }}{{ l[:-1] }}{{ l[2:0:-1] }}{{ l[-1] }}{{ 'abc'[1] }}{{ 'abc'[::-1] }}"
     "{{ messages[0]['role'] }}{{ messages[0].nothing }}{{ l.0 }}{{ l.index(1) }}"),
    ("{{ f|abs }}{{ 'ab'|capitalize }}{{ l|count }}{{ nothing|d(1) }}{{ ''|default('x', true) }}"
     "{{ {'b': 1, 'a': 2}|dictsort(false, 'value', true) }}{{ '<&>'|e }}{{ '\"'|escape }}"
     "{{ l|first }}{{ '1.5'|float }}{{ 'x'|float(2.5) }}{{ 'a\nb'|indent('>', true, true) }}"
     "{{ '12'|int }}{{ 'ff'|int(0, 16) }}{{ {'a': 1}|items|list }}{{ l|join('-') }}{{ l|last }}"),
    ("{{ l|length }}{{ 'ab'|list }}{{ 'AB'|lower }}{{ ['a']|map('upper')|list }}{{ l|max }}"
     "{{ l|min }}{{ l|reject('odd')|list }}{{ messages|rejectattr('tool_calls')|list|length }}"
     "{{ 'aXbX'|replace('X', '-', 1) }}{{ l|reverse|list }}{{ 'abc'|reverse }}{{ 2.345|round(1) }}"
     "{{ 2.5|round(0, 'floor') }}{{ 2.5|round(method='ceil') }}{{ 'x'|safe }}"
     "{{ l|select('gt', 1)|list }}{{ messages|selectattr('content')|list|length }}"),
    ("{{ ['b', 'A']|sort(case_sensitive=true) }}{{ messages|sort(attribute='role')|length }}"
     "{{ 1|string }}{{ l|sum }}{{ messages|map(attribute='q', default=2)|sum(start=1) }}"
     "{{ 'a b'|title }}{{ tools|tojson(sort_keys=true, separators=(',', ':'), ensure_ascii=true) }}"
     "{{ ' x '|trim }}{{ 'xax'|trim('x') }}{{ ['b', 'B', 'a']|unique|list }}{{ 'a'|upper }}"
     "{{ messages|unique(attribute='role')|list|length }}{{ messages|map(attribute='role')|min }}"),
    ("{{ true is boolean }}{{ range is callable }}{{ n is defined }}{{ 9 is divisibleby 3 }}"
     "{{ 1 is eq 1 }}{{ 1 is equalto(1) }}{{ 2 is even }}{{ false is false }}{{ 1.5 is float }}"
     "{{ 2 is ge 1 }}{{ 2 is gt 1 }}{{ 1 is in l }}{{ 1 is integer }}{{ l is iterable }}"
     "{{ 1 is le 1 }}{{ 'a' is lower }}{{ 1 is lt 2 }}{{ {} is mapping }}{{ 1 is ne 2 }}"
     "{{ none is none }}{{ 1 is number }}{{ 1 is odd }}{{ n is sameas n }}{{ l is sequence }}"
     "{{ 'a' is string }}{{ true is true }}{{ q is undefined }}{{ 'A' is upper }}"
     "{{ 1 is not none }}{{ 2 is greaterthan 1 }}{{ 1 is lessthan 2 }}{{ 'x' is filter }}"),
    ("{{ 'ab'.capitalize() }}{{ 'aa'.count('a') }}{{ 'ab'.endswith('b') }}{{ 'ab'.find('b') }}"
     "{{ 'a'.isalpha() }}{{ '1'.isdigit() }}{{ ' '.isspace() }}{{ ','.join(['a', 'b']) }}"
     "{{ 'A'.lower() }}{{ ' a'.lstrip() }}{{ 'xa'.removeprefix('x') }}{{ 'ax'.removesuffix('x') }}"
     "{{ 'aa'.replace('a', 'b', 1) }}{{ 'a.b.c'.rsplit('.', 1) }}{{ 'a '.rstrip() }}"
     "{{ ' a  b '.split() }}{{ 'a\r\nb'.splitlines() }}{{ 'Ab'.startswith(('x', 'A')) }}"
     "{{ 'xax'.strip('x') }}{{ \"it's\".title() }}{{ 'stra\xC3\x9F"
     "e'.upper() }}"),
    ("{{ {'a': 1}.get('x', 9) }}{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}"
     "{{ {'a': 1}.keys()|list }}{{ {'a': 1}.values()|list }}"
     "{% macro g(n) %}{% if n > 0 %}{{ g(n - 1) }}{% endif %}{{ varargs }}{% endmacro %}{{ g(2) }}"
     "{% call(v) g(1) %}{{ v }}{% endcall %}"),
    ("{{ strftime_now('%A %a %B %b %d %-d %H %I %j %M %m %p %S %y %Y %%') }}a\r\n  {%+ if 1 +%}\n"
     "{% endif %}\n\n{%- if n %}{% for x in e %}{% else %}none{% endfor %}{% endif -%} \n b"),
};

enum { TEMPLATE_SEEDS = sizeof template_seeds / sizeof template_seeds[0] };

#endif
