/* The table of formats, and how one is recognised. */
#include "traces/format.h"

#include <string.h>

const struct dyno_format *const dyno_format_table[] = {
    &dyno_format_bailian, &dyno_format_mooncake, &dyno_format_azure, &dyno_format_burstgpt, NULL,
};

const struct dyno_format *dyno_format_find(const char *name)
{
    for (size_t i = 0; dyno_format_table[i]; i++) {
        if (strcmp(dyno_format_table[i]->name, name) == 0) {
            return dyno_format_table[i];
        }
    }
    return NULL;
}

/* Whether `word` stands in the line, in double quotes for JSON. */
static bool mentions(const char *line, size_t length, const char *word, bool is_quoted)
{
    size_t size = strlen(word), around = is_quoted ? 1 : 0;

    for (size_t at = around; at + size + around <= length; at++) {
        if (memcmp(line + at, word, size) == 0 &&
            (!is_quoted || (line[at - 1] == '"' && line[at + size] == '"'))) {
            return true;
        }
    }
    return false;
}

const struct dyno_format *dyno_format_recognise(const char *line, size_t length)
{
    size_t blanks = strspn(line, " \t");
    enum dyno_family family = line[blanks] == '{' ? DYNO_FAMILY_JSONL : DYNO_FAMILY_CSV;

    for (size_t i = 0; dyno_format_table[i]; i++) {
        const struct dyno_format *format = dyno_format_table[i];

        for (size_t k = 0; format->family == family && k < 2 && format->signature[k]; k++) {
            if (mentions(line, length, format->signature[k], family == DYNO_FAMILY_JSONL)) {
                return format;
            }
        }
    }
    return NULL;
}
