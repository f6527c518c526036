/* An HTTP/1.1 client for many streams at once: connections to one server, kept for reuse, whose
 * answers are handed on as they come in.
 *
 * It runs inside a libevent loop and never blocks, but for the look-up of the server's name when it
 * is opened.  A connection is used by one exchange at a time; none is pipelined, so that a slow
 * answer never delays another.  An idle connection is used again only while it is young: servers
 * close theirs after some seconds, and a request sent into that moment would be lost.  Nothing is
 * sent twice.
 */
#ifndef DYNO_BACKENDS_CLIENT_CLIENT_H
#define DYNO_BACKENDS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/client/response.h"
#include "backends/client/url.h"
#include "core/base/status.h"
#include "core/base/time.h"

struct event_base;
struct dyno_client;
struct dyno_client_exchange;

struct dyno_client_config {
    struct event_base *base; /* not owned; outlives the client */
    const struct dyno_url *url;
    const char *fields;         /* more lines of every request's head, each with its CRLF; copied */
    const char *trusted;        /* of https: a PEM file of authorities; NULL: the system's */
    uint32_t connections_max;   /* >= 1 */
    dyno_ns connect_timeout_ns; /* > 0: until a connection stands */
    dyno_ns silence_timeout_ns; /* > 0: without a byte from the server while an answer is due */
    dyno_ns idle_max_ns;        /* an unused connection is kept as long as this; 0: not at all */
};

/* Who hears of one exchange; `ended` comes once and last, with NULL or why there is no whole
 * answer.  `at` is CLOCK_MONOTONIC in ns, taken when the bytes had been read.  From within these
 * calls no function of the client may be called. */
struct dyno_client_handler {
    void *context;
    void (*sent)(void *context, dyno_ns at); /* the whole request is the kernel's */
    void (*head)(void *context, dyno_ns at, const struct dyno_client_head *head);
    void (*body)(void *context, dyno_ns at, const char *bytes, size_t size);
    void (*ended)(void *context, dyno_ns at, const char *why);
};

/* Looks the server's name up.  On success *out is closed with dyno_client_close.
 * Errors: DYNO_NOT_FOUND (no such server, no such authorities), DYNO_NO_MEMORY. */
dyno_status dyno_client_open(struct dyno_client **out, const struct dyno_client_config *config,
                             struct dyno_error *error);

/* Exchanges in flight are dropped: their handlers hear nothing any more.  NULL: no effect. */
void dyno_client_close(struct dyno_client *client);

/* What is asked.  `path` comes after the URL's own; `fields` as in the configuration, or "". */
struct dyno_client_request {
    const char *method;
    const char *path;
    const char *fields;
    const char *body; /* [body_size]; NULL: none */
    size_t body_size;
};

/* Send a request; all of it is copied, or sent, before this returns.  `sent` may be called before
 * it returns, `ended` never.  A failure to connect is told to the handler.  Errors: DYNO_FULL
 * (connections_max exchanges are in flight), DYNO_NO_MEMORY; then the handler hears nothing. */
dyno_status dyno_client_send(struct dyno_client *client, const struct dyno_client_request *request,
                             const struct dyno_client_handler *handler,
                             struct dyno_client_exchange **out);

/* Give an exchange up: its connection is closed, which tells the server, and its handler hears
 * nothing any more.  Not of one that has ended. */
void dyno_client_exchange_cancel(struct dyno_client_exchange *exchange);

uint32_t dyno_client_in_flight(const struct dyno_client *client);
uint64_t dyno_client_connects(const struct dyno_client *client); /* begun so far */

/* CLOCK_MONOTONIC: the time of the handlers' stamps. */
dyno_ns dyno_client_now(void);

#endif
