/* Strings, numbers and enumerations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/numbers.h"
#include "backends/grammar/pattern.h"
#include "backends/grammar/schema_parts.h"
#include "backends/grammar/spelling.h"

dyno_status dyno_schema_count(const struct dyno_schema_builder *builder,
                              const struct dyno_schema *schema, const char *key, uint32_t otherwise,
                              uint32_t *out)
{
    const json_t *value = json_object_get(schema->json, key);

    if (!value) {
        *out = otherwise;
        return DYNO_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= UINT32_MAX) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_BAD_INPUT,
                                "no whole number from 0 to %u", UINT32_MAX - 1);
    }
    *out = (uint32_t)json_integer_value(value);
    return DYNO_OK;
}

static struct dyno_piece quoted(struct dyno_parts *parts, struct dyno_piece piece)
{
    struct dyno_piece open = dyno_piece_byte(parts, '"', '"');

    return dyno_piece_join(parts, dyno_piece_join(parts, open, piece),
                           dyno_piece_byte(parts, '"', '"'));
}

/* From min to max characters; UINT32_MAX: no maximum. */
static struct dyno_piece characters(struct dyno_parts *parts, uint32_t min, uint32_t max)
{
    static const struct dyno_range all = {0, DYNO_CHARACTER_MAX};
    struct dyno_piece piece = dyno_piece_empty(parts), tail = dyno_piece_empty(parts);

    for (uint32_t i = 0; i < min && parts->status == DYNO_OK; i++) {
        piece = dyno_piece_join(parts, piece, dyno_piece_character(parts, &all, 1));
    }
    if (max == UINT32_MAX) {
        tail = dyno_piece_any_times(parts, dyno_piece_character(parts, &all, 1));
    }
    for (uint32_t i = min; max != UINT32_MAX && i < max && parts->status == DYNO_OK; i++) {
        tail = dyno_piece_join(parts, dyno_piece_character(parts, &all, 1), tail);
        tail = dyno_piece_optional(parts, tail);
    }
    return dyno_piece_join(parts, piece, tail);
}

/* The strings of a pattern that also have the right length. */
static dyno_status limit_length(struct dyno_schema_builder *builder, uint32_t node,
                                const struct dyno_schema *schema, uint32_t min, uint32_t max)
{
    struct dyno_node *value = &builder->grammar->nodes[node];
    struct dyno_regular *table = &builder->grammar->regular;
    struct dyno_parts parts = {0};
    struct dyno_piece piece = quoted(&parts, characters(&parts, min, max));
    uint32_t lengths;
    dyno_status status = dyno_regular_add(table, &parts, piece, &lengths);

    if (status == DYNO_OK) {
        status = dyno_regular_both(table, value->start, lengths, &value->start);
    }
    dyno_parts_release(&parts);
    if (status == DYNO_FULL) {
        return dyno_schema_fail(builder, schema->place, "pattern", DYNO_FULL,
                                "a pattern and a length that are an automaton of more than %d "
                                "states together",
                                DYNO_REGULAR_STATES_MAX);
    }
    if (status != DYNO_OK) {
        return dyno_schema_no_memory(builder);
    }
    if (value->start == DYNO_REGULAR_EMPTY) {
        *value = (struct dyno_node){.kind = DYNO_NODE_UNION, .rest = DYNO_NODE_NONE};
    }
    return DYNO_OK;
}

static dyno_status fill_pattern(struct dyno_schema_builder *builder, uint32_t node,
                                const struct dyno_schema *schema, const json_t *pattern)
{
    struct dyno_parts parts = {0};
    struct dyno_piece piece;
    struct dyno_error error = {.text = ""};
    dyno_status status;

    if (!json_is_string(pattern)) {
        return dyno_schema_fail(builder, schema->place, "pattern", DYNO_BAD_INPUT, "no string");
    }
    status = dyno_piece_pattern(&parts, json_string_value(pattern), json_string_length(pattern),
                                &piece, &error);
    if (status == DYNO_OK) {
        status = dyno_schema_set_regular(builder, node, schema, "pattern", &parts,
                                         quoted(&parts, piece));
    } else {
        status = dyno_schema_fail(builder, schema->place, "pattern", status, "%s", error.text);
    }
    dyno_parts_release(&parts);
    return status;
}

dyno_status dyno_schema_fill_string(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema)
{
    const json_t *pattern = json_object_get(schema->json, "pattern");
    uint32_t min = 0, max = 0;

    DYNO_TRY(dyno_schema_count(builder, schema, "minLength", 0, &min));
    DYNO_TRY(dyno_schema_count(builder, schema, "maxLength", UINT32_MAX, &max));
    if (min > max) {
        return DYNO_OK; /* a union of nothing */
    }
    if (!pattern) {
        builder->grammar->nodes[node] =
            (struct dyno_node){.kind = DYNO_NODE_STRING, .min = min, .max = max};
        return DYNO_OK;
    }
    DYNO_TRY(fill_pattern(builder, node, schema, pattern));
    if ((min > 0 || max != UINT32_MAX) && builder->grammar->nodes[node].kind == DYNO_NODE_REGULAR) {
        return limit_length(builder, node, schema, min, max);
    }
    return DYNO_OK;
}

/* The whole number at or beyond a bound, on its inner side; *open: the bound itself is outside. */
static dyno_status read_bound(const struct dyno_schema_builder *builder,
                              const struct dyno_schema *schema, const char *key, bool whole,
                              bool upper, int64_t *out, bool *open)
{
    const json_t *value = json_object_get(schema->json, key);
    double real = json_number_value(value), inner = upper ? floor(real) : ceil(real);

    if (!json_is_number(value)) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_BAD_INPUT, "no number");
    }
    if (fabs(real) > (double)DYNO_WHOLE_MAX) {
        bool beyond = (real > 0.0) != upper; /* no number that is written here is within */

        *out = real > 0.0 ? DYNO_WHOLE_MAX : -DYNO_WHOLE_MAX;
        *open = beyond;
        return DYNO_OK;
    }
    if (inner != real && !whole) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_UNSUPPORTED,
                                "a bound of decimals that is no whole number");
    }
    *open = *open && inner == real;
    *out = json_is_integer(value) ? json_integer_value(value) : (int64_t)inner;
    *out = *out > DYNO_WHOLE_MAX ? DYNO_WHOLE_MAX : *out < -DYNO_WHOLE_MAX ? -DYNO_WHOLE_MAX : *out;
    return DYNO_OK;
}

/* What the keyword `key`, if it is there, leaves of the bounds. */
static dyno_status narrow(const struct dyno_schema_builder *builder,
                          const struct dyno_schema *schema, const char *key, bool whole,
                          struct dyno_bounds *bounds, bool *bound)
{
    bool upper = strstr(key, "ax") != NULL, open = strncmp(key, "exclusive", 9) == 0;
    int64_t value = 0;

    if (!json_object_get(schema->json, key)) {
        return DYNO_OK;
    }
    *bound = true;
    DYNO_TRY(read_bound(builder, schema, key, whole, upper, &value, &open));
    if (upper && value <= bounds->max) {
        bounds->max_open = open || (bounds->max_open && value == bounds->max);
        bounds->max = value;
    } else if (!upper && value >= bounds->min) {
        bounds->min_open = open || (bounds->min_open && value == bounds->min);
        bounds->min = value;
    }
    return DYNO_OK;
}

dyno_status dyno_schema_fill_number(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema, bool whole)
{
    static const char *const keys[] = {"minimum", "exclusiveMinimum", "maximum",
                                       "exclusiveMaximum"};
    struct dyno_bounds bounds = {-DYNO_WHOLE_MAX, DYNO_WHOLE_MAX, false, false};
    struct dyno_parts parts = {0};
    struct dyno_piece piece;
    bool bound = false, any = true;
    dyno_status status = DYNO_OK;

    for (int i = 0; i < 4; i++) {
        DYNO_TRY(narrow(builder, schema, keys[i], whole, &bounds, &bound));
    }
    if (whole) {
        any = dyno_piece_whole(&parts, bounds, &piece);
    } else if (bound) {
        any = dyno_piece_decimal(&parts, bounds, &piece);
    } else {
        piece = dyno_piece_number(&parts);
    }
    if (any) {
        status = dyno_schema_set_regular(builder, node, schema, "type", &parts, piece);
    }
    dyno_parts_release(&parts);
    return status;
}

/* As JSON writes it, with as few digits as read back the same; NULL when memory is out. */
static char *written(const json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    char *text = NULL;

    for (unsigned digits = json_is_real(value) ? 15 : 17; digits <= 17; digits++) {
        free(text);
        text = json_dumps(value, flags | JSON_REAL_PRECISION(digits));
        if (text && strtod(text, NULL) == json_real_value(value)) {
            break;
        }
    }
    return text;
}

static bool allows_type(const json_t *type, const json_t *value)
{
    if (!json_is_array(type)) {
        return !type ||
               (json_is_string(type) && dyno_schema_is_type(value, json_string_value(type)));
    }
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (allows_type(json_array_get(type, i), value)) {
            return true;
        }
    }
    return false;
}

struct words {
    struct dyno_parts parts;
    struct dyno_piece piece;
    bool any;
};

static dyno_status add_word(struct words *words, const struct dyno_schema *schema,
                            const json_t *value)
{
    struct dyno_piece piece;
    char *text;

    if (!allows_type(json_object_get(schema->json, "type"), value)) {
        return DYNO_OK;
    }
    text = written(value);
    if (!text) {
        return DYNO_NO_MEMORY;
    }
    piece = dyno_piece_bytes(&words->parts, text, strlen(text));
    words->piece = words->any ? dyno_piece_either(&words->parts, words->piece, piece) : piece;
    words->any = true;
    free(text);
    return DYNO_OK;
}

static dyno_status add_schema_words(const struct dyno_schema_builder *builder, struct words *words,
                                    const struct dyno_schema *schema)
{
    const json_t *list = json_object_get(schema->json, "enum");
    const json_t *constant = json_object_get(schema->json, "const");
    dyno_status status = DYNO_OK;

    if (list && constant) {
        return dyno_schema_fail(builder, schema->place, "enum", DYNO_UNSUPPORTED,
                                "a keyword beside 'const'");
    }
    if (list && (!json_is_array(list) || json_array_size(list) == 0)) {
        return dyno_schema_fail(builder, schema->place, "enum", DYNO_BAD_INPUT,
                                "no list of one or more values");
    }
    if (constant) {
        status = add_word(words, schema, constant);
    }
    for (size_t i = 0; status == DYNO_OK && i < json_array_size(list); i++) {
        status = add_word(words, schema, json_array_get(list, i));
    }
    return status == DYNO_OK ? DYNO_OK : dyno_schema_no_memory(builder);
}

dyno_status dyno_schema_fill_enum(struct dyno_schema_builder *builder, uint32_t node,
                                  const struct dyno_schema *schemas, uint32_t count)
{
    struct words words = {.any = false};
    dyno_status status = DYNO_OK;

    for (uint32_t i = 0; status == DYNO_OK && i < count; i++) {
        status = add_schema_words(builder, &words, &schemas[i]);
    }
    if (status == DYNO_OK && words.any) {
        status = dyno_schema_set_regular(
            builder, node, &schemas[0], json_object_get(schemas[0].json, "enum") ? "enum" : "const",
            &words.parts, words.piece);
    }
    dyno_parts_release(&words.parts);
    return status;
}
