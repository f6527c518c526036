#include "backends/ucx/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/words.h"

/* An end that is gone without a word is noticed so many seconds later. */
enum { SILENT_S = 5, ASK_AGAIN_S = 1, ASKS = 3 };

enum { DIAL_S = 5 }; /* an address that nobody has answers nothing */

static bool parse_port(uint16_t *out, const char *text)
{
    char *end;
    unsigned long port;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    port = strtoul(text, &end, 10);
    *out = (uint16_t)port;
    return *end == '\0' && port <= UINT16_MAX;
}

dyno_status dyno_ucx_address_parse(char host[DYNO_UCX_HOST_MAX], uint16_t *port, const char *text,
                                   struct dyno_error *error)
{
    const char *colon = strrchr(text, ':');
    const char *from = text, *to = colon ? colon : text;
    char quoted[DYNO_QUOTE_MAX];

    if (to > from && *from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    if (!colon || to == from || to - from >= DYNO_UCX_HOST_MAX || !parse_port(port, colon + 1)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is no address of a worker: expected HOST:PORT, such as 127.0.0.1:7000",
                         dyno_quote(quoted, text));
    }
    (void)snprintf(host, DYNO_UCX_HOST_MAX, "%.*s", (int)(to - from), from);
    return DYNO_OK;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    memcpy(&v6, address, sizeof v6);
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool dyno_ucx_is_loopback(int socket)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    return getsockname(socket, (struct sockaddr *)&address, &size) == 0 && is_loopback(&address);
}

static void watch_over(int socket)
{
    int yes = 1, silent = SILENT_S, again = ASK_AGAIN_S, asks = ASKS;

    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &silent, sizeof silent);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &again, sizeof again);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &asks, sizeof asks);
}

/* The first address that answers; -1: none, and errno says why. */
static int dial_any(const struct addrinfo *info)
{
    const struct timeval limit = {.tv_sec = DIAL_S};
    int fd = -1;

    for (; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        }
        if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
            int why = errno;

            (void)close(fd);
            errno = why;
            fd = -1;
        }
    }
    return fd;
}

dyno_status dyno_ucx_dial(int *out, bool *loopback, const char *address, struct dyno_error *error)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char host[DYNO_UCX_HOST_MAX], service[8];
    struct addrinfo *info;
    uint16_t port = 0;
    int failure, fd;

    DYNO_TRY(dyno_ucx_address_parse(host, &port, address, error));
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    failure = getaddrinfo(host, service, &hints, &info);
    if (failure != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "the worker's address %s is not known: %s", address,
                         gai_strerror(failure));
    }
    fd = dial_any(info);
    freeaddrinfo(info);
    if (fd < 0) {
        return dyno_fail(error, DYNO_IO,
                         "no worker answers at %s: %s (dyno worker --listen HOST:PORT starts one)",
                         address, strerror(errno));
    }
    watch_over(fd);
    *loopback = dyno_ucx_is_loopback(fd);
    *out = fd;
    return DYNO_OK;
}

void dyno_ucx_socket_limit(int socket, uint32_t ms)
{
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    watch_over(socket);
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool dyno_ucx_read(int socket, void *bytes, size_t size)
{
    char *at = bytes;

    while (size > 0) {
        ssize_t got = recv(socket, at, size, 0);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    return true;
}

bool dyno_ucx_write(int socket, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t put = send(socket, at, size, MSG_NOSIGNAL);

        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            at += put;
            size -= (size_t)put;
        }
    }
    return true;
}

void dyno_ucx_beat(int socket)
{
    const char beat = 0;

    (void)!send(socket, &beat, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool dyno_ucx_hear_beats(int socket)
{
    char beats[64];
    ssize_t got;

    while ((got = recv(socket, beats, sizeof beats, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (beats[i] != 0) {
                return false;
            }
        }
    }
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}
