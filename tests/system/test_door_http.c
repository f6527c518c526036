/* The whole server, attacked over HTTP: `dyno serve` is a process of its own, with the sanitizers
 * of this build, and has to answer, and to end well, whatever its clients do. */
#include "tests/system/served.h"

/* A device that takes its time: its streams last until they are given up. */
#define SLOW "--device sim --model llama-3.1-8b --sample-every 10ms "
/* One that takes none. */
#define FAST "--device null --model llama-3.1-8b --sample-every 10ms "

#define ENDLESS                                                                                    \
    "{\"model\":\"llama-3.1-8b\",\"prompt\":\"Once\",\"max_tokens\":100000,\"ignore_eos\":true,"   \
    "\"stream\":true}"
#define SHORT                                                                                      \
    "{\"model\":\"llama-3.1-8b\",\"prompt\":\"Once\",\"max_tokens\":3,\"ignore_eos\":true}"

/* Of what a server holds, between two looks at it; ThreadSanitizer's own memory grows. */
#ifdef __SANITIZE_THREAD__
enum { GROWTH_BYTES_MAX = 256 << 20 };
#else
enum { GROWTH_BYTES_MAX = 8 << 20 };
#endif

/* ---- who goes, who does not read, who hurries ------------------------------------------------ */

/* Requests cut off at every byte, and what follows them never comes. */
START_TEST(half_a_request_leaves_nothing_behind)
{
    static const char whole[] = "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                "82\r\n\r\n" SHORT;
    struct served served = serve(FAST);

    for (size_t size = 0; size < strlen(whole); size++) {
        struct client client = client_open(&served);

        client_send(&client, whole, size);
        if (size % 2 == 0) {
            client_close(&client);
        } else {
            client_reset(&client);
        }
    }
    served_settle(&served, "dyno_requests_in_flight", 0);
    served_settle(&served, "dyno_connections_open", 1); /* that of the question itself */
    served_stop(&served);
}
END_TEST

/* Ask for an endless stream, and go: before its first token, after it, or by halves. */
static void come_and_go(const struct served *served, int how)
{
    struct client client = client_open(served);

    client_ask(&client, "/v1/completions", ENDLESS);
    if (how & 1) {
        ck_assert(client_wait(&client, "data: "));
    }
    if (how & 4) {
        (void)shutdown(client.socket, SHUT_WR);
        while (client_read(&client)) {
        }
    }
    if (how & 2) {
        client_reset(&client);
    } else {
        client_close(&client);
    }
}

/* Whatever is in flight is of those who are still there: nothing is. */
static void check_empty(const struct served *served)
{
    served_settle(served, "dyno_requests_in_flight", 0);
    served_settle(served, "dyno_requests_running", 0);
    served_settle(served, "dyno_kv_blocks{worker=\"0\",tier=\"g1\",state=\"used\"}", 0);
}

START_TEST(aborted_streams_leave_nothing_and_those_beside_them_go_on)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* memory is not theirs to see   \
                                                                   */
    enum { WARM = 100, MORE = 300 };
#else
    enum { WARM = 200, MORE = 1500 };
#endif
    struct served served = serve(SLOW);
    struct client steady = client_open(&served);
    const char *times = getenv("DYNO_TEST_ABORTS");
    long more = times ? strtol(times, NULL, 10) : MORE;
    uint64_t memory;

    client_ask(&steady, "/v1/completions", ENDLESS);
    ck_assert(client_wait(&steady, "data: "));
    for (int i = 0; i < WARM; i++) {
        come_and_go(&served, i % 8);
    }
    served_settle(&served, "dyno_requests_in_flight", 1);
    memory = served_memory(&served);
    for (long i = 0; i < more; i++) {
        come_and_go(&served, (int)(i % 8));
    }
    served_settle(&served, "dyno_requests_in_flight", 1);
    client_drop(&steady, steady.size);
    ck_assert(client_wait(&steady, "data: "));
    client_close(&steady);
    check_empty(&served);
    ck_assert_double_eq(
        served_metric(&served, "dyno_requests_ended_total{outcome=\"cancelled_by_client\"}"),
        (double)(WARM + more + 1));
    ck_assert_msg(served_memory(&served) < memory + GROWTH_BYTES_MAX,
                  "memory grew from %llu to %llu", (unsigned long long)memory,
                  (unsigned long long)served_memory(&served));
    served_stop(&served);
}
END_TEST

START_TEST(who_does_not_read_is_cut_and_others_are_served)
{
    struct served served = serve(FAST "--set serve.unsent_max=64KiB");
    struct client lazy = client_open_with(&served, 4096), diligent = client_open(&served);
    struct reply reply;

    client_ask(&lazy, "/v1/completions", ENDLESS);
    client_ask(&diligent, "/v1/completions", SHORT);
    ck_assert(client_hear(&diligent, &reply));
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    served_settle(&served, "dyno_requests_in_flight", 0);
    ck_assert_double_eq(
        served_metric(&served, "dyno_requests_ended_total{outcome=\"cancelled_by_client\"}"), 1);
    ck_assert(!client_hear(&lazy, &reply)); /* half a response is no whole one */
    reply_free(&reply);
    client_close(&lazy);
    client_close(&diligent);
    served_stop(&served);
}
END_TEST

/* Many requests at once on one connection, streams among them: answered one by one, in order. */
START_TEST(pipelined_requests_are_answered_in_order)
{
    enum { TIMES = 30 };
    struct served served = serve(FAST);
    struct client client = client_open(&served);
    char body[256];

    for (int i = 0; i < TIMES; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"model\":\"llama-3.1-8b\",\"prompt\":\"Once\",\"max_tokens\":%d,"
                       "\"ignore_eos\":true,\"stream\":%s%s}",
                       i + 1, i % 2 ? "true" : "false",
                       i % 2 ? ",\"stream_options\":{\"include_usage\":true}" : "");
        client_ask(&client, i % 5 == 4 ? "/nowhere" : "/v1/completions", body);
    }
    for (int i = 0; i < TIMES; i++) {
        char due[64];
        struct reply reply;

        ck_assert(client_hear(&client, &reply));
        (void)snprintf(due, sizeof due, "\"completion_tokens\":%d,", i + 1);
        ck_assert_msg(i % 5 == 4 ? reply.status == 404 : strstr(reply.body, due) != NULL,
                      "answer %d: %d %s", i, reply.status, reply.body);
        reply_free(&reply);
    }
    client_close(&client);
    check_empty(&served);
    served_stop(&served);
}
END_TEST

/* Prompts that take long to read, of clients that wait and of clients that go, beside one in a
 * hurry.  (Who waits for whom is tests/backends/door/test_door_clerk.c's.) */
START_TEST(long_prompts_are_answered_beside_short_ones_and_leave_nothing)
{
    enum { LONG = 8, WORDS = 200000 };
    struct served served = serve(FAST);
    struct client clients[LONG], hasty = client_open(&served);
    char *body = served_repeated("{\"model\":\"llama-3.1-8b\",\"prompt\":\"", "word ", WORDS,
                                 "\",\"max_tokens\":1}");
    struct reply reply;

    for (int i = 0; i < LONG; i++) {
        clients[i] = client_open(&served);
        client_ask(&clients[i], "/v1/completions", body);
    }
    client_ask(&hasty, "/v1/completions", SHORT);
    ck_assert(client_hear(&hasty, &reply));
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    ck_assert(client_hear(&clients[0], &reply)); /* more tokens than the context has */
    served_check_refusal(&reply, 400, "context_length_exceeded", "a long prompt");
    reply_free(&reply);
    for (int i = 0; i < LONG; i++) {
        client_reset(&clients[i]);
    }
    free(body);
    served_settle(&served, "dyno_connections_open", 2);
    body = served_repeated("{\"model\":\"llama-3.1-8b\",\"prompt\":\"", "word ", 4000,
                           "\",\"max_tokens\":3,\"ignore_eos\":true}");
    client_ask(&hasty, "/v1/completions", body);
    ck_assert(client_hear(&hasty, &reply));
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    free(body);
    client_close(&hasty);
    check_empty(&served);
    served_stop(&served);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

START_TEST(a_full_server_says_so_and_takes_the_next_when_there_is_room)
{
    struct served served = serve(SLOW "--set serve.requests_max=2");
    struct client streams[2] = {client_open(&served), client_open(&served)};
    struct reply reply;

    for (int i = 0; i < 2; i++) {
        client_ask(&streams[i], "/v1/completions", ENDLESS);
        ck_assert(client_wait(&streams[i], "data: "));
    }
    reply = served_ask(&served, "/v1/completions", SHORT);
    served_check_refusal(&reply, 429, "rate_limit_exceeded", "a full desk");
    reply_free(&reply);
    reply = served_ask(&served, "/v1/completions",
                       "{\"model\":\"llama-3.1-8b\",\"prompt\":\"Once\",\"n\":3}");
    served_check_refusal(&reply, 400, "invalid_value",
                         "more choices than there will ever be room for");
    reply_free(&reply);
    ck_assert_double_eq(served_metric(&served, "dyno_requests_ended_total{outcome=\"overloaded\"}"),
                        1);
    client_close(&streams[0]);
    served_settle(&served, "dyno_requests_in_flight", 1);
    reply = served_ask(&served, "/v1/completions", SHORT);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    client_close(&streams[1]);
    check_empty(&served);
    served_stop(&served);
}
END_TEST

START_TEST(keys_are_needed_and_their_rates_are_kept)
{
    char path[] = "/tmp/dyno-keys-XXXXXX", arguments[128];
    int file = mkstemp(path);
    struct served served;
    struct reply reply;
    static const char keys[] = "the-key-of-alice name=alice rate=1/min\n";

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, keys, strlen(keys)), (ssize_t)strlen(keys));
    (void)close(file);
    (void)snprintf(arguments, sizeof arguments, FAST "--api-keys %s", path);
    served = serve(arguments);
    for (int i = 0; i < 5; i++) {
        static const char *const headers[] = {"", "Authorization: Bearer the-key-of-alic\r\n",
                                              "Authorization: the-key-of-alice\r\n",
                                              "Authorization: Bearer the-key-of-alice\r\n",
                                              "Authorization: bearer the-key-of-alice\r\n"};
        static const int due[] = {401, 401, 401, 200, 429};

        reply =
            served_ask_with(&served, "POST", "/v1/completions", headers[i], SHORT, strlen(SHORT));
        ck_assert_msg(reply.status == due[i], "%s: %d", headers[i], reply.status);
        if (due[i] != 200) {
            served_check_refusal(&reply, due[i], i == 4 ? "rate_limit_exceeded" : "invalid_api_key",
                                 headers[i]);
        }
        reply_free(&reply);
    }
    reply = served_ask_with(&served, "GET", "/metrics",
                            "Authorization: Bearer the-key-of-alice\r\n", "", 0);
    ck_assert_msg(strstr(reply.body, "outcome=\"unauthorized\"} 3\n") &&
                      strstr(reply.body, "outcome=\"rate_limited\"} 1\n"),
                  "%s", reply.body);
    reply_free(&reply);
    served_stop(&served);
    (void)unlink(path);
}
END_TEST

/* ---- whose text it is ------------------------------------------------------------------------ */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* a token takes them long */
enum { PROMPTS = 10 };
#else
enum { PROMPTS = 24 };
#endif

static void prompt_body(char *body, size_t size, int prompt, bool streams)
{
    static const char *const names[] = {"Elizabeth", "Emma",      "Anne",    "Fanny",
                                        "Catherine", "Mr. Darcy", "Marianne"};

    (void)snprintf(body, size,
                   "{\"model\":\"austen-2m\",\"prompt\":\"%s said to %s, number %d:\","
                   "\"temperature\":0,\"max_tokens\":%d,\"stream\":%s}",
                   names[prompt % 7], names[prompt % 5], prompt, 20 + prompt,
                   streams ? "true" : "false");
}

/* All text of an answer, told whole or in events. */
static char *text_of(const struct reply *reply)
{
    char *text = calloc(1, reply->size + 1);
    size_t length = 0;

    ck_assert_ptr_nonnull(text);
    for (const char *at = strchr(reply->body, '{'); at; at = strstr(at, "\ndata: {")) {
        size_t size = strcspn(at += *at == '\n' ? strlen("\ndata: ") : 0, "\n");
        json_t *body = json_loadb(at, size, 0, NULL);
        const json_t *choice = json_array_get(json_object_get(body, "choices"), 0);

        ck_assert_msg(body, "%.*s", (int)size, at);
        choice = json_object_get(choice, "text");
        memcpy(text + length, json_string_value(choice), json_string_length(choice));
        length += json_string_length(choice);
        json_decref(body);
    }
    return text;
}

/* Siblings share what was computed for the first, which is no hit of the request's. */
START_TEST(no_more_of_a_prompt_is_cached_than_there_is)
{
    struct served served = serve("");
    char *body = served_repeated("{\"model\":\"austen-2m\",\"max_tokens\":1,\"n\":4,\"prompt\":\"",
                                 "word ", 100, "\"}");

    for (int i = 0; i < 2; i++) {
        struct reply reply = served_ask(&served, "/v1/completions", body);
        json_t *answer = json_loads(reply.body, 0, NULL);
        json_t *usage = json_object_get(answer, "usage");
        json_int_t prompt = json_integer_value(json_object_get(usage, "prompt_tokens"));
        json_int_t cached = json_integer_value(
            json_object_get(json_object_get(usage, "prompt_tokens_details"), "cached_tokens"));

        ck_assert_msg(i == 0 ? cached == 0 : cached > 0 && cached < prompt, "%s", reply.body);
        json_decref(answer);
        reply_free(&reply);
    }
    free(body);
    served_stop(&served);
}
END_TEST

START_TEST(no_answer_has_anothers_text)
{
    struct served served = serve("--set batch.seqs_max=8");
    char *alone[PROMPTS], body[512];
    struct client clients[PROMPTS];
    struct reply reply;

    for (int i = 0; i < PROMPTS; i++) {
        prompt_body(body, sizeof body, i, false);
        reply = served_ask(&served, "/v1/completions", body);
        ck_assert_msg(reply.status == 200, "%s", reply.body);
        alone[i] = text_of(&reply);
        reply_free(&reply);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PROMPTS; i++) {
            clients[i] = client_open(&served);
            prompt_body(body, sizeof body, i, (i + round) % 2);
            client_ask(&clients[i], "/v1/completions", body);
        }
        for (int i = 0; i < PROMPTS; i++) {
            char *text;

            if ((i + round) % 3 == 0) { /* these go away, and have no say in what others get */
                client_reset(&clients[i]);
                continue;
            }
            ck_assert(client_hear(&clients[i], &reply));
            text = text_of(&reply);
            ck_assert_msg(strcmp(text, alone[i]) == 0, "prompt %d: '%s', alone '%s'", i, text,
                          alone[i]);
            free(text);
            reply_free(&reply);
            client_close(&clients[i]);
        }
    }
    check_empty(&served);
    for (int i = 0; i < PROMPTS; i++) {
        free(alone[i]);
    }
    served_stop(&served);
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

START_TEST(a_server_that_is_stopped_finishes_its_streams)
{
    struct served served = serve("--set serve.grace=10min");
    struct client client = client_open(&served);
    struct reply reply;

    client_ask(&client, "/v1/completions",
               "{\"model\":\"austen-2m\",\"prompt\":\"Once\",\"max_tokens\":150,"
               "\"ignore_eos\":true,\"stream\":true}");
    ck_assert(client_wait(&client, "data: "));
    (void)kill(served.pid, SIGTERM);
    ck_assert(client_hear(&client, &reply));
    ck_assert_str_eq(reply.body + reply.size - strlen("data: [DONE]\n\n"), "data: [DONE]\n\n");
    ck_assert_ptr_nonnull(strstr(reply.body, "\"finish_reason\":\"length\""));
    reply_free(&reply);
    client_close(&client);
    ck_assert_int_eq(served_end(&served), 0);
}
END_TEST

/* On both devices: a pass may be in flight when nobody waits any more. */
START_TEST(a_server_that_is_stopped_twice_cuts_its_streams)
{
    static const char *const arguments[] = {SLOW "--set serve.grace=10min",
                                            "--set serve.grace=10min --served-model-name "
                                            "llama-3.1-8b"};
    struct served served = serve(arguments[_i]);
    struct client clients[4];

    for (int i = 0; i < 4; i++) {
        clients[i] = client_open(&served);
        client_ask(&clients[i], "/v1/completions",
                   _i == 0 ? ENDLESS
                           : "{\"model\":\"llama-3.1-8b\",\"prompt\":\"Once\",\"max_tokens\":1000,"
                             "\"ignore_eos\":true,\"stream\":true}");
        ck_assert(client_wait(&clients[i], "data: "));
    }
    (void)kill(served.pid, SIGTERM);
    while (!served_is_deaf(&served)) { /* the first one has been understood */
    }
    (void)kill(served.pid, SIGTERM);
    for (int i = 0; i < 4; i++) {
        while (client_read(&clients[i])) {
        }
        client_close(&clients[i]);
    }
    ck_assert_int_eq(served_end(&served), 0);
}
END_TEST

START_TEST(a_server_that_is_killed_is_seen_to_be_and_another_takes_its_place)
{
    struct served served = serve(SLOW);
    struct client client = client_open(&served);
    struct reply reply;
    char arguments[256];

    client_ask(&client, "/v1/completions", ENDLESS);
    ck_assert(client_wait(&client, "data: "));
    (void)kill(served.pid, SIGKILL);
    ck_assert(!client_hear(&client, &reply)); /* no end that looks like one */
    ck_assert_ptr_null(strstr(reply.body, "[DONE]"));
    reply_free(&reply);
    ck_assert_int_eq(served_end(&served), -SIGKILL);
    (void)snprintf(arguments, sizeof arguments, SLOW "--port %u", served.port);
    served = serve(arguments);
    reply = served_ask(&served, "/v1/completions", SHORT);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    client_close(&client);
    served_stop(&served);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("door_http");

    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, half_a_request_leaves_nothing_behind);
    tcase_add_test(tc, who_does_not_read_is_cut_and_others_are_served);
    tcase_add_test(tc, pipelined_requests_are_answered_in_order);
    tcase_add_test(tc, long_prompts_are_answered_beside_short_ones_and_leave_nothing);
    tcase_add_test(tc, a_full_server_says_so_and_takes_the_next_when_there_is_room);
    tcase_add_test(tc, keys_are_needed_and_their_rates_are_kept);
    tcase_add_test(tc, no_more_of_a_prompt_is_cached_than_there_is);
    tcase_add_test(tc, no_answer_has_anothers_text);
    tcase_add_test(tc, a_server_that_is_stopped_finishes_its_streams);
    tcase_add_loop_test(tc, a_server_that_is_stopped_twice_cuts_its_streams, 0, 2);
    tcase_add_test(tc, a_server_that_is_killed_is_seen_to_be_and_another_takes_its_place);
    suite_add_tcase(suite, tc);
    tc = tcase_create("aborted_streams");
    tcase_set_timeout(tc, getenv("DYNO_TEST_ABORTS") ? 3600 : 280);
    tcase_add_test(tc, aborted_streams_leave_nothing_and_those_beside_them_go_on);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("system/door_http", add_cases)
