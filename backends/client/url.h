/* Addresses of servers: http://host:port/path. */
#ifndef DYNO_BACKENDS_CLIENT_URL_H
#define DYNO_BACKENDS_CLIENT_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_URL_HOST_MAX = 256, DYNO_URL_PATH_MAX = 1024 }; /* their ends included */

struct dyno_url {
    bool is_tls;                  /* https */
    char host[DYNO_URL_HOST_MAX]; /* a name or an address; of IPv6 without its brackets */
    uint16_t port;                /* 80 or 443 where none is given */
    char path[DYNO_URL_PATH_MAX]; /* begins with '/', or is empty; does not end with '/' */
    char authority[DYNO_URL_HOST_MAX + 10]; /* as a Host field says it */
};

/* Errors: DYNO_BAD_INPUT: what it is not; a user's name or a password, a query and a fragment are
 * refused too. */
dyno_status dyno_url_parse(struct dyno_url *out, const char *text, struct dyno_error *error);

#endif
