/* What is found out once all nodes are there.
 *
 * A node's height is how many arrays and objects inside each other its lowest text has.  Heights
 * rise from those that need nothing; what has none after as many rounds as the depth allows has no
 * text that is low enough, and is left out wherever it may be. */
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/schema_parts.h"

enum { FLATTEN_WORK_MAX = 1 << 22 };

struct flattening {
    struct dyno_schema_builder *builder;
    uint32_t *stack, *seen; /* [node_count]; seen: the union in which a node was met, plus one */
    uint32_t *leaves;       /* [node_count] */
    uint64_t work;
};

/* The members of the union `node` that are none themselves, in their order. */
static uint32_t leaves_of(struct flattening *flat, uint32_t node)
{
    const struct dyno_grammar *grammar = flat->builder->grammar;
    uint32_t depth = 0, count = 0;

    flat->stack[depth++] = node;
    flat->seen[node] = node + 1;
    while (depth > 0) {
        uint32_t at = flat->stack[--depth];
        const struct dyno_node *value = &grammar->nodes[at];

        flat->work++;
        if (value->kind != DYNO_NODE_UNION) {
            flat->leaves[count++] = at;
            continue;
        }
        for (uint32_t i = value->member_count; i-- > 0;) {
            uint32_t member = grammar->members[value->member_begin + i];

            flat->work++;
            if (flat->seen[member] != node + 1) {
                flat->seen[member] = node + 1;
                flat->stack[depth++] = member;
            }
        }
    }
    return count;
}

static dyno_status flatten_all(struct flattening *flat)
{
    struct dyno_grammar *grammar = flat->builder->grammar;

    for (uint32_t i = 0; i < grammar->node_count; i++) {
        uint32_t count;

        if (grammar->nodes[i].kind != DYNO_NODE_UNION) {
            continue;
        }
        count = leaves_of(flat, i);
        if (flat->work > FLATTEN_WORK_MAX) {
            return dyno_schema_fail(flat->builder, flat->builder->place_of[i], NULL, DYNO_FULL,
                                    "alternatives and references that lead too far");
        }
        DYNO_TRY(dyno_schema_set_members(flat->builder, i, flat->leaves, count));
    }
    return DYNO_OK;
}

static dyno_status flatten(struct dyno_schema_builder *builder)
{
    size_t count = builder->grammar->node_count;
    struct flattening flat = {
        .builder = builder,
        .stack = calloc(count, sizeof(uint32_t)),
        .seen = calloc(count, sizeof(uint32_t)),
        .leaves = calloc(count, sizeof(uint32_t)),
    };
    dyno_status status = flat.stack && flat.seen && flat.leaves ? flatten_all(&flat)
                                                                : dyno_schema_no_memory(builder);

    free(flat.stack);
    free(flat.seen);
    free(flat.leaves);
    return status;
}

static uint32_t above(uint32_t height)
{
    return height < DYNO_GRAMMAR_DEPTH_MAX ? height + 1 : DYNO_HEIGHT_MAX;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* From what is known of the members' heights. */
static uint32_t height_of(const struct dyno_grammar *grammar, const struct dyno_node *node)
{
    /* A grammar in which no node has members has no list of them. */
    const uint32_t *members = node->member_count > 0 ? grammar->members + node->member_begin : NULL;
    uint32_t height = node->kind == DYNO_NODE_UNION ? DYNO_HEIGHT_MAX : 0;

    switch (node->kind) {
    case DYNO_NODE_UNION:
        for (uint32_t i = 0; i < node->member_count; i++) {
            uint32_t other = grammar->nodes[members[i]].height;

            height = other < height ? other : height;
        }
        break;
    case DYNO_NODE_ARRAY:
        for (uint32_t i = 0; i < node->member_count && i < node->min; i++) {
            height = larger(height, grammar->nodes[members[i]].height);
        }
        if (node->min > node->member_count) {
            height = larger(height, grammar->nodes[node->rest].height);
        }
        break;
    case DYNO_NODE_OBJECT:
        for (uint32_t i = 0; i < node->member_count; i++) {
            if (node->required >> i & 1) {
                height = larger(height, grammar->nodes[members[i]].height);
            }
        }
        break;
    default:
        break;
    }
    return node->kind == DYNO_NODE_ARRAY || node->kind == DYNO_NODE_OBJECT ? above(height) : height;
}

static void find_heights(struct dyno_grammar *grammar)
{
    bool changed = true;

    for (uint32_t i = 0; i < grammar->node_count; i++) {
        grammar->nodes[i].height = DYNO_HEIGHT_MAX;
    }
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < grammar->node_count; i++) {
            uint32_t height = height_of(grammar, &grammar->nodes[i]);

            changed = changed || height != grammar->nodes[i].height;
            grammar->nodes[i].height = height;
        }
    }
}

/* What an object may hold, and how high. */
static void find_possible(const struct dyno_grammar *grammar, struct dyno_node *object)
{
    for (uint32_t i = 0; i < object->member_count; i++) {
        uint32_t height = grammar->nodes[grammar->members[object->member_begin + i]].height;

        if (height != DYNO_HEIGHT_MAX) {
            object->possible |= 1ULL << i;
            object->tallest = larger(object->tallest, height);
        }
    }
}

static void count_first_bytes(const struct dyno_grammar *grammar, uint32_t node,
                              uint32_t begin[256])
{
    const struct dyno_node *value = &grammar->nodes[node];
    const struct dyno_regular_state *state;

    switch (value->kind) {
    case DYNO_NODE_STRING:
        begin['"']++;
        break;
    case DYNO_NODE_ARRAY:
        begin['[']++;
        break;
    case DYNO_NODE_OBJECT:
        begin['{']++;
        break;
    default:
        state = &grammar->regular.states[value->start];
        for (uint32_t i = 0; i < state->edge_count; i++) {
            const struct dyno_regular_edge *edge = &grammar->regular.edges[state->edge_begin + i];

            for (unsigned byte = edge->first; byte <= edge->last; byte++) {
                begin[byte]++;
            }
        }
        break;
    }
}

/* Leave out alternatives without a text; of the others no more may begin alike than are followed.
 */
static dyno_status check_union(const struct dyno_schema_builder *builder, uint32_t node)
{
    const struct dyno_grammar *grammar = builder->grammar;
    struct dyno_node *all = &builder->grammar->nodes[node];
    uint32_t *members = grammar->members + all->member_begin;
    uint32_t begin[256] = {0}, kept = 0;

    for (uint32_t i = 0; i < all->member_count; i++) {
        if (grammar->nodes[members[i]].height != DYNO_HEIGHT_MAX) {
            members[kept++] = members[i];
            count_first_bytes(grammar, members[i], begin);
        }
    }
    all->member_count = kept;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (begin[byte] > DYNO_GRAMMAR_READINGS_MAX) {
            return dyno_schema_fail(builder, builder->place_of[node], NULL, DYNO_FULL,
                                    "%u alternatives that begin with '%c', more than %d,",
                                    begin[byte], (int)byte, DYNO_GRAMMAR_READINGS_MAX);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_schema_finish(struct dyno_schema_builder *builder)
{
    struct dyno_grammar *grammar = builder->grammar;

    DYNO_TRY(flatten(builder));
    find_heights(grammar);
    for (uint32_t i = 0; i < grammar->node_count; i++) {
        struct dyno_node *node = &grammar->nodes[i];

        if (node->kind == DYNO_NODE_OBJECT) {
            find_possible(grammar, node);
        } else if (node->kind == DYNO_NODE_UNION) {
            DYNO_TRY(check_union(builder, i));
        }
        if (node->height != DYNO_HEIGHT_MAX) {
            grammar->height_max = larger(grammar->height_max, node->height);
        }
    }
    if (grammar->nodes[grammar->root].height == DYNO_HEIGHT_MAX) {
        return dyno_schema_fail(builder, 0, NULL, DYNO_BAD_INPUT,
                                "nothing that a text of up to %d levels could satisfy",
                                DYNO_GRAMMAR_DEPTH_MAX);
    }
    return DYNO_OK;
}
