#include "backends/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "backends/client/client_parts.h"

enum { HEAD_BYTES_MAX = 4096, SWEEPS_A_TIMEOUT = 8 };

dyno_ns dyno_client_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (dyno_ns)now.tv_sec * DYNO_S + (dyno_ns)now.tv_nsec;
}

/* ---- what takes too long --------------------------------------------------------------------- */

static void sweep_in_flight(struct dyno_client *client, dyno_ns now)
{
    struct dyno_client_exchange *next;

    for (struct dyno_client_exchange *at = client->in_flight.first; at; at = next) {
        dyno_ns spent = now > at->since_ns ? now - at->since_ns : 0;

        next = at->next;
        if (at->state == DYNO_CLIENT_CONNECTING && spent > client->config.connect_timeout_ns) {
            dyno_client_exchange_fail(at, "no connection came about in time");
        } else if (at->state == DYNO_CLIENT_BUSY && spent > client->config.silence_timeout_ns) {
            dyno_client_exchange_fail(at, "the server was silent for too long");
        }
    }
}

static void on_sweep(evutil_socket_t descriptor, short what, void *context)
{
    struct dyno_client *client = context;
    struct dyno_client_exchange *next;
    dyno_ns now = dyno_client_now();

    (void)descriptor;
    (void)what;
    sweep_in_flight(client, now);
    for (struct dyno_client_exchange *at = client->idle.first; at; at = next) {
        next = at->next;
        if (now - at->since_ns > client->config.idle_max_ns) {
            dyno_client_exchange_drop(at);
        }
    }
}

static dyno_ns least(dyno_ns one, dyno_ns other)
{
    return one < other ? one : other;
}

static dyno_status start_sweep(struct dyno_client *client)
{
    const struct dyno_client_config *config = &client->config;
    dyno_ns every = least(config->connect_timeout_ns, config->silence_timeout_ns);
    struct timeval time;

    if (config->idle_max_ns > 0) {
        every = least(every, config->idle_max_ns);
    }
    every = least(every / SWEEPS_A_TIMEOUT, DYNO_S / 2);
    every = every > 5 * DYNO_MS ? every : 5 * DYNO_MS;
    time = (struct timeval){.tv_sec = (time_t)(every / DYNO_S),
                            .tv_usec = (suseconds_t)(every % DYNO_S / DYNO_US)};
    client->sweep = event_new(client->base, -1, EV_PERSIST, on_sweep, client);
    return client->sweep && event_add(client->sweep, &time) == 0 ? DYNO_OK : DYNO_NO_MEMORY;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The youngest connection that is not in use; NULL: none is young enough. */
static struct dyno_client_exchange *take_idle(struct dyno_client *client, dyno_ns now)
{
    struct dyno_client_exchange *exchange = client->idle.first;

    if (!exchange || now - exchange->since_ns > client->config.idle_max_ns) {
        return NULL;
    }
    dyno_client_list_remove(&client->idle, exchange);
    exchange->state = DYNO_CLIENT_BUSY;
    return exchange;
}

/* Write head and body to what is to be sent. */
static dyno_status write_out(struct dyno_client_exchange *exchange,
                             const struct dyno_client_request *request)
{
    const struct dyno_client *client = exchange->client;
    char length[48] = "";
    size_t capacity =
        HEAD_BYTES_MAX + strlen(client->fields) + strlen(request->fields) + request->body_size;
    int head;

    if (exchange->out_capacity < capacity) {
        char *grown = realloc(exchange->out, capacity);

        if (!grown) {
            return DYNO_NO_MEMORY;
        }
        exchange->out = grown;
        exchange->out_capacity = capacity;
    }
    if (request->body) {
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", request->body_size);
    }
    head = snprintf(exchange->out, capacity, "%s %s%s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
                    request->method, client->url.path, request->path, client->url.authority, length,
                    client->fields, request->fields);
    if (head < 0 || (size_t)head + request->body_size > capacity) {
        return DYNO_FULL;
    }
    if (request->body) {
        memcpy(exchange->out + head, request->body, request->body_size);
    }
    exchange->out_size = (size_t)head + request->body_size;
    exchange->out_sent = 0;
    exchange->is_sent = false;
    return DYNO_OK;
}

dyno_status dyno_client_send(struct dyno_client *client, const struct dyno_client_request *request,
                             const struct dyno_client_handler *handler,
                             struct dyno_client_exchange **out)
{
    dyno_ns now = dyno_client_now();
    struct dyno_client_exchange *exchange;
    dyno_status status;

    if (client->in_flight_count >= client->config.connections_max) {
        return DYNO_FULL;
    }
    exchange = take_idle(client, now);
    if (!exchange && !(exchange = dyno_client_exchange_open(client))) {
        return DYNO_NO_MEMORY;
    }
    exchange->handler = *handler;
    exchange->since_ns = now;
    dyno_client_list_add(&client->in_flight, exchange);
    client->in_flight_count++;
    status = write_out(exchange, request);
    if (status == DYNO_OK) {
        status = dyno_client_exchange_seal(exchange);
    }
    if (status != DYNO_OK) {
        dyno_client_exchange_drop(exchange);
        return status;
    }
    *out = exchange;
    if (exchange->state == DYNO_CLIENT_BUSY) {
        dyno_client_exchange_flush(exchange);
    } else {
        dyno_client_exchange_connect(exchange);
    }
    return DYNO_OK;
}

void dyno_client_exchange_cancel(struct dyno_client_exchange *exchange)
{
    dyno_client_exchange_drop(exchange);
}

/* ---- open and close -------------------------------------------------------------------------- */

static dyno_status look_up(struct dyno_client *client, struct dyno_error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];
    int failed;

    (void)snprintf(port, sizeof port, "%u", (unsigned)client->url.port);
    failed = getaddrinfo(client->url.host, port, &hints, &client->addresses);
    if (failed != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "the server %s cannot be looked up: %s",
                         client->url.host, gai_strerror(failed));
    }
    return DYNO_OK;
}

dyno_status dyno_client_open(struct dyno_client **out, const struct dyno_client_config *config,
                             struct dyno_error *error)
{
    struct dyno_client *client;
    dyno_status status;

    client = calloc(1, sizeof *client);
    if (!client) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for an HTTP client");
    }
    client->base = config->base;
    client->config = *config;
    client->url = *config->url;
    client->config.url = &client->url;
    client->fields = strdup(config->fields ? config->fields : "");
    client->buffer = malloc(DYNO_CLIENT_READ_BYTES);
    client->opened = malloc(DYNO_CLIENT_READ_BYTES);
    status = look_up(client, error);
    if (status == DYNO_OK && client->url.is_tls) {
        status = dyno_client_tls_open(&client->tls, config->trusted, error);
    }
    if (status == DYNO_OK &&
        (!client->fields || !client->opened || !client->buffer || start_sweep(client) != DYNO_OK)) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for an HTTP client");
    }
    if (status != DYNO_OK) {
        dyno_client_close(client);
        return status;
    }
    *out = client;
    return DYNO_OK;
}

void dyno_client_close(struct dyno_client *client)
{
    if (!client) {
        return;
    }
    while (client->in_flight.first) {
        dyno_client_exchange_drop(client->in_flight.first);
    }
    while (client->idle.first) {
        dyno_client_exchange_drop(client->idle.first);
    }
    if (client->sweep) {
        event_free(client->sweep);
    }
    if (client->addresses) {
        freeaddrinfo(client->addresses);
    }
    dyno_client_tls_close(client->tls);
    free(client->fields);
    free(client->opened);
    free(client->buffer);
    free(client);
}

uint32_t dyno_client_in_flight(const struct dyno_client *client)
{
    return client->in_flight_count;
}

uint64_t dyno_client_connects(const struct dyno_client *client)
{
    return client->connects;
}
