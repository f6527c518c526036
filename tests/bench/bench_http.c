/* What the HTTP server costs: CPU time of a streamed response of 16 events over loopback, on kept
 * connections, the server's and the client's apart.
 *
 * usage: bench_http [REQUESTS [CONNECTIONS]]
 *
 * One thread serves, one asks: it sends a request on every connection, then reads every response to
 * its end, and again.  Time is each thread's own, so that a busy machine disturbs it little.  The
 * events of a response are due in one turn of the loop, or one a turn, which is the worst case:
 * each is then a wake, a write and a segment of its own. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backends/http/server.h"
#include "tests/bench/rival_evhttp.h"

enum { EVENTS = 16, CONNECTIONS_MAX = 1000, ROUNDS = 5, RESPONSE_BYTES_MAX = 16384 };

static const char event[] =
    "data: {\"id\":\"cmpl-0123456789abcdef\",\"object\":\"text_completion\",\"created\":1700000000,"
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\" token\",\"finish_reason\":null}]}\n\n";

static const char request[] =
    "POST /v1/completions HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: bench_http\r\n"
    "Accept: */*\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-0123456789\r\n"
    "Content-Length: 62\r\n\r\n"
    "{\"model\":\"m\",\"prompt\":\"abc\",\"max_tokens\":16,\"stream\":true    }";

struct bench {
    struct dyno_http_server *server; /* or */
    struct rival_evhttp *rival;
    uint16_t port;
    bool spread; /* one event a turn */
    struct dyno_http_exchange *waiting[CONNECTIONS_MAX];
    unsigned written[CONNECTIONS_MAX]; /* events of each that waits */
    size_t waiting_count;
    size_t connections, rounds;
    double server_s, client_s;
};

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_http: %s\n", why);
    exit(EXIT_FAILURE);
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void on_request(void *context, struct dyno_http_exchange *exchange)
{
    static const struct dyno_http_header headers[] = {
        {"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}, {NULL, NULL}};
    struct bench *bench = context;

    dyno_http_stream_begin(exchange, 200, headers);
    if (bench->spread) {
        bench->written[bench->waiting_count] = 0;
        bench->waiting[bench->waiting_count++] = exchange;
        dyno_http_server_wake(bench->server);
        return;
    }
    for (int i = 0; i < EVENTS; i++) {
        dyno_http_stream_write(exchange, event, sizeof event - 1);
    }
    dyno_http_stream_end(exchange);
}

/* One more event for everybody, as a decode step gives one token to everybody. */
static void on_woken(void *context)
{
    struct bench *bench = context;
    size_t kept = 0;

    for (size_t i = 0; i < bench->waiting_count; i++) {
        dyno_http_stream_write(bench->waiting[i], event, sizeof event - 1);
        if (++bench->written[i] == EVENTS) {
            dyno_http_stream_end(bench->waiting[i]);
        } else {
            bench->written[kept] = bench->written[i];
            bench->waiting[kept++] = bench->waiting[i];
        }
    }
    bench->waiting_count = kept;
    if (kept > 0) {
        dyno_http_server_wake(bench->server);
    }
}

static void on_gone(void *context, void *data)
{
    (void)context;
    (void)data;
    die("a client went away");
}

static void *serve(void *context)
{
    struct bench *bench = context;
    double start = seconds();
    struct dyno_error error;

    if (dyno_http_server_run(bench->server, &error) != DYNO_OK) {
        die(error.text);
    }
    bench->server_s = seconds() - start;
    return NULL;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        die("cannot connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void read_response(int fd)
{
    char bytes[RESPONSE_BYTES_MAX];
    size_t size = 0;

    do {
        ssize_t got = read(fd, bytes + size, sizeof bytes - size);

        if (got <= 0) {
            die("a response is not whole");
        }
        size += (size_t)got;
    } while (size < 5 || memcmp(bytes + size - 5, "0\r\n\r\n", 5) != 0);
}

static void ask(struct bench *bench)
{
    int fds[CONNECTIONS_MAX];
    double start;

    for (size_t i = 0; i < bench->connections; i++) {
        fds[i] = connect_to(bench->port);
    }
    start = seconds();
    for (size_t round = 0; round < bench->rounds; round++) {
        for (size_t i = 0; i < bench->connections; i++) {
            if (write(fds[i], request, sizeof request - 1) != sizeof request - 1) {
                die("cannot send");
            }
        }
        for (size_t i = 0; i < bench->connections; i++) {
            read_response(fds[i]);
        }
    }
    bench->client_s = seconds() - start;
    for (size_t i = 0; i < bench->connections; i++) {
        (void)close(fds[i]);
    }
}

static void run_once(struct bench *bench)
{
    const struct dyno_http_config config = {
        .address = "127.0.0.1",
        .header_bytes_max = 16384,
        .body_bytes_max = 1 << 20,
        .connections_max = CONNECTIONS_MAX,
        .head_timeout_ns = 60 * DYNO_S,
        .idle_timeout_ns = 60 * DYNO_S,
        .write_timeout_ns = 60 * DYNO_S,
        .unsent_bytes_max = 1 << 20,
        .request = on_request,
        .gone = on_gone,
        .woken = on_woken,
        .context = bench,
    };
    struct dyno_error error;
    pthread_t thread;

    if (dyno_http_server_open(&bench->server, &config, &error) != DYNO_OK) {
        die(error.text);
    }
    if (pthread_create(&thread, NULL, serve, bench) != 0) {
        die("no thread");
    }
    bench->port = dyno_http_server_port(bench->server);
    ask(bench);
    dyno_http_server_stop(bench->server, DYNO_S);
    (void)pthread_join(thread, NULL);
    dyno_http_server_close(bench->server);
}

static void *serve_rival(void *context)
{
    struct bench *bench = context;
    double start = seconds();

    rival_evhttp_run(bench->rival);
    bench->server_s = seconds() - start;
    return NULL;
}

static void run_rival(struct bench *bench)
{
    pthread_t thread;

    bench->rival = rival_evhttp_open(event, EVENTS, bench->connections * bench->rounds);
    if (!bench->rival || pthread_create(&thread, NULL, serve_rival, bench) != 0) {
        die("evhttp cannot be run");
    }
    bench->port = rival_evhttp_port(bench->rival);
    ask(bench);
    (void)pthread_join(thread, NULL);
    rival_evhttp_close(bench->rival);
}

static int by_size(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static void measure(struct bench *bench, void (*run)(struct bench *), const char *what)
{
    double server_us[ROUNDS], client_us[ROUNDS];
    double requests = (double)(bench->connections * bench->rounds);

    for (size_t i = 0; i < ROUNDS; i++) {
        run(bench);
        server_us[i] = 1e6 * bench->server_s / requests;
        client_us[i] = 1e6 * bench->client_s / requests;
    }
    qsort(server_us, ROUNDS, sizeof *server_us, by_size);
    qsort(client_us, ROUNDS, sizeof *client_us, by_size);
    printf("%-24s server %6.2f us of CPU a request (best %.2f), client %6.2f (best %.2f)\n", what,
           server_us[ROUNDS / 2], server_us[0], client_us[ROUNDS / 2], client_us[0]);
}

int main(int argc, char **argv)
{
    size_t requests = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
    struct bench bench = {.connections = argc > 2 ? strtoul(argv[2], NULL, 10) : 32};

    if (requests == 0 || bench.connections == 0 || bench.connections > CONNECTIONS_MAX) {
        die("usage: bench_http [REQUESTS [CONNECTIONS up to 1000]]");
    }
    bench.rounds = (requests + bench.connections - 1) / bench.connections;
    measure(&bench, run_once, "16 events in one turn");
    measure(&bench, run_rival, "the same by evhttp");
    bench.spread = true;
    bench.rounds = (bench.rounds + 9) / 10;
    measure(&bench, run_once, "16 events, one a turn");
    return 0;
}
