/* Seeded mutations of good conversations through the fuzz harness.  Under the sanitizers this is a
 * fuzzer of a few seconds; a failure prints the seed that repeats it. */
#include "core/base/rng.h"

#include "tests/fuzz/fuzz_http.c"

#include "tests/check_main.h"

enum { MUTATIONS = 300, CHANGES_MAX = 6, BYTES_MAX = 4096 };

static const char *const conversations[] = {
    "POST /a?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /s HTTP/1.1\r\nHost: "
    "h\r\n"
    "\r\nGET /h HTTP/1.1\r\nHost: h\r\n\r\nGET /last HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5;e=f\r\nhello\r\n"
    "A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nPOST /h HTTP/1.1\r\nHost: h\r\n"
    "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET http://h:1/p%41th?a=%0d%0ab+c&d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "HEAD /s HTTP/1.0\r\nConnection: keep-alive\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"
    "\r\n\r\nGET /s HTTP/1.0\r\n\r\n",
};

/* What framing is made of, to be put anywhere. */
static const char *const pieces[] = {"\r\n",
                                     "\r\n\r\n",
                                     "\n",
                                     "\r",
                                     ":",
                                     " ",
                                     "\t",
                                     "%00",
                                     "%",
                                     "?a=",
                                     "0",
                                     "ffffffffffffffff",
                                     "-1",
                                     "Content-Length: 7\r\n",
                                     "Transfer-Encoding: chunked\r\n",
                                     "Host: x\r\n",
                                     "0\r\n\r\n",
                                     "HTTP/1.1",
                                     "\xff",
                                     "GET /h HTTP/1.1\r\n"};

struct text {
    uint8_t bytes[BYTES_MAX];
    size_t size;
};

static void insert(struct text *text, size_t at, const char *piece)
{
    size_t size = strlen(piece);

    if (text->size + size <= BYTES_MAX) {
        memmove(text->bytes + at + size, text->bytes + at, text->size - at);
        memcpy(text->bytes + at, piece, size);
        text->size += size;
    }
}

static void mutate(struct dyno_rng *rng, struct text *text)
{
    size_t at = dyno_rng_below(rng, text->size), size = 1 + dyno_rng_below(rng, 20);

    switch (dyno_rng_below(rng, 4)) {
    case 0:
        text->bytes[at] = (uint8_t)dyno_rng_below(rng, 256);
        break;
    case 1:
        size = size < text->size - at ? size : text->size - at;
        memmove(text->bytes + at, text->bytes + at + size, text->size - at - size);
        text->size -= size;
        break;
    default:
        insert(text, at, pieces[dyno_rng_below(rng, sizeof pieces / sizeof *pieces)]);
        break;
    }
}

START_TEST(no_conversation_breaks_the_server)
{
    struct dyno_rng rng;
    struct text text;

    dyno_rng_init(&rng, (uint64_t)_i, "http");
    for (int i = 0; i < MUTATIONS; i++) {
        const char *good =
            conversations[dyno_rng_below(&rng, sizeof conversations / sizeof *conversations)];

        text.size = 2;
        text.bytes[0] = (uint8_t)dyno_rng_below(&rng, 4);
        text.bytes[1] = (uint8_t)dyno_rng_below(&rng, 256);
        memcpy(text.bytes + 2, good, strlen(good));
        text.size += strlen(good);
        for (uint64_t n = dyno_rng_below(&rng, CHANGES_MAX + 1); n > 0 && text.size > 2; n--) {
            mutate(&rng, &text);
        }
        (void)LLVMFuzzerTestOneInput(text.bytes, text.size);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fuzz");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, no_conversation_breaks_the_server, 0, 20);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_fuzz", add_cases)
