/* The words, cells and numbers that the page on the terminal (table.c) is made of. */
#ifndef DYNO_REPORTS_TABLE_LINES_H
#define DYNO_REPORTS_TABLE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/format.h"
#include "reports/reports.h"
#include "reports/summary.h"

enum { DYNO_TABLE_LABEL_WIDTH = 16 };

struct dyno_table_page {
    FILE *out;
    const struct dyno_report *report;
    struct dyno_figures figures;
    bool bold;
};

/* The name of a line, or blanks of its width; bold on a terminal only. */
void dyno_table_label(const struct dyno_table_page *page, const char *label, bool bold);

/* Start a section: an empty line and its name. */
void dyno_table_section(const struct dyno_table_page *page, const char *name);

/* Start another line of the section. */
void dyno_table_more(const struct dyno_table_page *page);

/* One cell, or all of a line, aligned to the right. */
void dyno_table_cell(const struct dyno_table_page *page, const char *text);
void dyno_table_cells(const struct dyno_table_page *page, const char *const *texts, size_t count);

/* A number between two texts. */
void dyno_table_count(const struct dyno_table_page *page, const char *before, uint64_t value,
                      const char *after);
void dyno_table_fixed(const struct dyno_table_page *page, const char *before, double value,
                      int decimals, const char *after);
void dyno_table_percent(const struct dyno_table_page *page, const char *before, double fraction,
                        const char *after);

/* Digits after the point that keep three or four significant ones. */
int dyno_table_decimals(double value);

/* 95 % intervals of the headlines, or why there are none: table_intervals.c. */
void dyno_table_intervals(const struct dyno_table_page *page);

/* Where there are several models: table_models.c. */
void dyno_table_models(const struct dyno_table_page *page);

/* Where somebody planned: table_plan.c. */
void dyno_table_plan(const struct dyno_table_page *page);

#endif
