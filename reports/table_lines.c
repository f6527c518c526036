#include "reports/table_lines.h"

#include <inttypes.h>
#include <math.h>

enum { CELL_WIDTH = 9 };

void dyno_table_label(const struct dyno_table_page *page, const char *label, bool bold)
{
    bool styled = bold && page->bold;

    fprintf(page->out, "%s%-*s%s", styled ? "\033[1m" : "", DYNO_TABLE_LABEL_WIDTH, label,
            styled ? "\033[0m" : "");
}

void dyno_table_section(const struct dyno_table_page *page, const char *name)
{
    fputc('\n', page->out);
    dyno_table_label(page, name, true);
}

void dyno_table_more(const struct dyno_table_page *page)
{
    dyno_table_label(page, "", false);
}

void dyno_table_cell(const struct dyno_table_page *page, const char *text)
{
    size_t width = dyno_format_width(text);
    int blanks = width < CELL_WIDTH ? (int)(CELL_WIDTH - width) : 1;

    fprintf(page->out, "%*s%s", blanks, "", text);
}

void dyno_table_cells(const struct dyno_table_page *page, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dyno_table_cell(page, texts[i]);
    }
    fputc('\n', page->out);
}

void dyno_table_count(const struct dyno_table_page *page, const char *before, uint64_t value,
                      const char *after)
{
    char text[DYNO_FORMAT_MAX];

    fprintf(page->out, "%s%s%s", before, dyno_format_count(text, value), after);
}

void dyno_table_fixed(const struct dyno_table_page *page, const char *before, double value,
                      int decimals, const char *after)
{
    char text[DYNO_FORMAT_MAX];

    fprintf(page->out, "%s%s%s", before, dyno_format_fixed(text, value, decimals), after);
}

void dyno_table_percent(const struct dyno_table_page *page, const char *before, double fraction,
                        const char *after)
{
    char text[DYNO_FORMAT_MAX];

    fprintf(page->out, "%s%s%s", before, dyno_format_percent(text, fraction), after);
}

int dyno_table_decimals(double value)
{
    double size = fabs(value);

    if (size >= 1000) {
        return 0;
    }
    if (size >= 100) {
        return 1;
    }
    return size >= 1 || size == 0 ? 2 : 3;
}
