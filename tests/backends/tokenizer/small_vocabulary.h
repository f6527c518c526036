/* Vocabularies small enough to be worked out by hand. */
#ifndef DYNO_TESTS_BACKENDS_TOKENIZER_SMALL_VOCABULARY_H
#define DYNO_TESTS_BACKENDS_TOKENIZER_SMALL_VOCABULARY_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/tokenizer/patterns.h"
#include "backends/assets/tokenizer/vocabulary_builder.h"

static inline void small_token(struct dyno_vocabulary_builder *builder, const char *bytes,
                               size_t size, float score, enum dyno_token_kind kind)
{
    const struct dyno_token token = {
        .bytes = bytes, .size = (uint32_t)size, .score = score, .kind = kind};
    dyno_status status =
        dyno_vocabulary_builder_token(builder, builder->vocabulary.token_count, &token, NULL);

    assert(status == DYNO_OK);
}

static inline uint32_t small_special(struct dyno_vocabulary_builder *builder, const char *text,
                                     enum dyno_token_kind kind)
{
    small_token(builder, text, strlen(text), 0, kind);
    return builder->vocabulary.token_count - 1;
}

/* A merge of two texts in the byte alphabet, with the token that it makes. */
static inline uint32_t small_merge(struct dyno_vocabulary_builder *builder, const char *left,
                                   const char *right)
{
    uint32_t id = builder->vocabulary.token_count;
    char both[64];
    int size = snprintf(both, sizeof both, "%s%s", left, right);
    dyno_status status =
        builder->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL
            ? dyno_vocabulary_builder_alphabet(builder, id, both, (size_t)size, NULL)
            : DYNO_OK;

    if (builder->vocabulary.kind == DYNO_TOKENIZER_SPM) {
        small_token(builder, both, (size_t)size, 0, DYNO_TOKEN_PLAIN);
    }
    assert(status == DYNO_OK);
    status = dyno_vocabulary_builder_merge(builder, left, strlen(left), right, strlen(right), NULL);
    assert(status == DYNO_OK);
    return id;
}

/* Ids 0 to 255 are the bytes; then merges of a few English words, spaces and an é; then <s>, </s>,
 * <|x|> and <|x|>y (CONTROL), <tool> and <tools> (ADDED). */
static inline void small_byte_level(struct dyno_vocabulary_builder *builder)
{
    static const char *const merges[][2] = {{"t", "h"},
                                            {"th", "e"},
                                            {"\xC4\xA0", "the"},
                                            {"a", "n"},
                                            {"an", "d"},
                                            {"\xC4\xA0", "and"},
                                            {"\xC4\xA0", "\xC4\xA0"},
                                            {"a", "a"},
                                            {"aa", "aa"},
                                            {"\xC3\x83", "\xC2\xA9"},
                                            {"1", "2"},
                                            {"12", "3"},
                                            {"\xC4\xA0", "t"}};

    dyno_vocabulary_builder_init(builder, DYNO_TOKENIZER_BYTE_LEVEL);
    for (int byte = 0; byte < 256; byte++) {
        char bytes = (char)byte;

        small_token(builder, &bytes, 1, 0, DYNO_TOKEN_PLAIN);
    }
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        (void)small_merge(builder, merges[i][0], merges[i][1]);
    }
    builder->vocabulary.bos = small_special(builder, "<s>", DYNO_TOKEN_CONTROL);
    builder->vocabulary.eos = small_special(builder, "</s>", DYNO_TOKEN_CONTROL);
    (void)small_special(builder, "<|x|>", DYNO_TOKEN_CONTROL);
    (void)small_special(builder, "<|x|>y", DYNO_TOKEN_CONTROL);
    (void)small_special(builder, "<tool>", DYNO_TOKEN_ADDED);
    (void)small_special(builder, "<tools>", DYNO_TOKEN_ADDED);
    builder->vocabulary.pattern = dyno_pattern_of("llama-bpe")->pattern;
    (void)dyno_vocabulary_builder_finish(builder);
}

/* <unk>, <s>, </s>, the 256 byte tokens (if asked), then scored pieces: ids from 259 on. */
static inline void small_spm(struct dyno_vocabulary_builder *builder, bool bytes)
{
    static const struct {
        const char *text;
        float score;
    } pieces[] = {{"\xE2\x96\x81", -9},
                  {"a", -8},
                  {"b", -8},
                  {"c", -8},
                  {"ab", -1},
                  {"bc", -2},
                  {"\xE2\x96\x81"
                   "a",
                   -3},
                  {"\xE2\x96\x81"
                   "ab",
                   -4},
                  {"abc", -5},
                  {"\xE2\x96\x81\xE2\x96\x81", -6},
                  {"xy", -7}};

    dyno_vocabulary_builder_init(builder, DYNO_TOKENIZER_SPM);
    builder->vocabulary.unknown = small_special(builder, "<unk>", DYNO_TOKEN_CONTROL);
    builder->vocabulary.bos = small_special(builder, "<s>", DYNO_TOKEN_CONTROL);
    builder->vocabulary.eos = small_special(builder, "</s>", DYNO_TOKEN_CONTROL);
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;

        small_token(builder, &one, 1, 0, bytes ? DYNO_TOKEN_BYTE : DYNO_TOKEN_UNREACHABLE);
    }
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        small_token(builder, pieces[i].text, strlen(pieces[i].text), pieces[i].score,
                    DYNO_TOKEN_PLAIN);
    }
    builder->vocabulary.prefix_space = true;
    (void)dyno_vocabulary_builder_finish(builder);
}

#endif
