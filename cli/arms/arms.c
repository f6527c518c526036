#include "cli/arms/arms.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"

/* The option called `name`, by its name or by its flag; NULL: none. */
static const struct dyno_option *find_row(const char *name, size_t length)
{
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];

        if (dyno_option_has_name(row, name, length) ||
            (row->flag && strlen(row->flag) == length && strncmp(row->flag, name, length) == 0)) {
            return row;
        }
    }
    return NULL;
}

static dyno_status unknown_option(const char *flag, const char *name, struct dyno_error *error)
{
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, name);
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        dyno_nearest_offer(&nearest, dyno_scenario_rows[i].name);
        dyno_nearest_offer(&nearest, dyno_scenario_rows[i].flag);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: unknown option %s; %s%s%s", flag,
                     dyno_quote(quoted, name), near ? "did you mean '" : "",
                     near ? near : "'dyno help scenario' lists them", near ? "'?" : "");
}

/* What arms have in common, or do not have at all. */
static dyno_status check_row(const char *flag, const struct dyno_option *row,
                             struct dyno_error *error)
{
    static const char *const asked[] = {"trace.", "generate.", "run.seed", "run.sample_every",
                                        "run.duration_max"};

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        if (strncmp(row->name, asked[i], strlen(asked[i])) == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s: %s changes what is asked; arms are compared on the same requests",
                             flag, row->name);
        }
    }
    if (strncmp(row->name, "slo.", 4) == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: %s is what all arms are judged by; give it once, as --slo", flag,
                         row->name);
    }
    if (strncmp(row->name, "output.", 7) == 0 || strncmp(row->name, "serve.", 6) == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is not part of a fleet", flag, row->name);
    }
    return DYNO_OK;
}

dyno_status dyno_arm_option_find(const char *flag, const char *text, const struct dyno_option **out,
                                 struct dyno_error *error)
{
    size_t length = strcspn(text, "=");
    char name[DYNO_OPTION_NAME_MAX], quoted[DYNO_QUOTE_MAX];
    const struct dyno_option *row;

    if (text[length] == '\0') {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is not NAME=VALUE, such as router=kv", flag,
                         dyno_quote(quoted, text));
    }
    row = find_row(text, length);
    if (!row) {
        (void)snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), text);
        return unknown_option(flag, name, error);
    }
    DYNO_TRY(check_row(flag, row, error));
    *out = row;
    return DYNO_OK;
}

static dyno_status add_setting(struct dyno_arm *arm, const char *flag, const char *text,
                               size_t length, struct dyno_error *error)
{
    size_t used = strlen(arm->label), name_length = strcspn(text, "=");
    const struct dyno_option *row = NULL;
    char quoted[DYNO_QUOTE_MAX];

    if (name_length >= length) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is not NAME=VALUE, such as router=kv", flag,
                         dyno_quote(quoted, text));
    }
    DYNO_TRY(dyno_arm_option_find(flag, text, &row, error));
    assert(row);
    if (arm->setting_count == DYNO_ARM_SETTINGS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: more than %d settings; write a scenario file",
                         flag, DYNO_ARM_SETTINGS_MAX);
    }
    if (asprintf(&arm->settings[arm->setting_count], "%s%.*s", row->name,
                 (int)(length - name_length), text + name_length) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    arm->setting_count++;
    (void)snprintf(arm->label + used, sizeof arm->label - used, "%s%.*s", used ? " " : "",
                   (int)length, text);
    return DYNO_OK;
}

/* The length of the first setting in `text`: up to a comma behind which another name begins. */
static size_t setting_length(const char *text)
{
    const char *comma = text;

    while ((comma = strchr(comma, ',')) != NULL) {
        size_t length = strcspn(comma + 1, "=,");

        if (comma[1 + length] == '=' && find_row(comma + 1, length)) {
            return (size_t)(comma - text);
        }
        comma++;
    }
    return strlen(text);
}

bool dyno_arms_is_flag(const char *word)
{
    return word[0] == '-' && word[1] == '-' && word[2] >= 'a' && word[2] < 'a' + DYNO_ARMS_MAX &&
           (word[3] == '\0' || word[3] == '=');
}

dyno_status dyno_arms_add(struct dyno_arms *arms, const char *flag, const char *text,
                          struct dyno_error *error)
{
    char letter = flag[2], name[] = {'-', '-', letter, '\0'};
    uint32_t at = 0;

    while (at < arms->count && arms->items[at].letter < letter) {
        at++;
    }
    if (at == arms->count || arms->items[at].letter != letter) {
        memmove(arms->items + at + 1, arms->items + at, (arms->count - at) * sizeof arms->items[0]);
        arms->items[at] = (struct dyno_arm){.letter = letter};
        arms->count++;
    }
    for (;;) {
        size_t length = setting_length(text);

        DYNO_TRY(add_setting(&arms->items[at], name, text, length, error));
        if (text[length] == '\0') {
            return DYNO_OK;
        }
        text += length + 1;
    }
}

dyno_status dyno_arms_check(struct dyno_arms *arms, struct dyno_error *error)
{
    if (arms->count < 2) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "ab compares two arms or more, such as --a router=round_robin --b "
                         "router=kv; %s",
                         arms->count == 0 ? "none is given" : "one is given");
    }
    for (uint32_t i = 1; i < arms->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(arms->items[i].label, arms->items[j].label) == 0) {
                return dyno_fail(error, DYNO_BAD_INPUT, "--%c and --%c are the same arm: %s",
                                 arms->items[j].letter, arms->items[i].letter,
                                 arms->items[i].label);
            }
        }
    }
    return DYNO_OK;
}

void dyno_arms_release(struct dyno_arms *arms)
{
    for (uint32_t i = 0; i < arms->count; i++) {
        for (uint32_t j = 0; j < arms->items[i].setting_count; j++) {
            free(arms->items[i].settings[j]);
        }
    }
    arms->count = 0;
}

dyno_status dyno_arm_scenario_open(struct dyno_arm_scenario *out, const struct dyno_arm *arm,
                                   int argc, char **argv, const uint64_t *seed,
                                   struct dyno_error *error)
{
    static char replay[] = "replay", set_flag[] = "--set", seed_flag[] = "--seed";
    enum dyno_scenario_ask ask;
    dyno_status status;

    *out = (struct dyno_arm_scenario){.argc = 0};
    out->argv = malloc(((size_t)argc + 2 * arm->setting_count + 3) * sizeof *out->argv);
    if (!out->argv) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    memcpy(out->argv, argv, (size_t)argc * sizeof *argv);
    out->argv[0] = replay;
    out->argc = argc;
    for (uint32_t i = 0; i < arm->setting_count; i++) {
        out->argv[out->argc++] = set_flag;
        out->argv[out->argc++] = arm->settings[i];
    }
    if (seed) {
        (void)snprintf(out->seed, sizeof out->seed, "%" PRIu64, *seed);
        out->argv[out->argc++] = seed_flag;
        out->argv[out->argc++] = out->seed;
    }
    status = dyno_scenario_load(&out->scenario, &out->options, out->argc, out->argv, &ask, error);
    if (status != DYNO_OK) {
        free(out->argv);
        *out = (struct dyno_arm_scenario){.argc = 0};
    }
    return status;
}

void dyno_arm_scenario_close(struct dyno_arm_scenario *scenario)
{
    if (scenario->argv) {
        dyno_options_close(&scenario->options);
        free(scenario->argv);
    }
    *scenario = (struct dyno_arm_scenario){.argc = 0};
}
