#include "backends/http/chunked.h"

#include <string.h>

#include "tests/check_main.h"

enum { BYTES_MAX = 8192 };

/* Decode `coded` in pieces of `piece` bytes, as a connection does. */
static enum dyno_http_chunked_result decode(const char *coded, size_t size, size_t piece, char *out,
                                            size_t *out_size, size_t *left)
{
    struct dyno_http_chunked chunked = {0};
    enum dyno_http_chunked_result result = DYNO_HTTP_CHUNKED_MORE;
    size_t at = 0;

    *out_size = 0;
    while (result == DYNO_HTTP_CHUNKED_MORE && at < size) {
        size_t here = piece < size - at ? piece : size - at, used, kept;

        memcpy(out + *out_size, coded + at, here);
        result = dyno_http_chunked_decode(&chunked, out + *out_size, here, &used, &kept);
        if (result == DYNO_HTTP_CHUNKED_BAD) {
            break;
        }
        *out_size += kept;
        at += used;
    }
    *left = size - at;
    return result;
}

static const struct {
    const char *coded, *body;
    size_t left;
} good[] = {
    {"0\r\n\r\n", "", 0},
    {"3\r\nabc\r\n0\r\n\r\n", "abc", 0},
    {"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", "abc0123456789", 5},
    {"000000000000001;name=\"value\"\r\nx\r\n000\r\n\r\n", "x", 0},
    {"2\r\n\r\n\r\n0\r\nX-Trailer: y\r\nZ:\r\n\r\nn", "\r\n", 1},
};

START_TEST(bodies_are_decoded_however_they_are_cut)
{
    char out[BYTES_MAX];
    size_t size = strlen(good[_i].coded), out_size, left;

    for (size_t piece = 1; piece <= size; piece++) {
        ck_assert_int_eq(decode(good[_i].coded, size, piece, out, &out_size, &left),
                         DYNO_HTTP_CHUNKED_DONE);
        ck_assert_uint_eq(out_size, strlen(good[_i].body));
        ck_assert_mem_eq(out, good[_i].body, out_size);
        ck_assert_uint_eq(left, good[_i].left);
    }
}
END_TEST

static const char *const bad[] = {
    "\r\n",
    "x\r\n",
    "-1\r\n",
    "+1\r\na\r\n",
    "0x1\r\na\r\n",
    " 1\r\na\r\n",
    "1 \r\na\r\n",
    "1\na\r\n",
    "1\r\nab\r\n",
    "1\r\na\n",
    "1\r\na\rb",
    "1\rx",
    "1;\x01\r\na\r\n",
    "0\r\nX: \x02\r\n",
    "0\r\nX\n",
    "0\r\n\r\r\n",
    "0000000000000001\r\na\r\n",
    "ffffffffffffffff\r\n",
};

START_TEST(what_is_not_chunked_coding_is_refused_however_it_is_cut)
{
    char out[BYTES_MAX];
    size_t size = strlen(bad[_i]), out_size, left;

    for (size_t piece = 1; piece <= size; piece++) {
        ck_assert_int_eq(decode(bad[_i], size, piece, out, &out_size, &left),
                         DYNO_HTTP_CHUNKED_BAD);
    }
}
END_TEST

START_TEST(extensions_and_trailers_have_limits)
{
    char coded[BYTES_MAX], out[BYTES_MAX];
    size_t out_size, left;

    memset(coded, 'x', sizeof coded);
    memcpy(coded, "1;", 2);
    ck_assert_int_eq(decode(coded, DYNO_HTTP_CHUNK_LINE_MAX, BYTES_MAX, out, &out_size, &left),
                     DYNO_HTTP_CHUNKED_MORE);
    ck_assert_int_eq(decode(coded, DYNO_HTTP_CHUNK_LINE_MAX + 2, BYTES_MAX, out, &out_size, &left),
                     DYNO_HTTP_CHUNKED_BAD);
    memcpy(coded, "0\r\n", 3);
    ck_assert_int_eq(
        decode(coded, DYNO_HTTP_TRAILER_BYTES_MAX + 3, BYTES_MAX, out, &out_size, &left),
        DYNO_HTTP_CHUNKED_MORE);
    ck_assert_int_eq(
        decode(coded, DYNO_HTTP_TRAILER_BYTES_MAX + 4, BYTES_MAX, out, &out_size, &left),
        DYNO_HTTP_CHUNKED_BAD);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("chunked");

    tcase_add_loop_test(tc, bodies_are_decoded_however_they_are_cut, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tc, what_is_not_chunked_coding_is_refused_however_it_is_cut, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(tc, extensions_and_trailers_have_limits);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_chunked", add_cases)
