/* Finding the tokens that are matched in text before everything else: a trie over their bytes. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_ADDED_TOKENS_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/vocabulary.h"
#include "core/base/map.h"
#include "core/base/status.h"

struct dyno_added_tokens {
    struct dyno_map child_of; /* node << 8 | byte -> node; the root is 0 */
    uint32_t *token_of;       /* [node_count]: the token that ends here, or UINT32_MAX */
    bool *leads_to_control;   /* [node_count]: a CONTROL token goes on from here */
    uint32_t node_count, node_capacity;
    bool normalized; /* those that are matched in normalised text, else the others; set it first */
    bool begins[2][256];     /* [control too]: whether a token begins with the byte */
    uint32_t first_count[2]; /* [control too]: of those bytes ... */
    unsigned char only[2];   /* ... and the last one that came; where it is one, it is searched for
                                and not every byte looked at */
};

struct dyno_added_match {
    size_t start, end; /* with the blanks that the token takes */
    uint32_t id;       /* UINT32_MAX: there is none; start and end are the text's size */
};

/* Places in a text that no CONTROL token may begin at or reach across, ascending. */
struct dyno_added_fences {
    const size_t *at; /* [count] */
    size_t count;
};

/* From `at` to the first fence there or behind it; SIZE_MAX: there is none. */
size_t dyno_added_room_to_fence(struct dyno_added_fences fences, size_t at);

void dyno_added_tokens_release(struct dyno_added_tokens *added);

/* Zero-initialise first.  The token `id`, matched by text[size].  Of several tokens with one text
 * the first one added counts. */
dyno_status dyno_added_tokens_add(struct dyno_added_tokens *added, const struct dyno_token *tokens,
                                  uint32_t id, const char *text, size_t size);

/* The first and, of those that begin there, the longest token in text[size] from `from` on; CONTROL
 * tokens only if `control`, and not where there are fences. */
struct dyno_added_match dyno_added_tokens_find(const struct dyno_added_tokens *added,
                                               const struct dyno_token *tokens, const char *text,
                                               size_t size, size_t from, bool control,
                                               struct dyno_added_fences fences);

/* Whether a CONTROL token begins at text[0], or may begin there if something goes on where
 * text[size] (well-formed UTF-8), or what is left of it without the blanks at its end, ends. */
bool dyno_added_tokens_threaten(const struct dyno_added_tokens *added,
                                const struct dyno_token *tokens, const char *text, size_t size);

/* The token with exactly this text, or UINT32_MAX. */
uint32_t dyno_added_tokens_named(const struct dyno_added_tokens *added, const char *text,
                                 size_t size);

#endif
