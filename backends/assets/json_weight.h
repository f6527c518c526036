/* How much memory a JSON text would take once it is parsed: Jansson makes some 230 bytes of the two
 * of "{}", so that a file that fits a machine may not fit it when it is read. */
#ifndef DYNO_BACKENDS_ASSETS_JSON_WEIGHT_H
#define DYNO_BACKENDS_ASSETS_JSON_WEIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"

/* Of what was seen of a text so far; {0} before. */
struct dyno_json_weight {
    uint64_t bytes; /* an estimate, rather too high than too low */
    bool in_text, is_escaped;
};

void dyno_json_weigh(struct dyno_json_weight *weight, const char *text, size_t size);

/* Refuse what would take more than a quarter of `memory_bytes` (dyno_allowed_memory_bytes).
 * Errors: DYNO_NO_MEMORY, with the file's name. */
dyno_status dyno_json_weight_check(const struct dyno_json_weight *weight, const char *path,
                                   uint64_t memory_bytes, struct dyno_error *error);

/* Both for all of a regular file, which is then at its beginning again.  DYNO_IO too. */
dyno_status dyno_json_weigh_file(FILE *file, const char *path, struct dyno_error *error);

#endif
