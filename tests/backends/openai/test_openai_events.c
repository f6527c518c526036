/* The events of a response: their order, their numbers, and that what is said piece by piece is
 * what is said at the end. */
#include "backends/openai/events.h"
#include "tests/check_main.h"

#include <jansson.h>
#include <string.h>

static const struct dyno_openai_about about = {"resp-0a", "m", 1700000000};
static const struct dyno_openai_usage usage = {10, 5, 4};
static const struct dyno_openai_tool_call call = {"call-1", "f", "{\"x\":1}", 7};

static struct dyno_openai_responses read_request(const char *text)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error = {.code = NULL};
    struct dyno_openai_responses request;

    ck_assert_msg(dyno_openai_responses_read(&request, text, strlen(text), &rules, &error) ==
                      DYNO_OK,
                  "%s", error.cause.text);
    return request;
}

static struct dyno_openai_events open_events(const char *text)
{
    struct dyno_openai_responses request = read_request(text);
    struct dyno_openai_events events;

    ck_assert_int_eq(dyno_openai_events_open(&events, &about, &request), DYNO_OK);
    dyno_openai_responses_release(&request);
    return events;
}

/* The data of every event, as an array; each must be named like its `event:` line and be numbered.
 */
static json_t *parse(struct dyno_bytes *out)
{
    json_t *list = json_array();
    const char *at;

    ck_assert_int_eq(out->status, DYNO_OK);
    dyno_bytes_put(out, "", 1);
    for (at = out->data; *at;) {
        const char *end = strstr(at, "\n\n"), *data = strstr(at, "\ndata: ");
        const char *type;
        json_t *event;

        ck_assert(strncmp(at, "event: ", 7) == 0 && end && data && data < end);
        event = json_loadb(data + 7, (size_t)(end - data - 7), 0, NULL);
        ck_assert_ptr_nonnull(event);
        type = json_string_value(json_object_get(event, "type"));
        ck_assert(strlen(type) == (size_t)(data - at - 7) &&
                  strncmp(at + 7, type, strlen(type)) == 0);
        ck_assert_int_eq(json_integer_value(json_object_get(event, "sequence_number")),
                         (json_int_t)json_array_size(list));
        ck_assert_int_eq(json_array_append_new(list, event), 0);
        at = end + 2;
    }
    dyno_bytes_release(out);
    return list;
}

static void expect_types(const json_t *events, const char *const *types, size_t count)
{
    ck_assert_uint_eq(json_array_size(events), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(events, i), "type")),
                         types[i]);
    }
}

static void expect_json(const json_t *value, const char *due)
{
    char *got = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    ck_assert_str_eq(got, due);
    free(got);
}

static const json_t *response_of(const json_t *events, size_t index)
{
    return json_object_get(json_array_get(events, index), "response");
}

START_TEST(text_and_a_call_come_in_the_order_of_the_api)
{
    static const char *const types[] = {
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    };
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_bytes out;
    json_t *list;

    dyno_bytes_init(&out, 1 << 20);
    dyno_openai_events_begin(&events, &out);
    dyno_openai_events_text(&events, &out, "a\"", 2, NULL, 0);
    dyno_openai_events_text(&events, &out, "b", 1, NULL, 0);
    dyno_openai_events_call(&events, &out, &call);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_TOOL_CALLS, &usage, 1700000001);
    dyno_openai_events_close(&events);
    list = parse(&out);
    expect_types(list, types, sizeof types / sizeof *types);
    expect_json(json_array_get(list, 4),
                "{\"type\":\"response.output_text.delta\",\"item_id\":\"msg-0a-0\","
                "\"output_index\":0,\"content_index\":0,\"delta\":\"a\\\"\",\"logprobs\":[],"
                "\"sequence_number\":4}");
    expect_json(json_array_get(list, 6),
                "{\"type\":\"response.output_text.done\",\"item_id\":\"msg-0a-0\","
                "\"output_index\":0,\"content_index\":0,\"text\":\"a\\\"b\",\"logprobs\":[],"
                "\"sequence_number\":6}");
    expect_json(json_array_get(list, 9),
                "{\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{\"type\":"
                "\"function_call\",\"id\":\"fc-0a-1\",\"status\":\"in_progress\",\"call_id\":"
                "\"call-1\",\"name\":\"f\",\"arguments\":\"\"},\"sequence_number\":9}");
    expect_json(json_object_get(response_of(list, 0), "output"), "[]");
    expect_json(json_object_get(response_of(list, 13), "output"),
                "[{\"type\":\"message\",\"id\":\"msg-0a-0\",\"status\":\"completed\",\"role\":"
                "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\\\"b\","
                "\"annotations\":[],\"logprobs\":[]}]},{\"type\":\"function_call\",\"id\":"
                "\"fc-0a-1\",\"status\":\"completed\",\"call_id\":\"call-1\",\"name\":\"f\","
                "\"arguments\":\"{\\\"x\\\":1}\"}]");
    expect_json(json_object_get(response_of(list, 13), "usage"),
                "{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4,"
                "\"cache_write_tokens\":6},\"output_tokens\":5,\"output_tokens_details\":{"
                "\"reasoning_tokens\":0},\"total_tokens\":15}");
    json_decref(list);
}
END_TEST

START_TEST(text_after_a_call_is_a_message_of_its_own)
{
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_bytes out;
    json_t *list;

    dyno_bytes_init(&out, 1 << 20);
    dyno_openai_events_text(&events, &out, "a", 1, NULL, 0);
    dyno_openai_events_call(&events, &out, &call);
    dyno_openai_events_text(&events, &out, "b", 1, NULL, 0);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_STOP, &usage, 1700000001);
    dyno_openai_events_close(&events);
    list = parse(&out);
    expect_json(json_object_get(json_array_get(list, json_array_size(list) - 2), "item"),
                "{\"type\":\"message\",\"id\":\"msg-0a-2\",\"status\":\"completed\",\"role\":"
                "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"b\","
                "\"annotations\":[],\"logprobs\":[]}]}");
    json_decref(list);
}
END_TEST

START_TEST(a_response_that_was_cut_is_incomplete)
{
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_bytes out;
    const json_t *last;
    json_t *list;

    dyno_bytes_init(&out, 1 << 20);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_LENGTH, &usage, 1700000001);
    dyno_openai_events_close(&events);
    list = parse(&out);
    last = json_array_get(list, json_array_size(list) - 1);
    ck_assert_str_eq(json_string_value(json_object_get(last, "type")), "response.incomplete");
    last = json_object_get(last, "response");
    ck_assert_str_eq(json_string_value(json_object_get(last, "status")), "incomplete");
    expect_json(json_object_get(last, "incomplete_details"), "{\"reason\":\"max_output_tokens\"}");
    ck_assert(json_is_null(json_object_get(last, "completed_at")));
    ck_assert_uint_eq(json_array_size(json_object_get(last, "output")), 1); /* of nothing */
    json_decref(list);
}
END_TEST

START_TEST(a_failure_ends_a_stream)
{
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_openai_error error;
    struct dyno_bytes out;
    json_t *list;

    (void)dyno_openai_fail(&error, 503, NULL, NULL, "the worker is gone");
    dyno_bytes_init(&out, 1 << 20);
    dyno_openai_events_fail(&events, &out, &error);
    dyno_openai_events_close(&events);
    list = parse(&out);
    expect_json(json_object_get(response_of(list, 0), "error"),
                "{\"code\":\"server_error\",\"message\":\"the worker is gone\"}");
    json_decref(list);
}
END_TEST

START_TEST(probabilities_are_said_with_the_text_and_again_at_the_end)
{
    static const struct dyno_openai_token tokens[] = {{{"a", 1, -0.5F}, 1, true, NULL, 0},
                                                      {{"b", 1, -1}, 1, true, NULL, 0}};
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_bytes out;
    json_t *list;

    dyno_bytes_init(&out, 1 << 20);
    dyno_openai_events_text(&events, &out, "a", 1, tokens, 1);
    dyno_openai_events_text(&events, &out, "b", 1, tokens + 1, 1);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_STOP, &usage, 1700000001);
    dyno_openai_events_close(&events);
    list = parse(&out);
    expect_json(json_object_get(json_array_get(list, 2), "logprobs"),
                "[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[]}]");
    expect_json(json_object_get(json_array_get(list, 4), "logprobs"),
                "[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[]},"
                "{\"token\":\"b\",\"logprob\":-1,\"bytes\":[98],\"top_logprobs\":[]}]");
    json_decref(list);
}
END_TEST

START_TEST(a_whole_response_repeats_its_request)
{
    struct dyno_openai_events events = open_events(
        "{\"model\":\"alias\",\"input\":\"a\",\"instructions\":\"i\",\"temperature\":0.7,"
        "\"max_output_tokens\":9,\"metadata\":{\"k\":\"v\"},\"tools\":[{\"type\":\"function\","
        "\"name\":\"f\",\"parameters\":null}],\"tool_choice\":{\"type\":\"function\",\"name\":"
        "\"f\"},"
        "\"parallel_tool_calls\":false,\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":"
        "\"s\",\"schema\":{}}}}");
    struct dyno_bytes out, whole;
    json_t *value;

    dyno_bytes_init(&out, 1 << 20);
    dyno_bytes_init(&whole, 1 << 20);
    dyno_openai_events_begin(&events, &out);
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_STOP, &usage, 1700000001);
    dyno_openai_events_put_whole(&events, &whole, DYNO_OPENAI_STOP, &usage, 1700000001);
    dyno_openai_events_close(&events);
    value = json_loadb(whole.data, whole.size, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(value, "output")), 1);
    (void)json_object_del(value, "output");
    (void)json_object_del(value, "usage");
    expect_json(
        value,
        "{\"id\":\"resp-0a\",\"object\":\"response\",\"created_at\":1700000000,\"model\":\"m\","
        "\"instructions\":\"i\",\"metadata\":{\"k\":\"v\"},\"tools\":[{\"type\":\"function\","
        "\"name\":\"f\",\"parameters\":null,\"strict\":null}],\"tool_choice\":{\"type\":"
        "\"function\",\"name\":\"f\"},\"parallel_tool_calls\":false,\"text\":{\"format\":{"
        "\"type\":\"json_schema\",\"name\":\"s\",\"schema\":{},\"strict\":false}},"
        "\"temperature\":0.69999999999999996,\"top_p\":1,\"top_logprobs\":0,"
        "\"max_output_tokens\":9,\"truncation\":\"disabled\",\"previous_response_id\":null,"
        "\"background\":false,\"store\":false,\"status\":\"completed\",\"error\":null,"
        "\"incomplete_details\":null,\"completed_at\":1700000001}");
    json_decref(value);
    dyno_bytes_release(&out);
    dyno_bytes_release(&whole);
}
END_TEST

START_TEST(an_answer_too_long_to_be_said_again_is_an_error)
{
    static char text[1 << 20];
    struct dyno_openai_events events = open_events("{\"model\":\"m\",\"input\":\"a\"}");
    struct dyno_bytes out;

    memset(text, 'a', sizeof text);
    dyno_bytes_init(&out, 1 << 30);
    for (int i = 0; i < 65; i++) {
        dyno_openai_events_text(&events, &out, text, sizeof text, NULL, 0);
        dyno_bytes_clear(&out);
    }
    dyno_openai_events_end(&events, &out, DYNO_OPENAI_STOP, &usage, 1700000001);
    ck_assert_int_eq(out.status, DYNO_FULL);
    dyno_openai_events_close(&events);
    dyno_bytes_release(&out);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("events");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, text_and_a_call_come_in_the_order_of_the_api);
    tcase_add_test(cases, text_after_a_call_is_a_message_of_its_own);
    tcase_add_test(cases, a_response_that_was_cut_is_incomplete);
    tcase_add_test(cases, a_failure_ends_a_stream);
    tcase_add_test(cases, probabilities_are_said_with_the_text_and_again_at_the_end);
    tcase_add_test(cases, a_whole_response_repeats_its_request);
    tcase_add_test(cases, an_answer_too_long_to_be_said_again_is_an_error);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/events", add_cases)
