/* One place that says what was wrong with a key. */
#include "backends/assets/json_keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "backends/assets/file.h"
#include "backends/assets/json_weight.h"
#include "core/base/words.h"

static const char *kind_of(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a whole number",
                                        "a decimal", "true",     "false",    "null"};

    return names[json_typeof(value)];
}

static const json_t *value_of(const struct dyno_json_keys *keys, const char *key)
{
    const json_t *value = json_object_get(keys->object, key);

    return json_is_null(value) ? NULL : value;
}

static dyno_status refuse_kind(const struct dyno_json_keys *keys, const char *key,
                               const json_t *value, const char *expected)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(keys->error, DYNO_BAD_INPUT, "%s: \"%s\" is %s where %s is expected",
                     dyno_quote(quoted, keys->path), key, kind_of(value), expected);
}

dyno_status dyno_json_u32(const struct dyno_json_keys *keys, const char *key, uint32_t min,
                          uint32_t max, int64_t fallback, uint32_t *out)
{
    const json_t *value = value_of(keys, key);
    char quoted[DYNO_QUOTE_MAX];
    json_int_t number;

    if (!value && fallback == DYNO_JSON_REQUIRED) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is missing; it must be a whole number from %" PRIu32
                         " to %" PRIu32,
                         dyno_quote(quoted, keys->path), key, min, max);
    }
    if (!value) {
        *out = (uint32_t)fallback;
        return DYNO_OK;
    }
    if (!json_is_integer(value)) {
        return refuse_kind(keys, key, value, "a whole number");
    }
    number = json_integer_value(value);
    if (number < (json_int_t)min || number > (json_int_t)max) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" is %" JSON_INTEGER_FORMAT ", which is not from %" PRIu32
                         " to %" PRIu32,
                         dyno_quote(quoted, keys->path), key, number, min, max);
    }
    *out = (uint32_t)number;
    return DYNO_OK;
}

dyno_status dyno_json_bool(const struct dyno_json_keys *keys, const char *key, bool fallback,
                           bool *out)
{
    const json_t *value = value_of(keys, key);

    if (value && !json_is_boolean(value)) {
        return refuse_kind(keys, key, value, "true or false");
    }
    *out = value ? json_is_true(value) : fallback;
    return DYNO_OK;
}

dyno_status dyno_json_string(const struct dyno_json_keys *keys, const char *key, const char **out)
{
    const json_t *value = value_of(keys, key);

    if (value && !json_is_string(value)) {
        return refuse_kind(keys, key, value, "a string");
    }
    *out = value ? json_string_value(value) : NULL;
    return DYNO_OK;
}

dyno_status dyno_json_array(const struct dyno_json_keys *keys, const char *key, const json_t **out)
{
    const json_t *value = value_of(keys, key);

    if (value && !json_is_array(value)) {
        return refuse_kind(keys, key, value, "an array");
    }
    *out = value;
    return DYNO_OK;
}

dyno_status dyno_json_object(const struct dyno_json_keys *keys, const char *key, const json_t **out)
{
    const json_t *value = value_of(keys, key);

    if (value && !json_is_object(value)) {
        return refuse_kind(keys, key, value, "an object");
    }
    *out = value;
    return DYNO_OK;
}

dyno_status dyno_json_double(const struct dyno_json_keys *keys, const char *key, double fallback,
                             double *out)
{
    const json_t *value = value_of(keys, key);

    if (value && !json_is_number(value)) {
        return refuse_kind(keys, key, value, "a number");
    }
    *out = value ? json_number_value(value) : fallback;
    return DYNO_OK;
}

dyno_status dyno_json_positive(const struct dyno_json_keys *keys, const char *key, double fallback,
                               double *out)
{
    char quoted[DYNO_QUOTE_MAX];

    DYNO_TRY(dyno_json_double(keys, key, fallback, out));
    if (*out > 0 && *out <= 1e300) {
        return DYNO_OK;
    }
    return dyno_fail(keys->error, DYNO_BAD_INPUT, "%s: \"%s\" is %g where more than 0 is expected",
                     dyno_quote(quoted, keys->path), key, *out);
}

dyno_status dyno_json_refuse(const struct dyno_json_keys *keys, const char *key, const char *value,
                             const char *known)
{
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    return dyno_fail(keys->error, DYNO_UNSUPPORTED, "%s: \"%s\" is %s; what is computed is %s",
                     dyno_quote(path, keys->path), key, dyno_quote(quoted, value), known);
}

dyno_status dyno_json_read(json_t **out, const char *path, const char *inside, const char *what,
                           struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    json_error_t where;
    dyno_status status;
    FILE *file;
    json_t *root;

    DYNO_TRY(dyno_asset_open(&file, path, inside, error));
    status = dyno_json_weigh_file(file, path, error);
    root = status == DYNO_OK ? json_loadf(file, JSON_REJECT_DUPLICATES, &where) : NULL;
    (void)fclose(file);
    DYNO_TRY(status);
    if (!root) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s, line %d, column %d: %s",
                         dyno_quote(quoted, path), where.line, where.column, where.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return dyno_fail(error, DYNO_BAD_INPUT, "%s holds no JSON object; %s is expected",
                         dyno_quote(quoted, path), what);
    }
    *out = root;
    return DYNO_OK;
}
