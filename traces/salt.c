/* Salts: made from randomness or from a secret, and what is made with them. */
#include "traces/salt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "traces/siphash.h"

/* Fixed keys under which a secret becomes the two halves of a salt. */
static const uint64_t first_half[2] = {0x64796e6f73616c74ULL, 1};
static const uint64_t second_half[2] = {0x64796e6f73616c74ULL, 2};

dyno_status dyno_salt_random(struct dyno_salt *out, struct dyno_error *error)
{
    struct dyno_salt salt;

    if (getrandom(salt.key, sizeof salt.key, 0) != (ssize_t)sizeof salt.key) {
        return dyno_fail(error, DYNO_IO, "no randomness for the salt of a recording: %s",
                         strerror(errno));
    }
    *out = salt;
    return DYNO_OK;
}

dyno_status dyno_salt_from_text(struct dyno_salt *out, const char *text, struct dyno_error *error)
{
    size_t size = strlen(text);

    if (size < DYNO_SALT_TEXT_BYTES_MIN || size > DYNO_SALT_TEXT_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the secret for a salt has %zu bytes; expected %d to %d", size,
                         DYNO_SALT_TEXT_BYTES_MIN, DYNO_SALT_TEXT_BYTES_MAX);
    }
    out->key[0] = dyno_siphash(first_half, text, size);
    out->key[1] = dyno_siphash(second_half, text, size);
    return DYNO_OK;
}

uint64_t dyno_salt_identity(const struct dyno_salt *salt, const uint64_t *words, size_t count)
{
    uint64_t identity = dyno_siphash_words(salt->key, words, count) >> 11;

    return identity ? identity : 1;
}

void dyno_salt_label(const struct dyno_salt *salt, uint32_t block_tokens,
                     char out[DYNO_SALT_LABEL_BYTES + 1])
{
    const uint64_t words[] = {block_tokens};

    (void)snprintf(out, DYNO_SALT_LABEL_BYTES + 1, "%016" PRIx64,
                   dyno_siphash_words(salt->key, words, 1));
}
