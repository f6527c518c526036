#include "backends/http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel's own limit, net.core.somaxconn, is no larger */

static dyno_status resolve(struct addrinfo **out, const char *address, uint16_t port,
                           struct dyno_error *error)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    char service[8];
    int failure;

    (void)snprintf(service, sizeof service, "%u", port);
    failure = getaddrinfo(address, service, &hints, out);
    if (failure != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "the address %s to listen on is not known: %s",
                         address, gai_strerror(failure));
    }
    return DYNO_OK;
}

/* What is set here is inherited by the sockets that are accepted. */
static int open_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;

        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t size = sizeof address;

    (void)getsockname(fd, &address.any, &size);
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

dyno_status dyno_http_listen(int *socket, uint16_t *bound, const char *address, uint16_t port,
                             struct dyno_error *error)
{
    struct addrinfo *info;
    int fd, why;

    DYNO_TRY(resolve(&info, address, port, error));
    fd = open_socket(info);
    why = errno;
    freeaddrinfo(info);
    if (fd < 0) {
        return dyno_fail(error, DYNO_IO, "cannot listen on %s port %u: %s", address, port,
                         strerror(why));
    }
    *socket = fd;
    *bound = port_of(fd);
    return DYNO_OK;
}
