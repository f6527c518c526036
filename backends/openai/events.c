/* One state: which item is open.  Text opens a message; a call or the end closes it. */
#include "backends/openai/events.h"

#include <stdio.h>
#include <string.h>

#include "backends/openai/events_echo.h"
#include "backends/openai/json_text.h"
#include "backends/openai/response_parts.h"

enum { ITEM_ID_MAX = 96 };

/* What a response says of its end; `usage` NULL: it has none yet. */
struct ending {
    const char *status;
    const struct dyno_openai_usage *usage;
    const struct dyno_openai_error *error;
    bool is_incomplete;
    uint64_t completed_s; /* 0: it is not */
};

/* The id of item `index`: the response's, with a prefix that says what it is. */
static void item_id(const struct dyno_openai_events *events, const char *prefix, uint32_t index,
                    char out[ITEM_ID_MAX])
{
    const char *dash = strchr(events->id, '-');

    (void)snprintf(out, ITEM_ID_MAX, "%s-%s-%u", prefix, dash ? dash + 1 : events->id, index);
}

static void put_usage(struct dyno_bytes *out, const struct dyno_openai_usage *usage)
{
    dyno_bytes_put_text(out, ",\"usage\":{\"input_tokens\":");
    dyno_bytes_put_u64(out, usage->prompt_tokens);
    dyno_bytes_put_text(out, ",\"input_tokens_details\":{\"cached_tokens\":");
    dyno_bytes_put_u64(out, usage->cached_tokens);
    dyno_bytes_put_text(out, ",\"cache_write_tokens\":");
    dyno_bytes_put_u64(out, (uint64_t)usage->prompt_tokens - usage->cached_tokens);
    dyno_bytes_put_text(out, "},\"output_tokens\":");
    dyno_bytes_put_u64(out, usage->completion_tokens);
    dyno_bytes_put_text(out, ",\"output_tokens_details\":{\"reasoning_tokens\":0}"
                             ",\"total_tokens\":");
    dyno_bytes_put_u64(out, (uint64_t)usage->prompt_tokens + usage->completion_tokens);
    dyno_bytes_put_text(out, "}");
}

/* The API has a list of its own for codes of this place. */
static void put_failure(struct dyno_bytes *out, const struct dyno_openai_error *error)
{
    if (!error) {
        dyno_bytes_put_text(out, "null");
        return;
    }
    dyno_bytes_put_text(out, "{\"code\":");
    dyno_json_put_text(out, error->http_status == 429  ? DYNO_OPENAI_CODE_RATE
                            : error->http_status < 500 ? "invalid_prompt"
                                                       : "server_error");
    dyno_bytes_put_text(out, ",\"message\":");
    dyno_json_put_text(out, error->cause.text);
    dyno_bytes_put_text(out, "}");
}

static void put_response(const struct dyno_openai_events *events, struct dyno_bytes *out,
                         const struct ending *ending)
{
    dyno_bytes_put(out, events->echo.data, events->echo.size);
    dyno_bytes_put_text(out, ",\"status\":\"");
    dyno_bytes_put_text(out, ending->status);
    dyno_bytes_put_text(out, "\",\"error\":");
    put_failure(out, ending->error);
    dyno_bytes_put_text(out, ending->is_incomplete
                                 ? ",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"
                                 : ",\"incomplete_details\":null");
    dyno_bytes_put_text(out, ",\"output\":[");
    dyno_bytes_put(out, events->output.data, events->output.size);
    dyno_bytes_put_text(out, "],\"completed_at\":");
    if (ending->completed_s > 0) {
        dyno_bytes_put_u64(out, ending->completed_s);
    } else {
        dyno_bytes_put_text(out, "null");
    }
    if (ending->usage) {
        put_usage(out, ending->usage);
    }
    dyno_bytes_put_text(out, "}");
}

/* `event:` and the beginning of `data:`; the rest ends with end_event. */
static void begin_event(struct dyno_bytes *out, const char *type)
{
    dyno_bytes_put_text(out, "event: ");
    dyno_bytes_put_text(out, type);
    dyno_bytes_put_text(out, "\ndata: {\"type\":\"");
    dyno_bytes_put_text(out, type);
    dyno_bytes_put_text(out, "\"");
}

static void end_event(struct dyno_openai_events *events, struct dyno_bytes *out)
{
    dyno_bytes_put_text(out, ",\"sequence_number\":");
    dyno_bytes_put_u64(out, events->sequence++);
    dyno_bytes_put_text(out, "}\n\n");
}

static void put_response_event(struct dyno_openai_events *events, struct dyno_bytes *out,
                               const char *type, const struct ending *ending)
{
    begin_event(out, type);
    dyno_bytes_put_text(out, ",\"response\":");
    put_response(events, out, ending);
    end_event(events, out);
}

/* ,"item_id":...,"output_index":... of the item that was begun last. */
static void put_place(const struct dyno_openai_events *events, struct dyno_bytes *out,
                      const char *prefix)
{
    char id[ITEM_ID_MAX];

    item_id(events, prefix, events->item_count - 1, id);
    dyno_bytes_put_text(out, ",\"item_id\":");
    dyno_json_put_text(out, id);
    dyno_bytes_put_text(out, ",\"output_index\":");
    dyno_bytes_put_u64(out, events->item_count - 1);
}

/* The message that is open: its part, or the whole item. */
static void put_part(const struct dyno_openai_events *events, struct dyno_bytes *out)
{
    dyno_bytes_put_text(out, "{\"type\":\"output_text\",\"text\":\"");
    dyno_bytes_put(out, events->text.data, events->text.size);
    dyno_bytes_put_text(out, "\",\"annotations\":[],\"logprobs\":[");
    dyno_bytes_put(out, events->tokens.data, events->tokens.size);
    dyno_bytes_put_text(out, "]}");
}

static void put_message(const struct dyno_openai_events *events, struct dyno_bytes *out,
                        const char *status)
{
    char id[ITEM_ID_MAX];

    item_id(events, "msg", events->item_count - 1, id);
    dyno_bytes_put_text(out, "{\"type\":\"message\",\"id\":");
    dyno_json_put_text(out, id);
    dyno_bytes_put_text(out, ",\"status\":\"");
    dyno_bytes_put_text(out, status);
    dyno_bytes_put_text(out, "\",\"role\":\"assistant\",\"content\":[");
    if (strcmp(status, "in_progress") != 0) {
        put_part(events, out);
    }
    dyno_bytes_put_text(out, "]}");
}

static void put_call(const struct dyno_openai_events *events, struct dyno_bytes *out,
                     const struct dyno_openai_tool_call *call, bool is_done)
{
    char id[ITEM_ID_MAX];

    item_id(events, "fc", events->item_count - 1, id);
    dyno_bytes_put_text(out, "{\"type\":\"function_call\",\"id\":");
    dyno_json_put_text(out, id);
    dyno_bytes_put_text(out, is_done ? ",\"status\":\"completed\",\"call_id\":"
                                     : ",\"status\":\"in_progress\",\"call_id\":");
    dyno_json_put_text(out, call->id);
    dyno_bytes_put_text(out, ",\"name\":");
    dyno_json_put_text(out, call->name);
    dyno_bytes_put_text(out, ",\"arguments\":");
    dyno_json_put_string(out, call->arguments, is_done ? call->arguments_size : 0);
    dyno_bytes_put_text(out, "}");
}

/* An item is begun or done: the event around it. */
static void begin_item_event(const struct dyno_openai_events *events, struct dyno_bytes *out,
                             const char *type)
{
    begin_event(out, type);
    dyno_bytes_put_text(out, ",\"output_index\":");
    dyno_bytes_put_u64(out, events->item_count - 1);
    dyno_bytes_put_text(out, ",\"item\":");
}

static void open_message(struct dyno_openai_events *events, struct dyno_bytes *out)
{
    events->item_count++;
    events->in_message = true;
    dyno_bytes_clear(&events->text);
    dyno_bytes_clear(&events->tokens);
    dyno_bytes_clear(&events->delta);
    begin_event(&events->delta, "response.output_text.delta");
    put_place(events, &events->delta, "msg");
    dyno_bytes_put_text(&events->delta, ",\"content_index\":0,\"delta\":\"");

    begin_item_event(events, out, "response.output_item.added");
    put_message(events, out, "in_progress");
    end_event(events, out);
    begin_event(out, "response.content_part.added");
    put_place(events, out, "msg");
    dyno_bytes_put_text(out, ",\"content_index\":0,\"part\":");
    put_part(events, out);
    end_event(events, out);
}

static void keep_item(struct dyno_openai_events *events)
{
    if (events->output.size > 0) {
        dyno_bytes_put_text(&events->output, ",");
    }
}

static void close_message(struct dyno_openai_events *events, struct dyno_bytes *out,
                          const char *status)
{
    if (!events->in_message) {
        return;
    }
    begin_event(out, "response.output_text.done");
    put_place(events, out, "msg");
    dyno_bytes_put_text(out, ",\"content_index\":0,\"text\":\"");
    dyno_bytes_put(out, events->text.data, events->text.size);
    dyno_bytes_put_text(out, "\",\"logprobs\":[");
    dyno_bytes_put(out, events->tokens.data, events->tokens.size);
    dyno_bytes_put_text(out, "]");
    end_event(events, out);
    begin_event(out, "response.content_part.done");
    put_place(events, out, "msg");
    dyno_bytes_put_text(out, ",\"content_index\":0,\"part\":");
    put_part(events, out);
    end_event(events, out);
    begin_item_event(events, out, "response.output_item.done");
    put_message(events, out, status);
    end_event(events, out);
    keep_item(events);
    put_message(events, &events->output, status);
    events->in_message = false;
}

dyno_status dyno_openai_events_open(struct dyno_openai_events *out,
                                    const struct dyno_openai_about *about,
                                    const struct dyno_openai_responses *request)
{
    struct dyno_openai_events events = {.sequence = 0};

    (void)snprintf(events.id, sizeof events.id, "%s", about->id);
    dyno_bytes_init(&events.echo, DYNO_OPENAI_EVENTS_MAX);
    dyno_bytes_init(&events.output, DYNO_OPENAI_EVENTS_MAX);
    dyno_bytes_init(&events.delta, DYNO_OPENAI_EVENTS_MAX);
    dyno_bytes_init(&events.text, DYNO_OPENAI_EVENTS_MAX);
    dyno_bytes_init(&events.tokens, DYNO_OPENAI_EVENTS_MAX);
    dyno_openai_put_echo(&events.echo, about, request);
    if (events.echo.status != DYNO_OK) {
        dyno_openai_events_close(&events);
        return DYNO_NO_MEMORY;
    }
    *out = events;
    return DYNO_OK;
}

void dyno_openai_events_close(struct dyno_openai_events *events)
{
    dyno_bytes_release(&events->echo);
    dyno_bytes_release(&events->output);
    dyno_bytes_release(&events->delta);
    dyno_bytes_release(&events->text);
    dyno_bytes_release(&events->tokens);
}

void dyno_openai_events_begin(struct dyno_openai_events *events, struct dyno_bytes *out)
{
    static const struct ending none = {.status = "in_progress"};

    put_response_event(events, out, "response.created", &none);
    put_response_event(events, out, "response.in_progress", &none);
}

void dyno_openai_events_text(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const char *text, size_t size, const struct dyno_openai_token *tokens,
                             uint32_t count)
{
    size_t before;

    if (!events->in_message) {
        open_message(events, out);
    }
    before = events->text.size;
    dyno_json_put_escaped(&events->text, text, size);
    dyno_bytes_put(out, events->delta.data, events->delta.size);
    if (events->text.size > before) {
        dyno_bytes_put(out, events->text.data + before, events->text.size - before);
    }
    dyno_bytes_put_text(out, "\",\"logprobs\":");
    dyno_openai_put_token_list(out, tokens, tokens ? count : 0);
    end_event(events, out);
    if (tokens && count > 0) {
        dyno_bytes_put(&events->tokens, ",", events->tokens.size > 0);
        dyno_openai_put_token_items(&events->tokens, tokens, count);
    }
}

void dyno_openai_events_call_begin(struct dyno_openai_events *events, struct dyno_bytes *out,
                                   const struct dyno_openai_tool_call *call)
{
    close_message(events, out, "completed");
    events->item_count++;
    begin_item_event(events, out, "response.output_item.added");
    put_call(events, out, call, false);
    end_event(events, out);
}

void dyno_openai_events_call_arguments(struct dyno_openai_events *events, struct dyno_bytes *out,
                                       const char *text, size_t size)
{
    begin_event(out, "response.function_call_arguments.delta");
    put_place(events, out, "fc");
    dyno_bytes_put_text(out, ",\"delta\":");
    dyno_json_put_string(out, text, size);
    end_event(events, out);
}

void dyno_openai_events_call_end(struct dyno_openai_events *events, struct dyno_bytes *out,
                                 const struct dyno_openai_tool_call *call)
{
    begin_event(out, "response.function_call_arguments.done");
    put_place(events, out, "fc");
    dyno_bytes_put_text(out, ",\"name\":");
    dyno_json_put_text(out, call->name);
    dyno_bytes_put_text(out, ",\"arguments\":");
    dyno_json_put_string(out, call->arguments, call->arguments_size);
    end_event(events, out);
    begin_item_event(events, out, "response.output_item.done");
    put_call(events, out, call, true);
    end_event(events, out);
    keep_item(events);
    put_call(events, &events->output, call, true);
}

void dyno_openai_events_call(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const struct dyno_openai_tool_call *call)
{
    dyno_openai_events_call_begin(events, out, call);
    dyno_openai_events_call_arguments(events, out, call->arguments, call->arguments_size);
    dyno_openai_events_call_end(events, out, call);
}

static struct ending ending_of(enum dyno_openai_finish finish,
                               const struct dyno_openai_usage *usage, uint64_t completed_s)
{
    bool is_incomplete = finish == DYNO_OPENAI_LENGTH;

    return (struct ending){.status = is_incomplete ? "incomplete" : "completed",
                           .usage = usage,
                           .is_incomplete = is_incomplete,
                           .completed_s = is_incomplete ? 0 : completed_s};
}

static void check_one(const struct dyno_bytes *kept, struct dyno_bytes *out)
{
    if (kept->status != DYNO_OK && out->status == DYNO_OK) {
        out->status = kept->status;
    }
}

/* What is kept for the end may have come to its limit; then the end cannot be told. */
static void check_kept(const struct dyno_openai_events *events, struct dyno_bytes *out)
{
    check_one(&events->output, out);
    check_one(&events->delta, out);
    check_one(&events->text, out);
    check_one(&events->tokens, out);
}

void dyno_openai_events_end(struct dyno_openai_events *events, struct dyno_bytes *out,
                            enum dyno_openai_finish finish, const struct dyno_openai_usage *usage,
                            uint64_t completed_s)
{
    struct ending ending = ending_of(finish, usage, completed_s);

    if (events->item_count == 0) { /* an answer of nothing is a message too */
        open_message(events, out);
    }
    check_kept(events, out);
    close_message(events, out, ending.status);
    put_response_event(
        events, out, ending.is_incomplete ? "response.incomplete" : "response.completed", &ending);
    check_kept(events, out);
}

void dyno_openai_events_fail(struct dyno_openai_events *events, struct dyno_bytes *out,
                             const struct dyno_openai_error *error)
{
    const struct ending ending = {.status = "failed", .error = error};

    put_response_event(events, out, "response.failed", &ending);
}

void dyno_openai_events_put_whole(const struct dyno_openai_events *events, struct dyno_bytes *out,
                                  enum dyno_openai_finish finish,
                                  const struct dyno_openai_usage *usage, uint64_t completed_s)
{
    struct ending ending = ending_of(finish, usage, completed_s);

    check_kept(events, out);
    put_response(events, out, &ending);
}
