#include "backends/assets/tokenizer/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/ascii_pieces.h"
#include "core/base/words.h"

enum {
    STEPS_MAX = 40000000,   /* of one match; a megabyte of blanks needs about two million */
    HEAP_KIB_MAX = 1 << 18, /* of one match without the just-in-time compiler */
    STACK_BYTES_MIN = 32 << 10,
    STACK_BYTES_MAX = 4 << 20,
    EXPANSION_MAX = 140, /* bytes that one byte of a pattern may become */
};

/* Unicode's White_Space, as the inside of a class. */
#define SPACES                                                                                     \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"        \
    "\\x{205f}\\x{3000}"

struct dyno_splitter {
    pcre2_code *code;
    bool fast;                           /* the just-in-time compiler took it */
    const struct dyno_ascii_rule *ascii; /* what decides before the pattern is asked, or NULL */
};

struct dyno_split_scratch {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* A pattern on its way from one dialect to the other. */
struct translation {
    const char *at, *end;
    char *out;
    bool in_class;
    struct dyno_error *error;
};

static dyno_status refuse(const struct translation *pattern, const char *what)
{
    return dyno_fail(pattern->error, DYNO_UNSUPPORTED, "the pattern of the tokenizer uses %s",
                     what);
}

static void put(struct translation *pattern, const char *text)
{
    size_t size = strlen(text);

    memcpy(pattern->out, text, size);
    pattern->out += size;
}

/* \p{Name}, \p{^Name} or \P{Name}: a script where the name is longer than a category's. */
static dyno_status take_property(struct translation *pattern)
{
    const char *close = memchr(pattern->at, '}', (size_t)(pattern->end - pattern->at));
    const char *name = pattern->at + 2;

    if (pattern->end - pattern->at < 3 || pattern->at[1] != '{' || !close || close == name) {
        return refuse(pattern, "\\p without {Name}");
    }
    *pattern->out++ = '\\';
    *pattern->out++ = *pattern->at;
    *pattern->out++ = '{';
    if (*name == '^') {
        *pattern->out++ = *name++;
    }
    if (close - name > 2 && !memchr(name, '=', (size_t)(close - name))) {
        put(pattern, "sc:");
    }
    memcpy(pattern->out, name, (size_t)(close - name));
    pattern->out += close - name;
    *pattern->out++ = '}';
    pattern->at = close + 1;
    return DYNO_OK;
}

static dyno_status take_escape(struct translation *pattern)
{
    char letter;

    if (++pattern->at == pattern->end) {
        return refuse(pattern, "a backslash at its end");
    }
    letter = *pattern->at;
    if (letter == 'p' || letter == 'P') {
        return take_property(pattern);
    }
    pattern->at++;
    if (letter == 's') {
        put(pattern, pattern->in_class ? SPACES : "[" SPACES "]");
    } else if (letter == 'S') {
        put(pattern, pattern->in_class ? "\\S\\x{180e}" : "[^" SPACES "]");
    } else if (strchr("rntdDx", letter) || !strchr("0123456789"
                                                   "abcdefghijklmnopqrstuvwxyz"
                                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                                   letter)) {
        *pattern->out++ = '\\';
        *pattern->out++ = letter;
    } else {
        char what[] = "the escape \\?, which engines understand differently";

        what[sizeof "the escape \\" - 1] = letter;
        return refuse(pattern, what);
    }
    return DYNO_OK;
}

static dyno_status take_class_start(struct translation *pattern)
{
    *pattern->out++ = *pattern->at++;
    pattern->in_class = true;
    if (pattern->at < pattern->end && *pattern->at == '^') {
        *pattern->out++ = *pattern->at++;
    }
    if (pattern->at < pattern->end && *pattern->at == ']') {
        return refuse(pattern, "a class that begins with ]");
    }
    return DYNO_OK;
}

static dyno_status take_one(struct translation *pattern)
{
    char letter = *pattern->at;

    if (letter == '\\') {
        return take_escape(pattern);
    }
    if (letter == '[') {
        return pattern->in_class ? refuse(pattern, "a class in a class")
                                 : take_class_start(pattern);
    }
    if (letter == '&' && pattern->in_class && pattern->at + 1 < pattern->end &&
        pattern->at[1] == '&') {
        return refuse(pattern, "an intersection of classes");
    }
    if ((letter == '^' || letter == '$') && !pattern->in_class) {
        return refuse(pattern, "^ or $, which engines understand differently");
    }
    if (letter == '(' && pattern->at + 1 < pattern->end && pattern->at[1] == '*') {
        return refuse(pattern, "a verb (*...)");
    }
    if (letter == ']') {
        pattern->in_class = false;
    }
    *pattern->out++ = letter;
    pattern->at++;
    return DYNO_OK;
}

static dyno_status translate(char *out, size_t *out_size, const char *text, size_t size,
                             struct dyno_error *error)
{
    struct translation pattern = {.at = text, .end = text + size, .out = out, .error = error};

    while (pattern.at < pattern.end) {
        DYNO_TRY(take_one(&pattern));
    }
    *out_size = (size_t)(pattern.out - out);
    return DYNO_OK;
}

static dyno_status compile(struct dyno_splitter *splitter, const char *pattern, size_t size,
                           struct dyno_error *error)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    int mistake = 0;
    PCRE2_SIZE place = 0;
    unsigned char why[128] = "";
    uint32_t empty = 0;

    if (!context) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a pattern");
    }
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    (void)pcre2_set_parens_nest_limit(context, 100);
    splitter->code =
        pcre2_compile((PCRE2_SPTR)pattern, size, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                      &mistake, &place, context);
    pcre2_compile_context_free(context);
    if (!splitter->code) {
        (void)pcre2_get_error_message(mistake, why, sizeof why);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the pattern of the tokenizer is no regular expression: %s", (char *)why);
    }
    (void)pcre2_pattern_info(splitter->code, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the pattern of the tokenizer also matches no text at all");
    }
    splitter->fast = pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE) == 0;
    return DYNO_OK;
}

dyno_status dyno_splitter_open(struct dyno_splitter **out, const char *pattern, size_t size,
                               struct dyno_error *error)
{
    struct dyno_splitter *splitter = calloc(1, sizeof *splitter);
    char *translated = malloc(size * EXPANSION_MAX + 1);
    dyno_status status;

    if (splitter && translated) {
        splitter->ascii = dyno_ascii_rule_of(pattern, size);
        status = translate(translated, &size, pattern, size, error);
        if (status == DYNO_OK) {
            status = compile(splitter, translated, size, error);
        }
    } else {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for a pattern");
    }
    free(translated);
    if (status != DYNO_OK) {
        dyno_splitter_close(splitter);
        return status;
    }
    *out = splitter;
    return DYNO_OK;
}

void dyno_splitter_close(struct dyno_splitter *splitter)
{
    if (splitter) {
        pcre2_code_free(splitter->code);
        free(splitter);
    }
}

void dyno_split_scratch_close(struct dyno_split_scratch *scratch)
{
    if (scratch) {
        pcre2_match_data_free(scratch->match);
        pcre2_match_context_free(scratch->context);
        pcre2_jit_stack_free(scratch->stack);
        free(scratch);
    }
}

dyno_status dyno_split_scratch_open(struct dyno_split_scratch **out, struct dyno_error *error)
{
    struct dyno_split_scratch *scratch = calloc(1, sizeof *scratch);

    if (scratch) {
        scratch->match = pcre2_match_data_create(1, NULL);
        scratch->context = pcre2_match_context_create(NULL);
        scratch->stack = pcre2_jit_stack_create(STACK_BYTES_MIN, STACK_BYTES_MAX, NULL);
    }
    if (!scratch || !scratch->match || !scratch->context) {
        dyno_split_scratch_close(scratch);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to split text");
    }
    (void)pcre2_set_match_limit(scratch->context, STEPS_MAX);
    (void)pcre2_set_heap_limit(scratch->context, HEAP_KIB_MAX);
    if (scratch->stack) {
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    }
    *out = scratch;
    return DYNO_OK;
}

static int find(const struct dyno_splitter *splitter, const struct dyno_split_scratch *scratch,
                const char *text, size_t size, size_t start)
{
    if (splitter->fast) {
        return pcre2_jit_match(splitter->code, (PCRE2_SPTR)text, size, start, 0, scratch->match,
                               scratch->context);
    }
    return pcre2_match(splitter->code, (PCRE2_SPTR)text, size, start, PCRE2_NO_UTF_CHECK,
                       scratch->match, scratch->context);
}

dyno_status dyno_splitter_next(const struct dyno_splitter *splitter,
                               struct dyno_split_scratch *scratch, const char *text, size_t size,
                               size_t start, size_t *match_start, size_t *match_end, size_t *end)
{
    size_t ascii_end = 0;

    if (start >= *match_end && splitter->ascii) {
        ascii_end = dyno_ascii_piece_end(splitter->ascii, text, size, start);
    }
    if (ascii_end > 0) {
        *match_start = start;
        *match_end = ascii_end;
    } else if (start >= *match_end) {
        int found = find(splitter, scratch, text, size, start);
        const PCRE2_SIZE *places = pcre2_get_ovector_pointer(scratch->match);

        if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
            return DYNO_FULL;
        }
        *match_start = found < 0 ? size : places[0];
        *match_end = found < 0 ? size : places[1];
    }
    *end = start < *match_start ? *match_start : *match_end;
    return DYNO_OK;
}
