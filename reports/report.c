#include "reports/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "reports/figure_file.h"
#include "reports/page.h"
#include "reports/text_file.h"

/* A report under way. */
struct work {
    const struct dyno_report_config *config;
    struct dyno_run_set set;
    struct dyno_exhibits exhibits;
    struct dyno_shown *shown; /* [exhibits.count] */
    char *note;
};

typedef dyno_status (*page_writer)(FILE *out, const struct dyno_page *page,
                                   struct dyno_error *error);

static const struct {
    const char *ending;
    page_writer write;
    bool has_figures; /* inside */
} kinds[] = {{".html", dyno_page_html, true},
             {".md", dyno_page_markdown, false},
             {".csv", dyno_page_csv, false}};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);

    return length > tail && strcmp(text + length - tail, ending) == 0;
}

static dyno_status find_kind(const char *path, size_t *kind, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    for (*kind = 0; *kind < KINDS; (*kind)++) {
        if (ends_in(path, kinds[*kind].ending)) {
            return DYNO_OK;
        }
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "a report is a FILE.html, FILE.md or FILE.csv by its ending; %s is none",
                     dyno_quote(quoted, path));
}

/* ---- figures --------------------------------------------------------------------------------- */

static void keep_note(struct work *work, const char *text)
{
    if (!work->note) {
        work->note = strdup(text);
    }
}

/* A figure that cannot be drawn is no reason to have no report: why is said in its place. */
static void draw(struct work *work, struct dyno_shown *shown)
{
    struct dyno_error why;
    size_t size;

    if (dyno_exhibit_draw(shown->exhibit, &shown->data, "inline", &shown->svg, &size, &why) !=
        DYNO_OK) {
        (void)snprintf(shown->why_not, sizeof shown->why_not, "%s.", why.text);
        keep_note(work, why.text);
    }
}

static dyno_status ask_all(struct work *work, bool draws, struct dyno_error *error)
{
    work->shown = calloc(work->exhibits.count + 1, sizeof *work->shown);
    if (!work->shown) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figures");
    }
    for (size_t i = 0; i < work->exhibits.count; i++) {
        struct dyno_shown *shown = &work->shown[i];

        shown->exhibit = &work->exhibits.at[i];
        if (shown->exhibit->gp && draws) {
            DYNO_TRY(dyno_exhibit_ask(shown->exhibit, &work->set, &shown->data, error));
            if (shown->data.series > 0) {
                draw(work, shown);
            }
        }
    }
    return DYNO_OK;
}

static dyno_status write_figures(const struct work *work, struct dyno_error *error)
{
    const struct dyno_report_config *config = work->config;
    char format[DYNO_FIGURE_FORMAT_MAX];

    DYNO_TRY(dyno_figure_folder_make(config->figures, error));
    for (const char *at = config->formats; *at;) {
        DYNO_TRY(dyno_figure_format_take(&at, format, error));
        for (size_t i = 0; i < work->exhibits.count; i++) {
            if (work->shown[i].svg) {
                DYNO_TRY(dyno_figure_write(config->figures, work->shown[i].exhibit,
                                           &work->shown[i].data, format, error));
            }
        }
    }
    return DYNO_OK;
}

/* ---- page ------------------------------------------------------------------------------------ */

static dyno_status write_page(const struct work *work, page_writer write, struct dyno_error *error)
{
    const struct dyno_report_config *config = work->config;
    struct dyno_page page = {
        .set = &work->set,
        .shown = work->shown,
        .shown_count = work->exhibits.count,
        .title = config->title ? config->title : "Dyno report",
        .version = config->version,
        .figures = config->figures,
    };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    dyno_status status;

    if (!out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the report");
    }
    status = write(out, &page, error);
    if (fclose(out) != 0 && status == DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for the report");
    }
    if (status == DYNO_OK) {
        status = dyno_text_write(config->output, text, error);
    }
    free(text);
    return status;
}

static dyno_status work_through(struct work *work, size_t kind, struct dyno_error *error)
{
    const struct dyno_report_config *config = work->config;
    const char *formats = config->formats;
    char format[DYNO_FIGURE_FORMAT_MAX];

    while (*formats) { /* refused before anything is written */
        DYNO_TRY(dyno_figure_format_take(&formats, format, error));
    }
    DYNO_TRY(dyno_exhibits_load(&work->exhibits, config->figures_from, error));
    DYNO_TRY(dyno_run_set_open(&work->set, config->database, config->runs, error));
    if (work->set.chosen == 0) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "the database '%s' holds no runs yet: `dyno replay --db FILE` adds one",
                         work->set.name);
    }
    DYNO_TRY(ask_all(work, kinds[kind].has_figures || config->figures, error));
    if (config->figures) {
        DYNO_TRY(write_figures(work, error));
    }
    return write_page(work, kinds[kind].write, error);
}

dyno_status dyno_report_make(const struct dyno_report_config *config, char **note,
                             struct dyno_error *error)
{
    struct work work = {.config = config};
    dyno_status status;
    size_t kind;

    DYNO_TRY(find_kind(config->output, &kind, error));
    status = work_through(&work, kind, error);
    for (size_t i = 0; work.shown && i < work.exhibits.count; i++) {
        dyno_exhibit_data_release(&work.shown[i].data);
        free(work.shown[i].svg);
    }
    free(work.shown);
    dyno_exhibits_release(&work.exhibits);
    dyno_run_set_close(&work.set);
    if (status != DYNO_OK) {
        free(work.note);
        return status;
    }
    *note = work.note;
    return DYNO_OK;
}
