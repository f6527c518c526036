/* The inside of a token trie.  For the files of this folder. */
#ifndef DYNO_BACKENDS_GRAMMAR_TOKEN_TRIE_PARTS_H
#define DYNO_BACKENDS_GRAMMAR_TOKEN_TRIE_PARTS_H

#include <stdbool.h>

#include "backends/grammar/token_trie.h"

#define DYNO_TOKEN_NONE UINT32_MAX

/* In preorder: the first child of a node that has any is the next one. */
struct dyno_trie_node {
    uint32_t skip;  /* the node behind all that begin with this one */
    uint32_t token; /* whose bytes end here, the first of those that are alike; NONE */
    uint8_t byte;
    uint8_t depth; /* from 1 */
};

/* A token that stays inside a JSON string in which it begins, between two characters. */
struct dyno_trie_inside {
    uint32_t token, characters; /* that it begins */
    bool plain;                 /* it has neither \u nor \/ */
};

/* A node whose last byte is the quote that ends such a string. */
struct dyno_trie_exit {
    uint32_t node, characters;
    bool plain;
};

struct dyno_token_trie {
    struct dyno_trie_node *nodes;
    uint32_t *alike;      /* [token_count]: the next token with the same bytes; NONE */
    uint32_t *byte_begin; /* [token_count] */
    uint32_t *byte_size;  /* [token_count] */
    char *bytes;
    struct dyno_trie_inside *inside; /* those with most characters first */
    struct dyno_trie_exit *exits;
    size_t bytes_size;
    uint32_t node_count, node_capacity, token_count, inside_count, exit_count, exit_capacity;
    uint32_t depth_max;
    uint32_t opens_max; /* '[' and '{' in one token */
};

/* Find what stays in a string and what leaves it; the nodes are there. */
dyno_status dyno_token_trie_find_inside(struct dyno_token_trie *trie);

#endif
