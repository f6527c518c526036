/* Making a grammar of a schema.  For the files schema*.c.
 *
 * Every schema of the document becomes one node; the node is there before it is filled, so that
 * schemas may refer to each other in circles, and schemas wait in a list, so that depth costs no
 * stack.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_SCHEMA_PARTS_H
#define DYNO_BACKENDS_GRAMMAR_SCHEMA_PARTS_H

#include <jansson.h>

#include "backends/grammar/nodes.h"
#include "core/base/map.h"

enum { DYNO_MEMBERS_TOTAL_MAX = 1 << 18 };

/* Where a schema stands in the document: under `key`, or the `index` of an array, of another. */
struct dyno_place {
    const char *key; /* NULL: an index, or the document itself */
    uint32_t parent; /* UINT32_MAX: the document itself */
    uint32_t index;
};

struct dyno_waiting {
    const json_t *schema;
    uint32_t node, place;
};

struct dyno_schema_builder {
    struct dyno_grammar *grammar;
    const struct dyno_grammar_options *options;
    struct dyno_error *error;
    const json_t *document;
    struct dyno_place *places;
    struct dyno_waiting *waiting; /* those below waiting_done are filled */
    uint32_t *place_of;           /* [node_count] */
    struct dyno_map node_of;      /* address of a schema -> its node */
    uint32_t place_count, place_capacity, waiting_count, waiting_capacity, place_of_capacity;
    uint32_t any; /* the node of any JSON; NONE: not yet made */
};

/* Groups of keywords; a schema's keywords are a set of them. */
enum dyno_keywords {
    DYNO_KEYWORD_NOTE = 1, /* says nothing about values */
    DYNO_KEYWORD_TYPE = 2,
    DYNO_KEYWORD_STRING = 4,
    DYNO_KEYWORD_NUMBER = 8,
    DYNO_KEYWORD_ARRAY = 16,
    DYNO_KEYWORD_OBJECT = 32,
    DYNO_KEYWORD_UNION = 64,
    DYNO_KEYWORD_ENUM = 128,
    DYNO_KEYWORD_REF = 256,
};

/* A schema that is being filled. */
struct dyno_schema {
    const json_t *json;
    uint32_t place;
};

/* "WHAT at '#/place/key'". */
dyno_status dyno_schema_fail(const struct dyno_schema_builder *builder, uint32_t place,
                             const char *key, dyno_status status, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
dyno_status dyno_schema_no_memory(const struct dyno_schema_builder *builder);

/* The place under `key` (or, with NULL, at `index`) of another. */
dyno_status dyno_schema_place(struct dyno_schema_builder *builder, uint32_t parent, const char *key,
                              uint32_t index, uint32_t *out);

/* A node of the caller's making. */
dyno_status dyno_schema_add_node(struct dyno_schema_builder *builder, uint32_t place,
                                 struct dyno_node node, uint32_t *out);

/* The node of a schema in the document, which is filled later. */
dyno_status dyno_schema_node(struct dyno_schema_builder *builder, const json_t *schema,
                             uint32_t place, uint32_t *out);

/* The node of any JSON. */
dyno_status dyno_schema_any(struct dyno_schema_builder *builder, uint32_t *out);

/* Make `node` the union, or give it the members, of nodes[count]. */
dyno_status dyno_schema_set_members(struct dyno_schema_builder *builder, uint32_t node,
                                    const uint32_t *nodes, uint32_t count);

/* A whole number from 0 under `key`, or what it is without. */
dyno_status dyno_schema_count(const struct dyno_schema_builder *builder,
                              const struct dyno_schema *schema, const char *key, uint32_t otherwise,
                              uint32_t *out);

/* Make `node` the regular set `piece`; `key` is what is to blame when it is too large. */
dyno_status dyno_schema_set_regular(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema, const char *key,
                                    struct dyno_parts *parts, struct dyno_piece piece);

/* Make `node` what a schema says, or what it says of one type. */
dyno_status dyno_schema_fill(struct dyno_schema_builder *builder, uint32_t node,
                             const struct dyno_schema *schema);
dyno_status dyno_schema_fill_string(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema);
dyno_status dyno_schema_fill_number(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema, bool whole);
dyno_status dyno_schema_fill_array(struct dyno_schema_builder *builder, uint32_t node,
                                   const struct dyno_schema *schema);
dyno_status dyno_schema_fill_object(struct dyno_schema_builder *builder, uint32_t node,
                                    const struct dyno_schema *schema);
dyno_status dyno_schema_fill_ref(struct dyno_schema_builder *builder, uint32_t node,
                                 const struct dyno_schema *schema);

/* An enumeration: `enum` or `const` of one schema, or of several together.  *taken says which of
 * the schemas[count] have nothing but that. */
dyno_status dyno_schema_fill_enum(struct dyno_schema_builder *builder, uint32_t node,
                                  const struct dyno_schema *schemas, uint32_t count);

/* The groups of a schema's keywords.  Errors: DYNO_UNSUPPORTED, with the keyword's place. */
dyno_status dyno_schema_keywords(const struct dyno_schema_builder *builder,
                                 const struct dyno_schema *schema, unsigned *out);

/* Whether `value` is of the type called `name`. */
bool dyno_schema_is_type(const json_t *value, const char *name);

/* Unions of unions become flat, heights are found, and what has no text is left out. */
dyno_status dyno_schema_finish(struct dyno_schema_builder *builder);

#endif
