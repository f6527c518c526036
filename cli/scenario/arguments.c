/* The command line of `dyno replay`: --flag value, --flag=value, --no-flag, and one scenario file.
 */
#include "cli/scenario/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"

const struct dyno_argument_extra dyno_argument_extras[] = {
    {"set", "NAME=VALUE", NULL, "set any option by the name that `dyno help scenario` lists"},
    {"print-scenario", NULL, NULL,
     "print every option, its value and where it came from, as a scenario file, and stop"},
    {"help", NULL, NULL, "print this and stop"},
    {"slo", "ttft=TIME,tpot=TIME,...", "slo",
     "what a request must meet to count as goodput: any of ttft, tpot, itl, e2e"},
    {NULL, NULL, NULL, NULL},
};

/* What is left of the command line. */
struct cursor {
    int argc;
    char **argv;
    int at;
};

static const struct dyno_argument_extra *find_extra(const char *flag)
{
    const struct dyno_argument_extra *extra = dyno_argument_extras;

    while (extra->flag && strcmp(extra->flag, flag) != 0) {
        extra++;
    }
    return extra->flag ? extra : NULL;
}

/* The bool row of "no-FLAG", or NULL. */
static const struct dyno_option *find_negated(const struct dyno_options *options, const char *flag)
{
    const struct dyno_option *row;

    if (strncmp(flag, "no-", 3) != 0) {
        return NULL;
    }
    row = dyno_options_find_flag(options, flag + 3);
    return row && row->type == DYNO_OPTION_BOOL ? row : NULL;
}

/* `command` was given, and shows its options; others show what a replay has. */
static dyno_status unknown_flag(const struct dyno_options *options, const char *command,
                                const char *flag, const char *typed, struct dyno_error *error)
{
    const struct dyno_option *named = dyno_options_find(options, flag);
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];

    dyno_quote(quoted, typed);
    if (named) {
        return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; did you mean '--set %s=%s'?",
                         quoted, named->name, named->value ? named->value : "true");
    }
    dyno_nearest_start(&nearest, flag);
    for (uint32_t i = 0; i < options->count; i++) {
        dyno_nearest_offer(&nearest, options->rows[i].flag);
    }
    for (const struct dyno_argument_extra *extra = dyno_argument_extras; extra->flag; extra++) {
        dyno_nearest_offer(&nearest, extra->flag);
    }
    if (!dyno_nearest_word(&nearest)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; 'dyno %s --help' lists them",
                         quoted, strcmp(command, "serve") == 0 ? "serve" : "replay");
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; did you mean '--%s'?", quoted,
                     dyno_nearest_word(&nearest));
}

static dyno_status missing_value(const struct dyno_argument *argument, struct dyno_error *error)
{
    char accepts[256];

    if (!argument->row) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--%s needs a value: %s", argument->flag,
                         find_extra(argument->flag)->value);
    }
    dyno_option_describe(argument->row, accepts, sizeof(accepts));
    return dyno_fail(error, DYNO_BAD_INPUT, "--%s needs a value: %s", argument->flag,
                     argument->row->type == DYNO_OPTION_TEXT ? argument->row->value : accepts);
}

/* Give `argument` its value: what follows '=', else the next argument unless that is a flag. */
static dyno_status take_value(struct cursor *cursor, struct dyno_argument *argument,
                              const char *after_equals, bool takes_one, struct dyno_error *error)
{
    if (after_equals && takes_one) {
        argument->text = after_equals;
    } else if (after_equals) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--%s takes no value", argument->flag);
    } else if (takes_one) {
        if (cursor->at == cursor->argc || strncmp(cursor->argv[cursor->at], "--", 2) == 0) {
            return missing_value(argument, error);
        }
        argument->text = cursor->argv[cursor->at++];
    }
    return DYNO_OK;
}

/* The name in "--name", "--name=value" or "-h"; false if it has but one dash or is too long. */
static bool flag_name(const char *typed, char flag[DYNO_OPTION_NAME_MAX])
{
    size_t dashes = strncmp(typed, "--", 2) == 0 ? 2 : 1;
    size_t length = strcspn(typed + dashes, "=");

    flag[0] = '\0';
    if (strcmp(typed, "-h") == 0) {
        snprintf(flag, DYNO_OPTION_NAME_MAX, "help");
        return true;
    }
    if (length < DYNO_OPTION_NAME_MAX) {
        memcpy(flag, typed + dashes, length);
        flag[length] = '\0';
    }
    return dashes == 2 && flag[0];
}

/* An argument that starts with a dash. */
static dyno_status take_flag(struct cursor *cursor, const struct dyno_options *options,
                             struct dyno_argument *argument, struct dyno_error *error)
{
    const char *typed = cursor->argv[cursor->at++];
    const char *value = strchr(typed, '=');
    char flag[DYNO_OPTION_NAME_MAX];
    const struct dyno_argument_extra *extra;
    const struct dyno_option *row, *negated;

    if (!flag_name(typed, flag)) {
        return unknown_flag(options, cursor->argv[0], flag, typed, error);
    }
    value = value ? value + 1 : NULL;
    extra = find_extra(flag);
    row = dyno_options_find_flag(options, flag);
    negated = find_negated(options, flag);
    if (extra) {
        *argument = (struct dyno_argument){.flag = extra->flag};
        return take_value(cursor, argument, value, extra->value, error);
    }
    if (row && (row->type != DYNO_OPTION_BOOL || value)) {
        *argument = (struct dyno_argument){.row = row, .flag = row->flag};
        return take_value(cursor, argument, value, true, error);
    }
    if (row) {
        *argument = (struct dyno_argument){.row = row, .flag = row->flag, .text = "true"};
        return DYNO_OK;
    }
    if (negated) {
        *argument = (struct dyno_argument){.row = negated, .flag = typed + 2, .text = "false"};
        return take_value(cursor, argument, value, false, error);
    }
    return unknown_flag(options, cursor->argv[0], flag, typed, error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static dyno_status take_file(struct dyno_arguments *arguments, const char *path,
                             struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX], first[DYNO_QUOTE_MAX];

    if (ends_with(path, ".jsonl") || ends_with(path, ".csv") || ends_with(path, ".gz")) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s looks like a trace, not a scenario file; give it as --trace %s",
                         dyno_quote(quoted, path), path);
    }
    if (arguments->file) {
        return dyno_fail(error, DYNO_BAD_INPUT, "one scenario file at most: %s comes after %s",
                         dyno_quote(quoted, path), dyno_quote(first, arguments->file));
    }
    arguments->file = path;
    return DYNO_OK;
}

static void note_ask(struct dyno_arguments *arguments, const char *flag)
{
    if (strcmp(flag, "help") == 0) {
        arguments->ask = DYNO_ASK_HELP;
    } else if (strcmp(flag, "print-scenario") == 0 && arguments->ask == DYNO_ASK_RUN) {
        arguments->ask = DYNO_ASK_PRINT;
    }
}

static dyno_status apply_set(const char *text, struct dyno_options *options,
                             struct dyno_error *error)
{
    static const struct dyno_option_origin origin = {.source = DYNO_SOURCE_SET};
    const char *equals = strchr(text, '=');
    const struct dyno_option *row = NULL;
    char name[DYNO_OPTION_NAME_MAX] = "", quoted[DYNO_QUOTE_MAX];
    const char *near;

    if (!equals) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--set: %s is not NAME=VALUE, such as kv.block_tokens=16",
                         dyno_quote(quoted, text));
    }
    if ((size_t)(equals - text) < sizeof(name)) {
        memcpy(name, text, (size_t)(equals - text));
        row = dyno_options_find(options, name);
    }
    if (row) {
        return dyno_options_set(options, row, equals + 1, &origin, error);
    }
    near = dyno_options_suggest(options, name);
    return dyno_fail(error, DYNO_BAD_INPUT, "--set: unknown option %s; %s%s%s",
                     dyno_quote(quoted, name), near ? "did you mean '" : "",
                     near ? near : "'dyno help scenario' lists them", near ? "'?" : "");
}

static dyno_status unknown_objective(const char *key, struct dyno_error *error)
{
    static const char *const keys[] = {"ttft", "tpot", "itl", "e2e"};
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, key);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        dyno_nearest_offer(&nearest, keys[i]);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_BAD_INPUT, "--slo: %s is not one of ttft, tpot, itl, e2e%s%s%s",
                     dyno_quote(quoted, key), near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
}

/* One "ttft=2s"; `piece` may be written to. */
static dyno_status apply_objective(char *piece, struct dyno_options *options,
                                   struct dyno_error *error)
{
    char *equals = strchr(piece, '='), name[DYNO_OPTION_NAME_MAX], where[DYNO_OPTION_NAME_MAX];
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG, .where = where};
    char quoted[DYNO_QUOTE_MAX];
    const struct dyno_option *row;

    if (!equals) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--slo: %s is not KEY=TIME, such as ttft=2s,tpot=50ms",
                         dyno_quote(quoted, piece));
    }
    *equals = '\0';
    snprintf(name, sizeof(name), "slo.%s", piece); /* a piece cut short is no name either */
    snprintf(where, sizeof(where), "slo %s", piece);
    row = dyno_options_find(options, name);
    return row ? dyno_options_set(options, row, equals + 1, &origin, error)
               : unknown_objective(piece, error);
}

static dyno_status apply_slo(const char *text, struct dyno_options *options,
                             struct dyno_error *error)
{
    char *copy = strdup(text), *rest = copy;
    dyno_status status = copy ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");

    while (status == DYNO_OK && rest) {
        status = apply_objective(strsep(&rest, ","), options, error);
    }
    free(copy);
    return status;
}

dyno_status dyno_arguments_parse(struct dyno_arguments *arguments,
                                 const struct dyno_options *options, int argc, char **argv,
                                 struct dyno_error *error)
{
    struct cursor cursor = {.argc = argc, .argv = argv, .at = 1};
    dyno_status status = DYNO_OK;

    *arguments = (struct dyno_arguments){.ask = DYNO_ASK_RUN};
    arguments->items = calloc((size_t)argc + 1, sizeof(arguments->items[0]));
    if (!arguments->items) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for %d arguments", argc);
    }
    while (cursor.at < argc && status == DYNO_OK) {
        const char *typed = argv[cursor.at];

        if (typed[0] == '-' && typed[1] != '\0') {
            struct dyno_argument *argument = &arguments->items[arguments->count++];

            status = take_flag(&cursor, options, argument, error);
            if (status == DYNO_OK && argument->flag) {
                note_ask(arguments, argument->flag);
            }
        } else {
            cursor.at++;
            status = take_file(arguments, typed, error);
        }
    }
    if (status != DYNO_OK) {
        dyno_arguments_release(arguments);
    }
    return status;
}

void dyno_arguments_release(struct dyno_arguments *arguments)
{
    free(arguments->items);
    *arguments = (struct dyno_arguments){0};
}

dyno_status dyno_arguments_apply(const struct dyno_arguments *arguments,
                                 struct dyno_options *options, struct dyno_error *error)
{
    for (uint32_t i = 0; i < arguments->count; i++) {
        const struct dyno_argument *argument = &arguments->items[i];

        if (argument->row) {
            DYNO_TRY(dyno_options_set_flag(options, argument->row, argument->text, argument->flag,
                                           error));
        } else if (strcmp(argument->flag, "set") == 0) {
            DYNO_TRY(apply_set(argument->text, options, error));
        } else if (strcmp(argument->flag, "slo") == 0) {
            DYNO_TRY(apply_slo(argument->text, options, error));
        }
    }
    return DYNO_OK;
}
