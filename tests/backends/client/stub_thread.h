/* The stub server in a thread of its own. */
#ifndef DYNO_TESTS_BACKENDS_CLIENT_STUB_THREAD_H
#define DYNO_TESTS_BACKENDS_CLIENT_STUB_THREAD_H

#include <pthread.h>

#include "tests/backends/client/stub_server.h"

struct stub_thread {
    struct stub_server server;
    pthread_t thread;
    int stop[2]; /* a pipe: its end is the end */
};

static void stub_stop(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    (void)event_base_loopbreak((struct event_base *)context);
}

static void *stub_run(void *context)
{
    (void)event_base_dispatch(((struct stub_thread *)context)->server.base);
    return NULL;
}

static bool stub_thread_start(struct stub_thread *stub, const struct stub_script *script)
{
    struct event_base *base = event_base_new();

    if (!base || pipe(stub->stop) != 0 || !stub_open(&stub->server, base, script) ||
        event_base_once(base, stub->stop[0], EV_READ, stub_stop, base, NULL) != 0) {
        return false;
    }
    return pthread_create(&stub->thread, NULL, stub_run, stub) == 0;
}

/* What the server saw may be looked at after this, until stub_thread_close. */
static void stub_thread_join(struct stub_thread *stub)
{
    (void)close(stub->stop[1]);
    (void)pthread_join(stub->thread, NULL);
    (void)close(stub->stop[0]);
}

static void stub_thread_close(struct stub_thread *stub)
{
    struct event_base *base = stub->server.base;

    stub_close(&stub->server);
    event_base_free(base);
}

#endif
