/* What other servers answer, on its way to the client.
 *
 * Events are parsed, so that what is passed on is JSON whatever the endpoint is, and changed where
 * they name things that are ours: the answer's id and the model's name.  All else is the endpoint's
 * words.  An answer that the client wants whole is put together from them.
 */
#include <string.h>

#include "backends/door/door_parts.h"
#include "backends/openai/chunks.h"
#include "backends/openai/json_text.h"

enum { WHOLE_BYTES_MAX = 1 << 26, TOO_MANY = 429, BAD_GATEWAY = 502, OUT_OF_SERVICE = 503 };

/* ---- events ---------------------------------------------------------------------------------- */

/* Any part of a delta but the role of who speaks. */
static bool has_part(const json_t *delta)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)delta, key, value)
    {
        if (strcmp(key, "role") != 0 &&
            (json_string_length(value) > 0 || json_array_size(value) > 0)) {
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = text ? strlen(text) : 0, end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* Notes what an event says of tokens and ends; true: it has text. */
static bool look_at(struct dyno_relay *relay, const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    const json_t *choices = json_object_get(event, "choices");
    bool has_text = ends_with(type, ".delta");

    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        const char *finish = json_string_value(json_object_get(choice, "finish_reason"));

        has_text |= json_string_length(json_object_get(choice, "text")) > 0 ||
                    has_part(json_object_get(choice, "delta"));
        relay->is_cut |= finish && strcmp(finish, "length") == 0;
    }
    relay->is_cut |= type && strcmp(type, "response.incomplete") == 0;
    relay->told_error |= json_is_object(json_object_get(event, "error")) ||
                         json_is_string(json_object_get(event, "error")) ||
                         (type && strcmp(type, "error") == 0);
    return has_text;
}

/* False: no memory. */
static bool rename_in(const struct dyno_call *call, json_t *object, bool has_id)
{
    return json_object_set_new(object, "model", json_string(call->served->model->name)) == 0 &&
           (!has_id || json_object_set_new(object, "id", json_string(call->id)) == 0);
}

static bool rename_event(const struct dyno_call *call, json_t *event)
{
    json_t *response = json_object_get(event, "response");

    if (call->kind != DYNO_CALL_RESPONSE) {
        return call->relay->told_error || rename_in(call, event, call->kind != DYNO_CALL_EMBEDDING);
    }
    return !json_is_object(response) || rename_in(call, response, false);
}

/* A name that may stand in a line of its own. */
static bool is_word(const char *text)
{
    return text && *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz_.0123456789")] == '\0';
}

static void put_event(const struct dyno_call *call, const json_t *event)
{
    struct dyno_bytes *out = &call->door->out;
    const char *type = json_string_value(json_object_get(event, "type"));

    if (call->kind == DYNO_CALL_RESPONSE && is_word(type)) {
        dyno_bytes_put_text(out, "event: ");
        dyno_bytes_put_text(out, type);
        dyno_bytes_put_text(out, "\n");
    }
    dyno_bytes_put_text(out, "data: ");
    dyno_json_put_value(out, event);
    dyno_bytes_put_text(out, "\n\n");
}

/* The usage that only we asked for goes no further. */
static bool is_for_client(const struct dyno_call *call, json_t *event)
{
    const json_t *choices = json_object_get(event, "choices");

    if (call->kind == DYNO_CALL_RESPONSE || call->relay->include_usage ||
        !json_object_get(event, "usage")) {
        return true;
    }
    (void)json_object_del(event, "usage");
    return !json_is_array(choices) || json_array_size(choices) > 0;
}

/* Of a response the last event has all; of chunks each has a part. */
static dyno_status keep_event(struct dyno_call *call, json_t *event)
{
    struct dyno_relay *relay = call->relay;
    json_t *response = json_object_get(event, "response");

    if (call->kind == DYNO_CALL_RESPONSE) {
        if (json_is_object(response)) {
            json_decref(relay->whole);
            relay->whole = json_incref(response);
        }
        return DYNO_OK;
    }
    if (call->kind == DYNO_CALL_EMBEDDING) {
        json_decref(relay->whole);
        relay->whole = json_incref(event);
        return DYNO_OK;
    }
    if (!relay->whole) {
        relay->whole = json_object();
    }
    return relay->whole ? dyno_openai_chunks_add(relay->whole, event) : DYNO_NO_MEMORY;
}

/* The number of an HTTP status if it cannot go on, else 0. */
static uint32_t say_event(struct dyno_choice *choice, const char *data, size_t size)
{
    struct dyno_call *call = choice->call;
    struct dyno_relay *relay = call->relay;
    json_t *event = json_loadb(data, size, 0, NULL);
    uint32_t failed = 0;

    relay->bytes += size;
    if (!json_is_object(event) || (!call->streams && relay->bytes > WHOLE_BYTES_MAX)) {
        json_decref(event);
        return BAD_GATEWAY;
    }
    if (look_at(relay, event) || call->kind == DYNO_CALL_EMBEDDING) {
        dyno_choice_count_tokens(choice, 1);
    }
    if (!rename_event(call, event)) {
        failed = 500;
    } else if (!call->streams) {
        failed = keep_event(call, event) == DYNO_OK ? 0 : BAD_GATEWAY;
    } else if (is_for_client(call, event)) {
        put_event(call, event);
    }
    json_decref(event);
    return failed;
}

/* ---- the end --------------------------------------------------------------------------------- */

static uint32_t status_of(const struct dyno_answer_news *news)
{
    switch (news->record->outcome) {
    case DYNO_COMPLETED:
        return news->end == DYNO_ANSWER_FAILED ? 500 : 0;
    case DYNO_CANCELLED_BY_CLIENT:
    case DYNO_CANCELLED_AT_END:
        return OUT_OF_SERVICE;
    case DYNO_REJECTED_QUEUE_FULL:
    case DYNO_REJECTED_QUEUE_TIMEOUT:
        return TOO_MANY;
    default:
        return news->record->worker == DYNO_NO_WORKER ? OUT_OF_SERVICE : BAD_GATEWAY;
    }
}

static void describe(const struct dyno_call *call, struct dyno_openai_error *error)
{
    const char *why = call->failed == OUT_OF_SERVICE
                          ? "no worker is there to answer; try again later"
                      : call->failed == TOO_MANY
                          ? "every worker is busy, and no more requests may wait or for longer; "
                            "try again later"
                      : call->failed != BAD_GATEWAY ? "the request could not be served"
                      : call->began                 ? "the worker that answered broke off"
                                                    : "the workers that were asked did not answer";

    (void)dyno_openai_fail(error, call->failed,
                           call->failed == TOO_MANY ? DYNO_OPENAI_CODE_RATE : NULL, NULL, "%s",
                           why);
}

/* A response's own event for it; a chunk for the others. */
static void put_failure(const struct dyno_call *call, struct dyno_bytes *out)
{
    struct dyno_openai_error error;
    json_t *event;

    describe(call, &error);
    if (call->kind != DYNO_CALL_RESPONSE) {
        dyno_openai_stream_put_error(out, &error);
        return;
    }
    event = json_pack("{s:s, s:s, s:s, s:n}", "type", "error", "code",
                      dyno_openai_error_type(call->failed), "message", error.cause.text, "param");
    put_event(call, event);
    json_decref(event);
}

static void end_stream(struct dyno_call *call)
{
    struct dyno_door *door = call->door;

    if (call->failed > 0 && !call->relay->told_error) {
        put_failure(call, &door->out);
    } else if (call->failed == 0 && call->kind != DYNO_CALL_RESPONSE) {
        dyno_openai_stream_put_done(&door->out);
    }
    if (door->out.size > 0) {
        dyno_http_stream_write(call->exchange, door->out.data, door->out.size);
    }
    dyno_call_log_stream(call);
    dyno_http_stream_end(call->exchange);
}

/* What the endpoint said in place of an answer, if it is JSON. */
static void reply_refusal(struct dyno_call *call, const struct dyno_answer_news *news)
{
    struct dyno_door *door = call->door;
    json_t *said = json_loadb(news->text ? news->text : "", news->text_size, 0, NULL);
    struct dyno_openai_error error;

    if (json_is_object(said)) {
        dyno_bytes_clear(&door->out);
        dyno_json_put_value(&door->out, said);
        dyno_door_reply_refusal(door, call->exchange, &call->asker, news->refused, DYNO_S);
    } else {
        (void)dyno_openai_fail(&error, news->refused, NULL, NULL,
                               "the worker that was asked refuses it, and does not say why");
        dyno_door_refuse(door, call->exchange, &call->asker, &error, DYNO_S);
    }
    json_decref(said);
}

/* Of answers that are told in parts. */
static bool is_chunked(const struct dyno_call *call)
{
    return call->kind == DYNO_CALL_CHAT || call->kind == DYNO_CALL_COMPLETION;
}

static void reply_whole(struct dyno_call *call)
{
    struct dyno_door *door = call->door;
    struct dyno_relay *relay = call->relay;
    struct dyno_openai_error error;

    if (!relay->whole ||
        (is_chunked(call) &&
         dyno_openai_chunks_finish(relay->whole, call->kind == DYNO_CALL_CHAT) != DYNO_OK)) {
        call->failed = BAD_GATEWAY;
        describe(call, &error);
        dyno_door_refuse(door, call->exchange, &call->asker, &error, 0);
        return;
    }
    dyno_bytes_clear(&door->out);
    dyno_json_put_value(&door->out, relay->whole);
    dyno_door_reply_json(door, call->exchange, &call->asker, &door->out);
}

static void end_call(struct dyno_call *call, const struct dyno_answer_news *news)
{
    struct dyno_openai_error error;

    if (!call->exchange) {
        dyno_call_drop(call);
        return;
    }
    dyno_http_exchange_set_data(call->exchange, NULL);
    if (call->streams && call->failed == 0 && !call->began) {
        dyno_call_begin_stream(call);
    }
    if (call->began) {
        end_stream(call);
    } else if (news->refused > 0) {
        reply_refusal(call, news);
    } else if (call->failed > 0) {
        describe(call, &error);
        dyno_door_refuse(call->door, call->exchange, &call->asker, &error,
                         call->door->config.retry_ns);
    } else {
        reply_whole(call);
    }
    dyno_call_drop(call);
}

static void end_choice(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;

    dyno_telemetry_ended(call->served->telemetry, dyno_door_now(call->door), news->record,
                         call->relay->is_cut);
    call->usage.prompt_tokens = news->record->prompt_tokens;
    call->usage.completion_tokens = news->record->output_tokens;
    call->failed = call->failed > 0 ? call->failed : status_of(news);
    call->open_count--;
}

/* It cannot go on: the endpoint need not either. */
static void give_up(struct dyno_choice *choice, uint32_t failed)
{
    choice->call->failed = failed;
    dyno_desk_cancel(choice->call->door->desk, choice->answer);
}

static void say_events(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;
    uint32_t from = 0;

    for (uint32_t i = 0; i < news->token_count && call->failed == 0; i++) {
        uint32_t to = news->tokens[i].text_end;
        uint32_t failed = say_event(choice, news->text + from, to - from);

        if (failed > 0) {
            give_up(choice, failed);
        }
        from = to;
    }
    if (call->door->out.status != DYNO_OK && call->failed == 0) {
        give_up(choice, 500);
    }
}

void dyno_relay_hear(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    struct dyno_call *call = choice->call;
    struct dyno_door *door = call->door;
    struct dyno_answer *answer = choice->answer;

    dyno_bytes_clear(&door->out);
    if (call->exchange) {
        say_events(choice, news);
    }
    if (call->exchange && door->out.size > 0 && !call->began) {
        dyno_call_begin_stream(call);
    }
    if (news->end == DYNO_ANSWER_GOES_ON) {
        if (call->exchange && door->out.size > 0) {
            dyno_http_stream_write(call->exchange, door->out.data, door->out.size);
        }
        return;
    }
    end_choice(choice, news);
    choice->answer = NULL; /* a call that is dropped does not release it: its news is still read */
    end_call(call, news);
    dyno_answer_release(answer);
}
