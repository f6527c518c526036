/* Which files there are, and what tokenizer_config.json adds to them. */
#include "backends/assets/tokenizer/tokenizer_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/file.h"
#include "backends/assets/gguf.h"
#include "backends/assets/tokenizer/tokenizer_file_parts.h"
#include "backends/assets/tokenizer/tokenizer_json.h"
#include "core/base/words.h"

enum { MERGES_BYTES_MAX = 64 << 20, TEMPLATE_BYTES_MAX = 1 << 20 };

static struct tokenizer_file *whole_of(const struct dyno_tokenizer_file *file)
{
    return (struct tokenizer_file *)(uintptr_t)file;
}

void dyno_tokenizer_file_close(const struct dyno_tokenizer_file *file)
{
    struct tokenizer_file *whole = whole_of(file);

    if (!whole) {
        return;
    }
    dyno_vocabulary_builder_release(&whole->builder);
    free(whole->path);
    free(whole->patterns);
    free(whole->chat_template);
    free(whole->tool_template);
    free(whole->template_path);
    free(whole->bos_text);
    free(whole->eos_text);
    free(whole);
}

/* Put the file's name before what was wrong with it. */
static dyno_status blame(const char *path, const char *inside, dyno_status status,
                         struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX], text[DYNO_ERROR_TEXT_MAX];

    if (!error || status == DYNO_OK) {
        return status;
    }
    memcpy(text, error->text, sizeof text);
    return dyno_fail(error, status, "%s%s%s: %s", dyno_quote(quoted, path), inside ? ", " : "",
                     inside ? inside : "", text);
}

static bool has(const char *directory, const char *inside)
{
    struct stat about;
    char *path;
    bool there;

    if (asprintf(&path, "%s/%s", directory, inside) < 0) {
        return false;
    }
    there = lstat(path, &about) == 0; /* a link that leads nowhere is said, not passed over */
    free(path);
    return there;
}

static dyno_status read_json(struct tokenizer_file *file, const char *path, const char *inside,
                             struct dyno_error *error)
{
    dyno_status status;
    json_t *root;

    DYNO_TRY(dyno_tokenizer_json_load(&root, path, inside, true, error));
    status = dyno_tokenizer_json_pipeline(&file->builder, &file->patterns, root, error);
    if (status == DYNO_OK) {
        status = dyno_tokenizer_json_model(&file->builder, root, error);
    }
    if (status == DYNO_OK) {
        status = dyno_tokenizer_json_around(&file->builder, root, error);
    }
    json_decref(root);
    return blame(path, inside, status, error);
}

/* A text file as a terminated string without NUL. */
static dyno_status read_text(char **out, const char *path, const char *inside, size_t bytes_max,
                             struct dyno_error *error)
{
    size_t size = 0;
    FILE *file;
    char *text = NULL;
    ssize_t got;

    DYNO_TRY(dyno_asset_open_within(&file, path, inside, (int64_t)bytes_max, error));
    errno = 0;
    got = getdelim(&text, &size, '\0', file);
    if (got < 0 && (ferror(file) || errno == ENOMEM)) {
        (void)fclose(file);
        free(text);
        return blame(path, inside, dyno_fail(error, DYNO_IO, "cannot be read"), error);
    }
    (void)fclose(file);
    if (got < 0) {
        free(text);
        text = calloc(1, 1);
        if (!text) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a text file");
        }
    } else if (strlen(text) != (size_t)got) {
        free(text);
        return blame(path, inside,
                     dyno_fail(error, DYNO_BAD_INPUT, "holds a NUL, which no text does"), error);
    }
    *out = text;
    return DYNO_OK;
}

/* Lines "left right"; the first may say #version. */
static dyno_status add_merge_lines(struct tokenizer_file *file, const char *text,
                                   struct dyno_error *error)
{
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        size_t shown = size > 0 && line[size - 1] == '\r' ? size - 1 : size;

        if (shown > 0 && !(line == text && strncmp(line, "#version", 8) == 0)) {
            DYNO_TRY(dyno_vocabulary_builder_merge_line(&file->builder, line, shown, error));
        }
        line += size + (line[size] == '\n');
    }
    return DYNO_OK;
}

static dyno_status read_merges(struct tokenizer_file *file, const char *path, const char *inside,
                               struct dyno_error *error)
{
    dyno_status status;
    char *text;

    DYNO_TRY(read_text(&text, path, inside, MERGES_BYTES_MAX, error));
    status = add_merge_lines(file, text, error);
    free(text);
    return blame(path, inside, status, error);
}

/* GPT-2's own files know of no added tokens; the one that ends a text is known by its name. */
static dyno_status add_end_of_text(struct dyno_vocabulary_builder *builder,
                                   struct dyno_error *error)
{
    static const char text[] = "<|endoftext|>";
    struct dyno_token token = {.bytes = text, .size = sizeof text - 1, .kind = DYNO_TOKEN_CONTROL};
    uint32_t id = dyno_vocabulary_builder_find(builder, text, sizeof text - 1);

    if (id == DYNO_TOKEN_NONE) {
        return DYNO_OK;
    }
    builder->vocabulary.bos = builder->vocabulary.eos = id;
    return dyno_vocabulary_builder_token(builder, id, &token, error);
}

static dyno_status read_pair(struct tokenizer_file *file, const char *path, const char *tokens,
                             const char *merges, struct dyno_error *error)
{
    dyno_status status;
    json_t *root;

    dyno_vocabulary_builder_init(&file->builder, DYNO_TOKENIZER_BYTE_LEVEL);
    DYNO_TRY(dyno_tokenizer_json_load(&root, path, tokens, true, error));
    status =
        blame(path, tokens, dyno_tokenizer_json_tokens(&file->builder, root, false, error), error);
    json_decref(root);
    DYNO_TRY(status);
    DYNO_TRY(read_merges(file, path, merges, error));
    return add_end_of_text(&file->builder, error);
}

/* "bos_token" and its like: a text, an object with a "content", or null. */
static const json_t *token_text(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);

    return json_is_object(value) ? json_object_get(value, "content") : value;
}

static dyno_status take_token(const struct tokenizer_file *file, const json_t *root,
                              const char *key, uint32_t *id, struct dyno_error *error)
{
    const json_t *text = token_text(root, key);
    char quoted[DYNO_QUOTE_MAX];
    uint32_t found;

    if (!text || json_is_null(text)) {
        return DYNO_OK;
    }
    if (!json_is_string(text)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"%s\" must be a token's text", key);
    }
    found =
        dyno_tokenizer_json_id(&file->builder, json_string_value(text), json_string_length(text));
    if (found == DYNO_TOKEN_NONE) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"%s\" %s is not a token of the vocabulary", key,
                         dyno_quote(quoted, json_string_value(text)));
    }
    *id = found;
    return DYNO_OK;
}

static dyno_status take_flag(const json_t *root, const char *key, uint32_t id, bool *flag,
                             struct dyno_error *error)
{
    const json_t *value = json_object_get(root, key);

    if (value && !json_is_null(value) && !json_is_boolean(value)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"%s\" must be true or false", key);
    }
    if (json_is_boolean(value)) {
        *flag = json_is_true(value);
    }
    if (*flag && id == DYNO_TOKEN_NONE) {
        return dyno_fail(error, DYNO_BAD_INPUT, "\"%s\" is true, but there is no such token", key);
    }
    return DYNO_OK;
}

static dyno_status keep_text(char **kept, const json_t *text, struct dyno_error *error)
{
    char *copy = strdup(json_string_value(text));

    if (!copy) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a chat template");
    }
    free(*kept);
    *kept = copy;
    return DYNO_OK;
}

/* A text, or a list of {"name", "template"} of which "default" and "tool_use" are known. */
static dyno_status take_templates(struct tokenizer_file *file, const json_t *root,
                                  struct dyno_error *error)
{
    const json_t *templates = json_object_get(root, "chat_template");

    if (json_is_string(templates)) {
        return keep_text(&file->chat_template, templates, error);
    }
    if (templates && !json_is_array(templates) && !json_is_null(templates)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "\"chat_template\" must be a text, or a list of named ones");
    }
    for (size_t i = 0; i < json_array_size(templates); i++) {
        const json_t *one = json_array_get(templates, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        const json_t *text = json_object_get(one, "template");

        if (!name || !json_is_string(text)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "\"chat_template[%zu]\" must have a \"name\" and a \"template\"", i);
        }
        if (strcmp(name, "default") == 0) {
            DYNO_TRY(keep_text(&file->chat_template, text, error));
        } else if (strcmp(name, "tool_use") == 0) {
            DYNO_TRY(keep_text(&file->tool_template, text, error));
        }
    }
    return DYNO_OK;
}

static dyno_status take_config(struct tokenizer_file *file, const json_t *root,
                               struct dyno_error *error)
{
    struct dyno_vocabulary *vocabulary = &file->builder.vocabulary;

    DYNO_TRY(take_token(file, root, "bos_token", &vocabulary->bos, error));
    DYNO_TRY(take_token(file, root, "eos_token", &vocabulary->eos, error));
    DYNO_TRY(take_flag(root, "add_bos_token", vocabulary->bos, &vocabulary->add_bos, error));
    DYNO_TRY(take_flag(root, "add_eos_token", vocabulary->eos, &vocabulary->add_eos, error));
    return take_templates(file, root, error);
}

static dyno_status read_config(struct tokenizer_file *file, const char *path,
                               struct dyno_error *error)
{
    static const char inside[] = "tokenizer_config.json";
    dyno_status status;
    json_t *root;

    if (!has(path, inside)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_tokenizer_json_load(&root, path, inside, false, error));
    status = take_config(file, root, error);
    json_decref(root);
    return blame(path, inside, status, error);
}

/* `path` (a folder: `inside` it) is where templates are; the last word is right. */
static dyno_status note_template(struct tokenizer_file *file, const char *path, const char *inside,
                                 struct dyno_error *error)
{
    free(file->template_path);
    file->template_path = NULL;
    if (asprintf(&file->template_path, "%s%s%s", path, inside ? "/" : "", inside ? inside : "") <
        0) {
        file->template_path = NULL;
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file's name");
    }
    return DYNO_OK;
}

static dyno_status read_directory(struct tokenizer_file *file, const char *path,
                                  struct dyno_error *error)
{
    if (has(path, "tokenizer.json") || (!has(path, "encoder.json") && !has(path, "vocab.json"))) {
        DYNO_TRY(read_json(file, path, "tokenizer.json", error));
    } else if (has(path, "encoder.json")) {
        DYNO_TRY(read_pair(file, path, "encoder.json", "vocab.bpe", error));
    } else {
        DYNO_TRY(read_pair(file, path, "vocab.json", "merges.txt", error));
    }
    DYNO_TRY(read_config(file, path, error));
    DYNO_TRY(note_template(file, path, "tokenizer_config.json", error));
    if (has(path, "chat_template.jinja")) {
        DYNO_TRY(note_template(file, path, "chat_template.jinja", error));
        free(file->chat_template);
        file->chat_template = NULL;
        return read_text(&file->chat_template, path, "chat_template.jinja", TEMPLATE_BYTES_MAX,
                         error);
    }
    return DYNO_OK;
}

static dyno_status name_token(char **out, const struct dyno_vocabulary *vocabulary, uint32_t id,
                              struct dyno_error *error)
{
    bool there = id != DYNO_TOKEN_NONE;

    *out =
        there ? strndup(vocabulary->tokens[id].bytes, vocabulary->tokens[id].size) : calloc(1, 1);
    return *out ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "no memory for a token's name");
}

static dyno_status show(struct tokenizer_file *file, struct dyno_error *error)
{
    const struct dyno_vocabulary *vocabulary = dyno_vocabulary_builder_finish(&file->builder);

    DYNO_TRY(name_token(&file->bos_text, vocabulary, vocabulary->bos, error));
    DYNO_TRY(name_token(&file->eos_text, vocabulary, vocabulary->eos, error));
    file->shown = (struct dyno_tokenizer_file){
        .path = file->path,
        .vocabulary = *vocabulary,
        .chat_template = file->chat_template,
        .tool_template = file->tool_template ? file->tool_template : file->chat_template,
        .template_path = file->template_path,
        .bos_text = file->bos_text,
        .eos_text = file->eos_text};
    return DYNO_OK;
}

/* The same, unless it is named already. */
static dyno_status blame_once(const char *path, dyno_status status, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return status == DYNO_OK || !error || strstr(error->text, dyno_quote(quoted, path))
               ? status
               : blame(path, NULL, status, error);
}

static dyno_status read_any(struct tokenizer_file *file, const char *path, struct dyno_error *error)
{
    size_t length = strlen(path);
    struct stat about;

    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
        return read_directory(file, path, error);
    }
    if (dyno_gguf_is(path)) {
        DYNO_TRY(note_template(file, path, NULL, error));
        return blame_once(path, dyno_tokenizer_read_gguf(file, path, error), error);
    }
    if (length > 4 && strcmp(path + length - 4, ".bin") == 0) {
        return blame_once(path, dyno_tokenizer_read_llama2c(file, path, error), error);
    }
    return read_json(file, path, NULL, error);
}

dyno_status dyno_tokenizer_file_open(const struct dyno_tokenizer_file **out, const char *path,
                                     struct dyno_error *error)
{
    struct tokenizer_file *file = calloc(1, sizeof *file);
    dyno_status status;

    if (!file) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a tokenizer");
    }
    dyno_vocabulary_builder_init(&file->builder, DYNO_TOKENIZER_BYTE_LEVEL);
    file->path = strdup(path);
    status = file->path ? read_any(file, path, error)
                        : dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file's name");
    if (status == DYNO_OK) {
        status = show(file, error);
    }
    if (status != DYNO_OK) {
        dyno_tokenizer_file_close(&file->shown);
        return status;
    }
    *out = &file->shown;
    return DYNO_OK;
}

dyno_status dyno_tokenizer_file_tokenizer(struct dyno_tokenizer **out,
                                          const struct dyno_tokenizer_file *file, uint32_t vocab,
                                          struct dyno_error *error)
{
    uint32_t count = file->vocabulary.token_count;
    char quoted[DYNO_QUOTE_MAX];

    if (vocab > 0 && count > vocab) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: the tokenizer has %u tokens, the weights have %u: they are not of "
                         "one model",
                         dyno_quote(quoted, file->path), count, vocab);
    }
    return blame(file->path, NULL, dyno_tokenizer_open(out, &file->vocabulary, error), error);
}
