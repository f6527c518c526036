/* A report as one page: HTML that needs nothing beside it, or Markdown, or CSV. */
#ifndef DYNO_REPORTS_PAGE_H
#define DYNO_REPORTS_PAGE_H

#include <stdio.h>

#include "reports/exhibit.h"

/* An exhibit and what became of it. */
struct dyno_shown {
    const struct dyno_exhibit *exhibit;
    struct dyno_exhibit_data data; /* of a figure */
    char *svg;                     /* of a figure that was drawn; else NULL */
    char why_not[DYNO_ERROR_TEXT_MAX +
                 2]; /* it was not drawn though there is something to draw; or "" */
};

struct dyno_page {
    const struct dyno_run_set *set;
    const struct dyno_shown *shown; /* [shown_count] */
    size_t shown_count;
    const char *title;
    const char *version; /* of dyno */
    const char *figures; /* folder with the figures as NAME.svg, for Markdown; NULL: none */
};

/* Write the page.  Errors: DYNO_IO, DYNO_BAD_INPUT (a mistake in the query of a table). */
dyno_status dyno_page_html(FILE *out, const struct dyno_page *page, struct dyno_error *error);
dyno_status dyno_page_markdown(FILE *out, const struct dyno_page *page, struct dyno_error *error);

/* Every number of the chosen runs: run, label, status, metric, value, low, high (of its interval).
 */
dyno_status dyno_page_csv(FILE *out, const struct dyno_page *page, struct dyno_error *error);

#endif
