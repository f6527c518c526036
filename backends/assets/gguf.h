/* GGUF: typed metadata, then tensors.  Versions 2 and 3, little-endian.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. */
#ifndef DYNO_BACKENDS_ASSETS_GGUF_H
#define DYNO_BACKENDS_ASSETS_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/tensors.h"

/* The numbers are the file's. */
enum dyno_gguf_type {
    DYNO_GGUF_U8,
    DYNO_GGUF_I8,
    DYNO_GGUF_U16,
    DYNO_GGUF_I16,
    DYNO_GGUF_U32,
    DYNO_GGUF_I32,
    DYNO_GGUF_F32,
    DYNO_GGUF_BOOL,
    DYNO_GGUF_STRING,
    DYNO_GGUF_ARRAY,
    DYNO_GGUF_U64,
    DYNO_GGUF_I64,
    DYNO_GGUF_F64,
    DYNO_GGUF_TYPES,
};

/* A string in the file, without an end of its own. */
struct dyno_gguf_text {
    const char *bytes; /* [size] */
    uint64_t size;
};

struct dyno_gguf_value {
    struct dyno_gguf_text key;
    enum dyno_gguf_type type; /* of an array: of its items, never ARRAY */
    bool is_array;
    uint64_t count;      /* items; 1 unless it is an array */
    const uint8_t *data; /* the first item; strings are a 64-bit length and the bytes */
};

/* The metadata of one file; lies in the mapped file and in the memory of the set that it was read
 * into. */
struct dyno_gguf {
    const struct dyno_mapping *file;
    const struct dyno_gguf_value *values; /* [value_count], by key */
    size_t value_count;
};

/* Map `path`, check every length in it, and add its tensors to the set.  Errors: those of
 * dyno_tensors_map, DYNO_BAD_INPUT, DYNO_UNSUPPORTED (a version, a tensor type). */
dyno_status dyno_gguf_read(struct dyno_gguf *out, struct dyno_tensors *tensors, const char *path,
                           struct dyno_error *error);

/* Whether the file begins as a GGUF file does; false also where it cannot be read. */
bool dyno_gguf_is(const char *path);

/* NULL: there is none. */
const struct dyno_gguf_value *dyno_gguf_find(const struct dyno_gguf *gguf, const char *key);

/* One number of any integer type, in [min, max].  Where the key is absent `fallback`, unless that
 * is DYNO_GGUF_REQUIRED. */
enum { DYNO_GGUF_REQUIRED = -1 };
dyno_status dyno_gguf_u32(const struct dyno_gguf *gguf, const char *key, uint32_t min, uint32_t max,
                          int64_t fallback, uint32_t *out, struct dyno_error *error);
/* One finite number of any type. */
dyno_status dyno_gguf_double(const struct dyno_gguf *gguf, const char *key, double fallback,
                             double *out, struct dyno_error *error);
dyno_status dyno_gguf_bool(const struct dyno_gguf *gguf, const char *key, bool fallback, bool *out,
                           struct dyno_error *error);
/* bytes NULL where the key is absent. */
dyno_status dyno_gguf_string(const struct dyno_gguf *gguf, const char *key,
                             struct dyno_gguf_text *out, struct dyno_error *error);
bool dyno_gguf_text_is(struct dyno_gguf_text text, const char *word);

/* An array of items of `type`, or NULL where the key is absent. */
dyno_status dyno_gguf_array(const struct dyno_gguf *gguf, const char *key, enum dyno_gguf_type type,
                            const struct dyno_gguf_value **out, struct dyno_error *error);

/* The string at *at, which is moved to the next one; for arrays of strings, from value->data on. */
struct dyno_gguf_text dyno_gguf_take_text(const uint8_t **at);

#endif
