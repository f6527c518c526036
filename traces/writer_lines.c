/* Rows as the lines of each format. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "traces/writer_parts.h"

enum { TEXT_BYTES = 256 };

__attribute__((format(printf, 2, 3))) static bool put(struct dyno_trace_writer *writer,
                                                      const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return length >= 0 && length < TEXT_BYTES && gzputs(writer->file, text) >= 0;
}

/* What the file calls a key. */
static bool name_key(struct dyno_trace_writer *writer, struct dyno_trace_keys *keys, uint64_t key,
                     uint64_t *name)
{
    uint32_t *known;
    int is_new;

    if (writer->is_salted) {
        const uint64_t words[2] = {keys->kind, key};

        *name = dyno_salt_identity(&writer->salt, words, 2);
        return true;
    }
    known = dyno_map_put(&keys->numbers, key, (uint32_t)keys->used, &is_new);
    if (!known || keys->used > UINT32_MAX) {
        return false;
    }
    keys->used += is_new != 0;
    *name = *known;
    return true;
}

/* What the file calls something that is like nothing else. */
static uint64_t fresh_name(struct dyno_trace_writer *writer, struct dyno_trace_keys *keys)
{
    const uint64_t words[3] = {keys->kind, keys->used, 0};

    keys->used++;
    return writer->is_salted ? dyno_salt_identity(&writer->salt, words, 3) : keys->used - 1;
}

/* The identities of the prompt's blocks; what no segment covers is like no other, and so is a
 * partial last block, unless rows have identities for those. */
static bool put_blocks(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint32_t count = (row->input_tokens + writer->block_tokens - 1) / writer->block_tokens;
    uint32_t segment = 0, in_segment = 0;

    if (!put(writer, ", \"hash_ids\": [")) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = ((uint64_t)i + 1) * writer->block_tokens, name;

        end = writer->names_last && end > row->input_tokens ? row->input_tokens : end;
        while (segment < row->segment_count && row->segments[segment].end < end) {
            segment++;
            in_segment = 0;
        }
        if (segment == row->segment_count) {
            name = fresh_name(writer, &writer->blocks);
        } else if (!name_key(writer, &writer->blocks,
                             dyno_chain(row->segments[segment].id, in_segment++), &name)) {
            return false;
        }
        if (!put(writer, "%s%" PRIu64, i ? ", " : "", name)) {
            return false;
        }
    }
    return put(writer, "]");
}

/* Milliseconds, with as many decimals as it has. */
static bool put_ms(struct dyno_trace_writer *writer, const char *key, dyno_ns time)
{
    char decimals[8] = "";
    int digits = 6;

    if (time % DYNO_MS != 0) {
        (void)snprintf(decimals, sizeof decimals, ".%06" PRIu64, time % DYNO_MS);
        while (decimals[digits] == '0') {
            decimals[digits--] = '\0';
        }
    }
    return put(writer, "\"%s\": %" PRIu64 "%s", key, time / DYNO_MS, decimals);
}

/* All that the row waits for and that this file has.  A parent it has not is no reason to wait. */
static bool put_waits(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    bool has_parent = row->parent && dyno_map_find(&writer->names.numbers, row->parent);
    const char *before = ", \"wait_for\": [";
    uint64_t name;

    for (uint32_t i = 0; i < row->wait_count + has_parent; i++) {
        uint64_t key = i < row->wait_count ? row->waits[i] : row->parent;

        if (!name_key(writer, &writer->names, key, &name) ||
            !put(writer, "%s%" PRIu64, before, name)) {
            return false;
        }
        before = ", ";
    }
    return row->wait_count + has_parent == 0 || put(writer, "]");
}

/* The row's own name, which others may wait for. */
static bool put_name(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint64_t name;

    /* Hashes need no numbers, but whether a parent was here is asked of them. */
    if (writer->is_salted && !dyno_map_put(&writer->names.numbers, row->name, 0, NULL)) {
        return false;
    }
    return name_key(writer, &writer->names, row->name, &name) &&
           put(writer, ", \"request_id\": %" PRIu64, name);
}

static bool put_mooncake(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint64_t session;

    if (!put(writer, "{") || (row->has_at && !put_ms(writer, "timestamp", row->at)) ||
        (row->has_at && row->delay && !put(writer, ", ")) ||
        ((row->delay || !row->has_at) && !put_ms(writer, "delay", row->delay)) ||
        !put(writer, ", \"input_length\": %" PRIu32 ", \"output_length\": %" PRIu32,
             row->input_tokens, row->output_tokens)) {
        return false;
    }
    if (row->session && (!name_key(writer, &writer->sessions, row->session, &session) ||
                         !put(writer, ", \"session_id\": %" PRIu64, session))) {
        return false;
    }
    if ((row->tenant && !put(writer, ", \"tenant\": %" PRIu32, row->tenant)) ||
        (row->priority && !put(writer, ", \"priority\": %" PRId32, row->priority))) {
        return false;
    }
    if ((row->name && !put_name(writer, row)) || !put_waits(writer, row)) {
        return false;
    }
    if (row->segment_count > 0 && writer->block_tokens != writer->format->block_tokens &&
        !put(writer, ", \"block_tokens\": %" PRIu32, writer->block_tokens)) {
        return false;
    }
    return (row->segment_count == 0 || put_blocks(writer, row)) && put(writer, "}\n");
}

/* Who came before in a chain of chats: the parent, or the row before of the session; -1: nobody. */
static bool put_parent(struct dyno_trace_writer *writer, const struct dyno_row *row, uint64_t name)
{
    const uint32_t *before = row->session ? dyno_map_find(&writer->last_of, row->session) : NULL;
    uint32_t *last;

    if (!before && row->parent) {
        before = dyno_map_find(&writer->names.numbers, row->parent);
    }
    if (before ? !put(writer, ", \"parent_chat_id\": %" PRIu32, *before)
               : !put(writer, ", \"parent_chat_id\": -1")) {
        return false;
    }
    last = row->session ? dyno_map_put(&writer->last_of, row->session, 0, NULL) : NULL;
    if (last) {
        *last = (uint32_t)name;
    }
    return !row->session || last;
}

static bool put_bailian(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint64_t name = writer->names.used;

    if (row->name ? !name_key(writer, &writer->names, row->name, &name)
                  : !fresh_name(writer, &writer->names)) {
        return false;
    }
    return put(writer, "{\"chat_id\": %" PRIu64, name) && put_parent(writer, row, name) &&
           put(writer,
               ", \"timestamp\": %" PRIu64 ".%09" PRIu64 ", \"input_length\": %" PRIu32
               ", \"output_length\": %" PRIu32,
               row->at / DYNO_S, row->at % DYNO_S, row->input_tokens, row->output_tokens) &&
           (row->segment_count == 0 || put_blocks(writer, row)) && put(writer, "}\n");
}

/* Days are counted from 2024-05-10, where the public trace of this form begins. */
static bool put_azure(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint64_t us = row->at / DYNO_US, seconds = us / 1000000, day = seconds / 86400;

    return put(writer,
               "2024-05-%02" PRIu64 " %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64
               "+00:00,%" PRIu32 ",%" PRIu32 "\n",
               10 + day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, us % 1000000,
               row->input_tokens, row->output_tokens);
}

/* Without a session a request is a conversation of its own. */
static bool put_burstgpt(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    uint64_t session = 0;

    if (row->session ? !name_key(writer, &writer->sessions, row->session, &session)
                     : !(session = fresh_name(writer, &writer->sessions))) {
        return false;
    }
    return put(writer,
               "%" PRIu64 ".%09" PRIu64 ",%" PRIu64 ",0,unknown,%" PRIu32 ",%" PRIu32 ",%" PRIu64
               ",Conversation log\n",
               row->at / DYNO_S, row->at % DYNO_S, session, row->input_tokens, row->output_tokens,
               (uint64_t)row->input_tokens + row->output_tokens);
}

bool dyno_trace_put_header(struct dyno_trace_writer *writer)
{
    if (writer->format == &dyno_format_azure) {
        return put(writer, "TIMESTAMP,ContextTokens,GeneratedTokens\n");
    }
    return writer->format != &dyno_format_burstgpt ||
           put(writer, "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,"
                       "Total tokens,Log Type\n");
}

bool dyno_trace_put_row(struct dyno_trace_writer *writer, const struct dyno_row *row)
{
    if (writer->format == &dyno_format_mooncake) {
        return put_mooncake(writer, row);
    }
    if (writer->format == &dyno_format_bailian) {
        return put_bailian(writer, row);
    }
    return writer->format == &dyno_format_azure ? put_azure(writer, row)
                                                : put_burstgpt(writer, row);
}

const char *dyno_trace_cannot_say(const struct dyno_trace_writer *writer,
                                  const struct dyno_row *row)
{
    bool waits = row->wait_count > 0 || row->delay > 0 || !row->has_at;

    if (writer->format == &dyno_format_azure) {
        if (waits || row->session || row->parent) {
            return "the azure format has no sessions, and nobody waits in it; expected a trace "
                   "without them, or mooncake";
        }
        return row->at < 21 * 86400 * DYNO_S
                   ? NULL
                   : "the azure writer holds three weeks; expected a shorter trace, or mooncake";
    }
    if (writer->format != &dyno_format_mooncake && waits) {
        return "a request waits for others by a delay or by their names, which only the mooncake "
               "format can say";
    }
    if (writer->format == &dyno_format_bailian && writer->is_salted) {
        return "chats are numbered in the bailian format; expected no salt, or mooncake";
    }
    return writer->format == &dyno_format_burstgpt && row->parent
               ? "the burstgpt format has no parents; expected bailian or mooncake"
               : NULL;
}
