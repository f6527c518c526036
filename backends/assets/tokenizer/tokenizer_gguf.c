/* A tokenizer from a GGUF file.
 *
 * Keys and the numbers of token types: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md;
 * what is assumed where a key is absent is what llama.cpp assumes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/gguf.h"
#include "backends/assets/tokenizer/patterns.h"
#include "backends/assets/tokenizer/tokenizer_file_parts.h"
#include "core/base/words.h"

enum { PRE_MAX = 64, TEMPLATE_BYTES_MAX = 1 << 20 };

enum token_type {
    TYPE_NORMAL = 1,
    TYPE_UNKNOWN,
    TYPE_CONTROL,
    TYPE_USER_DEFINED,
    TYPE_UNUSED,
    TYPE_BYTE,
};

struct reader {
    struct tokenizer_file *file;
    struct dyno_gguf gguf;
    const struct dyno_gguf_value *tokens, *scores, *types, *merges; /* all but tokens may be NULL */
    struct dyno_error *error;
};

static dyno_status refuse(const struct reader *reader, dyno_status status, const char *why)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, status, "%s: %s", dyno_quote(path, reader->gguf.file->path),
                     why);
}

static dyno_status find_lists(struct reader *reader)
{
    const struct dyno_gguf *gguf = &reader->gguf;
    struct dyno_error *error = reader->error;

    DYNO_TRY(
        dyno_gguf_array(gguf, "tokenizer.ggml.tokens", DYNO_GGUF_STRING, &reader->tokens, error));
    DYNO_TRY(dyno_gguf_array(gguf, "tokenizer.ggml.scores", DYNO_GGUF_F32, &reader->scores, error));
    DYNO_TRY(
        dyno_gguf_array(gguf, "tokenizer.ggml.token_type", DYNO_GGUF_I32, &reader->types, error));
    DYNO_TRY(
        dyno_gguf_array(gguf, "tokenizer.ggml.merges", DYNO_GGUF_STRING, &reader->merges, error));
    if (!reader->tokens || reader->tokens->count == 0 ||
        reader->tokens->count > DYNO_TOKEN_COUNT_MAX) {
        return refuse(reader, DYNO_BAD_INPUT,
                      "\"tokenizer.ggml.tokens\" must list from 1 to 16777216 tokens");
    }
    if ((reader->scores && reader->scores->count != reader->tokens->count) ||
        (reader->types && reader->types->count != reader->tokens->count)) {
        return refuse(reader, DYNO_BAD_INPUT,
                      "\"tokenizer.ggml.scores\" and \"tokenizer.ggml.token_type\" must be as long "
                      "as \"tokenizer.ggml.tokens\"");
    }
    return DYNO_OK;
}

static float score_of(const struct reader *reader, uint32_t id)
{
    float score = 0;

    if (reader->scores) {
        memcpy(&score, reader->scores->data + (size_t)id * sizeof(score), sizeof(score));
    }
    return score;
}

static int32_t type_of(const struct reader *reader, uint32_t id)
{
    int32_t type = TYPE_NORMAL;

    if (reader->types) {
        memcpy(&type, reader->types->data + (size_t)id * sizeof(type), sizeof(type));
    }
    return type;
}

/* UNKNOWN is what stands for a character without a token: no text makes it. */
static enum dyno_token_kind kind_of(int32_t type)
{
    switch (type) {
    case TYPE_UNKNOWN:
    case TYPE_CONTROL:
        return DYNO_TOKEN_CONTROL;
    case TYPE_USER_DEFINED:
        return DYNO_TOKEN_ADDED;
    case TYPE_UNUSED:
        return DYNO_TOKEN_UNREACHABLE;
    case TYPE_BYTE:
        return DYNO_TOKEN_BYTE;
    default:
        return DYNO_TOKEN_PLAIN;
    }
}

static dyno_status add_token(struct reader *reader, uint32_t id, struct dyno_gguf_text text)
{
    struct dyno_vocabulary_builder *builder = &reader->file->builder;
    struct dyno_token token = {.bytes = text.bytes,
                               .size = (uint32_t)text.size,
                               .score = score_of(reader, id),
                               .kind = kind_of(type_of(reader, id))};

    if (text.size == 0) {
        return DYNO_OK; /* a place without a token */
    }
    if (text.size > DYNO_TOKEN_BYTES_MAX) {
        return refuse(reader, DYNO_BAD_INPUT, "a token is longer than 4096 bytes");
    }
    if (builder->vocabulary.kind == DYNO_TOKENIZER_SPM) {
        return dyno_tokenizer_add_piece(reader->file, id, &token, reader->error);
    }
    if (token.kind == DYNO_TOKEN_PLAIN) {
        return dyno_vocabulary_builder_alphabet(builder, id, text.bytes, text.size, reader->error);
    }
    return dyno_vocabulary_builder_token(builder, id, &token, reader->error);
}

static dyno_status read_tokens(struct reader *reader)
{
    const uint8_t *at = reader->tokens->data;

    for (uint64_t id = 0; id < reader->tokens->count; id++) {
        DYNO_TRY(add_token(reader, (uint32_t)id, dyno_gguf_take_text(&at)));
    }
    return DYNO_OK;
}

static dyno_status read_merges(struct reader *reader)
{
    const uint8_t *at = reader->merges ? reader->merges->data : NULL;

    if (!reader->merges) {
        return refuse(reader, DYNO_BAD_INPUT,
                      "\"tokenizer.ggml.merges\" is missing; byte-level vocabularies need it");
    }
    for (uint64_t i = 0; i < reader->merges->count; i++) {
        struct dyno_gguf_text line = dyno_gguf_take_text(&at);

        DYNO_TRY(dyno_vocabulary_builder_merge_line(&reader->file->builder, line.bytes,
                                                    (size_t)line.size, reader->error));
    }
    return DYNO_OK;
}

/* "tokenizer.ggml.pre" names the pattern; *wants_bos: what the family does unless told. */
static dyno_status read_pattern(struct reader *reader, bool *wants_bos)
{
    struct dyno_vocabulary *vocabulary = &reader->file->builder.vocabulary;
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX], name[PRE_MAX] = "";
    const struct dyno_pattern *family;
    struct dyno_gguf_text pre;

    DYNO_TRY(dyno_gguf_string(&reader->gguf, "tokenizer.ggml.pre", &pre, reader->error));
    if (pre.bytes && pre.size < sizeof(name)) {
        memcpy(name, pre.bytes, (size_t)pre.size);
    }
    family = dyno_pattern_of(name);
    if (!family) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: \"tokenizer.ggml.pre\" is %s; gpt-2, llama-bpe, qwen2 and tekken are "
                         "understood",
                         dyno_quote(path, reader->gguf.file->path), dyno_quote(quoted, name));
    }
    vocabulary->nfc = family->nfc;
    vocabulary->ignore_merges = family->ignore_merges;
    *wants_bos = family->ignore_merges;
    if (dyno_patterns_add(&reader->file->patterns, family->pattern) != DYNO_OK) {
        return refuse(reader, DYNO_NO_MEMORY, "no memory for a pattern");
    }
    vocabulary->pattern = reader->file->patterns;
    return DYNO_OK;
}

static dyno_status read_id(const struct reader *reader, const char *key, uint32_t *out)
{
    return dyno_gguf_u32(&reader->gguf, key, 0, (uint32_t)reader->tokens->count - 1, *out, out,
                         reader->error);
}

static dyno_status read_settings(struct reader *reader, bool wants_bos)
{
    struct dyno_vocabulary *vocabulary = &reader->file->builder.vocabulary;
    bool is_spm = vocabulary->kind == DYNO_TOKENIZER_SPM;

    DYNO_TRY(read_id(reader, "tokenizer.ggml.bos_token_id", &vocabulary->bos));
    DYNO_TRY(read_id(reader, "tokenizer.ggml.eos_token_id", &vocabulary->eos));
    DYNO_TRY(read_id(reader, "tokenizer.ggml.unknown_token_id", &vocabulary->unknown));
    DYNO_TRY(dyno_gguf_bool(&reader->gguf, "tokenizer.ggml.add_bos_token", wants_bos,
                            &vocabulary->add_bos, reader->error));
    DYNO_TRY(dyno_gguf_bool(&reader->gguf, "tokenizer.ggml.add_eos_token", false,
                            &vocabulary->add_eos, reader->error));
    DYNO_TRY(dyno_gguf_bool(&reader->gguf, "tokenizer.ggml.add_space_prefix", is_spm,
                            &vocabulary->prefix_space, reader->error));
    vocabulary->add_bos = vocabulary->add_bos && vocabulary->bos != DYNO_TOKEN_NONE;
    vocabulary->add_eos = vocabulary->add_eos && vocabulary->eos != DYNO_TOKEN_NONE;
    return DYNO_OK;
}

static dyno_status read_template(struct reader *reader)
{
    struct dyno_gguf_text text;

    DYNO_TRY(dyno_gguf_string(&reader->gguf, "tokenizer.chat_template", &text, reader->error));
    if (!text.bytes) {
        return DYNO_OK;
    }
    if (text.size > TEMPLATE_BYTES_MAX || memchr(text.bytes, 0, (size_t)text.size)) {
        return refuse(reader, DYNO_BAD_INPUT,
                      "\"tokenizer.chat_template\" must be text of at most 1 MiB");
    }
    reader->file->chat_template = strndup(text.bytes, (size_t)text.size);
    return reader->file->chat_template
               ? DYNO_OK
               : refuse(reader, DYNO_NO_MEMORY, "no memory for a chat template");
}

static dyno_status read_kind(struct reader *reader)
{
    struct dyno_vocabulary *vocabulary = &reader->file->builder.vocabulary;
    struct dyno_gguf_text model;

    DYNO_TRY(dyno_gguf_string(&reader->gguf, "tokenizer.ggml.model", &model, reader->error));
    if (dyno_gguf_text_is(model, "gpt2")) {
        vocabulary->kind = DYNO_TOKENIZER_BYTE_LEVEL;
    } else if (dyno_gguf_text_is(model, "llama")) {
        vocabulary->kind = DYNO_TOKENIZER_SPM;
    } else {
        return refuse(
            reader, DYNO_UNSUPPORTED,
            "\"tokenizer.ggml.model\" must be gpt2 (byte-level) or llama (SentencePiece)");
    }
    return DYNO_OK;
}

static dyno_status read_all(struct reader *reader)
{
    bool wants_bos = true;

    DYNO_TRY(read_kind(reader));
    DYNO_TRY(find_lists(reader));
    DYNO_TRY(read_tokens(reader));
    if (reader->file->builder.vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL) {
        DYNO_TRY(read_pattern(reader, &wants_bos));
        DYNO_TRY(read_merges(reader));
    }
    DYNO_TRY(read_settings(reader, wants_bos));
    return read_template(reader);
}

dyno_status dyno_tokenizer_read_gguf(struct tokenizer_file *file, const char *path,
                                     struct dyno_error *error)
{
    struct reader reader = {.file = file, .error = error};
    struct dyno_tensors tensors = {0};
    dyno_status status = dyno_gguf_read(&reader.gguf, &tensors, path, error);

    if (status == DYNO_OK) {
        status = read_all(&reader);
    }
    dyno_tensors_release(&tensors);
    return status;
}
