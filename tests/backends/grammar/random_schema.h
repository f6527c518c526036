/* Random schemas, values that fit them, and a validator: what JSON Schema says, in plain words. */
#ifndef DYNO_TESTS_BACKENDS_GRAMMAR_RANDOM_SCHEMA_H
#define DYNO_TESTS_BACKENDS_GRAMMAR_RANDOM_SCHEMA_H

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/rng.h"

static const char *const property_names[] = {"a", "ab", "b", "\"q\"", "\xc3\xa9", "name", "n"};

enum { PROPERTY_NAMES = sizeof property_names / sizeof *property_names };

/* Patterns, texts that match, and what others are judged by. */
static inline bool is_abc(const char *text)
{
    return *text && strspn(text, "abc") == strlen(text);
}

static inline bool has_x(const char *text)
{
    return strchr(text, 'x') != NULL;
}

static inline bool is_code(const char *text)
{
    return strlen(text) == 5 && isupper((unsigned char)text[0]) &&
           isupper((unsigned char)text[1]) && text[2] == '-' && isdigit((unsigned char)text[3]) &&
           isdigit((unsigned char)text[4]);
}

static const struct {
    const char *pattern, *example;
    bool (*matches)(const char *text);
} patterns[] = {
    {"^[abc]+$", "abcc", is_abc}, {"x", "\"ax\n", has_x}, {"^[A-Z]{2}-\\d\\d$", "QZ-07", is_code}};

static inline uint32_t pick(struct dyno_rng *rng, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(rng, bound);
}

static inline json_t *random_schema(struct dyno_rng *rng, int depth);

static inline json_t *random_object_schema(struct dyno_rng *rng, int depth)
{
    json_t *properties = json_object(), *required = json_array(), *schema;

    for (int i = 0; i < PROPERTY_NAMES; i++) {
        if (pick(rng, 3) == 0) {
            json_object_set_new(properties, property_names[i], random_schema(rng, depth - 1));
            if (pick(rng, 2)) {
                json_array_append_new(required, json_string(property_names[i]));
            }
        }
    }
    schema = json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
                       required);
    switch (pick(rng, 3)) {
    case 0:
        json_object_set_new(schema, "additionalProperties", json_false());
        break;
    case 1:
        json_object_set_new(schema, "additionalProperties", random_schema(rng, depth - 2));
        break;
    default:
        break;
    }
    return schema;
}

static inline json_t *random_array_schema(struct dyno_rng *rng, int depth)
{
    json_t *schema =
        json_pack("{s:s, s:o}", "type", "array", "items", random_schema(rng, depth - 1));
    uint32_t min = pick(rng, 3);

    if (pick(rng, 3) == 0) {
        json_object_set_new(
            schema, "prefixItems",
            json_pack("[o, o]", random_schema(rng, depth - 1), random_schema(rng, depth - 1)));
    }
    if (pick(rng, 2)) {
        json_object_set_new(schema, "minItems", json_integer(min));
    }
    if (pick(rng, 2)) {
        json_object_set_new(schema, "maxItems", json_integer(min + pick(rng, 4)));
    }
    return schema;
}

static inline json_t *random_string_schema(struct dyno_rng *rng)
{
    uint32_t min = pick(rng, 4);

    switch (pick(rng, 4)) {
    case 0:
        return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", (int)min, "maxLength",
                         (int)(min + pick(rng, 9)));
    case 1:
        return json_pack("{s:s, s:s}", "type", "string", "pattern",
                         patterns[pick(rng, sizeof patterns / sizeof *patterns)].pattern);
    case 2:
        return json_pack("{s:[s,s,s]}", "enum", "red", "re", "\xc3\xa9\"\n");
    default:
        return json_pack("{s:s}", "type", "string");
    }
}

static inline json_t *random_number_schema(struct dyno_rng *rng)
{
    const char *type = pick(rng, 2) ? "integer" : "number";
    int min = (int)pick(rng, 300) - 150;
    json_t *schema = json_pack("{s:s}", "type", type);

    if (pick(rng, 2)) {
        json_object_set_new(schema, "minimum", json_integer(min));
    }
    if (pick(rng, 2)) {
        json_object_set_new(schema, "exclusiveMaximum",
                            json_integer(min + 1 + (int)pick(rng, 200)));
    }
    return schema;
}

static inline json_t *random_schema(struct dyno_rng *rng, int depth)
{
    switch (pick(rng, depth > 0 ? 10 : 6)) {
    case 0:
        return json_pack("{s:[s,s]}", "type", "null", "boolean");
    case 1:
    case 2:
        return random_number_schema(rng);
    case 3:
    case 4:
        return random_string_schema(rng);
    case 5:
        return json_pack("{s:[n,i,f,s]}", "enum", 7, -2.5, "a");
    case 6:
        return random_array_schema(rng, depth);
    case 7:
        return json_pack("{s:[o,o]}", "anyOf", random_schema(rng, depth - 1),
                         random_schema(rng, depth - 1));
    default:
        return random_object_schema(rng, depth);
    }
}

static inline size_t characters_of(const char *text)
{
    size_t count = 0;

    for (; *text; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return count;
}

static inline bool validates(const json_t *schema, const json_t *value, bool strict);

static inline bool validates_string(const json_t *schema, const json_t *value)
{
    const json_t *min = json_object_get(schema, "minLength"),
                 *max = json_object_get(schema, "maxLength");
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    size_t size = characters_of(json_string_value(value));

    for (size_t i = 0; pattern && i < sizeof patterns / sizeof *patterns; i++) {
        if (strcmp(patterns[i].pattern, pattern) == 0 &&
            !patterns[i].matches(json_string_value(value))) {
            return false;
        }
    }
    return (!min || size >= (size_t)json_integer_value(min)) &&
           (!max || size <= (size_t)json_integer_value(max));
}

static inline bool validates_number(const json_t *schema, const json_t *value)
{
    const json_t *min = json_object_get(schema, "minimum");
    const json_t *max = json_object_get(schema, "exclusiveMaximum");
    double number = json_number_value(value);

    return (!min || number >= json_number_value(min)) && (!max || number < json_number_value(max));
}

static inline bool validates_array(const json_t *schema, const json_t *value, bool strict)
{
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *min = json_object_get(schema, "minItems"),
                 *max = json_object_get(schema, "maxItems");
    size_t count = json_array_size(value);

    for (size_t i = 0; i < count; i++) {
        const json_t *item = i < json_array_size(prefix) ? json_array_get(prefix, i)
                                                         : json_object_get(schema, "items");

        if (!validates(item, json_array_get(value, i), strict)) {
            return false;
        }
    }
    return (!min || count >= (size_t)json_integer_value(min)) &&
           (!max || count <= (size_t)json_integer_value(max));
}

static inline bool validates_object(const json_t *schema, const json_t *value, bool strict)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *rest = json_object_get(schema, "additionalProperties");
    const json_t *required = json_object_get(schema, "required"), *member;
    const char *name;

    for (size_t i = 0; i < json_array_size(required); i++) {
        if (!json_object_get(value, json_string_value(json_array_get(required, i)))) {
            return false;
        }
    }
    json_object_foreach((json_t *)value, name, member)
    {
        const json_t *own = json_object_get(properties, name);

        own = own ? own : rest;
        if (own ? !validates(own, member, strict) : strict) {
            return false;
        }
    }
    return true;
}

static inline bool is_of_type(const json_t *type, const json_t *value)
{
    const char *name = json_string_value(type);

    for (size_t i = 0; i < json_array_size(type); i++) {
        if (is_of_type(json_array_get(type, i), value)) {
            return true;
        }
    }
    return name && ((strcmp(name, "null") == 0 && json_is_null(value)) ||
                    (strcmp(name, "boolean") == 0 && json_is_boolean(value)) ||
                    (strcmp(name, "integer") == 0 && json_is_integer(value)) ||
                    (strcmp(name, "number") == 0 && json_is_number(value)) ||
                    (strcmp(name, "string") == 0 && json_is_string(value)) ||
                    (strcmp(name, "array") == 0 && json_is_array(value)) ||
                    (strcmp(name, "object") == 0 && json_is_object(value)));
}

/* `strict`: properties that a schema does not speak of are not allowed. */
static inline bool validates(const json_t *schema, const json_t *value, bool strict)
{
    const json_t *type = json_object_get(schema, "type"), *list = json_object_get(schema, "enum");
    const json_t *any = json_object_get(schema, "anyOf");

    if (json_is_boolean(schema)) {
        return json_is_true(schema);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_equal(json_array_get(list, i), value)) {
            return true;
        }
    }
    for (size_t i = 0; i < json_array_size(any); i++) {
        if (validates(json_array_get(any, i), value, strict)) {
            return true;
        }
    }
    if (list || any || (type && !is_of_type(type, value))) {
        return false;
    }
    return json_is_string(value)   ? validates_string(schema, value)
           : json_is_number(value) ? validates_number(schema, value)
           : json_is_array(value)  ? validates_array(schema, value, strict)
           : json_is_object(value) ? validates_object(schema, value, strict)
                                   : true;
}

static inline json_t *fitting_value(struct dyno_rng *rng, const json_t *schema, bool strict);

static inline json_t *fitting_array(struct dyno_rng *rng, const json_t *schema, bool strict)
{
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *max = json_object_get(schema, "maxItems");
    size_t min = (size_t)json_integer_value(json_object_get(schema, "minItems"));
    size_t most = max ? (size_t)json_integer_value(max) : min + 3;
    size_t count = min + pick(rng, (uint32_t)(most - min) + 1);
    json_t *value = json_array();

    for (size_t i = 0; i < count; i++) {
        const json_t *item = i < json_array_size(prefix) ? json_array_get(prefix, i)
                                                         : json_object_get(schema, "items");

        json_array_append_new(value, fitting_value(rng, item, strict));
    }
    return value;
}

static inline bool is_required(const json_t *schema, const char *name)
{
    const json_t *required = json_object_get(schema, "required");

    for (size_t i = 0; i < json_array_size(required); i++) {
        if (strcmp(json_string_value(json_array_get(required, i)), name) == 0) {
            return true;
        }
    }
    return false;
}

static inline json_t *fitting_object(struct dyno_rng *rng, const json_t *schema, bool strict)
{
    const json_t *properties = json_object_get(schema, "properties"), *own;
    const json_t *rest = json_object_get(schema, "additionalProperties");
    json_t *value = json_object();
    const char *name;

    if (json_is_object(rest) && pick(rng, 2)) {
        json_object_set_new(value, "na", fitting_value(rng, rest, strict));
    } else if (!rest && !strict && pick(rng, 2)) {
        json_object_set_new(value, "", json_pack("[{s:[]}]", "x"));
    }
    json_object_foreach((json_t *)properties, name, own)
    {
        if (is_required(schema, name) || pick(rng, 2)) {
            json_object_set_new(value, name, fitting_value(rng, own, strict));
        }
    }
    return value;
}

static inline json_t *fitting_string(struct dyno_rng *rng, const json_t *schema)
{
    static const char *const characters[] = {"a", "\"", "\xc3\xa9", "\xf0\x9f\x98\x80", "/", " "};
    const json_t *max = json_object_get(schema, "maxLength");
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    size_t min = (size_t)json_integer_value(json_object_get(schema, "minLength"));
    size_t most = max ? (size_t)json_integer_value(max) : 20;
    size_t count = min + pick(rng, (uint32_t)(most - min) + 1);
    char text[256] = "";

    for (size_t i = 0; pattern && i < sizeof patterns / sizeof *patterns; i++) {
        if (strcmp(patterns[i].pattern, pattern) == 0) {
            return json_string(patterns[i].example);
        }
    }
    for (size_t size = 0; count > 0; count--) {
        const char *character = characters[pick(rng, 6)];

        memcpy(text + size, character, strlen(character) + 1);
        size += strlen(character);
    }
    return json_string(text);
}

static inline json_t *fitting_number(struct dyno_rng *rng, const json_t *schema, bool whole)
{
    const json_t *min = json_object_get(schema, "minimum");
    const json_t *max = json_object_get(schema, "exclusiveMaximum");
    json_int_t high = max ? json_integer_value(max) - 1 : 1000;
    json_int_t low = min ? json_integer_value(min) : high - 1000;
    json_int_t value = low + (json_int_t)pick(rng, (uint32_t)(high - low) + 1);

    return whole || pick(rng, 2) ? json_integer(value) : json_real((double)value + 0.25);
}

static inline json_t *fitting_value(struct dyno_rng *rng, const json_t *schema, bool strict)
{
    const json_t *list = json_object_get(schema, "enum"), *any = json_object_get(schema, "anyOf");
    const char *type = json_string_value(json_object_get(schema, "type"));

    if (list) {
        return json_deep_copy(json_array_get(list, pick(rng, (uint32_t)json_array_size(list))));
    }
    if (any) {
        return fitting_value(rng, json_array_get(any, pick(rng, 2)), strict);
    }
    if (!type) {
        return pick(rng, 2) ? json_null() : json_true();
    }
    switch (*type) {
    case 's':
        return fitting_string(rng, schema);
    case 'a':
        return fitting_array(rng, schema, strict);
    case 'o':
        return fitting_object(rng, schema, strict);
    default:
        return fitting_number(rng, schema, *type == 'i');
    }
}

#endif
