/* The same server behind TLS.  The certificate is made here; client and server share a thread, so
 * both sides of OpenSSL are driven without blocking. */
#include "tests/backends/http/rig.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum { PATH_MAX_BYTES = 64 };

static struct rig rig;
static char folder[PATH_MAX_BYTES], certificate[PATH_MAX_BYTES + 16], key[PATH_MAX_BYTES + 16];
static SSL_CTX *context;

static void write_files(X509 *x509, EVP_PKEY *pair)
{
    FILE *file = fopen(certificate, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, x509), 1);
    (void)fclose(file);
    file = fopen(key, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(file);
}

static void make_certificate(void)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);

    ck_assert_ptr_nonnull(pair);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    (void)X509_set_pubkey(x509, pair);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                     -1, -1, 0);
    (void)X509_set_issuer_name(x509, name);
    ck_assert_int_gt(X509_sign(x509, pair, EVP_sha256()), 0);
    write_files(x509, pair);
    X509_free(x509);
    EVP_PKEY_free(pair);
}

static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "%s", "/tmp/dyno-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    (void)snprintf(key, sizeof key, "%s/key.pem", folder);
    make_certificate();
    context = SSL_CTX_new(TLS_client_method());
    ck_assert_int_eq(SSL_CTX_load_verify_locations(context, certificate, NULL), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    rig_init(&rig);
    rig.config.tls_certificate = certificate;
    rig.config.tls_key = key;
}

static void teardown(void)
{
    if (rig.server) {
        rig_close(&rig);
    }
    SSL_CTX_free(context);
    (void)unlink(certificate);
    (void)unlink(key);
    (void)rmdir(folder);
}

/* A client whose handshake is done, as far as its own side knows. */
static SSL *tls_client(void)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    SSL *ssl = SSL_new(context);
    int socket = rig_client(&rig), result;

    ck_assert_int_eq(SSL_set_fd(ssl, socket), 1);
    ck_assert_int_eq(SSL_set_alpn_protos(ssl, protocols, sizeof protocols - 1), 0);
    ck_assert_int_eq(fcntl(socket, F_SETFL, O_NONBLOCK), 0);
    do {
        result = SSL_connect(ssl);
        ck_assert(result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ);
        (void)rig_turn(&rig, false);
    } while (result != 1);
    return ssl;
}

static void tls_close(SSL *ssl)
{
    (void)close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static const char *tls_receive(SSL *ssl)
{
    int got;

    rig.received_size = 0;
    do {
        got = SSL_read(ssl, rig.received + rig.received_size, 16384);
        rig.received_size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    rig.received[rig.received_size] = '\0';
    if (SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN) {
        memcpy(rig.received + rig.received_size, "<end>", 6);
    }
    ERR_clear_error();
    return rig.received;
}

static const char *tls_ask(SSL *ssl, const char *text)
{
    ck_assert_int_eq(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
    rig_settle(&rig);
    return tls_receive(ssl);
}

START_TEST(requests_are_served_over_tls_on_one_connection)
{
    const unsigned char *protocol;
    unsigned protocol_size;
    SSL *ssl;

    rig_open(&rig);
    ssl = tls_client();
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_size);
    ck_assert_uint_eq(protocol_size, 8);
    ck_assert_mem_eq(protocol, "http/1.1", 8);
    ck_assert(rig_ends(tls_ask(ssl, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"),
                       "\r\n\r\nhi"));
    ck_assert(rig_ends(tls_ask(ssl, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"), "0\r\n\r\n"));
    ck_assert(
        rig_ends(tls_ask(ssl, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "<end>"));
    tls_close(ssl);
    rig_settle(&rig);
    ck_assert_uint_eq(rig_connections(&rig), 0);
}
END_TEST

/* Records hold more than the server's buffer: what OpenSSL has decrypted and the socket no longer
 * announces must not be forgotten. */
START_TEST(pipelined_requests_within_one_record_are_all_answered)
{
    enum { COUNT = 300 };
    static const char request[] = "GET /next HTTP/1.1\r\nHost: h\r\nX-Filling: abcdefghij\r\n\r\n";
    static char text[COUNT * sizeof request];
    size_t answered = 0;
    SSL *ssl;

    for (size_t i = 0; i < COUNT; i++) {
        memcpy(text + i * (sizeof request - 1), request, sizeof request);
    }
    rig_open(&rig);
    ssl = tls_client();
    ck_assert(rig_begins(tls_ask(ssl, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"), ""));
    (void)tls_ask(ssl, text);
    dyno_http_reply(rig.held[0], 200, NULL, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        (void)rig_turn(&rig, false);
        answered += rig_count(tls_receive(ssl), "HTTP/1.1 200 OK");
    }
    ck_assert_uint_eq(answered, COUNT + 1);
    tls_close(ssl);
}
END_TEST

START_TEST(a_request_behind_one_that_fills_the_buffer_is_answered)
{
    enum { BUFFER = 4096 };
    static const char first[] = "GET /hold HTTP/1.1\r\nHost: h\r\nX: ";
    char text[BUFFER + 100];
    SSL *ssl;

    memset(text, 'y', sizeof text);
    memcpy(text, first, sizeof first - 1);
    memcpy(text + BUFFER - 4, "\r\n\r\n", 4);
    (void)snprintf(text + BUFFER, 100, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_open(&rig);
    ssl = tls_client();
    ck_assert_str_eq(tls_ask(ssl, text), "");
    dyno_http_reply(rig.held[0], 200, NULL, NULL, 0);
    rig_settle(&rig);
    ck_assert_uint_eq(rig_count(tls_receive(ssl), "HTTP/1.1 200 OK"), 2);
    tls_close(ssl);
}
END_TEST

START_TEST(large_bodies_go_both_ways)
{
    enum { SIZE = 60000 };
    static char text[SIZE + 200];
    int head = snprintf(text, sizeof text,
                        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", SIZE);
    size_t got = 0;
    SSL *ssl;

    memset(text + head, 'z', SIZE);
    rig_open(&rig);
    ssl = tls_client();
    for (size_t sent = 0; sent < (size_t)head + SIZE;) {
        int put = SSL_write(ssl, text + sent, (int)((size_t)head + SIZE - sent));

        sent += put > 0 ? (size_t)put : 0;
        (void)rig_turn(&rig, false);
    }
    for (int i = 0; i < 100; i++) {
        (void)rig_turn(&rig, false);
        got += strlen(tls_receive(ssl));
    }
    ck_assert_uint_gt(got, SIZE);
    ck_assert_uint_lt(got, SIZE + 300);
    tls_close(ssl);
}
END_TEST

/* With and without a word of farewell; SIGPIPE, which would end this process, is not blocked. */
START_TEST(a_client_that_leaves_is_noticed_at_once)
{
    SSL *ssl;

    rig_open(&rig);
    ssl = tls_client();
    (void)tls_ask(ssl, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_stream_begin(rig.held[0], 200, NULL);
    rig_settle(&rig);
    if (_i == 0) {
        (void)SSL_shutdown(ssl);
    } else {
        (void)close(SSL_get_fd(ssl));
    }
    dyno_http_stream_write(rig.held[0], "a", 1);
    rig_settle(&rig);
    ck_assert_uint_eq(rig.gone, 1);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    if (_i == 0) {
        (void)close(SSL_get_fd(ssl));
    }
    SSL_free(ssl);
}
END_TEST

START_TEST(plain_text_and_noise_are_cut)
{
    int client;

    rig_open(&rig);
    client = rig_client(&rig);
    (void)rig_ask(&rig, client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_uint_eq(rig.requests, 0);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    (void)close(client);
}
END_TEST

START_TEST(a_handshake_must_be_done_in_time)
{
    int client;

    rig.config.head_timeout_ns = 10 * DYNO_MS;
    rig_open(&rig);
    client = rig_client(&rig);
    while (rig_connections(&rig) > 0) {
        (void)rig_turn(&rig, true);
    }
    ck_assert_str_eq(rig_receive(&rig, client), "<end>");
    (void)close(client);
}
END_TEST

START_TEST(files_that_cannot_be_used_are_named)
{
    struct dyno_error error;

    rig.config.tls_certificate = "/nowhere/cert.pem";
    ck_assert_int_eq(dyno_http_server_open(&rig.server, &rig.config, &error), DYNO_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/cert.pem"));
    rig.config.tls_certificate = key;
    ck_assert_int_eq(dyno_http_server_open(&rig.server, &rig.config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "certificate"));
    rig.config.tls_certificate = certificate;
    rig.config.tls_key = certificate;
    ck_assert_int_eq(dyno_http_server_open(&rig.server, &rig.config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "key"));
    rig.config.tls_key = NULL;
    ck_assert_int_eq(dyno_http_server_open(&rig.server, &rig.config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(rig.server);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("tls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, requests_are_served_over_tls_on_one_connection);
    tcase_add_test(tc, pipelined_requests_within_one_record_are_all_answered);
    tcase_add_test(tc, a_request_behind_one_that_fills_the_buffer_is_answered);
    tcase_add_test(tc, large_bodies_go_both_ways);
    tcase_add_loop_test(tc, a_client_that_leaves_is_noticed_at_once, 0, 2);
    tcase_add_test(tc, plain_text_and_noise_are_cut);
    tcase_add_test(tc, a_handshake_must_be_done_in_time);
    tcase_add_test(tc, files_that_cannot_be_used_are_named);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_tls", add_cases)
