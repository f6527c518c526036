/* Where the tokenizer of a model is. */
#ifndef DYNO_CLI_MODEL_TOKENIZER_PATH_H
#define DYNO_CLI_MODEL_TOKENIZER_PATH_H

#include <stddef.h>

#include "core/base/status.h"

/* The tokenizer of the model at `path` into out[size]: where the model is, for a llama2.c .bin file
 * the tokenizer.bin beside it.  Errors: DYNO_BAD_INPUT (too long), DYNO_NOT_FOUND (no
 * tokenizer.bin). */
dyno_status dyno_tokenizer_path(char *out, size_t size, const char *path, struct dyno_error *error);

#endif
