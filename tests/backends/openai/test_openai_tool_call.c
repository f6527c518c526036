/* Tool calls in what a model writes. */
#include "backends/openai/tool_call.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

#define CALL(name)   "{\"name\": \"" name "\", \"arguments\": {\"x\": [0.1, \"}\"]}}"
#define TAGGED(name) "<tool_call>\n" CALL(name) "\n</tool_call>"

static struct dyno_openai_tools open_tools(void)
{
    return (struct dyno_openai_tools){
        .list = json_pack("[{s:s,s:{s:s}},{s:s,s:{s:s,s:{s:{s:{s:s}}}}}]", "type", "function",
                          "function", "name", "f", "type", "function", "function", "name", "g",
                          "parameters", "properties", "s", "type", "string")};
}

/* Text, then every call as [name arguments], of an answer that is fed in parts of `part` bytes. */
static void read_answer(enum dyno_openai_call_form form, const char *answer, size_t part, char *out,
                        size_t room)
{
    struct dyno_openai_tools tools = open_tools();
    struct dyno_openai_call_reader reader;
    size_t size = strlen(answer), used;

    dyno_openai_call_reader_init(&reader, form, &tools, 1, 2);
    for (size_t i = 0; i < size; i += part) {
        ck_assert_int_eq(
            dyno_openai_call_reader_feed(&reader, answer + i, part < size - i ? part : size - i),
            DYNO_OK);
    }
    ck_assert_int_eq(dyno_openai_call_reader_end(&reader), DYNO_OK);
    used = (size_t)snprintf(out, room, "%.*s", (int)reader.text.size,
                            reader.text.data ? reader.text.data : "");
    for (uint32_t i = 0; i < reader.call_count; i++) {
        ck_assert_uint_eq(reader.calls[i].arguments_size, strlen(reader.calls[i].arguments));
        used += (size_t)snprintf(out + used, room - used, "[%s %s]", reader.calls[i].name,
                                 reader.calls[i].arguments);
    }
    ck_assert(used < room);
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}

static const struct example {
    enum dyno_openai_call_form form;
    const char *answer, *due;
} examples[] = {
    {DYNO_OPENAI_CALL_TAGGED, TAGGED("f"), "[f {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "I look.\n" TAGGED("f") "\n" TAGGED("g") "\n",
     "I look.\n[f {\"x\": [0.1, \"}\"]}][g {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "\n\n" TAGGED("f"), "[f {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, TAGGED("f") " and so", " and so[f {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>" CALL("f") "<tool_call>" CALL("g"),
     "[f {\"x\": [0.1, \"}\"]}][g {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>" CALL("f") "</tool_c", "[f {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>" CALL("f") "</too much",
     "</too much[f {\"x\": [0.1, \"}\"]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"parameters\":{} , \"name\":\"f\"}</tool_call>",
     "[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\"}</tool_call>", "[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\",\"x\":\"arguments\"}</tool_call>",
     "[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED,
     "<tool_call>{\"name\":\"f\",\"arguments\":{\"t\":\"</tool_call>\\\"\"}}</tool_call>",
     "[f {\"t\":\"</tool_call>\\\"\"}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"h\"}</tool_call>",
     "<tool_call>{\"name\":\"h\"}</tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\",\"arguments\":5}</tool_call>",
     "<tool_call>{\"name\":\"f\",\"arguments\":5}</tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\",}</tool_call>",
     "<tool_call>{\"name\":\"f\",}</tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\",\"argument\\u0073\":{}}</tool_call>",
     "<tool_call>{\"name\":\"f\",\"argument\\u0073\":{}}</tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"f\"", "<tool_call>{\"name\":\"f\""},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call><tool_call>{\"name\":\"f\"}", "<tool_call>[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>none", "<tool_call>none"},
    {DYNO_OPENAI_CALL_TAGGED, "a < b <<tool_call>{\"name\":\"f\"}", "a < b <[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED, "a <tool", "a <tool"},
    {DYNO_OPENAI_CALL_TAGGED, " \n ", " \n "},
    {DYNO_OPENAI_CALL_TAGGED, "", ""},
    {DYNO_OPENAI_CALL_TAGGED, CALL("f"), CALL("f")},
    {DYNO_OPENAI_CALL_BARE, "{\"name\": \"f\", \"parameters\": {\"x\": 1.0}}", "[f {\"x\": 1.0}]"},
    {DYNO_OPENAI_CALL_BARE,
     "<|python_tag|>{\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}", "[f {}]"},
    {DYNO_OPENAI_CALL_BARE, " {\"name\":\"f\"}; {\"name\":\"g\"} ; ", "[f {}][g {}]"},
    {DYNO_OPENAI_CALL_BARE, "{\"name\":\"f\"} done", " done[f {}]"},
    {DYNO_OPENAI_CALL_BARE, "{\"answer\":42} {\"name\":\"f\"}", "{\"answer\":42} {\"name\":\"f\"}"},
    {DYNO_OPENAI_CALL_BARE, "So: {\"name\":\"f\"}", "So: {\"name\":\"f\"}"},
    {DYNO_OPENAI_CALL_BARE, "<|python_tag|>print(1)", "<|python_tag|>print(1)"},
    {DYNO_OPENAI_CALL_BARE, "<|pyt", "<|pyt"},
    {DYNO_OPENAI_CALL_BARE, TAGGED("f"), TAGGED("f")},
    {DYNO_OPENAI_CALL_BARE, "; {\"name\":\"f\"}", "; {\"name\":\"f\"}"},
    /* Once arguments begin, it is a call, whatever they are and whether they end. */
    {DYNO_OPENAI_CALL_TAGGED,
     "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\": [1, ]}}</tool_call>", "[f {\"x\": [1, ]}]"},
    {DYNO_OPENAI_CALL_TAGGED, "So: <tool_call>{\"name\": \"f\" , \"arguments\" : {\"x\": \"{",
     "So: [f {\"x\": \"{]"},
    {DYNO_OPENAI_CALL_TAGGED,
     "<tool_call>{\"name\":\"f\",\"arguments\":{},\"id\":{\"a\":1}} </tool_call>x", "x[f {}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"name\":\"h\",\"arguments\":{}}</tool_call>",
     "<tool_call>{\"name\":\"h\",\"arguments\":{}}</tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call>{\"x\":{},\"name\":\"f\",\"arguments\":{}}</tool_call>",
     "[f {}]"},
    /* Mistral. */
    {DYNO_OPENAI_CALL_ARRAY,
     "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"x\": 1}}, {\"name\": \"g\", "
     "\"arguments\": {}, \"id\": \"9\"}]",
     "[f {\"x\": 1}][g {}]"},
    {DYNO_OPENAI_CALL_ARRAY, "[{\"name\": \"f\", \"arguments\": {}}]\n", "[f {}]"},
    {DYNO_OPENAI_CALL_ARRAY, "[TOOL_CALLS]f[ARGS]{\"x\": {}}[TOOL_CALLS]g{\"y\": [2]}",
     "[f {\"x\": {}}][g {\"y\": [2]}]"},
    {DYNO_OPENAI_CALL_ARRAY, "[TOOL_CALLS]h[ARGS]{\"x\": 1}", "[TOOL_CALLS]h[ARGS]{\"x\": 1}"},
    {DYNO_OPENAI_CALL_ARRAY, "[1] says so", "[1] says so"},
    {DYNO_OPENAI_CALL_ARRAY, "[{\"a\": 1}]", "[{\"a\": 1}]"},
    {DYNO_OPENAI_CALL_ARRAY, "[TOOL", "[TOOL"},
    {DYNO_OPENAI_CALL_ARRAY, "No [TOOL_CALLS][{\"name\":\"f\"}]",
     "No [TOOL_CALLS][{\"name\":\"f\"}]"},
    /* Qwen3-Coder: g's schema says that s is a string. */
    {DYNO_OPENAI_CALL_TAGGED,
     "I look.\n<tool_call>\n<function=g>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\n12\n"
     "</parameter>\n<parameter=t>a \"<b>\"\nc\n</parameter>\n</function>\n</tool_call>\n",
     "I look.\n[g {\"s\": \"12\", \"n\": 12, \"t\": \"a \\\"<b>\\\"\\nc\"}]"},
    {DYNO_OPENAI_CALL_TAGGED,
     "<tool_call><function=f></function></tool_call><tool_call><function=g>"
     "<parameter=o>{\"x\": [1]}</parameter></function></tool_call>",
     "[f {}][g {\"o\": {\"x\": [1]}}]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call><function=h></function></tool_call>",
     "<tool_call><function=h></function></tool_call>"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call><function=f><parameter=x>1</param", "[f {]"},
    {DYNO_OPENAI_CALL_TAGGED, "<tool_call><fun", "<tool_call><fun"},
};

START_TEST(calls_are_taken_out_and_everything_else_is_text)
{
    char out[512];

    for (size_t part = 1; part < 100; part++) {
        read_answer(examples[_i].form, examples[_i].answer, part, out, sizeof out);
        ck_assert_msg(strcmp(out, examples[_i].due) == 0, "%s\nin parts of %zu is\n%s\nnot\n%s",
                      examples[_i].answer, part, out, examples[_i].due);
    }
}
END_TEST

START_TEST(text_goes_out_at_once_but_for_what_may_be_a_tag)
{
    struct dyno_openai_tools tools = open_tools();
    struct dyno_openai_call_reader reader;

    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_TAGGED, &tools, 1, 2);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, "hello <too", 10), DYNO_OK);
    ck_assert_uint_eq(reader.text.size, 6);
    dyno_bytes_clear(&reader.text);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, " bad", 4), DYNO_OK);
    ck_assert_uint_eq(reader.text.size, 8);
    ck_assert_mem_eq(reader.text.data, "<too bad", 8);
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}
END_TEST

/* What is known of the arguments after each piece of an answer. */
START_TEST(arguments_come_as_they_are_written)
{
    static const struct {
        const char *piece, *arguments;
        bool is_open;
    } steps[] = {{"<tool_call>{\"name\": \"f\", \"argu", NULL, false},
                 {"ments\": {\"x", "{\"x", true},
                 {"\": \"a}", "{\"x\": \"a}", true},
                 {"\"}", "{\"x\": \"a}\"}", false},
                 {"}</tool_call>", "{\"x\": \"a}\"}", false}};
    struct dyno_openai_tools tools = open_tools();
    struct dyno_openai_call_reader reader;

    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_TAGGED, &tools, 1, 2);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        ck_assert_int_eq(
            dyno_openai_call_reader_feed(&reader, steps[i].piece, strlen(steps[i].piece)), DYNO_OK);
        ck_assert_uint_eq(reader.call_count, steps[i].arguments != NULL);
        ck_assert_int_eq(reader.is_open, steps[i].is_open);
        if (steps[i].arguments) {
            ck_assert_str_eq(reader.calls[0].arguments, steps[i].arguments);
        }
    }
    ck_assert_int_eq(dyno_openai_call_reader_end(&reader), DYNO_OK);
    ck_assert(!reader.is_cut);
    ck_assert_uint_eq(reader.text.size, 0);
    dyno_openai_call_reader_release(&reader);
    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_TAGGED, &tools, 1, 2);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, steps[0].piece, strlen(steps[0].piece)),
                     DYNO_OK);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, steps[1].piece, strlen(steps[1].piece)),
                     DYNO_OK);
    ck_assert_int_eq(dyno_openai_call_reader_end(&reader), DYNO_OK);
    ck_assert(reader.is_cut && !reader.is_open);
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}
END_TEST

START_TEST(every_call_has_an_id_of_its_own)
{
    struct dyno_openai_tools tools = open_tools();
    static const char answer[] = "{\"name\":\"f\"};{\"name\":\"g\"}";
    struct dyno_openai_call_reader reader;

    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_BARE, &tools, 1, 2);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, answer, sizeof answer - 1), DYNO_OK);
    ck_assert_uint_eq(reader.call_count, 2);
    ck_assert_str_eq(reader.calls[0].id, "call-00000000000000010000000000000002");
    ck_assert_str_eq(reader.calls[1].id, "call-00000000000000010000000000000003");
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}
END_TEST

/* `size` bytes of `byte` after `begin`: what is without end is text, and no memory is without end.
 */
static void expect_text_of_all(const char *begin, char byte, size_t size)
{
    struct dyno_openai_tools tools = open_tools();
    struct dyno_openai_call_reader reader;
    char *text = malloc(size);

    ck_assert_ptr_nonnull(text);
    memset(text, byte, size);
    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_TAGGED, &tools, 1, 2);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, begin, strlen(begin)), DYNO_OK);
    ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, text, size), DYNO_OK);
    ck_assert_int_eq(dyno_openai_call_reader_end(&reader), DYNO_OK);
    ck_assert_uint_eq(reader.text.size, strlen(begin) + size);
    ck_assert_uint_eq(reader.call_count, 0);
    free(text);
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}

START_TEST(what_has_no_end_is_text)
{
    expect_text_of_all("<tool_call>{\"name\":\"", 'a', 3 << 20);
    expect_text_of_all("<tool_call>", ' ', 3 << 20);
    expect_text_of_all("", ' ', 3 << 20);
    expect_text_of_all("<tool_call>{\"x\":", '[', 100000);
}
END_TEST

START_TEST(there_is_a_limit_to_calls)
{
    struct dyno_openai_tools tools = open_tools();
    struct dyno_openai_call_reader reader;

    dyno_openai_call_reader_init(&reader, DYNO_OPENAI_CALL_BARE, &tools, 1, 2);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(dyno_openai_call_reader_feed(&reader, "{\"name\":\"f\"};", 13), DYNO_OK);
    }
    ck_assert_uint_eq(reader.call_count, DYNO_OPENAI_CALLS_MAX);
    ck_assert_uint_eq(reader.text.size, (200 - DYNO_OPENAI_CALLS_MAX) * 13 + 1); /* and a ';' */
    dyno_openai_call_reader_release(&reader);
    json_decref(tools.list);
}
END_TEST

START_TEST(where_a_text_is_cut_does_not_matter)
{
    static const char *const pieces[] = {"<tool_call>",
                                         "</tool_call>",
                                         "{\"name\":\"f\"",
                                         "}",
                                         ",\"arguments\":{",
                                         "\"a\":\"",
                                         "<",
                                         "tool",
                                         "\n",
                                         " ",
                                         "{",
                                         "\"",
                                         "\\",
                                         "x",
                                         "<|python_tag|>",
                                         ";",
                                         "{\"name\":\"g\"}",
                                         "{\"name\":\"g\",\"arguments\":{",
                                         "[TOOL_CALLS]",
                                         "[",
                                         "]",
                                         "f[ARGS]{",
                                         "<function=g>",
                                         "<parameter=s>",
                                         "</parameter>",
                                         "</function>"};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "cuts");
    for (int round = 0; round < 300; round++) {
        char answer[400] = "", whole[1000], parts[1000];
        uint64_t count = dyno_rng_below(&rng, 16);

        for (uint64_t i = 0; i < count; i++) {
            const char *piece = pieces[dyno_rng_below(&rng, sizeof pieces / sizeof *pieces)];

            memcpy(answer + strlen(answer), piece, strlen(piece) + 1);
        }
        for (int form = 0; form < 3; form++) {
            read_answer((enum dyno_openai_call_form)form, answer, 400, whole, sizeof whole);
            read_answer((enum dyno_openai_call_form)form, answer, 1 + dyno_rng_below(&rng, 7),
                        parts, sizeof parts);
            ck_assert_msg(strcmp(whole, parts) == 0, "%s\nis\n%s\nor\n%s", answer, whole, parts);
        }
    }
}
END_TEST

START_TEST(a_template_says_which_form_its_model_writes)
{
    ck_assert_int_eq(dyno_openai_call_form_of("... <tool_call>\n{\"name\": <function-name>"),
                     DYNO_OPENAI_CALL_TAGGED);
    ck_assert_int_eq(
        dyno_openai_call_form_of("Respond in the format {\"name\": name, \"parameters\": {}}"),
        DYNO_OPENAI_CALL_BARE);
    ck_assert_int_eq(dyno_openai_call_form_of("{{ '<|python_tag|>' }}"), DYNO_OPENAI_CALL_BARE);
    ck_assert_int_eq(dyno_openai_call_form_of("{{ messages }}"), DYNO_OPENAI_CALL_TAGGED);
    ck_assert_int_eq(dyno_openai_call_form_of("{{ '[TOOL_CALLS][' }} {\"parameters\""),
                     DYNO_OPENAI_CALL_ARRAY);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("calls");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, calls_are_taken_out_and_everything_else_is_text, 0,
                        (int)(sizeof examples / sizeof *examples));
    tcase_add_test(cases, text_goes_out_at_once_but_for_what_may_be_a_tag);
    tcase_add_test(cases, arguments_come_as_they_are_written);
    tcase_add_test(cases, every_call_has_an_id_of_its_own);
    tcase_add_test(cases, what_has_no_end_is_text);
    tcase_add_test(cases, there_is_a_limit_to_calls);
    tcase_add_loop_test(cases, where_a_text_is_cut_does_not_matter, 0, 10);
    tcase_add_test(cases, a_template_says_which_form_its_model_writes);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/tool_call", add_cases)
