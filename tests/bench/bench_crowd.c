/* A crowd before a server of the OpenAI interface: very many clients at once, well-behaved or not.
 *
 * usage: bench_crowd PORT MODEL WAY COUNT WINDOW [TOKENS]
 *
 * COUNT connections to 127.0.0.1:PORT, WINDOW of them at a time, each of which goes one WAY:
 *   stream    all of a window connect, then each asks for a stream of TOKENS tokens and reads it
 *             to its end; it fails if one is not whole, and says how many were under way at once
 *   abort     asks for an endless stream and goes: before the first token, after it, by halves
 *   drip      sends a request a byte at a time until the server says 408
 *   pipeline  sends PIPELINED requests at once and reads all answers, or leaves after some bytes
 *   large     claims a body, or sends headers or chunks, beyond every limit, or JSON too deep
 * One line says what came of it.  tests/bench/crowd.sh starts the server and watches its memory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REQUEST_MAX = 4096,
    BYTES_MAX = 1 << 16,
    CARRY = 8, /* what may be the beginning of a word that is looked for */
    PIPELINED = 16,
    DRIP_MS = 20,
    ENDLESS = 100000, /* tokens */
    STATUS_END = 600,
    FLOOD_BYTES = 1 << 20, /* of headers, more than any server takes */
};

enum way { STREAM, ABORT, DRIP, PIPELINE, LARGE, WAYS };

static const char *const way_names[WAYS] = {"stream", "abort", "drip", "pipeline", "large"};

struct client {
    int socket; /* -1: none */
    uint32_t number;
    size_t sent;
    uint64_t came; /* bytes */
    uint32_t events, answers;
    char carry[CARRY];
    size_t carried;
    bool done; /* [DONE] was there */
    int status;
};

struct crowd {
    uint16_t port;
    const char *model;
    enum way way;
    uint32_t count, window, tokens;
    int poll;
    struct client *clients; /* [window] */
    uint32_t begun, ended, open;
    uint32_t under_way, under_way_max; /* streams with a token and without an end */
    uint32_t whole;
    uint32_t statuses[STATUS_END]; /* of first answers; 0: none came */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_crowd: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- what is sent ---------------------------------------------------------------------------- */

static size_t post(const struct crowd *crowd, char *out, size_t size, uint32_t tokens, bool streams)
{
    char body[REQUEST_MAX / 2];
    int length = snprintf(body, sizeof body,
                          "{\"model\":\"%s\",\"prompt\":\"Once upon a time\",\"max_tokens\":%u,"
                          "\"ignore_eos\":true,\"stream\":%s}",
                          crowd->model, tokens, streams ? "true" : "false");

    return (size_t)snprintf(out, size,
                            "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
                            "%s",
                            length, body);
}

static size_t pipelined(const struct crowd *crowd, char *out, size_t size)
{
    size_t at = 0;

    for (int i = 0; i < PIPELINED; i++) {
        at += post(crowd, out + at, size - at, 2, i % 2 == 0);
    }
    return at;
}

/* A head, and then more than may follow it. */
static size_t oversized(uint32_t number, char *out, size_t size)
{
    static const char *const heads[] = {
        "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n{",
        "POST /v1/completions HTTP/1.1\r\nHost: h\r\nX: ",
        "POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "fffffff\r\n{\"model\":\"",
        "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n"};
    static const char fillers[] = " hx[";
    size_t length = strlen(heads[number % 4]);

    memcpy(out, heads[number % 4], length);
    if (number % 4 == 0) {
        return length;
    }
    memset(out + length, fillers[number % 4], size - length);
    return number % 4 == 3 ? length + BYTES_MAX : size;
}

static size_t request_of(const struct crowd *crowd, const struct client *client, char *out,
                         size_t size)
{
    switch (crowd->way) {
    case PIPELINE:
        return pipelined(crowd, out, size);
    case LARGE:
        return oversized(client->number, out, size);
    case ABORT:
        return post(crowd, out, size, ENDLESS, true);
    default:
        return post(crowd, out, size, crowd->tokens, true);
    }
}

/* ---- a client's life ------------------------------------------------------------------------- */

static void watch(const struct crowd *crowd, struct client *client, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (epoll_ctl(crowd->poll, how, client->socket, &event) != 0) {
        die("epoll_ctl");
    }
}

static void begin(struct crowd *crowd, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(crowd->port)};

    *client = (struct client){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                              .number = crowd->begun++};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client->socket < 0 ||
        connect(client->socket, (struct sockaddr *)&address, sizeof address) != 0) {
        die("cannot connect");
    }
    crowd->open++;
    watch(crowd, client, EPOLLIN, EPOLL_CTL_ADD);
}

static void end(struct crowd *crowd, struct client *client, bool resets)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (resets) {
        (void)setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    (void)close(client->socket);
    client->socket = -1;
    crowd->under_way -= client->events > 0;
    crowd->statuses[client->status]++;
    crowd->ended++;
    crowd->open--;
}

/* All of it, or as much as the server takes before it says no. */
static void ask(const struct crowd *crowd, struct client *client)
{
    static char request[FLOOD_BYTES + REQUEST_MAX];
    size_t size = request_of(crowd, client, request, sizeof request);

    if (crowd->way == DRIP) {
        size = client->sent + 1 < size ? client->sent + 1 : client->sent;
    }
    while (client->sent < size) {
        ssize_t sent = send(client->socket, request + client->sent, size - client->sent,
                            MSG_NOSIGNAL | (crowd->way == LARGE ? MSG_DONTWAIT : 0));

        if (sent <= 0) {
            break;
        }
        client->sent += (size_t)sent;
    }
}

/* How often the word ends in bytes[size], of which the first `before` were looked at before. */
static uint32_t times(const char *bytes, size_t size, size_t before, const char *word)
{
    const char *at = bytes;
    uint32_t count = 0;

    while ((at = memmem(at, size - (size_t)(at - bytes), word, strlen(word)))) {
        at += strlen(word);
        count += at > bytes + before;
    }
    return count;
}

/* Look through what came, and what was left of what came before. */
static void look(struct crowd *crowd, struct client *client, char *bytes, size_t size)
{
    bool was_under_way = client->events > 0;
    size_t before = client->carried, kept;

    memcpy(bytes - client->carried, client->carry, client->carried);
    bytes -= client->carried;
    size += client->carried;
    if (client->status == 0 && size > 12 && memcmp(bytes, "HTTP/1.1 ", 9) == 0) {
        client->status = (int)strtol(bytes + 9, NULL, 10) % STATUS_END;
    }
    client->events += times(bytes, size, before, "data: ");
    client->answers += times(bytes, size, before, "HTTP/1.1 ");
    client->done |= times(bytes, size, before, "[DONE]") > 0;
    kept = size < CARRY ? size : CARRY;
    memcpy(client->carry, bytes + size - kept, kept);
    client->carried = kept;
    crowd->under_way += !was_under_way && client->events > 0;
    if (crowd->under_way > crowd->under_way_max) {
        crowd->under_way_max = crowd->under_way;
    }
}

static bool is_whole(const struct crowd *crowd, const struct client *client)
{
    static const char last_chunk[] = "0\r\n\r\n";

    if (crowd->way == PIPELINE) {
        return client->answers == PIPELINED;
    }
    return client->done &&
           memcmp(client->carry + CARRY - strlen(last_chunk), last_chunk, strlen(last_chunk)) == 0;
}

/* Something came; whether the client goes on. */
static bool goes_on(struct crowd *crowd, struct client *client)
{
    switch (crowd->way) {
    case STREAM:
        if (is_whole(crowd, client)) {
            crowd->whole += client->events > crowd->tokens; /* one each, and the end */
            return false;
        }
        return true;
    case PIPELINE:
        if (client->number % 2 == 1 || is_whole(crowd, client)) {
            crowd->whole += client->number % 2 == 1 || client->status == 200;
            return false;
        }
        return true;
    case ABORT:
        if ((client->number & 4) && client->sent > 0) { /* by halves: until the server closes */
            (void)shutdown(client->socket, SHUT_WR);
            return true;
        }
        return client->events == 0;
    case LARGE:
        return client->status != 400; /* bad JSON alone does not end a connection */
    default:
        return true; /* until the server closes */
    }
}

static void hear(struct crowd *crowd, struct client *client)
{
    static char space[CARRY + BYTES_MAX];
    ssize_t got = recv(client->socket, space + CARRY, BYTES_MAX, 0);

    if (got <= 0) {
        end(crowd, client, false);
        return;
    }
    client->came += (uint64_t)got;
    look(crowd, client, space + CARRY, (size_t)got);
    if (!goes_on(crowd, client)) {
        end(crowd, client, crowd->way == ABORT && (client->number & 2));
    }
}

/* Those that go before anything came. */
static void ask_or_leave(struct crowd *crowd, struct client *client)
{
    ask(crowd, client);
    if (crowd->way != ABORT) {
        return;
    }
    if (client->number % 8 == 4 || client->number % 8 == 6) {
        (void)shutdown(client->socket, SHUT_WR);
    } else if (client->number % 2 == 0) {
        end(crowd, client, (client->number & 2) != 0);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void fill_window(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->window && crowd->begun < crowd->count; i++) {
        if (crowd->clients[i].socket < 0) {
            begin(crowd, &crowd->clients[i]);
            if (crowd->way != STREAM && crowd->way != DRIP) {
                ask_or_leave(crowd, &crowd->clients[i]);
            }
        }
    }
}

static void ask_all(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->window; i++) {
        if (crowd->clients[i].socket >= 0) {
            ask(crowd, &crowd->clients[i]);
        }
    }
}

static void run(struct crowd *crowd)
{
    enum { EVENTS = 1024 };
    static struct epoll_event events[EVENTS];

    while (crowd->ended < crowd->count) {
        bool waits_for_all = crowd->way == STREAM && crowd->open > 0;
        int count;

        if (!waits_for_all && crowd->begun < crowd->count) {
            fill_window(crowd);
            if (crowd->way == STREAM) {
                ask_all(crowd);
            }
        }
        count = epoll_wait(crowd->poll, events, EVENTS, crowd->way == DRIP ? DRIP_MS : 1000);
        for (int i = 0; i < count; i++) {
            hear(crowd, events[i].data.ptr);
        }
        if (crowd->way == DRIP) {
            ask_all(crowd);
        }
    }
}

/* Whether what the way promises was kept. */
static bool report(const struct crowd *crowd)
{
    bool is_good = crowd->way == STREAM || crowd->way == PIPELINE ? crowd->whole == crowd->count
                   : crowd->way == DRIP ? crowd->statuses[408] == crowd->count
                                        : true;

    (void)printf("%s: %u clients, %u at a time", way_names[crowd->way], crowd->count,
                 crowd->window);
    if (crowd->way == STREAM) {
        (void)printf(", %u under way at once", crowd->under_way_max);
    }
    if (crowd->way == STREAM || crowd->way == PIPELINE) {
        (void)printf(", %u as promised", crowd->whole);
    }
    for (int i = 0; i < STATUS_END; i++) {
        if (crowd->statuses[i] > 0) {
            (void)printf(", %u times %d", crowd->statuses[i], i);
        }
    }
    (void)printf("\n");
    return is_good;
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.way = WAYS, .tokens = 16};
    bool is_good;

    for (unsigned i = 0; argc > 5 && i < WAYS; i++) {
        crowd.way = strcmp(argv[3], way_names[i]) == 0 ? (enum way)i : crowd.way;
    }
    if (crowd.way == WAYS) {
        (void)fputs("usage: bench_crowd PORT MODEL stream|abort|drip|pipeline|large COUNT WINDOW "
                    "[TOKENS]\n",
                    stderr);
        return 2;
    }
    crowd.port = (uint16_t)strtoul(argv[1], NULL, 10);
    crowd.model = argv[2];
    crowd.count = (uint32_t)strtoul(argv[4], NULL, 10);
    crowd.window = (uint32_t)strtoul(argv[5], NULL, 10);
    crowd.tokens = argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : crowd.tokens;
    raise_limit();
    crowd.poll = epoll_create1(EPOLL_CLOEXEC);
    crowd.clients = calloc(crowd.window, sizeof *crowd.clients);
    if (crowd.poll < 0 || !crowd.clients) {
        die("cannot start");
    }
    for (uint32_t i = 0; i < crowd.window; i++) {
        crowd.clients[i].socket = -1;
    }
    run(&crowd);
    is_good = report(&crowd);
    free(crowd.clients);
    (void)close(crowd.poll);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
