#include "backends/load/json_skim.h"

#include <limits.h>
#include <string.h>

static void blanks(struct dyno_skim *skim)
{
    while (skim->at < skim->end &&
           (*skim->at == ' ' || *skim->at == '\n' || *skim->at == '\r' || *skim->at == '\t')) {
        skim->at++;
    }
}

static bool spoil(struct dyno_skim *skim)
{
    skim->bad = true;
    skim->at = skim->end;
    return false;
}

/* The letter `wanted`, after blanks. */
static bool take(struct dyno_skim *skim, char wanted)
{
    blanks(skim);
    if (skim->at < skim->end && *skim->at == wanted) {
        skim->at++;
        return true;
    }
    return false;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool is_hex(char letter)
{
    return is_digit(letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'f');
}

/* ---- scalars --------------------------------------------------------------------------------- */

/* Past the escape whose backslash was read. */
static bool escape(struct dyno_skim *skim)
{
    if (skim->at == skim->end || *skim->at == '\0' || !strchr("\"\\/bfnrtu", *skim->at)) {
        return spoil(skim);
    }
    if (*skim->at++ != 'u') {
        return true;
    }
    for (int i = 0; i < 4; i++) {
        if (skim->at == skim->end || !is_hex(*skim->at++)) {
            return spoil(skim);
        }
    }
    return true;
}

/* Past letters that mean themselves within a string; false: the text ends there.  This is where the
 * time goes, so it is one look at a table for each of them. */
static bool pass_plain(struct dyno_skim *skim)
{
    static const bool stops[UCHAR_MAX + 1] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};
    const char *at = skim->at;

    while (at < skim->end && !stops[(unsigned char)*at]) {
        at++;
    }
    skim->at = at;
    return at < skim->end;
}

static bool string(struct dyno_skim *skim, struct dyno_skim_text *out)
{
    if (!take(skim, '"')) {
        return spoil(skim);
    }
    out->at = skim->at;
    while (pass_plain(skim) && *skim->at == '\\') {
        skim->at++;
        if (!escape(skim)) {
            return false;
        }
    }
    if (skim->at == skim->end || *skim->at != '"') {
        return spoil(skim);
    }
    out->size = (size_t)(skim->at - out->at);
    skim->at++;
    return true;
}

static bool digits(struct dyno_skim *skim)
{
    const char *from = skim->at;

    while (skim->at < skim->end && is_digit(*skim->at)) {
        skim->at++;
    }
    return skim->at > from;
}

/* Past a number; `*is_whole`: it had neither sign, fraction nor exponent. */
static bool number(struct dyno_skim *skim, bool *is_whole)
{
    const char *from;

    *is_whole = true;
    if (skim->at < skim->end && *skim->at == '-') {
        skim->at++;
        *is_whole = false;
    }
    from = skim->at;
    if (!digits(skim) || (*from == '0' && skim->at - from > 1)) {
        return spoil(skim);
    }
    if (skim->at < skim->end && *skim->at == '.') {
        skim->at++;
        *is_whole = false;
        if (!digits(skim)) {
            return spoil(skim);
        }
    }
    if (skim->at < skim->end && (*skim->at | 0x20) == 'e') {
        skim->at++;
        *is_whole = false;
        if (skim->at < skim->end && (*skim->at == '+' || *skim->at == '-')) {
            skim->at++;
        }
        return digits(skim) || spoil(skim);
    }
    return true;
}

static bool word(struct dyno_skim *skim, const char *wanted)
{
    size_t size = strlen(wanted);

    if ((size_t)(skim->end - skim->at) < size || memcmp(skim->at, wanted, size) != 0) {
        return spoil(skim);
    }
    skim->at += size;
    return true;
}

/* ---- containers ------------------------------------------------------------------------------ */

static bool enter(struct dyno_skim *skim, char bracket)
{
    if (!take(skim, bracket) || skim->depth == DYNO_SKIM_DEPTH_MAX) {
        return spoil(skim);
    }
    skim->depth++;
    skim->fresh = true;
    return true;
}

/* To the next thing in a container; false: it was the last, or the text is bad. */
static bool advance(struct dyno_skim *skim, char closing)
{
    if (skim->bad) {
        return false;
    }
    if (take(skim, closing)) {
        skim->depth--;
        skim->fresh = false;
        return false;
    }
    if (!skim->fresh && !take(skim, ',')) {
        return spoil(skim);
    }
    skim->fresh = false;
    return true;
}

void dyno_skim_start(struct dyno_skim *skim, const char *json, size_t size)
{
    *skim = (struct dyno_skim){.at = json, .end = json + size};
}

char dyno_skim_peek(struct dyno_skim *skim)
{
    blanks(skim);
    if (skim->at == skim->end) {
        return 0;
    }
    return *skim->at == '-' || is_digit(*skim->at) ? '0' : *skim->at;
}

bool dyno_skim_object(struct dyno_skim *skim)
{
    return enter(skim, '{');
}

bool dyno_skim_member(struct dyno_skim *skim, struct dyno_skim_text *key)
{
    return advance(skim, '}') && string(skim, key) && (take(skim, ':') || spoil(skim));
}

bool dyno_skim_array(struct dyno_skim *skim)
{
    return enter(skim, '[');
}

bool dyno_skim_item(struct dyno_skim *skim)
{
    return advance(skim, ']');
}

/* ---- values ---------------------------------------------------------------------------------- */

bool dyno_skim_string(struct dyno_skim *skim, struct dyno_skim_text *out)
{
    if (dyno_skim_peek(skim) != '"') {
        dyno_skim_pass(skim);
        return false;
    }
    return string(skim, out);
}

bool dyno_skim_u32(struct dyno_skim *skim, uint32_t *out)
{
    const char *from;
    bool is_whole;
    uint64_t value = 0;

    if (dyno_skim_peek(skim) != '0') {
        dyno_skim_pass(skim);
        return false;
    }
    from = skim->at;
    if (!number(skim, &is_whole) || !is_whole || skim->at - from > 10) {
        return false;
    }
    for (; from < skim->at; from++) {
        value = value * 10 + (uint64_t)(*from - '0');
    }
    if (value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* Past a value that is no container, or into one. */
static void pass_or_enter(struct dyno_skim *skim)
{
    struct dyno_skim_text text;
    bool is_whole;

    switch (dyno_skim_peek(skim)) {
    case '{':
        (void)dyno_skim_object(skim);
        break;
    case '[':
        (void)dyno_skim_array(skim);
        break;
    case '"':
        (void)string(skim, &text);
        break;
    case '0':
        (void)number(skim, &is_whole);
        break;
    case 't':
        (void)word(skim, "true");
        break;
    case 'f':
        (void)word(skim, "false");
        break;
    case 'n':
        (void)word(skim, "null");
        break;
    default:
        (void)spoil(skim);
        break;
    }
}

void dyno_skim_pass(struct dyno_skim *skim)
{
    uint64_t arrays = 0; /* one bit a level: it is an array */
    uint32_t depth = skim->depth;

    do {
        uint32_t before = skim->depth;
        struct dyno_skim_text key;

        pass_or_enter(skim);
        if (skim->depth > before) {
            arrays = arrays << 1 | (skim->at[-1] == '[');
        }
        while (!skim->bad && skim->depth > depth &&
               !(arrays & 1 ? dyno_skim_item(skim) : dyno_skim_member(skim, &key))) {
            arrays >>= 1;
        }
    } while (!skim->bad && skim->depth > depth);
}

bool dyno_skim_end(struct dyno_skim *skim)
{
    blanks(skim);
    return !skim->bad && skim->depth == 0 && skim->at == skim->end;
}
