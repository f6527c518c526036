/* Seeded mutations of good traces through the fuzz harness.  Under the sanitizers this is a fuzzer
 * of a few seconds; a failure prints the seed that repeats it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/fuzz/fuzz_trace.c"

enum { TEXT_MAX = 4095, MUTATIONS = 600 };

static const char *const seeds[] = {
    "{\"timestamp\": 0, \"input_length\": 1025, \"output_length\": 3, \"hash_ids\": [7, 8, 9]}\n"
    "{\"timestamp\": 27.5, \"input_length\": 513, \"output_length\": 3, \"hash_ids\": [7, 10]}\n"
    "{\"timestamp\": 30, \"input_tokens\": 1, \"output_tokens\": 3, \"type\": {\"a\": [null]}}\n",
    "{\"session_id\": \"a\", \"timestamp\": 0, \"input_length\": 5, \"output_length\": 6}\n"
    "{\"session_id\": \"a\", \"delay\": 3, \"input_length\": 5, \"output_length\": 6}\n"
    "{\"request_id\": 4, \"timestamp\": 9, \"input_length\": 5, \"output_length\": 6}\n"
    "{\"wait_for\": [4, 5], \"delay_ms\": 2, \"input_length\": 5, \"output_length\": 6}\n"
    "{\"request_id\": 5, \"wait_for\": 4, \"timestamp\": 9, \"input_length\": 5, "
    "\"output_length\": 6}\n",
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
    "2023-11-16 18:15:50.9951690,396,109\r\n2023-11-16 18:15:51.2224670,879,55",
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n"
    "2024-05-10 00:00:00.017335+00:00,2399,6\n",
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n45,\"ChatGPT\",1087,0,1087,API log\n"
    "118,GPT-4,417,276,693,Conversation log\n",
    "{\"chat_id\": 159, \"parent_chat_id\": -1, \"timestamp\": 61.114, \"input_length\": 33, "
    "\"output_length\": 132, \"type\": \"text\", \"turn\": 1, \"hash_ids\": [1, 2, 3]}\n"
    "{\"chat_id\": 160, \"parent_chat_id\": 159, \"timestamp\": 62.5, \"input_length\": 48, "
    "\"output_length\": 80, \"hash_ids\": [1, 2, 4]}\n",
    "{\"timestamp\": 1764254917123.456789, \"input_length\": 5, \"output_length\": 0, \"outcome\": "
    "\"rejected_queue_full\", \"number\": 1, \"recording\": \"9c0f1e2d3c4b5a69\", "
    "\"block_tokens\": "
    "4, \"lost\": 3, \"hash_ids\": [1, 2]}\n{\"timestamp\": 1764254917123.456788, "
    "\"input_length\": 4, "
    "\"output_length\": 2, \"outcome\": \"completed\", \"number\": 0, \"recording\": "
    "\"9c0f1e2d3c4b5a69\", \"block_tokens\": 4, \"session_id\": 8, \"hash_ids\": [1]}\n{\"timest",
};

enum { SEEDS = sizeof seeds / sizeof seeds[0] };

/* Pieces that readers stumble over. */
static const char *const pieces[] = {
    "\"",       "{",
    "}",        "[",
    "]",        ",",
    "\\",       "\n",
    "\r",       "-",
    "NaN",      "1e999",
    "0",        "null",
    "\xff",     "\\u0000",
    "\\ud800",  "9999999999999999999",
    ":",        "\xef\xbb\xbf",
    "true",     "e",
    ".",        "1e-999",
    "\t",       "{\"a\":",
    "hash_ids",
};

enum { PIECES = sizeof pieces / sizeof pieces[0] };

/* The text as gzip in its place. */
static void compress_text(char *text, size_t *size)
{
    static unsigned char packed[TEXT_MAX];
    z_stream stream = {0};

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)text;
    stream.avail_in = (uInt)*size;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *size = stream.total_out;
    memcpy(text, packed, *size);
    ck_assert_int_eq(deflateEnd(&stream), Z_OK);
}

static void replace(char *text, size_t *size, size_t at, size_t gone, const char *with,
                    size_t with_size)
{
    if (at + gone > *size || *size - gone + with_size > TEXT_MAX) {
        return;
    }
    memmove(text + at + with_size, text + at + gone, *size - at - gone);
    memcpy(text + at, with, with_size);
    *size = *size - gone + with_size;
}

static void mutate(struct dyno_rng *rng, char *text, size_t *size)
{
    size_t at = dyno_rng_below(rng, *size + 1), rest = *size - at;
    size_t some = rest ? dyno_rng_below(rng, rest < 40 ? rest : 40) : 0;
    const char *piece = pieces[dyno_rng_below(rng, PIECES)];
    char byte = (char)dyno_rng_below(rng, 256), copy[64];

    switch (dyno_rng_below(rng, 6)) {
    case 0: /* another byte */
        replace(text, size, at, rest > 0, &byte, 1);
        break;
    case 1: /* some bytes gone */
        replace(text, size, at, some, "", 0);
        break;
    case 2: /* a nasty piece in */
        replace(text, size, at, 0, piece, strlen(piece));
        break;
    case 3: /* a nasty piece over */
        replace(text, size, at, some < 8 ? some : 8, piece, strlen(piece));
        break;
    case 4: /* some bytes twice */
        memcpy(copy, text + at, some);
        replace(text, size, at, 0, copy, some);
        break;
    default: /* cut off */
        *size = at;
        break;
    }
}

START_TEST(no_bytes_crash_a_reader)
{
    struct dyno_rng rng;
    char text[TEXT_MAX + 1];

    dyno_rng_init(&rng, (uint64_t)_i, "fuzz");
    for (int i = 0; i < MUTATIONS; i++) {
        const char *seed = seeds[dyno_rng_below(&rng, SEEDS)];
        size_t size = strlen(seed);
        uint64_t times = dyno_rng_below(&rng, 6);

        memcpy(text + 1, seed, size);
        if (dyno_rng_below(&rng, 8) == 0) {
            compress_text(text + 1, &size);
        }
        for (uint64_t k = 0; k < times; k++) {
            mutate(&rng, text + 1, &size);
        }
        text[0] = (char)(dyno_rng_below(&rng, 4) ? dyno_rng_below(&rng, 52) * 5
                                                 : dyno_rng_below(&rng, 256));
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, size + 1);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("fuzz");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, no_bytes_crash_a_reader, 0, 20);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/fuzz", add_cases)
