/* What the client is made of.  Private to backends/client/client*.c. */
#ifndef DYNO_BACKENDS_CLIENT_CLIENT_PARTS_H
#define DYNO_BACKENDS_CLIENT_CLIENT_PARTS_H

#include <event2/event.h>
#include <netdb.h>

#include "backends/client/client.h"
#include "backends/client/tls.h"

enum { DYNO_CLIENT_READ_BYTES = 1 << 16 }; /* at most at a time */

/* A connection is in exactly one state, and in the list of it:
 *   CONNECTING -> BUSY    [on_writable, take_sealed]  it stands, and the request goes out
 *   BUSY       -> IDLE    [end_exchange]   the answer is whole, and the server keeps it open
 *   IDLE       -> BUSY    [take_idle]      the next request
 *   any        -> closed  [dyno_client_exchange_drop]
 * An exchange is a connection that is CONNECTING or BUSY. */
enum dyno_client_state { DYNO_CLIENT_CONNECTING, DYNO_CLIENT_BUSY, DYNO_CLIENT_IDLE };

struct dyno_client_exchange {
    struct dyno_client *client;
    struct dyno_client_exchange *next, *previous; /* in the list of its state */
    enum dyno_client_state state;
    int descriptor;
    struct event *readable, *writable;
    const struct addrinfo *address; /* tried last */
    int cause;                      /* why a connection could not be begun */
    dyno_ns since_ns;               /* of the state, or of the last byte */
    struct dyno_client_handler handler;
    struct dyno_client_response response;
    struct dyno_client_tls_session *tls; /* NULL: plain */
    char *plain;                         /* [plain_size] the request, until it is sealed */
    size_t plain_size;
    bool is_sent; /* the handler knows that all of it is the kernel's */
    char *out;    /* [out_size] what is to be sent; from out_sent on */
    size_t out_size, out_sent, out_capacity;
};

struct dyno_client_list {
    struct dyno_client_exchange *first;
};

struct dyno_client {
    struct event_base *base;
    struct dyno_url url;
    struct dyno_client_config config;
    char *fields;
    struct addrinfo *addresses;
    struct event *sweep; /* looks for what took too long */
    struct dyno_client_list in_flight, idle;
    uint32_t in_flight_count;
    uint64_t connects;
    struct dyno_client_tls *tls; /* of https */
    char *opened;                /* [DYNO_CLIENT_READ_BYTES] what TLS made of buffer */
    char *buffer; /* [DYNO_CLIENT_READ_BYTES] what was read last, of any connection */
};

void dyno_client_list_add(struct dyno_client_list *list, struct dyno_client_exchange *exchange);
void dyno_client_list_remove(struct dyno_client_list *list, struct dyno_client_exchange *exchange);

/* A connection that is not begun, in no list.  NULL: no memory. */
struct dyno_client_exchange *dyno_client_exchange_open(struct dyno_client *client);

/* Begin to connect; that it cannot be done is told to the handler from the loop. */
void dyno_client_exchange_connect(struct dyno_client_exchange *exchange);

/* Put what is in `out` under TLS, where the connection has it.  Into memory: DYNO_NO_MEMORY is all
 * that can go wrong. */
dyno_status dyno_client_exchange_seal(struct dyno_client_exchange *exchange);

/* Send what is in `out`, as far as the kernel takes it. */
void dyno_client_exchange_flush(struct dyno_client_exchange *exchange);

/* Close; the handler hears nothing. */
void dyno_client_exchange_drop(struct dyno_client_exchange *exchange);

/* Close, and tell the handler why. */
void dyno_client_exchange_fail(struct dyno_client_exchange *exchange, const char *why);

#endif
