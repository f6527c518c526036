#include "backends/http/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

/* Both types are names for OpenSSL's, so that its headers stay in this file. */
static SSL_CTX *context_of(struct dyno_http_tls *tls)
{
    return (SSL_CTX *)tls;
}

static SSL *ssl_of(struct dyno_http_tls_session *session)
{
    return (SSL *)session;
}

/* HTTP/1.1 is what a client that asks is told; one that does not offer it goes on without. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static dyno_status refuse_file(const char *what, const char *path, struct dyno_error *error)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    if (access(path, R_OK) != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND, "the TLS %s %s cannot be read", what, path);
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "the TLS %s %s is not usable: %s", what, path,
                     why ? why : "it is not PEM");
}

static dyno_status load(SSL_CTX *context, const char *certificate, const char *key,
                        struct dyno_error *error)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        return refuse_file("certificate", certificate, error);
    }
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return refuse_file("key", key, error);
    }
    return DYNO_OK;
}

dyno_status dyno_http_tls_open(struct dyno_http_tls **out, const char *certificate, const char *key,
                               struct dyno_error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    dyno_status status;

    if (!context) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for TLS");
    }
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    status = load(context, certificate, key, error);
    ERR_clear_error();
    if (status != DYNO_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out = (struct dyno_http_tls *)context;
    return DYNO_OK;
}

void dyno_http_tls_close(struct dyno_http_tls *tls)
{
    SSL_CTX_free(context_of(tls));
}

struct dyno_http_tls_session *dyno_http_tls_session_open(struct dyno_http_tls *tls, int socket)
{
    SSL *ssl = SSL_new(context_of(tls));

    if (ssl && SSL_set_fd(ssl, socket) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl) {
        SSL_set_accept_state(ssl);
    }
    return (struct dyno_http_tls_session *)ssl;
}

void dyno_http_tls_session_close(struct dyno_http_tls_session *session)
{
    SSL_free(ssl_of(session));
    ERR_clear_error();
}

void dyno_http_tls_session_finish(struct dyno_http_tls_session *session)
{
    if (SSL_is_init_finished(ssl_of(session))) {
        (void)SSL_shutdown(ssl_of(session));
        ERR_clear_error();
    }
}

bool dyno_http_tls_session_is_up(struct dyno_http_tls_session *session)
{
    return SSL_is_init_finished(ssl_of(session));
}

bool dyno_http_tls_session_pending(struct dyno_http_tls_session *session)
{
    return SSL_pending(ssl_of(session)) > 0;
}

/* What a call that moved no byte means. */
static ssize_t result_of(SSL *ssl, int result, bool reading)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return reading ? DYNO_HTTP_LATER : DYNO_HTTP_LATER_OTHER;
    case SSL_ERROR_WANT_WRITE:
        return reading ? DYNO_HTTP_LATER_OTHER : DYNO_HTTP_LATER;
    case SSL_ERROR_ZERO_RETURN:
        return reading ? 0 : DYNO_HTTP_BROKEN;
    default:
        return DYNO_HTTP_BROKEN;
    }
}

static int part_of(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

ssize_t dyno_http_tls_session_read(struct dyno_http_tls_session *session, void *bytes, size_t size)
{
    SSL *ssl = ssl_of(session);
    int got;

    ERR_clear_error();
    got = SSL_read(ssl, bytes, part_of(size));
    return got > 0 ? got : result_of(ssl, got, true);
}

ssize_t dyno_http_tls_session_write(struct dyno_http_tls_session *session, const void *bytes,
                                    size_t size)
{
    SSL *ssl = ssl_of(session);
    int sent;

    ERR_clear_error();
    sent = SSL_write(ssl, bytes, part_of(size));
    return sent > 0 ? sent : result_of(ssl, sent, false);
}
