#include "backends/assets/tokenizer/fence.h"

#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/utf8.h"

static bool is_fence(const char *text, size_t size)
{
    return size >= DYNO_FENCE_SIZE && memcmp(text, DYNO_FENCE, DYNO_FENCE_SIZE) == 0;
}

/* Copy text[size] with fences to `out`, or only count (NULL).  Returns the bytes. */
static size_t put_fences(const struct dyno_tokenizer *tokenizer, const char *text, size_t size,
                         char *out)
{
    size_t written = 0;

    for (size_t at = 0; at < size;) {
        size_t length = 1;
        const char *from = text + at;

        if (is_fence(from, size - at)) {
            length = DYNO_FENCE_SIZE;
            from = DYNO_UTF8_REPLACEMENT; /* of the same size */
        } else if (dyno_added_tokens_threaten(&tokenizer->added, tokenizer->tokens, from,
                                              size - at)) {
            if (out) {
                memcpy(out + written, DYNO_FENCE, DYNO_FENCE_SIZE);
            }
            written += DYNO_FENCE_SIZE;
        }
        if (out) {
            memcpy(out + written, from, length);
        }
        written += length;
        at += length;
    }
    return written;
}

dyno_status dyno_fence(const struct dyno_tokenizer *tokenizer, const char *text, size_t size,
                       char **out, size_t *out_size)
{
    size_t due;
    char *fenced;

    if (dyno_utf8_valid(text, size, NULL) < size) {
        return DYNO_BAD_INPUT;
    }
    due = put_fences(tokenizer, text, size, NULL);
    fenced = malloc(due + 1);
    if (!fenced) {
        return DYNO_NO_MEMORY;
    }
    *out_size = put_fences(tokenizer, text, size, fenced);
    fenced[due] = '\0';
    *out = fenced;
    return DYNO_OK;
}
