/* A scenario as text: the file that --print-scenario prints, and the rows of the database.
 *
 * Whatever an option accepts is quoted so that YAML reads it back unchanged: plain where nothing
 * could be misread, else single quotes, else double quotes with escapes. */
#include "cli/scenario/scenario.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/base/words.h"

enum { COMMENT_COLUMN = 44, QUOTED_MAX = 3 * DYNO_OPTION_TEXT_MAX, ESCAPE_MAX = 11 };

static bool is_plain(const char *text)
{
    static const char *const nulls[] = {"null", "Null", "NULL"};

    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
        if (strcmp(text, nulls[i]) == 0) {
            return false;
        }
    }
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("_./", *c) &&
            (c == text || !strchr("-+:,@=%", *c))) {
            return false;
        }
    }
    return *text && text[strlen(text) - 1] != ':';
}

static bool is_ascii(const char *text)
{
    while (*text && !(*text & 0x80)) {
        text++;
    }
    return *text == '\0';
}

/* A code point that YAML takes as it is inside double quotes. */
static bool is_printable(uint32_t point)
{
    return point != 0x2028 && point != 0x2029 && point != 0xfeff && (point & 0xfffe) != 0xfffe;
}

static void quote_single(const char *text, char *out)
{
    *out++ = '\'';
    for (; *text; text++) {
        if (*text == '\'') {
            *out++ = '\'';
        }
        *out++ = *text;
    }
    *out++ = '\'';
    *out = '\0';
}

static void quote_double(const char *text, char *out)
{
    *out++ = '"';
    while (*text) {
        size_t length;
        uint32_t point = dyno_utf8_point(text, &length);

        if (point == '"' || point == '\\') {
            *out++ = '\\';
        }
        if (is_printable(point)) {
            memcpy(out, text, length);
            out += length;
        } else {
            out += snprintf(out, ESCAPE_MAX, point > 0xffff ? "\\U%08X" : "\\u%04X", point);
        }
        text += length;
    }
    *out++ = '"';
    *out = '\0';
}

/* `text` as a YAML value; an escape is three times the bytes it stands for at most. */
static const char *as_yaml(const char *text, char out[QUOTED_MAX])
{
    if (is_plain(text)) {
        return text;
    }
    if (is_ascii(text)) {
        quote_single(text, out);
    } else {
        quote_double(text, out);
    }
    return out;
}

/* Parts of `name` before its last dot that `previous` does not share are opened as sections.
 * Returns the depth of the key. */
static int open_sections(const char *name, const char *previous, FILE *out)
{
    size_t shared = 0;
    int depth = 0;

    for (size_t i = 0; name[i] && previous[i] == name[i]; i++) {
        if (name[i] == '.') {
            shared = i + 1;
        }
    }
    for (size_t start = 0; strchr(name + start, '.'); depth++) {
        size_t end = (size_t)(strchr(name + start, '.') - name);

        if (end >= shared) {
            fprintf(out, "%*s%.*s:\n", 2 * depth, "", (int)(end - start), name + start);
        }
        start = end + 1;
    }
    return depth;
}

/* A file name may hold anything; a comment may not. */
static void print_comment(const char *words, FILE *out)
{
    for (; *words; words++) {
        fputc(*words >= ' ' && *words < 0x7f ? *words : '?', out);
    }
}

static void print_row(const struct dyno_options *options, const struct dyno_option *row,
                      const char *previous, FILE *out)
{
    char text[DYNO_OPTION_TEXT_MAX], quoted[QUOTED_MAX], origin[DYNO_OPTION_TEXT_MAX];
    int depth = open_sections(row->name, previous, out), length;

    dyno_options_print(options, row, text);
    dyno_option_origin_words(dyno_options_origin(options, row), origin, sizeof(origin));
    length = fprintf(out, "%*s%s: %s", 2 * depth, "", strrchr(row->name, '.') + 1,
                     as_yaml(text, quoted));
    fprintf(out, "%*s # ", length < COMMENT_COLUMN ? COMMENT_COLUMN - length : 0, "");
    print_comment(origin, out);
    fputc('\n', out);
}

void dyno_scenario_print(const struct dyno_options *options, FILE *out)
{
    const char *previous = "";

    for (uint32_t i = 0; i < options->count; i++) {
        print_row(options, &options->rows[i], previous, out);
        previous = options->rows[i].name;
    }
}

static bool is_given(const struct dyno_options *options, const struct dyno_option *row)
{
    return dyno_options_origin(options, row)->source > DYNO_SOURCE_PROFILE;
}

void dyno_scenario_print_given(const struct dyno_options *options, FILE *out)
{
    bool is_machine = is_given(options, dyno_options_find(options, "timing.machine"));
    const char *previous = "";

    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];
        bool is_needed = is_given(options, row) || /* a server would take the CPU */
                         (strcmp(row->name, "run.device") == 0 && !is_machine);

        if (is_needed && strncmp(row->name, "output.", 7) != 0) {
            print_row(options, row, previous, out);
            previous = row->name;
        }
    }
}

struct dyno_run_option_row *dyno_scenario_option_rows(const struct dyno_options *options)
{
    struct dyno_run_option_row *rows = calloc(options->count, sizeof(rows[0]));
    char text[DYNO_OPTION_TEXT_MAX];

    for (uint32_t i = 0; rows && i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];

        rows[i].name = row->name;
        rows[i].value = strdup(dyno_options_print(options, row, text));
        dyno_option_origin_words(dyno_options_origin(options, row), text, sizeof(text));
        rows[i].origin = strdup(text);
        if (!rows[i].value || !rows[i].origin) {
            dyno_scenario_option_rows_free(rows, options->count);
            return NULL;
        }
    }
    return rows;
}

void dyno_scenario_option_rows_free(struct dyno_run_option_row *rows, uint32_t count)
{
    for (uint32_t i = 0; rows && i < count; i++) {
        free((char *)rows[i].value);
        free((char *)rows[i].origin);
    }
    free(rows);
}
