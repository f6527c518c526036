#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_css.h"
#include "report_js.h"
#include "reports/colours.h"
#include "reports/headline.h"
#include "reports/page.h"
#include "reports/svg.h"

/* What all parts of the page are written with. */
struct writer {
    FILE *out;
    const struct dyno_page *page;
    sqlite3 *database;
    struct dyno_error *error;
};

static void put(const struct writer *writer, const char *html)
{
    fputs(html, writer->out);
}

static void put_text(const struct writer *writer, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    dyno_html_put(writer->out, text ? text : "");
}

/* Words that a line does not end within, as it would behind a hyphen of --option. */
static void put_command(const struct writer *writer, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    char *words = text ? strdup(text) : NULL, *rest = words, *word;

    if (!words) {
        put_text(writer, row, column); /* torn, but there */
    }
    while ((word = strsep(&rest, " ")) != NULL) {
        bool is_kept = strchr(word, '-') != NULL;

        put(writer, is_kept ? "<span>" : "");
        dyno_html_put(writer->out, word);
        put(writer, is_kept ? "</span>" : "");
        put(writer, rest ? " " : "");
    }
    free(words);
}

static dyno_status prepare(const struct writer *writer, sqlite3_stmt **row, const char *sql)
{
    return dyno_database_prepare(writer->database, row, sql, writer->error);
}

/* The statement is done with; `step` is what its last step returned. */
static dyno_status finish(const struct writer *writer, sqlite3_stmt *row, int step)
{
    dyno_status status =
        step == SQLITE_DONE ? DYNO_OK : dyno_database_failed(writer->database, writer->error);

    (void)sqlite3_finalize(row);
    return status;
}

/* ---- head ------------------------------------------------------------------------------------ */

static void put_colours(const struct writer *writer, bool dark)
{
    for (const struct dyno_colour *row = dyno_colour_table; row->name; row++) {
        (void)fprintf(writer->out, "--%s:#%06" PRIx32 ";", row->name,
                      dark ? row->dark : row->light);
    }
}

static void put_head(const struct writer *writer)
{
    put(writer, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n<title>");
    dyno_html_put(writer->out, writer->page->title);
    put(writer, "</title>\n<style>\n:root{");
    put_colours(writer, false);
    put(writer, "}\n@media screen and (prefers-color-scheme: dark){:root{");
    put_colours(writer, true);
    put(writer, "}}\n");
    put(writer, dyno_report_css);
    put(writer, "</style>\n</head>\n<body>\n<header>\n<h1>");
    dyno_html_put(writer->out, writer->page->title);
    (void)fprintf(writer->out, "</h1>\n<p>%" PRId64 " %s of ", writer->page->set->chosen,
                  writer->page->set->chosen == 1 ? "run" : "runs");
    dyno_html_put(writer->out, writer->page->set->name);
    put(writer, "</p>\n</header>\n<main>\n");
}

/* ---- what was run ---------------------------------------------------------------------------- */

static const char runs_sql[] =
    "SELECT c.run, c.label, c.status, r.title, r.command, coalesce(h.started_at, ''),"
    " c.status IN ('finished', 'interrupted') FROM chosen AS c JOIN run AS r ON r.id = c.run"
    " LEFT JOIN host AS h ON h.run = c.run"
    " WHERE (SELECT count(*) FROM chosen) <= 12 OR c.run IN (SELECT run FROM detail)"
    " ORDER BY c.place";

static const char options_sql[] =
    "SELECT name, coalesce(value, 'none'), coalesce(origin, '') FROM run_option"
    " WHERE run = ?1 AND coalesce(origin, '') <> 'default' ORDER BY name";

static dyno_status put_options(const struct writer *writer, int64_t run)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(prepare(writer, &row, options_sql));
    (void)sqlite3_bind_int64(row, 1, run);
    put(writer, "<details><summary>Options that are not dyno's defaults</summary>\n"
                "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Option</th>"
                "<th scope=\"col\">Value</th><th scope=\"col\">From</th></tr></thead>\n<tbody>\n");
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        put(writer, "<tr><th scope=\"row\">");
        put_text(writer, row, 0);
        put(writer, "</th><td>");
        put_text(writer, row, 1);
        put(writer, "</td><td>");
        put_text(writer, row, 2);
        put(writer, "</td></tr>\n");
    }
    put(writer, "</tbody></table></div></details>\n");
    return finish(writer, row, step);
}

static dyno_status put_run(const struct writer *writer, sqlite3_stmt *row)
{
    put(writer, "<article class=\"run\">\n<h3>");
    put_text(writer, row, 1);
    put(writer, " <span class=\"status ");
    put_text(writer, row, 2);
    put(writer, "\">");
    put_text(writer, row, 2);
    put(writer, "</span></h3>\n<p>");
    put_text(writer, row, 3);
    if (sqlite3_column_bytes(row, 5) > 0) {
        put(writer, " <span class=\"faint\">begun ");
        put_text(writer, row, 5);
        put(writer, "</span>");
    }
    put(writer, "</p>\n");
    if (!sqlite3_column_int(row, 6)) {
        put(writer, "<p class=\"warning\">This run did not come to its end: it is in no figure and "
                    "in no comparison below.</p>\n");
    }
    put(writer, "<div class=\"command\"><pre tabindex=\"0\"><code>");
    put_command(writer, row, 4);
    put(writer, "</code></pre></div>\n");
    DYNO_TRY(put_options(writer, sqlite3_column_int64(row, 0)));
    put(writer, "</article>\n");
    return DYNO_OK;
}

static dyno_status put_runs(const struct writer *writer)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;
    int step;

    put(writer, "<section aria-labelledby=\"run\">\n<h2 id=\"run\">What was run</h2>\n");
    DYNO_TRY(prepare(writer, &row, runs_sql));
    put(writer, "<div class=\"runs\">\n");
    while ((step = sqlite3_step(row)) == SQLITE_ROW && status == DYNO_OK) {
        status = put_run(writer, row);
    }
    put(writer, "</div>\n</section>\n");
    if (status != DYNO_OK) {
        (void)sqlite3_finalize(row);
        return status;
    }
    return finish(writer, row, step);
}

/* ---- headlines ------------------------------------------------------------------------------- */

/* "+3.2 %", against the first run; nothing where that says nothing. */
static void put_difference(const struct writer *writer, double value, double first,
                           const char *unit)
{
    char text[DYNO_FORMAT_MAX];

    if (*dyno_headline_change(text, value, first, unit)) {
        (void)fprintf(writer->out, "<span class=\"difference\">%s</span> ", text);
    }
}

static void put_value(const struct writer *writer, const struct dyno_headline *headline,
                      const struct dyno_headline_line *line, size_t index)
{
    const struct dyno_headline_value *value = &line->values[index];
    char text[DYNO_FORMAT_MAX], high[DYNO_FORMAT_MAX];

    put(writer, "<td class=\"number\">");
    if (index > 0) {
        put_difference(writer, value->value, line->values[0].value, headline->unit);
    }
    put(writer, dyno_headline_format(text, value->value, headline->unit));
    if (isfinite(value->low) && isfinite(value->high)) {
        (void)fprintf(writer->out, "<span class=\"interval\">%s – %s</span>",
                      dyno_headline_format(text, value->low, headline->unit),
                      dyno_headline_format(high, value->high, headline->unit));
    }
    put(writer, "</td>");
}

static dyno_status put_headline(const struct writer *writer, const struct dyno_headline *headline)
{
    struct dyno_headline_line line;

    DYNO_TRY(dyno_headline_take(writer->page->set, headline, &line, writer->error));
    if (!line.any) {
        return DYNO_OK;
    }
    (void)fprintf(writer->out, "<tr><th scope=\"row\">%s%s</th>", headline->words,
                  dyno_headline_unit(headline));
    for (size_t i = 0; i < line.count; i++) {
        put_value(writer, headline, &line, i);
    }
    put(writer, "</tr>\n");
    return DYNO_OK;
}

static dyno_status put_headline_head(const struct writer *writer)
{
    sqlite3_stmt *row;
    int step;

    put(writer, "<thead><tr><td></td>");
    DYNO_TRY(prepare(writer, &row, "SELECT label FROM detail ORDER BY place"));
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        put(writer, "<th scope=\"col\" class=\"number\">");
        put_text(writer, row, 0);
        put(writer, "</th>");
    }
    put(writer, "</tr></thead>\n");
    return finish(writer, row, step);
}

static void put_headline_words(const struct writer *writer)
{
    const struct dyno_run_set *set = writer->page->set;

    put(writer, "<p>Latencies are of completed requests. A span below a number is its 95 % "
                "interval, where the run has one (<code>--intervals</code>).");
    if (set->detail > 1) {
        put(writer,
            " What stands beside a number tells it from that of the first run here, and says "
            "nothing about chance.");
    }
    if (set->chosen > set->detail) {
        (void)fprintf(writer->out,
                      " Of %" PRId64 " runs, these are the last %d at most that came to an end.",
                      set->chosen, DYNO_RUN_SET_DETAIL_MAX);
    }
    put(writer, "</p>\n");
}

static dyno_status put_headlines(const struct writer *writer)
{
    put(writer, "<section aria-labelledby=\"headlines\">\n<h2 id=\"headlines\">Headlines</h2>\n");
    if (writer->page->set->detail == 0) {
        put(writer, "<p class=\"warning\">No run came to its end, so there is nothing to "
                    "sum up.</p>\n</section>\n");
        return DYNO_OK;
    }
    put_headline_words(writer);
    put(writer, "<div class=\"scroll fit\" tabindex=\"0\" role=\"region\" "
                "aria-labelledby=\"headlines\"><table class=\"headlines\">\n");
    DYNO_TRY(put_headline_head(writer));
    put(writer, "<tbody>\n");
    for (const struct dyno_headline *row = dyno_headline_table; row->metric; row++) {
        DYNO_TRY(put_headline(writer, row));
    }
    put(writer, "</tbody></table></div>\n</section>\n");
    return DYNO_OK;
}

/* ---- figures and tables ---------------------------------------------------------------------- */

static void put_figure(const struct writer *writer, const struct dyno_shown *shown)
{
    const struct dyno_exhibit *exhibit = shown->exhibit;
    char *words = NULL;

    if (asprintf(&words, "%s. %s", exhibit->title,
                 shown->data.words[0] ? shown->data.words : exhibit->caption) < 0) {
        words = NULL;
    }
    (void)fprintf(writer->out, "<figure id=\"%s\">\n<h3>", exhibit->name);
    dyno_html_put(writer->out, exhibit->title);
    put(writer, "</h3>\n");
    dyno_svg_put(writer->out, shown->svg, exhibit->name, words ? words : exhibit->title);
    put(writer, "<figcaption>");
    dyno_html_put(writer->out, exhibit->caption);
    put(writer, "</figcaption>\n</figure>\n");
    free(words);
}

static void put_figures(const struct writer *writer)
{
    size_t drawn = 0;

    for (size_t i = 0; i < writer->page->shown_count; i++) {
        drawn += writer->page->shown[i].svg != NULL;
    }
    if (drawn == 0) {
        return;
    }
    put(writer, "<section aria-labelledby=\"figures\">\n<h2 id=\"figures\">Figures</h2>\n"
                "<div class=\"figures\">\n");
    for (size_t i = 0; i < writer->page->shown_count; i++) {
        if (writer->page->shown[i].svg) {
            put_figure(writer, &writer->page->shown[i]);
        }
    }
    put(writer, "</div>\n</section>\n");
}

static void put_cell(const struct writer *writer, sqlite3_stmt *row, int column)
{
    char text[DYNO_FORMAT_MAX];
    double value = sqlite3_column_double(row, column);
    const char *open = column == 0 ? "<th scope=\"row\"" : "<td";
    const char *close = column == 0 ? "</th>" : "</td>";

    put(writer, open);
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        put(writer, " class=\"number\">–");
        break;
    case SQLITE_TEXT:
        put(writer, ">");
        put_text(writer, row, column);
        break;
    default:
        (void)fprintf(writer->out, " class=\"number\" data-value=\"%.12g\">%s", value,
                      dyno_headline_format(text, value, ""));
    }
    put(writer, close);
}

static void put_table_head(const struct writer *writer, sqlite3_stmt *row)
{
    put(writer, "<thead><tr>");
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        bool is_text = sqlite3_column_type(row, i) == SQLITE_TEXT;

        put(writer, is_text ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"number\">");
        dyno_html_put(writer->out, sqlite3_column_name(row, i));
        put(writer, "</th>");
    }
    put(writer, "</tr></thead>\n<tbody>\n");
}

static void put_table_begin(const struct writer *writer, const struct dyno_exhibit *exhibit,
                            sqlite3_stmt *row)
{
    (void)fprintf(writer->out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", exhibit->name,
                  exhibit->name);
    dyno_html_put(writer->out, exhibit->title);
    put(writer, "</h2>\n<p>");
    dyno_html_put(writer->out, exhibit->caption);
    (void)fprintf(writer->out,
                  "</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                  "aria-labelledby=\"%s\"><table class=\"sorts\">\n",
                  exhibit->name);
    put_table_head(writer, row);
}

/* *rows counts. */
static dyno_status put_table(const struct writer *writer, const struct dyno_exhibit *exhibit,
                             uint64_t *rows)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(prepare(writer, &row, exhibit->sql));
    for (*rows = 0; (step = sqlite3_step(row)) == SQLITE_ROW; (*rows)++) {
        if (*rows == 0) {
            put_table_begin(writer, exhibit, row);
        }
        put(writer, "<tr>");
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            put_cell(writer, row, i);
        }
        put(writer, "</tr>\n");
    }
    if (*rows > 0) {
        put(writer, "</tbody></table></div>\n</section>\n");
    }
    return finish(writer, row, step);
}

static void put_left_out(const struct writer *writer, const struct dyno_shown *shown, bool *any)
{
    put(writer, *any ? ""
                     : "<section aria-labelledby=\"left-out\">\n"
                       "<h2 id=\"left-out\">Left out</h2>\n<ul>\n");
    *any = true;
    put(writer, "<li><b>");
    dyno_html_put(writer->out, shown->exhibit->title);
    put(writer, "</b>: ");
    dyno_html_put(writer->out, shown->why_not[0] ? shown->why_not : shown->exhibit->empty);
    put(writer, "</li>\n");
}

static dyno_status put_tables(const struct writer *writer)
{
    bool any_left_out = false, is_empty[DYNO_EXHIBITS_MAX] = {false};
    uint64_t rows;

    for (size_t i = 0; i < writer->page->shown_count; i++) {
        const struct dyno_shown *shown = &writer->page->shown[i];

        is_empty[i] = shown->exhibit->gp && !shown->svg;
        if (!shown->exhibit->gp) {
            DYNO_TRY(put_table(writer, shown->exhibit, &rows));
            is_empty[i] = rows == 0;
        }
    }
    for (size_t i = 0; i < writer->page->shown_count; i++) {
        if (is_empty[i]) {
            put_left_out(writer, &writer->page->shown[i], &any_left_out);
        }
    }
    put(writer, any_left_out ? "</ul>\n</section>\n" : "");
    return DYNO_OK;
}

dyno_status dyno_page_html(FILE *out, const struct dyno_page *page, struct dyno_error *error)
{
    struct writer writer = {
        .out = out, .page = page, .database = page->set->database, .error = error};

    put_head(&writer);
    DYNO_TRY(put_runs(&writer));
    DYNO_TRY(put_headlines(&writer));
    put_figures(&writer);
    DYNO_TRY(put_tables(&writer));
    put(&writer, "</main>\n<footer><p>Made by dyno ");
    dyno_html_put(out, page->version);
    put(&writer, ". <b>TTFT</b>: from a request's arrival to its first token. <b>TPOT</b>: mean "
                 "time per token after the first. <b>ITL</b>: every gap between two tokens. "
                 "<b>E2E</b>: from arrival to the last token. <b>Goodput</b>: completed requests "
                 "within every objective of <code>--slo</code>. All definitions: "
                 "docs/metrics.md.</p></footer>\n<script>\n");
    put(&writer, dyno_report_js);
    put(&writer, "</script>\n</body>\n</html>");
    return DYNO_OK;
}
