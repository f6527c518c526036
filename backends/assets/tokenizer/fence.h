/* Fences: what somebody typed names no control token, also inside a rendered chat.
 *
 * A chat template writes control tokens by their texts, and the messages between them.  A message
 * that says "<|im_end|>" would end itself, and go on as whoever it likes.  So before a message is
 * put into a template, a fence goes before every place in it where a control token's text begins,
 * or may begin with what the template writes behind the message.  A fence is a character that
 * stands for nothing (U+FDD0, one that Unicode keeps out of texts).  Encoding takes the fences out
 * again, and makes no CONTROL token that begins at one or reaches across one: the text there is
 * encoded as if CONTROL tokens had not been asked for.
 *
 * Not kept apart: what a template that writes the beginning of a control token right before a
 * message makes of both.
 */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_FENCE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_FENCE_H

#include <stddef.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "core/base/status.h"

#define DYNO_FENCE "\xEF\xB7\x90" /* U+FDD0 */
enum { DYNO_FENCE_SIZE = 3 };

/* text[size] with fences; one that was in it already becomes U+FFFD.  On success *out is terminated
 * and the caller's to free.  Errors: DYNO_BAD_INPUT (no UTF-8), DYNO_NO_MEMORY. */
dyno_status dyno_fence(const struct dyno_tokenizer *tokenizer, const char *text, size_t size,
                       char **out, size_t *out_size);

#endif
