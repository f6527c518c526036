/* Bytes that should be UTF-8 and may not be. */
#ifndef DYNO_CORE_BASE_UTF8_H
#define DYNO_CORE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dyno_utf8_kind {
    DYNO_UTF8_GOOD,  /* a whole character */
    DYNO_UTF8_BAD,   /* no character begins like this */
    DYNO_UTF8_SHORT, /* the text ends inside what may become a character */
};

/* U+FFFD, which stands for bytes that are no text. */
#define DYNO_UTF8_REPLACEMENT "\xEF\xBF\xBD"
enum { DYNO_UTF8_REPLACEMENT_SIZE = 3, DYNO_UTF8_SIZE_MAX = 4 };

/* Look at the beginning of text[size], size > 0.  *length is the size of the character (GOOD), of
 * the maximal part that one U+FFFD replaces (BAD: the longest beginning of a character, or one
 * byte; Unicode 15, section 3.9), or `size` (SHORT). */
enum dyno_utf8_kind dyno_utf8_look(const char *text, size_t size, size_t *length);

/* The code point of the well-formed character at `text`; *length is its size. */
uint32_t dyno_utf8_point(const char *text, size_t *length);

/* Writes the code point (a Unicode scalar value); returns the bytes written, at most
 * DYNO_UTF8_SIZE_MAX. */
size_t dyno_utf8_put(char *out, uint32_t point);

/* The size of the well-formed beginning of text[size]; *ascii (may be NULL) says whether all of
 * that is ASCII. */
size_t dyno_utf8_valid(const char *text, size_t size, bool *ascii);

#endif
