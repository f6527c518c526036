/* Gnuplot writes one way (of version 5.4: term/svg.trm), so a few replacements are enough: what is
 * not known here stays as it is. */
#include "reports/svg.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reports/colours.h"

void dyno_html_put(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            /* Control characters are not for pages. */
            fputc((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '?' : *text, out);
        }
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "rgb( 37,  99, 201)" at `text`: its colour and, if it is one, what follows it; else NULL. */
static const char *read_colour(const char *text, uint32_t *colour)
{
    char *end;

    if (!begins(text, "rgb(")) {
        return NULL;
    }
    *colour = 0;
    text += 4;
    for (int i = 0; i < 3; i++) {
        unsigned long part = strtoul(text, &end, 10);

        if (end == text || part > 255 || *end != (i < 2 ? ',' : ')')) {
            return NULL;
        }
        *colour = *colour << 8 | (uint32_t)part;
        text = end + 1;
    }
    return text;
}

static void put_colour(FILE *out, uint32_t colour)
{
    const struct dyno_colour *row = dyno_colour_table;

    while (row->name && row->light != colour) {
        row++;
    }
    if (row->name) {
        (void)fprintf(out, "var(--%s)", row->name);
    } else {
        (void)fprintf(out, "#%06" PRIx32, colour);
    }
}

/* What is replaced, and by what; of an empty group only its end is known. */
static const struct {
    const char *from, *to;
} replacements[] = {
    {" font-family=\"sans-serif\"", ""},
    {" color=\"black\"", ""},
    {" color=\"gray\"", ""},
    {" color=\"white\"", ""},
    {"fill=\"black\"", "fill=\"currentColor\""},
    {" stroke-linecap=\"butt\" stroke-linejoin=\"miter\"", ""},
    {" class=\"gridline\"", ""},
    {"\t", ""},
};

/* Elements that say nothing in a page: <title>...</title> and the like; what follows, or NULL. */
static const char *skip_element(const char *at)
{
    static const char *const ends[][2] = {{"<title>", "</title>"}, {"<desc>", "</desc>"}};
    const char *end;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        end = begins(at, ends[i][0]) ? strstr(at, ends[i][1]) : NULL;
        if (end) {
            return end + strlen(ends[i][1]);
        }
    }
    return NULL;
}

/* "<g ...>\n</g>\n": gnuplot changes its pen and draws nothing; what follows, or NULL. */
static const char *skip_empty_group(const char *at)
{
    const char *end = begins(at, "<g fill=\"none\"") ? strchr(at, '>') : NULL;

    return end && begins(end, ">\n</g>\n") ? end + strlen(">\n</g>\n") : NULL;
}

/* Identities, which must differ between the figures of a page; what follows, or NULL. */
static const char *put_identity(FILE *out, const char *at, const char *name)
{
    static const char *const marks[] = {"id='", "id=\"", "'#", "\"#", "url(#"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (begins(at, marks[i])) {
            (void)fprintf(out, "%s%s-", marks[i], name);
            return at + strlen(marks[i]);
        }
    }
    return NULL;
}

static const char *put_replaced(FILE *out, const char *at)
{
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++) {
        if (begins(at, replacements[i].from)) {
            fputs(replacements[i].to, out);
            return at + strlen(replacements[i].from);
        }
    }
    return NULL;
}

/* One tag's or one text's worth from `at` on; what follows. */
static const char *put_next(FILE *out, const char *at, const char *name, bool in_tag)
{
    const char *next = skip_element(at);
    uint32_t colour;

    next = next ? next : skip_empty_group(at);
    if (next) {
        return next;
    }
    if (in_tag) {
        next = put_identity(out, at, name);
        next = next ? next : put_replaced(out, at);
        if (next) {
            return next;
        }
        next = read_colour(at, &colour);
        if (next) {
            put_colour(out, colour);
            return next;
        }
    }
    fputc(*at, out);
    return at + 1;
}

void dyno_svg_put(FILE *out, const char *svg, const char *name, const char *words)
{
    const char *box = strstr(svg, "viewBox=\""), *box_end = box ? strchr(box + 9, '"') : NULL;
    const char *at = box_end ? strchr(box_end, '>') : NULL;
    bool in_tag = false;

    if (!at) {
        return;
    }
    (void)fprintf(out, "<svg class=\"plot\" role=\"img\" %.*s aria-label=\"",
                  (int)(box_end + 1 - box), box);
    dyno_html_put(out, words);
    fputs("\">", out);
    for (at++; *at;) {
        if (*at == '\n' && at[1] == '\n') {
            at++;
            continue;
        }
        in_tag = *at == '<' || (in_tag && at[-1] != '>');
        at = put_next(out, at, name, in_tag);
    }
}
