#include "backends/assets/json_weight.h"

#include <errno.h>
#include <string.h>

#include "backends/assets/mapping.h"
#include "backends/host/allowance.h"
#include "core/base/words.h"

/* Measured with Jansson 2.14 and glibc 2.36, 64 bits: an empty object, list and text, what follows
 * in a list, with its place there, and what a key adds to its text. */
enum { OBJECT_BYTES = 192, LIST_BYTES = 96, TEXT_BYTES = 64, NUMBER_BYTES = 42, KEY_BYTES = 64 };

enum { BLOCK_BYTES = 1 << 16, SHARE = 4 };

static uint64_t weight_of(char letter)
{
    switch (letter) {
    case '{':
        return OBJECT_BYTES;
    case '[':
        return LIST_BYTES;
    case '"':
        return TEXT_BYTES;
    case ',':
        return NUMBER_BYTES;
    case ':':
        return KEY_BYTES;
    default:
        return 0;
    }
}

void dyno_json_weigh(struct dyno_json_weight *weight, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!weight->in_text) {
            weight->bytes += weight_of(text[i]);
            weight->in_text = text[i] == '"';
            continue;
        }
        weight->bytes++;
        weight->in_text = text[i] != '"' || weight->is_escaped;
        weight->is_escaped = text[i] == '\\' && !weight->is_escaped;
    }
}

dyno_status dyno_json_weight_check(const struct dyno_json_weight *weight, const char *path,
                                   uint64_t memory_bytes, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (weight->bytes <= memory_bytes / SHARE) {
        return DYNO_OK;
    }
    return dyno_fail(
        error, DYNO_NO_MEMORY,
        "%s: to read its JSON would take %.1f GB of memory, more than a quarter of the %.1f GB "
        "that may be used",
        dyno_quote(quoted, path), (double)weight->bytes / 1e9, (double)memory_bytes / 1e9);
}

dyno_status dyno_json_weigh_file(FILE *file, const char *path, struct dyno_error *error)
{
    struct dyno_json_weight weight = {0};
    char block[BLOCK_BYTES], quoted[DYNO_QUOTE_MAX];
    size_t got;

    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        dyno_json_weigh(&weight, block, got);
    }
    if (ferror(file) || fseek(file, 0, SEEK_SET) != 0) {
        return dyno_fail(error, DYNO_IO, "cannot read %s: %s", dyno_quote(quoted, path),
                         strerror(errno));
    }
    return dyno_json_weight_check(&weight, path, dyno_allowed_memory_bytes(), error);
}
