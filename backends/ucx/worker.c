#include "backends/ucx/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/http/listen.h"
#include "backends/ucx/session.h"
#include "backends/ucx/socket.h"
#include "backends/ucx/transport.h"

struct worker {
    struct dyno_ucx_worker_config config;
    struct dyno_ucx_library ucx;
    int listening;
    struct dyno_ucx_session *session; /* NULL: nobody is served */
};

static void say(const struct worker *worker, const char *text)
{
    worker->config.say(worker->config.say_context, text);
}

static void serve(struct worker *worker, int socket)
{
    const struct dyno_ucx_session_config config = {.ucx = &worker->ucx,
                                                   .weights = worker->config.weights,
                                                   .threads = worker->config.threads,
                                                   .kv_bytes_max = worker->config.kv_bytes_max};
    const struct dyno_ucx_hello *hello;
    struct dyno_error error;
    char text[DYNO_ERROR_TEXT_MAX + 64];

    if (dyno_ucx_session_open(&worker->session, socket, &config, &error) != DYNO_OK) {
        (void)snprintf(text, sizeof text, "refused: %s", error.text);
        (void)close(socket);
    } else {
        hello = dyno_ucx_session_hello(worker->session);
        (void)snprintf(text, sizeof text, "serving %u worker%s of %u blocks over %s",
                       hello->workers, hello->workers > 1 ? "s" : "", hello->blocks,
                       hello->transport == DYNO_UCX_TCP ? "TCP" : "shared memory");
    }
    say(worker, text);
}

/* Who asked while this process was stopped did not wait for it. */
static bool has_hung_up(int socket)
{
    struct pollfd polled = {.fd = socket, .events = POLLRDHUP};

    return poll(&polled, 1, 0) > 0;
}

static void let_in(struct worker *worker)
{
    int socket = accept4(worker->listening, NULL, NULL, SOCK_CLOEXEC);

    if (socket < 0) {
        return; /* it is gone again */
    }
    if (has_hung_up(socket)) {
        (void)close(socket);
        return;
    }
    if (worker->session) {
        dyno_ucx_socket_limit(socket, 1000);
        dyno_ucx_refuse(socket, "this worker serves another dyno");
        (void)close(socket);
        say(worker, "refused: there is a session already");
        return;
    }
    serve(worker, socket);
}

static void end_session(struct worker *worker)
{
    dyno_ucx_session_close(worker->session);
    worker->session = NULL;
    say(worker, "the session is over");
}

static dyno_status run(struct worker *worker, struct dyno_error *error)
{
    for (;;) {
        struct pollfd polled[3] = {
            {.fd = worker->config.stop, .events = POLLIN},
            {.fd = worker->listening, .events = POLLIN},
            {.fd = worker->session ? dyno_ucx_session_socket(worker->session) : -1,
             .events = POLLIN | POLLRDHUP}};

        if (poll(polled, 3, -1) < 0 && errno != EINTR) {
            return dyno_fail(error, DYNO_IO, "the system does not let wait for connections");
        }
        if (polled[0].revents != 0) {
            return DYNO_OK;
        }
        if (polled[2].revents != 0) {
            end_session(worker);
        }
        if (polled[1].revents != 0) {
            let_in(worker);
        }
    }
}

static dyno_status listen_at(struct worker *worker, struct dyno_error *error)
{
    char host[DYNO_UCX_HOST_MAX], text[DYNO_UCX_HOST_MAX + 64];
    uint16_t port;

    DYNO_TRY(dyno_ucx_address_parse(host, &port, worker->config.listen, error));
    DYNO_TRY(dyno_http_listen(&worker->listening, &port, host, port, error));
    (void)snprintf(text, sizeof text, "listening on %s:%u", host, (unsigned)port);
    say(worker, text);
    return DYNO_OK;
}

dyno_status dyno_ucx_worker_run(const struct dyno_ucx_worker_config *config,
                                struct dyno_error *error)
{
    struct worker worker = {.config = *config, .listening = -1};
    dyno_status status = dyno_ucx_library_open(&worker.ucx, error);

    if (status == DYNO_OK) {
        status = listen_at(&worker, error);
    }
    if (status == DYNO_OK) {
        status = run(&worker, error);
    }
    dyno_ucx_session_close(worker.session);
    if (worker.listening >= 0) {
        (void)close(worker.listening);
    }
    dyno_ucx_library_close(&worker.ucx);
    return status;
}
