/* What a grammar is made of.  For the files of this folder.
 *
 * A node is a set of JSON values.  Strings, arrays and objects are run by hand-written automata
 * with counters, so that {"maxItems": 1000000} is two numbers; everything that has no counter
 * (numbers, words, enumerations, patterns) is a regular set of texts, run by a deterministic
 * automaton.  A union is read as all its members at once.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_NODES_H
#define DYNO_BACKENDS_GRAMMAR_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/grammar/grammar.h"
#include "backends/grammar/regular.h"

enum { DYNO_GRAMMAR_NONE = 0xffff }; /* no frame */

#define DYNO_NODE_NONE  UINT32_MAX
#define DYNO_NODE_DONE  (UINT32_MAX - 1) /* of a reading: the text is complete */
#define DYNO_NODE_BEGIN (UINT32_MAX - 2) /* of a reading: before the text */
#define DYNO_HEIGHT_MAX UINT32_MAX       /* no text of any height satisfies it */

enum dyno_node_kind {
    DYNO_NODE_UNION, /* of no member: the empty set */
    DYNO_NODE_STRING,
    DYNO_NODE_REGULAR,
    DYNO_NODE_ARRAY,
    DYNO_NODE_OBJECT,
};

struct dyno_node {
    enum dyno_node_kind kind;
    uint32_t height; /* arrays and objects inside each other in its lowest text */
    /* In `members` of the grammar: alternatives, the first items, or values of properties. */
    uint32_t member_begin, member_count;
    uint32_t rest;     /* node of further items, of additional properties; NONE */
    uint32_t min, max; /* characters or items; UINT32_MAX: no maximum */
    uint32_t start;    /* REGULAR: a state; OBJECT: the root of its names */
    uint64_t required; /* OBJECT: one bit a property */
    uint64_t possible; /* OBJECT: those whose values have a text */
    uint32_t tallest;  /* OBJECT: the greatest height among these */
    bool ordered;      /* OBJECT: properties come in their order */
};

/* Names of an object's properties as they are spelled in JSON, by their first bytes. */
struct dyno_name {
    uint64_t below;          /* properties whose names begin so */
    uint32_t child, sibling; /* 0: none */
    uint8_t byte;
    uint8_t property; /* whose name this is; NO_PROPERTY */
};

enum { DYNO_NAMES_MAX = 1 << 18, DYNO_NO_PROPERTY = 0xff };

struct dyno_grammar {
    struct dyno_node *nodes;
    uint32_t *members;
    struct dyno_name *names; /* the first is unused */
    struct dyno_regular regular;
    uint32_t node_count, node_capacity, member_count, member_capacity, name_count, name_capacity;
    uint32_t root;
    uint32_t height_max; /* of all nodes that have a text */
};

#endif
