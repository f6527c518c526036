/* Words that users typed: edit distance, quoting, UTF-8. */
#include "core/base/words.h"

#include <ctype.h>
#include <string.h>

enum { LETTERS_MAX = 64 }; /* longer words are never near anything */

static char folded(char letter)
{
    return letter == '-' ? '_' : (char)tolower((unsigned char)letter);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* One cell of the distance table: row `i` letters of `a` against `j` letters of `b`. */
static uint32_t cell(const char *a, const char *b, size_t i, size_t j,
                     uint32_t rows[3][LETTERS_MAX + 1])
{
    uint32_t wrong = folded(a[i - 1]) != folded(b[j - 1]);
    uint32_t best = least(rows[1][j] + 1, least(rows[2][j - 1] + 1, rows[1][j - 1] + wrong));

    if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
        folded(a[i - 2]) == folded(b[j - 1])) {
        best = least(best, rows[0][j - 2] + 1);
    }
    return best;
}

/* Optimal string alignment, three rows of the table at a time. */
static uint32_t distance(const char *a, const char *b)
{
    uint32_t rows[3][LETTERS_MAX + 1] = {{0}};
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length > LETTERS_MAX || b_length > LETTERS_MAX) {
        return UINT32_MAX;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[2][j] = (uint32_t)j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[0]));
        rows[2][0] = (uint32_t)i;
        for (size_t j = 1; j <= b_length; j++) {
            rows[2][j] = cell(a, b, i, j, rows);
        }
    }
    return rows[2][b_length];
}

void dyno_nearest_start(struct dyno_nearest *nearest, const char *word)
{
    *nearest = (struct dyno_nearest){.word = word, .distance = UINT32_MAX};
}

void dyno_nearest_offer(struct dyno_nearest *nearest, const char *known)
{
    uint32_t far = known ? distance(nearest->word, known) : UINT32_MAX;

    if (far < nearest->distance) {
        nearest->best = known;
        nearest->distance = far;
    }
}

const char *dyno_nearest_word(const struct dyno_nearest *nearest)
{
    size_t letters;

    if (!nearest->best) {
        return NULL;
    }
    letters = strlen(nearest->best);
    return nearest->distance <= (letters < 6 ? 2 : letters / 3) && nearest->distance < letters
               ? nearest->best
               : NULL;
}

const char *dyno_quote(char out[DYNO_QUOTE_MAX], const char *text)
{
    size_t length = 1;

    out[0] = '\'';
    for (; *text && length < DYNO_QUOTE_MAX - 5; text++) {
        out[length++] = iscntrl((unsigned char)*text) ? '?' : *text;
    }
    while (((unsigned char)*text & 0xc0) == 0x80 && length > 1) {
        text--, length--; /* not in the middle of a letter */
    }
    memcpy(out + length, *text ? "...'" : "'", *text ? 5 : 2);
    return out;
}

/* Bytes that follow a lead byte; -1: not a lead byte of well-formed UTF-8. */
static int followers(unsigned char lead)
{
    if (lead < 0x80) {
        return 0;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 1;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 2;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 3 : -1;
}

uint32_t dyno_utf8_take(const char **text)
{
    int more = followers((unsigned char)**text);
    uint32_t point = (unsigned char)*(*text)++;

    point &= more == 0 ? 0x7f : 0x3fu >> more;
    for (; more > 0; more--) {
        point = point << 6 | ((unsigned char)*(*text)++ & 0x3f);
    }
    return point;
}

/* The smallest code point that needs so many followers. */
static uint32_t point_min(int more)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};

    return smallest[more];
}

bool dyno_text_is_clean(const char *text)
{
    while (*text) {
        int more = followers((unsigned char)*text);
        uint32_t point;

        if (more < 0) {
            return false;
        }
        for (int i = 1; i <= more; i++) {
            if (((unsigned char)text[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        point = dyno_utf8_take(&text);
        if (point < point_min(more) || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ||
            point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            return false;
        }
    }
    return true;
}
