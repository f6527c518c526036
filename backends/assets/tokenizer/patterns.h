/* The regular expressions by which byte-level tokenizers split text. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_PATTERNS_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_PATTERNS_H

#include <stdbool.h>

#include "core/base/status.h"

/* A family of byte-level tokenizers, by the name that GGUF's tokenizer.ggml.pre gives it. */
struct dyno_pattern {
    const char *name;
    const char *pattern; /* for struct dyno_vocabulary */
    bool ignore_merges, nfc;
};

/* The family called `name`, or NULL.  Known: gpt-2, llama-bpe, qwen2, tekken and their synonyms. */
const struct dyno_pattern *dyno_pattern_of(const char *name);

/* Append a pattern to the list *list (malloc; NULL: empty), in which '\n' parts patterns; a line
 * end inside the pattern is written as an escape.  Errors: DYNO_NO_MEMORY, DYNO_BAD_INPUT (longer
 * than 64 KiB). */
dyno_status dyno_patterns_add(char **list, const char *pattern);

#endif
