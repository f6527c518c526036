/* SipHash-2-4, as in the paper. */
#include "traces/siphash.h"

enum { ROUNDS_A_WORD = 2, ROUNDS_AT_END = 4 };

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void take_in(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v, ROUNDS_A_WORD);
    v[0] ^= word;
}

/* Little-endian, whatever the machine is. */
static uint64_t word_at(const unsigned char *bytes, size_t size)
{
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)bytes[i] << (8 * i);
    }
    return word;
}

static void begin(uint64_t v[4], const uint64_t key[2])
{
    v[0] = key[0] ^ 0x736f6d6570736575ULL;
    v[1] = key[1] ^ 0x646f72616e646f6dULL;
    v[2] = key[0] ^ 0x6c7967656e657261ULL;
    v[3] = key[1] ^ 0x7465646279746573ULL;
}

/* `rest`: the bytes behind the last whole word. */
static uint64_t end(uint64_t v[4], uint64_t rest, size_t size)
{
    take_in(v, rest | (uint64_t)(size & 0xff) << 56);
    v[2] ^= 0xff;
    mix(v, ROUNDS_AT_END);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t dyno_siphash(const uint64_t key[2], const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size_t left = size;
    uint64_t v[4];

    begin(v, key);
    for (; left >= 8; left -= 8, at += 8) {
        take_in(v, word_at(at, 8));
    }
    return end(v, word_at(at, left), size);
}

uint64_t dyno_siphash_words(const uint64_t key[2], const uint64_t *words, size_t count)
{
    uint64_t v[4];

    begin(v, key);
    for (size_t i = 0; i < count; i++) {
        take_in(v, words[i]);
    }
    return end(v, 0, count * sizeof *words);
}
