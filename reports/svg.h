/* Gnuplot's SVG made fit to stand in a page among others. */
#ifndef DYNO_REPORTS_SVG_H
#define DYNO_REPORTS_SVG_H

#include <stdio.h>

/* Write the figure `svg` (of gnuplot) as an element of a page: colours become the page's variables
 * (reports/colours.h), its font the page's, its identities begin with `name`, and `words` say what
 * is to be seen. */
void dyno_svg_put(FILE *out, const char *svg, const char *name, const char *words);

/* `text` as HTML: what means something to it is written otherwise. */
void dyno_html_put(FILE *out, const char *text);

#endif
