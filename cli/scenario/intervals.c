#include "cli/scenario/intervals.h"

#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

uint32_t dyno_intervals_asked(const char *text)
{
    uint64_t count = 0;

    if (!text || strcmp(text, "auto") == 0) {
        return text ? DYNO_INTERVALS_AUTO : 0;
    }
    return dyno_parse_u64(text, &count) == DYNO_UNITS_OK && count >= 4 && count <= 1000
               ? (uint32_t)count
               : UINT32_MAX;
}

dyno_status dyno_intervals_check(const struct dyno_scenario *scenario,
                                 const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, "output.intervals");
    const char *asked = scenario->output.intervals;
    char place[192], quoted[DYNO_QUOTE_MAX];

    dyno_option_place(row, dyno_options_origin(options, row), place, sizeof place);
    if (dyno_intervals_asked(asked) == UINT32_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s must be a whole number of replicas from 4 to 1000, 'auto' or 'none', "
                         "not %s",
                         place, dyno_quote(quoted, asked));
    }
    if (asked && strcmp(asked, "auto") != 0 && strcmp(scenario->run.clock, "wall") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and the wall clock contradict each other: replicas are simulated, not "
                         "waited for",
                         place);
    }
    return DYNO_OK;
}
