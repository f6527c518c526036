/* Options by their rows, one file, help: the words of a command line in any order. */
#include "cli/file_command.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "core/base/words.h"

enum { FLAG_COLUMN = 28, TEXT_MAX = 512 };

/* What a command line says. */
struct words {
    const struct dyno_file_command *shape;
    const char *file; /* NULL: not given; argv's own */
    bool wants_help;
};

static dyno_status unknown_flag(const struct words *words, const struct dyno_options *options,
                                const char *typed, struct dyno_error *error)
{
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, typed + strspn(typed, "-"));
    for (uint32_t i = 0; i < options->count; i++) {
        dyno_nearest_offer(&nearest, options->rows[i].flag);
    }
    near = dyno_nearest_word(&nearest);
    if (near) {
        return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; did you mean '--%s'?",
                         dyno_quote(quoted, typed), near);
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "unknown option %s; 'dyno %s --help' lists them",
                     dyno_quote(quoted, typed), words->shape->command);
}

/* Set the option of the flag at argv[*at]: "--flag value", "--flag=value", or "--flag" for a bool.
 */
static dyno_status take_flag(const struct words *words, struct dyno_options *options, int argc,
                             char **argv, int *at, struct dyno_error *error)
{
    const char *typed = argv[(*at)++], *equals = strchr(typed, '=');
    size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
    char flag[DYNO_OPTION_NAME_MAX] = "", accepts[TEXT_MAX];
    const struct dyno_option *row = NULL;
    const char *value = equals ? equals + 1 : NULL;

    if (length > 2 && length - 2 < sizeof(flag) && strncmp(typed, "--", 2) == 0) {
        memcpy(flag, typed + 2, length - 2);
        flag[length - 2] = '\0';
        row = dyno_options_find_flag(options, flag);
    }
    if (!row) {
        return unknown_flag(words, options, typed, error);
    }
    if (!value && row->type == DYNO_OPTION_BOOL) {
        value = "true";
    } else if (!value && *at < argc && strncmp(argv[*at], "--", 2) != 0) {
        value = argv[(*at)++];
    }
    if (!value) {
        dyno_option_describe(row, accepts, sizeof(accepts));
        return dyno_fail(error, DYNO_BAD_INPUT, "--%s needs a value: %s", flag,
                         row->type == DYNO_OPTION_TEXT ? row->value : accepts);
    }
    return dyno_options_set_flag(options, row, value, flag, error);
}

static dyno_status take_file(struct words *words, const char *path, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (words->file) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s takes one file; %s is one too many",
                         words->shape->command, dyno_quote(quoted, path));
    }
    words->file = path;
    return DYNO_OK;
}

/* A word that stands alone where the file has a flag. */
static dyno_status take_other(const struct words *words, const char *typed,
                              struct dyno_error *error)
{
    const struct dyno_file_command *shape = words->shape;
    struct dyno_file_words *others = shape->others;
    char quoted[DYNO_QUOTE_MAX];

    if (!others) {
        return dyno_fail(error, DYNO_BAD_INPUT, "unexpected word %s; a file is given as %s FILE",
                         dyno_quote(quoted, typed), shape->file_flag);
    }
    if (others->count == others->most) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s takes at most %u %s", shape->command,
                         others->most, others->name);
    }
    others->at[others->count++] = typed;
    return DYNO_OK;
}

static bool is_help(const char *typed)
{
    return strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0;
}

static dyno_status take_words(struct words *words, struct dyno_options *options, int argc,
                              char **argv, struct dyno_error *error)
{
    for (int at = 1; at < argc;) {
        const char *typed = argv[at];

        if (is_help(typed)) {
            words->wants_help = true;
            at++;
        } else if (words->shape->file_flag && strcmp(typed, words->shape->file_flag) == 0) {
            if (at + 1 == argc) {
                return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value: FILE",
                                 words->shape->file_flag);
            }
            DYNO_TRY(take_file(words, argv[at + 1], error));
            at += 2;
        } else if (typed[0] == '-' && typed[1] != '\0') {
            DYNO_TRY(take_flag(words, options, argc, argv, &at, error));
        } else if (words->shape->takes_no_file) {
            return unknown_flag(words, options, typed, error);
        } else if (words->shape->file_flag || (words->file && words->shape->others)) {
            DYNO_TRY(take_other(words, typed, error));
            at++;
        } else {
            DYNO_TRY(take_file(words, typed, error));
            at++;
        }
    }
    return DYNO_OK;
}

int dyno_file_command_run(const struct dyno_file_command *shape, int argc, char **argv)
{
    struct words words = {.shape = shape};
    struct dyno_options options;
    struct dyno_error error;
    int exit_status;

    if (dyno_options_open(&options, shape->rows, shape->row_count, shape->values, &error) !=
        DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (take_words(&words, &options, argc, argv, &error) != DYNO_OK) {
        exit_status = dyno_command_complain(&error, DYNO_EXIT_USAGE);
    } else if (words.wants_help) {
        shape->print_help();
        exit_status = DYNO_EXIT_OK;
    } else if (!words.file && shape->needs) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "%s needs %s", shape->command, shape->needs);
        exit_status = dyno_command_complain(&error, DYNO_EXIT_USAGE);
    } else {
        exit_status = shape->run(words.file, shape->values);
    }
    dyno_options_close(&options);
    return exit_status;
}

void dyno_file_command_rows_help(const struct dyno_option *rows, uint32_t count)
{
    char head[TEXT_MAX], text[TEXT_MAX];

    for (uint32_t i = 0; i < count; i++) {
        const struct dyno_option *row = &rows[i];
        bool is_plain = row->type == DYNO_OPTION_BOOL;

        snprintf(head, sizeof(head), "--%s%s%s", row->flag, is_plain ? "" : " ",
                 is_plain ? "" : row->value);
        snprintf(text, sizeof(text), "%s%s%s%s", row->help, is_plain ? "" : " [",
                 is_plain ? "" : row->initial, is_plain ? "" : "]");
        dyno_help_entry(stdout, dyno_help_width(stdout), FLAG_COLUMN, head, text);
    }
}
