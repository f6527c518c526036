/* BurstGPT CSV; its later files add a session and the time an answer took.  A request without
 * response tokens failed when it was recorded: it is counted and dropped. */
#include "traces/format.h"

static const struct dyno_column columns[] = {
    {"Timestamp", DYNO_FIELD_AT, DYNO_UNIT_S, true},
    {"Session ID", DYNO_FIELD_SESSION, DYNO_UNIT_KEY, false},
    {"Elapsed time", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"Model", DYNO_FIELD_MODEL, DYNO_UNIT_NONE, false},
    {"Request tokens", DYNO_FIELD_INPUT, DYNO_UNIT_TOKENS, true},
    {"Response tokens", DYNO_FIELD_OUTPUT, DYNO_UNIT_TOKENS, true},
    {"Total tokens", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"Log Type", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {0},
};

const struct dyno_format dyno_format_burstgpt = {
    .name = "burstgpt",
    .help = "CSV: Timestamp (s), Model, Request tokens, Response tokens, Total tokens, Log Type",
    .family = DYNO_FAMILY_CSV,
    .signature = {"Request tokens", NULL},
    .sessions_are_ordered = true,
    .no_answer_is_failure = true,
    .columns = columns,
};
