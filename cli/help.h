/* Help: everything it says of options is read from their rows. */
#ifndef DYNO_CLI_HELP_H
#define DYNO_CLI_HELP_H

#include <stdint.h>
#include <stdio.h>

enum { DYNO_HELP_WIDTH_MAX = 100 };

/* Columns to write to `out`: a terminal's own if fewer, else 100. */
uint32_t dyno_help_width(FILE *out);

/* "  HEAD      text ...", the text wrapped to `width` and aligned at `column`; a head too long for
 * its column gets a line of its own. */
void dyno_help_entry(FILE *out, uint32_t width, uint32_t column, const char *head,
                     const char *text);

void dyno_help_replay(FILE *out, uint32_t width);   /* dyno replay --help */
void dyno_help_serve(FILE *out, uint32_t width);    /* dyno serve --help */
void dyno_help_scenario(FILE *out, uint32_t width); /* dyno help scenario */
void dyno_help_models(FILE *out, uint32_t width);   /* dyno help models */

#endif
