/* A range of whole numbers is taken apart by digits: as long as a number has begun like a bound,
 * the bound limits the next digit; after that any digit will do. */
#include "backends/grammar/numbers.h"

enum { DIGITS_MAX = 18, FRACTION_MAX = 17 };

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

static struct dyno_piece digit(struct dyno_parts *parts, int first, int last)
{
    return dyno_piece_byte(parts, (uint8_t)('0' + first), (uint8_t)('0' + last));
}

/* The `count` last digits of numbers from low to high; a NULL bound no longer binds. */
static struct dyno_piece digits_between(struct dyno_parts *parts, const char *low, const char *high,
                                        uint32_t count)
{
    struct gathered all = {.parts = parts};
    int first, last;

    if (count == 0 || (!low && !high)) {
        return dyno_piece_run(parts, '0', '9', count, count);
    }
    first = low ? *low : 0;
    last = high ? *high : 9;
    if (low && high && first == last) {
        return dyno_piece_join(parts, digit(parts, first, first),
                               digits_between(parts, low + 1, high + 1, count - 1));
    }
    if (low) {
        gather(&all, dyno_piece_join(parts, digit(parts, first, first),
                                     digits_between(parts, low + 1, NULL, count - 1)));
        first++;
    }
    if (high) {
        gather(&all, dyno_piece_join(parts, digit(parts, last, last),
                                     digits_between(parts, NULL, high + 1, count - 1)));
        last--;
    }
    if (first <= last) {
        gather(&all, dyno_piece_join(parts, digit(parts, first, last),
                                     digits_between(parts, NULL, NULL, count - 1)));
    }
    return all.piece;
}

static void digits_of(uint64_t value, uint32_t count, char digits[DIGITS_MAX])
{
    for (uint32_t i = count; i-- > 0; value /= 10) {
        digits[i] = (char)(value % 10);
    }
}

/* low ... high, without leading zeros; low <= high. */
static struct dyno_piece whole_between(struct dyno_parts *parts, uint64_t low, uint64_t high)
{
    struct gathered all = {.parts = parts};
    uint64_t least = 0, most = 9;

    for (uint32_t count = 1; count <= DIGITS_MAX && least <= high; count++) {
        uint64_t first = low > least ? low : least, last = high < most ? high : most;
        char first_digits[DIGITS_MAX], last_digits[DIGITS_MAX];

        if (first <= last) {
            digits_of(first, count, first_digits);
            digits_of(last, count, last_digits);
            gather(&all, digits_between(parts, first_digits, last_digits, count));
        }
        least = most + 1;
        most = most * 10 + 9;
    }
    return all.piece;
}

static struct dyno_piece negative(struct dyno_parts *parts, struct dyno_piece piece)
{
    return dyno_piece_join(parts, dyno_piece_byte(parts, '-', '-'), piece);
}

bool dyno_piece_whole(struct dyno_parts *parts, struct dyno_bounds bounds, struct dyno_piece *out)
{
    struct gathered all = {.parts = parts};
    int64_t min = bounds.min + bounds.min_open, max = bounds.max - bounds.max_open;

    if (max >= 0 && min <= max) {
        gather(&all, whole_between(parts, min > 0 ? (uint64_t)min : 0, (uint64_t)max));
    }
    if (min < 0 && min <= max) {
        uint64_t low = max < 0 ? (uint64_t)-max : 1;

        gather(&all, negative(parts, whole_between(parts, low, (uint64_t)-min)));
    }
    *out = all.piece;
    return all.any;
}

static struct dyno_piece point(struct dyno_parts *parts, struct dyno_piece digits)
{
    return dyno_piece_join(parts, dyno_piece_byte(parts, '.', '.'), digits);
}

static struct dyno_piece any_fraction(struct dyno_parts *parts)
{
    return dyno_piece_optional(parts,
                               point(parts, dyno_piece_run(parts, '0', '9', 1, FRACTION_MAX)));
}

static struct dyno_piece no_fraction(struct dyno_parts *parts)
{
    return dyno_piece_optional(parts,
                               point(parts, dyno_piece_run(parts, '0', '0', 1, FRACTION_MAX)));
}

/* One that is not zero: zeros, a digit that is none, and more. */
static struct dyno_piece some_fraction(struct dyno_parts *parts)
{
    struct dyno_piece zeros = dyno_piece_run(parts, '0', '0', 0, FRACTION_MAX / 2);
    struct dyno_piece rest = dyno_piece_join(parts, digit(parts, 1, 9),
                                             dyno_piece_run(parts, '0', '9', 0, FRACTION_MAX / 2));

    return point(parts, dyno_piece_join(parts, zeros, rest));
}

/* Decimals of one sign from low to high. */
static void gather_decimals(struct gathered *all, uint64_t low, bool low_open, uint64_t high,
                            bool high_open)
{
    struct dyno_parts *parts = all->parts;

    if (low == high) {
        if (!low_open && !high_open) {
            gather(all, dyno_piece_join(parts, whole_between(parts, low, low), no_fraction(parts)));
        }
        return;
    }
    gather(all, dyno_piece_join(parts, whole_between(parts, low, low),
                                low_open ? some_fraction(parts) : any_fraction(parts)));
    if (low + 1 < high) {
        gather(all, dyno_piece_join(parts, whole_between(parts, low + 1, high - 1),
                                    any_fraction(parts)));
    }
    if (!high_open) {
        gather(all, dyno_piece_join(parts, whole_between(parts, high, high), no_fraction(parts)));
    }
}

bool dyno_piece_decimal(struct dyno_parts *parts, struct dyno_bounds bounds, struct dyno_piece *out)
{
    struct gathered all = {.parts = parts}, below = {.parts = parts};

    if (bounds.min > bounds.max) {
        return false;
    }
    if (bounds.max >= 0) {
        bool above = bounds.min >= 0;

        gather_decimals(&all, above ? (uint64_t)bounds.min : 0, above && bounds.min_open,
                        (uint64_t)bounds.max, bounds.max_open);
    }
    if (bounds.min < 0) {
        bool under = bounds.max <= 0;

        gather_decimals(&below, under ? (uint64_t)-bounds.max : 0, under && bounds.max_open,
                        (uint64_t)-bounds.min, bounds.min_open);
    }
    if (below.any) {
        gather(&all, negative(parts, below.piece));
    }
    *out = all.piece;
    return all.any;
}

struct dyno_piece dyno_piece_number(struct dyno_parts *parts)
{
    struct dyno_piece whole =
        dyno_piece_join(parts, dyno_piece_optional(parts, dyno_piece_byte(parts, '-', '-')),
                        whole_between(parts, 0, DYNO_WHOLE_MAX));
    struct dyno_piece letter = dyno_piece_either(parts, dyno_piece_byte(parts, 'E', 'E'),
                                                 dyno_piece_byte(parts, 'e', 'e'));
    struct dyno_piece sign = dyno_piece_either(parts, dyno_piece_byte(parts, '+', '+'),
                                               dyno_piece_byte(parts, '-', '-'));
    struct dyno_piece exponent =
        dyno_piece_join(parts, dyno_piece_join(parts, letter, dyno_piece_optional(parts, sign)),
                        dyno_piece_run(parts, '0', '9', 1, 2));

    return dyno_piece_join(parts, dyno_piece_join(parts, whole, any_fraction(parts)),
                           dyno_piece_optional(parts, exponent));
}
