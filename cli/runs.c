/* `dyno runs`: list the runs in a database. */
#include <stdbool.h>
#include <string.h>

#include "cli/commands.h"
#include "core/base/words.h"
#include "reports/reports.h"

#define DATABASE_DEFAULT "runs.db"

static void print_help(void)
{
    puts("Usage: dyno runs [--json] [FILE]\n\n"
         "The runs in a database that `dyno replay --db FILE` wrote (" DATABASE_DEFAULT "), one a\n"
         "line. A run whose process is gone before its end is called crashed; unfinished, if it\n"
         "was on another machine.\n\n"
         "  --json        the same as a JSON array, with the keys of `dyno replay --json`\n\n"
         "All else is a query away: sqlite3 FILE 'SELECT * FROM request_latency LIMIT 10'.");
}

struct arguments {
    const char *path;
    bool json;
    bool help;
};

static dyno_status take_argument(struct arguments *arguments, const char *text,
                                 struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        arguments->help = true;
    } else if (strcmp(text, "--json") == 0) {
        arguments->json = true;
    } else if (text[0] == '-') {
        return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; 'dyno runs --help' lists them",
                         dyno_quote(quoted, text));
    } else if (arguments->path) {
        return dyno_fail(error, DYNO_BAD_INPUT, "runs takes one database; %s is one too many",
                         dyno_quote(quoted, text));
    } else {
        arguments->path = text;
    }
    return DYNO_OK;
}

int dyno_command_runs(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct dyno_error error;
    dyno_status status;

    for (int i = 1; i < argc; i++) {
        if (take_argument(&arguments, argv[i], &error) != DYNO_OK) {
            return dyno_command_complain(&error, DYNO_EXIT_USAGE);
        }
    }
    if (arguments.help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (!arguments.path) {
        arguments.path = DATABASE_DEFAULT;
    }
    status = arguments.json ? dyno_runs_json(arguments.path, stdout, &error)
                            : dyno_runs_table(arguments.path, stdout, &error);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
