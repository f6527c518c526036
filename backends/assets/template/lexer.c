/* White space is Jinja's with trim_blocks and lstrip_blocks: a line end right after a block or a
 * comment is dropped, and so are the blanks before one that begins its line; '-' at a tag's inner
 * edge takes all white space on that side, '+' takes none. */
#include "backends/assets/template/lexer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/template.h"
#include "core/base/utf8.h"

static dyno_status fail(const struct dyno_jinja_lexer *lexer, const char *what)
{
    return dyno_fail(lexer->error, DYNO_BAD_INPUT, "chat template, line %u: %s", lexer->line, what);
}

static bool is_blank(char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

static bool is_name_start(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           (unsigned char)letter >= 0x80;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool sees(const struct dyno_jinja_lexer *lexer, const char *text)
{
    size_t size = strlen(text);

    return (size_t)(lexer->end - lexer->at) >= size && memcmp(lexer->at, text, size) == 0;
}

static void advance(struct dyno_jinja_lexer *lexer, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        lexer->line += lexer->at[i] == '\n';
    }
    lexer->at += size;
}

/* Line ends become '\n', and the last one is dropped. */
dyno_status dyno_jinja_lexer_start(struct dyno_jinja_lexer *lexer, struct dyno_arena *arena,
                                   const char *text, struct dyno_error *error)
{
    size_t size = strlen(text), count = 0;
    char *copy = dyno_arena_take(arena, size + 1);

    *lexer =
        (struct dyno_jinja_lexer){.arena = arena, .error = error, .line = 1, .line_starts = true};
    if (!copy) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a chat template");
    }
    if (dyno_utf8_valid(text, size, NULL) < size) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the chat template is not UTF-8");
    }
    for (size_t i = 0; i < size; i++) {
        copy[count++] = text[i] == '\r' ? '\n' : text[i];
        i += text[i] == '\r' && text[i + 1] == '\n';
    }
    count -= count > 0 && copy[count - 1] == '\n';
    lexer->at = copy;
    lexer->end = copy + count;
    return DYNO_OK;
}

static const char *find(const char *from, const char *end, const char *what)
{
    size_t size = strlen(what);

    return memmem(from, (size_t)(end - from), what, size);
}

/* The next "{{", "{%" or "{#", or the end. */
static const char *next_tag(const struct dyno_jinja_lexer *lexer)
{
    const char *at = lexer->at;

    for (; at + 1 < lexer->end; at++) {
        if (*at == '{' && (at[1] == '{' || at[1] == '%' || at[1] == '#')) {
            return at;
        }
    }
    return lexer->end;
}

/* Where the text before a tag ends once the tag has taken its blanks. */
static const char *strip_before(const struct dyno_jinja_lexer *lexer, const char *tag)
{
    const char *end = tag;
    char mark = tag + 2 < lexer->end ? tag[2] : ' ';

    if (tag == lexer->end) {
        return tag;
    }
    if (mark == '-') {
        while (end > lexer->at && is_blank(end[-1])) {
            end--;
        }
        return end;
    }
    if (tag[1] == '{' || mark == '+') {
        return tag;
    }
    while (end > lexer->at && is_blank(end[-1]) && end[-1] != '\n') {
        end--;
    }
    return (end > lexer->at ? end[-1] == '\n' : lexer->line_starts) ? end : tag;
}

static void after_tag(struct dyno_jinja_lexer *lexer, bool strip, bool trim)
{
    if (strip) {
        while (lexer->at < lexer->end && is_blank(*lexer->at)) {
            advance(lexer, 1);
        }
    } else if (trim && lexer->at < lexer->end && *lexer->at == '\n') {
        advance(lexer, 1);
    }
    lexer->line_starts = lexer->at[-1] == '\n';
}

static dyno_status skip_comment(struct dyno_jinja_lexer *lexer)
{
    const char *end = find(lexer->at + 2, lexer->end, "#}");
    bool strip, keep;

    if (!end) {
        return fail(lexer, "a comment {# has no end");
    }
    strip = end > lexer->at + 2 && end[-1] == '-';
    keep = end > lexer->at + 2 && end[-1] == '+';
    advance(lexer, (size_t)(end - lexer->at) + 2);
    after_tag(lexer, strip, !keep);
    return DYNO_OK;
}

/* The size of a tag `{% word %}` at `at` with any marks and blanks, or 0; *strip_left and
 * *strip_right are its '-'. */
static size_t word_tag(const char *at, const char *end, const char *word, bool *strip_left,
                       bool *strip_right)
{
    const char *start = at;
    size_t size = strlen(word);

    if (end - at < 2 || at[0] != '{' || at[1] != '%') {
        return 0;
    }
    at += 2;
    *strip_left = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    while (at < end && is_blank(*at)) {
        at++;
    }
    if ((size_t)(end - at) < size || memcmp(at, word, size) != 0) {
        return 0;
    }
    at += size;
    while (at < end && is_blank(*at)) {
        at++;
    }
    *strip_right = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    return end - at >= 2 && at[0] == '%' && at[1] == '}' ? (size_t)(at + 2 - start) : 0;
}

/* Everything from {% raw %} to {% endraw %} as text. */
static dyno_status take_raw(struct dyno_jinja_lexer *lexer, size_t tag_size, bool strip_after,
                            struct dyno_jinja_token *out)
{
    bool strip_left = false, strip_right = false;
    const char *tag, *end;
    size_t size = 0;

    advance(lexer, tag_size);
    after_tag(lexer, strip_after, true);
    for (tag = find(lexer->at, lexer->end, "{%"); tag; tag = find(tag + 2, lexer->end, "{%")) {
        size = word_tag(tag, lexer->end, "endraw", &strip_left, &strip_right);
        if (size > 0) {
            break;
        }
    }
    if (!tag) {
        return fail(lexer, "{% raw %} has no {% endraw %}");
    }
    end = strip_before(lexer, tag);
    *out = (struct dyno_jinja_token){.kind = DYNO_JINJA_T_DATA,
                                     .line = lexer->line,
                                     .text = {lexer->at, (size_t)(end - lexer->at)}};
    advance(lexer, (size_t)(tag - lexer->at) + size);
    after_tag(lexer, strip_right, true);
    return DYNO_OK;
}

static dyno_status open_tag(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    bool strip_left, strip_right = false;
    size_t raw = word_tag(lexer->at, lexer->end, "raw", &strip_left, &strip_right);

    if (raw > 0) {
        return take_raw(lexer, raw, strip_right, out);
    }
    lexer->in_tag = true;
    lexer->in_output = lexer->at[1] == '{';
    lexer->open_brackets = 0;
    *out = (struct dyno_jinja_token){.kind = lexer->in_output ? DYNO_JINJA_T_OUTPUT_BEGIN
                                                              : DYNO_JINJA_T_BLOCK_BEGIN,
                                     .line = lexer->line};
    advance(lexer, 2);
    if (lexer->at < lexer->end && (*lexer->at == '-' || *lexer->at == '+')) {
        advance(lexer, 1);
    }
    return DYNO_OK;
}

static dyno_status next_text(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    while (lexer->at < lexer->end) {
        const char *tag = next_tag(lexer), *end = strip_before(lexer, tag);
        struct dyno_jinja_text text = {lexer->at, (size_t)(end - lexer->at)};

        *out =
            (struct dyno_jinja_token){.kind = DYNO_JINJA_T_DATA, .line = lexer->line, .text = text};
        advance(lexer, (size_t)(tag - lexer->at));
        if (text.size > 0) {
            return DYNO_OK;
        }
        if (tag < lexer->end && tag[1] != '#') {
            return open_tag(lexer, out);
        }
        if (tag < lexer->end) {
            DYNO_TRY(skip_comment(lexer));
        }
    }
    *out = (struct dyno_jinja_token){.kind = DYNO_JINJA_T_END, .line = lexer->line};
    return DYNO_OK;
}

static int hex_of(char letter)
{
    return is_digit(letter)                 ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

/* \xHH, \uHHHH and \UHHHHHHHH, of which the letter was taken. */
static dyno_status take_code(struct dyno_jinja_lexer *lexer, char letter, char **out)
{
    size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    uint32_t point = 0;

    for (size_t i = 0; i < digits; i++) {
        int digit = lexer->at < lexer->end ? hex_of(*lexer->at) : -1;

        if (digit < 0) {
            return fail(lexer, "an escape \\x, \\u or \\U has too few digits");
        }
        point = point << 4 | (uint32_t)digit;
        lexer->at++;
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        return fail(lexer, "an escape \\u or \\U is no character");
    }
    *out += dyno_utf8_put(*out, point);
    return DYNO_OK;
}

static dyno_status take_escape(struct dyno_jinja_lexer *lexer, char **out)
{
    static const char letters[] = "nrtbfva\\'\"0", meanings[] = "\n\r\t\b\f\v\a\\'\"\0";
    char letter = *++lexer->at;
    const char *known = letter ? strchr(letters, letter) : NULL;

    lexer->line += letter == '\n';
    lexer->at++;
    if (letter == 'x' || letter == 'u' || letter == 'U') {
        return take_code(lexer, letter, out);
    }
    if (letter == '\n') {
        return DYNO_OK;
    }
    if (!known) {
        *(*out)++ = '\\';
    }
    *(*out)++ = known ? meanings[known - letters] : letter;
    return DYNO_OK;
}

static dyno_status take_string(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    char quote = *lexer->at++, *text, *put;
    const char *end = lexer->at;

    while (end < lexer->end && *end != quote) {
        end += *end == '\\' && end + 1 < lexer->end ? 2 : 1;
    }
    if (end >= lexer->end) {
        return fail(lexer, "a string has no end");
    }
    text = put = dyno_arena_take(lexer->arena, (size_t)(end - lexer->at) + 1);
    if (!text) {
        return dyno_fail(lexer->error, DYNO_NO_MEMORY, "no memory for a chat template");
    }
    while (lexer->at < end) {
        if (*lexer->at == '\\') {
            DYNO_TRY(take_escape(lexer, &put));
        } else {
            lexer->line += *lexer->at == '\n';
            *put++ = *lexer->at++;
        }
    }
    if (lexer->at != end) {
        return fail(lexer, "an escape reaches past the end of its string");
    }
    lexer->at++;
    out->kind = DYNO_JINJA_T_STRING;
    out->text = (struct dyno_jinja_text){text, (size_t)(put - text)};
    return DYNO_OK;
}

enum { NUMBER_MAX = 64 };

/* The base of "0x1f", "0o17" or "0b101", or 10. */
static int base_of(const struct dyno_jinja_lexer *lexer)
{
    char letter = lexer->at + 1 < lexer->end && *lexer->at == '0' ? lexer->at[1] : '0';

    return letter == 'x' || letter == 'X'   ? 16
           : letter == 'o' || letter == 'O' ? 8
           : letter == 'b' || letter == 'B' ? 2
                                            : 10;
}

/* The digits after such a beginning; each may have one '_' before it, which is left out. */
static size_t copy_digits(struct dyno_jinja_lexer *lexer, int base, char *out)
{
    const char *at = lexer->at + 2;
    size_t size = 0;

    while (at < lexer->end && size < NUMBER_MAX - 1) {
        const char *digit = at + (*at == '_');
        int value = digit < lexer->end ? hex_of(*digit) : -1;

        if (value < 0 || value >= base) {
            break;
        }
        out[size++] = *digit;
        at = digit + 1;
    }
    lexer->at = at;
    out[size] = '\0';
    return size;
}

/* The letters of a number without the '_' between its digits; whether it has a point or an
 * exponent. */
static size_t copy_number(struct dyno_jinja_lexer *lexer, char *out, bool *decimal)
{
    const char *at = lexer->at;
    size_t size = 0;

    *decimal = false;
    for (; at < lexer->end && size < NUMBER_MAX - 1; at++) {
        bool point = *at == '.' && !*decimal && at + 1 < lexer->end && is_digit(at[1]);
        bool exponent = (*at == 'e' || *at == 'E') && at + 1 < lexer->end &&
                        (is_digit(at[1]) || ((at[1] == '-' || at[1] == '+') &&
                                             at + 2 < lexer->end && is_digit(at[2])));
        bool sign = (*at == '-' || *at == '+') && (at[-1] == 'e' || at[-1] == 'E') && size > 0;

        *decimal |= point || exponent;
        if (*at == '_' && is_digit(at[-1]) && at + 1 < lexer->end && is_digit(at[1])) {
            continue;
        }
        if (!is_digit(*at) && !point && !exponent && !sign) {
            break;
        }
        out[size++] = *at;
    }
    lexer->at = at;
    out[size] = '\0';
    return size;
}

static dyno_status take_number(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    char digits[NUMBER_MAX], *end;
    bool decimal = false;
    int base = base_of(lexer);
    size_t size =
        base == 10 ? copy_number(lexer, digits, &decimal) : copy_digits(lexer, base, digits);

    if (!decimal && base == 10 && *digits == '0' && strspn(digits, "0") < size) {
        return fail(lexer, "a whole number begins with 0; 0o17 would be octal, and 17 decimal");
    }
    errno = 0;
    if (decimal) {
        out->kind = DYNO_JINJA_T_DECIMAL;
        out->decimal = strtod(digits, &end);
    } else {
        out->kind = DYNO_JINJA_T_INTEGER;
        out->integer = strtoll(digits, &end, base);
    }
    errno = decimal && fabs(out->decimal) < 1 ? 0 : errno; /* what is too small for a float is 0 */
    return errno == 0 && size > 0 && size < NUMBER_MAX - 1 && *end == '\0'
               ? DYNO_OK
               : fail(lexer, "a number is too large or malformed");
}

static dyno_status take_sign(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    static const char *const pairs[] = {"**", "//", "==", "!=", ">=", "<="};
    char letter = *lexer->at;
    size_t size = 1;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size = sees(lexer, pairs[i]) ? 2 : size;
    }
    if (size == 1 && (letter == '\0' || !strchr("+-*/%~()[]{}<>=.,:|", letter))) {
        return fail(lexer, "a character that is no part of an expression");
    }
    if (strchr("([{", letter)) {
        lexer->open_brackets++;
    } else if (strchr(")]}", letter) && lexer->open_brackets > 0) {
        lexer->open_brackets--;
    }
    out->kind = DYNO_JINJA_T_SIGN;
    out->text = (struct dyno_jinja_text){lexer->at, size};
    lexer->at += size;
    return DYNO_OK;
}

/* The end of a tag at the place of the lexer, or false. */
static bool take_tag_end(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    bool strip = *lexer->at == '-', keep = *lexer->at == '+';
    const char *at = lexer->at + (strip || keep);
    const char *mark = lexer->in_output ? "}}" : "%}";

    if (lexer->open_brackets > 0 || lexer->end - at < 2 || at[0] != mark[0] || at[1] != mark[1] ||
        (keep && lexer->in_output)) {
        return false;
    }
    out->kind = lexer->in_output ? DYNO_JINJA_T_OUTPUT_END : DYNO_JINJA_T_BLOCK_END;
    lexer->at = at + 2;
    lexer->in_tag = false;
    after_tag(lexer, strip, !lexer->in_output && !keep);
    return true;
}

static dyno_status next_in_tag(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    while (lexer->at < lexer->end && is_blank(*lexer->at)) {
        advance(lexer, 1);
    }
    *out = (struct dyno_jinja_token){.line = lexer->line};
    if (lexer->at == lexer->end) {
        return fail(lexer, lexer->in_output ? "{{ has no }}" : "{% has no %}");
    }
    if (take_tag_end(lexer, out)) {
        return DYNO_OK;
    }
    if (*lexer->at == '"' || *lexer->at == '\'') {
        return take_string(lexer, out);
    }
    if (is_digit(*lexer->at)) {
        return take_number(lexer, out);
    }
    if (is_name_start(*lexer->at)) {
        const char *start = lexer->at;

        while (lexer->at < lexer->end && (is_name_start(*lexer->at) || is_digit(*lexer->at))) {
            lexer->at++;
        }
        out->kind = DYNO_JINJA_T_NAME;
        out->text = (struct dyno_jinja_text){start, (size_t)(lexer->at - start)};
        return DYNO_OK;
    }
    return take_sign(lexer, out);
}

dyno_status dyno_jinja_lexer_next(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out)
{
    return lexer->in_tag ? next_in_tag(lexer, out) : next_text(lexer, out);
}
