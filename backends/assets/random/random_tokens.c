/* Words are syllables after a space, counted like digits. */
#include "backends/assets/random/random_tokens.h"

#include <stdio.h>

#include "backends/assets/tokenizer/byte_alphabet.h"
#include "core/base/utf8.h"

static const char consonants[] = "bdfgklmnprstvz";
static const char vowels[] = "aeiou";

enum { CONSONANTS = sizeof consonants - 1, VOWELS = sizeof vowels - 1 };
enum { SYLLABLES = CONSONANTS * VOWELS, BYTES = 256 };

/* The word of number `number`: of two syllables the first SYLLABLES^2, then of three ... */
static size_t put_word(char *out, uint64_t number)
{
    uint64_t count = SYLLABLES * SYLLABLES;
    uint32_t syllables = 2;
    size_t size;

    while (number >= count) {
        number -= count;
        count *= SYLLABLES;
        syllables++;
    }
    size = dyno_utf8_put(out, dyno_byte_alphabet_point(' '));
    for (uint32_t i = 0; i < syllables; i++) {
        out[size++] = consonants[number % SYLLABLES / VOWELS];
        out[size++] = vowels[number % VOWELS];
        number /= SYLLABLES;
    }
    return size;
}

size_t dyno_random_token(char out[DYNO_RANDOM_TOKEN_MAX], uint32_t id, uint32_t vocab)
{
    if (id < BYTES) {
        return dyno_utf8_put(out, dyno_byte_alphabet_point((unsigned char)id));
    }
    if (id + 1 == vocab) {
        return (size_t)snprintf(out, DYNO_RANDOM_TOKEN_MAX, "%s", DYNO_RANDOM_END);
    }
    return put_word(out, id - BYTES);
}
