/* A buffer that grows: what a reply is written into.
 *
 * Writers do not return a status: a buffer that could not take everything remembers why, takes
 * nothing more and keeps what it has, so that a reply of many small parts is checked once, at its
 * end.
 */
#ifndef DYNO_BACKENDS_OPENAI_BYTES_H
#define DYNO_BACKENDS_OPENAI_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_bytes {
    char *data; /* [size], not terminated; NULL before the first byte */
    size_t size, capacity;
    size_t size_max;
    dyno_status status; /* DYNO_OK, DYNO_NO_MEMORY, or DYNO_FULL: it would pass size_max */
};

void dyno_bytes_init(struct dyno_bytes *bytes, size_t size_max);
void dyno_bytes_release(struct dyno_bytes *bytes);

/* Forget what was written and what went wrong; the memory is kept. */
void dyno_bytes_clear(struct dyno_bytes *bytes);

/* Room for `more` bytes after those that are there, or NULL (then bytes->status says why).  The
 * caller writes at most that many and adds what it wrote to bytes->size. */
char *dyno_bytes_reserve(struct dyno_bytes *bytes, size_t more);

void dyno_bytes_put(struct dyno_bytes *bytes, const void *data, size_t size);
void dyno_bytes_put_text(struct dyno_bytes *bytes, const char *text); /* to its NUL */
void dyno_bytes_put_u64(struct dyno_bytes *bytes, uint64_t number);   /* in decimal */

#endif
