#include "backends/assets/fp8_config.h"

#include <string.h>

#include "core/base/words.h"

enum { BLOCK_MAX = 1 << 20 };

/* An object inside of another one. */
static dyno_status look_into(struct dyno_json_keys *out, const struct dyno_json_keys *keys,
                             const char *key)
{
    *out = (struct dyno_json_keys){.path = keys->path, .error = keys->error};
    return dyno_json_object(keys, key, &out->object);
}

static dyno_status read_word(const struct dyno_json_keys *keys, const char *key,
                             const char *fallback, const char **out)
{
    DYNO_TRY(dyno_json_string(keys, key, out));
    *out = *out ? *out : fallback;
    return DYNO_OK;
}

/* [rows, columns] of a block, which is the same for all matrices. */
static dyno_status read_block(struct dyno_fp8_config *out, const struct dyno_json_keys *keys,
                              const char *key)
{
    const json_t *sides, *rows, *columns;
    char path[DYNO_QUOTE_MAX];
    struct dyno_fp8_config before = *out;

    DYNO_TRY(dyno_json_array(keys, key, &sides));
    if (!sides) {
        return DYNO_OK;
    }
    rows = json_array_get(sides, 0);
    columns = json_array_get(sides, 1);
    if (json_array_size(sides) != 2 || !json_is_integer(rows) || !json_is_integer(columns) ||
        json_integer_value(rows) < 1 || json_integer_value(rows) > BLOCK_MAX ||
        json_integer_value(columns) < 1 || json_integer_value(columns) > BLOCK_MAX) {
        return dyno_fail(keys->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" must be two whole numbers from 1 to %d, rows and columns",
                         dyno_quote(path, keys->path), key, BLOCK_MAX);
    }
    out->block_rows = (uint32_t)json_integer_value(rows);
    out->block_columns = (uint32_t)json_integer_value(columns);
    if (before.block_rows > 0 &&
        (before.block_rows != out->block_rows || before.block_columns != out->block_columns)) {
        return dyno_json_refuse(keys, key, "not the same for all groups", "one size of blocks");
    }
    return DYNO_OK;
}

/* One group of "compressed-tensors". */
static dyno_status read_group(struct dyno_fp8_config *out, const struct dyno_json_keys *group)
{
    struct dyno_json_keys weights;
    const char *type, *strategy;
    uint32_t bits;

    DYNO_TRY(look_into(&weights, group, "weights"));
    if (!weights.object) {
        return dyno_json_refuse(group, "weights", "absent", "weights of 8 bits");
    }
    DYNO_TRY(read_word(&weights, "type", "int", &type));
    DYNO_TRY(read_word(&weights, "strategy", "tensor", &strategy));
    DYNO_TRY(dyno_json_u32(&weights, "num_bits", 1, 64, 8, &bits));
    if (bits != 8 || strcmp(type, "float") != 0) {
        return dyno_json_refuse(&weights, "num_bits", "of another type than float of 8",
                                "floats of 8 bits (e4m3)");
    }
    if (strcmp(strategy, "tensor") != 0 && strcmp(strategy, "channel") != 0 &&
        strcmp(strategy, "block") != 0) {
        return dyno_json_refuse(&weights, "strategy", strategy, "tensor, channel and block");
    }
    return read_block(out, &weights, "block_structure");
}

static dyno_status read_compressed(struct dyno_fp8_config *out, const struct dyno_json_keys *keys)
{
    struct dyno_json_keys groups, scheme, group = {.path = keys->path, .error = keys->error};
    const char *format, *name;
    json_t *value;

    DYNO_TRY(read_word(keys, "format", "float-quantized", &format));
    if (strcmp(format, "float-quantized") != 0 && strcmp(format, "naive-quantized") != 0) {
        return dyno_json_refuse(keys, "format", format, "float-quantized and naive-quantized");
    }
    DYNO_TRY(look_into(&scheme, keys, "kv_cache_scheme"));
    if (scheme.object) {
        return dyno_json_refuse(keys, "kv_cache_scheme", "there",
                                "keys and values without scales of their own");
    }
    DYNO_TRY(look_into(&groups, keys, "config_groups"));
    json_object_foreach((json_t *)(uintptr_t)groups.object, name, value)
    {
        DYNO_TRY(look_into(&group, &groups, name));
        DYNO_TRY(read_group(out, &group));
    }
    return DYNO_OK;
}

static dyno_status read_method(struct dyno_fp8_config *out, const struct dyno_json_keys *keys)
{
    const char *method, *format;

    DYNO_TRY(read_word(keys, "quant_method", "", &method));
    if (strcmp(method, "compressed-tensors") == 0) {
        return read_compressed(out, keys);
    }
    if (strcmp(method, "fp8") != 0 && strcmp(method, "fbgemm_fp8") != 0) {
        return dyno_json_refuse(keys, "quant_method", method,
                                "fp8, fbgemm_fp8 and compressed-tensors of e4m3, unquantised "
                                "safetensors, and GGUF files of Q8_0");
    }
    DYNO_TRY(read_word(keys, "fmt", "e4m3", &format));
    if (strcmp(format, "e4m3") != 0) {
        return dyno_json_refuse(keys, "fmt", format, "e4m3");
    }
    return read_block(out, keys, "weight_block_size");
}

dyno_status dyno_fp8_config_read(struct dyno_fp8_config *out, const struct dyno_json_keys *keys)
{
    struct dyno_fp8_config config = {.is_fp8 = true};
    struct dyno_json_keys inner;

    DYNO_TRY(look_into(&inner, keys, "quantization_config"));
    if (!inner.object) {
        *out = (struct dyno_fp8_config){.is_fp8 = false};
        return DYNO_OK;
    }
    DYNO_TRY(read_method(&config, &inner));
    *out = config;
    return DYNO_OK;
}
