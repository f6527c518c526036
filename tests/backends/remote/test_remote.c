/* Workers that are other servers: what is asked of them, what is made of their answers, and what
 * becomes of a request whose endpoint fails.  Times are compared with each other only. */
#include "backends/remote/remote.h"

#include <stdio.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "tests/backends/client/stub_thread.h"
#include "tests/check_main.h"

enum { STUBS_MAX = 2, HEARD_MAX = 1 << 16, RECORDS_MAX = 8 };

#define HEAD  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define WORD  "data: {\"choices\":[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}\n\n"
#define LAST  "data: {\"choices\":[{\"index\":0,\"text\":\" z\",\"finish_reason\":\"length\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
#define DONE  "data: [DONE]\n\n"

static const struct stub_script good = {.answer = HEAD WORD WORD LAST USAGE DONE, .closes = true};

/* An errand that keeps what it hears. */
struct heard {
    struct dyno_errand errand; /* its first member */
    char text[HEARD_MAX];      /* events, a line each */
    uint32_t refused_status, events, events_max;
    char refusal[256];
};

struct rig {
    struct stub_thread stubs[STUBS_MAX];
    struct dyno_url urls[STUBS_MAX];
    uint32_t stub_count;
    struct dyno_clock *clock;
    struct dyno_transcripts *transcripts;
    struct dyno_histogram itl;
    struct dyno_remote *remote;
    struct dyno_workers *workers;
    struct heard heard[RECORDS_MAX];
    struct dyno_request_record records[RECORDS_MAX];
    uint32_t ended, started, reroutes, presences;
    bool is_gone[STUBS_MAX];
};

static bool on_event(struct dyno_errand *errand, const char *data, size_t size)
{
    struct heard *heard = (struct heard *)(void *)errand;
    size_t used = strlen(heard->text);

    if (heard->events == heard->events_max) {
        return false;
    }
    heard->events++;
    if (used + size + 2 < sizeof heard->text) {
        (void)snprintf(heard->text + used, sizeof heard->text - used, "%.*s\n", (int)size, data);
    }
    return true;
}

static void on_refused(struct dyno_errand *errand, uint32_t status, const char *body, size_t size)
{
    struct heard *heard = (struct heard *)(void *)errand;

    ck_assert_uint_eq(heard->refused_status, 0);
    ck_assert_uint_eq(heard->events, 0);
    heard->refused_status = status;
    (void)snprintf(heard->refusal, sizeof heard->refusal, "%.*s", (int)size, body ? body : "");
}

static const struct dyno_errand_ops errand_ops = {.event = on_event, .refused = on_refused};

static void on_first_token(void *context, uint64_t request)
{
    (void)request;
    ((struct rig *)context)->started++;
}

static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    struct rig *rig = context;

    dyno_transcripts_forget(rig->transcripts, record->id);
    rig->records[record->id] = *record;
    rig->ended++;
    return DYNO_OK;
}

static void on_presence(void *context, uint32_t worker, bool is_there)
{
    struct rig *rig = context;

    rig->is_gone[worker] = !is_there;
    rig->presences++;
}

/* The next one that is there. */
static uint32_t on_reroute(void *context, const struct dyno_request *request, dyno_status *status)
{
    struct rig *rig = context;

    ck_assert_uint_eq(request->span_count, 1);
    ck_assert_uint_eq(request->spans[0].id, 77);
    *status = DYNO_OK;
    rig->reroutes++;
    return rig->stub_count == 2 && !rig->is_gone[1] ? 1 : DYNO_NO_WORKER;
}

static void open_remote(struct rig *rig)
{
    struct dyno_remote_config config = {.urls = rig->urls,
                                        .count = rig->stub_count,
                                        .api_key = "key",
                                        .health_every_ns = 20 * DYNO_S,
                                        .failures_max = 3,
                                        .retries_max = 1,
                                        .connections_max = 8,
                                        .connect_timeout_ns = 20 * DYNO_S,
                                        .silence_timeout_ns = 20 * DYNO_S};
    struct dyno_remote_task task = {.transcripts = rig->transcripts,
                                    .listener = {.context = rig,
                                                 .first_token = on_first_token,
                                                 .ended = on_ended,
                                                 .presence = on_presence,
                                                 .reroute = on_reroute},
                                    .itl = &rig->itl,
                                    .now = dyno_wall_clock_now,
                                    .wake = dyno_wall_clock_wake,
                                    .clock = rig->clock};

    ck_assert_int_eq(dyno_remote_open(&rig->remote, &config, NULL), DYNO_OK);
    rig->workers = dyno_remote_workers(rig->remote, &task);
}

static void open_rig(struct rig *rig, const struct stub_script *scripts, uint32_t count)
{
    char text[64];

    memset(rig, 0, sizeof *rig);
    rig->stub_count = count;
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(stub_thread_start(&rig->stubs[i], &scripts[i]));
        (void)snprintf(text, sizeof text, "http://127.0.0.1:%u/v1",
                       (unsigned)rig->stubs[i].server.port);
        ck_assert_int_eq(dyno_url_parse(&rig->urls[i], text, NULL), DYNO_OK);
    }
    ck_assert_int_eq(dyno_wall_clock_open(&rig->clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_transcripts_open(&rig->transcripts), DYNO_OK);
    ck_assert_int_eq(dyno_histogram_init(&rig->itl), DYNO_OK);
    open_remote(rig);
}

/* What the stubs saw may be looked at after this. */
static void join_stubs(struct rig *rig)
{
    rig->workers->ops->close(rig->workers);
    dyno_remote_close(rig->remote);
    for (uint32_t i = 0; i < rig->stub_count; i++) {
        stub_thread_join(&rig->stubs[i]);
    }
}

static void free_rig(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->stub_count; i++) {
        stub_thread_close(&rig->stubs[i]);
    }
    dyno_transcripts_close(rig->transcripts);
    dyno_histogram_release(&rig->itl);
    dyno_wall_clock_close(rig->clock);
}

static void close_rig(struct rig *rig)
{
    join_stubs(rig);
    free_rig(rig);
}

/* Of which at most so many events are heard. */
static void submit_to_hear(struct rig *rig, uint64_t id, uint32_t events_max)
{
    static const struct dyno_span span = {.id = 77, .blocks = 1};
    static const char body[] = "{\"stream\":true}";
    dyno_ns now = dyno_wall_clock_now(rig->clock);
    struct dyno_request request = {.id = id,
                                   .prompt_tokens = 4,
                                   .max_tokens = 9,
                                   .span_count = 1,
                                   .spans = &span,
                                   .scheduled_ns = now,
                                   .arrival_ns = now};
    struct dyno_transcript *transcript;

    rig->heard[id].events_max = events_max;
    rig->heard[id].errand = (struct dyno_errand){.ops = &errand_ops,
                                                 .path = "/v1/completions",
                                                 .fields = "X-Request-Id: r1\r\n",
                                                 .body = body,
                                                 .body_size = strlen(body),
                                                 .request_id = "r1"};
    ck_assert_int_eq(dyno_transcripts_add(rig->transcripts, id, 0, 0, &transcript), DYNO_OK);
    transcript->errand = &rig->heard[id].errand;
    ck_assert_int_eq(rig->workers->ops->submit(rig->workers, now, 0, &request), DYNO_OK);
}

static void submit(struct rig *rig, uint64_t id)
{
    submit_to_hear(rig, id, UINT32_MAX);
}

static void turn(struct rig *rig)
{
    dyno_ns now = rig->clock->ops->wait_until(rig->clock, DYNO_NEVER);

    ck_assert_int_eq(rig->workers->ops->settle(rig->workers, now), DYNO_OK);
}

static void await(struct rig *rig, uint32_t ended)
{
    while (rig->ended < ended) {
        turn(rig);
    }
}

/* One request to the first of these. */
static void serve(struct rig *rig, const struct stub_script *scripts, uint32_t count)
{
    open_rig(rig, scripts, count);
    submit(rig, 0);
    await(rig, 1);
}

/* ---- answers --------------------------------------------------------------------------------- */

START_TEST(an_answer_is_heard_event_by_event)
{
    struct dyno_request_record *record;
    struct dyno_remote_look look;
    struct rig rig;

    serve(&rig, &good, 1);
    record = &rig.records[0];
    ck_assert_int_eq(record->outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.heard[0].events, 4);
    ck_assert_ptr_nonnull(strstr(rig.heard[0].text, "\" z\""));
    ck_assert_ptr_null(strstr(rig.heard[0].text, "[DONE]"));
    ck_assert_uint_eq(record->prompt_tokens, 7);
    ck_assert_uint_eq(record->output_tokens, 5);
    ck_assert_uint_eq(rig.started, 1);
    ck_assert(record->arrival_ns <= record->ready_ns && record->ready_ns <= record->admitted_ns &&
              record->admitted_ns <= record->first_token_ns &&
              record->first_token_ns <= record->last_token_ns);
    ck_assert_uint_eq(rig.itl.count, 2); /* between three events with text */
    look = dyno_remote_look(rig.remote, 0);
    ck_assert(look.is_there);
    ck_assert_str_eq(look.model, "stub");
    close_rig(&rig);
}
END_TEST

START_TEST(what_is_asked_is_the_errand_with_the_model_of_the_endpoint)
{
    const char *last;
    struct rig rig;

    serve(&rig, &good, 1);
    join_stubs(&rig);
    last = rig.stubs[0].server.last;
    ck_assert_msg(strncmp(last, "POST /v1/completions HTTP/1.1\r\n", 31) == 0, "%s", last);
    ck_assert_ptr_nonnull(strstr(last, "\r\nX-Request-Id: r1\r\n"));
    ck_assert_ptr_nonnull(strstr(last, "\r\nAuthorization: Bearer key\r\n"));
    ck_assert_str_eq(strstr(last, "\r\n\r\n") + 4, "{\"model\":\"stub\",\"stream\":true}");
    free_rig(&rig);
}
END_TEST

/* Every byte on its own: nothing depends on how a stream is cut. */
START_TEST(an_answer_in_single_bytes_is_the_same)
{
    struct stub_script script = good;
    struct rig whole, pieces;

    script.piece = 1;
    serve(&whole, &good, 1);
    serve(&pieces, &script, 1);
    ck_assert_str_eq(whole.heard[0].text, pieces.heard[0].text);
    close_rig(&whole);
    close_rig(&pieces);
}
END_TEST

/* ---- failures -------------------------------------------------------------------------------- */

START_TEST(a_refusal_is_handed_on_and_asked_of_nobody_else)
{
    struct stub_script scripts[] = {{.answer = "HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\n{}"},
                                    good};
    struct rig rig;

    serve(&rig, scripts, 2);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(rig.heard[0].refused_status, 422);
    ck_assert_str_eq(rig.heard[0].refusal, "{}");
    ck_assert_uint_eq(rig.reroutes, 0);
    close_rig(&rig);
}
END_TEST

/* What an endpoint may do in place of a first event, each of which another one makes good. */
static const char *const no_answers[] = {
    "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 2",
    "garbage\r\n\r\n",
    HEAD,
    HEAD "data: no JSON\n\n",
    HEAD "data: [1]\n\n",
    HEAD "data: {\"error\":{\"message\":\"out of blocks\"}}\n\n",
};

START_TEST(what_failed_before_its_answer_began_is_asked_of_another_one)
{
    struct stub_script scripts[] = {{.answer = no_answers[_i], .closes = true}, good};
    struct rig rig;

    serve(&rig, scripts, 2);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].worker, 1);
    ck_assert_uint_eq(rig.reroutes, 1);
    ck_assert_uint_eq(rig.heard[0].events, 4);
    ck_assert_uint_eq(rig.heard[0].refused_status, 0);
    close_rig(&rig);
}
END_TEST

START_TEST(tries_are_bounded_and_the_last_word_is_handed_on)
{
    static const char full[] = "HTTP/1.1 503 Full\r\nContent-Length: 2\r\n\r\n{}";
    struct stub_script scripts[] = {{.answer = full}, {.answer = full}};
    struct rig rig;

    serve(&rig, scripts, 2);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(rig.reroutes, 1);
    ck_assert_uint_eq(rig.heard[0].refused_status, 503);
    close_rig(&rig);
    serve(&rig, scripts, 1);
    ck_assert_uint_eq(rig.heard[0].refused_status, 503);
    close_rig(&rig);
}
END_TEST

static const char *const cut_answers[] = {
    HEAD WORD,
    HEAD WORD "data: {\"choices\":",
    HEAD WORD "data: {]\n\n" LAST DONE,
    HEAD WORD "data: {\"error\":{\"message\":\"out of blocks\"}}\n\n" DONE,
};

START_TEST(an_answer_that_has_begun_is_not_asked_for_again)
{
    struct stub_script scripts[] = {{.answer = cut_answers[_i], .closes = true}, good};
    struct rig rig;

    serve(&rig, scripts, 2);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(rig.records[0].worker, 0);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    ck_assert_uint_eq(rig.reroutes, 0);
    ck_assert_uint_ge(rig.heard[0].events, 1);
    close_rig(&rig);
}
END_TEST

/* One event that has no end: it is not kept for ever. */
START_TEST(an_event_that_is_too_large_ends_the_answer)
{
    size_t head = strlen(HEAD), size = head + (size_t)8 * 1024 * 1024;
    char *answer = malloc(size);
    struct stub_script script = {.answer = answer, .size = size};
    struct rig rig;

    memset(answer, 'x', size);
    memcpy(answer, HEAD "data: ", head + 6);
    serve(&rig, &script, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(rig.heard[0].events, 0);
    close_rig(&rig);
    free(answer);
}
END_TEST

START_TEST(an_errand_that_can_hear_no_more_ends_the_answer)
{
    struct rig rig;

    open_rig(&rig, &good, 1);
    submit_to_hear(&rig, 0, 0);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_FAILED);
    close_rig(&rig);
}
END_TEST

/* ---- endings from our side ------------------------------------------------------------------- */

/* It says a word, and then nothing for an hour; a list of models fits into its first piece. */
#define COMMENT                                                                                    \
    ": 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n"

static const struct stub_script slow = {.answer = HEAD COMMENT COMMENT COMMENT WORD WORD,
                                        .piece = sizeof HEAD COMMENT COMMENT COMMENT WORD - 1,
                                        .pause_us = 3600u * 1000 * 1000};

START_TEST(a_client_that_goes_closes_the_connection)
{
    struct rig rig;

    open_rig(&rig, &slow, 1);
    submit(&rig, 0);
    while (rig.started == 0) {
        turn(&rig);
    }
    ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, 0), DYNO_OK);
    ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, 99), DYNO_OK);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(rig.records[0].output_tokens, 1);
    close_rig(&rig);
}
END_TEST

START_TEST(a_run_that_is_given_up_ends_everything_at_once)
{
    struct rig rig;

    open_rig(&rig, &slow, 1);
    for (uint64_t id = 0; id < 5; id++) {
        submit(&rig, id);
    }
    while (rig.started < 2) {
        turn(&rig);
    }
    ck_assert_int_eq(rig.workers->ops->abandon(rig.workers, 0, DYNO_CANCELLED_AT_END), DYNO_OK);
    ck_assert_uint_eq(rig.ended, 5);
    for (uint64_t id = 0; id < 5; id++) {
        ck_assert_int_eq(rig.records[id].outcome, DYNO_CANCELLED_AT_END);
    }
    close_rig(&rig);
}
END_TEST

/* Cancelled before, while and after they end, as it comes: each ends once. */
START_TEST(clients_that_go_at_any_time_end_once)
{
    struct rig rig;

    open_rig(&rig, &good, 1);
    for (uint64_t id = 0; id < RECORDS_MAX; id++) {
        submit(&rig, id);
        if (id % 2 == 0) {
            ck_assert_int_eq(rig.workers->ops->cancel(rig.workers, 0, 0, id), DYNO_OK);
        }
        if (id % 3 == 0) {
            ck_assert_int_eq(rig.workers->ops->settle(rig.workers, 0), DYNO_OK);
        }
    }
    await(&rig, RECORDS_MAX);
    ck_assert_uint_eq(rig.ended, RECORDS_MAX);
    ck_assert_int_eq(rig.records[1].outcome, DYNO_COMPLETED);
    close_rig(&rig);
}
END_TEST

/* ---- endpoints ------------------------------------------------------------------------------- */

START_TEST(an_endpoint_that_refuses_a_connection_is_out_at_once)
{
    struct stub_script scripts[] = {good, good};
    struct rig rig;

    open_rig(&rig, scripts, 2);
    ck_assert_int_eq(rig.workers->ops->settle(rig.workers, 0), DYNO_OK);
    ck_assert_uint_eq(rig.presences, 0);
    stub_thread_join(&rig.stubs[0]);
    stub_thread_close(&rig.stubs[0]);
    submit(&rig, 0);
    await(&rig, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(rig.records[0].worker, 1);
    ck_assert(rig.is_gone[0] && !rig.is_gone[1]);
    ck_assert(!dyno_remote_look(rig.remote, 0).is_there);
    ck_assert(stub_thread_start(&rig.stubs[0], &good)); /* for close_rig */
    close_rig(&rig);
}
END_TEST

START_TEST(an_endpoint_that_was_never_there_is_told_of_first)
{
    struct rig rig;

    open_rig(&rig, &good, 1);
    dyno_remote_close(rig.remote);
    stub_thread_join(&rig.stubs[0]);
    stub_thread_close(&rig.stubs[0]);
    open_remote(&rig);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), 0);
    ck_assert_int_eq(rig.workers->ops->settle(rig.workers, 0), DYNO_OK);
    ck_assert(rig.is_gone[0]);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), DYNO_NEVER);
    ck_assert(stub_thread_start(&rig.stubs[0], &good)); /* for close_rig */
    close_rig(&rig);
}
END_TEST

START_TEST(what_is_in_flight_is_counted_by_endpoint)
{
    struct dyno_sample_record sample;
    struct rig rig;

    open_rig(&rig, &slow, 1);
    submit(&rig, 0);
    rig.workers->ops->sample(rig.workers, 5, 0, &sample);
    ck_assert_uint_eq(sample.waiting, 1);
    while (rig.started == 0) {
        turn(&rig);
    }
    rig.workers->ops->sample(rig.workers, 5, 0, &sample);
    ck_assert_uint_eq(sample.waiting, 0);
    ck_assert_uint_eq(sample.running, 1);
    ck_assert_uint_eq(sample.tokens_out, 1);
    ck_assert_uint_eq(sample.blocks_total, 0);
    ck_assert_int_eq(rig.workers->ops->abandon(rig.workers, 6, DYNO_CANCELLED_AT_END), DYNO_OK);
    rig.workers->ops->sample(rig.workers, 7, 0, &sample);
    ck_assert_uint_eq(sample.running, 0);
    close_rig(&rig);
}
END_TEST

START_TEST(lists_of_endpoints_are_read_and_wrong_ones_named)
{
    struct dyno_error error = {0};
    struct dyno_url urls[2];
    uint32_t count = 2;

    ck_assert_int_eq(dyno_remote_parse(urls, &count, "http://a:1, http://b/v1", &error), DYNO_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(urls[1].host, "b");
    count = 2;
    ck_assert_int_eq(dyno_remote_parse(urls, &count, "http://a:1,,", &error), DYNO_BAD_INPUT);
    ck_assert_int_eq(dyno_remote_parse(urls, &count, "ftp://a", &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "ftp"));
    ck_assert_int_eq(dyno_remote_parse(urls, &count, "http://a,http://b,http://c", &error),
                     DYNO_BAD_INPUT);
    ck_assert_uint_eq(count, 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("remote");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, an_answer_is_heard_event_by_event);
    tcase_add_test(cases, what_is_asked_is_the_errand_with_the_model_of_the_endpoint);
    tcase_add_test(cases, an_answer_in_single_bytes_is_the_same);
    tcase_add_test(cases, a_refusal_is_handed_on_and_asked_of_nobody_else);
    tcase_add_loop_test(cases, what_failed_before_its_answer_began_is_asked_of_another_one, 0,
                        sizeof no_answers / sizeof *no_answers);
    tcase_add_test(cases, tries_are_bounded_and_the_last_word_is_handed_on);
    tcase_add_loop_test(cases, an_answer_that_has_begun_is_not_asked_for_again, 0,
                        sizeof cut_answers / sizeof *cut_answers);
    tcase_add_test(cases, an_event_that_is_too_large_ends_the_answer);
    tcase_add_test(cases, an_errand_that_can_hear_no_more_ends_the_answer);
    tcase_add_test(cases, a_client_that_goes_closes_the_connection);
    tcase_add_test(cases, a_run_that_is_given_up_ends_everything_at_once);
    tcase_add_test(cases, clients_that_go_at_any_time_end_once);
    tcase_add_test(cases, an_endpoint_that_refuses_a_connection_is_out_at_once);
    tcase_add_test(cases, an_endpoint_that_was_never_there_is_told_of_first);
    tcase_add_test(cases, what_is_in_flight_is_counted_by_endpoint);
    tcase_add_test(cases, lists_of_endpoints_are_read_and_wrong_ones_named);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("remote/remote", add_cases)
