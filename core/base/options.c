/* Options: a set of values by their rows, where each came from, and the sentences of refusal. */
#include "core/base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/option_value.h"
#include "core/base/units.h"
#include "core/base/words.h"

static const char *nearest_choice(const struct dyno_option *row, const char *text)
{
    struct dyno_nearest nearest;

    dyno_nearest_start(&nearest, text);
    if (row->type == DYNO_OPTION_CHOICE) {
        for (uint32_t i = 0; dyno_option_choice(row, i); i++) {
            dyno_nearest_offer(&nearest, dyno_option_choice(row, i));
        }
    }
    if (row->type != DYNO_OPTION_TEXT) {
        dyno_nearest_offer(&nearest, row->special);
    }
    return dyno_nearest_word(&nearest);
}

static bool lacks_unit(const struct dyno_option *row, const char *text)
{
    uint64_t value;

    return (row->type == DYNO_OPTION_DURATION &&
            dyno_parse_duration(text, &value) == DYNO_UNITS_NO_UNIT) ||
           (row->type == DYNO_OPTION_BYTES && dyno_parse_bytes(text, &value) == DYNO_UNITS_NO_UNIT);
}

/* The sentence of a refused value. */
static dyno_status refuse(const struct dyno_option *row, const char *text,
                          const struct dyno_option_origin *origin, struct dyno_error *error)
{
    char place[DYNO_OPTION_TEXT_MAX], accepts[256], quoted[DYNO_QUOTE_MAX];
    const char *nearest = nearest_choice(row, text);

    dyno_option_place(row, origin, place, sizeof(place));
    dyno_option_describe(row, accepts, sizeof(accepts));
    dyno_quote(quoted, text);
    if (lacks_unit(row, text)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s has no unit: give %s", place, quoted,
                         accepts);
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is not %s%s%s%s", place, quoted, accepts,
                     nearest ? "; did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?" : "");
}

static struct dyno_option_state *state_of(const struct dyno_options *options,
                                          const struct dyno_option *row)
{
    return &options->states[row - options->rows];
}

static void state_release(struct dyno_option_state *state)
{
    free((char *)state->origin.where);
    free(state->text);
}

static const char *last_word(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

dyno_status dyno_options_open(struct dyno_options *options, const struct dyno_option *rows,
                              uint32_t count, void *target, struct dyno_error *error)
{
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_DEFAULT};
    dyno_status status = DYNO_OK;

    *options = (struct dyno_options){.rows = rows, .count = count, .target = target};
    options->states = calloc(count, sizeof(options->states[0]));
    if (!options->states) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for %u options", count);
    }
    for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
        status = dyno_options_set(options, &rows[i], rows[i].initial, &origin, error);
    }
    if (status != DYNO_OK) {
        dyno_options_close(options);
    }
    return status;
}

void dyno_options_close(struct dyno_options *options)
{
    for (uint32_t i = 0; options->states && i < options->count; i++) {
        state_release(&options->states[i]);
    }
    free(options->states);
    *options = (struct dyno_options){0};
}

static bool is_word(const char *word, const char *name, size_t length)
{
    return word && strlen(word) == length && memcmp(word, name, length) == 0;
}

bool dyno_option_has_name(const struct dyno_option *row, const char *name, size_t length)
{
    return is_word(row->name, name, length) || is_word(row->also, name, length);
}

const struct dyno_option *dyno_options_find(const struct dyno_options *options, const char *name)
{
    size_t length = strlen(name);

    for (uint32_t i = 0; i < options->count; i++) {
        if (dyno_option_has_name(&options->rows[i], name, length)) {
            return &options->rows[i];
        }
    }
    return NULL;
}

const struct dyno_option *dyno_options_find_flag(const struct dyno_options *options,
                                                 const char *flag)
{
    for (uint32_t i = 0; i < options->count; i++) {
        if (options->rows[i].flag && strcmp(options->rows[i].flag, flag) == 0) {
            return &options->rows[i];
        }
    }
    return NULL;
}

const char *dyno_options_suggest(const struct dyno_options *options, const char *name)
{
    const struct dyno_option *flag = dyno_options_find_flag(options, last_word(name));
    struct dyno_nearest nearest;

    dyno_nearest_start(&nearest, name);
    for (uint32_t i = 0; i < options->count; i++) {
        if (strcmp(last_word(options->rows[i].name), last_word(name)) == 0) {
            return options->rows[i].name;
        }
        dyno_nearest_offer(&nearest, options->rows[i].name);
    }
    return flag ? flag->name : dyno_nearest_word(&nearest);
}

dyno_status dyno_options_set(struct dyno_options *options, const struct dyno_option *row,
                             const char *text, const struct dyno_option_origin *origin,
                             struct dyno_error *error)
{
    struct dyno_option_state fresh = {.origin = *origin}, *state = state_of(options, row);
    struct dyno_option_value value;
    bool owns_text;

    if (!dyno_option_value_parse(&value, row, text)) {
        return refuse(row, text, origin, error);
    }
    owns_text = row->type == DYNO_OPTION_TEXT && value.text;
    fresh.text = owns_text ? strdup(text) : NULL;
    fresh.origin.where = strdup(origin->where ? origin->where : "");
    if (!fresh.origin.where || (owns_text && !fresh.text)) {
        state_release(&fresh);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the option %s", row->name);
    }
    if (owns_text) {
        value.text = fresh.text;
    }
    dyno_option_value_store(&value, row, options->target);
    state_release(state);
    *state = fresh;
    return DYNO_OK;
}

dyno_status dyno_options_set_flag(struct dyno_options *options, const struct dyno_option *row,
                                  const char *text, const char *flag, struct dyno_error *error)
{
    struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG, .where = flag};
    char before[DYNO_OPTION_TEXT_MAX], both[2 * DYNO_OPTION_TEXT_MAX];

    if (!row->is_list || state_of(options, row)->origin.source != DYNO_SOURCE_FLAG) {
        return dyno_options_set(options, row, text, &origin, error);
    }
    if (snprintf(both, sizeof both, "%s,%s", dyno_options_print(options, row, before), text) >=
        DYNO_OPTION_TEXT_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--%s: more than %d bytes in all", row->flag,
                         DYNO_OPTION_TEXT_MAX - 1);
    }
    return dyno_options_set(options, row, both, &origin, error);
}

const char *dyno_options_print(const struct dyno_options *options, const struct dyno_option *row,
                               char out[DYNO_OPTION_TEXT_MAX])
{
    struct dyno_option_value value;

    dyno_option_value_load(&value, row, options->target);
    dyno_option_value_print(&value, row, out);
    return out;
}

const struct dyno_option_origin *dyno_options_origin(const struct dyno_options *options,
                                                     const struct dyno_option *row)
{
    return &state_of(options, row)->origin;
}

bool dyno_options_is_initial(const struct dyno_options *options, const struct dyno_option *row)
{
    struct dyno_option_value value, initial;

    dyno_option_value_load(&value, row, options->target);
    return dyno_option_value_parse(&initial, row, row->initial) &&
           dyno_option_value_equals(&value, &initial, row);
}

void dyno_option_origin_words(const struct dyno_option_origin *origin, char *out, size_t size)
{
    switch (origin->source) {
    case DYNO_SOURCE_DEFAULT:
        snprintf(out, size, "default");
        break;
    case DYNO_SOURCE_PROFILE:
        snprintf(out, size, "engine profile %s", origin->where);
        break;
    case DYNO_SOURCE_FILE:
        snprintf(out, size, "%s:%u", origin->where, origin->line);
        break;
    case DYNO_SOURCE_SET:
        snprintf(out, size, "--set");
        break;
    case DYNO_SOURCE_FLAG:
        snprintf(out, size, "--%s", origin->where);
        break;
    }
}

void dyno_option_place(const struct dyno_option *row, const struct dyno_option_origin *origin,
                       char *out, size_t size)
{
    switch (origin->source) {
    case DYNO_SOURCE_FILE:
        snprintf(out, size, "%s:%u:%u: %s", origin->where, origin->line, origin->column, row->name);
        break;
    case DYNO_SOURCE_SET:
        snprintf(out, size, "--set %s", row->name);
        break;
    case DYNO_SOURCE_FLAG:
        snprintf(out, size, "--%s", origin->where);
        break;
    default:
        snprintf(out, size, "%s", row->name);
        break;
    }
}
