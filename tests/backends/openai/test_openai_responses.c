/* Responses: how their input becomes messages, and what is refused. */
#include "backends/openai/responses.h"
#include "tests/backends/openai/refusals.h"
#include "tests/check_main.h"

#define BASE "{\"model\":\"m\",\"input\":\"hi\"}"
#define TOOL "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{},\"strict\":null}]"

static dyno_status read_text(const char *text, struct dyno_openai_responses *responses,
                             struct dyno_openai_error *error)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();

    return dyno_openai_responses_read(responses, text, strlen(text), &rules, error);
}

static struct dyno_openai_responses read_good(const char *text)
{
    struct dyno_openai_responses responses;
    struct dyno_openai_error error = {.code = NULL};

    ck_assert_msg(read_text(text, &responses, &error) == DYNO_OK, "%s: %s", text, error.cause.text);
    return responses;
}

static struct dyno_openai_responses read_with(const char *member)
{
    char *text = with_member(BASE, member);
    struct dyno_openai_responses responses = read_good(text);

    free(text);
    return responses;
}

static void expect_messages(const char *members, const char *due)
{
    char *text = with_member("{\"model\":\"m\"}", members), *got;
    struct dyno_openai_responses responses = read_good(text);

    got = json_dumps(responses.messages, JSON_COMPACT);
    ck_assert_str_eq(got, due);
    free(got);
    free(text);
    dyno_openai_responses_release(&responses);
}

START_TEST(a_text_is_what_the_user_says)
{
    expect_messages("\"input\":\"hi\"", "[{\"role\":\"user\",\"content\":\"hi\"}]");
    expect_messages("\"input\":\"hi\",\"instructions\":\"be brief\"",
                    "[{\"role\":\"system\",\"content\":\"be brief\"},"
                    "{\"role\":\"user\",\"content\":\"hi\"}]");
}
END_TEST

START_TEST(items_become_messages)
{
    expect_messages("\"input\":[{\"role\":\"developer\",\"content\":\"d\"},"
                    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                    "\"text\":\"a\"},{\"type\":\"input_text\",\"text\":\"b\"}]}]",
                    "[{\"role\":\"system\",\"content\":\"d\"},"
                    "{\"role\":\"user\",\"content\":\"a\\nb\"}]");
}
END_TEST

START_TEST(an_answer_with_its_calls_is_one_message)
{
    expect_messages(
        "\"input\":[{\"type\":\"message\",\"id\":\"msg-1\",\"status\":\"completed\",\"role\":"
        "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"well\",\"annotations\":[],"
        "\"logprobs\":[]}]},"
        "{\"type\":\"function_call\",\"id\":\"fc-1\",\"status\":\"completed\",\"call_id\":\"c\","
        "\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"},"
        "{\"type\":\"function_call\",\"call_id\":\"d\",\"name\":\"g\",\"arguments\":\"\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"2\"}]",
        "[{\"role\":\"assistant\",\"content\":\"well\",\"tool_calls\":["
        "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}"
        ","
        "{\"id\":\"d\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":{}}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"2\"}]");
    expect_messages(
        "\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","
        "\"arguments\":\"{}\"}]",
        "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]}]");
}
END_TEST

START_TEST(every_field_arrives)
{
    struct dyno_openai_responses responses = read_with(
        TOOL ",\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},\"max_output_tokens\":7,"
             "\"temperature\":0.5,\"top_p\":0.25,\"stream\":true,\"include\":["
             "\"message.output_text.logprobs\",\"reasoning.encrypted_content\"],"
             "\"top_logprobs\":2,\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"s\","
             "\"schema\":{}}},\"truncation\":\"disabled\",\"store\":false,\"background\":false,"
             "\"reasoning\":{\"effort\":null},\"metadata\":{\"k\":\"v\"}");

    ck_assert_int_eq(responses.tools.choice, DYNO_OPENAI_TOOL_NAMED);
    ck_assert_str_eq(responses.tools.named, "f");
    ck_assert_ptr_nonnull(json_object_get(json_array_get(responses.tools.list, 0), "function"));
    ck_assert(responses.sampling.has_max_tokens && responses.sampling.max_tokens == 7);
    ck_assert_double_eq(responses.sampling.temperature, 0.5);
    ck_assert(responses.sampling.logprobs && responses.sampling.top_logprobs == 2);
    ck_assert(responses.head.stream);
    ck_assert_int_eq(responses.format.kind, DYNO_OPENAI_FORMAT_JSON_SCHEMA);
    ck_assert_str_eq(responses.format.name, "s");
    ck_assert_ptr_nonnull(responses.metadata);
    dyno_openai_responses_release(&responses);
}
END_TEST

static const struct refusal bad_members[] = {
    {"\"max_output_tokens\":0", "invalid_value", "max_output_tokens", "is 0"},
    {"\"max_tokens\":5", "unknown_parameter", "max_tokens", "use 'max_output_tokens'"},
    {"\"messages\":[]", "unknown_parameter", "messages", "use 'input'"},
    {"\"response_format\":{}", "unknown_parameter", "response_format", "use 'text'"},
    {"\"instructions\":[]", "invalid_type", "instructions", "a string"},
    {"\"n\":2", "unsupported_parameter", "n", "one answer"},
    {"\"previous_response_id\":\"r\"", "unsupported_parameter", "previous_response_id", "'input'"},
    {"\"conversation\":\"c\"", "unsupported_parameter", "conversation", "'input'"},
    {"\"prompt\":{}", "unsupported_parameter", "prompt", "'input'"},
    {"\"background\":true", "unsupported_parameter", "background", "no answer is kept"},
    {"\"store\":true", "unsupported_parameter", "store", "no answer is kept"},
    {"\"truncation\":\"auto\"", "unsupported_parameter", "truncation", "only 'disabled'"},
    {"\"max_tool_calls\":1", "unsupported_parameter", "max_tool_calls", "not supported"},
    {"\"context_management\":[]", "unsupported_parameter", "context_management", "not supported"},
    {"\"reasoning\":{\"effort\":\"low\"}", "unsupported_parameter", "reasoning.effort", "template"},
    {"\"reasoning\":{\"summary\":\"auto\"}", "unsupported_parameter", "reasoning.summary", "apart"},
    {"\"reasoning\":\"low\"", "invalid_type", "reasoning", "an object"},
    {"\"include\":\"x\"", "invalid_type", "include", "an array"},
    {"\"include\":[\"web_search_call.results\"]", "unsupported_parameter", "include[0]",
     "only 'message.output_text.logprobs'"},
    {"\"top_logprobs\":1", "invalid_value", "top_logprobs", "'include'"},
    {"\"text\":{\"verbosity\":\"low\"}", "unsupported_parameter", "text.verbosity", "instructions"},
    {"\"text\":{\"format\":{\"type\":\"x\"}}", "invalid_value", "text.format.type", "none of"},
    {"\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}", "missing_required_parameter",
     "text.format.name", "missing"},
    {"\"text\":{\"format\":{\"type\":\"json_schema\",\"json_schema\":{}}}", "unknown_parameter",
     "text.format.json_schema", "not a field"},
    {"\"tools\":[{\"type\":\"web_search\"}]", "unsupported_parameter", "tools[0].type",
     "'web_search'"},
    {"\"tools\":[{\"type\":\"function\",\"function\":{}}]", "unknown_parameter",
     "tools[0].function", "not a field"},
    {TOOL ",\"tool_choice\":{\"type\":\"function\",\"name\":\"g\"}", "invalid_value", "tool_choice",
     "not among the tools"},
};

START_TEST(a_bad_field_is_refused_by_name)
{
    char *text = with_member(BASE, bad_members[_i].text);
    struct dyno_openai_responses responses;
    struct dyno_openai_error error;

    ck_assert_msg(read_text(text, &responses, &error) == DYNO_BAD_INPUT, "%s was taken", text);
    expect_error(&error, 400, &bad_members[_i]);
    free(text);
}
END_TEST

static const struct refusal bad_inputs[] = {
    {"null", "missing_required_parameter", "input", "missing"},
    {"5", "invalid_type", "input", "a string or an array of items"},
    {"[]", "invalid_value", "input", "0 items"},
    {"[\"a\"]", "invalid_type", "input[0]", "an item"},
    {"[{\"type\":5}]", "invalid_type", "input[0].type", "a string"},
    {"[{\"type\":\"item_reference\",\"id\":\"x\"}]", "unsupported_parameter", "input[0].type",
     "'item_reference'; only message"},
    {"[{\"type\":\"reasoning\"}]", "unsupported_parameter", "input[0].type", "'reasoning'"},
    {"[{\"content\":\"a\"}]", "missing_required_parameter", "input[0].role", "missing"},
    {"[{\"role\":\"tool\",\"content\":\"a\"}]", "invalid_value", "input[0].role", "none of user"},
    {"[{\"role\":\"user\"}]", "missing_required_parameter", "input[0].content", "missing"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]", "unsupported_parameter",
     "input[0].content[0].type", "'input_image'"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"\",\"annotations\":[]}]"
     "}]",
     "unknown_parameter", "input[0].content[0].annotations", "not a field"},
    {"[{\"role\":\"user\",\"content\":\"a\",\"x\":1}]", "unknown_parameter", "input[0].x",
     "not a field"},
    {"[{\"type\":\"function_call\"}]", "missing_required_parameter", "input[0].call_id", "missing"},
    {"[{\"type\":\"function_call\",\"call_id\":\"c\"}]", "missing_required_parameter",
     "input[0].name", "missing"},
    {"[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}]",
     "missing_required_parameter", "input[0].arguments", "missing"},
    {"[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"[\"}]",
     "invalid_value", "input[0].arguments", "no JSON object"},
    {"[{\"type\":\"function_call_output\",\"output\":\"a\"}]", "missing_required_parameter",
     "input[0].call_id", "missing"},
    {"[{\"type\":\"function_call_output\",\"call_id\":\"c\"}]", "missing_required_parameter",
     "input[0].output", "missing"},
};

START_TEST(a_bad_item_is_refused_with_the_way_to_it)
{
    struct dyno_openai_responses responses;
    struct dyno_openai_error error;
    char text[512];

    (void)snprintf(text, sizeof text, "{\"model\":\"m\",\"input\":%s}", bad_inputs[_i].text);
    ck_assert_msg(read_text(text, &responses, &error) == DYNO_BAD_INPUT, "%s was taken", text);
    expect_error(&error, 400, &bad_inputs[_i]);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *good = tcase_create("good"), *bad = tcase_create("bad");

    tcase_add_test(good, a_text_is_what_the_user_says);
    tcase_add_test(good, items_become_messages);
    tcase_add_test(good, an_answer_with_its_calls_is_one_message);
    tcase_add_test(good, every_field_arrives);
    tcase_add_loop_test(bad, a_bad_field_is_refused_by_name, 0,
                        (int)(sizeof bad_members / sizeof *bad_members));
    tcase_add_loop_test(bad, a_bad_item_is_refused_with_the_way_to_it, 0,
                        (int)(sizeof bad_inputs / sizeof *bad_inputs));
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
}

DYNO_CHECK_MAIN("openai/responses", add_cases)
