/* Mooncake JSONL: one object a line, identities of 512-token blocks; agent workloads add sessions,
 * delays and what a request waits for; tenant, priority and model are ours; recordings of ours
 * (recording.h) say on every line how the request ended, what its identities were salted with and
 * how many tokens one stands for. */
#include "traces/format.h"

static const struct dyno_column columns[] = {
    {"timestamp", DYNO_FIELD_AT, DYNO_UNIT_MS, false},
    {"created_time", DYNO_FIELD_AT, DYNO_UNIT_MS, false},
    {"input_length", DYNO_FIELD_INPUT, DYNO_UNIT_TOKENS, true},
    {"input_tokens", DYNO_FIELD_INPUT, DYNO_UNIT_TOKENS, true},
    {"output_length", DYNO_FIELD_OUTPUT, DYNO_UNIT_TOKENS, true},
    {"output_tokens", DYNO_FIELD_OUTPUT, DYNO_UNIT_TOKENS, true},
    {"hash_ids", DYNO_FIELD_BLOCKS, DYNO_UNIT_KEY, false},
    {"session_id", DYNO_FIELD_SESSION, DYNO_UNIT_KEY, false},
    {"tenant", DYNO_FIELD_TENANT, DYNO_UNIT_COUNT, false},
    {"priority", DYNO_FIELD_PRIORITY, DYNO_UNIT_COUNT, false},
    {"delay", DYNO_FIELD_DELAY, DYNO_UNIT_MS, false},
    {"delay_ms", DYNO_FIELD_DELAY, DYNO_UNIT_MS, false},
    {"request_id", DYNO_FIELD_NAME, DYNO_UNIT_KEY, false},
    {"wait_for", DYNO_FIELD_WAITS, DYNO_UNIT_KEY, false},
    {"text_input", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"input_text", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"output_token_ids", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"type", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"turn", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"model", DYNO_FIELD_MODEL, DYNO_UNIT_NONE, false},
    {"outcome", DYNO_FIELD_OUTCOME, DYNO_UNIT_NONE, false},
    {"recording", DYNO_FIELD_RECORDING, DYNO_UNIT_KEY, false},
    {"block_tokens", DYNO_FIELD_BLOCK_TOKENS, DYNO_UNIT_TOKENS, false},
    {"number", DYNO_FIELD_NUMBER, DYNO_UNIT_COUNT, false},
    {"lost", DYNO_FIELD_LOST, DYNO_UNIT_COUNT, false},
    {0},
};

const struct dyno_format dyno_format_mooncake = {
    .name = "mooncake",
    .help = "JSONL: timestamp (ms), input_length, output_length, hash_ids (512 tokens each); "
            "session_id, delay, request_id, wait_for, tenant, priority",
    .family = DYNO_FAMILY_JSONL,
    .signature = {"input_length", "input_tokens"},
    .block_tokens = 512,
    .sessions_are_ordered = true,
    .columns = columns,
};
