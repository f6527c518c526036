#include "backends/assets/tokenizer/patterns.h"

#include <stdlib.h>
#include <string.h>

enum { PATTERN_BYTES_MAX = 1 << 16 };

/* From the tokenizer.json of each family: openai-community/gpt2 (the step ByteLevel, whose pattern
 * is GPT-2's encoder.py), meta-llama/Llama-3.1-8B, Qwen/Qwen3-0.6B,
 * mistralai/Mistral-Nemo-Instruct-2407. */
#define GPT2                                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"                \
    "|\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LLAMA3                                                                                     \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"       \
                 "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                                                      \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"            \
                 "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define TEKKEN                                                                                     \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*"        \
    "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct dyno_pattern families[] = {
    {"gpt-2", GPT2, false, false},   {"gpt2", GPT2, false, false},
    {"phi-2", GPT2, false, false},   {"llama-bpe", LLAMA3, true, false},
    {"llama3", LLAMA3, true, false}, {"llama-v3", LLAMA3, true, false},
    {"qwen2", QWEN2, false, true},   {"deepseek-r1-qwen", QWEN2, false, true},
    {"tekken", TEKKEN, true, false},
};

const struct dyno_pattern *dyno_pattern_of(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strcmp(families[i].name, name) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

/* A line end after a backslash stands for itself: the backslash and an n say the same. */
static char *copy_escaped(char *out, const char *pattern)
{
    bool escaped = false;

    for (; *pattern; pattern++) {
        if (*pattern == '\n' && !escaped) {
            *out++ = '\\';
        }
        *out++ = *pattern == '\n' ? 'n' : *pattern;
        escaped = *pattern == '\\' && !escaped;
    }
    *out = '\0';
    return out;
}

dyno_status dyno_patterns_add(char **list, const char *pattern)
{
    size_t size = *list ? strlen(*list) : 0;
    char *wide;

    if (strlen(pattern) + size > PATTERN_BYTES_MAX) {
        return DYNO_BAD_INPUT;
    }
    wide = realloc(*list, size + 2 * strlen(pattern) + 2);
    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    if (*list) {
        wide[size++] = '\n';
    }
    *list = wide;
    (void)copy_escaped(wide + size, pattern);
    return DYNO_OK;
}
