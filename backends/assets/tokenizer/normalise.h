/* Unicode's normalisation form C, in time linear in the text. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_NORMALISE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_normaliser {
    int32_t *points; /* [capacity + 1] */
    int32_t *sorted; /* [sorted_capacity] */
    size_t capacity, sorted_capacity;
};

void dyno_normaliser_release(struct dyno_normaliser *normaliser); /* zero-initialise first */

/* Whether text[size] is surely in the form already: all of it is below U+0300. */
bool dyno_is_nfc(const char *text, size_t size);

/* The form of text[size] (well-formed UTF-8); *out is valid until the next call. */
dyno_status dyno_normalise(struct dyno_normaliser *normaliser, const char *text, size_t size,
                           const char **out, size_t *out_size);

#endif
