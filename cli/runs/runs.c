/* `dyno runs`: the runs in a database: list, show, compare, tag, delete. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "cli/commands.h"
#include "core/base/words.h"
#include "reports/reports.h"
#include "reports/runs_edit.h"

#define DATABASE_DEFAULT "runs.db"

enum { WORDS_MAX = 3 };

static void print_help(void)
{
    puts(
        "Usage: dyno runs [list] [--json] [FILE]\n"
        "       dyno runs show FILE RUN\n"
        "       dyno runs compare FILE RUNS\n"
        "       dyno runs tag FILE RUNS TAG [--remove]\n"
        "       dyno runs delete FILE RUNS\n\n"
        "The runs in a database that `dyno replay --db FILE` wrote (" DATABASE_DEFAULT
        "): listed, one a\n"
        "line; one with its headlines and options; several beside each other; with a name of your\n"
        "own; or gone for good, with all that is known of them. A run whose process is gone "
        "before\n"
        "its end is called crashed; unfinished, if it was on another machine.\n\n"
        "RUNS are numbers, spans and tags such as 3,5-7,base, or last, or all.\n\n"
        "  --json        the list as a JSON array, with the keys of `dyno replay --json`\n"
        "  --remove      take the tag away\n\n"
        "All else is a query away: dyno sql FILE 'SELECT * FROM request_latency LIMIT 10'.");
}

/* What a command line says: a verb and the words behind it. */
struct arguments {
    const struct verb *verb;
    const char *words[WORDS_MAX];
    uint32_t count;
    bool json, remove, help;
};

struct verb {
    const char *name;
    uint32_t words; /* that it needs */
    const char *needs;
    dyno_status (*run)(const struct arguments *arguments, struct dyno_error *error);
};

static dyno_status run_list(const struct arguments *arguments, struct dyno_error *error)
{
    const char *path = arguments->count > 0 ? arguments->words[0] : DATABASE_DEFAULT;

    return arguments->json ? dyno_runs_json(path, stdout, error)
                           : dyno_runs_table(path, stdout, error);
}

static dyno_status run_show(const struct arguments *arguments, struct dyno_error *error)
{
    return dyno_runs_show(arguments->words[0], arguments->words[1], stdout, error);
}

static dyno_status run_compare(const struct arguments *arguments, struct dyno_error *error)
{
    return dyno_runs_compare(arguments->words[0], arguments->words[1], stdout, error);
}

static dyno_status run_tag(const struct arguments *arguments, struct dyno_error *error)
{
    return dyno_runs_tag(arguments->words[0], arguments->words[1], arguments->words[2],
                         arguments->remove, error);
}

static dyno_status run_delete(const struct arguments *arguments, struct dyno_error *error)
{
    int64_t count;

    DYNO_TRY(dyno_runs_delete(arguments->words[0], arguments->words[1], &count, error));
    (void)fprintf(stderr, "%" PRId64 " %s deleted\n", count, count == 1 ? "run" : "runs");
    return DYNO_OK;
}

static const struct verb verbs[] = {
    {"list", 0, "", run_list},
    {"show", 2, "a database and a run: dyno runs show FILE RUN", run_show},
    {"compare", 2, "a database and runs: dyno runs compare FILE RUNS", run_compare},
    {"tag", 3, "a database, runs and a tag: dyno runs tag FILE RUNS TAG", run_tag},
    {"delete", 2, "a database and runs: dyno runs delete FILE RUNS", run_delete},
};

static const struct verb *find_verb(const char *text)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, text) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static dyno_status take_argument(struct arguments *arguments, const char *text,
                                 struct dyno_error *error)
{
    bool is_list = arguments->verb->run == run_list;
    char quoted[DYNO_QUOTE_MAX];

    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        arguments->help = true;
    } else if (is_list && strcmp(text, "--json") == 0) {
        arguments->json = true;
    } else if (arguments->verb->run == run_tag && strcmp(text, "--remove") == 0) {
        arguments->remove = true;
    } else if (text[0] == '-') {
        return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; 'dyno runs --help' lists them",
                         dyno_quote(quoted, text));
    } else if (is_list && arguments->count == 1) {
        return dyno_fail(error, DYNO_BAD_INPUT, "runs takes one database; %s is one too many",
                         dyno_quote(quoted, text));
    } else if (!is_list && arguments->count == arguments->verb->words) {
        return dyno_fail(error, DYNO_BAD_INPUT, "runs %s needs %s; %s is one word too many",
                         arguments->verb->name, arguments->verb->needs, dyno_quote(quoted, text));
    } else {
        arguments->words[arguments->count++] = text;
    }
    return DYNO_OK;
}

int dyno_command_runs(int argc, char **argv)
{
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    struct arguments arguments = {.verb = verb ? verb : &verbs[0]};
    struct dyno_error error;

    for (int i = verb ? 2 : 1; i < argc; i++) {
        if (take_argument(&arguments, argv[i], &error) != DYNO_OK) {
            return dyno_command_complain(&error, DYNO_EXIT_USAGE);
        }
    }
    if (arguments.help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (arguments.count < arguments.verb->words) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "runs %s needs %s", arguments.verb->name,
                        arguments.verb->needs);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    return arguments.verb->run(&arguments, &error) == DYNO_OK
               ? DYNO_EXIT_OK
               : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
