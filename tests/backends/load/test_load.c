/* A server as a worker: what is asked of it, what is made of its answers, and how each way to fail
 * is told.  Times are compared with each other, never with a length of time. */
#include "backends/load/load.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/backends/client/stub_thread.h"
#include "tests/check_main.h"

enum { RECORDS_MAX = 64, CHUNKS_MAX = 64, ANSWER_MAX = 1 << 14 };

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define WORD "data: {\"choices\":[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}\n\n"
#define LAST "data: {\"choices\":[{\"index\":0,\"text\":\" z\",\"finish_reason\":\"length\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

/* A server in a thread, a load for it, and what was told. */
struct rig {
    struct stub_thread stub;
    struct dyno_url url;
    struct dyno_load *load;
    struct dyno_clock *clock;
    struct dyno_workers *workers;
    struct dyno_prompt_maker *prompts;
    struct dyno_histogram itl;
    struct dyno_request_record records[RECORDS_MAX];
    char why[RECORDS_MAX][DYNO_LOAD_REASON_MAX];
    uint32_t chunks[RECORDS_MAX];
    uint32_t ended, started;
    uint32_t answer_tokens;
};

static void on_first_token(void *context, uint64_t request)
{
    (void)request;
    ((struct rig *)context)->started++;
}

static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    struct rig *rig = context;

    ck_assert_uint_lt(rig->ended, RECORDS_MAX);
    rig->records[rig->ended++] = *record;
    return DYNO_OK;
}

static void on_answered(void *context, const struct dyno_load_answer *answer)
{
    struct rig *rig = context;

    (void)snprintf(rig->why[rig->ended], DYNO_LOAD_REASON_MAX, "%s", answer->why);
    rig->chunks[rig->ended] = answer->chunk_count;
    for (uint32_t i = 1; i < answer->chunk_count; i++) {
        ck_assert_uint_ge(answer->chunk_ns[i], answer->chunk_ns[i - 1]);
    }
}

static uint32_t recorded(void *context, uint64_t id)
{
    (void)id;
    return ((struct rig *)context)->answer_tokens;
}

static void open_rig(struct rig *rig, const struct stub_script *script, bool is_chat)
{
    struct dyno_prompt_config prompts = {.seed = 1, .block_tokens = 16};
    struct dyno_load_task task = {
        .model = "a \"model\"",
        .is_chat = is_chat,
        .ignore_eos = true,
        .extra = ",\"temperature\":0",
        .answer_tokens = recorded,
        .answer_context = rig,
        .listener = {.context = rig, .first_token = on_first_token, .ended = on_ended},
        .answered = on_answered,
        .answered_context = rig,
        .keeps_chunks = true};
    struct dyno_load_config config = {.connections_max = 8,
                                      .api_key = "key",
                                      .connect_timeout_ns = 20 * DYNO_S,
                                      .silence_timeout_ns = 20 * DYNO_S};
    char text[64];

    memset(rig, 0, sizeof *rig);
    rig->answer_tokens = 5;
    ck_assert(stub_thread_start(&rig->stub, script));
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u", (unsigned)rig->stub.server.port);
    ck_assert_int_eq(dyno_url_parse(&rig->url, text, NULL), DYNO_OK);
    config.url = &rig->url;
    ck_assert_int_eq(dyno_histogram_init(&rig->itl), DYNO_OK);
    ck_assert_int_eq(dyno_prompt_maker_open(&rig->prompts, &prompts, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_load_open(&rig->load, &config, NULL), DYNO_OK);
    task.prompts = rig->prompts;
    task.itl = &rig->itl;
    rig->clock = dyno_load_clock(rig->load);
    rig->workers = dyno_load_workers(rig->load, &task);
}

static void close_rig(struct rig *rig)
{
    dyno_load_close(rig->load);
    stub_thread_join(&rig->stub);
    stub_thread_close(&rig->stub);
    dyno_prompt_maker_close(rig->prompts);
    dyno_histogram_release(&rig->itl);
}

static void submit(struct rig *rig, uint64_t id)
{
    dyno_ns now = rig->clock->ops->wait_until(rig->clock, 0);
    struct dyno_request request = {
        .id = id, .prompt_tokens = 4, .max_tokens = 9, .scheduled_ns = now, .arrival_ns = now};

    ck_assert_int_eq(rig->workers->ops->submit(rig->workers, now, 0, &request), DYNO_OK);
}

static void await(struct rig *rig, uint32_t ended)
{
    while (rig->ended < ended) {
        dyno_ns now = rig->clock->ops->wait_until(rig->clock, DYNO_NEVER);

        ck_assert_int_eq(rig->workers->ops->settle(rig->workers, now), DYNO_OK);
    }
}

/* One request, answered so. */
static void serve(struct rig *rig, const struct stub_script *script)
{
    open_rig(rig, script, false);
    submit(rig, 0);
    await(rig, 1);
}

static void stamps_are_in_order(const struct dyno_request_record *record)
{
    ck_assert_uint_le(record->scheduled_ns, record->arrival_ns);
    ck_assert_uint_le(record->arrival_ns, record->ready_ns);
    ck_assert_uint_le(record->ready_ns, record->admitted_ns);
    ck_assert_uint_le(record->admitted_ns, record->first_token_ns);
    ck_assert_uint_le(record->first_token_ns, record->last_token_ns);
    ck_assert_uint_ne(record->last_token_ns, DYNO_NEVER);
}

START_TEST(a_stream_is_counted_and_stamped)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){
                    .answer = HEAD WORD WORD ": ping\n\n" LAST DONE, .piece = 40, .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].prompt_tokens, 4);
    ck_assert_uint_eq(rig.records[0].output_tokens, 3);
    ck_assert_uint_eq(rig.chunks[0], 3);
    ck_assert_uint_eq(rig.itl.count, 2);
    ck_assert_uint_eq(rig.started, 1);
    stamps_are_in_order(&rig.records[0]);
    close_rig(&rig);
}
END_TEST

START_TEST(what_the_server_counted_goes_before_chunks)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){.answer = HEAD WORD LAST
                                      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":6,"
                                      "\"completion_tokens\":5,\"prompt_tokens_details\":"
                                      "{\"cached_tokens\":4}}}\n\n" DONE,
                                      .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].prompt_tokens, 6);
    ck_assert_uint_eq(rig.records[0].output_tokens, 5);
    ck_assert_uint_eq(rig.records[0].cached_tokens, 4);
    close_rig(&rig);
}
END_TEST

/* What stands after the head of the last request. */
static json_t *posted(const struct rig *rig)
{
    json_t *body = json_loads(strstr(rig->stub.server.last, "\r\n\r\n") + 4, 0, NULL);

    ck_assert_ptr_nonnull(body);
    return body;
}

/* Asked for: what was recorded, at most what the client wants. */
START_TEST(completions_are_asked_for)
{
    static const struct stub_script script = {.answer = HEAD LAST DONE, .closes = true};
    struct rig rig;
    json_t *body;

    serve(&rig, &script);
    dyno_load_close(rig.load);
    rig.load = NULL;
    stub_thread_join(&rig.stub);
    ck_assert_ptr_nonnull(strstr(rig.stub.server.last, "POST /v1/completions HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(rig.stub.server.last, "\r\nAuthorization: Bearer key\r\n"));
    ck_assert_ptr_nonnull(strstr(rig.stub.server.last, "\r\nX-Request-Id: dyno-0\r\n"));
    body = posted(&rig);
    ck_assert_str_eq(json_string_value(json_object_get(body, "model")), "a \"model\"");
    ck_assert(json_is_string(json_object_get(body, "prompt")));
    ck_assert_int_eq(json_integer_value(json_object_get(body, "max_tokens")), 5);
    ck_assert(json_is_true(json_object_get(body, "stream")));
    ck_assert(json_is_true(json_object_get(body, "ignore_eos")));
    ck_assert(json_is_integer(json_object_get(body, "temperature")));
    ck_assert(
        json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage")));
    json_decref(body);
    stub_thread_close(&rig.stub);
    dyno_prompt_maker_close(rig.prompts);
    dyno_histogram_release(&rig.itl);
}
END_TEST

START_TEST(chats_are_asked_for)
{
    static const struct stub_script script = {
        .answer = HEAD "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"
                       "\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
                       "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE,
        .closes = true};
    struct rig rig;
    json_t *body;

    open_rig(&rig, &script, true);
    submit(&rig, 0);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    dyno_load_close(rig.load);
    stub_thread_join(&rig.stub);
    ck_assert_ptr_nonnull(strstr(rig.stub.server.last, "POST /v1/chat/completions HTTP/1.1\r\n"));
    body = posted(&rig);
    ck_assert_int_eq(json_integer_value(json_object_get(body, "max_completion_tokens")), 5);
    ck_assert_ptr_null(json_object_get(body, "prompt"));
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_array_get(json_object_get(body, "messages"), 0), "role")),
                     "user");
    json_decref(body);
    stub_thread_close(&rig.stub);
    dyno_prompt_maker_close(rig.prompts);
    dyno_histogram_release(&rig.itl);
}
END_TEST

/* Tokens without a text (special ones) are an answer too. */
START_TEST(an_answer_without_text_has_the_times_of_its_chunks)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){
                    .answer = HEAD "data: {\"choices\":[{\"text\":\"\"}]}\n\n"
                                   "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\""
                                   "}],\"usage\":{\"completion_tokens\":2}}\n\n" DONE,
                    .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].output_tokens, 2);
    stamps_are_in_order(&rig.records[0]);
    close_rig(&rig);
}
END_TEST

START_TEST(a_missing_done_is_forgiven_after_a_reason_to_finish)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){.answer = HEAD WORD LAST, .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    close_rig(&rig);
    serve(&rig, &(struct stub_script){.answer = HEAD WORD DONE, .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    close_rig(&rig);
}
END_TEST

/* [DONE] is the end: what becomes of the connection after it is no matter. */
START_TEST(after_done_nothing_can_go_wrong)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){.answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"
                                                "\r\nContent-Length: 9999\r\n\r\n" WORD DONE,
                                      .closes = true});
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    close_rig(&rig);
}
END_TEST

/* A server that answers so is told of with this reason, and the stamps that there are. */
static void fails(const char *answer, const char *why, uint32_t tokens)
{
    struct stub_script script = {.answer = answer, .closes = true};
    struct dyno_load_facts facts;
    struct rig rig;

    serve(&rig, &script);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_str_eq(rig.why[0], why);
    ck_assert_uint_eq(rig.records[0].output_tokens, tokens);
    ck_assert_int_eq(rig.records[0].first_token_ns == DYNO_NEVER, tokens == 0);
    dyno_load_facts(rig.load, &facts);
    ck_assert_uint_eq(facts.reason_count, 1);
    ck_assert_uint_eq(facts.reasons[0].count, 1);
    ck_assert_str_eq(facts.reasons[0].why, why);
    close_rig(&rig);
}

START_TEST(failures_have_reasons)
{
    fails(
        "HTTP/1.1 429 Too Many\r\nContent-Length: 32\r\n\r\n{\"error\":{\"message\":\"too busy\"}}",
        "HTTP 429: too busy", 0);
    fails("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "HTTP 500", 0);
    fails("HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP 503", 0);
    fails("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
          "the answer is no text/event-stream but 'application/json'", 0);
    fails("HTTP/1.1 200 OK\r\nContent-Type: te\x1b[1mxt\xff\r\nContent-Length: 2\r\n\r\n{}",
          "the answer is no text/event-stream but 'te?[1mxt?'", 0);
    fails(HEAD WORD "data: {\"error\":{\"message\":\"engine died\",\"code\":500}}\n\n",
          "an error within the stream: engine died", 1);
    fails(HEAD WORD WORD, "the stream ended without [DONE] or a reason to finish", 2);
    fails(HEAD WORD "data: {\"choices\":[\n\n", "a chunk of the stream is no JSON object", 1);
    fails(HEAD DONE, "the answer has no chunk with a token", 0);
    fails("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
          "1\r\n",
          "the server closed the connection within its answer", 0);
    fails("nonsense\r\n",
          "no proper HTTP response: it does not begin like one of HTTP/1.0 or 1.1: 'nonsense'", 0);
}
END_TEST

/* Of a server that answers three requests so. */
static uint32_t reasons_of(const char *one, const char *two, const char *three)
{
    const char *turns[] = {one, two, three};
    struct stub_script script = {.turns = turns, .turn_count = 3, .closes = true};
    struct dyno_load_facts facts;
    struct rig rig;

    open_rig(&rig, &script, false);
    for (uint32_t i = 0; i < 3; i++) {
        submit(&rig, i);
        await(&rig, i + 1);
    }
    dyno_load_facts(rig.load, &facts);
    close_rig(&rig);
    return facts.reason_count;
}

#define SAYS(text) "HTTP/1.1 400 Bad\r\n\r\n{\"error\":{\"message\":\"" text "\"}}"

START_TEST(reasons_that_differ_in_numbers_are_one)
{
    ck_assert_uint_eq(reasons_of(SAYS("has 7 of 10"), SAYS("has 123 of 10"), SAYS("has 1 of 9")),
                      1);
    ck_assert_uint_eq(reasons_of(SAYS("has 7"), SAYS("has"), SAYS("has 7 more")), 3);
    ck_assert_uint_eq(reasons_of("HTTP/1.1 400 Bad\r\n\r\n", "HTTP/1.1 429 Busy\r\n\r\n",
                                 "HTTP/1.1 500 Oops\r\n\r\n"),
                      3);
}
END_TEST

START_TEST(nobody_listening_is_a_failure_too)
{
    static const struct stub_script script = {.answer = HEAD};
    struct rig rig;

    open_rig(&rig, &script, false);
    stub_thread_join(&rig.stub);
    stub_thread_close(&rig.stub);
    submit(&rig, 0);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(rig.records[0].ready_ns, DYNO_NEVER);
    ck_assert_msg(strstr(rig.why[0], "Connection refused"), "%s", rig.why[0]);
    dyno_load_close(rig.load);
    dyno_prompt_maker_close(rig.prompts);
    dyno_histogram_release(&rig.itl);
}
END_TEST

START_TEST(a_failed_stream_is_not_waited_for)
{
    struct rig rig;

    serve(&rig, &(struct stub_script){.answer = HEAD "data: {\"error\":\"stop\"}\n\n"});
    ck_assert_str_eq(rig.why[0], "an error within the stream: stop");
    close_rig(&rig);
}
END_TEST

START_TEST(more_than_there_are_connections_fail_by_name)
{
    static const struct stub_script script = {.answer = HEAD LAST DONE, .closes = true};
    struct rig rig;
    uint32_t failed = 0;

    open_rig(&rig, &script, false);
    for (uint64_t id = 0; id < 10; id++) { /* the clock is not asked between them: none can end */
        struct dyno_request request = {.id = id, .prompt_tokens = 4, .max_tokens = 9};

        ck_assert_int_eq(rig.workers->ops->submit(rig.workers, 0, 0, &request), DYNO_OK);
    }
    await(&rig, 10);
    for (uint32_t i = 0; i < 10; i++) {
        failed += rig.records[i].outcome == DYNO_FAILED;
        ck_assert(rig.why[i][0] == '\0' || strstr(rig.why[i], "--connections"));
    }
    ck_assert_uint_eq(failed, 2);
    close_rig(&rig);
}
END_TEST

START_TEST(what_is_in_flight_can_be_given_up)
{
    static const struct stub_script script = {.answer = HEAD WORD};
    struct rig rig;

    open_rig(&rig, &script, false);
    submit(&rig, 0);
    submit(&rig, 1);
    while (rig.started < 2) {
        dyno_ns now = rig.clock->ops->wait_until(rig.clock, DYNO_NEVER);

        ck_assert_int_eq(rig.workers->ops->settle(rig.workers, now), DYNO_OK);
    }
    ck_assert_int_eq(rig.workers->ops->abandon(rig.workers, DYNO_S, DYNO_CANCELLED_AT_END),
                     DYNO_OK);
    ck_assert_uint_eq(rig.ended, 2);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_CANCELLED_AT_END);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), DYNO_NEVER);
    close_rig(&rig);
}
END_TEST

START_TEST(a_client_may_go_away)
{
    static const struct stub_script script = {.answer = HEAD WORD};
    struct rig rig;

    open_rig(&rig, &script, false);
    submit(&rig, 7);
    while (rig.started < 1) {
        dyno_ns now = rig.clock->ops->wait_until(rig.clock, DYNO_NEVER);

        ck_assert_int_eq(rig.workers->ops->settle(rig.workers, now), DYNO_OK);
    }
    ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, 8), DYNO_OK);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), DYNO_NEVER);
    ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, 7), DYNO_OK);
    ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, 7), DYNO_OK);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    ck_assert_uint_eq(rig.ended, 1);
    close_rig(&rig);
}
END_TEST

START_TEST(the_model_is_asked_for)
{
    static const struct stub_script script = {.answer = HEAD};
    char model[DYNO_LOAD_MODEL_MAX] = "";
    struct dyno_error error = {0};
    struct rig rig;

    open_rig(&rig, &script, false);
    ck_assert_msg(dyno_load_model(rig.load, model, &error) == DYNO_OK, "%s", error.text);
    ck_assert_str_eq(model, "stub");
    close_rig(&rig);
}
END_TEST

START_TEST(a_key_is_checked_before_it_is_sent)
{
    struct dyno_url url;
    struct dyno_load_config config = {.url = &url,
                                      .api_key = "two\r\nlines",
                                      .connections_max = 1,
                                      .connect_timeout_ns = DYNO_S,
                                      .silence_timeout_ns = DYNO_S};
    struct dyno_load *load = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_url_parse(&url, "http://127.0.0.1:1", NULL), DYNO_OK);
    ck_assert_int_eq(dyno_load_open(&load, &config, &error), DYNO_BAD_INPUT);
    ck_assert_msg(!strstr(error.text, "two"), "the key is told: %s", error.text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("load");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_stream_is_counted_and_stamped);
    tcase_add_test(cases, what_the_server_counted_goes_before_chunks);
    tcase_add_test(cases, completions_are_asked_for);
    tcase_add_test(cases, chats_are_asked_for);
    tcase_add_test(cases, an_answer_without_text_has_the_times_of_its_chunks);
    tcase_add_test(cases, a_missing_done_is_forgiven_after_a_reason_to_finish);
    tcase_add_test(cases, after_done_nothing_can_go_wrong);
    tcase_add_test(cases, failures_have_reasons);
    tcase_add_test(cases, reasons_that_differ_in_numbers_are_one);
    tcase_add_test(cases, nobody_listening_is_a_failure_too);
    tcase_add_test(cases, a_failed_stream_is_not_waited_for);
    tcase_add_test(cases, more_than_there_are_connections_fail_by_name);
    tcase_add_test(cases, what_is_in_flight_can_be_given_up);
    tcase_add_test(cases, a_client_may_go_away);
    tcase_add_test(cases, the_model_is_asked_for);
    tcase_add_test(cases, a_key_is_checked_before_it_is_sent);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/load/load", add_cases)
