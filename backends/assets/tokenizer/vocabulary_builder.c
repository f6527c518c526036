#include "backends/assets/tokenizer/vocabulary_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/byte_alphabet.h"
#include "core/base/words.h"

void dyno_vocabulary_builder_init(struct dyno_vocabulary_builder *builder,
                                  enum dyno_tokenizer_kind kind)
{
    memset(builder, 0, sizeof *builder);
    builder->vocabulary = (struct dyno_vocabulary){
        .kind = kind, .bos = DYNO_TOKEN_NONE, .eos = DYNO_TOKEN_NONE, .unknown = DYNO_TOKEN_NONE};
}

void dyno_vocabulary_builder_release(struct dyno_vocabulary_builder *builder)
{
    dyno_piece_table_release(&builder->by_bytes);
    dyno_slab_release(&builder->bytes);
    free(builder->tokens);
    free(builder->merges);
    memset(builder, 0, sizeof *builder);
}

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a vocabulary");
}

/* Room for `count` of `*items`, at least doubling; new room is zero. */
static dyno_status reserve(void **items, uint32_t *capacity, uint32_t count, size_t item_size)
{
    uint32_t capacity_new = *capacity < 256 ? 256 : *capacity;
    char *wide;

    if (count <= *capacity) {
        return DYNO_OK;
    }
    while (capacity_new < count) {
        capacity_new *= 2;
    }
    wide = realloc(*items, capacity_new * item_size);
    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    memset(wide + *capacity * item_size, 0, (capacity_new - *capacity) * item_size);
    *items = wide;
    *capacity = capacity_new;
    return DYNO_OK;
}

static dyno_status check_token(uint32_t id, const struct dyno_token *token,
                               struct dyno_error *error)
{
    if (id >= DYNO_TOKEN_COUNT_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "token id %u is not below %d", id,
                         DYNO_TOKEN_COUNT_MAX);
    }
    if (token->size == 0 || token->size > DYNO_TOKEN_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "token %u has %u bytes, which is not from 1 to %d",
                         id, token->size, DYNO_TOKEN_BYTES_MAX);
    }
    return DYNO_OK;
}

dyno_status dyno_vocabulary_builder_token(struct dyno_vocabulary_builder *builder, uint32_t id,
                                          const struct dyno_token *token, struct dyno_error *error)
{
    struct dyno_vocabulary *vocabulary = &builder->vocabulary;
    char *bytes;

    DYNO_TRY(check_token(id, token, error));
    bytes = dyno_slab_take(&builder->bytes, token->size);
    if (!bytes || reserve((void **)&builder->tokens, &builder->token_capacity, id + 1,
                          sizeof *builder->tokens) != DYNO_OK) {
        return no_memory(error);
    }
    memcpy(bytes, token->bytes, token->size);
    builder->tokens[id] = *token;
    builder->tokens[id].bytes = bytes;
    if (id >= vocabulary->token_count) {
        vocabulary->token_count = id + 1;
    }
    if (token->kind == DYNO_TOKEN_PLAIN &&
        dyno_piece_table_put(&builder->by_bytes, builder->tokens, id) != DYNO_OK) {
        return no_memory(error);
    }
    return DYNO_OK;
}

dyno_status dyno_vocabulary_builder_alphabet(struct dyno_vocabulary_builder *builder, uint32_t id,
                                             const char *text, size_t size,
                                             struct dyno_error *error)
{
    char bytes[DYNO_TOKEN_BYTES_MAX];
    struct dyno_token token = {.bytes = text, .size = (uint32_t)size};
    size_t bytes_size;

    if (size > DYNO_TOKEN_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "token %u is longer than %d bytes", id,
                         DYNO_TOKEN_BYTES_MAX);
    }
    if (dyno_byte_alphabet_read(text, size, bytes, &bytes_size)) {
        token.bytes = bytes;
        token.size = (uint32_t)bytes_size;
    } else {
        token.kind = DYNO_TOKEN_UNREACHABLE;
    }
    return dyno_vocabulary_builder_token(builder, id, &token, error);
}

uint32_t dyno_vocabulary_builder_find(const struct dyno_vocabulary_builder *builder,
                                      const char *bytes, size_t size)
{
    return dyno_piece_table_find(&builder->by_bytes, builder->tokens, bytes, size);
}

/* The merge's two sides as bytes, one after the other. */
static bool read_sides(const struct dyno_vocabulary_builder *builder, const char *left,
                       size_t left_size, const char *right, size_t right_size, char *out,
                       size_t *left_bytes, size_t *bytes)
{
    if (left_size == 0 || right_size == 0 || left_size + right_size > DYNO_TOKEN_BYTES_MAX) {
        return false;
    }
    if (builder->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL) {
        if (!dyno_byte_alphabet_read(left, left_size, out, left_bytes) ||
            !dyno_byte_alphabet_read(right, right_size, out + *left_bytes, bytes)) {
            return false;
        }
        *bytes += *left_bytes;
        return true;
    }
    memcpy(out, left, left_size);
    memcpy(out + left_size, right, right_size);
    *left_bytes = left_size;
    *bytes = left_size + right_size;
    return true;
}

static dyno_status refuse_merge(const char *left, size_t left_size, const char *right,
                                size_t right_size, uint32_t index, struct dyno_error *error)
{
    char text[2 * DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    (void)snprintf(text, sizeof text, "%.*s %.*s", (int)(left_size < 80 ? left_size : 80), left,
                   (int)(right_size < 80 ? right_size : 80), right);
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "merge %u, %s: both sides and what they make must be tokens of the vocabulary",
                     index, dyno_quote(quoted, text));
}

dyno_status dyno_vocabulary_builder_merge(struct dyno_vocabulary_builder *builder, const char *left,
                                          size_t left_size, const char *right, size_t right_size,
                                          struct dyno_error *error)
{
    struct dyno_vocabulary *vocabulary = &builder->vocabulary;
    struct dyno_merge merge = {DYNO_TOKEN_NONE, DYNO_TOKEN_NONE, DYNO_TOKEN_NONE};
    char bytes[DYNO_TOKEN_BYTES_MAX];
    size_t half, whole;

    if (read_sides(builder, left, left_size, right, right_size, bytes, &half, &whole)) {
        merge.left = dyno_vocabulary_builder_find(builder, bytes, half);
        merge.right = dyno_vocabulary_builder_find(builder, bytes + half, whole - half);
        merge.result = dyno_vocabulary_builder_find(builder, bytes, whole);
    }
    if (merge.left == DYNO_TOKEN_NONE || merge.right == DYNO_TOKEN_NONE ||
        merge.result == DYNO_TOKEN_NONE) {
        return refuse_merge(left, left_size, right, right_size, vocabulary->merge_count, error);
    }
    if (vocabulary->merge_count >= DYNO_TOKEN_COUNT_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "more than %d merges", DYNO_TOKEN_COUNT_MAX);
    }
    if (reserve((void **)&builder->merges, &builder->merge_capacity, vocabulary->merge_count + 1,
                sizeof *builder->merges) != DYNO_OK) {
        return no_memory(error);
    }
    builder->merges[vocabulary->merge_count++] = merge;
    return DYNO_OK;
}

/* The blank that parts the sides is the first one that is not the first character: an SPM token
 * writes its spaces as U+2581, a byte-level one as U+0120. */
dyno_status dyno_vocabulary_builder_merge_line(struct dyno_vocabulary_builder *builder,
                                               const char *line, size_t size,
                                               struct dyno_error *error)
{
    const char *blank = size > 1 ? memchr(line + 1, ' ', size - 1) : NULL;

    if (!blank) {
        return refuse_merge(line, size, "", 0, builder->vocabulary.merge_count, error);
    }
    return dyno_vocabulary_builder_merge(builder, line, (size_t)(blank - line), blank + 1,
                                         size - (size_t)(blank - line) - 1, error);
}

const struct dyno_vocabulary *
dyno_vocabulary_builder_finish(struct dyno_vocabulary_builder *builder)
{
    builder->vocabulary.tokens = builder->tokens;
    builder->vocabulary.merges = builder->merges;
    return &builder->vocabulary;
}
