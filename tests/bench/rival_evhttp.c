#include "tests/bench/rival_evhttp.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct rival_evhttp {
    struct event_base *base;
    struct evhttp *http;
    struct evbuffer *chunk;
    uint16_t port;
    const char *event;
    int count;
    size_t left; /* requests */
};

static void answer(struct evhttp_request *request, void *context)
{
    struct rival_evhttp *rival = context;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    (void)evhttp_add_header(headers, "Content-Type", "text/event-stream");
    (void)evhttp_add_header(headers, "Cache-Control", "no-cache");
    evhttp_send_reply_start(request, 200, "OK");
    for (int i = 0; i < rival->count; i++) {
        (void)evbuffer_add(rival->chunk, rival->event, strlen(rival->event));
        evhttp_send_reply_chunk(request, rival->chunk);
    }
    evhttp_send_reply_end(request);
    if (--rival->left == 0) {
        static const struct timeval soon = {.tv_usec =
                                                100000}; /* the last one is still to be sent */

        (void)event_base_loopexit(rival->base, &soon);
    }
}

struct rival_evhttp *rival_evhttp_open(const char *event, int count, size_t requests)
{
    struct rival_evhttp *rival = calloc(1, sizeof *rival);
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    struct evhttp_bound_socket *bound;

    if (!rival) {
        return NULL;
    }
    rival->event = event;
    rival->count = count;
    rival->left = requests;
    rival->base = event_base_new();
    rival->http = evhttp_new(rival->base);
    rival->chunk = evbuffer_new();
    evhttp_set_gencb(rival->http, answer, rival);
    bound = evhttp_bind_socket_with_handle(rival->http, "127.0.0.1", 0);
    if (!bound ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size) != 0) {
        rival_evhttp_close(rival);
        return NULL;
    }
    rival->port = ntohs(address.sin_port);
    return rival;
}

uint16_t rival_evhttp_port(const struct rival_evhttp *rival)
{
    return rival->port;
}

void rival_evhttp_run(struct rival_evhttp *rival)
{
    (void)event_base_dispatch(rival->base);
}

void rival_evhttp_close(struct rival_evhttp *rival)
{
    evhttp_free(rival->http);
    evbuffer_free(rival->chunk);
    event_base_free(rival->base);
    free(rival);
}
