/* Qwen-Bailian JSONL: one object a line, identities of 16-token blocks; a chat names the chat
 * before it (-1: none), and such a chain is a session. */
#include "traces/format.h"

static const struct dyno_column columns[] = {
    {"chat_id", DYNO_FIELD_NAME, DYNO_UNIT_KEY, true},
    {"parent_chat_id", DYNO_FIELD_PARENT, DYNO_UNIT_KEY, false},
    {"timestamp", DYNO_FIELD_AT, DYNO_UNIT_S, true},
    {"input_length", DYNO_FIELD_INPUT, DYNO_UNIT_TOKENS, true},
    {"output_length", DYNO_FIELD_OUTPUT, DYNO_UNIT_TOKENS, true},
    {"hash_ids", DYNO_FIELD_BLOCKS, DYNO_UNIT_KEY, false},
    {"type", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {"turn", DYNO_FIELD_IGNORED, DYNO_UNIT_NONE, false},
    {0},
};

const struct dyno_format dyno_format_bailian = {
    .name = "bailian",
    .help =
        "JSONL: chat_id, parent_chat_id, timestamp (s), input_length, output_length, type, turn, "
        "hash_ids (16 tokens each)",
    .family = DYNO_FAMILY_JSONL,
    .signature = {"chat_id", NULL},
    .block_tokens = 16,
    .columns = columns,
};
