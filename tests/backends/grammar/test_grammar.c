/* What grammars of schemas accept and refuse, by hand. */
#include <stdio.h>

#include "tests/backends/grammar/schemas.h"
#include "tests/check_main.h"

/* ' stands for ". */
struct example {
    const char *schema;
    const char *good[10], *bad[14];
};

static void judge(const struct dyno_grammar *grammar, const char *schema, const char *text,
                  bool good)
{
    char *copy = strdup(text);

    for (char *at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    ck_assert_msg(is_complete(grammar, copy) == good, "%s: %s is%s accepted", schema, copy,
                  good ? " not" : "");
    free(copy);
}

static void check_examples(const struct example *examples, size_t count, bool strict)
{
    for (size_t i = 0; i < count; i++) {
        struct dyno_error error;
        struct dyno_grammar *grammar = grammar_of(examples[i].schema, strict, &error);

        ck_assert_msg(grammar != NULL, "%s: %s", examples[i].schema, error.text);
        for (size_t j = 0; examples[i].good[j]; j++) {
            judge(grammar, examples[i].schema, examples[i].good[j], true);
        }
        for (size_t j = 0; examples[i].bad[j]; j++) {
            judge(grammar, examples[i].schema, examples[i].bad[j], false);
        }
        dyno_grammar_close(grammar);
    }
}

#define CHECK(list, strict) check_examples(list, sizeof(list) / sizeof *(list), strict)

START_TEST(scalars_are_what_json_says)
{
    static const struct example examples[] = {
        {"{'type':'null'}",
         {"null", " null"},
         {"nul", "nulls", "null ", "  null", "\nnull", "NULL"}},
        {"{'type':'boolean'}", {"true", "false"}, {"1", "truefalse", ""}},
        {"{'type':'integer'}",
         {"0", "-1", "10", "999999999999999999"},
         {"00", "-0", "01", "1.0", "1e3", "+1", "-", "1000000000000000000"}},
        {"{'type':'number'}",
         {"0", "-0.5", "1.25e-7", "3E+10", "12345"},
         {"01", ".5", "1.", "1e", "1e100", "--1", "0x1", "NaN"}},
        {"{'type':'string'}",
         {"''", "'a'", "'\\n\\u00e9\\\\\\/'", "'\xc3\xa9\xf0\x9f\x98\x80'", "'\\ud83d\\ude00'"},
         {"'", "'\n'", "'\\x'", "'\\u12'", "'\xc3'", "'\xc0\x80'", "'\xed\xa0\x80'", "'\\ud83d'",
          "'\\ude00'", "'\xf4\x90\x80\x80'", "a"}},
        {"{'type':'string','minLength':2,'maxLength':3}",
         {"'ab'", "'\xc3\xa9\xc3\xa9\xc3\xa9'", "'\\ud83d\\ude00\\n'"},
         {"''", "'a'", "'abcd'", "'\\ud83d\\ude00'"}},
        {"{'type':['string','null']}", {"'x'", "null"}, {"1", "[]"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(bounds_of_numbers_are_kept)
{
    static const struct example examples[] = {
        {"{'type':'integer','minimum':-12,'maximum':105}",
         {"-12", "-1", "0", "9", "100", "105"},
         {"-13", "-20", "106", "110", "-100", "1050"}},
        {"{'type':'integer','exclusiveMinimum':0}", {"1", "10", "7"}, {"0", "-1", "01"}},
        {"{'type':'integer','minimum':1.5,'exclusiveMaximum':4}", {"2", "3"}, {"1", "4"}},
        {"{'type':'integer','maximum':9223372036854775807,'minimum':0}", {"0", "12"}, {"-1"}},
        {"{'type':'number','minimum':0,'maximum':1}",
         {"0", "0.5", "1", "1.0", "0.0", "0.999"},
         {"1.1", "-0.1", "1.01", "2", "10", "1e0"}},
        {"{'type':'number','exclusiveMinimum':0}",
         {"0.001", "1", "12.5"},
         {"0", "0.0", "-1", "0.00"}},
        {"{'type':'number','minimum':-3,'exclusiveMaximum':0}",
         {"-3", "-3.0", "-0.5", "-2.75", "-1"},
         {"0", "-0", "-0.0", "-3.1", "-4", "1"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(strict_objects_have_their_properties_in_order)
{
    static const struct example examples[] = {
        {"{'type':'object','properties':{'a':{'type':'integer'},'b':{'type':'string'},"
         "'ab':{'type':'null'}},'required':['a','ab']}",
         {"{'a':1,'b':'x','ab':null}", "{'a':1,'ab':null}", "{ 'a': 1, 'ab': null }",
          "{\n  'a': 1,\n  'ab': null\n}"},
         {"{}", "{'a':1}", "{'ab':null,'a':1}", "{'a':1,'a':1,'ab':null}", "{'a':1,'ab':null,}",
          "{'a':1,'c':2,'ab':null}", "{'a' :1,'ab':null}", "{'a':1 ,'ab':null}",
          "{'a':'1','ab':null}", "{'a':1,\t'ab':null}", "{'a':1,\n\n'ab':null}",
          "{'a':1,                  'ab':null}"}},
        {"{'properties':{'\\u00e9\\n':true}}", {"{'\xc3\xa9\\n':[]}", "{}"}, {"{'\\u00e9\\n':1}"}},
        {"{'type':'object'}", {"{}", "{ }"}, {"{'a':1}", "[]"}},
        {"{'type':'object','properties':{'':{'const':1}}}", {"{'':1}"}, {"{'a':1}"}},
        {"{'type':'object','additionalProperties':{'type':'integer'},"
         "'properties':{'no':false,'yes':{'type':'null'}}}",
         {"{}", "{'x':1}", "{'n':1,'yes':null,'nope':2}", "{'':7}"},
         {"{'no':1}", "{'x':null}", "{'yes':1}", "{'yes':null,'yes':null}", "{'\\u006eo':1}"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(other_objects_have_theirs_in_any_order)
{
    static const struct example examples[] = {
        {"{'type':'object','properties':{'a':{'type':'integer'},'b':{'type':'string'}},"
         "'required':['b','c']}",
         {"{'a':1,'b':'x','c':0}", "{'c':{'d':[]},'b':'x','a':1}", "{'b':'','c':1,'d':true}",
          "{'ab':1,'b':'','c':1}"},
         {"{}", "{'a':1,'b':''}", "{'b':'','c':1,'b':''}", "{'b':1,'c':1}"}},
        {"{'type':'object','properties':{'a':{'type':'integer'},'b':{'type':'string'}},"
         "'additionalProperties':false}",
         {"{}", "{'b':'','a':1}", "{'a':1}"},
         {"{'c':1}", "{'a':1,'a':1}"}},
    };

    CHECK(examples, false);
}
END_TEST

START_TEST(arrays_are_counted)
{
    static const struct example examples[] = {
        {"{'type':'array','items':{'type':'integer'},'minItems':2,'maxItems':3}",
         {"[1,2]", "[1, 2, 3]", "[\n  1,\n  2\n]", "[ 1,2 ]"},
         {"[]", "[1]", "[1,2,3,4]", "[1,2,]", "[,1,2]", "[1 ,2]", "[1,2", "[1,null]"}},
        {"{'prefixItems':[{'type':'string'},{'type':'null'}],'items':false}",
         {"[]", "['a']", "['a',null]"},
         {"[null]", "['a',null,1]"}},
        {"{'type':'array','prefixItems':[{'type':'string'}],'items':{'type':'integer'}}",
         {"['a',1,2,3]", "[]"},
         {"[1]", "['a','b']"}},
        {"{'type':'array','maxItems':0}", {"[]", "[ ]"}, {"[1]"}},
        {"{'type':'array'}", {"[[[]],{'a':[1]}]", "[]"}, {"[[]"}},
    };

    CHECK(examples, false);
}
END_TEST

START_TEST(enumerations_and_unions_take_any_of_theirs)
{
    static const struct example examples[] = {
        {"{'enum':['red','re',1,12,null,{'a':[1.5]}]}",
         {"'red'", "'re'", "1", "12", "null", "{'a':[1.5]}"},
         {"'r'", "'redd'", "2", "{'a':[1.50]}", "{ 'a':[1.5]}"}},
        {"{'type':'string','enum':['a',1]}", {"'a'"}, {"1"}},
        {"{'const':0.1}", {"0.1"}, {"0.10"}},
        {"{'anyOf':[{'type':'integer'},{'type':'object','properties':{'a':{'const':1}},"
         "'required':['a']},{'type':'object','properties':{'a':{'const':12},'b':true},"
         "'required':['a','b']}]}",
         {"5", "{'a':1}", "{'a':12,'b':[]}"},
         {"{'a':12}", "{'a':1,'b':[]}", "'x'", "{'a':2}"}},
        {"{'oneOf':[{'const':'a','title':'A'},{'const':'b'},{'type':'null'}]}",
         {"'a'", "'b'", "null"},
         {"'c'"}},
        {"{'allOf':[{'$ref':'#/$defs/x'}],'$defs':{'x':{'type':'boolean'}}}", {"true"}, {"1"}},
        {"true", {"1", "[]", "{'a':{}}", "'x'"}, {"", "}", "[}"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(schemas_may_refer_to_themselves)
{
    static const struct example examples[] = {
        {"{'type':'object','properties':{'value':{'type':'integer'},'next':{'anyOf':[{'$ref':'#'},"
         "{'type':'null'}]}},'required':['value','next']}",
         {"{'value':1,'next':null}", "{'value':1,'next':{'value':2,'next':null}}"},
         {"{'value':1,'next':{}}", "{'value':1}"}},
        {"{'$ref':'#/$defs/a~1b%25','$defs':{'a/b%':{'type':'array','items':{'$ref':"
         "'#/$defs/a~1b%25'}}}}",
         {"[]", "[[],[[]]]"},
         {"[1]", "{}"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(patterns_match_anywhere_unless_anchored)
{
    static const struct example examples[] = {
        {"{'pattern':'^[a-c]+$'}", {"'abc'", "'a'"}, {"''", "'abd'", "'\\u0061'"}},
        {"{'pattern':'b'}", {"'b'", "'abc'", "'\\nb'"}, {"'ac'", "''"}},
        {"{'pattern':'^a|b$'}", {"'ax'", "'xb'"}, {"'xa'", "'bx'"}},
        {"{'pattern':'^(\\\\d{3}-)?\\\\d{2,4}$'}",
         {"'123-4567'", "'12'", "'1234'"},
         {"'1'", "'12345'", "'123-'"}},
        {"{'pattern':'^[^a-z\\\\s]\\\\w?\\\\.$'}",
         {"'A1.'", "'\xc3\xa9.'", "'\\\\.'"},
         {"'a.'", "' .'"}},
        {"{'pattern':'^.{2}$'}", {"'\xf0\x9f\x98\x80\xc3\xa9'", "'\\'a'"}, {"'a'", "'\\na'"}},
        {"{'pattern':'^a*$','minLength':2,'maxLength':3}", {"'aa'", "'aaa'"}, {"'a'", "'aaaa'"}},
        {"{'pattern':'^(?:x|yz)*?\\\\u{e9}\\\\x41$'}",
         {"'yzx\xc3\xa9"
          "A'"},
         {"'y\xc3\xa9"
          "A'"}},
    };

    CHECK(examples, true);
}
END_TEST

START_TEST(depth_is_limited_and_the_text_can_always_end)
{
    struct dyno_error error;
    struct dyno_grammar *any = NULL;
    struct dyno_grammar_state state;
    uint32_t depth = 0;

    ck_assert_int_eq(dyno_grammar_of_any(&any, false, &error), DYNO_OK);
    dyno_grammar_begin(any, &state);
    while (dyno_grammar_advance(any, &state, depth % 2 ? "{\"\":" : "[", depth % 2 ? 4 : 1)) {
        depth++;
    }
    ck_assert_uint_eq(depth, DYNO_GRAMMAR_DEPTH_MAX);
    ck_assert(dyno_grammar_advance(any, &state, "1", 1));
    while (depth-- > 0) {
        ck_assert(!dyno_grammar_may_end(any, &state));
        ck_assert(dyno_grammar_advance(any, &state, depth % 2 ? "}" : "]", 1));
    }
    ck_assert(dyno_grammar_may_end(any, &state));
    ck_assert(!dyno_grammar_advance(any, &state, " ", 1));
    dyno_grammar_close(any);
}
END_TEST

START_TEST(any_object_is_an_object)
{
    struct dyno_error error;
    struct dyno_grammar *any = NULL;

    ck_assert_int_eq(dyno_grammar_of_any(&any, true, &error), DYNO_OK);
    ck_assert(is_complete(any, "{\"a\": [1, \"x\", {\"b\": null}]}"));
    ck_assert(!is_complete(any, "[]"));
    ck_assert_uint_gt(dyno_grammar_bytes(any), sizeof(void *));
    dyno_grammar_close(any);
}
END_TEST

START_TEST(what_is_not_understood_is_refused_by_name)
{
    static const struct {
        const char *schema, *says;
        dyno_status status;
    } examples[] = {
        {"1", "something else than an object or a boolean at '#'", DYNO_BAD_INPUT},
        {"false", "nothing that a text", DYNO_BAD_INPUT},
        {"{'properties':{'a':{'multipleOf':2}}}", "'#/properties/a/multipleOf'", DYNO_UNSUPPORTED},
        {"{'not':{}}", "'#/not'", DYNO_UNSUPPORTED},
        {"{'type':'strin'}", "'#/type'", DYNO_BAD_INPUT},
        {"{'anyOf':[true,{'if':true}]}", "'#/anyOf/1/if'", DYNO_UNSUPPORTED},
        {"{'anyOf':[]}", "'#/anyOf'", DYNO_BAD_INPUT},
        {"{'anyOf':[true],'type':'object'}", "beside 'anyOf' at '#/type'", DYNO_UNSUPPORTED},
        {"{'allOf':[true,true]}", "'#/allOf'", DYNO_UNSUPPORTED},
        {"{'$ref':'other.json'}", "'#/$ref'", DYNO_UNSUPPORTED},
        {"{'$ref':'#/$defs/x'}", "'#/$ref'", DYNO_BAD_INPUT},
        {"{'$ref':'#'}", "nothing that a text", DYNO_BAD_INPUT},
        {"{'type':'object','required':['x']}", "'x', which is none", DYNO_BAD_INPUT},
        {"{'properties':{'a':{'$ref':'#'}},'required':['a']}", "nothing that a text",
         DYNO_BAD_INPUT},
        {"{'items':[true]}", "'prefixItems'", DYNO_UNSUPPORTED},
        {"{'minItems':-1}", "'#/minItems'", DYNO_BAD_INPUT},
        {"{'type':'array','minItems':3,'maxItems':2}", "nothing that a text", DYNO_BAD_INPUT},
        {"{'type':'integer','minimum':3,'maximum':2}", "nothing that a text", DYNO_BAD_INPUT},
        {"{'type':'number','minimum':0.5}", "'#/minimum'", DYNO_UNSUPPORTED},
        {"{'format':'shoe-size'}", "'#/format'", DYNO_UNSUPPORTED},
        {"{'pattern':'(?=a)'}", "'#/pattern'", DYNO_UNSUPPORTED},
        {"{'pattern':'a\\\\b'}", "'#/pattern'", DYNO_UNSUPPORTED},
        {"{'pattern':'(a)\\\\1'}", "'#/pattern'", DYNO_UNSUPPORTED},
        {"{'pattern':'('}", "')'", DYNO_BAD_INPUT},
        {"{'pattern':'a)'}", "')'", DYNO_BAD_INPUT},
        {"{'pattern':'[b-a]'}", "a range that is none", DYNO_BAD_INPUT},
        {"{'pattern':'*'}", "repetition of nothing", DYNO_BAD_INPUT},
        {"{'pattern':'^[]$'}", "nothing that a text", DYNO_BAD_INPUT},
    };

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct dyno_error error;
        struct dyno_grammar *grammar = grammar_of(examples[i].schema, true, &error);

        ck_assert_msg(!grammar, "%s is understood", examples[i].schema);
        ck_assert_msg(error.status == examples[i].status && strstr(error.text, examples[i].says),
                      "%s: %d, %s", examples[i].schema, error.status, error.text);
    }
}
END_TEST

/* The schema `head`, then `middle` so many times, with its number for @, then `tail`. */
static char *repeated(const char *head, const char *middle, size_t times, const char *tail)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    (void)fputs(head, file);
    for (size_t i = 0; i < times; i++) {
        for (const char *at = middle; *at; at++) {
            (void)(*at == '@' ? fprintf(file, "%zu", i) : fputc(*at, file));
        }
    }
    (void)fputs(tail, file);
    (void)fclose(file);
    return text;
}

static void expect_full(char *text, const char *says)
{
    struct dyno_error error;
    struct dyno_grammar *grammar = grammar_of(text, false, &error);

    ck_assert_msg(!grammar && error.status == DYNO_FULL && strstr(error.text, says), "%.60s: %s",
                  text, error.text);
    free(text);
}

START_TEST(hostile_schemas_are_refused_or_small)
{
    struct dyno_error error;
    struct dyno_grammar *grammar;
    char *text;

    grammar = grammar_of("{'type':'array','minItems':1000000000,'items':{'minLength':1000000000,"
                         "'type':'string'}}",
                         true, &error);
    ck_assert_uint_lt(dyno_grammar_bytes(grammar), 10000);
    dyno_grammar_close(grammar);
    expect_full(strdup("{'pattern':'^(a|b)*a(a|b){40}$'}"), "automaton");
    expect_full(strdup("{'pattern':'(((((a{1000}){1000}){1000}){1000}){1000}){1000}'}"),
                "automaton");
    expect_full(strdup("{'pattern':'x','maxLength':1000000}"), "automaton");
    expect_full(strdup("{'pattern':'a{2000000}'}"), "repetition");
    expect_full(repeated("{'pattern':'", "(", 40, "'}"), "nested too deep");
    expect_full(repeated("{'pattern':'", "a", 5000, "'}"), "longer");
    expect_full(repeated("{'properties':{", "'p@':true,", 65, "'x':true}}"), "properties");
    expect_full(
        repeated("{'anyOf':[", "{'type':'object','required':['a@']},", 16, "{'type':'object'}]}"),
        "begin with '{'");
    expect_full(repeated("{'prefixItems':[", "{},", 70000, "{}]}"), "'#/prefixItems/");
    expect_full(repeated("{'anyOf':[", "{'enum':['a@']},", 90000, "{'type':'null'}]}"),
                "alternatives");
    text = repeated("{'$defs':{", "'d@':{'anyOf':[{'$ref':'#/$defs/d0'},{'$ref':'#'}]},", 2000,
                    "'x':true},'anyOf':[{'type':'null'},{'$ref':'#/$defs/d1'}]}");
    grammar = grammar_of(text, true, &error);
    ck_assert_msg(grammar != NULL, "%s", error.text);
    ck_assert(is_complete(grammar, "null"));
    dyno_grammar_close(grammar);
    free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("grammar");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, scalars_are_what_json_says);
    tcase_add_test(tcase, bounds_of_numbers_are_kept);
    tcase_add_test(tcase, strict_objects_have_their_properties_in_order);
    tcase_add_test(tcase, other_objects_have_theirs_in_any_order);
    tcase_add_test(tcase, arrays_are_counted);
    tcase_add_test(tcase, enumerations_and_unions_take_any_of_theirs);
    tcase_add_test(tcase, schemas_may_refer_to_themselves);
    tcase_add_test(tcase, patterns_match_anywhere_unless_anchored);
    tcase_add_test(tcase, depth_is_limited_and_the_text_can_always_end);
    tcase_add_test(tcase, any_object_is_an_object);
    tcase_add_test(tcase, what_is_not_understood_is_refused_by_name);
    tcase_add_test(tcase, hostile_schemas_are_refused_or_small);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("grammar", add_cases)
