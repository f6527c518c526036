/* SipHash-2-4: a keyed function of bytes that nobody without the key can tell from chance or undo.
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012,
 * section 2; the paper's appendix A is the test. */
#ifndef DYNO_TRACES_SIPHASH_H
#define DYNO_TRACES_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t dyno_siphash(const uint64_t key[2], const void *bytes, size_t size);

/* The same of words[count], each eight bytes, the lowest first. */
uint64_t dyno_siphash_words(const uint64_t key[2], const uint64_t *words, size_t count);

#endif
