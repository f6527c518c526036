/* Azure's LLM inference traces: the 2023 files (seven decimals, CRLF) and the 2024 ones (ISO dates
 * with a zone) have the same columns. */
#include "traces/format.h"

static const struct dyno_column columns[] = {
    {"TIMESTAMP", DYNO_FIELD_AT, DYNO_UNIT_DATE, true},
    {"ContextTokens", DYNO_FIELD_INPUT, DYNO_UNIT_TOKENS, true},
    {"GeneratedTokens", DYNO_FIELD_OUTPUT, DYNO_UNIT_TOKENS, true},
    {0},
};

const struct dyno_format dyno_format_azure = {
    .name = "azure",
    .help = "CSV: TIMESTAMP (a date), ContextTokens, GeneratedTokens; the 2023 and 2024 traces",
    .family = DYNO_FAMILY_CSV,
    .signature = {"ContextTokens", NULL},
    .columns = columns,
};
