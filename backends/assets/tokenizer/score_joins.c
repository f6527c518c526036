/* SentencePiece's rule as a list of joins.
 *
 * Its vocabularies have no merges: two neighbouring symbols may become one if their texts together
 * are a token, and the token with the highest score comes first.  Every token is cut at every
 * character; where both parts are symbols (a token, or any single character), that is a join. Equal
 * scores have equal rank, so that position decides between them. */
#include <math.h>
#include <stdlib.h>

#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/utf8.h"

/* Cutting a vocabulary costs the sum of its tokens' squared sizes; Llama 2's costs two million. */
#define CUT_COST_MAX ((uint64_t)1 << 32)

static int by_score(const void *left, const void *right)
{
    const struct dyno_token *const *a = left, *const *b = right;

    if ((*a)->score != (*b)->score) {
        return (*a)->score > (*b)->score ? -1 : 1;
    }
    return *a < *b ? -1 : *a > *b;
}

static bool is_one_character(const char *text, size_t size)
{
    size_t length;

    return dyno_utf8_look(text, size, &length) == DYNO_UTF8_GOOD && length == size;
}

/* A character that is no token, as a symbol behind the tokens. */
static uint32_t add_symbol(struct dyno_tokenizer *tokenizer, const char *text, size_t size)
{
    uint32_t id = tokenizer->token_count + tokenizer->symbol_count;

    if (id == tokenizer->symbol_capacity) {
        return DYNO_TOKEN_NONE;
    }
    tokenizer->tokens[id] = (struct dyno_token){.bytes = text, .size = (uint32_t)size};
    if (dyno_piece_table_put(&tokenizer->by_bytes, tokenizer->tokens, id) != DYNO_OK) {
        return DYNO_TOKEN_NONE;
    }
    tokenizer->symbol_count++;
    return id;
}

/* The symbol with this text, or DYNO_TOKEN_NONE. */
static uint32_t find_part(const struct dyno_tokenizer *tokenizer, const char *text, size_t size)
{
    return dyno_piece_table_find(&tokenizer->by_bytes, tokenizer->tokens, text, size);
}

static dyno_status cut(struct dyno_tokenizer *tokenizer, const struct dyno_token *token,
                       struct dyno_join join)
{
    size_t length;

    for (size_t at = 0; at < token->size; at += length) {
        size_t rest = token->size - at;
        uint32_t left, right;

        if (dyno_utf8_look(token->bytes + at, rest, &length) != DYNO_UTF8_GOOD) {
            return DYNO_OK; /* no text has it */
        }
        if (at == 0) {
            continue;
        }
        left = find_part(tokenizer, token->bytes, at);
        right = find_part(tokenizer, token->bytes + at, rest);
        if (left == DYNO_TOKEN_NONE && right != DYNO_TOKEN_NONE &&
            is_one_character(token->bytes, at)) {
            left = add_symbol(tokenizer, token->bytes, at);
        } else if (right == DYNO_TOKEN_NONE && left != DYNO_TOKEN_NONE &&
                   is_one_character(token->bytes + at, rest)) {
            right = add_symbol(tokenizer, token->bytes + at, rest);
        } else if (left == DYNO_TOKEN_NONE && right == DYNO_TOKEN_NONE &&
                   is_one_character(token->bytes, at) &&
                   is_one_character(token->bytes + at, rest)) {
            left = add_symbol(tokenizer, token->bytes, at);
            right = find_part(tokenizer, token->bytes + at, rest);
            right =
                right == DYNO_TOKEN_NONE ? add_symbol(tokenizer, token->bytes + at, rest) : right;
        }
        if (left != DYNO_TOKEN_NONE && right != DYNO_TOKEN_NONE) {
            join.left = left;
            join.right = right;
            DYNO_TRY(dyno_join_table_put(&tokenizer->joins, join));
        }
    }
    return DYNO_OK;
}

static dyno_status gather(const struct dyno_tokenizer *tokenizer, const struct dyno_token **order,
                          uint32_t *count, struct dyno_error *error)
{
    uint64_t cost = 0;

    for (uint32_t id = 0; id < tokenizer->token_count; id++) {
        const struct dyno_token *token = &tokenizer->tokens[id];

        if (token->size == 0 || token->kind != DYNO_TOKEN_PLAIN) {
            continue;
        }
        if (isnan(token->score)) {
            return dyno_fail(error, DYNO_BAD_INPUT, "the score of token %u is no number", id);
        }
        cost += (uint64_t)token->size * token->size;
        order[(*count)++] = token;
    }
    return cost <= CUT_COST_MAX ? DYNO_OK
                                : dyno_fail(error, DYNO_BAD_INPUT,
                                            "the tokens of the vocabulary are too long to be text");
}

dyno_status dyno_tokenizer_joins_of_scores(struct dyno_tokenizer *tokenizer,
                                           struct dyno_error *error)
{
    const struct dyno_token **order =
        malloc((tokenizer->token_count + 1U) * sizeof(struct dyno_token *));
    uint32_t count = 0, rank = 0;
    dyno_status status;

    if (!order) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a tokenizer");
    }
    status = gather(tokenizer, order, &count, error);
    if (status == DYNO_OK) {
        qsort(order, count, sizeof(struct dyno_token *), by_score);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < count; i++) {
        rank += i > 0 && order[i]->score != order[i - 1]->score;
        status = cut(
            tokenizer, order[i],
            (struct dyno_join){.rank = rank, .result = (uint32_t)(order[i] - tokenizer->tokens)});
    }
    free(order);
    return status;
}
