/* One connection: made, written to, read from, closed. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/client/client_parts.h"

enum { WHY_MAX = 256, OUT_BYTES_KEPT = 1 << 14 };

void dyno_client_list_add(struct dyno_client_list *list, struct dyno_client_exchange *exchange)
{
    exchange->previous = NULL;
    exchange->next = list->first;
    if (list->first) {
        list->first->previous = exchange;
    }
    list->first = exchange;
}

void dyno_client_list_remove(struct dyno_client_list *list, struct dyno_client_exchange *exchange)
{
    if (exchange->previous) {
        exchange->previous->next = exchange->next;
    } else {
        list->first = exchange->next;
    }
    if (exchange->next) {
        exchange->next->previous = exchange->previous;
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void close_descriptor(struct dyno_client_exchange *exchange)
{
    if (exchange->readable) {
        event_free(exchange->readable);
    }
    if (exchange->writable) {
        event_free(exchange->writable);
    }
    if (exchange->descriptor >= 0) {
        (void)close(exchange->descriptor);
    }
    dyno_client_tls_session_close(exchange->tls);
    exchange->tls = NULL;
    exchange->readable = exchange->writable = NULL;
    exchange->descriptor = -1;
}

void dyno_client_exchange_drop(struct dyno_client_exchange *exchange)
{
    struct dyno_client *client = exchange->client;

    if (exchange->state == DYNO_CLIENT_IDLE) {
        dyno_client_list_remove(&client->idle, exchange);
    } else {
        dyno_client_list_remove(&client->in_flight, exchange);
        client->in_flight_count--;
    }
    close_descriptor(exchange);
    dyno_client_response_release(&exchange->response);
    free(exchange->plain);
    free(exchange->out);
    free(exchange);
}

void dyno_client_exchange_fail(struct dyno_client_exchange *exchange, const char *why)
{
    struct dyno_client_handler handler = exchange->handler;

    dyno_client_exchange_drop(exchange);
    handler.ended(handler.context, dyno_client_now(), why);
}

/* The answer is whole. */
static void end_exchange(struct dyno_client_exchange *exchange, bool has_more)
{
    struct dyno_client *client = exchange->client;
    struct dyno_client_handler handler = exchange->handler;
    dyno_ns at = exchange->since_ns;

    if (has_more || exchange->out_sent < exchange->out_size || client->config.idle_max_ns == 0 ||
        !dyno_client_response_keeps(&exchange->response)) {
        dyno_client_exchange_drop(exchange);
    } else {
        dyno_client_list_remove(&client->in_flight, exchange);
        client->in_flight_count--;
        exchange->state = DYNO_CLIENT_IDLE;
        dyno_client_list_add(&client->idle, exchange);
        dyno_client_response_init(&exchange->response);
        if (exchange->out_capacity > OUT_BYTES_KEPT) {
            free(exchange->out);
            exchange->out = NULL;
            exchange->out_capacity = 0;
        }
    }
    handler.ended(handler.context, at, NULL);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void on_head(void *context, const struct dyno_client_head *head)
{
    struct dyno_client_exchange *exchange = context;

    exchange->handler.head(exchange->handler.context, exchange->since_ns, head);
}

static void on_body(void *context, const char *bytes, size_t size)
{
    struct dyno_client_exchange *exchange = context;

    exchange->handler.body(exchange->handler.context, exchange->since_ns, bytes, size);
}

/* False: the exchange has ended, and may be gone. */
static bool take_bytes(struct dyno_client_exchange *exchange, const char *bytes, size_t size)
{
    struct dyno_client_listener listener = {.context = exchange, .head = on_head, .body = on_body};
    struct dyno_error error = {0};
    size_t used = 0;

    exchange->since_ns = dyno_client_now();
    if (dyno_client_response_push(&exchange->response, bytes, size, &used, &listener, &error) !=
        DYNO_OK) {
        dyno_client_exchange_fail(exchange, error.text);
        return false;
    }
    if (dyno_client_response_is_done(&exchange->response)) {
        end_exchange(exchange,
                     used < size || (exchange->tls && dyno_client_tls_has_more(exchange->tls)));
        return false;
    }
    return true;
}

/* The other side closed: the end of the answer, or of our hopes. */
static void take_end(struct dyno_client_exchange *exchange)
{
    struct dyno_error error = {0};

    exchange->since_ns = dyno_client_now();
    if (dyno_client_response_close(&exchange->response, &error) == DYNO_OK) {
        end_exchange(exchange, true);
    } else {
        dyno_client_exchange_fail(exchange, error.text);
    }
}

/* ---- under TLS ------------------------------------------------------------------------------- */

static void fail_tls(struct dyno_client_exchange *exchange)
{
    char why[DYNO_CLIENT_TLS_WHY_MAX];

    dyno_client_exchange_fail(exchange, dyno_client_tls_why(exchange->tls, why));
}

/* What TLS wants to say goes behind what is still to be sent. */
static bool add_sealed(struct dyno_client_exchange *exchange)
{
    size_t left = exchange->out_size - exchange->out_sent;
    size_t more = dyno_client_tls_unsent(exchange->tls);
    char *out;

    if (more == 0) {
        return true;
    }
    out = malloc(left + more);
    if (!out) {
        return false;
    }
    if (left > 0) {
        memcpy(out, exchange->out + exchange->out_sent, left);
    }
    dyno_client_tls_take(exchange->tls, out + left, more);
    free(exchange->out);
    exchange->out = out;
    exchange->out_size = exchange->out_capacity = left + more;
    exchange->out_sent = 0;
    return true;
}

dyno_status dyno_client_exchange_seal(struct dyno_client_exchange *exchange)
{
    char *plain = exchange->out;
    size_t size = exchange->out_size;
    bool is_sealed;

    if (!exchange->tls) {
        return DYNO_OK;
    }
    exchange->out = NULL;
    exchange->out_size = exchange->out_sent = exchange->out_capacity = 0;
    is_sealed = dyno_client_tls_write(exchange->tls, plain, size);
    free(plain);
    return is_sealed && add_sealed(exchange) ? DYNO_OK : DYNO_NO_MEMORY;
}

/* The handshake is done: now the request. */
static bool send_plain(struct dyno_client_exchange *exchange)
{
    bool is_sealed = dyno_client_tls_write(exchange->tls, exchange->plain, exchange->plain_size);

    free(exchange->plain);
    exchange->plain = NULL;
    exchange->state = DYNO_CLIENT_BUSY;
    exchange->since_ns = dyno_client_now();
    return is_sealed;
}

/* On with the handshake; false: it failed, and the exchange is gone. */
static bool shake(struct dyno_client_exchange *exchange)
{
    int step = dyno_client_tls_shake(exchange->tls);

    if (step < 0 || (step > 0 && !send_plain(exchange)) || !add_sealed(exchange)) {
        fail_tls(exchange);
        return false;
    }
    dyno_client_exchange_flush(exchange);
    return true;
}

static void begin_tls(struct dyno_client_exchange *exchange)
{
    struct dyno_client *client = exchange->client;

    exchange->tls = dyno_client_tls_session_open(client->tls, client->url.host);
    if (!exchange->tls) {
        dyno_client_exchange_fail(exchange, "no memory for TLS");
        return;
    }
    exchange->plain = exchange->out;
    exchange->plain_size = exchange->out_size;
    exchange->out = NULL;
    exchange->out_size = exchange->out_sent = exchange->out_capacity = 0;
    (void)event_add(exchange->readable, NULL);
    (void)shake(exchange);
}

static void take_opened(struct dyno_client_exchange *exchange)
{
    char *opened = exchange->client->opened;
    ssize_t got;

    do {
        got = dyno_client_tls_read(exchange->tls, opened, DYNO_CLIENT_READ_BYTES);
    } while (got > 0 && take_bytes(exchange, opened, (size_t)got));
    if (got > 0) {
        return; /* it has ended */
    }
    if (got == 0) {
        take_end(exchange);
    } else if (got == -2 || !add_sealed(exchange)) {
        fail_tls(exchange);
    } else {
        dyno_client_exchange_flush(exchange);
    }
}

static void take_sealed(struct dyno_client_exchange *exchange, size_t size)
{
    if (!dyno_client_tls_feed(exchange->tls, exchange->client->buffer, size)) {
        fail_tls(exchange);
        return;
    }
    if (exchange->state == DYNO_CLIENT_CONNECTING && !shake(exchange)) {
        return;
    }
    if (exchange->state == DYNO_CLIENT_BUSY) {
        take_opened(exchange);
    }
}

/* ---- the socket can be read ------------------------------------------------------------------ */

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_client_exchange *exchange = context;
    ssize_t got = recv(descriptor, exchange->client->buffer, DYNO_CLIENT_READ_BYTES, 0);
    char why[WHY_MAX];

    (void)what;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (exchange->state == DYNO_CLIENT_IDLE) { /* closed, or an answer that nobody asked for */
        dyno_client_exchange_drop(exchange);
    } else if (got > 0 && exchange->tls) {
        take_sealed(exchange, (size_t)got);
    } else if (got > 0) {
        (void)take_bytes(exchange, exchange->client->buffer, (size_t)got);
    } else if (got == 0) {
        take_end(exchange);
    } else {
        (void)snprintf(why, sizeof why, "the connection broke: %s", strerror(errno));
        dyno_client_exchange_fail(exchange, why);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* An error is left to the reading side, which will hear of it and knows what had come until then.
 */
void dyno_client_exchange_flush(struct dyno_client_exchange *exchange)
{
    while (exchange->out_sent < exchange->out_size) {
        ssize_t sent = send(exchange->descriptor, exchange->out + exchange->out_sent,
                            exchange->out_size - exchange->out_sent, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                (void)event_add(exchange->writable, NULL);
            }
            return;
        }
        exchange->out_sent += (size_t)sent;
    }
    if (exchange->state == DYNO_CLIENT_BUSY && !exchange->is_sent) {
        exchange->is_sent = true;
        exchange->since_ns = dyno_client_now();
        exchange->handler.sent(exchange->handler.context, exchange->since_ns);
    }
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* This address is none; another one, or the end. */
static void try_next(struct dyno_client_exchange *exchange, int cause)
{
    char why[WHY_MAX];

    close_descriptor(exchange);
    if (exchange->address->ai_next) {
        exchange->address = exchange->address->ai_next;
        dyno_client_exchange_connect(exchange);
        return;
    }
    (void)snprintf(why, sizeof why, "cannot connect to %.180s: %s", exchange->client->url.authority,
                   strerror(cause));
    dyno_client_exchange_fail(exchange, why);
}

static void on_writable(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_client_exchange *exchange = context;
    int cause = 0;
    socklen_t size = sizeof cause;

    (void)what;
    if (exchange->state == DYNO_CLIENT_CONNECTING && !exchange->tls) {
        if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &cause, &size) != 0) {
            cause = errno;
        }
        if (cause != 0) {
            try_next(exchange, cause);
            return;
        }
        if (exchange->client->tls) {
            begin_tls(exchange);
            return;
        }
        exchange->state = DYNO_CLIENT_BUSY;
        (void)event_add(exchange->readable, NULL);
    }
    dyno_client_exchange_flush(exchange);
}

/* A connection that could not even be begun: said from the loop, for nobody expects it sooner. */
static void on_refused(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_client_exchange *exchange = context;

    (void)descriptor;
    (void)what;
    try_next(exchange, exchange->cause);
}

static void refuse_later(struct dyno_client_exchange *exchange, int cause)
{
    static const struct timeval now = {0, 0};

    close_descriptor(exchange);
    exchange->cause = cause;
    exchange->writable = evtimer_new(exchange->client->base, on_refused, exchange);
    if (exchange->writable) {
        (void)evtimer_add(exchange->writable, &now);
    } /* else the time limit tells of it */
}

static bool watch(struct dyno_client_exchange *exchange)
{
    struct event_base *base = exchange->client->base;
    int descriptor = exchange->descriptor;

    exchange->readable = event_new(base, descriptor, EV_READ | EV_PERSIST, on_readable, exchange);
    exchange->writable = event_new(base, descriptor, EV_WRITE, on_writable, exchange);
    return exchange->readable && exchange->writable && event_add(exchange->writable, NULL) == 0;
}

void dyno_client_exchange_connect(struct dyno_client_exchange *exchange)
{
    const struct addrinfo *address = exchange->address;
    int one = 1;

    exchange->client->connects++;
    exchange->descriptor =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (exchange->descriptor < 0) {
        refuse_later(exchange, errno);
        return;
    }
    (void)setsockopt(exchange->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(exchange->descriptor, address->ai_addr, address->ai_addrlen) != 0 &&
        errno != EINPROGRESS) {
        refuse_later(exchange, errno);
    } else if (!watch(exchange)) {
        refuse_later(exchange, ENOMEM);
    }
}

struct dyno_client_exchange *dyno_client_exchange_open(struct dyno_client *client)
{
    struct dyno_client_exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange) {
        return NULL;
    }
    exchange->client = client;
    exchange->descriptor = -1;
    exchange->state = DYNO_CLIENT_CONNECTING;
    exchange->address = client->addresses;
    dyno_client_response_init(&exchange->response);
    return exchange;
}
