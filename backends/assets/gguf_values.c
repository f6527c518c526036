/* Looking up metadata of GGUF: numbers of whatever type the writer chose, strings, arrays. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "backends/assets/gguf.h"
#include "core/base/words.h"

static dyno_status refuse_type(const struct dyno_gguf *gguf, const char *key, const char *expected,
                               struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s: \"%s\" is of another type; %s is expected",
                     dyno_quote(path, gguf->file->path), key, expected);
}

/* The number at `data`, if it is an integer that fits. */
static bool integer_of(const struct dyno_gguf_value *value, int64_t *out)
{
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
    } number = {0};

#define TAKE(field)                                                                                \
    memcpy(&number.field, value->data, sizeof(number.field));                                      \
    *out = (int64_t)number.field;                                                                  \
    return true

    switch (value->is_array ? DYNO_GGUF_ARRAY : value->type) {
    case DYNO_GGUF_U8:
        TAKE(u8);
    case DYNO_GGUF_I8:
        TAKE(i8);
    case DYNO_GGUF_U16:
        TAKE(u16);
    case DYNO_GGUF_I16:
        TAKE(i16);
    case DYNO_GGUF_U32:
        TAKE(u32);
    case DYNO_GGUF_I32:
        TAKE(i32);
    case DYNO_GGUF_I64:
        TAKE(i64);
    case DYNO_GGUF_U64:
        memcpy(&number.u64, value->data, sizeof(number.u64));
        *out = number.u64 <= INT64_MAX ? (int64_t)number.u64 : INT64_MAX;
        return true;
    default:
        return false;
    }
#undef TAKE
}

dyno_status dyno_gguf_u32(const struct dyno_gguf *gguf, const char *key, uint32_t min, uint32_t max,
                          int64_t fallback, uint32_t *out, struct dyno_error *error)
{
    const struct dyno_gguf_value *value = dyno_gguf_find(gguf, key);
    char path[DYNO_QUOTE_MAX];
    int64_t number = fallback;

    if (!value && fallback == DYNO_GGUF_REQUIRED) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is missing; it must be a whole number from %" PRIu32
                         " to %" PRIu32,
                         dyno_quote(path, gguf->file->path), key, min, max);
    }
    if (!value) {
        *out = (uint32_t)fallback;
        return DYNO_OK;
    }
    if (!integer_of(value, &number)) {
        return refuse_type(gguf, key, "a whole number", error);
    }
    if (number < (int64_t)min || number > (int64_t)max) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is %" PRId64 ", which is not from %" PRIu32 " to %" PRIu32,
                         dyno_quote(path, gguf->file->path), key, number, min, max);
    }
    *out = (uint32_t)number;
    return DYNO_OK;
}

dyno_status dyno_gguf_double(const struct dyno_gguf *gguf, const char *key, double fallback,
                             double *out, struct dyno_error *error)
{
    const struct dyno_gguf_value *value = dyno_gguf_find(gguf, key);
    char path[DYNO_QUOTE_MAX];
    double number = fallback;
    int64_t whole;
    float narrow;

    if (value && !value->is_array && value->type == DYNO_GGUF_F32) {
        memcpy(&narrow, value->data, sizeof(narrow));
        number = (double)narrow;
    } else if (value && !value->is_array && value->type == DYNO_GGUF_F64) {
        memcpy(&number, value->data, sizeof(number));
    } else if (value && integer_of(value, &whole)) {
        number = (double)whole;
    } else if (value) {
        return refuse_type(gguf, key, "a number", error);
    }
    if (!isfinite(number)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: \"%s\" is not a finite number",
                         dyno_quote(path, gguf->file->path), key);
    }
    *out = number;
    return DYNO_OK;
}

dyno_status dyno_gguf_bool(const struct dyno_gguf *gguf, const char *key, bool fallback, bool *out,
                           struct dyno_error *error)
{
    const struct dyno_gguf_value *value = dyno_gguf_find(gguf, key);

    if (value && (value->is_array || value->type != DYNO_GGUF_BOOL)) {
        return refuse_type(gguf, key, "true or false", error);
    }
    *out = value ? *value->data != 0 : fallback;
    return DYNO_OK;
}

struct dyno_gguf_text dyno_gguf_take_text(const uint8_t **at)
{
    struct dyno_gguf_text text;

    memcpy(&text.size, *at, sizeof(text.size));
    text.bytes = (const char *)*at + sizeof(text.size);
    *at += sizeof(text.size) + text.size;
    return text;
}

dyno_status dyno_gguf_string(const struct dyno_gguf *gguf, const char *key,
                             struct dyno_gguf_text *out, struct dyno_error *error)
{
    const struct dyno_gguf_value *value = dyno_gguf_find(gguf, key);
    const uint8_t *at;

    *out = (struct dyno_gguf_text){0};
    if (value && (value->is_array || value->type != DYNO_GGUF_STRING)) {
        return refuse_type(gguf, key, "a string", error);
    }
    if (value) {
        at = value->data;
        *out = dyno_gguf_take_text(&at);
    }
    return DYNO_OK;
}

bool dyno_gguf_text_is(struct dyno_gguf_text text, const char *word)
{
    return text.bytes && text.size == strlen(word) && memcmp(text.bytes, word, strlen(word)) == 0;
}

dyno_status dyno_gguf_array(const struct dyno_gguf *gguf, const char *key, enum dyno_gguf_type type,
                            const struct dyno_gguf_value **out, struct dyno_error *error)
{
    const struct dyno_gguf_value *value = dyno_gguf_find(gguf, key);
    static const char *const names[DYNO_GGUF_TYPES] = {
        [DYNO_GGUF_STRING] = "an array of strings",
        [DYNO_GGUF_F32] = "an array of 32-bit floats",
        [DYNO_GGUF_I32] = "an array of 32-bit integers",
    };

    if (value && (!value->is_array || value->type != type)) {
        return refuse_type(gguf, key, names[type] ? names[type] : "another array", error);
    }
    *out = value;
    return DYNO_OK;
}
