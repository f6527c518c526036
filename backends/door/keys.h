/* API keys: who may ask, and how often.
 *
 * A file of keys has one a line: the key, and behind it what else is known of it:
 *
 *     KEY [name=NAME] [rate=N/min]
 *
 * Empty lines and those that begin with # are passed over.  A rate is kept by a bucket that holds a
 * minute's worth and fills steadily.  Keys are compared in a time that does not depend on them, and
 * are in no message.
 */
#ifndef DYNO_BACKENDS_DOOR_KEYS_H
#define DYNO_BACKENDS_DOOR_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

enum {
    DYNO_KEYS_MAX = 4096,
    DYNO_KEY_BYTES_MIN = 8,
    DYNO_KEY_BYTES_MAX = 256,
    DYNO_KEY_NAME_MAX = 64,
};

struct dyno_keys;

/* On success *out is closed with dyno_keys_close.  Errors name the line, never the key:
 * DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT (a short or long key, one that is there twice, no key at
 * all, an unknown word), DYNO_NO_MEMORY. */
dyno_status dyno_keys_open(struct dyno_keys **out, const char *path, struct dyno_error *error);
void dyno_keys_close(struct dyno_keys *keys); /* NULL: no effect */

enum dyno_key_verdict {
    DYNO_KEY_GOOD,
    DYNO_KEY_MISSING, /* no `Bearer KEY` */
    DYNO_KEY_WRONG,
    DYNO_KEY_TOO_OFTEN,
};

/* Judge the value of an Authorization header (NULL: none) at `now`; a request that `counts` is held
 * against the key's rate.  *tenant: the number of the key, from 1; *wait_ns: how long until one
 * more may come, if it came too often. */
enum dyno_key_verdict dyno_keys_judge(struct dyno_keys *keys, const char *authorization,
                                      bool counts, dyno_ns now, uint32_t *tenant, dyno_ns *wait_ns);

/* The name of a tenant's key; its number where it has none. */
const char *dyno_keys_name(const struct dyno_keys *keys, uint32_t tenant);

#endif
