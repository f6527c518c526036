/* Splitting laws into words. */
#include "traces/spec.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

static uint32_t count_words(const char *text)
{
    uint32_t count = 1;

    for (; *text; text++) {
        count += *text == ',';
    }
    return count;
}

dyno_status dyno_spec_refuse(const struct dyno_spec *spec, const char *detail,
                             struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s is %s; expected %s", spec->option,
                     spec->text ? dyno_quote(quoted, spec->text) : "not given",
                     detail ? detail : spec->usage);
}

dyno_status dyno_spec_split(struct dyno_spec *spec, const char *option, const char *text,
                            const char *usage, struct dyno_error *error)
{
    char *rest, *colon;

    *spec = (struct dyno_spec){.option = option, .text = text, .usage = usage, .name = ""};
    if (!text) {
        return dyno_spec_refuse(spec, NULL, error);
    }
    spec->copy = strdup(text);
    spec->words = calloc(count_words(text), sizeof *spec->words);
    if (!spec->copy || !spec->words) {
        dyno_spec_release(spec);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read %s", option);
    }
    rest = spec->copy;
    colon = strchr(rest, ':');
    if (colon) {
        *colon = '\0';
        spec->name = rest;
        rest = colon + 1;
    }
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        spec->words[spec->count++] = word;
    }
    return DYNO_OK;
}

void dyno_spec_release(struct dyno_spec *spec)
{
    free(spec->copy);
    free(spec->words);
    spec->copy = NULL;
    spec->words = NULL;
    spec->count = 0;
}

bool dyno_spec_is(const struct dyno_spec *spec, const char *name, uint32_t count)
{
    return strcmp(spec->name, name) == 0 && spec->count == count;
}

bool dyno_spec_number(const struct dyno_spec *spec, uint32_t index, double low, double high,
                      double *out)
{
    double value;

    if (dyno_parse_double(spec->words[index], &value) != DYNO_UNITS_OK ||
        !(value >= low && value <= high)) {
        return false;
    }
    *out = value;
    return true;
}
