#include "backends/http/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backends/http/listen.h"
#include "backends/http/parts.h"

static const dyno_ns tick_ns_min = DYNO_MS, tick_ns_max = DYNO_S;
enum {
    TICKS_PER_TIMEOUT = 8,
    BYTES_MAX = 1 << 30,
    TURNED_AWAY_SHARE = 8,
    TURNED_AWAY_MIN = 16,
    READS_BETWEEN_WAKES = 8,
    WRITES_A_READ = 4 /* to read a request takes about as long as to write to so many connections */
};

dyno_ns dyno_http_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (dyno_ns)now.tv_sec * DYNO_S + (dyno_ns)now.tv_nsec;
}

/* OpenSSL writes to sockets whose client is gone with a plain write, so SIGPIPE has to wait while
 * it may; one that came meanwhile is taken back. */
static bool block_pipe_signal(sigset_t *before)
{
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, before);
    return sigismember(before, SIGPIPE) == 0;
}

static void restore_pipe_signal(const sigset_t *before)
{
    static const struct timespec at_once = {0};
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    while (sigtimedwait(&pipe_only, NULL, &at_once) == SIGPIPE) {
    }
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void begin_stopping(struct dyno_http_server *server)
{
    struct dyno_http_connection *connection = server->connections;

    server->stopping = true;
    server->stop_deadline_ns = dyno_http_now() + atomic_load(&server->stop_grace_ns);
    if (server->listener) {
        evconnlistener_free(server->listener);
        server->listener = NULL;
    }
    for (; connection; connection = connection->next) {
        if (connection->state == DYNO_HTTP_HEAD || connection->state == DYNO_HTTP_BODY) {
            dyno_http_connection_doom(connection);
        }
    }
}

static void cut_all(struct dyno_http_server *server)
{
    struct dyno_http_connection *connection = server->connections;

    for (; connection; connection = connection->next) {
        connection->reset |= connection->state != DYNO_HTTP_LINGER;
        dyno_http_connection_doom(connection);
    }
}

static void expire(struct dyno_http_server *server, struct dyno_http_timeout_queue *queue,
                   dyno_ns now)
{
    struct dyno_http_timeout *timeout;

    (void)server;
    while ((timeout = dyno_http_timeout_pop(queue, now))) {
        char *inside = (char *)timeout;

        dyno_http_connection_expire(
            (struct dyno_http_connection *)(void *)(inside - offsetof(struct dyno_http_connection,
                                                                      timeout)));
    }
}

static void arm_tick(struct dyno_http_server *server)
{
    dyno_ns now = dyno_http_now(), after = server->tick_ns;
    struct timeval time;

    if (server->stopping) {
        dyno_ns left = server->stop_deadline_ns > now ? server->stop_deadline_ns - now : 0;

        after = left < after ? left : after;
    }
    time.tv_sec = (time_t)(after / DYNO_S);
    time.tv_usec = (suseconds_t)(after % DYNO_S / DYNO_US);
    (void)event_add(server->tick_event, &time);
}

static void on_tick(evutil_socket_t socket, short what, void *context)
{
    struct dyno_http_server *server = context;
    dyno_ns now = dyno_http_now();

    (void)socket;
    (void)what;
    expire(server, &server->heads, now);
    expire(server, &server->idles, now);
    expire(server, &server->writes, now);
    if (server->accept_paused && server->listener) {
        server->accept_paused = evconnlistener_enable(server->listener) != 0;
    }
    if (server->stopping && now >= server->stop_deadline_ns) {
        cut_all(server);
    }
    arm_tick(server);
}

/* Returns how many there were. */
static uint32_t settle_all(struct dyno_http_server *server)
{
    uint32_t count = 0;

    for (; server->dirty; count++) {
        struct dyno_http_connection *connection = server->dirty;

        server->dirty = connection->next_dirty;
        dyno_http_connection_settle(connection);
    }
    return count;
}

/* What woke us is told, and what is written because of it leaves.  If that was much, as much time
 * is for input before the next wake: where streams have enough to keep the thread busy, those who
 * come would else not get their turn before others have ended. */
static void take_wake(struct dyno_http_server *server)
{
    uint32_t written = 0;

    if (atomic_exchange(&server->wake_asked, false) && server->config.woken) {
        server->config.woken(server->config.context);
        written = settle_all(server);
    }
    server->reads_left = written / WRITES_A_READ;
    if (server->reads_left < READS_BETWEEN_WAKES) {
        server->reads_left = READS_BETWEEN_WAKES;
    }
}

/* What was put off is done, and what wakes us meanwhile is told without a bell. */
static void take_later(struct dyno_http_server *server)
{
    if (server->later_asked) {
        server->later_asked = false;
        atomic_store(&server->wake_asked, true);
        server->config.later(server->config.context);
        take_wake(server);
    }
}

static void on_wake(evutil_socket_t socket, short what, void *context)
{
    struct dyno_http_server *server = context;
    uint64_t count;
    ssize_t got = read(socket, &count, sizeof count);

    (void)got;
    (void)what;
    if (atomic_exchange(&server->stop_asked, false)) {
        begin_stopping(server);
        arm_tick(server);
    }
    take_wake(server);
}

void dyno_http_server_yield(struct dyno_http_server *server)
{
    if (server->reads_left > 1) {
        server->reads_left--;
        return;
    }
    take_later(server);
    if (atomic_load(&server->wake_asked)) {
        take_wake(server);
    }
}

uint64_t dyno_http_sockets_max(uint32_t connections_max)
{
    return (uint64_t)connections_max + connections_max / TURNED_AWAY_SHARE + TURNED_AWAY_MIN +
           1; /* the listener */
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t socket,
                      struct sockaddr *address, int size, void *context)
{
    struct dyno_http_server *server = context;
    uint64_t open = server->counts.connections_open, max = server->config.connections_max;
    struct dyno_error error;

    (void)listener;
    (void)size;
    server->counts.turned_away += open >= max;
    if (open + 1 >= dyno_http_sockets_max(server->config.connections_max)) {
        (void)close(socket); /* even saying no would take too much */
        return;
    }
    (void)dyno_http_connection_open(server, socket, address, open >= max, &error);
}

/* No descriptor or no memory is left: let the others end, and look again at the next tick. */
static void on_accept_failed(struct evconnlistener *listener, void *context)
{
    struct dyno_http_server *server = context;

    server->accept_paused = evconnlistener_disable(listener) == 0;
}

static dyno_status check_config(const struct dyno_http_config *config, struct dyno_error *error)
{
    const struct {
        const char *name;
        bool bad;
    } rows[] = {
        {"address", !config->address},
        {"header_bytes_max", config->header_bytes_max == 0},
        {"body_bytes_max", config->body_bytes_max == 0},
        {"header_bytes_max", config->header_bytes_max > BYTES_MAX / 2},
        {"body_bytes_max", config->body_bytes_max > BYTES_MAX / 2},
        {"connections_max", config->connections_max == 0},
        {"head_timeout_ns", config->head_timeout_ns == 0},
        {"idle_timeout_ns", config->idle_timeout_ns == 0},
        {"write_timeout_ns", config->write_timeout_ns == 0},
        {"unsent_bytes_max", config->unsent_bytes_max == 0},
        {"request", !config->request},
        {"gone", !config->gone},
        {"tls_key", !config->tls_key != !config->tls_certificate},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].bad) {
            return dyno_fail(error, DYNO_BAD_INPUT, "the HTTP server's %s is missing or too large",
                             rows[i].name);
        }
    }
    return DYNO_OK;
}

static dyno_ns shortest(const struct dyno_http_config *config)
{
    dyno_ns least = config->head_timeout_ns;

    least = config->idle_timeout_ns < least ? config->idle_timeout_ns : least;
    return config->write_timeout_ns < least ? config->write_timeout_ns : least;
}

static dyno_status open_base(struct dyno_http_server *server, struct dyno_error *error)
{
    struct event_config *config = event_config_new();

    /* Everything happens on one thread; an end of input must be told without reading. */
    if (config) {
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        (void)event_config_require_features(config, EV_FEATURE_EARLY_CLOSE | EV_FEATURE_ET);
        server->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    server->wakes = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!server->base || server->wakes < 0) {
        return dyno_fail(error, DYNO_IO, "the system has no event queue left for the HTTP server");
    }
    server->wake_event =
        event_new(server->base, server->wakes, EV_READ | EV_PERSIST, on_wake, server);
    server->tick_event = event_new(server->base, -1, 0, on_tick, server);
    if (!server->wake_event || !server->tick_event || event_add(server->wake_event, NULL) != 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the HTTP server");
    }
    arm_tick(server);
    return DYNO_OK;
}

static dyno_status open_listener(struct dyno_http_server *server, struct dyno_error *error)
{
    int socket;

    DYNO_TRY(dyno_http_listen(&socket, &server->port, server->config.address, server->config.port,
                              error));
    server->listener = evconnlistener_new(server->base, on_accept, server,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, socket);
    if (!server->listener) {
        (void)close(socket);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the HTTP server");
    }
    evconnlistener_set_error_cb(server->listener, on_accept_failed);
    return DYNO_OK;
}

static dyno_status open_parts(struct dyno_http_server *server, struct dyno_error *error)
{
    const struct dyno_http_config *config = &server->config;

    if (config->tls_certificate) {
        DYNO_TRY(dyno_http_tls_open(&server->tls, config->tls_certificate, config->tls_key, error));
    }
    DYNO_TRY(open_base(server, error));
    return open_listener(server, error);
}

dyno_status dyno_http_server_open(struct dyno_http_server **out,
                                  const struct dyno_http_config *config, struct dyno_error *error)
{
    struct dyno_http_server *server;
    dyno_status status;

    DYNO_TRY(check_config(config, error));
    server = calloc(1, sizeof *server);
    if (!server) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the HTTP server");
    }
    server->config = *config;
    server->config.input_bytes_max = config->input_bytes_max ? config->input_bytes_max : BYTES_MAX;
    server->wakes = -1;
    server->reads_left = READS_BETWEEN_WAKES;
    server->date_second = -1;
    server->heads.duration_ns = config->head_timeout_ns;
    server->idles.duration_ns = config->idle_timeout_ns;
    server->writes.duration_ns = config->write_timeout_ns;
    server->tick_ns = shortest(config) / TICKS_PER_TIMEOUT;
    server->tick_ns = server->tick_ns < tick_ns_min ? tick_ns_min : server->tick_ns;
    server->tick_ns = server->tick_ns > tick_ns_max ? tick_ns_max : server->tick_ns;
    status = open_parts(server, error);
    server->config.address = server->config.tls_certificate = server->config.tls_key = NULL;
    if (status != DYNO_OK) {
        dyno_http_server_close(server);
        return status;
    }
    *out = server;
    return DYNO_OK;
}

/* Those that were in hand when this began; whoever is again afterwards waits for the next turn. */
static void resume_all(struct dyno_http_server *server)
{
    struct dyno_http_connection *connection = server->again;

    server->again = NULL;
    while (connection) {
        struct dyno_http_connection *next = connection->next_again;

        dyno_http_connection_resume(connection);
        connection = next;
    }
}

void dyno_http_server_close(struct dyno_http_server *server)
{
    sigset_t before;
    bool blocked;

    if (!server) {
        return;
    }
    blocked = block_pipe_signal(&before);
    cut_all(server);
    (void)settle_all(server);
    if (blocked) {
        restore_pipe_signal(&before);
    }
    if (server->listener) {
        evconnlistener_free(server->listener);
    }
    if (server->wake_event) {
        event_free(server->wake_event);
    }
    if (server->tick_event) {
        event_free(server->tick_event);
    }
    if (server->base) {
        event_base_free(server->base);
    }
    if (server->wakes >= 0) {
        (void)close(server->wakes);
    }
    dyno_http_tls_close(server->tls);
    free(server);
}

uint16_t dyno_http_server_port(const struct dyno_http_server *server)
{
    return server->port;
}

struct dyno_http_counts dyno_http_server_counts(const struct dyno_http_server *server)
{
    return server->counts;
}

static dyno_status turn(struct dyno_http_server *server, bool wait, struct dyno_error *error)
{
    bool at_once = !wait || server->again;

    if (event_base_loop(server->base, EVLOOP_ONCE | (at_once ? EVLOOP_NONBLOCK : 0)) < 0) {
        return dyno_fail(error, DYNO_IO, "the HTTP server's event loop failed");
    }
    resume_all(server);
    do { /* who goes, when connections are settled, may put something off */
        take_later(server);
        (void)settle_all(server);
    } while (server->later_asked);
    return DYNO_OK;
}

dyno_status dyno_http_server_turn(struct dyno_http_server *server, bool wait, bool *more,
                                  struct dyno_error *error)
{
    bool blocked = false;
    sigset_t before;
    dyno_status status;

    if (server->tls) {
        blocked = block_pipe_signal(&before);
    }
    status = turn(server, wait, error);
    if (blocked) {
        restore_pipe_signal(&before);
    }
    DYNO_TRY(status);
    *more = !server->stopping || server->connections;
    return DYNO_OK;
}

dyno_status dyno_http_server_run(struct dyno_http_server *server, struct dyno_error *error)
{
    bool more = true;

    while (more) {
        DYNO_TRY(dyno_http_server_turn(server, true, &more, error));
    }
    return DYNO_OK;
}

dyno_status dyno_http_server_adopt(struct dyno_http_server *server, int socket,
                                   struct dyno_error *error)
{
    if (server->counts.connections_open >= server->config.connections_max || server->stopping) {
        (void)close(socket);
        return dyno_fail(error, DYNO_FULL, "the HTTP server has as many connections as it may");
    }
    if (fcntl(socket, F_SETFL, O_NONBLOCK) != 0) {
        (void)close(socket);
        return dyno_fail(error, DYNO_IO, "the socket cannot be made non-blocking");
    }
    return dyno_http_connection_open(server, socket, NULL, false, error);
}

static void ring(const struct dyno_http_server *server)
{
    static const uint64_t one = 1;
    int before = errno;
    ssize_t put = write(server->wakes, &one, sizeof one);

    (void)put; /* it fails only when it has been rung already */
    errno = before;
}

void dyno_http_server_put_off(struct dyno_http_server *server)
{
    server->later_asked = server->config.later != NULL;
}

void dyno_http_server_wake(struct dyno_http_server *server)
{
    if (!atomic_exchange(&server->wake_asked, true)) {
        ring(server);
    }
}

void dyno_http_server_stop(struct dyno_http_server *server, dyno_ns grace_ns)
{
    atomic_store(&server->stop_grace_ns, grace_ns);
    atomic_store(&server->stop_asked, true);
    ring(server);
}
