/* How characters are written inside a JSON string: the one spelling that is used for names,
 * patterns and enumerations.  A character stands for itself; '"' and '\' follow a '\'; of the
 * control characters only \b \t \n \f \r are written.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_SPELLING_H
#define DYNO_BACKENDS_GRAMMAR_SPELLING_H

#include "backends/grammar/regular.h"

enum { DYNO_CHARACTER_MAX = 0x10ffff };

struct dyno_range {
    uint32_t first, last; /* characters */
};

/* One character of ranges[count], which are ascending and apart.  Of an empty class: a piece that
 * is never passed. */
struct dyno_piece dyno_piece_character(struct dyno_parts *parts, const struct dyno_range *ranges,
                                       uint32_t count);

/* The spelling of text[size], which is UTF-8, without quotes, into spelled[2 * size].  Returns its
 * size; 0 where a character of the text is never written. */
size_t dyno_spell(char *spelled, const char *text, size_t size);

#endif
