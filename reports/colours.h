/* The colours of reports and their figures, on a light and on a dark page.  Lines are told apart by
 * their dashes too. */
#ifndef DYNO_REPORTS_COLOURS_H
#define DYNO_REPORTS_COLOURS_H

#include <stdint.h>

struct dyno_colour {
    const char *name; /* of the page's variable, without its dashes */
    uint32_t light, dark;
};

/* First lines (line1 ... line6), then shades from idle to busy (heat0 ... heat7), then ink, faint
 * and grid.  NULL-name-terminated. */
extern const struct dyno_colour dyno_colour_table[];

enum { DYNO_COLOUR_LINES = 6, DYNO_COLOUR_SHADES = 8 };

#endif
