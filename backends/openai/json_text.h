/* Writing JSON piece by piece, straight into the buffer that is sent.
 *
 * What is written is UTF-8 whatever the text was: bytes that are none become U+FFFD. */
#ifndef DYNO_BACKENDS_OPENAI_JSON_TEXT_H
#define DYNO_BACKENDS_OPENAI_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/bytes.h"

/* No byte of text takes more when it is written between quotes. */
enum { DYNO_JSON_ESCAPE_MAX = 6 };

/* text[size] as it stands between quotes, without them, at `out`, which has room for
 * DYNO_JSON_ESCAPE_MAX * size bytes and does not overlap.  Returns the bytes written. */
size_t dyno_json_escape(char *out, const char *text, size_t size);

void dyno_json_put_escaped(struct dyno_bytes *out, const char *text, size_t size); /* no quotes */
void dyno_json_put_string(struct dyno_bytes *out, const char *text, size_t size);
void dyno_json_put_text(struct dyno_bytes *out, const char *text); /* to its NUL; NULL: null */

/* The shortest of 9 digits at most that reads back as the same float; a logarithm of 0 and whatever
 * else is not finite becomes -9999, which is how the OpenAI API writes "very unlikely". */
void dyno_json_put_float(struct dyno_bytes *out, float number);

/* A finite number with 15 digits at most, enough for what somebody wrote down. */
void dyno_json_put_double(struct dyno_bytes *out, double number);

/* A value of any kind, without blanks, members in their order; numbers with the fewest digits, 15
 * at least, that read back the same, so that what is passed on is what was said. */
void dyno_json_put_value(struct dyno_bytes *out, const json_t *value); /* NULL: null */

#endif
