/* The trie lies in preorder, so a walk is a loop: what a byte makes of the readings behind a node's
 * parent is kept by depth, and a node behind which there is no reading is skipped with all that
 * begin like it.
 *
 * Most of the time a text is inside a string, where most tokens may follow.  For that the trie
 * knows which tokens stay inside and where the others leave; only from there on there is something
 * to walk. */
#include "backends/grammar/walk.h"

#include <stdlib.h>
#include <string.h>

#include "backends/grammar/text_state.h"

bool dyno_walk_init(struct dyno_walk *walk, const struct dyno_grammar *grammar,
                    const struct dyno_token_trie *trie, uint32_t vocab)
{
    size_t depths = (size_t)trie->depth_max + 1;
    size_t frames = DYNO_GRAMMAR_FRAMES_MAX + depths * DYNO_GRAMMAR_READINGS_MAX;

    *walk = (struct dyno_walk){.machine = {.grammar = grammar}, .trie = trie, .vocab = vocab};
    walk->machine.frames = calloc(frames, sizeof *walk->machine.frames);
    walk->readings = calloc(depths, sizeof *walk->readings);
    walk->frame_count = calloc(depths, sizeof *walk->frame_count);
    return walk->machine.frames && walk->readings && walk->frame_count;
}

void dyno_walk_release(struct dyno_walk *walk)
{
    free(walk->machine.frames);
    free(walk->readings);
    free(walk->frame_count);
}

static void set_bit(const struct dyno_walk *walk, uint32_t token)
{
    if (token < walk->vocab) {
        walk->allowed[token / 64] |= 1ULL << (token % 64);
    }
}

static void allow(const struct dyno_walk *walk, const struct dyno_trie_node *node)
{
    for (uint32_t token = node->token; token != DYNO_TOKEN_NONE; token = walk->trie->alike[token]) {
        set_bit(walk, token);
    }
}

/* The nodes from `begin` to `end`, all of whose parents are either among them or that of the first.
 */
static void walk_nodes(struct dyno_walk *walk, uint32_t begin, uint32_t end)
{
    uint32_t i = begin;

    while (i < end) {
        const struct dyno_trie_node *node = &walk->trie->nodes[i];
        const struct dyno_readings *from = &walk->readings[node->depth - 1];
        struct dyno_readings *to = &walk->readings[node->depth];

        walk->machine.frame_count = walk->frame_count[node->depth - 1];
        dyno_machine_step(&walk->machine, from->list, from->count, node->byte, to);
        if (to->count == 0) {
            i = node->skip;
            continue;
        }
        walk->frame_count[node->depth] = walk->machine.frame_count;
        allow(walk, node);
        i++;
    }
}

/* The rest of a string: `left` more characters at most, `due` more before it ends. */
struct rest {
    uint64_t left, due;
    bool plain; /* without \u and \/ */
    struct dyno_grammar_reading behind;
};

/* Inside a string, between two characters. */
static void walk_string(struct dyno_walk *walk, const struct rest *rest)
{
    const struct dyno_token_trie *trie = walk->trie;

    for (uint32_t i = trie->inside_count; i-- > 0 && trie->inside[i].characters <= rest->left;) {
        if (trie->inside[i].plain || !rest->plain) {
            set_bit(walk, trie->inside[i].token);
        }
    }
    for (uint32_t i = 0; i < trie->exit_count; i++) {
        const struct dyno_trie_exit *leaves = &trie->exits[i];
        const struct dyno_trie_node *node = &trie->nodes[leaves->node];

        if (leaves->characters < rest->due || leaves->characters > rest->left ||
            (rest->plain && !leaves->plain)) {
            continue;
        }
        allow(walk, node);
        walk->readings[node->depth].list[0] = rest->behind;
        walk->readings[node->depth].count = 1;
        walk->frame_count[node->depth] = walk->frame_count[0];
        walk_nodes(walk, leaves->node + 1, node->skip);
    }
}

/* Whether the reading is inside a string and between two characters; then what its rest is. */
static bool find_rest(struct dyno_walk *walk, const struct dyno_grammar_reading *reading,
                      struct rest *rest)
{
    const struct dyno_grammar *grammar = walk->machine.grammar;
    const struct dyno_node *node;

    *rest = (struct rest){.left = UINT64_MAX};
    if (reading->node >= grammar->node_count) {
        return false;
    }
    node = &grammar->nodes[reading->node];
    if (node->kind != DYNO_NODE_STRING) {
        rest->plain = true;
        return dyno_machine_free_name(&walk->machine, reading, &rest->behind);
    }
    if (dyno_machine_text(reading) != DYNO_TEXT_BETWEEN) {
        return false;
    }
    if (node->max != UINT32_MAX) {
        rest->left = node->max - reading->data;
    }
    rest->due = node->min > reading->data ? node->min - reading->data : 0;
    if (rest->due <= walk->trie->depth_max) {
        rest->behind = dyno_machine_around(&walk->machine, reading->frame);
    }
    return true;
}

void dyno_walk_run(struct dyno_walk *walk, const struct dyno_grammar_state *state,
                   uint64_t *allowed)
{
    struct rest rest;

    walk->allowed = allowed;
    walk->machine.lowest = UINT32_MAX;
    walk->frame_count[0] = state->frame_count;
    memcpy(walk->machine.frames, state->frames, state->frame_count * sizeof *state->frames);
    if (state->reading_count == 1 && find_rest(walk, &state->readings[0], &rest)) {
        walk_string(walk, &rest);
        return;
    }
    walk->readings[0].count = state->reading_count;
    memcpy(walk->readings[0].list, state->readings, state->reading_count * sizeof *state->readings);
    walk_nodes(walk, 0, walk->trie->node_count);
}
