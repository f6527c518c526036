/* What a tokenizer.json does to a text before its model, and around it.
 *
 * Hugging Face's pipeline is a program of steps; the tokenizers of one family write the same few.
 * Those are recognised, one by one, and any other step is refused by its name. */
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/patterns.h"
#include "backends/assets/tokenizer/tokenizer_json.h"
#include "core/base/words.h"

#define LOWER_BLOCK "\xE2\x96\x81" /* U+2581, SentencePiece's space */

/* What the steps seen so far say. */
struct pipeline {
    const struct dyno_vocabulary_builder *builder;
    struct dyno_vocabulary *vocabulary; /* the builder's */
    char **patterns;
    struct dyno_error *error;
    const char *part;     /* the key whose steps are read, for errors */
    bool byte_level;      /* a ByteLevel step was seen: no split may follow */
    bool spaces_replaced; /* spaces are U+2581 from here on */
    bool has_pattern;     /* a split by pattern was seen */
};

static const char *type_of(const json_t *step)
{
    const char *type = json_string_value(json_object_get(step, "type"));

    return type ? type : "";
}

static bool is_set(const json_t *step, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(step, key);

    return value ? json_is_true(value) : otherwise;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static dyno_status refuse_step(const struct pipeline *line, const json_t *step)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(line->error, DYNO_UNSUPPORTED, "\"%s\" has a step %s that is not done here",
                     line->part, dyno_quote(quoted, type_of(step)));
}

static dyno_status refuse_value(const struct pipeline *line, const json_t *step, const char *key)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(line->error, DYNO_UNSUPPORTED, "\"%s\", step %s: this \"%s\" is not done here",
                     line->part, dyno_quote(quoted, type_of(step)), key);
}

/* Calls `take` for every step of a part: none, one, or those of a Sequence (which do not nest). */
static dyno_status each_step(struct pipeline *line, const json_t *root, const char *part,
                             const char *list,
                             dyno_status (*take)(struct pipeline *line, const json_t *step))
{
    const json_t *step = json_object_get(root, part);
    const json_t *steps = json_object_get(step, list);

    line->part = part;
    if (!step || json_is_null(step)) {
        return DYNO_OK;
    }
    if (strcmp(type_of(step), "Sequence") != 0) {
        return take(line, step);
    }
    if (!json_is_array(steps)) {
        return dyno_fail(line->error, DYNO_BAD_INPUT, "\"%s.%s\" must be a list", part, list);
    }
    for (size_t i = 0; i < json_array_size(steps); i++) {
        DYNO_TRY(take(line, json_array_get(steps, i)));
    }
    return DYNO_OK;
}

static dyno_status take_replace(struct pipeline *line, const json_t *step)
{
    const json_t *pattern = json_object_get(step, "pattern");

    if (!is_text(json_object_get(pattern, "String"), " ") ||
        !is_text(json_object_get(step, "content"), LOWER_BLOCK)) {
        return refuse_value(line, step, "pattern");
    }
    line->spaces_replaced = true;
    line->vocabulary->marks_first = true;
    return DYNO_OK;
}

static dyno_status take_normalizer(struct pipeline *line, const json_t *step)
{
    const char *type = type_of(step);

    if (strcmp(type, "NFC") == 0 && !line->spaces_replaced && !line->vocabulary->prefix_space) {
        line->vocabulary->nfc = true;
        return DYNO_OK;
    }
    if (strcmp(type, "Prepend") == 0 && !line->spaces_replaced) {
        if (!is_text(json_object_get(step, "prepend"), LOWER_BLOCK)) {
            return refuse_value(line, step, "prepend");
        }
        line->vocabulary->prefix_space = true;
        return DYNO_OK;
    }
    return strcmp(type, "Replace") == 0 ? take_replace(line, step) : refuse_step(line, step);
}

static dyno_status add_pattern(struct pipeline *line, const char *pattern)
{
    dyno_status status = dyno_patterns_add(line->patterns, pattern);

    if (status != DYNO_OK) {
        return dyno_fail(line->error, status, "\"%s\": no memory for a pattern, or it is too long",
                         line->part);
    }
    line->has_pattern = true;
    return DYNO_OK;
}

/* Gemma splits at a space, of which its normaliser has left none. */
static dyno_status take_split(struct pipeline *line, const json_t *step)
{
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));

    if (line->spaces_replaced && is_text(json_object_get(pattern, "String"), " ")) {
        return DYNO_OK;
    }
    if (!regex) {
        return refuse_value(line, step, "pattern");
    }
    if (!is_text(json_object_get(step, "behavior"), "Isolated")) {
        return refuse_value(line, step, "behavior");
    }
    if (is_set(step, "invert", false)) {
        return refuse_value(line, step, "invert");
    }
    return add_pattern(line, regex);
}

static dyno_status take_byte_level(struct pipeline *line, const json_t *step)
{
    if (is_set(step, "add_prefix_space", true)) {
        if (line->has_pattern) {
            return refuse_value(line, step, "add_prefix_space");
        }
        line->vocabulary->prefix_space = true;
        line->vocabulary->prefix_unless_space = true;
    }
    line->byte_level = true;
    return is_set(step, "use_regex", true) ? add_pattern(line, dyno_pattern_of("gpt-2")->pattern)
                                           : DYNO_OK;
}

static dyno_status take_metaspace(struct pipeline *line, const json_t *step)
{
    struct dyno_vocabulary *vocabulary = line->vocabulary;
    const json_t *scheme = json_object_get(step, "prepend_scheme");
    bool never = is_text(scheme, "never") || !is_set(step, "add_prefix_space", true);

    if (!is_text(json_object_get(step, "replacement"), LOWER_BLOCK)) {
        return refuse_value(line, step, "replacement");
    }
    if (scheme && !never && !is_text(scheme, "first") && !is_text(scheme, "always")) {
        return refuse_value(line, step, "prepend_scheme");
    }
    line->spaces_replaced = true;
    vocabulary->split_words = is_set(step, "split", true);
    vocabulary->prefix_first_only = is_text(scheme, "first");
    vocabulary->prefix_space = !never;
    vocabulary->prefix_unless_space = true;
    return DYNO_OK;
}

static dyno_status take_pre_tokenizer(struct pipeline *line, const json_t *step)
{
    const char *type = type_of(step);

    if (line->byte_level) {
        return dyno_fail(line->error, DYNO_UNSUPPORTED,
                         "\"pre_tokenizer\" has a step after ByteLevel, which must be the last");
    }
    if (strcmp(type, "Split") == 0) {
        return take_split(line, step);
    }
    if (strcmp(type, "ByteLevel") == 0) {
        return take_byte_level(line, step);
    }
    if (strcmp(type, "Digits") == 0) {
        return add_pattern(line, is_set(step, "individual_digits", false) ? "\\p{N}" : "\\p{N}+");
    }
    if (strcmp(type, "Metaspace") == 0 && !line->has_pattern && !line->vocabulary->prefix_space) {
        return take_metaspace(line, step);
    }
    return refuse_step(line, step);
}

static dyno_status take_decoder(struct pipeline *line, const json_t *step)
{
    static const char *const known[] = {"ByteLevel", "Replace", "ByteFallback",
                                        "Fuse",      "Strip",   "Metaspace"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(type_of(step), known[i]) == 0) {
            return DYNO_OK;
        }
    }
    return refuse_step(line, step);
}

static dyno_status settle_kind(struct pipeline *line)
{
    struct dyno_vocabulary *vocabulary = line->vocabulary;

    if (line->byte_level && line->spaces_replaced) {
        return dyno_fail(line->error, DYNO_UNSUPPORTED,
                         "\"normalizer\" replaces spaces, which a ByteLevel tokenizer does not");
    }
    if (!line->byte_level && !line->spaces_replaced) {
        return dyno_fail(line->error, DYNO_UNSUPPORTED,
                         "the tokenizer is neither byte-level (a ByteLevel pre_tokenizer) nor "
                         "after SentencePiece (spaces replaced by U+2581)");
    }
    if (!line->byte_level && line->has_pattern) {
        return dyno_fail(line->error, DYNO_UNSUPPORTED,
                         "\"pre_tokenizer\" splits by a pattern where spaces are U+2581");
    }
    vocabulary->kind = line->byte_level ? DYNO_TOKENIZER_BYTE_LEVEL : DYNO_TOKENIZER_SPM;
    vocabulary->pattern = *line->patterns ? *line->patterns : "";
    return DYNO_OK;
}

dyno_status dyno_tokenizer_json_pipeline(struct dyno_vocabulary_builder *builder, char **patterns,
                                         const json_t *root, struct dyno_error *error)
{
    struct pipeline line = {.builder = builder,
                            .vocabulary = &builder->vocabulary,
                            .patterns = patterns,
                            .error = error};

    DYNO_TRY(each_step(&line, root, "normalizer", "normalizers", take_normalizer));
    DYNO_TRY(each_step(&line, root, "pre_tokenizer", "pretokenizers", take_pre_tokenizer));
    DYNO_TRY(each_step(&line, root, "decoder", "decoders", take_decoder));
    return settle_kind(&line);
}

/* One place of a TemplateProcessing's "single": {"SpecialToken": {"id": text}} or {"Sequence": ..}.
 */
static dyno_status take_place(struct pipeline *line, const json_t *place, bool *text_seen)
{
    const json_t *special = json_object_get(place, "SpecialToken");
    const json_t *text = json_object_get(special, "id");
    struct dyno_vocabulary *vocabulary = line->vocabulary;
    char quoted[DYNO_QUOTE_MAX];
    uint32_t id;

    if (json_is_object(json_object_get(place, "Sequence")) && !*text_seen) {
        *text_seen = true;
        return DYNO_OK;
    }
    if (!json_is_string(text) || (*text_seen ? vocabulary->add_eos : vocabulary->add_bos)) {
        return dyno_fail(line->error, DYNO_UNSUPPORTED,
                         "\"post_processor.single\" must be at most one special token, the text, "
                         "and at most one special token");
    }
    id = dyno_tokenizer_json_id(line->builder, json_string_value(text), json_string_length(text));
    if (id == DYNO_TOKEN_NONE) {
        return dyno_fail(line->error, DYNO_BAD_INPUT, "\"post_processor\": %s is not a token",
                         dyno_quote(quoted, json_string_value(text)));
    }
    *(*text_seen ? &vocabulary->add_eos : &vocabulary->add_bos) = true;
    *(*text_seen ? &vocabulary->eos : &vocabulary->bos) = id;
    return DYNO_OK;
}

static dyno_status take_post_processor(struct pipeline *line, const json_t *step)
{
    const json_t *single = json_object_get(step, "single");
    bool text_seen = false;

    if (strcmp(type_of(step), "ByteLevel") == 0) {
        return DYNO_OK; /* it moves offsets, of which there are none here */
    }
    if (strcmp(type_of(step), "TemplateProcessing") != 0) {
        return refuse_step(line, step);
    }
    for (size_t i = 0; i < json_array_size(single); i++) {
        DYNO_TRY(take_place(line, json_array_get(single, i), &text_seen));
    }
    return text_seen ? DYNO_OK
                     : dyno_fail(line->error, DYNO_BAD_INPUT,
                                 "\"post_processor.single\" must hold a \"Sequence\"");
}

dyno_status dyno_tokenizer_json_around(struct dyno_vocabulary_builder *builder, const json_t *root,
                                       struct dyno_error *error)
{
    struct pipeline line = {.builder = builder, .vocabulary = &builder->vocabulary, .error = error};

    return each_step(&line, root, "post_processor", "processors", take_post_processor);
}
