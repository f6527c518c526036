/* Arrays, objects and references. */
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/schema_parts.h"
#include "backends/grammar/spelling.h"
#include "core/base/array.h"

static dyno_status node_under(struct dyno_schema_builder *builder, const struct dyno_schema *schema,
                              const char *key, const json_t *value, uint32_t *out)
{
    uint32_t place;

    DYNO_TRY(dyno_schema_place(builder, schema->place, key, 0, &place));
    return dyno_schema_node(builder, value, place, out);
}

/* The nodes of a list of schemas, as members of `node`. */
static dyno_status set_list(struct dyno_schema_builder *builder, uint32_t node,
                            const struct dyno_schema *schema, const char *key, const json_t *list)
{
    uint32_t count = (uint32_t)json_array_size(list), place = 0, *nodes;
    dyno_status status = dyno_schema_place(builder, schema->place, key, 0, &place);

    nodes = calloc(count + 1U, sizeof *nodes);
    if (!nodes) {
        status = dyno_schema_no_memory(builder);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < count; i++) {
        uint32_t at;

        status = dyno_schema_place(builder, place, NULL, i, &at);
        if (status == DYNO_OK) {
            status = dyno_schema_node(builder, json_array_get(list, i), at, &nodes[i]);
        }
    }
    if (status == DYNO_OK) {
        status = dyno_schema_set_members(builder, node, nodes, count);
    }
    free(nodes);
    return status;
}

dyno_status dyno_schema_fill_array(struct dyno_schema_builder *builder, uint32_t node,
                                   const struct dyno_schema *schema)
{
    const json_t *items = json_object_get(schema->json, "items");
    const json_t *prefix = json_object_get(schema->json, "prefixItems");
    struct dyno_node *array;
    uint32_t min = 0, max = 0, rest = 0;

    DYNO_TRY(dyno_schema_count(builder, schema, "minItems", 0, &min));
    DYNO_TRY(dyno_schema_count(builder, schema, "maxItems", UINT32_MAX, &max));
    if (json_is_array(items)) {
        return dyno_schema_fail(builder, schema->place, "items", DYNO_UNSUPPORTED,
                                "a list of schemas ('prefixItems' is its name today)");
    }
    if (prefix && !json_is_array(prefix)) {
        return dyno_schema_fail(builder, schema->place, "prefixItems", DYNO_BAD_INPUT,
                                "no list of schemas");
    }
    if (min > max) {
        return DYNO_OK; /* a union of nothing */
    }
    if (prefix) {
        DYNO_TRY(set_list(builder, node, schema, "prefixItems", prefix));
    }
    if (items) {
        DYNO_TRY(node_under(builder, schema, "items", items, &rest));
    } else {
        DYNO_TRY(dyno_schema_any(builder, &rest));
    }
    array = &builder->grammar->nodes[node];
    array->kind = DYNO_NODE_ARRAY;
    array->rest = rest;
    array->min = min;
    array->max = max;
    return DYNO_OK;
}

/* An object's properties while they are gathered. */
struct properties {
    const char *name[DYNO_GRAMMAR_MEMBERS_MAX];
    uint32_t node[DYNO_GRAMMAR_MEMBERS_MAX];
    uint32_t count;
};

static dyno_status add_property(const struct dyno_schema_builder *builder,
                                const struct dyno_schema *schema, struct properties *properties,
                                const char *name, uint32_t node)
{
    if (properties->count == DYNO_GRAMMAR_MEMBERS_MAX) {
        return dyno_schema_fail(builder, schema->place, "properties", DYNO_FULL,
                                "more than %d properties of one object", DYNO_GRAMMAR_MEMBERS_MAX);
    }
    properties->name[properties->count] = name;
    properties->node[properties->count++] = node;
    return DYNO_OK;
}

static dyno_status read_properties(struct dyno_schema_builder *builder,
                                   const struct dyno_schema *schema, struct properties *properties)
{
    const json_t *list = json_object_get(schema->json, "properties"), *value;
    const char *name;
    uint32_t place;

    if (list && !json_is_object(list)) {
        return dyno_schema_fail(builder, schema->place, "properties", DYNO_BAD_INPUT, "no object");
    }
    DYNO_TRY(dyno_schema_place(builder, schema->place, "properties", 0, &place));
    json_object_foreach((json_t *)list, name, value)
    {
        const struct dyno_schema inner = {list, place};
        uint32_t node = 0;

        DYNO_TRY(node_under(builder, &inner, name, value, &node));
        DYNO_TRY(add_property(builder, schema, properties, name, node));
    }
    return DYNO_OK;
}

/* One bit for each that is required; one without a schema gets that of additional properties. */
static dyno_status read_required(const struct dyno_schema_builder *builder,
                                 const struct dyno_schema *schema, struct properties *properties,
                                 uint32_t rest, uint64_t *out)
{
    const json_t *list = json_object_get(schema->json, "required");

    *out = 0;
    if (list && !json_is_array(list)) {
        return dyno_schema_fail(builder, schema->place, "required", DYNO_BAD_INPUT,
                                "no list of names");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        uint32_t at = 0;

        if (!name) {
            return dyno_schema_fail(builder, schema->place, "required", DYNO_BAD_INPUT,
                                    "something else than a name");
        }
        while (at < properties->count && strcmp(properties->name[at], name) != 0) {
            at++;
        }
        if (at == properties->count && rest == DYNO_NODE_NONE) {
            return dyno_schema_fail(builder, schema->place, "required", DYNO_BAD_INPUT,
                                    "'%.100s', which is none of the properties", name);
        }
        if (at == properties->count) {
            DYNO_TRY(add_property(builder, schema, properties, name, rest));
        }
        *out |= 1ULL << at;
    }
    return DYNO_OK;
}

static dyno_status add_name_byte(struct dyno_schema_builder *builder, uint32_t *at, uint8_t byte)
{
    struct dyno_grammar *grammar = builder->grammar;
    uint32_t child = *at ? grammar->names[*at].child : 0;

    while (child && grammar->names[child].byte != byte) {
        child = grammar->names[child].sibling;
    }
    if (!child) {
        if (grammar->name_count == DYNO_NAMES_MAX) {
            return dyno_fail(builder->error, DYNO_FULL,
                             "schema: names of properties of more than %d bytes", DYNO_NAMES_MAX);
        }
        if (!dyno_array_reserve(&grammar->names, &grammar->name_capacity, grammar->name_count + 1U,
                                sizeof *grammar->names)) {
            return dyno_schema_no_memory(builder);
        }
        child = grammar->name_count++;
        grammar->names[child] = (struct dyno_name){.byte = byte, .property = DYNO_NO_PROPERTY};
        if (*at) {
            grammar->names[child].sibling = grammar->names[*at].child;
            grammar->names[*at].child = child;
        }
    }
    *at = child;
    return DYNO_OK;
}

static dyno_status add_name(struct dyno_schema_builder *builder, const struct dyno_schema *schema,
                            uint32_t root, const char *name, uint32_t property)
{
    size_t size = strlen(name), spelled_size;
    char *spelled = malloc(2 * size + 1);
    uint32_t at = root;
    dyno_status status = DYNO_OK;

    if (!spelled) {
        return dyno_schema_no_memory(builder);
    }
    spelled_size = dyno_spell(spelled, name, size);
    if (size > 0 && spelled_size == 0) {
        status = dyno_schema_fail(builder, schema->place, "properties", DYNO_UNSUPPORTED,
                                  "a name with a control character");
    }
    for (size_t i = 0; status == DYNO_OK && i < spelled_size; i++) {
        builder->grammar->names[at].below |= 1ULL << property;
        status = add_name_byte(builder, &at, (uint8_t)spelled[i]);
    }
    if (status == DYNO_OK) {
        builder->grammar->names[at].below |= 1ULL << property;
        builder->grammar->names[at].property = (uint8_t)property;
    }
    free(spelled);
    return status;
}

/* The node of properties that have no name in the schema; NONE: there must be none. */
static dyno_status read_rest(struct dyno_schema_builder *builder, const struct dyno_schema *schema,
                             uint32_t *out)
{
    const json_t *rest = json_object_get(schema->json, "additionalProperties");

    if (!rest && !builder->options->strict) {
        return dyno_schema_any(builder, out);
    }
    if (!rest || json_is_false(rest)) {
        *out = DYNO_NODE_NONE;
        return DYNO_OK;
    }
    return node_under(builder, schema, "additionalProperties", rest, out);
}

dyno_status dyno_schema_fill_object(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema)
{
    struct properties properties = {.count = 0};
    struct dyno_node *object;
    uint64_t required = 0;
    uint32_t rest = DYNO_NODE_NONE, root = 0;

    DYNO_TRY(read_rest(builder, schema, &rest));
    DYNO_TRY(read_properties(builder, schema, &properties));
    DYNO_TRY(read_required(builder, schema, &properties, rest, &required));
    DYNO_TRY(add_name_byte(builder, &root, 0));
    for (uint32_t i = 0; i < properties.count; i++) {
        DYNO_TRY(add_name(builder, schema, root, properties.name[i], i));
    }
    DYNO_TRY(dyno_schema_set_members(builder, node, properties.node, properties.count));
    object = &builder->grammar->nodes[node];
    object->kind = DYNO_NODE_OBJECT;
    object->rest = rest;
    object->start = root;
    object->required = required;
    object->ordered = builder->options->strict;
    return DYNO_OK;
}

/* One step of a JSON pointer, with ~0, ~1 and %XX undone, into step[size].  False: too long. */
static bool read_step(const char **at, char *step, size_t size)
{
    size_t length = 0;

    for (; **at && **at != '/'; (*at)++) {
        char byte = **at, hex[3] = {0};

        if (byte == '~' && ((*at)[1] == '0' || (*at)[1] == '1')) {
            byte = *++(*at) == '0' ? '~' : '/';
        } else if (byte == '%' && (*at)[1] && (*at)[2]) {
            char *end;

            memcpy(hex, *at + 1, 2);
            byte = (char)strtoul(hex, &end, 16);
            if (end != hex + 2) {
                return false;
            }
            *at += 2;
        }
        if (length + 1 == size) {
            return false;
        }
        step[length++] = byte;
    }
    step[length] = '\0';
    return true;
}

/* What the pointer behind '#' names, or NULL. */
static const json_t *resolve(const json_t *document, const char *pointer)
{
    const json_t *at = document;
    char step[1024];

    while (at && *pointer == '/') {
        pointer++;
        if (!read_step(&pointer, step, sizeof step)) {
            return NULL;
        }
        if (json_is_array(at)) {
            char *end;
            unsigned long index = strtoul(step, &end, 10);

            at = *step >= '0' && *step <= '9' && !*end ? json_array_get(at, index) : NULL;
        } else {
            at = json_object_get(at, step);
        }
    }
    return *pointer ? NULL : at;
}

dyno_status dyno_schema_fill_ref(struct dyno_schema_builder *builder, uint32_t node,
                                 const struct dyno_schema *schema)
{
    const char *text = json_string_value(json_object_get(schema->json, "$ref"));
    const json_t *target = text && *text == '#' ? resolve(builder->document, text + 1) : NULL;
    uint32_t place = 0, other = 0;

    if (!target) {
        return dyno_schema_fail(builder, schema->place, "$ref",
                                text && *text != '#' ? DYNO_UNSUPPORTED : DYNO_BAD_INPUT,
                                "a reference to nothing in this document ('#/$defs/NAME')");
    }
    if (text[1]) {
        DYNO_TRY(dyno_schema_place(builder, 0, text + 2, 0, &place));
    }
    DYNO_TRY(dyno_schema_node(builder, target, place, &other));
    return dyno_schema_set_members(builder, node, &other, 1);
}
