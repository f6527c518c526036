/* An HTTP/1.1 server on libevent, for one thread.  It knows connections, requests and responses,
 * and nothing of what they are about.
 *
 * One thread runs the server (dyno_http_server_run); callbacks come on that thread, and all but
 * wake and stop belong to it.  What comes from a client is judged by RFC 9110 and 9112, strictly:
 * what two readers could understand differently is refused.  What callbacks write within one turn
 * of the event loop leaves in one write a connection.  docs/http.md says the rest.
 */
#ifndef DYNO_BACKENDS_HTTP_SERVER_H
#define DYNO_BACKENDS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

struct dyno_http_server;

/* One request and its response.  The server's; alive from `request` until the call that ends the
 * response (dyno_http_reply, dyno_http_stream_end) returns, or until `gone` was called for it. */
struct dyno_http_exchange;

/* A name and a value; a list of them ends with a name that is NULL. */
struct dyno_http_header {
    const char *name, *value;
};

/* Every maximum and every time must be greater than zero, but where a default is named.  Times are
 * kept by a coarse tick: what is late is noticed at most an eighth of the shortest of them, or a
 * second, after its time. */
struct dyno_http_config {
    const char *address; /* numeric or a name; "::" is every address of IPv4 too */
    uint16_t port;       /* 0: any; dyno_http_server_port says which */

    /* Files in PEM, the certificate followed by its chain; both NULL: plain.  TLS 1.2 or later. */
    const char *tls_certificate, *tls_key;

    size_t header_bytes_max;  /* of request line and headers; over it 414 or 431 */
    size_t body_bytes_max;    /* decoded; over it 413.  At most 1 GiB with the headers. */
    size_t input_bytes_max;   /* of all buffers of requests; over it 503.  0: 1 GiB */
    uint32_t connections_max; /* over it: accepted, answered 503 at once, closed */

    dyno_ns head_timeout_ns; /* from a request's first byte to its last (or for a TLS handshake);
                              * over it 408, however steadily the bytes drip */
    dyno_ns idle_timeout_ns; /* without a byte between requests, or before the first; then closed */
    /* Without a byte that the client takes, with bytes to send; then cut. */
    dyno_ns write_timeout_ns;
    size_t unsent_bytes_max; /* of one stream, beyond what the kernel holds; over it cut */

    /* A whole request has come.  The exchange may be answered now or in any later callback. */
    void (*request)(void *context, struct dyno_http_exchange *exchange);

    /* The client went away, or was cut, before the response ended: `exchange_data` is what
     * dyno_http_exchange_set_data left.  The exchange is dead when this returns, and may not be
     * written to meanwhile.  Never called from inside another call of this interface but
     * dyno_http_server_close. */
    void (*gone)(void *context, void *exchange_data);

    /* After dyno_http_server_wake; once for any number of calls before it.  May be NULL. */
    void (*woken)(void *context);

    /* After dyno_http_server_put_off; once for any number of calls before it, when the input at
     * hand was read (or a few pieces of it, where there is much), before the thread sleeps. `woken`
     * comes right after it: who wakes the server meanwhile spares it a wake-up.  May be NULL. */
    void (*later)(void *context);

    /* The first bytes of a stream have gone to the kernel, so long after its request was whole.
     * May be NULL. */
    void (*first_byte)(void *context, dyno_ns after_ns);

    /* Write the body of an answer that the server gives by itself (400, 408, 413, 414, 417, 431,
     * 501, 503, 505) into `body`, as JSON, and return its size, at most `size_max`.  NULL: `why` as
     * plain text. */
    size_t (*refusal)(void *context, uint16_t status, const char *why, char *body, size_t size_max);

    void *context;
};

/* What happened since the server was opened; what is said to be so now can also fall. */
struct dyno_http_counts {
    uint64_t connections_open; /* now, those that are being refused among them */
    uint64_t connections;      /* accepted */
    uint64_t turned_away;      /* accepted over connections_max: 503 or closed */
    uint64_t requests;         /* handed to `request` */
    uint64_t refused;          /* answered with an error by the server itself */
    uint64_t gone;             /* exchanges that ended with `gone` */
    uint64_t input_bytes;      /* of requests' buffers now */
    uint64_t received_bytes;   /* inside TLS, where there is TLS */
    uint64_t sent_bytes;
};

/* Listens when it returns.  `config` is copied, what it points at is not kept but for `context`.
 * Errors: DYNO_BAD_INPUT (a zero field, a bad key), DYNO_NOT_FOUND (the address, a file), DYNO_IO
 * (the address is taken, no descriptor is left), DYNO_NO_MEMORY. */
dyno_status dyno_http_server_open(struct dyno_http_server **out,
                                  const struct dyno_http_config *config, struct dyno_error *error);

/* Cuts what is left, with `gone` for each exchange in flight.  Not while it runs.  NULL is fine. */
void dyno_http_server_close(struct dyno_http_server *server);

/* How many sockets a server with this connections_max has open at most, those that it turns away
 * among them. */
uint64_t dyno_http_sockets_max(uint32_t connections_max);

uint16_t dyno_http_server_port(const struct dyno_http_server *server);
struct dyno_http_counts dyno_http_server_counts(const struct dyno_http_server *server);

/* Serve until dyno_http_server_stop has done its work.  Errors: DYNO_IO (the event loop failed). */
dyno_status dyno_http_server_run(struct dyno_http_server *server, struct dyno_error *error);

/* One turn of the loop: what is due now, or if `wait` at least one event.  *more is false once the
 * server has stopped.  For who has a loop of his own, and for tests. */
dyno_status dyno_http_server_turn(struct dyno_http_server *server, bool wait, bool *more,
                                  struct dyno_error *error);

/* Serve a connected stream socket as if it had been accepted; the server closes it, also if this
 * fails.  Errors: DYNO_FULL (connections_max), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_http_server_adopt(struct dyno_http_server *server, int socket,
                                   struct dyno_error *error);

/* By the thread that runs the server: have `later` called in this turn.  Only while it runs. */
void dyno_http_server_put_off(struct dyno_http_server *server);

/* From any thread, or a signal's handler: have `woken` called soon. */
void dyno_http_server_wake(struct dyno_http_server *server);

/* From any thread, or a signal's handler: no longer listen, close connections without a whole
 * request, finish exchanges in flight (they get Connection: close), cut those that are left after
 * `grace_ns`, and let run return.  Again with another grace: the later call counts. */
void dyno_http_server_stop(struct dyno_http_server *server, dyno_ns grace_ns);

/* The request.  Strings end with NUL, contain no control characters but tabs in header values (the
 * decoded ones, path and query: no NUL), need not be UTF-8, and live as long as the exchange. */
const char *dyno_http_exchange_method(const struct dyno_http_exchange *exchange);
/* Begins with a slash, or is "*" (OPTIONS only); percent-decoded, dots not resolved, no query. */
const char *dyno_http_exchange_path(const struct dyno_http_exchange *exchange);
/* The first of that name, decoded ("+" is a blank), or NULL; "" for a name without a value. */
const char *dyno_http_exchange_query(const struct dyno_http_exchange *exchange, const char *name);
/* The first of that name (in any case), without blanks around it, or NULL. */
const char *dyno_http_exchange_header(const struct dyno_http_exchange *exchange, const char *name);
/* Not NULL; not terminated. */
const char *dyno_http_exchange_body(const struct dyno_http_exchange *exchange, size_t *size);
/* "127.0.0.1:5000", "[::1]:5000", or "local" for a socket without an address. */
const char *dyno_http_exchange_peer(const struct dyno_http_exchange *exchange);

/* A pointer of the caller's for each exchange; NULL at first. */
void dyno_http_exchange_set_data(struct dyno_http_exchange *exchange, void *data);
void *dyno_http_exchange_data(const struct dyno_http_exchange *exchange);

/* The response, by the thread that runs the server.  `status` is 200 to 599.  The server adds Date,
 * Connection, and Content-Length or Transfer-Encoding, so `headers` (may be NULL) must not; names
 * must be tokens; a byte that a value cannot hold (a control character) is sent as "?".  HEAD, 204
 * and 304 get no body whatever is written.  Nothing here fails: a client that cannot be served (too
 * slow, no memory) is cut, what is written to it until `gone` is called is dropped. */
void dyno_http_reply(struct dyno_http_exchange *exchange, uint16_t status,
                     const struct dyno_http_header *headers, const void *body, size_t size);

/* Begin; write any number of times; end.  HTTP/1.1 gets one chunk a write, HTTP/1.0 the bytes until
 * the connection closes. */
void dyno_http_stream_begin(struct dyno_http_exchange *exchange, uint16_t status,
                            const struct dyno_http_header *headers);
void dyno_http_stream_write(struct dyno_http_exchange *exchange, const void *bytes, size_t size);
void dyno_http_stream_end(struct dyno_http_exchange *exchange);

#endif
