/* `dyno sql`: ask a database of runs. */
#include <stdbool.h>
#include <stddef.h>

#include "cli/commands.h"
#include "cli/file_command.h"
#include "reports/query.h"

struct sql_options {
    const char *runs, *from; /* from NULL: none */
    bool csv, json, names;
    const struct dyno_file_words *words; /* the query; no option */
};

#define AT(field) offsetof(struct sql_options, field)

static const struct dyno_option rows[] = {
    {.name = "sql.csv",
     .flag = "csv",
     .help = "rows as CSV",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(csv)},
    {.name = "sql.json",
     .flag = "json",
     .help = "rows as a JSON array of objects",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(json)},
    {.name = "sql.runs",
     .flag = "runs",
     .value = "RUNS",
     .help = "what the tables chosen and detail hold: 3,5-7,base, or last, or all",
     .initial = "all",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(runs),
     .min = 1},
    {.name = "sql.figures_from",
     .flag = "figures-from",
     .value = "DIR",
     .help = "queries of your own, as for dyno report",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(from),
     .min = 1},
    {.name = "sql.names",
     .flag = "names",
     .help = "list the queries that have a name, and stop",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(names)},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno sql FILE.db 'SELECT ...'|:NAME [--OPTION]...\n\n"
         "Ask a database of runs; nothing in it can be changed. :NAME is the query of a figure or\n"
         "a table of `dyno report`. reports/schema.sql has the tables and views; beside them\n"
         "chosen(run, label, status, title) are the runs that --runs chooses, and detail(run,\n"
         "label) the last six of those that came to their end.\n\n"
         "Examples:\n"
         "  dyno sql runs.db 'SELECT * FROM request_latency ORDER BY ttft_ms DESC LIMIT 5'\n"
         "  dyno sql runs.db :slowest --runs last\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static int wrong_use(const char *sentence)
{
    struct dyno_error error;

    (void)dyno_fail(&error, DYNO_BAD_INPUT, "%s", sentence);
    return dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

static int run(const char *file, const void *values)
{
    const struct sql_options *options = values;
    const struct dyno_query query = {
        .database = file,
        .sql = options->words->count > 0 ? options->words->at[0] : NULL,
        .runs = options->runs,
        .from = options->from,
        .style = options->csv    ? DYNO_QUERY_CSV
                 : options->json ? DYNO_QUERY_JSON
                                 : DYNO_QUERY_TABLE,
    };
    struct dyno_error error;
    dyno_status status;

    if (options->csv && options->json) {
        return wrong_use("--csv and --json exclude each other");
    }
    if (!options->names && !query.sql) {
        return wrong_use("sql needs a database and a query: dyno sql FILE.db 'SELECT ...'");
    }
    status = options->names ? dyno_query_names(options->from, stdout, &error)
                            : dyno_query_run(&query, stdout, &error);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

int dyno_command_sql(int argc, char **argv)
{
    const char *given[1];
    struct dyno_file_words words = {.at = given, .most = 1, .name = "query"};
    struct sql_options options = {.words = &words};
    const struct dyno_file_command shape = {
        .command = "sql",
        .others = &words,
        .rows = rows,
        .row_count = ROW_COUNT,
        .values = &options,
        .print_help = print_help,
        .run = run,
    };

    return dyno_file_command_run(&shape, argc, argv);
}
