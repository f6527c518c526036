/* Making a tokenizer from a vocabulary. */
#include "backends/assets/tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/joiner.h"
#include "backends/assets/tokenizer/normalise.h"
#include "backends/assets/tokenizer/patterns.h"
#include "backends/assets/tokenizer/tokenizer_parts.h"
#include "core/base/utf8.h"

enum { TOKENS_MAX = 1 << 24, MERGES_MAX = 1 << 26, SPLITTERS_MAX = 16, TOKEN_BYTES_MAX = 1 << 20 };

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a tokenizer");
}

void dyno_tokenizer_close(struct dyno_tokenizer *tokenizer)
{
    if (!tokenizer) {
        return;
    }
    for (uint32_t i = 0; i < tokenizer->splitter_count; i++) {
        dyno_splitter_close(tokenizer->splitters[i]);
    }
    free(tokenizer->splitters);
    dyno_added_tokens_release(&tokenizer->added);
    dyno_added_tokens_release(&tokenizer->late);
    dyno_piece_table_release(&tokenizer->by_bytes);
    dyno_join_table_release(&tokenizer->joins);
    free(tokenizer->whole);
    free(tokenizer->tokens);
    free(tokenizer->bytes);
    free(tokenizer);
}

/* Every character of a token that is no character itself may be a symbol. */
static dyno_status copy_tokens(struct dyno_tokenizer *tokenizer,
                               const struct dyno_vocabulary *vocabulary, struct dyno_error *error)
{
    size_t size = 0, symbols = 0, used = 0;

    for (uint32_t id = 0; id < vocabulary->token_count; id++) {
        if (vocabulary->tokens[id].size > TOKEN_BYTES_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT, "token %u is longer than %d bytes", id,
                             TOKEN_BYTES_MAX);
        }
        size += vocabulary->tokens[id].size;
        symbols += vocabulary->tokens[id].size > 1 ? 2 : 0;
    }
    symbols = vocabulary->kind == DYNO_TOKENIZER_SPM && vocabulary->merge_count == 0 ? symbols : 0;
    tokenizer->symbol_capacity = (uint32_t)(vocabulary->token_count + symbols);
    tokenizer->tokens = calloc(tokenizer->symbol_capacity + 1U, sizeof *tokenizer->tokens);
    tokenizer->bytes = malloc(size + 1);
    tokenizer->whole = calloc(vocabulary->token_count + 1U, sizeof *tokenizer->whole);
    if (!tokenizer->tokens || !tokenizer->bytes || !tokenizer->whole) {
        return no_memory(error);
    }
    for (uint32_t id = 0; id < vocabulary->token_count; id++) {
        struct dyno_token *token = &tokenizer->tokens[id];

        *token = vocabulary->tokens[id];
        token->bytes = tokenizer->bytes + used;
        if (token->size > 0) {
            memcpy(tokenizer->bytes + used, vocabulary->tokens[id].bytes, token->size);
        }
        used += token->size;
        if (token->size > tokenizer->token_bytes_max) {
            tokenizer->token_bytes_max = token->size;
        }
    }
    tokenizer->token_count = vocabulary->token_count;
    return DYNO_OK;
}

/* The text of a token as text is normalised; *out is to be freed. */
static dyno_status normalised_text(const struct dyno_vocabulary *vocabulary,
                                   const struct dyno_token *token, char **out, size_t *out_size)
{
    struct dyno_normaliser normaliser = {.capacity = 0};
    const char *text = token->bytes;
    size_t size = token->size, written = 0;
    dyno_status status = DYNO_OK;
    char *made = NULL;

    if (vocabulary->nfc && dyno_utf8_valid(text, size, NULL) == size && !dyno_is_nfc(text, size)) {
        status = dyno_normalise(&normaliser, text, size, &text, &size);
    }
    if (status == DYNO_OK) {
        made = malloc((size + 1) * DYNO_LOWER_BLOCK_SIZE);
        status = made ? DYNO_OK : DYNO_NO_MEMORY;
    }
    if (made && vocabulary->marks_first && vocabulary->prefix_space) {
        memcpy(made, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE);
        written = DYNO_LOWER_BLOCK_SIZE;
    }
    for (size_t i = 0; made && i < size; i++) {
        bool is_marked = vocabulary->marks_first && text[i] == ' ';

        memcpy(made + written, is_marked ? DYNO_LOWER_BLOCK : text + i,
               is_marked ? DYNO_LOWER_BLOCK_SIZE : 1);
        written += is_marked ? DYNO_LOWER_BLOCK_SIZE : 1;
    }
    dyno_normaliser_release(&normaliser);
    *out = made;
    *out_size = written;
    return status;
}

static dyno_status file_added(struct dyno_tokenizer *tokenizer, uint32_t id)
{
    const struct dyno_token *token = &tokenizer->tokens[id];
    dyno_status status;
    size_t size;
    char *text;

    DYNO_TRY(
        dyno_added_tokens_add(&tokenizer->added, tokenizer->tokens, id, token->bytes, token->size));
    if (!token->normalized) {
        return DYNO_OK;
    }
    DYNO_TRY(normalised_text(&tokenizer->vocabulary, token, &text, &size));
    tokenizer->late.normalized = true;
    status = dyno_added_tokens_add(&tokenizer->late, tokenizer->tokens, id, text, size);
    free(text);
    return status;
}

/* Longer texts first does not matter to the trie; ids in order, so that the first of two counts. */
static dyno_status file_token(struct dyno_tokenizer *tokenizer, uint32_t id)
{
    const struct dyno_token *token = &tokenizer->tokens[id];
    bool plain = token->kind == DYNO_TOKEN_PLAIN;
    bool byte_level = tokenizer->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL;

    if (token->size == 0 || token->kind == DYNO_TOKEN_UNREACHABLE) {
        return DYNO_OK;
    }
    if (token->size == 1 && (byte_level ? plain : token->kind == DYNO_TOKEN_BYTE)) {
        tokenizer->byte_token[(unsigned char)token->bytes[0]] = id;
    }
    if (plain) {
        return dyno_piece_table_put(&tokenizer->by_bytes, tokenizer->tokens, id);
    }
    return token->kind == DYNO_TOKEN_BYTE ? DYNO_OK : file_added(tokenizer, id);
}

static dyno_status file_tokens(struct dyno_tokenizer *tokenizer, struct dyno_error *error)
{
    memset(tokenizer->byte_token, 0xff, sizeof tokenizer->byte_token);
    for (uint32_t id = 0; id < tokenizer->token_count; id++) {
        if (file_token(tokenizer, id) != DYNO_OK) {
            return no_memory(error);
        }
    }
    return DYNO_OK;
}

static dyno_status add_merges(struct dyno_tokenizer *tokenizer,
                              const struct dyno_vocabulary *vocabulary, struct dyno_error *error)
{
    for (uint32_t i = 0; i < vocabulary->merge_count; i++) {
        const struct dyno_merge *merge = &vocabulary->merges[i];

        if (merge->left >= vocabulary->token_count || merge->right >= vocabulary->token_count ||
            merge->result >= vocabulary->token_count) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "merge %u names tokens %u, %u and %u, but there are %u", i,
                             merge->left, merge->right, merge->result, vocabulary->token_count);
        }
        if (tokenizer->tokens[merge->left].size + tokenizer->tokens[merge->right].size !=
            tokenizer->tokens[merge->result].size) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "merge %u: token %u is not token %u followed by token %u", i,
                             merge->result, merge->left, merge->right);
        }
        if (dyno_join_table_put(&tokenizer->joins, (struct dyno_join){merge->left, merge->right, i,
                                                                      merge->result}) != DYNO_OK) {
            return no_memory(error);
        }
    }
    return DYNO_OK;
}

/* Whether U+2581 is nowhere inside a token but behind another; only then is every join within a
 * word, and words can be taken one by one. */
static bool words_are_apart(const struct dyno_tokenizer *tokenizer)
{
    for (uint32_t id = 0; id < tokenizer->token_count; id++) {
        const struct dyno_token *token = &tokenizer->tokens[id];
        bool inside = false;

        for (uint32_t at = 0; token->kind == DYNO_TOKEN_PLAIN && at < token->size; at++) {
            bool block = token->size - at >= DYNO_LOWER_BLOCK_SIZE &&
                         memcmp(token->bytes + at, DYNO_LOWER_BLOCK, DYNO_LOWER_BLOCK_SIZE) == 0;

            if (block && inside) {
                return false;
            }
            inside = !block;
            at += block ? DYNO_LOWER_BLOCK_SIZE - 1 : 0;
        }
    }
    return dyno_piece_table_find(&tokenizer->by_bytes, tokenizer->tokens, DYNO_LOWER_BLOCK,
                                 DYNO_LOWER_BLOCK_SIZE) != DYNO_TOKEN_NONE;
}

static void note_neighbours(struct dyno_tokenizer *tokenizer)
{
    for (uint32_t id = 0; id < tokenizer->token_count; id++) {
        const struct dyno_token *token = &tokenizer->tokens[id];

        for (uint32_t at = 1; at < token->size; at++) {
            unsigned char left = (unsigned char)token->bytes[at - 1];
            unsigned char right = (unsigned char)token->bytes[at];

            if (left < DYNO_LETTERS && right < DYNO_LETTERS) {
                tokenizer->beside[left][right / 64] |= (uint64_t)1 << right % 64;
            }
        }
    }
}

/* Bytes that are in no UTF-8 need no token. */
static dyno_status check_bytes(const struct dyno_tokenizer *tokenizer, struct dyno_error *error)
{
    bool byte_level = tokenizer->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL;

    for (uint32_t byte = 0; byte < 256; byte++) {
        bool in_text = byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);

        if (in_text && tokenizer->byte_token[byte] == DYNO_TOKEN_NONE &&
            tokenizer->vocabulary.unknown == DYNO_TOKEN_NONE) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the vocabulary has no %s for byte 0x%02X and no unknown token, so "
                             "that not every text could be written in it",
                             byte_level ? "token" : "<0xNN>", byte);
        }
    }
    return DYNO_OK;
}

static dyno_status check_special(const struct dyno_tokenizer *tokenizer, const char *name,
                                 uint32_t id, bool needed, struct dyno_error *error)
{
    if (id == DYNO_TOKEN_NONE && !needed) {
        return DYNO_OK;
    }
    if (id >= tokenizer->token_count || tokenizer->tokens[id].size == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the %s token %u is no token of the vocabulary",
                         name, id);
    }
    return DYNO_OK;
}

static dyno_status add_splitters(struct dyno_tokenizer *tokenizer, const char *patterns,
                                 struct dyno_error *error)
{
    const char *pattern = patterns;

    tokenizer->splitters = calloc(SPLITTERS_MAX, sizeof(struct dyno_splitter *));
    if (!tokenizer->splitters) {
        return no_memory(error);
    }
    while (*pattern) {
        size_t size = strcspn(pattern, "\n");

        if (tokenizer->splitter_count == SPLITTERS_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT, "the tokenizer has more than %d patterns",
                             SPLITTERS_MAX);
        }
        DYNO_TRY(dyno_splitter_open(&tokenizer->splitters[tokenizer->splitter_count], pattern, size,
                                    error));
        tokenizer->splitter_count++;
        pattern += size + (pattern[size] == '\n');
    }
    return DYNO_OK;
}

/* Most words of most texts are tokens.  Whether joining a token's own symbols gives the token is
 * asked once for each here, and not for each word. */
static dyno_status find_whole(struct dyno_tokenizer *tokenizer)
{
    struct dyno_joiner joiner = {0};
    dyno_status status = DYNO_OK;

    for (uint32_t id = 0; status == DYNO_OK && id < tokenizer->token_count; id++) {
        const struct dyno_token *token = &tokenizer->tokens[id];
        bool valid = tokenizer->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL ||
                     dyno_utf8_valid(token->bytes, token->size, NULL) == token->size;
        size_t count = 0;

        if (token->size == 0 || token->kind != DYNO_TOKEN_PLAIN || !valid) {
            continue;
        }
        status = dyno_joiner_run(&joiner, tokenizer, token->bytes, token->size, &count);
        tokenizer->whole[id] =
            tokenizer->vocabulary.ignore_merges || (count == 1 && joiner.symbols[0] == id);
    }
    dyno_joiner_release(&joiner);
    return status;
}

static dyno_status fill_spm(struct dyno_tokenizer *tokenizer,
                            const struct dyno_vocabulary *vocabulary, struct dyno_error *error)
{
    if (vocabulary->merge_count == 0) {
        DYNO_TRY(dyno_tokenizer_joins_of_scores(tokenizer, error));
    }
    for (uint32_t letter = 0; letter < DYNO_LETTERS; letter++) {
        char text = (char)letter;

        tokenizer->letter[letter] =
            dyno_piece_table_find(&tokenizer->by_bytes, tokenizer->tokens, &text, 1);
    }
    tokenizer->words_apart = words_are_apart(tokenizer);
    note_neighbours(tokenizer);
    return DYNO_OK;
}

static dyno_status fill(struct dyno_tokenizer *tokenizer, const struct dyno_vocabulary *vocabulary,
                        struct dyno_error *error)
{
    const char *pattern =
        vocabulary->pattern ? vocabulary->pattern : dyno_pattern_of("gpt-2")->pattern;

    if (vocabulary->token_count > TOKENS_MAX || vocabulary->merge_count > MERGES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the vocabulary has more than %d tokens or %d merges", TOKENS_MAX,
                         MERGES_MAX);
    }
    tokenizer->vocabulary = *vocabulary;
    tokenizer->vocabulary.tokens = NULL;
    tokenizer->vocabulary.merges = NULL;
    tokenizer->vocabulary.pattern = NULL;
    DYNO_TRY(copy_tokens(tokenizer, vocabulary, error));
    DYNO_TRY(file_tokens(tokenizer, error));
    DYNO_TRY(check_special(tokenizer, "first", vocabulary->bos, vocabulary->add_bos, error));
    DYNO_TRY(check_special(tokenizer, "last", vocabulary->eos, vocabulary->add_eos, error));
    DYNO_TRY(check_special(tokenizer, "unknown", vocabulary->unknown, false, error));
    DYNO_TRY(check_bytes(tokenizer, error));
    DYNO_TRY(add_merges(tokenizer, vocabulary, error));
    DYNO_TRY(vocabulary->kind == DYNO_TOKENIZER_SPM ? fill_spm(tokenizer, vocabulary, error)
                                                    : add_splitters(tokenizer, pattern, error));
    return find_whole(tokenizer) == DYNO_OK ? DYNO_OK : no_memory(error);
}

dyno_status dyno_tokenizer_open(struct dyno_tokenizer **out,
                                const struct dyno_vocabulary *vocabulary, struct dyno_error *error)
{
    struct dyno_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    dyno_status status;

    if (!tokenizer) {
        return no_memory(error);
    }
    status = fill(tokenizer, vocabulary, error);
    if (status != DYNO_OK) {
        dyno_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return DYNO_OK;
}

uint32_t dyno_tokenizer_count(const struct dyno_tokenizer *tokenizer)
{
    return tokenizer->token_count;
}

uint32_t dyno_tokenizer_bos(const struct dyno_tokenizer *tokenizer)
{
    return tokenizer->vocabulary.bos;
}

uint32_t dyno_tokenizer_eos(const struct dyno_tokenizer *tokenizer)
{
    return tokenizer->vocabulary.eos;
}

struct dyno_token dyno_tokenizer_token(const struct dyno_tokenizer *tokenizer, uint32_t id)
{
    return id < tokenizer->token_count ? tokenizer->tokens[id] : (struct dyno_token){.size = 0};
}

uint32_t dyno_tokenizer_special(const struct dyno_tokenizer *tokenizer, const char *text,
                                size_t size)
{
    return dyno_added_tokens_named(&tokenizer->added, text, size);
}
