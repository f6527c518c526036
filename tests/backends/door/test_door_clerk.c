/* The door's clerk beside the door: what one waits for, and what the other never does.  The clerk
 * is held by a job of the test's, so that nothing here depends on how long a prompt takes. */
#include <semaphore.h>

#include "tests/backends/http/rig.h"
#include "tests/fuzz/fuzz_door.c"

enum { LONG = 3, WORDS = DYNO_CLERK_BODY_BYTES };

static struct rig rig; /* whose client waits for the job that holds the clerk */
static struct fuzz_door fuzz;
static sem_t begun, held;

/* The clerk's thread does not come back before it is let go. */
static dyno_status hold(struct dyno_scribe *scribe, const struct dyno_order *order,
                        struct dyno_call **out, struct dyno_openai_error *error)
{
    (void)order;
    (void)error;
    (void)sem_post(&begun);
    while (sem_wait(&held) != 0) {
    }
    dyno_bytes_clear(&scribe->out);
    dyno_bytes_put_text(&scribe->out, "{\"held\":true}");
    *out = NULL;
    return DYNO_OK;
}

static int hold_clerk(void)
{
    const struct dyno_order nothing = {.body = "", .size = 0};
    int client;

    ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
    ck_assert_int_eq(sem_init(&held, 0, 0), 0);
    rig_init(&rig);
    rig_open(&rig);
    client = rig_client(&rig);
    rig_send(client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_settle(&rig);
    ck_assert_uint_eq(rig.held_count, 1);
    ck_assert_int_eq(dyno_clerk_give(fuzz.door->clerk, rig.held[0], &nothing, hold, false),
                     DYNO_OK);
    while (sem_wait(&begun) != 0) {
    }
    return client;
}

static int visit(void)
{
    struct dyno_error error;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(dyno_http_server_adopt(fuzz.door->server, ends[1], &error), DYNO_OK);
    return ends[0];
}

/* All of it is sent, and read by the door as soon as its turns come. */
static void ask(int socket, size_t words)
{
    char head[128], *body = malloc(2 * words + 128);
    size_t size;

    ck_assert_ptr_nonnull(body);
    size = (size_t)snprintf(body, 128, "{\"model\":\"m\",\"max_tokens\":3,\"prompt\":\"");
    for (size_t i = 0; i < words; i++) {
        memcpy(body + size, "a ", 2);
        size += 2;
    }
    memcpy(body + size, "\"}", 2);
    size += 2;
    rig_send_bytes(socket, head,
                   (size_t)snprintf(head, sizeof head,
                                    "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                    "%zu\r\n\r\n",
                                    size));
    rig_send_bytes(socket, body, size);
    free(body);
}

/* What has come back when neither the door nor its fleet has anything to do. */
static const char *hear(int socket)
{
    fuzz.size = 0;
    for (int i = 0; i < 50; i++) {
        fuzz_turn(&fuzz, socket);
    }
    return fuzz.came;
}

static bool is_metric(const char *line)
{
    int client = visit();
    bool is_there;

    rig_send(client, "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    is_there = strstr(hear(client), line) != NULL;
    (void)close(client);
    (void)hear(-1);
    return is_there;
}

/* Prompts that take long to read are read one after the other, and nobody else waits for them;
 * those whose clients have gone meanwhile are not read at all. */
START_TEST(long_prompts_hold_nobody_up)
{
    int patron, long_ones[LONG], hasty;

    fuzz_open(&fuzz);
    patron = hold_clerk();
    for (int i = 0; i < LONG; i++) {
        long_ones[i] = visit();
        ask(long_ones[i], WORDS);
    }
    hasty = visit();
    ask(hasty, 3);
    ck_assert(rig_begins(hear(hasty), "HTTP/1.1 "));
    ck_assert_uint_eq(dyno_clerk_count(fuzz.door->clerk), 1 + LONG); /* none of them was read */
    ask(hasty, 3);                                                   /* nor is it any later */
    ck_assert(rig_begins(hear(hasty), "HTTP/1.1 "));
    for (int i = 1; i < LONG; i++) {
        rig_reset(long_ones[i]);
    }
    ck_assert_str_eq(hear(long_ones[0]), "");
    ck_assert_uint_eq(dyno_clerk_count(fuzz.door->clerk), 2);

    ck_assert_int_eq(sem_post(&held), 0);
    fuzz.size = 0;
    fuzz_settle(&fuzz, long_ones[0]);
    ck_assert_msg(rig_begins(fuzz.came, "HTTP/1.1 400 ") &&
                      strstr(fuzz.came, "context_length_exceeded"),
                  "%s", fuzz.came);
    rig_settle(&rig);
    ck_assert(rig_ends(rig_receive(&rig, patron), "{\"held\":true}"));
    ck_assert(is_metric("dyno_requests_ended_total{outcome=\"bad_request\"} 1\n"));

    (void)close(long_ones[0]);
    (void)close(hasty);
    (void)close(patron);
    rig_close(&rig);
    fuzz_close(&fuzz);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("door_clerk");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, long_prompts_hold_nobody_up);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/door_clerk", add_cases)
