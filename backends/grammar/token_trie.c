/* Tokens are sorted by their bytes; what each has in common with the one before it is there
 * already, the rest are new nodes. */
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/token_trie_parts.h"
#include "core/base/array.h"

/* SentencePiece's space. */
#define LOWER_BLOCK "\xE2\x96\x81"

enum { LOWER_BLOCK_SIZE = 3 };

void dyno_token_trie_close(struct dyno_token_trie *trie)
{
    if (trie) {
        free(trie->nodes);
        free(trie->alike);
        free(trie->byte_begin);
        free(trie->byte_size);
        free(trie->bytes);
        free(trie->inside);
        free(trie->exits);
        free(trie);
    }
}

struct dyno_token_bytes dyno_token_trie_token(const struct dyno_token_trie *trie, uint32_t token)
{
    if (token >= trie->token_count) {
        return (struct dyno_token_bytes){NULL, 0};
    }
    return (struct dyno_token_bytes){trie->bytes + trie->byte_begin[token], trie->byte_size[token]};
}

size_t dyno_token_trie_bytes(const struct dyno_token_trie *trie)
{
    return sizeof *trie + trie->node_capacity * sizeof *trie->nodes +
           trie->token_count * (3 * sizeof(uint32_t) + sizeof *trie->inside) + trie->bytes_size +
           trie->exit_capacity * sizeof *trie->exits;
}

static bool is_text(const struct dyno_token *token)
{
    return token->size > 0 && token->size <= DYNO_TRIE_TOKEN_BYTES_MAX &&
           token->kind != DYNO_TOKEN_CONTROL && token->kind != DYNO_TOKEN_UNREACHABLE;
}

static bool copy_bytes(struct dyno_token_trie *trie, const struct dyno_vocabulary *vocabulary)
{
    size_t size = 0, at = 0;

    for (uint32_t id = 0; id < vocabulary->token_count; id++) {
        size += is_text(&vocabulary->tokens[id]) ? vocabulary->tokens[id].size : 0;
    }
    trie->bytes = malloc(size + 1);
    trie->bytes_size = size;
    for (uint32_t id = 0; trie->bytes && id < vocabulary->token_count; id++) {
        const struct dyno_token *token = &vocabulary->tokens[id];
        bool spaces = vocabulary->kind == DYNO_TOKENIZER_SPM && token->kind == DYNO_TOKEN_PLAIN;

        trie->byte_begin[id] = (uint32_t)at;
        for (uint32_t i = 0; is_text(token) && i < token->size; i++) {
            if (spaces && token->size - i >= LOWER_BLOCK_SIZE &&
                memcmp(token->bytes + i, LOWER_BLOCK, LOWER_BLOCK_SIZE) == 0) {
                trie->bytes[at++] = ' ';
                i += LOWER_BLOCK_SIZE - 1;
            } else {
                trie->bytes[at++] = token->bytes[i];
            }
        }
        trie->byte_size[id] = (uint32_t)at - trie->byte_begin[id];
    }
    return trie->bytes != NULL;
}

struct sorted {
    const char *bytes;
    uint32_t size, token;
};

static int by_bytes(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);

    if (order == 0) {
        order = a->size != b->size ? (a->size > b->size ? 1 : -1)
                                   : (a->token > b->token) - (a->token < b->token);
    }
    return order;
}

static uint32_t shared_bytes(const struct sorted *a, const struct sorted *b)
{
    uint32_t size = a->size < b->size ? a->size : b->size, i = 0;

    while (i < size && a->bytes[i] == b->bytes[i]) {
        i++;
    }
    return i;
}

/* `open[depth]` is the node of each depth that is not yet ended. */
static bool add_token(struct dyno_token_trie *trie, const struct sorted *one, uint32_t shared,
                      uint32_t open[])
{
    uint32_t opens = 0;

    for (uint32_t i = shared; i < one->size; i++) {
        if (!dyno_array_reserve(&trie->nodes, &trie->node_capacity, trie->node_count + 1U,
                                sizeof *trie->nodes)) {
            return false;
        }
        open[i] = trie->node_count;
        trie->nodes[trie->node_count++] = (struct dyno_trie_node){
            .token = DYNO_TOKEN_NONE, .byte = (uint8_t)one->bytes[i], .depth = (uint8_t)(i + 1)};
    }
    trie->nodes[open[one->size - 1]].token = one->token;
    trie->depth_max = one->size > trie->depth_max ? one->size : trie->depth_max;
    for (uint32_t i = 0; i < one->size; i++) {
        opens += one->bytes[i] == '[' || one->bytes[i] == '{';
    }
    trie->opens_max = opens > trie->opens_max ? opens : trie->opens_max;
    return true;
}

static bool add_tokens(struct dyno_token_trie *trie, const struct sorted *list, uint32_t count)
{
    uint32_t open[DYNO_TRIE_TOKEN_BYTES_MAX] = {0}, open_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t shared = i > 0 ? shared_bytes(&list[i - 1], &list[i]) : 0;

        if (i > 0 && shared == list[i].size) { /* they are alike */
            trie->alike[list[i - 1].token] = list[i].token;
            continue;
        }
        while (open_count > shared) {
            trie->nodes[open[--open_count]].skip = trie->node_count;
        }
        if (!add_token(trie, &list[i], shared, open)) {
            return false;
        }
        open_count = list[i].size;
    }
    while (open_count > 0) {
        trie->nodes[open[--open_count]].skip = trie->node_count;
    }
    return true;
}

static bool build(struct dyno_token_trie *trie)
{
    struct sorted *list = calloc(trie->token_count + 1U, sizeof *list);
    uint32_t count = 0;
    bool built;

    if (!list) {
        return false;
    }
    for (uint32_t id = 0; id < trie->token_count; id++) {
        trie->alike[id] = DYNO_TOKEN_NONE;
        if (trie->byte_size[id] > 0) {
            list[count++] =
                (struct sorted){trie->bytes + trie->byte_begin[id], trie->byte_size[id], id};
        }
    }
    qsort(list, count, sizeof *list, by_bytes);
    built = add_tokens(trie, list, count);
    free(list);
    return built;
}

dyno_status dyno_token_trie_open(struct dyno_token_trie **out,
                                 const struct dyno_vocabulary *vocabulary, struct dyno_error *error)
{
    struct dyno_token_trie *trie = calloc(1, sizeof *trie);
    size_t count = (size_t)vocabulary->token_count + 1;

    if (trie) {
        trie->token_count = vocabulary->token_count;
        trie->alike = calloc(count, sizeof *trie->alike);
        trie->byte_begin = calloc(count, sizeof *trie->byte_begin);
        trie->byte_size = calloc(count, sizeof *trie->byte_size);
    }
    if (!trie || !trie->alike || !trie->byte_begin || !trie->byte_size ||
        !copy_bytes(trie, vocabulary) || !build(trie) ||
        dyno_token_trie_find_inside(trie) != DYNO_OK) {
        dyno_token_trie_close(trie);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the trie of a vocabulary");
    }
    *out = trie;
    return DYNO_OK;
}
