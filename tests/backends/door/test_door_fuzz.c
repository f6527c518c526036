/* Seeded mutations of requests through the harness of the whole door: a fuzzer of a second. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_door.c"

enum { TEXT_MAX = 4000, MUTATIONS = 60 };

#define MESSAGES                                                                                   \
    "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":9"

/* The first byte says that a body follows, the second whose. */
static const char *const seeds[] = {
    "\x80"
    "0{" MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"n\":2}",
    "\x80"
    "0{" MESSAGES ",\"logprobs\":true,\"top_logprobs\":2,\"temperature\":0.5,\"seed\":3}",
    "\x80"
    "0{" MESSAGES ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"enum\":[1,2]}}}}}],"
    "\"tool_choice\":\"required\",\"stream\":true}",
    "\x80"
    "0{" MESSAGES ",\"response_format\":{\"type\":\"json_object\"}}",
    "\x80"
    "1{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"echo\":true,\"max_tokens\":4,\"stop\":[\"e\"],"
    "\"stream\":true}",
    "\x80"
    "1{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"logprobs\":2,\"max_tokens\":4,\"min_tokens\":2}",
    "\x80"
    "1{\"model\":\"m\",\"prompt\":[\"a b\",\"c\"],\"echo\":true,\"max_tokens\":3,\"logprobs\":2,"
    "\"stream\":true,\"n\":2}",
    "\x80"
    "1{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"echo\":true,\"max_tokens\":0,\"logprobs\":2}",
    "\x80"
    "2{\"model\":\"m\",\"input\":\"a\",\"max_output_tokens\":4,\"stream\":true}",
    "\x80"
    "3{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"base64\",\"dimensions\":4}",
    "\x80"
    "4{\"prompt\":\"a b\"}",
    "\x80"
    "5{\"tokens\":[1,2,3]}",
    "\x10 GET /metrics HTTP/1.1\r\nHost: h\r\n\r\nGET /dashboard/data?since=3 HTTP/1.1\r\nHost: "
    "h\r\n"
    "\r\nOPTIONS /v1/models HTTP/1.1\r\nHost: h\r\n\r\nGET /v1/models/x HTTP/1.1\r\nHost: "
    "h\r\n\r\n",
    "\x10\x10POST /v1/completions HTTP/1.1\r\nHost: h\r\nX-Request-Id: x\r\ntraceparent: "
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTransfer-Encoding: chunked\r\n\r\n"
    "20\r\n{\"model\":\"m\",\"prompt\":\"a\",      \r\n11\r\n\"max_tokens\": 3 }\r\n0\r\n\r\n",
};

static const char *const pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\"",
                                     "\\",
                                     "null",
                                     "true",
                                     "-1",
                                     "1e9",
                                     "0.5",
                                     "\"a\"",
                                     "[[1]]",
                                     "\\u0000",
                                     "\xff",
                                     "\\ud800",
                                     "99999999999999999999",
                                     "{\"type\":\"x\"}",
                                     "\"n\":0,",
                                     "\r\n",
                                     "\"model\":1,",
                                     "[[[[[[[[[[[[[[[[",
                                     "\"echo\":true,",
                                     "0\r\n\r\n"};

static size_t mutate(struct dyno_rng *rng, char *text, size_t size)
{
    size_t at = 2 + dyno_rng_below(rng, size - 1);
    const char *piece = pieces[dyno_rng_below(rng, sizeof pieces / sizeof *pieces)];
    size_t more = strlen(piece), gone = dyno_rng_below(rng, 10);

    if (dyno_rng_below(rng, 2) && size + more < TEXT_MAX) {
        memmove(text + at + more, text + at, size - at);
        memcpy(text + at, piece, more);
        return size + more;
    }
    gone = gone < size - at ? gone : size - at;
    memmove(text + at, text + at + gone, size - at - gone);
    return size - gone;
}

START_TEST(what_comes_back_is_an_answer_whatever_was_asked)
{
    struct dyno_rng rng;
    char text[TEXT_MAX];

    dyno_rng_init(&rng, 1, "door");
    for (size_t seed = 0; seed < sizeof seeds / sizeof *seeds; seed++) {
        for (int i = 0; i < MUTATIONS; i++) {
            size_t size = strlen(seeds[seed]);

            memcpy(text, seeds[seed], size);
            for (uint64_t changes = i == 0 ? 0 : 1 + dyno_rng_below(&rng, 3); changes > 0;
                 changes--) {
                size = mutate(&rng, text, size);
            }
            (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size);
        }
    }
    fuzz_close(&fuzz_the_door);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("door_fuzz");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, what_comes_back_is_an_answer_whatever_was_asked);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/door_fuzz", add_cases)
