/* Figures as files: a folder of them, each in the formats that gnuplot draws. */
#ifndef DYNO_REPORTS_FIGURE_FILE_H
#define DYNO_REPORTS_FIGURE_FILE_H

#include "reports/exhibit.h"

enum { DYNO_FIGURE_FORMAT_MAX = 8 };

/* The first of the formats at *at ("svg,png,pdf"), which is moved past it.  Errors: DYNO_BAD_INPUT
 * (another word). */
dyno_status dyno_figure_format_take(const char **at, char format[DYNO_FIGURE_FORMAT_MAX],
                                    struct dyno_error *error);

/* Make the folder if there is none.  Errors: DYNO_IO. */
dyno_status dyno_figure_folder_make(const char *folder, struct dyno_error *error);

/* Draw it as FOLDER/NAME.FORMAT.  Errors: as dyno_exhibit_draw, DYNO_BAD_INPUT (a name that is too
 * long), DYNO_IO. */
dyno_status dyno_figure_write(const char *folder, const struct dyno_exhibit *exhibit,
                              const struct dyno_exhibit_data *data, const char *format,
                              struct dyno_error *error);

#endif
