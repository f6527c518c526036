/* Which tokens may come next: the mask of a state, found by a walk over a grammar's automaton and a
 * vocabulary's trie at once, and kept.
 *
 * A mask depends on the readings of the state, on as many frames around them as the walk has looked
 * into, on counts only near their bounds, and on the depth only near its maximum.  States that are
 * alike in these have one mask, so inside strings and between values nearly all are found.  What is
 * kept has a maximum; when it is reached everything is forgotten.
 *
 * One thread's: each has its own, of a grammar and a trie that they share.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_MASKS_H
#define DYNO_BACKENDS_GRAMMAR_MASKS_H

#include <stddef.h>
#include <stdint.h>

#include "backends/grammar/grammar.h"
#include "backends/grammar/token_trie.h"

struct dyno_grammar_masks;

struct dyno_grammar_masks_options {
    uint32_t vocab;       /* bits of a mask; tokens from it on are never allowed */
    const uint32_t *ends; /* [end_count]: tokens that end a text; copied */
    uint32_t end_count;
    size_t bytes_max; /* to be kept in masks: each has vocab / 8; no fewer than 4 are kept */
};

struct dyno_grammar_masks_counts {
    uint64_t found, made; /* masks that were kept, and that were not */
    size_t bytes;         /* that it takes now */
};

/* The grammar and the trie must outlive it.  On success *out is the caller's to close.  Errors:
 * DYNO_NO_MEMORY. */
dyno_status dyno_grammar_masks_open(struct dyno_grammar_masks **out,
                                    const struct dyno_grammar *grammar,
                                    const struct dyno_token_trie *trie,
                                    const struct dyno_grammar_masks_options *options,
                                    struct dyno_error *error);
void dyno_grammar_masks_close(struct dyno_grammar_masks *masks); /* NULL: no effect */

/* Set in allowed[(vocab + 63) / 64] the bits of the tokens that may follow `state`: those whose
 * bytes dyno_grammar_advance takes, and the ends where the text is complete; clear all others.
 * Returns how many these are.  0: the vocabulary has no token with which the text could go on. */
uint32_t dyno_grammar_mask(struct dyno_grammar_masks *masks, const struct dyno_grammar_state *state,
                           uint64_t *allowed);

struct dyno_grammar_masks_counts dyno_grammar_masks_counts(const struct dyno_grammar_masks *masks);

#endif
