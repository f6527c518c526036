/* A server that streams the same answer to everybody, for tests of clients and to see what a client
 * costs: `bench_stub [TOKENS [PIECES [PAUSE_US]]]` prints its port, and serves until its standard
 * input ends.
 *
 * An answer of TOKENS chunks (16) goes out in PIECES writes (1) with a pause between them. */
#include <stdio.h>

#include "tests/backends/client/stub_thread.h"

enum { CHUNK_MAX = 512 };

static char *write_answer(unsigned tokens)
{
    static const char chunk[] =
        "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":"
        "\"stub\",\"choices\":[{\"index\":0,\"text\":\" word\",\"logprobs\":null,"
        "\"finish_reason\":%s}],\"usage\":null}\n\n";
    static const char last[] =
        "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":"
        "\"stub\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"total_tokens\":%u,"
        "\"completion_tokens\":%u}}\n\ndata: [DONE]\n\n";
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    size_t size = ((size_t)tokens + 4) * CHUNK_MAX;
    char *answer = malloc(size), text[CHUNK_MAX];
    int at = snprintf(answer, size, "%s", head);

    for (unsigned i = 0; i < tokens; i++) {
        int length = snprintf(text, sizeof text, chunk, i + 1 < tokens ? "null" : "\"length\"");

        at += snprintf(answer + at, size - (size_t)at, "%x\r\n%s\r\n", (unsigned)length, text);
    }
    at += snprintf(answer + at, size - (size_t)at, "%x\r\n",
                   (unsigned)snprintf(text, sizeof text, last, tokens + 7, tokens));
    (void)snprintf(answer + at, size - (size_t)at, "%s\r\n0\r\n\r\n", text);
    return answer;
}

int main(int argc, char **argv)
{
    unsigned long tokens = argc > 1 ? strtoul(argv[1], NULL, 10) : 16;
    unsigned long pieces = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    char *answer = write_answer((unsigned)tokens);
    struct stub_script script = {.answer = answer,
                                 .piece = (strlen(answer) + pieces - 1) / (pieces > 0 ? pieces : 1),
                                 .pause_us = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0};
    struct stub_thread stub;
    char byte;

    if (!stub_thread_start(&stub, &script)) {
        (void)fputs("no server could be started\n", stderr);
        return EXIT_FAILURE;
    }
    (void)printf("%u\n", (unsigned)stub.server.port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    stub_thread_join(&stub);
    (void)fprintf(stderr, "%llu requests on %llu connections\n",
                  (unsigned long long)stub.server.requests,
                  (unsigned long long)stub.server.accepted);
    stub_thread_close(&stub);
    free(answer);
    return EXIT_SUCCESS;
}
