/* What a report shows: a query for its numbers (NAME.sql) and a script for gnuplot that draws them
 * (NAME.gp).  A query without a script is a table: its columns' names are the heads.
 *
 * NAME.sql begins with lines "-- KEY: TEXT":
 *   title     what stands above it
 *   caption   what it shows, in a sentence or two
 *   empty     the sentence that stands in its place when there is nothing to draw
 *   order     a number: where it stands among the others
 *   size      WIDTHxHEIGHT in points; "480x60+120" adds 120 a series to the height
 * A key may be given again to go on.  Its first statement yields the numbers: the first column
 * names the series, which lie together, and the others are what the script plots.  A second one, if
 * there is any, yields one text that says in words what the figure shows.  Both draw from the
 * tables of reports/run_set.h.
 *
 * NAME.gp finds the series as blocks of $data, each below a line with its name (columnheader(1)),
 * their number in `series`, their names as name[1] ... name[series], and the look of
 * reports/figures/look.gp. */
#ifndef DYNO_REPORTS_EXHIBIT_H
#define DYNO_REPORTS_EXHIBIT_H

#include <stdbool.h>

#include "reports/run_set.h"

struct dyno_exhibit {
    char *name, *sql, *gp; /* gp NULL: a table */
    char *title, *caption, *empty;
    int order, width, height, height_per_series;
};

enum { DYNO_EXHIBITS_MAX = 256 };

struct dyno_exhibits {
    struct dyno_exhibit *at; /* [count], in order; DYNO_EXHIBITS_MAX at most */
    size_t count;
};

/* What comes with dyno; with `folder`, what is in it besides, or instead where it has the same
 * name. On success released by dyno_exhibits_release.  Errors: DYNO_NOT_FOUND, DYNO_IO,
 * DYNO_BAD_INPUT (a script without its query, a key that is missing), DYNO_NO_MEMORY. */
dyno_status dyno_exhibits_load(struct dyno_exhibits *out, const char *folder,
                               struct dyno_error *error);
void dyno_exhibits_release(struct dyno_exhibits *exhibits);

/* The figure of that name, or NULL. */
const struct dyno_exhibit *dyno_exhibits_find(const struct dyno_exhibits *exhibits,
                                              const char *name);

/* Its numbers, drawn from a run set. */
struct dyno_exhibit_data {
    char *blocks;    /* the lines of $data */
    char *names;     /* the statements that fill the array `name` */
    char *words;     /* what it shows, in words; "" where the query has none */
    uint32_t series; /* 0: there is nothing to draw */
};

/* Errors: DYNO_BAD_INPUT (a mistake in the query; the sentence names the figure), DYNO_IO,
 * DYNO_NO_MEMORY.  On success released by dyno_exhibit_data_release. */
dyno_status dyno_exhibit_ask(const struct dyno_exhibit *exhibit, const struct dyno_run_set *set,
                             struct dyno_exhibit_data *out, struct dyno_error *error);
void dyno_exhibit_data_release(struct dyno_exhibit_data *data);

/* Draw it as "svg", "png", "pdf" or "inline" (for dyno_svg_put): *out is [*size] bytes and a NUL,
 * to be freed. Errors: as dyno_gnuplot_run. */
dyno_status dyno_exhibit_draw(const struct dyno_exhibit *exhibit,
                              const struct dyno_exhibit_data *data, const char *format, char **out,
                              size_t *size, struct dyno_error *error);

#endif
