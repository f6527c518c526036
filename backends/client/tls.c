#include "backends/client/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct dyno_client_tls {
    SSL_CTX *context;
};

struct dyno_client_tls_session {
    SSL *ssl;
    BIO *in, *out; /* the session's */
};

static int part_of(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

static dyno_status trust(SSL_CTX *context, const char *trusted, struct dyno_error *error)
{
    if (!trusted) {
        (void)SSL_CTX_set_default_verify_paths(context);
        return DYNO_OK;
    }
    if (SSL_CTX_load_verify_locations(context, trusted, NULL) != 1) {
        ERR_clear_error();
        return dyno_fail(error, DYNO_NOT_FOUND, "%s is no readable PEM file of authorities",
                         trusted);
    }
    return DYNO_OK;
}

dyno_status dyno_client_tls_open(struct dyno_client_tls **out, const char *trusted,
                                 struct dyno_error *error)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    struct dyno_client_tls *tls = calloc(1, sizeof *tls);
    dyno_status status;

    if (!tls || !(tls->context = SSL_CTX_new(TLS_client_method()))) {
        free(tls);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for TLS");
    }
    (void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_alpn_protos(tls->context, protocols, sizeof protocols - 1);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    status = trust(tls->context, trusted, error);
    if (status != DYNO_OK) {
        dyno_client_tls_close(tls);
        return status;
    }
    *out = tls;
    return DYNO_OK;
}

void dyno_client_tls_close(struct dyno_client_tls *tls)
{
    if (tls) {
        SSL_CTX_free(tls->context);
        free(tls);
    }
}

/* An address is no name: it is not sent, and certificates say it apart. */
static bool expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1) {
        return true;
    }
    ERR_clear_error();
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

struct dyno_client_tls_session *dyno_client_tls_session_open(struct dyno_client_tls *tls,
                                                             const char *host)
{
    struct dyno_client_tls_session *session = calloc(1, sizeof *session);

    if (!session || !(session->ssl = SSL_new(tls->context))) {
        free(session);
        return NULL;
    }
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    if (!session->in || !session->out) {
        (void)BIO_free(session->in);
        (void)BIO_free(session->out);
        SSL_free(session->ssl);
        free(session);
        return NULL;
    }
    SSL_set_bio(session->ssl, session->in, session->out); /* they are its own from now on */
    SSL_set_connect_state(session->ssl);
    if (!expect(session->ssl, host)) {
        dyno_client_tls_session_close(session);
        return NULL;
    }
    return session;
}

void dyno_client_tls_session_close(struct dyno_client_tls_session *session)
{
    if (session) {
        SSL_free(session->ssl);
        free(session);
    }
}

bool dyno_client_tls_feed(struct dyno_client_tls_session *session, const char *bytes, size_t size)
{
    return BIO_write(session->in, bytes, part_of(size)) == part_of(size);
}

size_t dyno_client_tls_unsent(struct dyno_client_tls_session *session)
{
    return BIO_ctrl_pending(session->out);
}

void dyno_client_tls_take(struct dyno_client_tls_session *session, char *bytes, size_t size)
{
    (void)BIO_read(session->out, bytes, part_of(size));
}

/* Of a call that did not get through: 0 it needs bytes, -1 it failed. */
static int judge(const struct dyno_client_tls_session *session, int result)
{
    int cause = SSL_get_error(session->ssl, result);

    return cause == SSL_ERROR_WANT_READ || cause == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int dyno_client_tls_shake(struct dyno_client_tls_session *session)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(session->ssl);
    return result == 1 ? 1 : judge(session, result);
}

bool dyno_client_tls_write(struct dyno_client_tls_session *session, const char *bytes, size_t size)
{
    ERR_clear_error();
    while (size > 0) {
        int written = SSL_write(session->ssl, bytes, part_of(size));

        if (written <= 0) {
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

ssize_t dyno_client_tls_read(struct dyno_client_tls_session *session, char *bytes, size_t size)
{
    int got;

    ERR_clear_error();
    got = SSL_read(session->ssl, bytes, part_of(size));
    if (got > 0) {
        return got;
    }
    if (SSL_get_error(session->ssl, got) == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    return judge(session, got) == 0 ? -1 : -2;
}

bool dyno_client_tls_has_more(const struct dyno_client_tls_session *session)
{
    return SSL_pending(session->ssl) > 0 || BIO_ctrl_pending(session->in) > 0;
}

const char *dyno_client_tls_why(const struct dyno_client_tls_session *session,
                                char out[DYNO_CLIENT_TLS_WHY_MAX])
{
    long verdict = SSL_get_verify_result(session->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (verdict != X509_V_OK) {
        reason = X509_verify_cert_error_string(verdict);
    }
    (void)snprintf(out, DYNO_CLIENT_TLS_WHY_MAX, "TLS failed: %s", reason ? reason : "no reason");
    return out;
}
