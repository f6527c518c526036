/* A grammar of JSON texts, and how far into one a sequence is: constrained decoding.
 *
 * A grammar is a pushdown automaton over bytes, made from a JSON Schema or from "any JSON"; it is
 * not changed after that and may be shared by threads.  A state is a value of the caller's: it is
 * copied by assignment, holds no memory and belongs to one grammar.
 *
 * From every state that can be reached the text can be ended: whatever a schema, a length or the
 * depth would make impossible later is refused as early as that.
 *
 * What is accepted of the texts that fit the schema, beside the limits below:
 *   white space  between the parts of an array or object: nothing, a space, or a line end and up to
 *                DYNO_GRAMMAR_INDENT_MAX spaces; after a colon and before the text: nothing or a
 *                space; none before commas and colons and none behind the text
 *   numbers      at most 18 digits before the point and 17 behind it, an exponent of at most 2
 *   names        of members, and strings with a pattern, in one spelling: no \u, no \/
 * docs/structured-output.md says which keywords of JSON Schema are understood, and how.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_GRAMMAR_H
#define DYNO_BACKENDS_GRAMMAR_GRAMMAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum {
    DYNO_GRAMMAR_DEPTH_MAX = 32,      /* arrays and objects inside each other */
    DYNO_GRAMMAR_READINGS_MAX = 16,   /* alternatives that one text may be in at once */
    DYNO_GRAMMAR_INDENT_MAX = 16,     /* spaces that begin a line */
    DYNO_GRAMMAR_NODES_MAX = 1 << 16, /* schemas in a schema */
    DYNO_GRAMMAR_MEMBERS_MAX = 64,    /* named properties of one object */
    DYNO_GRAMMAR_FRAMES_MAX = DYNO_GRAMMAR_READINGS_MAX * (DYNO_GRAMMAR_DEPTH_MAX + 1),
};

struct dyno_grammar;

struct dyno_grammar_options {
    /* Where a schema does not say: no additional properties (else any), and always the properties
     * in the order given (else in any order). */
    bool strict;
};

/* An array or object around a value. */
struct dyno_grammar_frame {
    uint64_t data; /* items begun, or the properties that were there */
    uint32_t node;
    uint16_t below; /* index of the frame around this one; NONE: it is the outermost */
    uint16_t depth; /* from 1 */
};

/* One way to read the text: where in which node. */
struct dyno_grammar_reading {
    uint64_t data; /* as a frame's; of a string, its characters */
    uint32_t node, local;
    uint16_t frame; /* around the node; NONE: it is the outermost */
};

struct dyno_grammar_state {
    uint32_t reading_count, frame_count;
    struct dyno_grammar_reading readings[DYNO_GRAMMAR_READINGS_MAX];
    struct dyno_grammar_frame frames[DYNO_GRAMMAR_FRAMES_MAX];
};

/* A grammar of the texts that `schema` allows.  On success *out is the caller's to close; on
 * failure it is untouched.  Errors name the place in the schema ("#/properties/age/minimum"):
 * DYNO_BAD_INPUT (no schema, or none that a text can satisfy), DYNO_UNSUPPORTED (a keyword that is
 * not understood here), DYNO_FULL (a limit), DYNO_NO_MEMORY. */
dyno_status dyno_grammar_of_schema(struct dyno_grammar **out, const json_t *schema,
                                   const struct dyno_grammar_options *options,
                                   struct dyno_error *error);

/* A grammar of any JSON value, or of any object. */
dyno_status dyno_grammar_of_any(struct dyno_grammar **out, bool object, struct dyno_error *error);

void dyno_grammar_close(struct dyno_grammar *grammar);         /* NULL: no effect */
size_t dyno_grammar_bytes(const struct dyno_grammar *grammar); /* that it takes */

/* Before the first byte. */
void dyno_grammar_begin(const struct dyno_grammar *grammar, struct dyno_grammar_state *state);

/* Whether the text may go on with bytes[size]; if not, the state is unchanged. */
bool dyno_grammar_advance(const struct dyno_grammar *grammar, struct dyno_grammar_state *state,
                          const char *bytes, size_t size);

/* Whether the text is complete; more may still be possible (digits). */
bool dyno_grammar_may_end(const struct dyno_grammar *grammar,
                          const struct dyno_grammar_state *state);

#endif
