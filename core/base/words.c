/* Words that users typed: edit distance, quoting. */
#include "core/base/words.h"

#include <ctype.h>
#include <string.h>

#include "core/base/utf8.h"

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

/* Bytes of the character at `text`; 0: it is none, or a control character. */
static size_t clean_bytes(const char *text)
{
    uint32_t point;
    size_t length;

    if (dyno_utf8_look(text, strnlen(text, DYNO_UTF8_SIZE_MAX), &length) != DYNO_UTF8_GOOD) {
        return 0;
    }
    point = dyno_utf8_point(text, &length);
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ? 0 : length;
}

bool dyno_text_is_clean(const char *text)
{
    for (size_t size; *text; text += size) {
        size = clean_bytes(text);
        if (size == 0) {
            return false;
        }
    }
    return true;
}

void dyno_text_clean(char *text)
{
    for (size_t size; *text; text += size) {
        size = clean_bytes(text);
        if (size == 0) {
            *text = '?';
            size = 1;
        }
    }
}
