/* Which keywords there are, and what a schema with several groups of them means. */
#include <string.h>

#include "backends/grammar/schema_parts.h"

static const struct {
    const char *name;
    unsigned group;
} keywords[] = {
    {"title", DYNO_KEYWORD_NOTE},
    {"description", DYNO_KEYWORD_NOTE},
    {"default", DYNO_KEYWORD_NOTE},
    {"example", DYNO_KEYWORD_NOTE},
    {"examples", DYNO_KEYWORD_NOTE},
    {"deprecated", DYNO_KEYWORD_NOTE},
    {"readOnly", DYNO_KEYWORD_NOTE},
    {"writeOnly", DYNO_KEYWORD_NOTE},
    {"$comment", DYNO_KEYWORD_NOTE},
    {"$schema", DYNO_KEYWORD_NOTE},
    {"$id", DYNO_KEYWORD_NOTE},
    {"$defs", DYNO_KEYWORD_NOTE},
    {"definitions", DYNO_KEYWORD_NOTE},
    {"format", DYNO_KEYWORD_NOTE},
    {"contentMediaType", DYNO_KEYWORD_NOTE},
    {"contentEncoding", DYNO_KEYWORD_NOTE},
    {"type", DYNO_KEYWORD_TYPE},
    {"minLength", DYNO_KEYWORD_STRING},
    {"maxLength", DYNO_KEYWORD_STRING},
    {"pattern", DYNO_KEYWORD_STRING},
    {"minimum", DYNO_KEYWORD_NUMBER},
    {"maximum", DYNO_KEYWORD_NUMBER},
    {"exclusiveMinimum", DYNO_KEYWORD_NUMBER},
    {"exclusiveMaximum", DYNO_KEYWORD_NUMBER},
    {"items", DYNO_KEYWORD_ARRAY},
    {"prefixItems", DYNO_KEYWORD_ARRAY},
    {"minItems", DYNO_KEYWORD_ARRAY},
    {"maxItems", DYNO_KEYWORD_ARRAY},
    {"properties", DYNO_KEYWORD_OBJECT},
    {"required", DYNO_KEYWORD_OBJECT},
    {"additionalProperties", DYNO_KEYWORD_OBJECT},
    {"anyOf", DYNO_KEYWORD_UNION},
    {"oneOf", DYNO_KEYWORD_UNION},
    {"allOf", DYNO_KEYWORD_UNION},
    {"enum", DYNO_KEYWORD_ENUM},
    {"const", DYNO_KEYWORD_ENUM},
    {"$ref", DYNO_KEYWORD_REF},
};

/* Formats are notes: what they say is neither enforced nor checked. */
static const char *const formats[] = {
    "date-time", "date",          "time",
    "duration",  "email",         "idn-email",
    "hostname",  "idn-hostname",  "ipv4",
    "ipv6",      "uri",           "uri-reference",
    "iri",       "iri-reference", "uri-template",
    "uuid",      "regex",         "json-pointer",
    "int32",     "int64",         "relative-json-pointer",
    "float",     "double",        "byte",
    "binary",    "password",      NULL,
};

static const char *const types[] = {"null",   "boolean", "integer", "number",
                                    "string", "array",   "object",  NULL};

static const char *word_in(const char *const *words, const char *text)
{
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            return words[i];
        }
    }
    return NULL;
}

static unsigned group_of(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            return keywords[i].group;
        }
    }
    return strncmp(name, "x-", 2) == 0 ? DYNO_KEYWORD_NOTE : 0;
}

dyno_status dyno_schema_keywords(const struct dyno_schema_builder *builder,
                                 const struct dyno_schema *schema, unsigned *out)
{
    const json_t *format = json_object_get(schema->json, "format"), *value;
    unsigned groups = 0;
    const char *name;

    json_object_foreach((json_t *)schema->json, name, value)
    {
        unsigned group = group_of(name);

        if (group == 0) {
            return dyno_schema_fail(builder, schema->place, name, DYNO_UNSUPPORTED,
                                    "a keyword that is not supported");
        }
        groups |= group;
    }
    if (format && (!json_is_string(format) || !word_in(formats, json_string_value(format)))) {
        return dyno_schema_fail(builder, schema->place, "format", DYNO_UNSUPPORTED,
                                "a format that is not known");
    }
    *out = groups & ~(unsigned)DYNO_KEYWORD_NOTE;
    return DYNO_OK;
}

bool dyno_schema_is_type(const json_t *value, const char *name)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return strcmp(name, "null") == 0;
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(name, "boolean") == 0;
    case JSON_INTEGER:
        return strcmp(name, "integer") == 0 || strcmp(name, "number") == 0;
    case JSON_REAL:
        return strcmp(name, "number") == 0;
    case JSON_STRING:
        return strcmp(name, "string") == 0;
    case JSON_ARRAY:
        return strcmp(name, "array") == 0;
    case JSON_OBJECT:
        return strcmp(name, "object") == 0;
    }
    return false;
}

static dyno_status fill_words(struct dyno_schema_builder *builder, uint32_t node,
                              const struct dyno_schema *schema, const char *first,
                              const char *second)
{
    struct dyno_parts parts = {0};
    struct dyno_piece piece = dyno_piece_bytes(&parts, first, strlen(first));
    dyno_status status;

    if (second) {
        piece = dyno_piece_either(&parts, piece, dyno_piece_bytes(&parts, second, strlen(second)));
    }
    status = dyno_schema_set_regular(builder, node, schema, "type", &parts, piece);
    dyno_parts_release(&parts);
    return status;
}

static dyno_status fill_type(struct dyno_schema_builder *builder, uint32_t node,
                             const struct dyno_schema *schema, const char *type)
{
    switch (*type) {
    case 's':
        return dyno_schema_fill_string(builder, node, schema);
    case 'a':
        return dyno_schema_fill_array(builder, node, schema);
    case 'o':
        return dyno_schema_fill_object(builder, node, schema);
    case 'b':
        return fill_words(builder, node, schema, "true", "false");
    case 'i':
        return dyno_schema_fill_number(builder, node, schema, true);
    default:
        return strcmp(type, "null") == 0 ? fill_words(builder, node, schema, "null", NULL)
                                         : dyno_schema_fill_number(builder, node, schema, false);
    }
}

/* The types that the groups of keywords speak of, where a schema does not name any. */
static uint32_t types_of_groups(unsigned groups, const char *out[])
{
    static const struct {
        unsigned group;
        const char *type;
    } said[] = {{DYNO_KEYWORD_STRING, "string"},
                {DYNO_KEYWORD_NUMBER, "number"},
                {DYNO_KEYWORD_ARRAY, "array"},
                {DYNO_KEYWORD_OBJECT, "object"}};
    uint32_t count = 0;

    for (int i = 0; i < 4; i++) {
        if (groups & said[i].group) {
            out[count++] = said[i].type;
        }
    }
    return count;
}

enum { TYPES = 7 };

static dyno_status read_types(const struct dyno_schema_builder *builder,
                              const struct dyno_schema *schema, const char *out[TYPES],
                              uint32_t *count)
{
    const json_t *type = json_object_get(schema->json, "type");
    size_t size = json_is_array(type) ? json_array_size(type) : 1;

    *count = 0;
    for (size_t i = 0; i < size; i++) {
        const json_t *one = json_is_array(type) ? json_array_get(type, i) : type;
        const char *name = json_is_string(one) ? word_in(types, json_string_value(one)) : NULL;

        for (uint32_t j = 0; name && j < *count; j++) {
            name = out[j] == name ? NULL : name;
        }
        if (!name) {
            return dyno_schema_fail(builder, schema->place, "type", DYNO_BAD_INPUT,
                                    "no type of JSON, or one that is there twice");
        }
        out[(*count)++] = name;
    }
    return DYNO_OK;
}

static dyno_status fill_types(struct dyno_schema_builder *builder, uint32_t node,
                              const struct dyno_schema *schema, unsigned groups)
{
    const char *names[TYPES] = {NULL};
    uint32_t nodes[TYPES] = {0}, count = 0;

    if (groups & DYNO_KEYWORD_TYPE) {
        DYNO_TRY(read_types(builder, schema, names, &count));
    } else {
        count = types_of_groups(groups, names);
    }
    if (count == 1) {
        return fill_type(builder, node, schema, names[0]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct dyno_node empty = {.kind = DYNO_NODE_UNION, .rest = DYNO_NODE_NONE};

        DYNO_TRY(dyno_schema_add_node(builder, schema->place, empty, &nodes[i]));
        DYNO_TRY(fill_type(builder, nodes[i], schema, names[i]));
    }
    return dyno_schema_set_members(builder, node, nodes, count);
}

/* Only `group` and those of `beside`. */
static dyno_status check_alone(const struct dyno_schema_builder *builder,
                               const struct dyno_schema *schema, unsigned groups, unsigned group,
                               unsigned beside)
{
    const json_t *value;
    const char *name, *own = NULL, *other = NULL;

    if (!(groups & ~(group | beside))) {
        return DYNO_OK;
    }
    json_object_foreach((json_t *)schema->json, name, value)
    {
        own = group_of(name) == group ? name : own;
        other = group_of(name) & ~(group | beside | DYNO_KEYWORD_NOTE) ? name : other;
    }
    return dyno_schema_fail(builder, schema->place, other, DYNO_UNSUPPORTED,
                            "a keyword beside '%s'", own ? own : "");
}

/* Alternatives that are enumerations become one; the others are members beside it. */
static dyno_status fill_alternatives(struct dyno_schema_builder *builder, uint32_t node,
                                     const struct dyno_schema *schema, const char *key,
                                     const json_t *list)
{
    uint32_t size = (uint32_t)json_array_size(list), words = 0, count = 0, place = 0;
    struct dyno_schema *enums = calloc(size + 1U, sizeof *enums);
    uint32_t *nodes = calloc(size + 1U, sizeof *nodes);
    dyno_status status = dyno_schema_place(builder, schema->place, key, 0, &place);

    if (!enums || !nodes) {
        status = dyno_schema_no_memory(builder);
    }
    for (uint32_t i = 0; enums && nodes && status == DYNO_OK && i < size; i++) {
        struct dyno_schema one = {json_array_get(list, i), 0};
        unsigned groups = 0;

        status = dyno_schema_place(builder, place, NULL, i, &one.place);
        if (status == DYNO_OK && json_is_object(one.json)) {
            status = dyno_schema_keywords(builder, &one, &groups);
        }
        if (status != DYNO_OK) {
            break;
        }
        if (groups & DYNO_KEYWORD_ENUM &&
            !(groups & ~(unsigned)(DYNO_KEYWORD_ENUM | DYNO_KEYWORD_TYPE))) {
            enums[words++] = one;
        } else {
            status = dyno_schema_node(builder, one.json, one.place, &nodes[count++]);
        }
    }
    if (status == DYNO_OK && words > 0) {
        const struct dyno_node empty = {.kind = DYNO_NODE_UNION, .rest = DYNO_NODE_NONE};

        status = dyno_schema_add_node(builder, place, empty, &nodes[count]);
        if (status == DYNO_OK) {
            status = dyno_schema_fill_enum(builder, nodes[count++], enums, words);
        }
    }
    if (status == DYNO_OK) {
        status = dyno_schema_set_members(builder, node, nodes, count);
    }
    free(enums);
    free(nodes);
    return status;
}

static dyno_status fill_union(struct dyno_schema_builder *builder, uint32_t node,
                              const struct dyno_schema *schema)
{
    static const char *const keys[] = {"anyOf", "oneOf", "allOf"};
    const json_t *list = NULL;
    const char *key = NULL;

    for (int i = 0; i < 3; i++) {
        const json_t *one = json_object_get(schema->json, keys[i]);

        if (one && list) {
            return dyno_schema_fail(builder, schema->place, keys[i], DYNO_UNSUPPORTED,
                                    "a keyword beside '%s'", key);
        }
        key = one ? keys[i] : key;
        list = one ? one : list;
    }
    if (!json_is_array(list) || json_array_size(list) == 0) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_BAD_INPUT,
                                "no list of one or more schemas");
    }
    if (json_array_size(list) > DYNO_GRAMMAR_NODES_MAX) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_FULL, "more than %d alternatives",
                                DYNO_GRAMMAR_NODES_MAX);
    }
    if (strcmp(key, "allOf") == 0 && json_array_size(list) > 1) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_UNSUPPORTED,
                                "more than one schema that must hold together");
    }
    return fill_alternatives(builder, node, schema, key, list);
}

static dyno_status fill_any(struct dyno_schema_builder *builder, uint32_t node)
{
    uint32_t any = 0;

    DYNO_TRY(dyno_schema_any(builder, &any));
    return dyno_schema_set_members(builder, node, &any, 1);
}

dyno_status dyno_schema_fill(struct dyno_schema_builder *builder, uint32_t node,
                             const struct dyno_schema *schema)
{
    unsigned groups = 0;

    if (json_is_boolean(schema->json)) {
        return json_is_true(schema->json) ? fill_any(builder, node) : DYNO_OK;
    }
    if (!json_is_object(schema->json)) {
        return dyno_schema_fail(builder, schema->place, NULL, DYNO_BAD_INPUT,
                                "something else than an object or a boolean");
    }
    DYNO_TRY(dyno_schema_keywords(builder, schema, &groups));
    if (groups & DYNO_KEYWORD_REF) {
        DYNO_TRY(check_alone(builder, schema, groups, DYNO_KEYWORD_REF, 0));
        return dyno_schema_fill_ref(builder, node, schema);
    }
    if (groups & DYNO_KEYWORD_ENUM) {
        DYNO_TRY(check_alone(builder, schema, groups, DYNO_KEYWORD_ENUM, DYNO_KEYWORD_TYPE));
        return dyno_schema_fill_enum(builder, node, schema, 1);
    }
    if (groups & DYNO_KEYWORD_UNION) {
        DYNO_TRY(check_alone(builder, schema, groups, DYNO_KEYWORD_UNION, 0));
        return fill_union(builder, node, schema);
    }
    return groups == 0 ? fill_any(builder, node) : fill_types(builder, node, schema, groups);
}
