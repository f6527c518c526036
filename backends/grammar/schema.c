/* The builder: places, nodes, and the list of schemas that wait. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/schema_parts.h"
#include "core/base/array.h"

enum { PLACE_TEXT_MAX = 512, PLACE_DEPTH_SHOWN = 64 };

/* "#/properties/a/items/0"; the middle of a deep one is left out. */
static void print_place(const struct dyno_schema_builder *builder, uint32_t place, const char *key,
                        char out[PLACE_TEXT_MAX])
{
    uint32_t chain[PLACE_DEPTH_SHOWN], depth = 0;
    size_t size = 1;

    for (; place != UINT32_MAX && builder->places[place].parent != UINT32_MAX;
         place = builder->places[place].parent) {
        chain[depth < PLACE_DEPTH_SHOWN ? depth++ : depth - 1] = place;
    }
    (void)snprintf(out, PLACE_TEXT_MAX, "#");
    while (depth > 0 && size < PLACE_TEXT_MAX) {
        const struct dyno_place *at = &builder->places[chain[--depth]];

        size += (size_t)(at->key ? snprintf(out + size, PLACE_TEXT_MAX - size, "/%s", at->key)
                                 : snprintf(out + size, PLACE_TEXT_MAX - size, "/%u", at->index));
    }
    if (key && size < PLACE_TEXT_MAX) {
        (void)snprintf(out + size, PLACE_TEXT_MAX - size, "/%s", key);
    }
}

dyno_status dyno_schema_fail(const struct dyno_schema_builder *builder, uint32_t place,
                             const char *key, dyno_status status, const char *format, ...)
{
    char where[PLACE_TEXT_MAX], what[DYNO_ERROR_TEXT_MAX / 2];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    print_place(builder, place, key, where);
    return dyno_fail(builder->error, status, "schema: %s at '%s'", what, where);
}

dyno_status dyno_schema_no_memory(const struct dyno_schema_builder *builder)
{
    return dyno_fail(builder->error, DYNO_NO_MEMORY, "no memory for a grammar");
}

dyno_status dyno_schema_place(struct dyno_schema_builder *builder, uint32_t parent, const char *key,
                              uint32_t index, uint32_t *out)
{
    if (!dyno_array_reserve(&builder->places, &builder->place_capacity, builder->place_count + 1U,
                            sizeof *builder->places)) {
        return dyno_schema_no_memory(builder);
    }
    builder->places[builder->place_count] = (struct dyno_place){key, parent, index};
    *out = builder->place_count++;
    return DYNO_OK;
}

dyno_status dyno_schema_add_node(struct dyno_schema_builder *builder, uint32_t place,
                                 struct dyno_node node, uint32_t *out)
{
    struct dyno_grammar *grammar = builder->grammar;

    if (grammar->node_count == DYNO_GRAMMAR_NODES_MAX) {
        return dyno_schema_fail(builder, place, NULL, DYNO_FULL, "more than %d schemas in it",
                                DYNO_GRAMMAR_NODES_MAX);
    }
    if (!dyno_array_reserve(&grammar->nodes, &grammar->node_capacity, grammar->node_count + 1U,
                            sizeof node) ||
        !dyno_array_reserve(&builder->place_of, &builder->place_of_capacity,
                            grammar->node_count + 1U, sizeof *builder->place_of)) {
        return dyno_schema_no_memory(builder);
    }
    builder->place_of[grammar->node_count] = place;
    grammar->nodes[grammar->node_count] = node;
    *out = grammar->node_count++;
    return DYNO_OK;
}

dyno_status dyno_schema_node(struct dyno_schema_builder *builder, const json_t *schema,
                             uint32_t place, uint32_t *out)
{
    const struct dyno_node empty = {.kind = DYNO_NODE_UNION, .rest = DYNO_NODE_NONE};
    uint32_t *known = dyno_map_find(&builder->node_of, (uint64_t)(uintptr_t)schema);
    uint32_t node = 0;

    if (known) {
        *out = *known;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_schema_add_node(builder, place, empty, &node));
    if (!dyno_map_put(&builder->node_of, (uint64_t)(uintptr_t)schema, node, NULL) ||
        !dyno_array_reserve(&builder->waiting, &builder->waiting_capacity,
                            builder->waiting_count + 1U, sizeof *builder->waiting)) {
        return dyno_schema_no_memory(builder);
    }
    builder->waiting[builder->waiting_count++] = (struct dyno_waiting){schema, node, place};
    *out = node;
    return DYNO_OK;
}

dyno_status dyno_schema_set_members(struct dyno_schema_builder *builder, uint32_t node,
                                    const uint32_t *nodes, uint32_t count)
{
    struct dyno_grammar *grammar = builder->grammar;

    if (grammar->member_count + (size_t)count > DYNO_MEMBERS_TOTAL_MAX) {
        return dyno_schema_fail(builder, builder->place_of[node], NULL, DYNO_FULL,
                                "more than %d properties, items and alternatives",
                                DYNO_MEMBERS_TOTAL_MAX);
    }
    if (!dyno_array_reserve(&grammar->members, &grammar->member_capacity,
                            grammar->member_count + (size_t)count, sizeof *nodes)) {
        return dyno_schema_no_memory(builder);
    }
    grammar->nodes[node].member_begin = grammar->member_count;
    grammar->nodes[node].member_count = count;
    if (count > 0) {
        memcpy(grammar->members + grammar->member_count, nodes, count * sizeof *nodes);
    }
    grammar->member_count += count;
    return DYNO_OK;
}

dyno_status dyno_schema_set_regular(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema, const char *key,
                                    struct dyno_parts *parts, struct dyno_piece piece)
{
    uint32_t start;
    dyno_status status = dyno_regular_add(&builder->grammar->regular, parts, piece, &start);

    if (status == DYNO_FULL) {
        return dyno_schema_fail(builder, schema->place, key, DYNO_FULL,
                                "an automaton of more than %d states or %d parts",
                                DYNO_REGULAR_STATES_MAX, DYNO_PARTS_MAX);
    }
    if (status != DYNO_OK) {
        return dyno_schema_no_memory(builder);
    }
    if (start != DYNO_REGULAR_EMPTY) { /* else it stays a union of nothing */
        builder->grammar->nodes[node].kind = DYNO_NODE_REGULAR;
        builder->grammar->nodes[node].start = start;
    }
    return DYNO_OK;
}

/* A regular node for a few words. */
static dyno_status add_words(struct dyno_schema_builder *builder, uint32_t *out)
{
    static const char *const words[] = {"null", "true", "false"};
    const struct dyno_schema document = {builder->document, 0};
    struct dyno_parts parts = {0};
    struct dyno_piece piece = dyno_piece_bytes(&parts, words[0], strlen(words[0]));
    dyno_status status;

    for (int i = 1; i < 3; i++) {
        piece =
            dyno_piece_either(&parts, piece, dyno_piece_bytes(&parts, words[i], strlen(words[i])));
    }
    status = dyno_schema_add_node(builder, 0, (struct dyno_node){.kind = DYNO_NODE_UNION}, out);
    if (status == DYNO_OK) {
        status = dyno_schema_set_regular(builder, *out, &document, NULL, &parts, piece);
    }
    dyno_parts_release(&parts);
    return status;
}

dyno_status dyno_schema_any(struct dyno_schema_builder *builder, uint32_t *out)
{
    const struct dyno_schema document = {NULL, 0};
    const struct dyno_node empty = {.kind = DYNO_NODE_UNION, .rest = DYNO_NODE_NONE};
    uint32_t any = 0, kinds[5] = {0};

    if (builder->any != DYNO_NODE_NONE) {
        *out = builder->any;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_schema_add_node(builder, 0, empty, &any));
    DYNO_TRY(dyno_schema_add_node(
        builder, 0, (struct dyno_node){.kind = DYNO_NODE_STRING, .max = UINT32_MAX}, &kinds[0]));
    DYNO_TRY(dyno_schema_add_node(builder, 0, empty, &kinds[1]));
    DYNO_TRY(dyno_schema_fill_number(builder, kinds[1], &document, false));
    DYNO_TRY(add_words(builder, &kinds[2]));
    DYNO_TRY(dyno_schema_add_node(
        builder, 0, (struct dyno_node){.kind = DYNO_NODE_ARRAY, .rest = any, .max = UINT32_MAX},
        &kinds[3]));
    DYNO_TRY(dyno_schema_add_node(
        builder, 0, (struct dyno_node){.kind = DYNO_NODE_OBJECT, .rest = any}, &kinds[4]));
    DYNO_TRY(dyno_schema_set_members(builder, any, kinds, 5));
    *out = builder->any = any;
    return DYNO_OK;
}

static dyno_status fill_waiting(struct dyno_schema_builder *builder)
{
    for (uint32_t i = 0; i < builder->waiting_count; i++) {
        struct dyno_waiting waiting = builder->waiting[i];
        struct dyno_schema schema = {waiting.schema, waiting.place};

        DYNO_TRY(dyno_schema_fill(builder, waiting.node, &schema));
    }
    return dyno_schema_finish(builder);
}

static dyno_status build_any(struct dyno_schema_builder *builder, bool object)
{
    struct dyno_grammar *grammar = builder->grammar;

    DYNO_TRY(dyno_schema_any(builder, &grammar->root));
    if (object) {
        const struct dyno_node *any = &grammar->nodes[grammar->root];

        grammar->root = grammar->members[any->member_begin + any->member_count - 1];
    }
    return dyno_schema_finish(builder);
}

static dyno_status build(struct dyno_schema_builder *builder, bool object)
{
    uint32_t place = 0;

    DYNO_TRY(dyno_schema_place(builder, UINT32_MAX, NULL, 0, &place));
    if (!builder->document) {
        return build_any(builder, object);
    }
    DYNO_TRY(dyno_schema_node(builder, builder->document, place, &builder->grammar->root));
    return fill_waiting(builder);
}

/* Of a schema, or without one of any value or object. */
static dyno_status open_grammar(struct dyno_grammar **out, struct dyno_schema_builder *builder,
                                bool object)
{
    dyno_status status;

    builder->any = DYNO_NODE_NONE;
    builder->grammar = calloc(1, sizeof *builder->grammar);
    if (!builder->grammar) {
        return dyno_schema_no_memory(builder);
    }
    builder->grammar->name_count = 1;
    status = build(builder, object);
    if (status == DYNO_OK) {
        *out = builder->grammar;
    } else {
        dyno_grammar_close(builder->grammar);
    }
    free(builder->places);
    free(builder->waiting);
    free(builder->place_of);
    dyno_map_release(&builder->node_of);
    return status;
}

dyno_status dyno_grammar_of_schema(struct dyno_grammar **out, const json_t *schema,
                                   const struct dyno_grammar_options *options,
                                   struct dyno_error *error)
{
    struct dyno_schema_builder builder = {.options = options, .error = error, .document = schema};

    return open_grammar(out, &builder, false);
}

dyno_status dyno_grammar_of_any(struct dyno_grammar **out, bool object, struct dyno_error *error)
{
    const struct dyno_grammar_options options = {.strict = false};
    struct dyno_schema_builder builder = {.options = &options, .error = error};

    return open_grammar(out, &builder, object);
}

void dyno_grammar_close(struct dyno_grammar *grammar)
{
    if (grammar) {
        dyno_regular_release(&grammar->regular);
        free(grammar->nodes);
        free(grammar->members);
        free(grammar->names);
        free(grammar);
    }
}

size_t dyno_grammar_bytes(const struct dyno_grammar *grammar)
{
    return sizeof *grammar + grammar->node_capacity * sizeof *grammar->nodes +
           grammar->member_capacity * sizeof *grammar->members +
           grammar->name_capacity * sizeof *grammar->names +
           grammar->regular.state_capacity * sizeof *grammar->regular.states +
           grammar->regular.edge_capacity * sizeof *grammar->regular.edges;
}
