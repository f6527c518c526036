/* What the files of the server share: the server's and a connection's insides.
 *
 * A connection, and what moves it (eof: the client sends no more; doomed: to be closed at once):
 *   HEAD    -> BODY     [advance]           the head is whole and a body follows
 *   HEAD, BODY -> ANSWER [advance]          the request is whole: config.request was called
 *   HEAD, BODY -> FLUSH [refuse]            the server answers by itself and closes
 *   ANSWER  -> FLUSH    [response_ended]    the caller has written all
 *   FLUSH   -> HEAD     [finish_response]   all is sent: the next request
 *   FLUSH   -> LINGER   [finish_response]   all is sent and nothing follows: wait for the client to
 *                                           close, so that what it still sends does not make the
 *                                           kernel throw away what it has not read
 *   any     -> freed    [destroy]           doomed; in ANSWER config.gone is called
 *
 * A turn has three parts.  Events read, parse and call back; nothing is closed, but between two
 * connections' events (dyno_http_server_yield).  Connections with another request in hand (`again`)
 * go on with it.  Connections that were touched (`dirty`) are settled: written to, closed, or given
 * back to waiting. */
#ifndef DYNO_BACKENDS_HTTP_PARTS_H
#define DYNO_BACKENDS_HTTP_PARTS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "backends/http/chunked.h"
#include "backends/http/head.h"
#include "backends/http/server.h"
#include "backends/http/timeouts.h"
#include "backends/http/tls.h"

enum dyno_http_state {
    DYNO_HTTP_HEAD,
    DYNO_HTTP_BODY,
    DYNO_HTTP_ANSWER,
    DYNO_HTTP_FLUSH,
    DYNO_HTTP_LINGER,
};

enum { DYNO_HTTP_PEER_MAX = 64, DYNO_HTTP_DATE_MAX = 32 };

/* How the body of a response is sent. */
enum dyno_http_body { DYNO_HTTP_BODY_NONE, DYNO_HTTP_BODY_PLAIN, DYNO_HTTP_BODY_CHUNKED };

struct dyno_http_exchange {
    struct dyno_http_connection *connection;
    struct dyno_http_head head;
    enum dyno_http_body body;
    bool begun; /* the response's head is written */
    void *data;
};

/* Bytes from `begin` to `end` wait to be sent. */
struct dyno_http_output {
    char *bytes;
    size_t begin, end, capacity;
};

struct dyno_http_connection {
    struct dyno_http_server *server;
    struct dyno_http_connection *previous, *next; /* of all */
    struct dyno_http_connection *next_dirty, *next_again;
    int socket;
    struct dyno_http_tls_session *tls; /* NULL: plain */
    enum dyno_http_state state;
    bool is_dirty, is_again, is_reading, is_paused, is_blocked;
    bool doomed, eof, closes; /* closes: after the response */
    bool reset;               /* close so that the client sees an error */
    bool is_awaited;          /* a stream of which no byte has gone */
    dyno_ns asked_ns;         /* ANSWER: when the request was whole, if config.first_byte */

    /* Input: the request's head and body, then bytes of the next ones.  While an exchange is alive
     * it neither moves nor grows. */
    char *in;
    size_t in_size, in_capacity;
    size_t scanned;              /* HEAD: what has been looked at for its end */
    size_t head_size, body_size; /* body_size: of what has come and is decoded */
    size_t request_size;         /* ANSWER, FLUSH: head and coded body */
    size_t discarded_bytes;      /* LINGER */
    struct dyno_http_chunked chunked;

    struct dyno_http_output out;
    struct dyno_http_timeout timeout;
    struct dyno_http_exchange exchange;
    struct event readable, writable;
    char peer[DYNO_HTTP_PEER_MAX];
};

struct dyno_http_server {
    struct dyno_http_config config;
    struct event_base *base;
    struct evconnlistener *listener; /* NULL once stopped */
    struct dyno_http_tls *tls;
    struct event *wake_event, *tick_event;
    uint16_t port;
    bool accept_paused; /* no descriptor was left */

    int wakes; /* eventfd: readable once somebody woke us */
    atomic_bool wake_asked, stop_asked;
    bool later_asked;
    uint32_t reads_left; /* of sockets, before we look whether we were woken, and take what was put
                          * off */
    _Atomic uint64_t stop_grace_ns;
    bool stopping;
    dyno_ns stop_deadline_ns;

    struct dyno_http_connection *connections, *dirty, *again;
    struct dyno_http_timeout_queue heads, idles, writes;
    dyno_ns tick_ns;
    struct dyno_http_counts counts;
    int64_t date_second; /* what `date` says */
    char date[DYNO_HTTP_DATE_MAX];
};

dyno_ns dyno_http_now(void);
const char *dyno_http_reason(uint16_t status);

/* server.c: between two connections' input.  Where very many have some, others' tokens that are due
 * meanwhile go first. */
void dyno_http_server_yield(struct dyno_http_server *server);

/* connection.c.  Open: the socket is closed also on failure; `turned_away` gets a 503. */
dyno_status dyno_http_connection_open(struct dyno_http_server *server, int socket,
                                      const struct sockaddr *peer, bool turned_away,
                                      struct dyno_error *error);
/* Parse what has come, and call back. */
void dyno_http_connection_advance(struct dyno_http_connection *connection);
/* Go on with input that came before the last response was sent. */
void dyno_http_connection_resume(struct dyno_http_connection *connection);
void dyno_http_connection_refuse(struct dyno_http_connection *connection,
                                 struct dyno_http_refusal refusal);
void dyno_http_connection_expire(struct dyno_http_connection *connection);
/* To be closed when the turn is settled. */
void dyno_http_connection_doom(struct dyno_http_connection *connection);
/* To be settled in this turn. */
void dyno_http_connection_touch(struct dyno_http_connection *connection);
/* Write, close, or wait: the end of a connection's turn. */
void dyno_http_connection_settle(struct dyno_http_connection *connection);

/* input.c: the socket's readable event. */
void dyno_http_input_ready(evutil_socket_t socket, short what, void *context);
void dyno_http_input_read(struct dyno_http_connection *connection);
/* Free the buffer. */
void dyno_http_input_release(struct dyno_http_connection *connection);
/* Read again after a pause. */
void dyno_http_input_resume(struct dyno_http_connection *connection);

/* output.c */
void dyno_http_output_add(struct dyno_http_connection *connection, const void *bytes, size_t size);
void dyno_http_output_flush(struct dyno_http_connection *connection);
void dyno_http_output_ready(evutil_socket_t socket, short what, void *context);
/* Call back when the socket takes bytes. */
void dyno_http_output_wait(struct dyno_http_connection *connection);

static inline size_t dyno_http_unsent(const struct dyno_http_connection *connection)
{
    return connection->out.end - connection->out.begin;
}

#endif
