#include "cli/own_words.h"

#include <string.h>

bool dyno_own_words_is(const char *typed, const char *flag)
{
    size_t length = strlen(flag);

    return strncmp(typed, flag, length) == 0 && (typed[length] == '\0' || typed[length] == '=');
}

static const struct dyno_option *row_of(const struct dyno_own_words *words, const char *typed)
{
    char flag[DYNO_OPTION_NAME_MAX];
    size_t length = strcspn(typed, "=");

    if (words->output_flag && strcmp(typed, "-o") == 0) {
        return dyno_options_find_flag(words->options, words->output_flag);
    }
    if (strncmp(typed, "--", 2) != 0 || length - 2 >= sizeof flag) {
        return NULL;
    }
    memcpy(flag, typed + 2, length - 2);
    flag[length - 2] = '\0';
    return dyno_options_find_flag(words->options, flag);
}

static dyno_status take_word(struct dyno_own_words *words, int argc, char **argv, int *at,
                             struct dyno_error *error)
{
    char *typed = argv[(*at)++], *equals = strchr(typed, '=');
    const struct dyno_option *row = row_of(words, typed);
    const char *expected = row ? row->value : words->value_of ? words->value_of(typed) : NULL;
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG};
    const char *value = equals ? equals + 1 : NULL;

    if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0) {
        words->wants_help = true;
        return DYNO_OK;
    }
    if (!expected) {
        words->rest[words->rest_count++] = typed;
        return DYNO_OK;
    }
    if (!value && *at < argc && strncmp(argv[*at], "--", 2) != 0) {
        value = argv[(*at)++];
    }
    if (!value) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value: %s", typed, expected);
    }
    if (!row) {
        return words->take(words->context, typed, value, error);
    }
    origin.where = row->flag;
    return dyno_options_set(words->options, row, value, &origin, error);
}

dyno_status dyno_own_words_read(struct dyno_own_words *words, int argc, char **argv,
                                struct dyno_error *error)
{
    words->rest[words->rest_count++] = argv[0];
    for (int at = 1; at < argc && !words->wants_help;) {
        DYNO_TRY(take_word(words, argc, argv, &at, error));
    }
    return DYNO_OK;
}
