/* `dyno report`: runs of a database as a page with figures. */
#include "reports/report.h"

#include <stddef.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/file_command.h"

struct report_options {
    const char *runs, *title, *figures, *formats, *figures_from; /* NULL where there is none */
    const struct dyno_file_words *databases;                     /* one at most; no option */
};

#define AT(field) offsetof(struct report_options, field)

static const struct dyno_option rows[] = {
    {.name = "report.runs",
     .flag = "runs",
     .value = "RUNS",
     .help =
         "which runs, in this order: numbers, spans and tags such as 3,5-7,base, or last, or all",
     .initial = "all",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(runs),
     .min = 1},
    {.name = "report.title",
     .flag = "title",
     .value = "TEXT",
     .help = "what stands at the top",
     .initial = "Dyno report",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(title),
     .min = 1},
    {.name = "report.figures",
     .flag = "figures",
     .value = "DIR",
     .help = "write the figures as files, too, into this folder",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(figures),
     .min = 1},
    {.name = "report.formats",
     .flag = "formats",
     .value = "LIST",
     .help = "of those files: any of svg, png, pdf, with commas between",
     .initial = "svg",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(formats),
     .min = 1},
    {.name = "report.figures_from",
     .flag = "figures-from",
     .value = "DIR",
     .help = "figures and tables of your own: NAME.sql, and NAME.gp for a figure "
             "(docs/report.md)",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(figures_from),
     .min = 1},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno report FILE.db -o FILE.html|FILE.md|FILE.csv [--OPTION VALUE]...\n\n"
         "The runs of a database as one page that needs nothing beside it: what was run, its\n"
         "headlines run beside run, figures (drawn by gnuplot, where it is installed) and tables.\n"
         "The ending of the file says what it is: a page, Markdown, or every number as CSV.\n\n"
         "Examples:\n"
         "  dyno report runs.db -o report.html\n"
         "  dyno report runs.db -o report.md --runs 3,5 --figures figures --formats svg,pdf\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static int run(const char *output, const void *values)
{
    const struct report_options *options = values;
    struct dyno_report_config config = {
        .database = options->databases->count ? options->databases->at[0] : "runs.db",
        .runs = options->runs,
        .output = output,
        .title = options->title,
        .version = DYNO_VERSION,
        .figures = options->figures,
        .formats = options->formats,
        .figures_from = options->figures_from,
    };
    struct dyno_error error;
    char *note = NULL;
    dyno_status status = dyno_report_make(&config, &note, &error);

    if (status != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    (void)fprintf(stderr, "%s%s%s", note ? "dyno: a figure is left out: " : "", note ? note : "",
                  note ? "\n" : "");
    free(note);
    return DYNO_EXIT_OK;
}

int dyno_command_report(int argc, char **argv)
{
    const char *given[1];
    struct dyno_file_words databases = {.at = given, .most = 1, .name = "database"};
    struct report_options options = {.databases = &databases};
    const struct dyno_file_command shape = {
        .command = "report",
        .file_flag = "-o",
        .others = &databases,
        .needs = "the file to write: -o FILE.html, FILE.md or FILE.csv",
        .rows = rows,
        .row_count = ROW_COUNT,
        .values = &options,
        .print_help = print_help,
        .run = run,
    };

    return dyno_file_command_run(&shape, argc, argv);
}
