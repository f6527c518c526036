/* Reading the keys of one JSON object with errors that name the key. */
#ifndef DYNO_BACKENDS_ASSETS_JSON_KEYS_H
#define DYNO_BACKENDS_ASSETS_JSON_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_json_keys {
    const json_t *object;
    const char *path; /* of the file, for errors */
    struct dyno_error *error;
};

enum { DYNO_JSON_REQUIRED = -1 };

/* A whole number in [min, max].  Where the key is absent or null: `fallback`, unless that is
 * DYNO_JSON_REQUIRED. */
dyno_status dyno_json_u32(const struct dyno_json_keys *keys, const char *key, uint32_t min,
                          uint32_t max, int64_t fallback, uint32_t *out);

dyno_status dyno_json_bool(const struct dyno_json_keys *keys, const char *key, bool fallback,
                           bool *out);

/* A string, or NULL where absent or null; the object's. */
dyno_status dyno_json_string(const struct dyno_json_keys *keys, const char *key, const char **out);

/* An array, or NULL where absent or null; the object's. */
dyno_status dyno_json_array(const struct dyno_json_keys *keys, const char *key, const json_t **out);

/* A finite number, whole or decimal. */
dyno_status dyno_json_double(const struct dyno_json_keys *keys, const char *key, double fallback,
                             double *out);

/* The same of numbers above 0. */
dyno_status dyno_json_positive(const struct dyno_json_keys *keys, const char *key, double fallback,
                               double *out);

/* DYNO_UNSUPPORTED: `value` of the key would need other arithmetic than what is `known`. */
dyno_status dyno_json_refuse(const struct dyno_json_keys *keys, const char *key, const char *value,
                             const char *known);

/* An object, or NULL where absent or null; the object's. */
dyno_status dyno_json_object(const struct dyno_json_keys *keys, const char *key,
                             const json_t **out);

/* The JSON object in the file `path`, or in the file `inside` of the directory `path`; `what` says
 * in the refusal what was expected ("the config.json of a model").  On success json_decref. */
dyno_status dyno_json_read(json_t **out, const char *path, const char *inside, const char *what,
                           struct dyno_error *error);

#endif
