/* Addresses of servers: what they say, and what is refused. */
#include "backends/client/url.h"

#include <string.h>

#include "tests/check_main.h"

static void reads(const char *text, const char *host, unsigned port, const char *path,
                  const char *authority)
{
    struct dyno_url url;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_url_parse(&url, text, &error) == DYNO_OK, "%s: %s", text, error.text);
    ck_assert_str_eq(url.host, host);
    ck_assert_uint_eq(url.port, port);
    ck_assert_str_eq(url.path, path);
    ck_assert_str_eq(url.authority, authority);
    ck_assert_int_eq(url.is_tls, strncmp(text, "https", 5) == 0);
}

START_TEST(parts_are_found_and_defaults_filled_in)
{
    reads("http://localhost", "localhost", 80, "", "localhost");
    reads("http://localhost/", "localhost", 80, "", "localhost");
    reads("https://example.org/v1//", "example.org", 443, "/v1", "example.org");
    reads("http://127.0.0.1:8000/a/b", "127.0.0.1", 8000, "/a/b", "127.0.0.1:8000");
    reads("http://[::1]:8000", "::1", 8000, "", "[::1]:8000");
    reads("https://[fe80::1]", "fe80::1", 443, "", "[fe80::1]");
    reads("http://host:80", "host", 80, "", "host");
    reads("https://host:80", "host", 80, "", "host:80");
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
    static const char *const wrong[] = {
        "",
        "localhost:8000",
        "ftp://host",
        "http://",
        "http:///path",
        "http://:8000",
        "http://host:",
        "http://host:0",
        "http://host:65536",
        "http://host:99999999999999999999",
        "http://host:80x",
        "http://user:secret@host",
        "http://host/path?query",
        "http://host/#part",
        "http://ho st",
        "http://[::1",
        "http://[::1]8000",
        "http://host/with blank",
        "http://host/a\r\nX: y",
        "http://h\xc3\xb6st",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct dyno_url url = {.port = 7};
        struct dyno_error error = {0};

        ck_assert_msg(dyno_url_parse(&url, wrong[i], &error) == DYNO_BAD_INPUT,
                      "taken for good: %s", wrong[i]);
        ck_assert_uint_eq(url.port, 7);
        ck_assert_msg(strstr(error.text, " is no address of a server: "), "%s", error.text);
    }
}
END_TEST

START_TEST(long_ones_are_refused)
{
    char text[DYNO_URL_HOST_MAX + DYNO_URL_PATH_MAX + 32];
    struct dyno_url url;

    memset(text, 'a', sizeof text);
    memcpy(text, "http://", 7);
    text[7 + DYNO_URL_HOST_MAX] = '\0';
    ck_assert_int_eq(dyno_url_parse(&url, text, NULL), DYNO_BAD_INPUT);
    text[7 + DYNO_URL_HOST_MAX - 1] = '\0';
    ck_assert_int_eq(dyno_url_parse(&url, text, NULL), DYNO_OK);
    text[7 + DYNO_URL_HOST_MAX - 1] = '/';
    text[7 + DYNO_URL_HOST_MAX] = 'a';
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(dyno_url_parse(&url, text, NULL), DYNO_BAD_INPUT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("url");

    tcase_add_test(cases, parts_are_found_and_defaults_filled_in);
    tcase_add_test(cases, what_is_no_address_is_refused);
    tcase_add_test(cases, long_ones_are_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/client/url", add_cases)
