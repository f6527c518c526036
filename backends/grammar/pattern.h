/* Regular expressions as JSON Schema's `pattern` has them (ECMA-262, with the flag u), as far as
 * they are regular: no look-around, back references, word boundaries, Unicode properties, and `^`
 * and `$` only where an alternative of the whole begins and ends.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_PATTERN_H
#define DYNO_BACKENDS_GRAMMAR_PATTERN_H

#include <stddef.h>

#include "backends/grammar/regular.h"

enum {
    DYNO_PATTERN_BYTES_MAX = 1 << 12,
    DYNO_PATTERN_DEPTH_MAX = 32, /* groups inside each other */
    DYNO_PATTERN_RANGES_MAX = 1 << 14,
};

/* The strings, spelled as in JSON but without quotes, in which the pattern text[size], UTF-8,
 * matches somewhere.  Errors: DYNO_BAD_INPUT, DYNO_UNSUPPORTED, DYNO_FULL with what and at which
 * character; DYNO_NO_MEMORY. */
dyno_status dyno_piece_pattern(struct dyno_parts *parts, const char *text, size_t size,
                               struct dyno_piece *out, struct dyno_error *error);

#endif
