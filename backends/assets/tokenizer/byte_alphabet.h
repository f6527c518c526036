/* The alphabet in which byte-level vocabularies are written: every byte is a printable character.
 *
 * Bytes that are printable in Latin-1 (33-126, 161-172, 174-255) are themselves; the other 68, in
 * order, are U+0100, U+0101, ... (GPT-2, encoder.py, bytes_to_unicode).  A space is so U+0120.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_BYTE_ALPHABET_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_BYTE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes that text[size] (UTF-8) stands for, into out[size] and *out_size.  False where a
 * character is not of the alphabet. */
bool dyno_byte_alphabet_read(const char *text, size_t size, char *out, size_t *out_size);

/* The character of `byte`. */
uint32_t dyno_byte_alphabet_point(unsigned char byte);

#endif
