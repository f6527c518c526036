/* From bytes to JSON.  What is common and right is parsed here (parse.h).  Before Jansson, which
 * judges the rest, builds anything, one pass over the bytes counts what it would have to build: how
 * deep, and how many values. */
#include <string.h>

#include "backends/openai/fields.h"
#include "backends/openai/parse.h"

/* What a pass over JSON sees of its structure; meaningless, but harmless, for what is no JSON. */
struct shape {
    uint32_t depth, depth_max;
    uint32_t values; /* at least as many as there count, and a constant more */
    bool in_string;
};

static void see_structure(struct shape *shape, char byte)
{
    if (byte == '{' || byte == '[') {
        shape->depth++;
        shape->values += DYNO_OPENAI_HOLDER_VALUES;
        shape->depth_max = shape->depth > shape->depth_max ? shape->depth : shape->depth_max;
    } else if (byte == '}' || byte == ']') {
        shape->depth -= shape->depth > 0;
    } else if (byte == ',') {
        shape->values++;
    } else if (byte == '"') {
        shape->in_string = true;
    }
}

/* The end of a string that begins at bytes[at]: the place of its quote, or `size`. */
static size_t end_of_string(const char *bytes, size_t size, size_t at)
{
    while (at < size && bytes[at] != '"') {
        at += bytes[at] == '\\' ? 2 : 1;
    }
    return at < size ? at : size;
}

static dyno_status check_shape(const char *bytes, size_t size,
                               const struct dyno_openai_rules *rules,
                               struct dyno_openai_error *error)
{
    struct shape shape = {.values = 1};

    for (size_t at = 0; at < size; at++) {
        see_structure(&shape, bytes[at]);
        if (shape.in_string) {
            at = end_of_string(bytes, size, at + 1);
            shape.in_string = false;
        }
        if (shape.depth > rules->depth_max) {
            return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_JSON, NULL,
                                    "the body is nested more than %u deep", rules->depth_max);
        }
        if (shape.values > rules->values_max) {
            return dyno_openai_fail(error, 413, DYNO_OPENAI_CODE_SIZE, NULL,
                                    "the body has more than %u values, where an object or array "
                                    "counts %d",
                                    rules->values_max, DYNO_OPENAI_HOLDER_VALUES);
        }
    }
    return DYNO_OK;
}

static dyno_status refuse_json(const json_error_t *where, struct dyno_openai_error *error)
{
    if (json_error_code(where) == json_error_null_character) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_JSON, NULL,
                                "the body has a NUL character in line %d, column %d; no text may",
                                where->line, where->column);
    }
    if (json_error_code(where) == json_error_out_of_memory) {
        return dyno_openai_fail_memory(error);
    }
    return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_JSON, NULL,
                            "the body is no JSON in line %d, column %d: %s", where->line,
                            where->column, where->text);
}

dyno_status dyno_openai_read_body(json_t **body, const char *bytes, size_t size,
                                  const struct dyno_openai_rules *rules,
                                  struct dyno_openai_error *error)
{
    json_error_t where;
    json_t *json;

    if (size > rules->body_bytes_max) {
        return dyno_openai_fail(error, 413, DYNO_OPENAI_CODE_SIZE, NULL,
                                "the body has %zu bytes, more than the %zu that are allowed", size,
                                rules->body_bytes_max);
    }
    if (size == 0) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_JSON, NULL,
                                "the body is empty where a JSON object is expected");
    }
    json = dyno_openai_parse(bytes, size, rules->depth_max, rules->values_max);
    if (json) {
        *body = json;
        return DYNO_OK;
    }
    DYNO_TRY(check_shape(bytes, size, rules, error));
    json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
    if (!json) {
        return refuse_json(&where, error);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_TYPE, NULL,
                                "the body is an array where an object is expected");
    }
    *body = json;
    return DYNO_OK;
}
