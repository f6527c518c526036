/* Messages in a model's chat template: the text that the model is to go on from. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_CHAT_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_CHAT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/template/template.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "core/base/status.h"

struct dyno_chat_message {
    const char *role, *content; /* UTF-8 */
};

/* A copy of what somebody sent, every text in it fenced (tokenizer/fence.h), names too: for a
 * template's variables.  To be released by json_decref; NULL: no memory. */
json_t *dyno_chat_fence(const struct dyno_tokenizer *tokenizer, const json_t *value);

/* Open `text`, a template of `file`'s, and try it on a chat of one word.  Errors: those of
 * dyno_template_open, with the file; DYNO_FULL: it goes beyond a limit for that already. */
dyno_status dyno_chat_template_open(struct dyno_template **out,
                                    const struct dyno_tokenizer_file *file, const char *text,
                                    struct dyno_error *error);

/* Render `messages` and the beginning of an answer.  `file` says how the model's texts begin and
 * end, and `tokenizer`, which was made from it, which texts are control tokens: contents are fenced
 * (tokenizer/fence.h), so what comes out is for dyno_encode with `control`, and no message can name
 * a control token.  `now_s` as in template.h.  On success *out is the caller's to free.
 * Errors: those of dyno_template_render, with the file; DYNO_BAD_INPUT where a message is not
 * UTF-8, or a role, which templates write between control tokens, is no word of letters, digits,
 * '_' and '-'. */
dyno_status dyno_chat_render(const struct dyno_template *template_,
                             const struct dyno_tokenizer_file *file,
                             const struct dyno_tokenizer *tokenizer,
                             const struct dyno_chat_message *messages, uint32_t count,
                             int64_t now_s, char **out, size_t *out_size, struct dyno_error *error);

#endif
