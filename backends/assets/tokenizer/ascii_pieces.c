/* The alternatives of patterns.c in their order, told apart by a piece's first two bytes. */
#include "backends/assets/tokenizer/ascii_pieces.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "backends/assets/tokenizer/patterns.h"

enum kind {
    OTHER, /* neither a letter nor a digit nor white; control characters too */
    LETTER,
    DIGIT,
    SPACE,    /* the blank */
    TAB,      /* white, but no blank and no line end */
    LINE_END, /* \r and \n */
    BEYOND,   /* no ASCII */
    NOTHING,  /* the text ends */
};

/* clang-format off */
#define LETTERS_26 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define BEYOND_16  6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6

static const uint8_t kinds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 5, 4, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0,
    0, LETTERS_26, 0, 0, 0, 0, 0,
    0, LETTERS_26, 0, 0, 0, 0, 0,
    BEYOND_16, BEYOND_16, BEYOND_16, BEYOND_16, BEYOND_16, BEYOND_16, BEYOND_16, BEYOND_16,
};
/* clang-format on */

struct dyno_ascii_rule {
    const char *family;
    bool any_lead;       /* letters may follow any one character but a line end; else a blank */
    bool spaced_digits;  /* digits may follow a blank */
    bool any_case;       /* of contractions */
    bool takes_lines;    /* line ends end what is OTHER, and white space up to the last of them */
    uint32_t digits_max; /* of one piece */
};

static const struct dyno_ascii_rule rules[] = {
    {.family = "gpt-2", .spaced_digits = true, .digits_max = UINT32_MAX},
    {.family = "llama-bpe",
     .any_lead = true,
     .any_case = true,
     .takes_lines = true,
     .digits_max = 3},
    {.family = "qwen2", .any_lead = true, .any_case = true, .takes_lines = true, .digits_max = 1},
};

const struct dyno_ascii_rule *dyno_ascii_rule_of(const char *pattern, size_t size)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *known = dyno_pattern_of(rules[i].family)->pattern;

        if (strlen(known) == size && memcmp(known, pattern, size) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static enum kind kind_at(const char *text, size_t size, size_t at)
{
    return at < size ? (enum kind)kinds[(unsigned char)text[at]] : NOTHING;
}

/* Where the run of a kind that has come to `at` ends. */
static size_t run_end(const char *text, size_t size, size_t at, enum kind kind)
{
    while (at < size && kinds[(unsigned char)text[at]] == kind) {
        at++;
    }
    return at;
}

/* A piece that ends at `at` unless what follows belongs to it. */
static size_t decided(const char *text, size_t size, size_t at)
{
    return kind_at(text, size, at) == BEYOND ? 0 : at;
}

/* The end of 's 't 're 've 'm 'll 'd, whose apostrophe is at `start`; 0: it is none. */
static size_t contraction_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                              size_t start)
{
    int fold = rule->any_case ? 0x20 : 0;
    int first = size - start > 1 ? text[start + 1] | fold : 0;
    int second = size - start > 2 ? text[start + 2] | fold : 0;

    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return start + 2;
    }
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
        (first == 'l' && second == 'l')) {
        return start + 3;
    }
    return 0;
}

static size_t digits_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                         size_t start)
{
    size_t most = size - start > rule->digits_max ? start + rule->digits_max : size;
    size_t at = run_end(text, most, start, DIGIT);

    return at - start == rule->digits_max ? at : decided(text, size, at);
}

static size_t others_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                         size_t start)
{
    size_t at = decided(text, size, run_end(text, size, start, OTHER));

    return at > 0 && rule->takes_lines ? run_end(text, size, at, LINE_END) : at;
}

/* Up to the last line end, else up to the blank that what follows begins with. */
static size_t white_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                        size_t start)
{
    size_t at = start, line_end = 0;
    enum kind kind;

    for (kind = kind_at(text, size, at); kind == SPACE || kind == TAB || kind == LINE_END;
         kind = kind_at(text, size, at)) {
        at++;
        line_end = kind == LINE_END ? at : line_end;
    }
    if (kind == BEYOND) {
        return 0;
    }
    if (rule->takes_lines && line_end > 0) {
        return line_end;
    }
    return kind == NOTHING || at - start == 1 ? at : at - 1;
}

size_t dyno_ascii_piece_end(const struct dyno_ascii_rule *rule, const char *text, size_t size,
                            size_t start)
{
    enum kind first = kind_at(text, size, start), second = kind_at(text, size, start + 1);
    size_t end = 0;

    if (first == LETTER) {
        return decided(text, size, run_end(text, size, start + 1, LETTER));
    }
    if (first == OTHER && text[start] == '\'') {
        end = contraction_end(rule, text, size, start);
    }
    if (end > 0 || first == BEYOND) {
        return end;
    }
    if (second == LETTER &&
        (first == SPACE || (rule->any_lead && (first == TAB || first == OTHER)))) {
        return decided(text, size, run_end(text, size, start + 2, LETTER));
    }
    if (first == DIGIT) {
        return digits_end(rule, text, size, start);
    }
    if (first == SPACE && second == DIGIT && rule->spaced_digits) {
        return digits_end(rule, text, size, start + 1);
    }
    if (first == OTHER || (first == SPACE && second == OTHER)) {
        return others_end(rule, text, size, start + (first == SPACE));
    }
    return white_end(rule, text, size, start);
}
