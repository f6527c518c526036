/* Identities that say only what is equal to what.
 *
 * A recording names blocks of prompts by a keyed hash (siphash.h) of their identities: equal within
 * one salt where the blocks and all before them are equal, and of no use to somebody who guesses
 * what a prompt was and wants to know.  The salt itself is never written down; a label of it is, by
 * which two recordings can be told to be comparable. */
#ifndef DYNO_TRACES_SALT_H
#define DYNO_TRACES_SALT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum {
    DYNO_SALT_TEXT_BYTES_MIN = 16,
    DYNO_SALT_TEXT_BYTES_MAX = 1024,
    DYNO_SALT_LABEL_BYTES = 16, /* without a NUL */
};

struct dyno_salt {
    uint64_t key[2];
};

/* From the system's randomness.  Error: DYNO_IO. */
dyno_status dyno_salt_random(struct dyno_salt *out, struct dyno_error *error);

/* From a secret of at least 16 bytes: the same text, the same salt.  Error: DYNO_BAD_INPUT (too
 * short or too long); the text is not repeated in it. */
dyno_status dyno_salt_from_text(struct dyno_salt *out, const char *text, struct dyno_error *error);

/* The identity of words[count]: from 1 to 2^53 - 1, so that programs
 * that read numbers of JSON as doubles tell them apart.  Different counts are different worlds. */
uint64_t dyno_salt_identity(const struct dyno_salt *salt, const uint64_t *words, size_t count);

/* What may be written down of a salt and the size of the blocks: 16 hex digits and a NUL. */
void dyno_salt_label(const struct dyno_salt *salt, uint32_t block_tokens,
                     char out[DYNO_SALT_LABEL_BYTES + 1]);

#endif
