/* Any bytes as what a client sends, cut into pieces by the first two bytes, to a server whose
 * answers are whole, streamed or late.  Whatever comes: every request is answered or gone, what
 * callbacks are shown keeps the promises of server.h, and nothing is left when the client has
 * closed. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/http/server.h"

enum { FUZZ_HEADER_MAX = 600, FUZZ_BODY_MAX = 2000 };

struct fuzz_http {
    struct dyno_http_server *server;
    struct dyno_http_exchange *held; /* answered a turn later */
    uint64_t answered, gone;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check_text(const char *text)
{
    for (; text && *text; text++) {
        assert((unsigned char)*text >= 0x20 || *text == '\t');
    }
}

/* The strings hold what server.h promises. */
static void fuzz_check(const struct dyno_http_exchange *exchange)
{
    const char *path = dyno_http_exchange_path(exchange);
    size_t size;
    const char *body = dyno_http_exchange_body(exchange, &size);
    unsigned sum = 0;

    assert(path[0] == '/' ||
           (strcmp(path, "*") == 0 && strcmp(dyno_http_exchange_method(exchange), "OPTIONS") == 0));
    assert(size <= FUZZ_BODY_MAX);
    for (size_t i = 0; i < size; i++) {
        sum += (unsigned char)body[i]; /* all of it can be read */
    }
    assert(sum <= 255 * size);
    fuzz_check_text(dyno_http_exchange_method(exchange));
    fuzz_check_text(dyno_http_exchange_header(exchange, "host"));
    fuzz_check_text(dyno_http_exchange_header(exchange, "X"));
    (void)dyno_http_exchange_query(exchange, "a");
}

static void fuzz_request(void *context, struct dyno_http_exchange *exchange)
{
    struct fuzz_http *fuzz = context;
    const char *path = dyno_http_exchange_path(exchange);
    struct dyno_http_header headers[] = {{"X", dyno_http_exchange_query(exchange, "a")},
                                         {NULL, NULL}};
    size_t size;
    const char *body = dyno_http_exchange_body(exchange, &size);

    fuzz_check(exchange);
    if (path[1] == 'h') {
        fuzz->held = exchange;
        return;
    }
    fuzz->answered++;
    if (path[1] == 's') {
        dyno_http_stream_begin(exchange, 200, NULL);
        dyno_http_stream_write(exchange, body, size);
        dyno_http_stream_write(exchange, path, strlen(path));
        dyno_http_stream_end(exchange);
    } else {
        dyno_http_reply(exchange, 200, headers[0].value ? headers : NULL, body, size);
    }
}

static void fuzz_gone(void *context, void *data)
{
    struct fuzz_http *fuzz = context;

    (void)data;
    fuzz->held = NULL;
    fuzz->gone++;
}

static void fuzz_turn(struct fuzz_http *fuzz, int socket)
{
    struct dyno_error error;
    char bytes[4096];
    bool more;

    assert(dyno_http_server_turn(fuzz->server, false, &more, &error) == DYNO_OK);
    while (recv(socket, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

static void fuzz_settle(struct fuzz_http *fuzz, int socket)
{
    for (int i = 0; i < 20 || fuzz->held; i++) {
        fuzz_turn(fuzz, socket);
        if (fuzz->held && i > 2) {
            fuzz_check(fuzz->held);
            fuzz->answered++;
            dyno_http_reply(fuzz->held, 204, NULL, NULL, 0);
            fuzz->held = NULL;
        }
    }
}

static void fuzz_open(struct fuzz_http *fuzz)
{
    const struct dyno_http_config config = {
        .address = "127.0.0.1",
        .header_bytes_max = FUZZ_HEADER_MAX,
        .body_bytes_max = FUZZ_BODY_MAX,
        .connections_max = 2,
        .head_timeout_ns = 3600 * DYNO_S,
        .idle_timeout_ns = 3600 * DYNO_S,
        .write_timeout_ns = 3600 * DYNO_S,
        .unsent_bytes_max = 1 << 20,
        .request = fuzz_request,
        .gone = fuzz_gone,
        .context = fuzz,
    };
    struct dyno_error error;

    assert(dyno_http_server_open(&fuzz->server, &config, &error) == DYNO_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_http fuzz = {0};
    struct dyno_http_counts counts;
    struct dyno_error error;
    size_t piece;
    int ends[2];

    if (size < 2) {
        return 0;
    }
    fuzz_open(&fuzz);
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    assert(dyno_http_server_adopt(fuzz.server, ends[1], &error) == DYNO_OK);
    piece = 1 + (size_t)data[0] * data[1];
    data += 2;
    for (size -= 2; size > 0; size -= piece, data += piece) {
        piece = piece < size ? piece : size;
        if (send(ends[0], data, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
        fuzz_turn(&fuzz, ends[0]);
    }
    fuzz_settle(&fuzz, ends[0]);
    (void)close(ends[0]);
    for (int i = 0; i < 3; i++) {
        fuzz_turn(&fuzz, -1);
    }
    counts = dyno_http_server_counts(fuzz.server);
    assert(counts.requests == fuzz.answered + fuzz.gone);
    assert(counts.connections_open == 0 && counts.refused <= 1);
    dyno_http_server_close(fuzz.server);
    return 0;
}
