/* Which tokens stay inside a JSON string, and where others leave it: the same in every grammar, so
 * it is found once. */
#include <stdlib.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/text_state.h"
#include "backends/grammar/token_trie_parts.h"
#include "core/base/array.h"

/* Behind a node: where in a string, and how many characters were begun. */
struct behind {
    enum dyno_text_state text;
    uint32_t characters;
    bool plain;
};

static int most_first(const void *left, const void *right)
{
    const struct dyno_trie_inside *a = left, *b = right;

    if (a->characters != b->characters) {
        return a->characters < b->characters ? 1 : -1;
    }
    return (a->token > b->token) - (a->token < b->token);
}

dyno_status dyno_token_trie_find_inside(struct dyno_token_trie *trie)
{
    struct behind stack[DYNO_TRIE_TOKEN_BYTES_MAX + 1] = {{DYNO_TEXT_BETWEEN, 0, true}};
    uint32_t i = 0;

    trie->inside = calloc(trie->token_count + 1U, sizeof *trie->inside);
    if (!trie->inside) {
        return DYNO_NO_MEMORY;
    }
    while (i < trie->node_count) {
        const struct dyno_trie_node *node = &trie->nodes[i];
        struct behind at = stack[node->depth - 1];

        at.characters += at.text == DYNO_TEXT_BETWEEN;
        at.plain = at.plain && dyno_text_next(at.text, node->byte, true) != DYNO_TEXT_BAD;
        at.text = dyno_text_next(at.text, node->byte, false);
        if (at.text == DYNO_TEXT_END) {
            if (!dyno_array_reserve(&trie->exits, &trie->exit_capacity, trie->exit_count + 1U,
                                    sizeof *trie->exits)) {
                return DYNO_NO_MEMORY;
            }
            trie->exits[trie->exit_count++] =
                (struct dyno_trie_exit){i, at.characters - 1, at.plain};
        }
        if (at.text == DYNO_TEXT_END || at.text == DYNO_TEXT_BAD) {
            i = node->skip;
            continue;
        }
        stack[node->depth] = at;
        for (uint32_t token = node->token; token != DYNO_TOKEN_NONE; token = trie->alike[token]) {
            trie->inside[trie->inside_count++] =
                (struct dyno_trie_inside){token, at.characters, at.plain};
        }
        i++;
    }
    qsort(trie->inside, trie->inside_count, sizeof *trie->inside, most_first);
    return DYNO_OK;
}
