/* What both formats ask before and while they write. */
#ifndef DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_PARTS_H
#define DYNO_BACKENDS_ASSETS_RANDOM_RANDOM_PARTS_H

#include <stddef.h>

#include "backends/assets/random/random_model.h"

/* The family, or why such a model is not written. */
dyno_status dyno_random_check(const struct dyno_random_model *model, const char **family,
                              struct dyno_error *error);

/* So many bytes of tensors more are written; *bytes counts them.  Error: DYNO_INTERRUPTED, whoever
 * waits for the model wants it no longer. */
dyno_status dyno_random_wrote(const struct dyno_random_model *model, size_t size, uint64_t *bytes,
                              uint64_t bytes_total, struct dyno_error *error);

/* By how much llama3's scaling divides the frequency of pair `pair` of a head of `head_dim`. */
double dyno_rope_divisor(const struct dyno_rope *rope, uint32_t head_dim, uint32_t pair);

#endif
