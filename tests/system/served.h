/* `dyno serve` as a process of its own, and clients that speak HTTP to it byte by byte.
 *
 * Nothing here waits for a time: a client waits until what it waits for is there, and a test that
 * waits for nothing ends by its time limit.
 */
#ifndef DYNO_TESTS_SYSTEM_SERVED_H
#define DYNO_TESTS_SYSTEM_SERVED_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/check_main.h"

enum { SERVED_ARGUMENTS_MAX = 40, SERVED_WORDS_MAX = 4096 };

struct served {
    pid_t pid;
    uint16_t port;
};

/* ---- the server ------------------------------------------------------------------------------ */

/* What a sanitizer finds ends the server with a status that no test expects; freed memory is given
 * back at once, so that its size says something. */
static inline void served_environment(void)
{
    (void)setenv("ASAN_OPTIONS", "quarantine_size_mb=1:exitcode=99", 1);
    (void)setenv("TSAN_OPTIONS", "exitcode=99:halt_on_error=1", 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99", 1);
    (void)setenv("MALLOC_ARENA_MAX", "1", 1);
}

/* The port in "Listening on http://127.0.0.1:PORT". */
static inline uint16_t served_port(int words)
{
    char said[SERVED_WORDS_MAX] = "";
    size_t size = 0;
    const char *at = NULL;

    while (!(at = strstr(said, "Listening on ")) || !strchr(at, '\n')) {
        ssize_t more = read(words, said + size, sizeof said - size - 1);

        ck_assert_msg(more > 0, "the server ended before it listened: %s", said);
        size += (size_t)more;
        said[size] = '\0';
    }
    at = strstr(at, "127.0.0.1:");
    ck_assert_ptr_nonnull(at);
    return (uint16_t)strtoul(at + strlen("127.0.0.1:"), NULL, 10);
}

/* dyno serve --port any ARGUMENTS, whose words end with a blank each; it listens on return. */
static inline struct served serve(const char *arguments)
{
    char *list[SERVED_ARGUMENTS_MAX] = {"dyno", "serve", "--port", "any"};
    char words[SERVED_WORDS_MAX], *rest = words;
    struct served served = {.pid = 0};
    int pipes[2];

    (void)snprintf(words, sizeof words, "%s", arguments);
    for (size_t i = 4; i == 4 || list[i - 1]; i++) {
        list[i] = strtok_r(NULL, " ", &rest);
    }
    ck_assert_int_eq(pipe(pipes), 0);
    served.pid = fork();
    ck_assert_int_ge(served.pid, 0);
    if (served.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        served_environment();
        (void)execv(DYNO_BINARY, list);
        _exit(EXIT_FAILURE);
    }
    (void)close(pipes[1]);
    served.port = served_port(pipes[0]);
    (void)close(pipes[0]);
    return served;
}

/* How the server ended: its status, or the signal's number with a minus. */
static inline int served_end(const struct served *served)
{
    int status = 0;

    ck_assert_int_eq(waitpid(served->pid, &status, 0), served->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void served_stop(const struct served *served)
{
    (void)kill(served->pid, SIGTERM);
    ck_assert_int_eq(served_end(served), 0);
}

/* Bytes of memory that the server's process holds. */
static inline uint64_t served_memory(const struct served *served)
{
    char path[64], line[256] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)served->pid);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    (void)fclose(file);
    ck_assert_ptr_nonnull(strchr(line, ' ')); /* pages of the whole, pages that are there, ... */
    return strtoull(strchr(line, ' '), NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- a client -------------------------------------------------------------------------------- */

/* A connection, and what came over it and was not taken yet. */
struct client {
    int socket;
    char *came; /* [size], terminated */
    size_t size, capacity;
    bool ended; /* the server has closed it, or cut it */
};

/* `receive_bytes`: what the kernel may hold for a client that does not read; 0: as it likes. */
static inline struct client client_open_with(const struct served *served, int receive_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(served->port)};
    struct client client = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    ck_assert_int_ge(client.socket, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (receive_bytes > 0) {
        (void)setsockopt(client.socket, SOL_SOCKET, SO_RCVBUF, &receive_bytes,
                         sizeof receive_bytes);
    }
    ck_assert_msg(connect(client.socket, (struct sockaddr *)&address, sizeof address) == 0, "%s",
                  strerror(errno));
    client.capacity = 1 << 16;
    client.came = calloc(1, client.capacity);
    ck_assert_ptr_nonnull(client.came);
    return client;
}

/* Whether the server listens no more. */
static inline bool served_is_deaf(const struct served *served)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(served->port)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    refused = connect(client, (struct sockaddr *)&address, sizeof address) != 0;
    (void)close(client);
    return refused;
}

static inline struct client client_open(const struct served *served)
{
    return client_open_with(served, 0);
}

static inline void client_close(struct client *client)
{
    (void)close(client->socket);
    free(client->came);
}

/* Go without a word: the server's kernel is told at once that nobody is there. */
static inline void client_reset(struct client *client)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    client_close(client);
}

/* A server that has gone meanwhile is seen by whoever reads. */
static inline void client_send(const struct client *client, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(client->socket, bytes, size, MSG_NOSIGNAL);

        if (sent <= 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Wait for more; false: there will be none. */
static inline bool client_read(struct client *client)
{
    ssize_t more;

    if (client->size + 1 == client->capacity) {
        client->capacity *= 2;
        client->came = realloc(client->came, client->capacity);
        ck_assert_ptr_nonnull(client->came);
    }
    more =
        recv(client->socket, client->came + client->size, client->capacity - client->size - 1, 0);
    if (more <= 0) {
        client->ended = true;
        return false;
    }
    client->size += (size_t)more;
    client->came[client->size] = '\0';
    return true;
}

/* Wait until `text` has come; false: the server ended the connection before. */
static inline bool client_wait(struct client *client, const char *text)
{
    while (!memmem(client->came, client->size, text, strlen(text))) {
        if (!client_read(client)) {
            return false;
        }
    }
    return true;
}

static inline void client_drop(struct client *client, size_t size)
{
    client->size -= size;
    memmove(client->came, client->came + size, client->size + 1);
}

/* Ask, without waiting for an answer.  `headers`: whole lines, or "". */
static inline void client_ask_with(const struct client *client, const char *method,
                                   const char *path, const char *headers, const char *body,
                                   size_t size)
{
    char head[1024], *text;
    int length =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n",
                 method, path, headers, size);

    ck_assert(length > 0 && (size_t)length < sizeof head);
    text = malloc((size_t)length + size);
    ck_assert_ptr_nonnull(text);
    memcpy(text, head, (size_t)length);
    memcpy(text + length, body, size);
    client_send(client, text, (size_t)length + size);
    free(text);
}

static inline void client_ask(const struct client *client, const char *path, const char *body)
{
    client_ask_with(client, "POST", path, "", body, strlen(body));
}

/* `before`, then `count` times `middle`, then `after`. */
static inline char *served_repeated(const char *before, const char *middle, size_t count,
                                    const char *after)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(stream);
    (void)fputs(before, stream);
    for (size_t i = 0; i < count; i++) {
        (void)fputs(middle, stream);
    }
    (void)fputs(after, stream);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A whole response, its chunks joined. */
struct reply {
    int status;
    char *head, *body; /* owned, terminated */
    size_t size;
};

static inline void reply_free(struct reply *reply)
{
    free(reply->head);
    free(reply->body);
}

static inline bool reply_chunks(struct client *client, struct reply *reply)
{
    for (;;) {
        size_t size, line;

        if (!client_wait(client, "\r\n")) {
            return false;
        }
        size = strtoul(client->came, NULL, 16);
        line = (size_t)(strstr(client->came, "\r\n") - client->came) + 2;
        while (client->size < line + size + 2) {
            if (!client_read(client)) {
                return false;
            }
        }
        reply->body = realloc(reply->body, reply->size + size + 1);
        ck_assert_ptr_nonnull(reply->body);
        memcpy(reply->body + reply->size, client->came + line, size);
        reply->size += size;
        reply->body[reply->size] = '\0';
        client_drop(client, line + size + 2);
        if (size == 0) {
            return true;
        }
    }
}

/* The next response; false: the connection ended before it was whole, `reply` is what came. */
static inline bool client_hear(struct client *client, struct reply *reply)
{
    const char *length;
    size_t head;

    *reply = (struct reply){.body = calloc(1, 1)};
    ck_assert_ptr_nonnull(reply->body);
    if (!client_wait(client, "\r\n\r\n")) {
        reply->head = strdup("");
        return false;
    }
    head = (size_t)(strstr(client->came, "\r\n\r\n") - client->came) + 4;
    reply->head = strndup(client->came, head);
    ck_assert_ptr_nonnull(reply->head);
    client_drop(client, head);
    ck_assert_msg(strncmp(reply->head, "HTTP/1.1 ", strlen("HTTP/1.1 ")) == 0, "%s", reply->head);
    reply->status = (int)strtol(reply->head + strlen("HTTP/1.1 "), NULL, 10);
    if (strstr(reply->head, "\r\nTransfer-Encoding: chunked\r\n")) {
        return reply_chunks(client, reply);
    }
    length = strstr(reply->head, "\r\nContent-Length: ");
    reply->size = length ? strtoul(length + strlen("\r\nContent-Length: "), NULL, 10) : 0;
    while (client->size < reply->size) {
        if (!client_read(client)) {
            return false;
        }
    }
    free(reply->body);
    reply->body = calloc(1, reply->size + 1);
    ck_assert_ptr_nonnull(reply->body);
    memcpy(reply->body, client->came, reply->size);
    client_drop(client, reply->size);
    return true;
}

/* Ask on a connection of its own, and hear the whole answer. */
static inline struct reply served_ask_with(const struct served *served, const char *method,
                                           const char *path, const char *headers, const char *body,
                                           size_t size)
{
    struct client client = client_open(served);
    struct reply reply;

    client_ask_with(&client, method, path, headers, body, size);
    ck_assert_msg(client_hear(&client, &reply), "%s %s: no whole answer: %s%s", method, path,
                  reply.head, reply.body);
    client_close(&client);
    return reply;
}

static inline struct reply served_ask(const struct served *served, const char *path,
                                      const char *body)
{
    return served_ask_with(served, body ? "POST" : "GET", path, "", body ? body : "",
                           body ? strlen(body) : 0);
}

/* The words that every refusal has, whoever refuses. */
static inline void served_check_refusal(const struct reply *reply, int status, const char *code,
                                        const char *what)
{
    json_t *body = json_loadb(reply->body, reply->size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *error = json_object_get(body, "error");
    const json_t *param = json_object_get(error, "param");
    const json_t *given = json_object_get(error, "code");

    ck_assert_msg(reply->status == status, "%s: %d, not %d: %s", what, reply->status, status,
                  reply->body);
    ck_assert_msg(strstr(reply->head, "\r\nContent-Type: application/json\r\n"), "%s: %s", what,
                  reply->head);
    ck_assert_msg(json_object_size(body) == 1 && json_object_size(error) == 4, "%s: %s", what,
                  reply->body);
    ck_assert_msg(json_string_length(json_object_get(error, "message")) > 0 &&
                      json_string_length(json_object_get(error, "type")) > 0,
                  "%s: %s", what, reply->body);
    ck_assert_msg(json_is_null(param) || json_is_string(param), "%s: %s", what, reply->body);
    ck_assert_msg(json_is_null(given) || json_is_string(given), "%s: %s", what, reply->body);
    ck_assert_msg(!code || (json_is_string(given) && strcmp(json_string_value(given), code) == 0),
                  "%s: not %s: %s", what, code, reply->body);
    ck_assert_msg(status != 429 || strstr(reply->head, "\r\nRetry-After: "), "%s: %s", what,
                  reply->head);
    json_decref(body);
}

/* Of /metrics: the sum of all lines that begin so. */
static inline double served_metric(const struct served *served, const char *begin)
{
    struct reply reply = served_ask(served, "/metrics", NULL);
    double sum = 0;

    ck_assert_int_eq(reply.status, 200);
    for (const char *line = reply.body; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, begin, strlen(begin)) == 0) {
            sum += strtod(line + strcspn(line, " "), NULL);
        }
    }
    reply_free(&reply);
    return sum;
}

/* Wait until a sum of /metrics is `due`. */
static inline void served_settle(const struct served *served, const char *begin, double due)
{
    const struct timespec a_moment = {.tv_nsec = 10000000};

    while (served_metric(served, begin) != due) {
        (void)nanosleep(&a_moment, NULL);
    }
}

#endif
