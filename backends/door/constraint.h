/* Answers that must be JSON: the grammars of the schemas that were asked for lately, and for each
 * answer the masks of one.
 *
 * Making a grammar and its masks is dear, so both are kept: a schema that comes again finds them
 * warm.  Whoever makes an answer takes a constraint for it; whoever frees the answer gives it back.
 * Both may be done by any thread.
 */
#ifndef DYNO_BACKENDS_DOOR_CONSTRAINT_H
#define DYNO_BACKENDS_DOOR_CONSTRAINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/vocabulary.h"
#include "core/base/status.h"

struct dyno_constraints;
struct dyno_constraint;

enum { DYNO_CONSTRAINTS_KEPT = 32 }; /* grammars */

/* `ends`: [end_count] tokens that end a text; copied.  On success *out is closed with
 * dyno_constraints_close, when every constraint was given back.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_constraints_open(struct dyno_constraints **out,
                                  const struct dyno_vocabulary *vocabulary, uint32_t vocab,
                                  const uint32_t *ends, uint32_t end_count,
                                  struct dyno_error *error);
void dyno_constraints_close(struct dyno_constraints *constraints); /* NULL: no effect */

/* A constraint to `schema`; NULL: to any JSON object.  From any thread.  On success *out is the
 * caller's (dyno_constraint_give).  Errors: those of dyno_grammar_of_schema. */
dyno_status dyno_constraint_take(struct dyno_constraints *constraints, const json_t *schema,
                                 bool strict, struct dyno_constraint **out,
                                 struct dyno_error *error);
/* Whether that is quickly done: the grammar is there. */
bool dyno_constraint_is_kept(struct dyno_constraints *constraints, const json_t *schema,
                             bool strict);
void dyno_constraint_give(struct dyno_constraint *constraint); /* NULL: no effect */

/* The tokens that may come next, one bit each; valid until the next call.  NULL: the vocabulary has
 * none with which the text could go on. */
const uint64_t *dyno_constraint_mask(struct dyno_constraint *constraint);

/* `token`, one of them and no end, has come. */
void dyno_constraint_advance(struct dyno_constraint *constraint, uint32_t token);

#endif
