#include "backends/grammar/spelling.h"

#include <string.h>

static const struct {
    uint8_t character;
    char letter;
} escapes[] = {{'\b', 'b'}, {'\t', 't'}, {'\n', 'n'}, {'\f', 'f'},
               {'\r', 'r'}, {'"', '"'},  {'\\', '\\'}};

enum { ESCAPES = sizeof escapes / sizeof *escapes };

/* The letter that follows a '\' for this character, or 0. */
static char letter_of(uint32_t character)
{
    for (int i = 0; i < ESCAPES; i++) {
        if (escapes[i].character == character) {
            return escapes[i].letter;
        }
    }
    return 0;
}

size_t dyno_spell(char *spelled, const char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        char letter = letter_of((uint8_t)text[i]);

        if (letter) {
            spelled[at++] = '\\';
        } else if ((uint8_t)text[i] < ' ') {
            return 0;
        }
        spelled[at++] = letter ? letter : text[i];
    }
    return at;
}

/* A union that begins as nothing. */
struct gathered {
    struct dyno_parts *parts;
    struct dyno_piece piece;
    bool any;
};

static void gather(struct gathered *gathered, struct dyno_piece piece)
{
    gathered->piece =
        gathered->any ? dyno_piece_either(gathered->parts, gathered->piece, piece) : piece;
    gathered->any = true;
}

/* Characters whose UTF-8 has `size` bytes: from first[size] to last[size]. */
static struct dyno_piece utf8_between(struct dyno_parts *parts, const uint8_t *first,
                                      const uint8_t *last, int size)
{
    static const uint8_t lowest[3] = {0x80, 0x80, 0x80}, highest[3] = {0xbf, 0xbf, 0xbf};
    struct gathered all = {.parts = parts};
    uint8_t begin = *first, end = *last;

    if (size == 1) {
        return dyno_piece_byte(parts, begin, end);
    }
    if (begin == end) {
        return dyno_piece_join(parts, dyno_piece_byte(parts, begin, begin),
                               utf8_between(parts, first + 1, last + 1, size - 1));
    }
    if (memcmp(first + 1, lowest, (size_t)size - 1) != 0) {
        gather(&all, dyno_piece_join(parts, dyno_piece_byte(parts, begin, begin),
                                     utf8_between(parts, first + 1, highest, size - 1)));
        begin++;
    }
    if (memcmp(last + 1, highest, (size_t)size - 1) != 0) {
        gather(&all, dyno_piece_join(parts, dyno_piece_byte(parts, end, end),
                                     utf8_between(parts, lowest, last + 1, size - 1)));
        end--;
    }
    if (begin <= end) {
        gather(&all, dyno_piece_join(parts, dyno_piece_byte(parts, begin, end),
                                     dyno_piece_run(parts, 0x80, 0xbf, (uint32_t)size - 1,
                                                    (uint32_t)size - 1)));
    }
    return all.piece;
}

static int utf8_of(uint32_t character, uint8_t bytes[4])
{
    int size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    for (int i = size - 1; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    bytes[0] = (uint8_t)(size == 1 ? character : (0xf00U >> size & 0xff) | character);
    return size;
}

/* What of first ... last is no surrogate and stands for itself, cut where sizes change. */
static void gather_plain(struct gathered *all, uint32_t first, uint32_t last)
{
    static const struct dyno_range sizes[] = {{0x20, 0x21},
                                              {0x23, 0x5b},
                                              {0x5d, 0x7f},
                                              {0x80, 0x7ff},
                                              {0x800, 0xd7ff},
                                              {0xe000, 0xffff},
                                              {0x10000, DYNO_CHARACTER_MAX}};
    uint8_t begin[4] = {0}, end[4] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t low = first > sizes[i].first ? first : sizes[i].first;
        uint32_t high = last < sizes[i].last ? last : sizes[i].last;

        if (low <= high) {
            int size = utf8_of(low, begin);

            (void)utf8_of(high, end);
            gather(all, utf8_between(all->parts, begin, end, size));
        }
    }
}

struct dyno_piece dyno_piece_character(struct dyno_parts *parts, const struct dyno_range *ranges,
                                       uint32_t count)
{
    struct gathered all = {.parts = parts};

    for (uint32_t i = 0; i < count && parts->status == DYNO_OK; i++) {
        for (int j = 0; j < ESCAPES; j++) {
            if (escapes[j].character >= ranges[i].first && escapes[j].character <= ranges[i].last) {
                const char spelled[2] = {'\\', escapes[j].letter};

                gather(&all, dyno_piece_bytes(parts, spelled, 2));
            }
        }
        gather_plain(&all, ranges[i].first, ranges[i].last);
    }
    if (!all.any) { /* an end to which nothing leads */
        all.piece = (struct dyno_piece){dyno_piece_empty(parts).begin, dyno_piece_empty(parts).end};
    }
    return all.piece;
}
