/* A server on a thread of its own: waking and stopping it from others. */
#include "tests/backends/http/rig.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 4, WAKES = 2000 };

struct service {
    struct rig rig;
    pthread_t thread;
    dyno_status status; /* of the run, once the thread has ended */
    atomic_uint wakes_asked;
    unsigned wakes_seen; /* as of the last call of woken; the server's thread's */
    sem_t held, all_seen;
};

static struct service service;

static void on_request(void *context, struct dyno_http_exchange *exchange)
{
    struct service *self = context;

    rig_request(&self->rig, exchange);
    if (self->rig.held_count > 0) {
        (void)sem_post(&self->held);
    }
}

static void on_gone(void *context, void *data)
{
    rig_gone(&((struct service *)context)->rig, data);
}

static void on_woken(void *context)
{
    struct service *self = context;

    self->wakes_seen = atomic_load(&self->wakes_asked);
    self->rig.woken++;
    if (self->wakes_seen == THREADS * WAKES) {
        (void)sem_post(&self->all_seen);
    }
}

static void *serve(void *context)
{
    struct service *self = context;
    struct dyno_error error;

    self->status = dyno_http_server_run(self->rig.server, &error);
    return NULL;
}

static void setup(void)
{
    memset(&service, 0, sizeof service);
    rig_init(&service.rig);
    service.rig.config.request = on_request;
    service.rig.config.gone = on_gone;
    service.rig.config.woken = on_woken;
    service.rig.config.context = &service;
    rig_open(&service.rig);
    ck_assert_int_eq(sem_init(&service.held, 0, 0), 0);
    ck_assert_int_eq(sem_init(&service.all_seen, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&service.thread, NULL, serve, &service), 0);
}

static void join(void)
{
    ck_assert_int_eq(pthread_join(service.thread, NULL), 0);
    ck_assert_int_eq(service.status, DYNO_OK);
}

static void teardown(void)
{
    rig_close(&service.rig);
    (void)sem_destroy(&service.held);
    (void)sem_destroy(&service.all_seen);
}

static void *wake_often(void *context)
{
    struct service *self = context;

    for (int i = 0; i < WAKES; i++) {
        (void)atomic_fetch_add(&self->wakes_asked, 1);
        dyno_http_server_wake(self->rig.server);
    }
    return NULL;
}

START_TEST(no_wake_is_lost_whoever_calls_it)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wake_often, &service), 0);
    }
    (void)sem_wait(&service.all_seen); /* a lost wake would leave us here for ever */
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    dyno_http_server_stop(service.rig.server, DYNO_S);
    join();
    ck_assert_uint_ge(service.rig.woken, 1);
    ck_assert_uint_le(service.rig.woken, THREADS * WAKES);
}
END_TEST

/* Blocking; until the server closes. */
static const char *read_to_end(int client)
{
    struct rig *rig = &service.rig;
    ssize_t got;

    rig->received_size = 0;
    do {
        got = recv(client, rig->received + rig->received_size, 4096, 0);
        rig->received_size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    rig->received[rig->received_size] = '\0';
    return got == 0 ? rig->received : "reset";
}

START_TEST(requests_are_served_while_others_wake_the_server)
{
    pthread_t waker;

    ck_assert_int_eq(pthread_create(&waker, NULL, wake_often, &service), 0);
    for (int i = 0; i < 50; i++) {
        int client = rig_tcp_client(&service.rig);

        rig_send(client, "GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        ck_assert(rig_ends(read_to_end(client), "0\r\n\r\n"));
        (void)close(client);
    }
    ck_assert_int_eq(pthread_join(waker, NULL), 0);
    dyno_http_server_stop(service.rig.server, DYNO_S);
    join();
}
END_TEST

START_TEST(stopping_without_grace_cuts_what_is_in_flight)
{
    int client = rig_tcp_client(&service.rig), idle = rig_tcp_client(&service.rig);

    rig_send(client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)sem_wait(&service.held);
    dyno_http_server_stop(service.rig.server, 0);
    join();
    ck_assert_uint_eq(service.rig.gone, 1);
    ck_assert_str_eq(read_to_end(client), "reset");
    (void)close(client);
    (void)close(idle);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("threads");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, no_wake_is_lost_whoever_calls_it);
    tcase_add_test(tc, requests_are_served_while_others_wake_the_server);
    tcase_add_test(tc, stopping_without_grace_cuts_what_is_in_flight);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_threads", add_cases)
