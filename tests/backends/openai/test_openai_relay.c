/* Requests that are passed on: what is read of them, what is changed, and what is refused. */
#include "backends/openai/relay.h"

#include <string.h>

#include "tests/check_main.h"

static struct dyno_openai_relay read_well(enum dyno_openai_relay_kind kind, const char *body)
{
    struct dyno_openai_rules rules = dyno_openai_rules_default();
    struct dyno_openai_error error = {.http_status = 0};
    struct dyno_openai_relay relay;

    ck_assert_msg(dyno_openai_relay_read(&relay, kind, body, strlen(body), &rules, &error) ==
                      DYNO_OK,
                  "%s: %s", body, error.cause.text);
    return relay;
}

static void check_body(enum dyno_openai_relay_kind kind, const char *body, const char *due)
{
    struct dyno_openai_relay relay = read_well(kind, body);
    json_t *expected = json_loads(due, 0, NULL);

    ck_assert_msg(json_equal(relay.head.body, expected), "%s", body);
    json_decref(expected);
    dyno_openai_relay_release(&relay);
}

START_TEST(the_body_loses_its_model_and_asks_for_a_stream_with_usage)
{
    check_body(DYNO_OPENAI_RELAY_CHAT, "{\"model\":\"m\",\"messages\":[],\"an_engines_own\":[1]}",
               "{\"messages\":[],\"an_engines_own\":[1],\"stream\":true,\"stream_options\":"
               "{\"include_usage\":true}}");
    check_body(DYNO_OPENAI_RELAY_COMPLETION,
               "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":false,"
               "\"x\":1}}",
               "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}}");
    check_body(DYNO_OPENAI_RELAY_COMPLETION,
               "{\"model\":\"m\",\"stream\":null,\"stream_options\":null}",
               "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    check_body(DYNO_OPENAI_RELAY_RESPONSE, "{\"model\":\"m\",\"input\":\"x\"}",
               "{\"input\":\"x\",\"stream\":true}");
}
END_TEST

START_TEST(what_the_way_depends_on_is_read)
{
    struct dyno_openai_relay relay = read_well(
        DYNO_OPENAI_RELAY_CHAT, "{\"model\":\"m\",\"user\":\"u\",\"max_tokens\":5,\"stream\":true,"
                                "\"stream_options\":{\"include_usage\":true}}");

    ck_assert_str_eq(relay.head.model, "m");
    ck_assert_str_eq(relay.head.session, "u");
    ck_assert_uint_eq(relay.max_tokens, 5);
    ck_assert(relay.head.stream && relay.head.include_usage);
    dyno_openai_relay_release(&relay);
    relay = read_well(DYNO_OPENAI_RELAY_CHAT,
                      "{\"model\":\"m\",\"user\":7,\"prompt_cache_key\":\"k\",\"max_tokens\":-1,"
                      "\"max_completion_tokens\":9}");
    ck_assert_str_eq(relay.head.session, "k");
    ck_assert_int_eq(relay.head.priority, 0); /* not said */
    ck_assert_uint_eq(relay.max_tokens, 9);
    ck_assert(!relay.head.stream && !relay.head.include_usage);
    dyno_openai_relay_release(&relay);
}
END_TEST

START_TEST(what_cannot_be_passed_on_is_refused_by_name)
{
    static const struct {
        const char *body, *param;
    } cases[] = {{"{}", "model"},
                 {"{\"model\":7}", "model"},
                 {"{\"model\":\"m\",\"stream\":1}", "stream"},
                 {"{\"model\":\"m\",\"stream\":true,\"stream_options\":[]}", "stream_options"},
                 {"{\"model\":\"m\",\"stream_options\":{}}", "stream_options"},
                 {"[]", ""},
                 {"", ""},
                 {"{\"model\":\"m\",\"model\":\"n\"}", ""},
                 {"{\"model\":\"m\"", ""}};
    struct dyno_openai_rules rules = dyno_openai_rules_default();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dyno_openai_error error = {.http_status = 0};
        struct dyno_openai_relay relay;

        ck_assert_int_ne(dyno_openai_relay_read(&relay, DYNO_OPENAI_RELAY_CHAT, cases[i].body,
                                                strlen(cases[i].body), &rules, &error),
                         DYNO_OK);
        ck_assert_uint_eq(error.http_status, 400);
        ck_assert_str_eq(error.param, cases[i].param);
    }
}
END_TEST

static size_t common_start(const char *one, const char *other)
{
    struct dyno_openai_relay first = read_well(DYNO_OPENAI_RELAY_CHAT, one);
    struct dyno_openai_relay second = read_well(DYNO_OPENAI_RELAY_CHAT, other);
    struct dyno_bytes texts[2];
    size_t same = 0;

    dyno_bytes_init(&texts[0], 4096);
    dyno_bytes_init(&texts[1], 4096);
    dyno_openai_relay_put_prompt(&texts[0], &first);
    dyno_openai_relay_put_prompt(&texts[1], &second);
    while (same < texts[0].size && same < texts[1].size &&
           texts[0].data[same] == texts[1].data[same]) {
        same++;
    }
    if (same == texts[0].size) {
        same = SIZE_MAX; /* all of the first */
    }
    dyno_bytes_release(&texts[0]);
    dyno_bytes_release(&texts[1]);
    dyno_openai_relay_release(&first);
    dyno_openai_relay_release(&second);
    return same;
}

START_TEST(a_conversation_that_goes_on_begins_as_it_did)
{
    ck_assert_uint_eq(
        common_start("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
                     "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
                     "\"content\":\"b\"}],\"model\":\"m\",\"temperature\":0}"),
        SIZE_MAX);
    ck_assert_uint_eq(common_start("{\"model\":\"m\",\"prompt\":\"one\"}",
                                   "{\"model\":\"m\",\"prompt\":\"one and two\"}"),
                      SIZE_MAX);
    ck_assert_uint_lt(common_start("{\"model\":\"m\",\"tools\":[1],\"messages\":[]}",
                                   "{\"model\":\"m\",\"tools\":[2],\"messages\":[]}"),
                      2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("relay");

    tcase_add_test(cases, the_body_loses_its_model_and_asks_for_a_stream_with_usage);
    tcase_add_test(cases, what_the_way_depends_on_is_read);
    tcase_add_test(cases, what_cannot_be_passed_on_is_refused_by_name);
    tcase_add_test(cases, a_conversation_that_goes_on_begins_as_it_did);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/relay", add_cases)
