/* A walk over automaton and trie at once.  For masks.c. */
#ifndef DYNO_BACKENDS_GRAMMAR_WALK_H
#define DYNO_BACKENDS_GRAMMAR_WALK_H

#include "backends/grammar/machine.h"
#include "backends/grammar/token_trie_parts.h"

struct dyno_walk {
    struct dyno_machine machine;
    const struct dyno_token_trie *trie;
    struct dyno_readings *readings; /* [depth_max + 1]: behind the node of each depth */
    uint32_t *frame_count;          /* [depth_max + 1] */
    uint64_t *allowed;
    uint32_t vocab;
};

/* Room for tokens of the trie's depth.  False when memory is out; then too the caller releases. */
bool dyno_walk_init(struct dyno_walk *walk, const struct dyno_grammar *grammar,
                    const struct dyno_token_trie *trie, uint32_t vocab);
void dyno_walk_release(struct dyno_walk *walk);

/* Set the bits of the tokens that may follow `state` in `allowed`, which is zero.  Afterwards
 * machine.lowest tells which frames were looked into. */
void dyno_walk_run(struct dyno_walk *walk, const struct dyno_grammar_state *state,
                   uint64_t *allowed);

#endif
