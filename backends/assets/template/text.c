/* Texts as characters. */
#include <string.h>
#include <utf8proc.h>

#include "backends/assets/template/run.h"
#include "core/base/utf8.h"

size_t dyno_jinja_character(struct dyno_jinja_text text, size_t at)
{
    size_t length;

    (void)dyno_utf8_point(text.bytes + at, &length);
    return length;
}

size_t dyno_jinja_characters(struct dyno_jinja_text text)
{
    size_t count = 0;

    for (size_t at = 0; at < text.size; at++) {
        count += ((unsigned char)text.bytes[at] & 0xC0) != 0x80;
    }
    return count;
}

/* What Python's str.isspace says. */
static bool is_blank(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);

    return (point >= 9 && point <= 13) || (point >= 0x1C && point <= 0x1F) || point == 0x85 ||
           category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

static bool is_cased(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);

    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

static uint32_t map_case(uint32_t point, enum dyno_jinja_case how, bool starts)
{
    int32_t in = (int32_t)point;

    if (how == DYNO_JINJA_UPPER) {
        return (uint32_t)utf8proc_toupper(in);
    }
    if (how == DYNO_JINJA_LOWER || !starts) {
        return (uint32_t)utf8proc_tolower(in);
    }
    return (uint32_t)utf8proc_totitle(in);
}

/* One character becomes one, but for the sharp s. */
dyno_status dyno_jinja_change_case(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                   enum dyno_jinja_case how, struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0};
    bool starts = true;
    size_t length;

    DYNO_TRY(dyno_jinja_spend(run, text.size / 8));
    for (size_t at = 0; at < text.size; at += length) {
        uint32_t point = dyno_utf8_point(text.bytes + at, &length);
        char changed[DYNO_UTF8_SIZE_MAX];
        size_t size = 2;

        if (point == 0xDF && how != DYNO_JINJA_LOWER && (starts || how == DYNO_JINJA_UPPER)) {
            memcpy(changed, how == DYNO_JINJA_UPPER ? "SS" : "Ss", size); /* sharp s */
        } else {
            size = dyno_utf8_put(changed, map_case(point, how, starts));
        }

        starts = how == DYNO_JINJA_TITLE && !is_cased(point);
        DYNO_TRY(dyno_jinja_write(run, &builder, changed, size));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

/* Whether a character at text[at] is to be stripped. */
static bool strips(struct dyno_jinja_text text, size_t at, size_t length,
                   const struct dyno_jinja_text *set)
{
    size_t ignored;

    return set ? set->size > 0 && memmem(set->bytes, set->size, text.bytes + at, length) != NULL
               : is_blank(dyno_utf8_point(text.bytes + at, &ignored));
}

struct dyno_jinja_text dyno_jinja_strip(struct dyno_jinja_text text,
                                        const struct dyno_jinja_text *set, bool left, bool right)
{
    while (left && text.size > 0) {
        size_t length = dyno_jinja_character(text, 0);

        if (!strips(text, 0, length, set)) {
            break;
        }
        text.bytes += length;
        text.size -= length;
    }
    while (right && text.size > 0) {
        size_t at = text.size - 1;

        while (at > 0 && ((unsigned char)text.bytes[at] & 0xC0) == 0x80) {
            at--;
        }
        if (!strips(text, at, text.size - at, set)) {
            break;
        }
        text.size = at;
    }
    return text;
}

/* An empty `from` is between all characters. */
static dyno_status replace_nothing(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                   struct dyno_jinja_text to, int64_t count,
                                   struct dyno_jinja_builder *builder)
{
    size_t at = 0, length;

    for (; count != 0; count--) {
        DYNO_TRY(dyno_jinja_spend(run, 1));
        DYNO_TRY(dyno_jinja_write(run, builder, to.bytes, to.size));
        if (at == text.size) {
            return DYNO_OK;
        }
        length = dyno_jinja_character(text, at);
        DYNO_TRY(dyno_jinja_write(run, builder, text.bytes + at, length));
        at += length;
    }
    return dyno_jinja_write(run, builder, text.bytes + at, text.size - at);
}

dyno_status dyno_jinja_replace(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                               struct dyno_jinja_text from, struct dyno_jinja_text to,
                               int64_t count, struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0};

    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    if (from.size == 0) {
        DYNO_TRY(replace_nothing(run, text, to, count, &builder));
        *out = dyno_jinja_built(&builder);
        return DYNO_OK;
    }
    for (; count != 0 && text.size > 0; count--) {
        const char *found = memmem(text.bytes, text.size, from.bytes, from.size);

        if (!found) {
            break;
        }
        DYNO_TRY(dyno_jinja_spend(run, 1));
        DYNO_TRY(dyno_jinja_write(run, &builder, text.bytes, (size_t)(found - text.bytes)));
        DYNO_TRY(dyno_jinja_write(run, &builder, to.bytes, to.size));
        text.size -= (size_t)(found - text.bytes) + from.size;
        text.bytes = found + from.size;
    }
    DYNO_TRY(dyno_jinja_write(run, &builder, text.bytes, text.size));
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

size_t dyno_jinja_line_end(struct dyno_jinja_text text)
{
    static const char *const ends[] = {"\r\n",     "\n",           "\r",          "\v",
                                       "\f",       "\x1C",         "\x1D",        "\x1E",
                                       "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t size = strlen(ends[i]);

        if (text.size >= size && memcmp(text.bytes, ends[i], size) == 0) {
            return size;
        }
    }
    return 0;
}
