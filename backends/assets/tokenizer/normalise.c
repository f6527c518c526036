/* utf8proc knows the characters and composes them.  The order of combining marks is made here: its
 * own sort takes time with the square of their number, which a hostile text can make large. */
#include "backends/assets/tokenizer/normalise.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/base/utf8.h"

enum { CLASSES = 256, INSERTION_MAX = 16, DECOMPOSITION_MAX = 64 };

void dyno_normaliser_release(struct dyno_normaliser *normaliser)
{
    free(normaliser->points);
    free(normaliser->sorted);
    memset(normaliser, 0, sizeof *normaliser);
}

/* U+0300 is CC 80.  A byte is CC or more if its highest bit is set and the seven others are 4C or
 * more, so that with 34 they carry into that bit. */
bool dyno_is_nfc(const char *text, size_t size)
{
    uint64_t word;

    for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
        memcpy(&word, text, sizeof word);
        if (((word & 0x7f7f7f7f7f7f7f7fU) + 0x3434343434343434U) & word & 0x8080808080808080U) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] >= 0xCC) {
            return false;
        }
    }
    return true;
}

static dyno_status reserve(int32_t **points, size_t *capacity, size_t count)
{
    size_t wider = *capacity < 1024 ? 1024 : *capacity;
    int32_t *wide;

    if (count <= *capacity) {
        return DYNO_OK;
    }
    while (wider < count) {
        wider *= 2;
    }
    wide = realloc(*points, (wider + 1) * sizeof *wide);
    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    *points = wide;
    *capacity = wider;
    return DYNO_OK;
}

static uint32_t class_of(int32_t point)
{
    return point < 0x300 ? 0 : (uint32_t)utf8proc_get_property(point)->combining_class;
}

static dyno_status decompose(struct dyno_normaliser *normaliser, const char *text, size_t size,
                             size_t *count)
{
    size_t length;

    *count = 0;
    DYNO_TRY(reserve(&normaliser->points, &normaliser->capacity, DECOMPOSITION_MAX));
    for (size_t at = 0; at < size; at += length) {
        int32_t point = (int32_t)dyno_utf8_point(text + at, &length);
        utf8proc_ssize_t made = 1;

        DYNO_TRY(reserve(&normaliser->points, &normaliser->capacity, *count + DECOMPOSITION_MAX));
        if (point < 0xC0) {
            normaliser->points[*count] = point;
        } else {
            made = utf8proc_decompose_char(point, normaliser->points + *count, DECOMPOSITION_MAX,
                                           UTF8PROC_DECOMPOSE, NULL);
        }
        if (made < 0 || made > DECOMPOSITION_MAX) { /* a point without a place in the tables */
            normaliser->points[*count] = point;
            made = 1;
        }
        *count += (size_t)made;
    }
    return DYNO_OK;
}

static void sort_few(int32_t *points, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int32_t point = points[i];
        size_t at = i;

        for (; at > 0 && class_of(points[at - 1]) > class_of(point); at--) {
            points[at] = points[at - 1];
        }
        points[at] = point;
    }
}

/* A stable sort by counting: places of the classes, then one walk. */
static dyno_status sort_many(struct dyno_normaliser *normaliser, int32_t *points, size_t count)
{
    size_t place[CLASSES + 1] = {0};

    DYNO_TRY(reserve(&normaliser->sorted, &normaliser->sorted_capacity, count));
    for (size_t i = 0; i < count; i++) {
        place[class_of(points[i]) + 1]++;
    }
    for (size_t i = 1; i <= CLASSES; i++) {
        place[i] += place[i - 1];
    }
    for (size_t i = 0; i < count; i++) {
        normaliser->sorted[place[class_of(points[i])]++] = points[i];
    }
    memcpy(points, normaliser->sorted, count * sizeof *points);
    return DYNO_OK;
}

/* Within each run of marks: by class, those of one class in their order. */
static dyno_status order_marks(struct dyno_normaliser *normaliser, size_t count)
{
    int32_t *points = normaliser->points;
    size_t end;

    for (size_t at = 0; at < count; at = end) {
        for (end = at; end < count && class_of(points[end]) > 0; end++) {
        }
        if (end - at > INSERTION_MAX) {
            DYNO_TRY(sort_many(normaliser, points + at, end - at));
        } else {
            sort_few(points + at, end - at);
        }
        end += end == at;
    }
    return DYNO_OK;
}

dyno_status dyno_normalise(struct dyno_normaliser *normaliser, const char *text, size_t size,
                           const char **out, size_t *out_size)
{
    utf8proc_ssize_t written;
    size_t count;

    DYNO_TRY(decompose(normaliser, text, size, &count));
    DYNO_TRY(order_marks(normaliser, count));
    written = utf8proc_reencode(normaliser->points, (utf8proc_ssize_t)count,
                                UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (written < 0) {
        return DYNO_NO_MEMORY;
    }
    *out = (const char *)normaliser->points;
    *out_size = (size_t)written;
    return DYNO_OK;
}
