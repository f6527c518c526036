/* The vocabulary, the merges and the added tokens of a tokenizer.json. */
#include "backends/assets/tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "backends/assets/file.h"
#include "backends/assets/json_weight.h"
#include "core/base/words.h"

enum { TOKENIZER_BYTES_MAX = 256 << 20 };

static dyno_status refuse_json(const char *path, const char *inside, const json_error_t *mistake,
                               struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s%s%s is not JSON: line %d, column %d: %s",
                     dyno_quote(quoted, path), inside ? ", " : "", inside ? inside : "",
                     mistake->line, mistake->column, mistake->text);
}

dyno_status dyno_tokenizer_json_load(json_t **out, const char *path, const char *inside,
                                     bool integers, struct dyno_error *error)
{
    size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;
    char quoted[DYNO_QUOTE_MAX];
    json_error_t mistake;
    dyno_status status;
    json_t *root;
    FILE *file;

    DYNO_TRY(dyno_asset_open_within(&file, path, inside, TOKENIZER_BYTES_MAX, error));
    status = dyno_json_weigh_file(file, path, error);
    flags |= integers ? 0 : JSON_DECODE_INT_AS_REAL;
    root = status == DYNO_OK ? json_loadf(file, flags, &mistake) : NULL;
    (void)fclose(file);
    DYNO_TRY(status);
    if (!root) {
        return refuse_json(path, inside, &mistake, error);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return dyno_fail(error, DYNO_BAD_INPUT, "%s%s%s is not a JSON object",
                         dyno_quote(quoted, path), inside ? ", " : "", inside ? inside : "");
    }
    *out = root;
    return DYNO_OK;
}

static int hex_digit(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

/* Whether text is SentencePiece's <0xNN>, and which byte. */
static bool is_byte_token(const char *text, size_t size, char *byte)
{
    int high, low;

    if (size != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') {
        return false;
    }
    high = hex_digit(text[3]);
    low = hex_digit(text[4]);
    *byte = (char)(high * 16 + low);
    return high >= 0 && low >= 0;
}

static dyno_status add_plain(struct dyno_vocabulary_builder *builder, uint32_t id, const char *text,
                             size_t size, bool byte_fallback, struct dyno_error *error)
{
    struct dyno_token token = {.bytes = text, .size = (uint32_t)size};
    char byte;

    if (size > DYNO_TOKEN_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "token %u is longer than %d bytes", id,
                         DYNO_TOKEN_BYTES_MAX);
    }
    if (builder->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL) {
        return dyno_vocabulary_builder_alphabet(builder, id, text, size, error);
    }
    if (byte_fallback && is_byte_token(text, size, &byte)) {
        token = (struct dyno_token){.bytes = &byte, .size = 1, .kind = DYNO_TOKEN_BYTE};
    }
    return dyno_vocabulary_builder_token(builder, id, &token, error);
}

/* Ids have holes, but hardly more of them than tokens: there is a place in memory for each. */
static dyno_status read_id(const json_t *value, const char *of, size_t listed, uint32_t *id,
                           struct dyno_error *error)
{
    enum { HOLES_MAX = 1 << 16 };
    size_t room = 2 * listed + HOLES_MAX, most = DYNO_TOKEN_COUNT_MAX;
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    char quoted[DYNO_QUOTE_MAX];

    most = room < most ? room : most;
    if (number < 0 || number >= (json_int_t)most) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the id of token %s must be a whole number from 0 to %zu, as there are "
                         "%zu tokens",
                         dyno_quote(quoted, of), most - 1, listed);
    }
    *id = (uint32_t)number;
    return DYNO_OK;
}

dyno_status dyno_tokenizer_json_tokens(struct dyno_vocabulary_builder *builder,
                                       const json_t *tokens, bool byte_fallback,
                                       struct dyno_error *error)
{
    json_t *vocabulary = (json_t *)(uintptr_t)tokens; /* Jansson iterates over what may change */
    char quoted[DYNO_QUOTE_MAX];

    for (void *at = json_object_iter(vocabulary); at; at = json_object_iter_next(vocabulary, at)) {
        const char *text = json_object_iter_key(at);
        uint32_t id = 0;

        DYNO_TRY(
            read_id(json_object_iter_value(at), text, json_object_size(vocabulary), &id, error));
        if (id < builder->vocabulary.token_count && builder->tokens[id].size > 0) {
            return dyno_fail(error, DYNO_BAD_INPUT, "two tokens have id %u; one is %s", id,
                             dyno_quote(quoted, text));
        }
        DYNO_TRY(add_plain(builder, id, text, json_object_iter_key_len(at), byte_fallback, error));
    }
    if (builder->vocabulary.token_count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the vocabulary is empty");
    }
    return DYNO_OK;
}

static dyno_status add_merge(struct dyno_vocabulary_builder *builder, const json_t *merge,
                             size_t index, struct dyno_error *error)
{
    const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);

    if (json_is_string(merge)) {
        return dyno_vocabulary_builder_merge_line(builder, json_string_value(merge),
                                                  json_string_length(merge), error);
    }
    if (json_array_size(merge) != 2 || !json_is_string(left) || !json_is_string(right)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "model.merges[%zu] must be \"left right\" or [\"left\", \"right\"]",
                         index);
    }
    return dyno_vocabulary_builder_merge(builder, json_string_value(left), json_string_length(left),
                                         json_string_value(right), json_string_length(right),
                                         error);
}

static dyno_status read_merges(struct dyno_vocabulary_builder *builder, const json_t *merges,
                               struct dyno_error *error)
{
    if (!json_is_array(merges)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"model.merges\" must be a list");
    }
    for (size_t i = 0; i < json_array_size(merges); i++) {
        DYNO_TRY(add_merge(builder, json_array_get(merges, i), i, error));
    }
    return DYNO_OK;
}

/* The text of an added token, which is written plainly. */
uint32_t dyno_tokenizer_json_id(const struct dyno_vocabulary_builder *builder, const char *text,
                                size_t size)
{
    for (uint32_t id = builder->vocabulary.token_count; id-- > 0;) {
        const struct dyno_token *token = &builder->tokens[id];

        if (token->size == size && token->kind != DYNO_TOKEN_BYTE &&
            memcmp(token->bytes, text, size) == 0) {
            return id;
        }
    }
    return DYNO_TOKEN_NONE;
}

static bool is_set(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* An added token may repeat one of the vocabulary's; its id may not be another's. */
static dyno_status add_added(struct dyno_vocabulary_builder *builder, const json_t *added,
                             size_t listed, struct dyno_error *error)
{
    const json_t *content = json_object_get(added, "content");
    struct dyno_token token = {.kind =
                                   is_set(added, "special") ? DYNO_TOKEN_CONTROL : DYNO_TOKEN_ADDED,
                               .strip_left = is_set(added, "lstrip"),
                               .strip_right = is_set(added, "rstrip"),
                               .single_word = is_set(added, "single_word"),
                               .normalized = is_set(added, "normalized")};
    const struct dyno_token *there;
    char quoted[DYNO_QUOTE_MAX];
    uint32_t id = 0;

    if (!json_is_string(content)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "\"added_tokens\" must hold objects with a \"content\"");
    }
    if (json_string_length(content) > DYNO_TOKEN_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "an added token is longer than %d bytes",
                         DYNO_TOKEN_BYTES_MAX);
    }
    token.bytes = json_string_value(content);
    token.size = (uint32_t)json_string_length(content);
    DYNO_TRY(read_id(json_object_get(added, "id"), token.bytes, listed, &id, error));
    there = id < builder->vocabulary.token_count ? &builder->tokens[id] : NULL;
    if (there && there->size > 0 &&
        (there->size != token.size || memcmp(there->bytes, token.bytes, token.size) != 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "added token %s has the id %u of another token",
                         dyno_quote(quoted, token.bytes), id);
    }
    return dyno_vocabulary_builder_token(builder, id, &token, error);
}

/* These change what a BPE model does, and nobody's does not have them at their neutral value. */
static dyno_status check_neutral(const json_t *model, struct dyno_error *error)
{
    static const char *const texts[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *dropout = json_object_get(model, "dropout");

    if (json_is_number(dropout) && json_number_value(dropout) > 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "\"model.dropout\" must be null or 0");
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const json_t *text = json_object_get(model, texts[i]);

        if (json_is_string(text) && json_string_length(text) > 0) {
            return dyno_fail(error, DYNO_UNSUPPORTED, "\"model.%s\" must be empty", texts[i]);
        }
    }
    return DYNO_OK;
}

static dyno_status check_model(const json_t *model, struct dyno_error *error)
{
    const json_t *type = json_object_get(model, "type");
    char quoted[DYNO_QUOTE_MAX];

    if (!json_is_object(model)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"model\" must be an object");
    }
    if (json_is_string(type) && strcmp(json_string_value(type), "BPE") != 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "\"model.type\" is %s, not BPE",
                         dyno_quote(quoted, json_string_value(type)));
    }
    if (!json_is_object(json_object_get(model, "vocab"))) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"model.vocab\" must be an object");
    }
    return check_neutral(model, error);
}

static dyno_status read_unknown(struct dyno_vocabulary_builder *builder, const json_t *model,
                                struct dyno_error *error)
{
    const json_t *unknown = json_object_get(model, "unk_token");
    char quoted[DYNO_QUOTE_MAX];

    if (!unknown || json_is_null(unknown)) {
        return DYNO_OK;
    }
    if (!json_is_string(unknown)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "\"model.unk_token\" must be a token's text, or null");
    }
    builder->vocabulary.unknown =
        dyno_tokenizer_json_id(builder, json_string_value(unknown), json_string_length(unknown));
    if (builder->vocabulary.unknown == DYNO_TOKEN_NONE) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"model.unk_token\" %s is not a token",
                         dyno_quote(quoted, json_string_value(unknown)));
    }
    return DYNO_OK;
}

dyno_status dyno_tokenizer_json_model(struct dyno_vocabulary_builder *builder, const json_t *root,
                                      struct dyno_error *error)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *added = json_object_get(root, "added_tokens");
    size_t listed;

    DYNO_TRY(check_model(model, error));
    if (added && !json_is_array(added) && !json_is_null(added)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"added_tokens\" must be a list");
    }
    builder->vocabulary.ignore_merges = is_set(model, "ignore_merges");
    builder->vocabulary.fuse_unknown = is_set(model, "fuse_unk");
    DYNO_TRY(dyno_tokenizer_json_tokens(builder, json_object_get(model, "vocab"),
                                        is_set(model, "byte_fallback"), error));
    DYNO_TRY(read_merges(builder, json_object_get(model, "merges"), error));
    listed = json_object_size(json_object_get(model, "vocab")) + json_array_size(added);
    for (size_t i = 0; i < json_array_size(added); i++) {
        DYNO_TRY(add_added(builder, json_array_get(added, i), listed, error));
    }
    return read_unknown(builder, model, error);
}
