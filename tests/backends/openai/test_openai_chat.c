/* Chat completions: what is taken, how it is kept, and that everything else is refused by name. */
#include "backends/openai/chat.h"
#include "tests/backends/openai/refusals.h"
#include "tests/check_main.h"

#define BASE "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define TOOL "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]"

static struct dyno_openai_chat read_good(const char *text)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error = {.code = NULL};
    struct dyno_openai_chat chat;

    ck_assert_msg(dyno_openai_chat_read(&chat, text, strlen(text), &rules, &error) == DYNO_OK,
                  "%s: %s", text, error.cause.text);
    return chat;
}

static struct dyno_openai_chat read_with(const char *member)
{
    char *text = with_member(BASE, member);
    struct dyno_openai_chat chat = read_good(text);

    free(text);
    return chat;
}

static void expect_refused(const char *text, uint32_t http_status, const struct refusal *due)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error = {.code = NULL};
    struct dyno_openai_chat chat;
    dyno_status status;

    rules.vocab = 1000;
    status = dyno_openai_chat_read(&chat, text, strlen(text), &rules, &error);
    ck_assert_msg(status != DYNO_OK, "%s was taken", text);
    ck_assert_int_eq(status, error.cause.status);
    expect_error(&error, http_status, due);
}

START_TEST(what_is_not_said_has_the_value_of_the_api)
{
    struct dyno_openai_chat chat = read_good(BASE);

    ck_assert_str_eq(chat.head.model, "m");
    ck_assert_ptr_null(chat.head.session);
    ck_assert(!chat.head.stream && !chat.head.include_usage);
    ck_assert_double_eq(chat.sampling.temperature, 1);
    ck_assert_double_eq(chat.sampling.top_p, 1);
    ck_assert_double_eq(chat.sampling.repetition_penalty, 1);
    ck_assert_uint_eq(chat.sampling.top_k, 0);
    ck_assert_uint_eq(chat.sampling.choices, 1);
    ck_assert(!chat.sampling.has_max_tokens && !chat.sampling.has_seed && !chat.sampling.logprobs);
    ck_assert_int_eq(chat.format.kind, DYNO_OPENAI_FORMAT_TEXT);
    ck_assert_ptr_null(chat.tools.list);
    ck_assert_int_eq(chat.tools.choice, DYNO_OPENAI_TOOL_NONE);
    ck_assert(chat.tools.parallel);
    dyno_openai_chat_release(&chat);
}
END_TEST

START_TEST(every_sampling_field_arrives)
{
    struct dyno_openai_chat chat = read_with(
        "\"temperature\":0,\"top_p\":0.5,\"top_k\":40,\"min_p\":0.05,\"repetition_penalty\":1.1,"
        "\"presence_penalty\":-2,\"frequency_penalty\":2,\"seed\":-7,\"max_completion_tokens\":9,"
        "\"min_tokens\":3,\"n\":128,\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":20,"
        "\"stop\":[\"a\",\"\\n\"],\"logit_bias\":{\"5\":-100,\"0\":1.5},\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false},"
        "\"user\":\"u\",\"priority\":-2147483648");
    const struct dyno_openai_sampling *sampling = &chat.sampling;

    ck_assert_int_eq(chat.head.priority, INT32_MIN);
    ck_assert_double_eq(sampling->temperature, 0);
    ck_assert_double_eq(sampling->top_p, 0.5);
    ck_assert_uint_eq(sampling->top_k, 40);
    ck_assert_double_eq(sampling->min_p, 0.05);
    ck_assert_double_eq(sampling->repetition_penalty, 1.1);
    ck_assert_double_eq(sampling->presence_penalty, -2);
    ck_assert_double_eq(sampling->frequency_penalty, 2);
    ck_assert(sampling->has_seed && sampling->seed == -7);
    ck_assert(sampling->has_max_tokens && sampling->max_tokens == 9);
    ck_assert_uint_eq(sampling->min_tokens, 3);
    ck_assert_uint_eq(sampling->choices, 128);
    ck_assert(sampling->ignore_eos && sampling->logprobs);
    ck_assert_uint_eq(sampling->top_logprobs, 20);
    ck_assert_uint_eq(sampling->stop_count, 2);
    ck_assert_str_eq(sampling->stops[1].text, "\n");
    ck_assert_uint_eq(sampling->stops[1].size, 1);
    ck_assert_uint_eq(sampling->bias_count, 2);
    ck_assert_uint_eq(sampling->biases[0].token, 5);
    ck_assert_float_eq(sampling->biases[0].bias, -100);
    ck_assert_uint_eq(sampling->biases[1].token, 0);
    ck_assert(chat.head.stream && chat.head.include_usage);
    ck_assert_str_eq(chat.head.session, "u");
    dyno_openai_chat_release(&chat);
}
END_TEST

START_TEST(null_is_as_good_as_absent)
{
    struct dyno_openai_chat chat =
        read_with("\"temperature\":null,\"stop\":null,\"audio\":null,\"logit_bias\":null,"
                  "\"tools\":null,\"max_tokens\":null,\"store\":null");

    ck_assert_double_eq(chat.sampling.temperature, 1);
    ck_assert(!chat.sampling.has_max_tokens);
    dyno_openai_chat_release(&chat);
}
END_TEST

START_TEST(the_newer_name_of_a_limit_wins_in_either_order)
{
    struct dyno_openai_chat one = read_with("\"max_tokens\":1,\"max_completion_tokens\":2");
    struct dyno_openai_chat two = read_with("\"max_completion_tokens\":2,\"max_tokens\":1");
    struct dyno_openai_chat three = read_with("\"max_tokens\":1,\"max_completion_tokens\":null");

    ck_assert_uint_eq(one.sampling.max_tokens, 2);
    ck_assert_uint_eq(two.sampling.max_tokens, 2);
    ck_assert_uint_eq(three.sampling.max_tokens, 1);
    dyno_openai_chat_release(&one);
    dyno_openai_chat_release(&two);
    dyno_openai_chat_release(&three);
}
END_TEST

START_TEST(a_cache_key_is_a_better_session_than_a_user)
{
    struct dyno_openai_chat chat = read_with("\"prompt_cache_key\":\"k\",\"user\":\"u\","
                                             "\"safety_identifier\":\"s\"");

    ck_assert_str_eq(chat.head.session, "k");
    dyno_openai_chat_release(&chat);
}
END_TEST

START_TEST(a_server_s_own_defaults_are_what_a_request_starts_from)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error;
    struct dyno_openai_chat chat;

    rules.defaults.temperature = 0.6;
    rules.defaults.top_k = 20;
    ck_assert_int_eq(dyno_openai_chat_read(&chat, BASE, strlen(BASE), &rules, &error), DYNO_OK);
    ck_assert_double_eq(chat.sampling.temperature, 0.6);
    ck_assert_uint_eq(chat.sampling.top_k, 20);
    dyno_openai_chat_release(&chat);
}
END_TEST

static void expect_messages(const char *messages, const char *due)
{
    char text[2048];
    struct dyno_openai_chat chat;
    char *got;

    (void)snprintf(text, sizeof text, "{\"model\":\"m\",\"messages\":%s}", messages);
    chat = read_good(text);
    got = json_dumps(chat.messages, JSON_COMPACT);
    ck_assert_str_eq(got, due);
    free(got);
    dyno_openai_chat_release(&chat);
}

START_TEST(messages_are_kept_as_templates_want_them)
{
    expect_messages("[{\"role\":\"developer\",\"content\":\"a\"}]",
                    "[{\"role\":\"system\",\"content\":\"a\"}]");
    expect_messages("[{\"role\":\"user\",\"name\":\"bob\",\"content\":[{\"type\":\"text\",\"text\":"
                    "\"a\"},{\"text\":\"b\",\"type\":\"text\"}]}]",
                    "[{\"role\":\"user\",\"name\":\"bob\",\"content\":\"a\\nb\"}]");
    expect_messages("[{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[{"
                    "\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                    "\"arguments\":\"{\\\"x\\\":[1]}\"}}]},"
                    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"\"}]",
                    "[{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[{"
                    "\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                    "\"arguments\":{\"x\":[1]}}}]},"
                    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"\"}]");
    expect_messages("[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[],"
                    "\"reasoning_content\":\"r\"}]",
                    "[{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"r\"}]");
}
END_TEST

START_TEST(tools_and_the_choice_among_them_are_kept)
{
    struct dyno_openai_chat chat = read_with(TOOL);

    ck_assert_int_eq(chat.tools.choice, DYNO_OPENAI_TOOL_AUTO);
    ck_assert_uint_eq(json_array_size(chat.tools.list), 1);
    dyno_openai_chat_release(&chat);
    chat = read_with(TOOL ",\"parallel_tool_calls\":false,\"tool_choice\":{\"type\":\"function\","
                          "\"function\":{\"name\":\"f\"}}");
    ck_assert_int_eq(chat.tools.choice, DYNO_OPENAI_TOOL_NAMED);
    ck_assert_str_eq(chat.tools.named, "f");
    ck_assert(!chat.tools.parallel);
    dyno_openai_chat_release(&chat);
    chat = read_with(TOOL ",\"tool_choice\":\"required\"");
    ck_assert_int_eq(chat.tools.choice, DYNO_OPENAI_TOOL_REQUIRED);
    dyno_openai_chat_release(&chat);
    chat = read_with("\"tools\":[],\"tool_choice\":\"auto\"");
    ck_assert_int_eq(chat.tools.choice, DYNO_OPENAI_TOOL_NONE);
    ck_assert_ptr_null(chat.tools.list);
    dyno_openai_chat_release(&chat);
}
END_TEST

START_TEST(a_schema_is_kept)
{
    struct dyno_openai_chat chat =
        read_with("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\","
                  "\"strict\":true,\"schema\":{\"type\":\"object\"}}}");

    ck_assert_int_eq(chat.format.kind, DYNO_OPENAI_FORMAT_JSON_SCHEMA);
    ck_assert_str_eq(chat.format.name, "s");
    ck_assert(chat.format.strict);
    ck_assert_ptr_nonnull(json_object_get(chat.format.schema, "type"));
    dyno_openai_chat_release(&chat);
    chat = read_with("\"response_format\":{\"type\":\"json_object\"}");
    ck_assert_int_eq(chat.format.kind, DYNO_OPENAI_FORMAT_JSON_OBJECT);
    dyno_openai_chat_release(&chat);
}
END_TEST

/* A member that is added to a good body. */
static const struct refusal bad_members[] = {
    {"\"temperature\":-0.1", "invalid_value", "temperature", "from 0 to 2"},
    {"\"temperature\":2.1", "invalid_value", "temperature", "from 0 to 2"},
    {"\"temperature\":\"1\"", "invalid_type", "temperature", "is a string where a number"},
    {"\"temperature\":1e308", "invalid_value", "temperature", "is 1e+308"},
    {"\"top_p\":1.01", "invalid_value", "top_p", "from 0 to 1"},
    {"\"top_k\":-2", "invalid_value", "top_k", "is -2"},
    {"\"top_k\":1.5", "invalid_type", "top_k", "whole number"},
    {"\"min_p\":-1", "invalid_value", "min_p", "from 0 to 1"},
    {"\"repetition_penalty\":0", "invalid_value", "repetition_penalty", "from 0.01"},
    {"\"presence_penalty\":2.5", "invalid_value", "presence_penalty", "from -2 to 2"},
    {"\"frequency_penalty\":-2.5", "invalid_value", "frequency_penalty", "from -2 to 2"},
    {"\"seed\":1.5", "invalid_type", "seed", "a whole number"},
    {"\"priority\":\"high\"", "invalid_type", "priority", "a whole number"},
    {"\"priority\":2147483648", "invalid_value", "priority", "to 2147483647"},
    {"\"max_tokens\":0", "invalid_value", "max_tokens", "is 0"},
    {"\"max_tokens\":-1,\"max_completion_tokens\":5", "invalid_value", "max_tokens", "is -1"},
    {"\"max_completion_tokens\":9223372036854775807", "invalid_value", "max_completion_tokens",
     "from 1"},
    {"\"min_tokens\":5,\"max_tokens\":4", "invalid_value", "min_tokens", "more than the most"},
    {"\"n\":0", "invalid_value", "n", "from 1 to 128"},
    {"\"n\":129", "invalid_value", "n", "from 1 to 128"},
    {"\"n\":true", "invalid_type", "n", "is true"},
    {"\"ignore_eos\":1", "invalid_type", "ignore_eos", "true or false"},
    {"\"logprobs\":5", "invalid_type", "logprobs", "true or false"},
    {"\"top_logprobs\":2", "invalid_value", "top_logprobs", "needs 'logprobs'"},
    {"\"logprobs\":true,\"top_logprobs\":21", "invalid_value", "top_logprobs", "from 0 to 20"},
    {"\"stop\":7", "invalid_type", "stop", "a string or an array"},
    {"\"stop\":\"\"", "invalid_value", "stop", "has 0 bytes"},
    {"\"stop\":[\"a\",null]", "invalid_type", "stop[1]", "is null where a string"},
    {"\"stop\":[\"a\",\"\"]", "invalid_value", "stop[1]", "has 0 bytes"},
    {"\"stop\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "invalid_value", "stop",
     "17 strings, more than the 16"},
    {"\"logit_bias\":[1]", "invalid_type", "logit_bias", "an object"},
    {"\"logit_bias\":{\"x\":1}", "invalid_value", "logit_bias.x", "tokens are 0 to 999"},
    {"\"logit_bias\":{\"01\":1}", "invalid_value", "logit_bias.01", "names no token"},
    {"\"logit_bias\":{\"\":1}", "invalid_value", "logit_bias.", "names no token"},
    {"\"logit_bias\":{\"1000\":1}", "invalid_value", "logit_bias.1000", "tokens are 0 to 999"},
    {"\"logit_bias\":{\"99999999999999999999\":1}", "invalid_value",
     "logit_bias.99999999999999999999", "names no token"},
    {"\"logit_bias\":{\"5\":101}", "invalid_value", "logit_bias.5", "from -100 to 100"},
    {"\"logit_bias\":{\"5\":null}", "invalid_type", "logit_bias.5", "is null"},
    {"\"stream\":\"yes\"", "invalid_type", "stream", "true or false"},
    {"\"stream_options\":{}", "invalid_value", "stream_options", "only for a stream"},
    {"\"stream\":true,\"stream_options\":{\"include_usage\":1}", "invalid_type",
     "stream_options.include_usage", "true or false"},
    {"\"stream\":true,\"stream_options\":{\"include_obfuscation\":true}", "unsupported_parameter",
     "stream_options.include_obfuscation", "must be false"},
    {"\"stream\":true,\"stream_options\":{\"usage\":true}", "unknown_parameter",
     "stream_options.usage", "not a field"},
    {"\"user\":5", "invalid_type", "user", "a string"},
    {"\"safety_identifier\":{}", "invalid_type", "safety_identifier", "a string"},
    {"\"metadata\":[]", "invalid_type", "metadata", "an object"},
    {"\"store\":true", "unsupported_parameter", "store", "no answer is kept"},
    {"\"service_tier\":\"flex\"", "unsupported_parameter", "service_tier", "only 'auto'"},
    {"\"modalities\":[\"text\",\"audio\"]", "unsupported_parameter", "modalities[1]", "'audio'"},
    {"\"modalities\":\"text\"", "invalid_type", "modalities", "an array"},
    {"\"audio\":{}", "unsupported_parameter", "audio", "only text"},
    {"\"prediction\":{}", "unsupported_parameter", "prediction", "not supported"},
    {"\"web_search_options\":{}", "unsupported_parameter", "web_search_options", "not supported"},
    {"\"functions\":[]", "unsupported_parameter", "functions", "use 'tools'"},
    {"\"function_call\":\"auto\"", "unsupported_parameter", "function_call", "'tool_choice'"},
    {"\"reasoning_effort\":\"low\"", "unsupported_parameter", "reasoning_effort", "template"},
    {"\"verbosity\":\"low\"", "unsupported_parameter", "verbosity", "not supported"},
    {"\"moderation\":{}", "unsupported_parameter", "moderation", "not supported"},
    {"\"prompt_cache_retention\":\"24h\"", "unsupported_parameter", "prompt_cache_retention",
     "not supported"},
    {"\"prompt_cache_options\":{}", "unsupported_parameter", "prompt_cache_options",
     "not supported"},
    {"\"prompt\":\"a\"", "unknown_parameter", "prompt", "use 'messages'"},
    {"\"max_output_tokens\":1", "unknown_parameter", "max_output_tokens",
     "use 'max_completion_tokens'"},
    {"\"temprature\":1", "unknown_parameter", "temprature", "did you mean 'temperature'?"},
    {"\"quux_frobnicate\":1", "unknown_parameter", "quux_frobnicate", "not a field"},
    {"\"quux_frobnicate\":null", "unknown_parameter", "quux_frobnicate", "not a field"},
    {"\"chat_template_kwargs\":1", "invalid_type", "chat_template_kwargs", "an object"},
    {"\"response_format\":\"json\"", "invalid_type", "response_format", "an object"},
    {"\"response_format\":{}", "missing_required_parameter", "response_format.type", "missing"},
    {"\"response_format\":{\"type\":1}", "invalid_type", "response_format.type", "a string"},
    {"\"response_format\":{\"type\":\"grammar\"}", "invalid_value", "response_format.type",
     "none of text"},
    {"\"response_format\":{\"type\":\"json_object\",\"json_schema\":{}}", "unknown_parameter",
     "response_format.json_schema", "not a field"},
    {"\"response_format\":{\"type\":\"json_schema\"}", "missing_required_parameter",
     "response_format.json_schema", "missing"},
    {"\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}",
     "missing_required_parameter", "response_format.json_schema.name", "missing"},
    {"\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\"}}",
     "missing_required_parameter", "response_format.json_schema.schema", "missing"},
    {"\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":1}}",
     "invalid_type", "response_format.json_schema.schema", "an object"},
    {"\"tools\":{}", "invalid_type", "tools", "an array"},
    {"\"tools\":[1]", "invalid_type", "tools[0]", "an object"},
    {"\"tools\":[{}]", "missing_required_parameter", "tools[0].type", "missing"},
    {"\"tools\":[{\"type\":\"custom\",\"custom\":{}}]", "unsupported_parameter", "tools[0].type",
     "'custom'"},
    {"\"tools\":[{\"type\":\"function\"}]", "missing_required_parameter", "tools[0].function",
     "missing"},
    {"\"tools\":[{\"type\":\"function\",\"function\":{}}]", "missing_required_parameter",
     "tools[0].function.name", "missing"},
    {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]", "invalid_value",
     "tools[0].function.name", "letters, digits"},
    {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":[]}}]",
     "invalid_type", "tools[0].function.parameters", "an object"},
    {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"x\":1}}]",
     "unknown_parameter", "tools[0].function.x", "not a field"},
    {"\"tool_choice\":\"required\"", "invalid_value", "tool_choice", "there are no tools"},
    {"\"tool_choice\":\"any\"", "invalid_value", "tool_choice", "none of none, auto"},
    {"\"tool_choice\":1", "invalid_type", "tool_choice", "a string or an object"},
    {TOOL ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}", "invalid_value",
     "tool_choice", "not among the tools"},
    {TOOL ",\"tool_choice\":{\"type\":\"allowed_tools\"}", "unsupported_parameter",
     "tool_choice.type", "'allowed_tools'"},
    {TOOL ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true}}",
     "unknown_parameter", "tool_choice.function.strict", "not a field"},
    {TOOL ",\"parallel_tool_calls\":1", "invalid_type", "parallel_tool_calls", "true or false"},
};

START_TEST(a_bad_field_is_refused_by_name)
{
    const struct refusal *due = &bad_members[_i];
    char *text = with_member(BASE, due->text);

    expect_refused(text, 400, due);
    free(text);
}
END_TEST

/* The array of messages of a body that is good but for it. */
static const struct refusal bad_messages[] = {
    {"1", "invalid_type", "messages", "an array of messages"},
    {"[]", "invalid_value", "messages", "0 messages"},
    {"[1]", "invalid_type", "messages[0]", "a message"},
    {"[{}]", "missing_required_parameter", "messages[0].role", "missing"},
    {"[{\"role\":1}]", "invalid_type", "messages[0].role", "a string"},
    {"[{\"role\":\"function\"}]", "invalid_value", "messages[0].role", "none of system"},
    {"[{\"role\":\"user\"}]", "missing_required_parameter", "messages[0].content", "missing"},
    {"[{\"role\":\"user\",\"content\":null}]", "missing_required_parameter", "messages[0].content",
     "missing"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[]}]", "missing_required_parameter",
     "messages[0].content", "missing"},
    {"[{\"role\":\"user\",\"content\":5}]", "invalid_type", "messages[0].content", "parts"},
    {"[{\"role\":\"user\",\"content\":[]}]", "invalid_value", "messages[0].content", "no parts"},
    {"[{\"role\":\"user\",\"content\":[{}]}]", "missing_required_parameter",
     "messages[0].content[0].type", "missing"},
    {"[{\"role\":\"user\",\"content\":[\"a\"]}]", "invalid_type", "messages[0].content[0]",
     "an object"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", "missing_required_parameter",
     "messages[0].content[0].text", "missing"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},{\"image_url\":{},"
     "\"type\":\"image_url\"}]}]",
     "unsupported_parameter", "messages[0].content[1].type", "'image_url'; only text"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]", "unsupported_parameter",
     "messages[0].content[0].type", "'input_audio'"},
    {"[{\"role\":\"user\",\"content\":\"a\",\"x\":1}]", "unknown_parameter", "messages[0].x",
     "not a field"},
    {"[{\"role\":\"user\",\"content\":\"a\",\"tool_calls\":[]}]", "unknown_parameter",
     "messages[0].tool_calls", "not a field"},
    {"[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"a\"}]",
     "missing_required_parameter", "messages[1].tool_call_id", "missing"},
    {"[{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":\"no\"}]", "unsupported_parameter",
     "messages[0].refusal", "content"},
    {"[{\"role\":\"assistant\",\"content\":\"a\",\"audio\":{}}]", "unsupported_parameter",
     "messages[0].audio", "only text"},
    {"[{\"role\":\"assistant\",\"content\":\"a\",\"function_call\":{}}]", "unsupported_parameter",
     "messages[0].function_call", "tool_calls"},
    {"[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":{}}]", "invalid_type",
     "messages[0].tool_calls", "an array"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{}]}]", "missing_required_parameter",
     "messages[0].tool_calls[0].id", "missing"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"custom\"}]}]",
     "unsupported_parameter", "messages[0].tool_calls[0].type", "'custom'"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\"}]}]", "missing_required_parameter",
     "messages[0].tool_calls[0].function", "missing"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\"}}]}]",
     "missing_required_parameter", "messages[0].tool_calls[0].function.arguments", "missing"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{\"}}]}]",
     "invalid_value", "messages[0].tool_calls[0].function.arguments", "no JSON object"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
     "\"arguments\":{}}}]}]",
     "invalid_type", "messages[0].tool_calls[0].function.arguments", "holds a JSON object"},
};

START_TEST(a_bad_message_is_refused_with_the_way_to_it)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "{\"model\":\"m\",\"messages\":%s}", bad_messages[_i].text);
    expect_refused(text, 400, &bad_messages[_i]);
}
END_TEST

static const struct refusal bad_bodies[] = {
    {"", "invalid_json", "", "empty"},
    {"{", "invalid_json", "", "line 1, column 1"},
    {"[]", "invalid_type", "", "an object is expected"},
    {"\"x\"", "invalid_json", "", "no JSON"},
    {"{}", "missing_required_parameter", "messages", "missing"},
    {BASE "{", "invalid_json", "", "end of file expected"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "missing_required_parameter",
     "model", "/v1/models"},
    {"{\"model\":\"\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "invalid_value",
     "model", "0 bytes"},
    {"{\"model\":1}", "invalid_type", "model", "a string"},
    {"{\"model\":\"m\",\"model\":\"n\"}", "invalid_json", "", "duplicate object key"},
    {"{\"model\":\"\xff\"}", "invalid_json", "", "decode byte 0xff"},
    {"{\"model\":\"\\ud800\"}", "invalid_json", "", "invalid Unicode"},
    {"{\"model\":\"a\\u0000b\"}", "invalid_json", "", "NUL character"},
    {"{\"\\\n", "invalid_json", "", "invalid escape near '\"\\?'"},
    {"{\"a\\nb\":1}", "unknown_parameter", "a?b", "'a?b' is not a field"},
    {"{\"temperature\":NaN}", "invalid_json", "", "no JSON"},
    {"{\"temperature\":-Infinity}", "invalid_json", "", "no JSON"},
    {"{\"temperature\":1e999}", "invalid_json", "", "real number overflow"},
    {"{\"seed\":9223372036854775808}", "invalid_json", "", "too big integer"},
};

START_TEST(a_bad_body_is_refused)
{
    expect_refused(bad_bodies[_i].text, 400, &bad_bodies[_i]);
}
END_TEST

/* `count` times `piece`. */
static char *repeat(const char *piece, size_t count)
{
    size_t size = strlen(piece);
    char *text = malloc(size * count + 1);

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * size, piece, size);
    }
    text[size * count] = '\0';
    return text;
}

START_TEST(depth_values_and_bytes_have_limits)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error;
    struct dyno_openai_chat chat;
    char *deep = repeat("[", 100000), *wide = repeat(",", 100), *quiet = repeat(",[", 100);
    char *holders = repeat("{},", 12);
    char text[512];

    ck_assert_int_eq(dyno_openai_chat_read(&chat, deep, strlen(deep), &rules, &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.cause.text, "64 deep"));
    rules.values_max = 100;
    ck_assert_int_eq(dyno_openai_chat_read(&chat, wide, strlen(wide), &rules, &error), DYNO_FULL);
    ck_assert_uint_eq(error.http_status, 413);
    ck_assert_int_eq(dyno_openai_chat_read(&chat, holders, strlen(holders), &rules, &error),
                     DYNO_FULL);
    (void)snprintf(text, sizeof text,
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\\"%s\"}]}",
                   quiet);
    ck_assert_int_eq(dyno_openai_chat_read(&chat, text, strlen(text), &rules, &error), DYNO_OK);
    dyno_openai_chat_release(&chat);
    rules.body_bytes_max = strlen(text) - 1;
    ck_assert_int_eq(dyno_openai_chat_read(&chat, text, strlen(text), &rules, &error), DYNO_FULL);
    ck_assert_uint_eq(error.http_status, 413);
    ck_assert_str_eq(error.code, "request_too_large");
    free(deep);
    free(wide);
    free(holders);
    free(quiet);
}
END_TEST

START_TEST(arguments_of_calls_have_a_limit_together)
{
    char *blanks = repeat(" ", 3 << 20), *text = malloc(8 << 20);
    const struct refusal due = {"4 MiB of arguments", "invalid_value",
                                "messages[0].tool_calls[1].function.arguments",
                                "more than 4194304"};

    ck_assert_ptr_nonnull(text);
    (void)snprintf(text, 8 << 20,
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":["
                   "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{%s}\"}},"
                   "{\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"{%s}\"}}]}]}",
                   blanks, blanks);
    expect_refused(text, 400, &due);
    free(text);
    free(blanks);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *good = tcase_create("good"), *bad = tcase_create("bad");

    tcase_add_test(good, what_is_not_said_has_the_value_of_the_api);
    tcase_add_test(good, every_sampling_field_arrives);
    tcase_add_test(good, null_is_as_good_as_absent);
    tcase_add_test(good, the_newer_name_of_a_limit_wins_in_either_order);
    tcase_add_test(good, a_cache_key_is_a_better_session_than_a_user);
    tcase_add_test(good, a_server_s_own_defaults_are_what_a_request_starts_from);
    tcase_add_test(good, messages_are_kept_as_templates_want_them);
    tcase_add_test(good, tools_and_the_choice_among_them_are_kept);
    tcase_add_test(good, a_schema_is_kept);
    tcase_add_loop_test(bad, a_bad_field_is_refused_by_name, 0,
                        (int)(sizeof bad_members / sizeof *bad_members));
    tcase_add_loop_test(bad, a_bad_message_is_refused_with_the_way_to_it, 0,
                        (int)(sizeof bad_messages / sizeof *bad_messages));
    tcase_add_loop_test(bad, a_bad_body_is_refused, 0,
                        (int)(sizeof bad_bodies / sizeof *bad_bodies));
    tcase_add_test(bad, depth_values_and_bytes_have_limits);
    tcase_add_test(bad, arguments_of_calls_have_a_limit_together);
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
}

DYNO_CHECK_MAIN("openai/chat", add_cases)
